"""The outermost layer: refuses what another site, another name or another machine sends, before anything reads it.

It stands over HTTP, WebSockets and static files alike and gives every answer its headers. It knows no people: who asks
is found out further inside (sessions_app/access), and a request that passes here is still nobody's.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
HOST = re.compile(r"(?P<name>\[[0-9a-f:]+\]|[a-z0-9]([a-z0-9._-]{0,252}))(?P<port>:[0-9]{1,5})?")
READING = ("GET", "HEAD", "OPTIONS")
EXHAUSTED = (errno.EMFILE, errno.ENFILE)  # no descriptor is left, for a file or a connection to the database

HEADERS_MOST = 100
HEADERS_BYTES = 32 * 1024
NAMELESS_BYTES = 64 * 1024  # of a body without cookie or token: nobody sends more than a form that lets them in
FRAME_BYTES = 4096  # of what a browser may send at once over a WebSocket
BODY_PAUSE = 30  # seconds between two parts of a body

# Images come from this server too: those of transcripts are addresses of their own, for a `data:` image may be larger
# than all else on a page and could not be kept by the browser.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
NO_DEVICES = (
    "camera=(), display-capture=(), geolocation=(), hid=(), microphone=(), midi=(), payment=(), serial=(), usb=()"
)
HEADERS = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": NO_DEVICES,
    # Not no-referrer, with which browsers send `Origin: null` from our own forms.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What is let in. `hosts` are names, with a port or without, that it answers to besides the loopback ones."""

    hosts: tuple[str, ...] = ()
    body_bytes: int = 64 * 1024 * 1024
    loopback_only: bool = True  # refuse connections that arrived at another address of this machine
    program: str = "python3 run.py"  # how a person starts it

    def __post_init__(self) -> None:
        """Raises ValueError for what no browser sends as a host; a wildcard would let rebound names in again."""
        for host in self.hosts:
            if not HOST.fullmatch(host):
                raise ValueError(
                    f"FORKLORE_HOSTS names hosts exactly, as in forklore.example.org or [::1]:8443, not {host!r}."
                )


class Refused(Exception):
    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


class Guard:
    def __init__(self, application: Application, rules: Rules):
        self._application = application
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._application(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            limit = self._check(_Request(scope))
            await self._application(scope, _limited(receive, limit) if scope["type"] == "http" else receive, answer)
        except Refused as refused:
            if answer.started:
                raise
            await _refuse(scope, answer, refused)
        except OSError as error:
            if answer.started or error.errno not in EXHAUSTED:
                raise
            await _refuse(scope, answer, Refused(503, "The server has too much open just now; ask again."))

    def _check(self, request: _Request) -> int:
        """How many bytes of body the request may have. Raises Refused."""
        _check_headers(request)
        self._check_address(request)
        self._check_host(request)
        self._check_origin(request)
        _check_site(request)
        return self._check_length(request)

    def _check_address(self, request: _Request) -> None:
        if self._rules.loopback_only and request.address and not ipaddress.ip_address(request.address).is_loopback:
            raise Refused(421, "This server answers to its own machine only.")

    def _check_host(self, request: _Request) -> None:
        if request.host not in self._hosts(request.port):
            raise Refused(421, self._unknown_host(request.host, request.port))

    def _hosts(self, port: int | None) -> Iterable[str]:
        """Exact values of a Host header: a page of another name, rebound to this address, has another."""
        bound = f":{port}"
        for name in LOOPBACK_NAMES:
            yield name + bound
            if port in (None, 80):
                yield name
        for host in self._rules.hosts:
            yield host
            if not HOST.fullmatch(host)["port"]:  # type: ignore[index]  # settings take only what matches
                yield host + bound

    def _check_origin(self, request: _Request) -> None:
        origins = request.all("origin")
        if origins:
            if not request.is_navigation and origins != [request.origin] and not self._is_behind_proxy(request):
                raise Refused(403, f"A page of another origin sent this request: {_printable(', '.join(origins))}.")
        elif request.is_socket and not request.has_bearer:
            raise Refused(403, "A WebSocket needs an Origin, or a token: Authorization: Bearer …")
        elif request.method not in READING and not _is_plainly_ours(request):
            raise Refused(403, "A request that changes something needs an Origin, or a token: Authorization: Bearer …")

    def _is_behind_proxy(self, request: _Request) -> bool:
        """Whether the origin is a host allowed on purpose, to which a proxy gave https."""
        name = HOST.fullmatch(request.host)["name"]  # type: ignore[index]  # only hosts that match are known ones
        return name not in LOOPBACK_NAMES and request.all("origin") == [f"https://{request.host}"]

    def _check_length(self, request: _Request) -> int:
        named = request.all("cookie") or request.has_bearer
        limit = self._rules.body_bytes if named else min(NAMELESS_BYTES, self._rules.body_bytes)
        # What stands between may go by the one and this server by the other: https://www.rfc-editor.org/rfc/rfc9112#section-6.1
        if request.all("content-length") and request.all("transfer-encoding"):
            raise Refused(400, "A body has a length or comes in chunks, not both.")
        for length in request.all("content-length"):
            if not re.fullmatch(r"[0-9]{1,18}", length):
                raise Refused(400, "Content-Length is no number of bytes.")
            if int(length) > limit:
                raise Refused(413, _too_large(limit))
        return limit

    def _unknown_host(self, host: str, bound: int | None) -> str:
        sentence = f"This server does not answer to the host {_printable(host)}."
        parts = HOST.fullmatch(host)
        if not parts:
            return sentence
        port = parts["port"] or ""
        name = parts["name"] if port in ("", f":{bound}") else parts["name"] + port
        return f"{sentence} To allow it on purpose: FORKLORE_HOSTS={name} {self._rules.program}"


class _Request:
    """A scope as the rules ask for it."""

    def __init__(self, scope: Scope):
        self.headers: list[tuple[bytes, bytes]] = list(scope["headers"])
        self.is_socket = scope["type"] == "websocket"
        self.method = "GET" if self.is_socket else scope["method"]
        address, port = scope.get("server") or (None, None)
        self.port: int | None = port
        self.address: str | None = address if port else None  # of a Unix socket it is a path
        self.secure = scope.get("scheme") in ("https", "wss")

    def all(self, name: str) -> list[str]:
        wanted = name.encode()
        return [value.decode("latin-1") for key, value in self.headers if key.lower() == wanted]

    @property
    def host(self) -> str:
        """Raises Refused unless there is exactly one."""
        hosts = self.all("host")
        if len(hosts) != 1:
            raise Refused(400, "A request names one host.")
        return hosts[0].lower()

    @property
    def origin(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.host}"

    @property
    def is_navigation(self) -> bool:
        """Whether a browser shows the answer in a tab of its own, where no other page can read it."""
        return (
            self.method in ("GET", "HEAD")
            and not self.is_socket
            and self.all("sec-fetch-mode") == ["navigate"]
            and self.all("sec-fetch-dest") == ["document"]
        )

    @property
    def has_bearer(self) -> bool:
        """No other site can make a browser send this header without asking first, and that question is refused."""
        return any(value.lower().startswith("bearer ") for value in self.all("authorization"))


def _is_plainly_ours(request: _Request) -> bool:
    """Browsers name the origin of whatever changes something; without one it is a program, or says so by itself."""
    return not request.all("cookie") or request.has_bearer or request.all("sec-fetch-site") == ["same-origin"]


def _check_headers(request: _Request) -> None:
    size = sum(len(name) + len(value) for name, value in request.headers)
    if len(request.headers) > HEADERS_MOST or size > HEADERS_BYTES:
        raise Refused(431, "The headers are too many or too long; if a browser sent them, delete this site's cookies.")


def _check_site(request: _Request) -> None:
    """What browsers say of who asks; https://www.w3.org/TR/fetch-metadata/. Others do not send it."""
    sites = request.all("sec-fetch-site")
    if not sites or sites in (["same-origin"], ["none"]) or (request.is_navigation and request.method == "GET"):
        return
    raise Refused(403, f"Another site sent this request (Sec-Fetch-Site: {_printable(', '.join(sites))}).")


def _limited(receive: Receive, limit: int) -> Receive:
    """Counts a body while it arrives, for it may not say its length, or not truly."""
    taken = 0
    complete = False

    async def limited() -> Event:
        nonlocal taken, complete
        if complete:
            return await receive()
        try:
            event = await asyncio.wait_for(receive(), BODY_PAUSE)
        except TimeoutError:
            raise Refused(408, f"No more of the body came for {BODY_PAUSE} seconds.") from None
        taken += len(event.get("body", b""))
        complete = not event.get("more_body", False)
        if taken > limit:
            raise Refused(413, _too_large(limit))
        return event

    return limited


class _Answer:
    """Gives an answer its headers; no part of the site can leave them out, or let another origin read."""

    def __init__(self, send: Send):
        self._send = send
        self.started = False

    async def __call__(self, event: Event) -> None:
        if event["type"] in ("http.response.start", "websocket.http.response.start"):
            event = {**event, "headers": _with_ours(event.get("headers", ()))}
        self.started = self.started or event["type"] != "websocket.close"
        await self._send(event)


def _with_ours(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """A stricter content policy, such as that of a raw message, stays."""
    kept = [(name, value) for name, value in headers if not _is_ours(name.lower().decode("latin-1"))]
    if not any(name.lower() == b"content-security-policy" for name, _ in kept):
        kept.append((b"content-security-policy", POLICY.encode()))
    return kept + [(name.encode(), value.encode()) for name, value in HEADERS.items()]


def _is_ours(name: str) -> bool:
    return name in HEADERS or name.startswith("access-control-")


async def _refuse(scope: Scope, send: Send, refused: Refused) -> None:
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": refused.sentence[:100]})
        return
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    body = f"{refused.sentence}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),  # what is left of the body is not read
    ]
    await send({"type": f"{kind}.start", "status": refused.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})


def _too_large(limit: int) -> str:
    return f"The body is larger than {limit:,} bytes."


def _printable(text: str) -> str:
    return re.sub(r"[^ -~]", "?", text)[:200]
