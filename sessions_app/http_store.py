"""The store of a server: the operations of async_store.py, over HTTP.

    async with open_store("http://127.0.0.1:8000") as store:
        session = await store.create("my-project", [{"role": "user", "content": "hello"}])

A write carries a key of its own, so that it is tried again after a lost connection and still done once.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import orjson

from sessions_app import bodies, errors
from sessions_app.calls import NOT_OPEN, Calls
from sessions_app.records import Change, Message, NamedSession, Origin, ParentLink, SearchHit, SessionRecord
from sessions_site.configuration import data_directory

if TYPE_CHECKING:
    from sessions_app.search.indexed import Distinct

ROOT = "/api/v1"
STRINGS = "Forklore-Strings"  # see api/wire.py
TIMEOUT = 60.0  # seconds
SILENCE = 60.0  # seconds; a server that is there says something every fifteen
TRIES = 5
PAUSE = 0.2  # seconds before the second try; twice as long before each further one
AT_ONCE = 32  # requests; more wait their turn
LARGE = 64 * 1024  # bytes of an answer that is read in a thread
SHORT_VALUES = 500  # of a request that is written without one
SHORT_CHARACTERS = 16_000
PAGE = 1000  # sessions, hits and names that the server gives at once


class HttpStore:
    """Every method does what that of AsyncStore does, and raises what it raises; httpx.HTTPError where none answers."""

    def __init__(self, url: str, token: str | None = None, transport: httpx.AsyncBaseTransport | None = None):
        """Without a token it is FORKLORE_TOKEN's, or for this machine's own server that of its data directory."""
        self._url = url.rstrip("/")
        self._token = token or os.environ.get("FORKLORE_TOKEN") or _own_token(url)
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._calls = Calls(AT_ONCE)
        self._ended = asyncio.Event()

    async def __aenter__(self) -> HttpStore:
        self._client = self._new_client(TIMEOUT)
        self._calls = Calls(AT_ONCE)
        self._ended.clear()
        return self

    def _new_client(self, silence: float) -> httpx.AsyncClient:
        # On this machine there is no way that is worth the time to compress.
        headers = {"Accept-Encoding": "identity" if _is_here(self._url) else "gzip", STRINGS: "accept"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
        # None: a waiting call waits for a free connection as long as it takes.
        timeout = httpx.Timeout(TIMEOUT, read=silence, pool=None)
        return httpx.AsyncClient(
            base_url=self._url + ROOT,
            headers=headers,
            limits=limits,
            timeout=timeout,
            transport=self._transport,
            trust_env=False,  # no proxy stands between an agent and its store
        )

    async def __aexit__(self, *error: object) -> None:
        """Every call that was begun comes to its end first; further ones are refused."""
        await self._calls.close()
        self._ended.set()
        client, self._client = self._client, None
        if client:
            await client.aclose()

    async def create(
        self, project: str, messages: Sequence[Message], *, agent: str = "", once: str | None = None
    ) -> SessionRecord:
        value = {"project": project, "messages": list(messages), "agent": agent}
        return _record(await self._write("POST", "/sessions", value, once=once), list(messages))

    async def put(self, record: SessionRecord, *, agent: str = "") -> bool:
        value = {**record.facts(), "messages": record.messages, "agent": agent}
        return (await self._write("PUT", "/sessions", value))["written"]

    async def fork(
        self, project: str, parent: UUID, messages: Sequence[Message], turns: int, *, once: str | None = None
    ) -> SessionRecord:
        value = {"project": project, "messages": list(messages), "turns": turns}
        return _record(await self._write("POST", f"/sessions/{_id(parent)}/forks", value, once=once), list(messages))

    async def fork_at(
        self, parent: UUID, position: int, project: str | None = None, *, once: str | None = None
    ) -> SessionRecord:
        value = {"position": position, "project": project}
        return _record(await self._write("POST", f"/sessions/{_id(parent)}/forks", value, once=once))

    async def update(
        self,
        id: UUID,
        messages: Sequence[Message],
        turns: int,
        *,
        expected_version: int | None = None,
        once: str | None = None,
    ) -> None:
        value = {"messages": list(messages), "turns": turns}
        await self._write_only("PUT", f"/sessions/{_id(id)}/messages", value, expected_version, once)

    async def append(
        self,
        id: UUID,
        messages: Sequence[Message],
        turns: int | None = None,
        *,
        turns_added: int = 0,
        expected_version: int | None = None,
        once: str | None = None,
    ) -> None:
        value = {"messages": list(messages), "turns": turns, "turns_added": turns_added}
        await self._write_only("POST", f"/sessions/{_id(id)}/messages", value, expected_version, once)

    async def truncate(
        self,
        id: UUID,
        count: int,
        turns: int | None = None,
        *,
        expected_version: int | None = None,
        once: str | None = None,
    ) -> None:
        value = {"count": count, "turns": turns}
        await self._write_only("POST", f"/sessions/{_id(id)}/truncate", value, expected_version, once)

    async def rename(self, id: UUID, title: str) -> None:
        await self._write("PATCH", f"/sessions/{_id(id)}", {"title": title})

    async def suggest_title(self, id: UUID, title: str) -> None:
        await self._write("PATCH", f"/sessions/{_id(id)}", {"title": title, "title_source": "agent"})

    async def pin(self, id: UUID) -> None:
        await self._write("PATCH", f"/sessions/{_id(id)}", {"pinned": True})

    async def unpin(self, id: UUID) -> None:
        await self._write("PATCH", f"/sessions/{_id(id)}", {"pinned": False})

    async def archive(self, id: UUID) -> None:
        await self._write("PATCH", f"/sessions/{_id(id)}", {"archived": True})

    async def unarchive(self, id: UUID) -> None:
        await self._write("PATCH", f"/sessions/{_id(id)}", {"archived": False})

    async def tag(self, id: UUID, name: str) -> None:
        await self._write("PUT", f"/sessions/{_id(id)}/tags", {"name": name})

    async def untag(self, id: UUID, name: str) -> None:
        await self._write("DELETE", f"/sessions/{_id(id)}/tags", {"name": name})

    async def set_tags(self, id: UUID, names: Sequence[str]) -> None:
        await self._write("PATCH", f"/sessions/{_id(id)}", {"tags": list(names)})

    async def tags(self, id: UUID) -> list[str]:
        return (await self._read(f"/sessions/{_id(id)}/tags"))["tags"]

    async def delete(self, id: UUID) -> None:
        await self._write("DELETE", f"/sessions/{_id(id)}")

    async def restore(self, id: UUID) -> None:
        await self._write("POST", f"/sessions/{_id(id)}/restore")

    async def purge(self, id: UUID) -> None:
        await self._write("POST", f"/sessions/{_id(id)}/purge")

    async def get(self, id: UUID) -> SessionRecord | None:
        try:
            return _record(await self._read(f"/sessions/{_id(id)}", messages=True))
        except errors.SessionNotFound:
            return None

    async def get_messages(self, id: UUID, start: int = 0, stop: int | None = None) -> list[Message]:
        _check_window(start, stop)
        return (await self._read(f"/sessions/{_id(id)}/messages", start=start, stop=stop))["messages"]

    async def prompt_positions(self, id: UUID) -> list[int]:
        return [position for position, _ in await self.prompts(id)]

    async def prompts(self, id: UUID, start: int = 0, stop: int | None = None) -> list[tuple[int, str]]:
        _check_window(start, stop)
        found = await self._read(f"/sessions/{_id(id)}/prompts", start=start, stop=stop)
        return [(position, text) for position, text in found["prompts"]]

    async def list_by_project(self, project: str, limit: int, *, with_messages: bool = True) -> list[SessionRecord]:
        return await self.list_sessions(limit, project=project, with_messages=with_messages)

    async def list_sessions(
        self,
        limit: int,
        *,
        project: str | None = None,
        after: tuple[datetime, UUID] | None = None,
        with_messages: bool = False,
    ) -> list[SessionRecord]:
        _check_not_negative("limit", limit)
        if project is not None and not _is_sendable(project):
            return []
        found: list[SessionRecord] = []
        further = after and f"{after[0].isoformat()}~{after[1]}"
        while len(found) < limit:
            page = await self._read(
                "/sessions",
                project=project,
                limit=min(limit - len(found), PAGE),
                after=further,
                messages=with_messages,
            )
            found += [_record(each) for each in page["sessions"]]
            further = page["next"]
            if further is None:
                break
        return found

    async def latest(self, project: str) -> SessionRecord | None:
        return next(iter(await self.list_by_project(project, 1)), None)

    async def find_by_id_prefix(self, prefix: str, limit: int, *, with_messages: bool = True) -> list[SessionRecord]:
        _check_not_negative("limit", limit)
        if not _is_sendable(prefix):
            return []
        found = await self._read("/sessions", prefix=prefix, limit=min(limit, PAGE), messages=with_messages)
        return [_record(each) for each in found["sessions"]]

    async def search(
        self, query: str, limit: int, *, filters: str = "", distinct: Distinct = "session"
    ) -> list[SearchHit]:
        _check_not_negative("limit", limit)
        value = {"query": query, "limit": min(limit, PAGE), "filters": filters, "distinct": distinct}
        return [_hit(each) for each in (await self._write("POST", "/search", value))["hits"]]

    async def find(self, id: UUID, query: str) -> list[int]:
        return (await self._write("POST", f"/sessions/{_id(id)}/find", {"query": query}))["positions"]

    async def newest_change(self) -> int:
        return (await self._read("/changes"))["until"]

    async def changes(self, since: int, limit: int = PAGE) -> list[Change]:
        return (await self.changes_until(since, limit))[0]

    async def changes_until(self, since: int, limit: int = PAGE) -> tuple[list[Change], int]:
        _check_not_negative("limit", limit)
        found: list[Change] = []
        while True:
            asked = min(limit - len(found), PAGE)
            page = await self._read("/changes", since=since, limit=asked)
            found += map(Change.from_facts, page["changes"])
            since = page["until"]
            if len(page["changes"]) < asked or len(found) >= limit:
                return found, since

    async def watch(self, since: int | None = None) -> AsyncGenerator[Change, None]:
        """Goes on where it was when the connection was lost; ends when the store is closed."""
        self._check_open()
        since = await self.newest_change() if since is None else since
        faults = 0
        while True:
            try:
                async for number, change in self._stream(since):
                    since, faults = number, 0
                    if change:
                        yield change
            except httpx.TransportError:
                faults += 1
                if self._client is not None and faults >= TRIES:
                    raise
            if self._client is None:
                return
            await asyncio.sleep(PAUSE * 2**faults)

    async def _stream(self, since: int) -> AsyncIterator[tuple[int, Change | None]]:
        """From one connection: numbers, and what changed with them."""
        async with self._new_client(SILENCE) as client:
            asked = {"Accept": "text/event-stream", "Last-Event-ID": str(since)}
            async with client.stream("GET", "/changes", headers=asked) as response:
                if response.status_code == 503:
                    raise httpx.ReadError("The server's database is away.", request=response.request)
                if not response.is_success:
                    await response.aread()
                    _answered(response)
                async for event in _events(self._pieces(response)):
                    if event.get("event") == "forgotten":
                        raise errors.ChangesForgotten(since)
                    number = int(event["id"])
                    yield number, Change.from_facts(bodies.loads(event["data"])) if "data" in event else None

    async def _pieces(self, response: httpx.Response) -> AsyncIterator[bytes]:
        """What comes, until the store is closed."""
        parts = response.aiter_bytes()
        tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._ended.wait())]
        try:
            while not self._ended.is_set():
                coming = asyncio.ensure_future(anext(parts, None))
                tasks[1:] = [coming]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                piece = coming.result() if coming.done() else None
                if piece is None:
                    return
                yield piece
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def tidy(self, written: int) -> None:
        await self._write("POST", "/tidy", {"written": written})

    async def open_named(
        self,
        origin: Origin,
        project: str,
        messages: Sequence[Message] = (),
        turns: int = 0,
        *,
        agent: str = "",
        link: ParentLink | None = None,
    ) -> tuple[SessionRecord, bool]:
        value = {
            "name": _name(origin),
            "project": project,
            "messages": list(messages),
            "turns": turns,
            "agent": agent,
            "link": link
            and {
                "parent": _name(link.parent),
                "relation": link.relation,
                "fork_point": link.fork_point,
                "inferred": link.inferred,
                "prefix_needed": link.prefix_needed,
            },
        }
        found = await self._write("POST", "/named", value)
        return _record(found["session"]), found["created"]

    async def fork_named(self, origin: Origin, parent: UUID, position: int | None = None) -> SessionRecord:
        value = {"name": _name(origin), "parent": _id(parent), "position": position}
        return _record(await self._write("POST", "/named/fork", value))

    async def find_named(self, origin: Origin) -> SessionRecord | None:
        found = await self._read("/named", **_name(origin))
        return _record(found["named"][0]["session"]) if found["named"] else None

    async def named(self, source: str, project_key: str) -> list[NamedSession]:
        found = await self._read("/named", source=source, project_key=project_key)
        return [
            NamedSession(Origin(**each["name"]), _record(each["session"]), each["detail"]) for each in found["named"]
        ]

    async def keep_detail(self, origin: Origin, detail: dict[str, Any]) -> None:
        await self._write("PUT", "/named/detail", {"name": _name(origin), "detail": detail})

    # Requests

    def _check_open(self) -> httpx.AsyncClient:
        if self._client is None:
            raise RuntimeError(NOT_OPEN)
        return self._client

    async def _read(self, path: str, **asked: Any) -> Any:
        return await self._send("GET", path, params={name: each for name, each in asked.items() if each is not None})

    async def _write_only(
        self, method: str, path: str, value: Any, expected_version: int | None, once: str | None
    ) -> None:
        """Write where nobody wants to know what the session is then, which the server would have to read."""
        headers = {"Prefer": "return=minimal"}
        if expected_version is not None:
            headers["If-Match"] = f'"{expected_version}"'
        await self._write(method, path, value, headers, once=once)

    async def _write(
        self,
        method: str,
        path: str,
        value: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        once: str | None = None,
    ) -> Any:
        headers = dict(headers or {})
        if not path.endswith(("/search", "/find", "/tidy")):
            headers["Idempotency-Key"] = once or _key()
        return await self._send(method, path, value, headers=headers)

    async def _send(self, method: str, path: str, value: Any = None, **options: Any) -> Any:
        client = self._check_open()
        await self._calls.begin()
        try:
            if value is not None:
                # In a thread: a long list takes longer to write than other tasks may wait for. For a short one the way
                # there and back takes longer.
                written = _encoded(value) if _is_short(value) else await asyncio.to_thread(_encoded, value)
                options["content"], spelled = written
                further = {"Content-Type": "application/json", **({STRINGS: "spelled"} if spelled else {})}
                options["headers"] = {**options["headers"], **further}
            response = await _tried(client, method, path, options)
        finally:
            self._calls.end()
        return await asyncio.to_thread(_answered, response) if len(response.content) > LARGE else _answered(response)


async def _tried(client: httpx.AsyncClient, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
    """Tried again where no answer came, or the server says that its database is away: all that is sent may be."""
    pause = PAUSE
    for last in (*[False] * (TRIES - 1), True):
        try:
            response = await client.request(method, path, **options)
            if response.status_code != 503 or last:
                return response
        except httpx.TransportError:
            if last:
                raise
        await asyncio.sleep(pause)
        pause *= 2
    raise AssertionError("the last try answers or raises")


async def _events(pieces: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """The events of a stream by their fields; https://html.spec.whatwg.org/multipage/server-sent-events.html"""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n\n")
        for lines in whole:
            fields = (line.partition(b": ") for line in lines.split(b"\n"))
            event = {name.decode(): value for name, _, value in fields}
            if "id" in event or "event" in event:
                yield {name: value if name == "data" else value.decode() for name, value in event.items()}


def _answered(response: httpx.Response) -> Any:
    """What was asked for. Raises the store's own errors, and httpx.HTTPStatusError for answers that are no store's."""
    if response.is_success:
        if not response.content:
            return None
        found = bodies.loads(response.content)
        return bodies.unspell(found) if response.headers.get(STRINGS) == "spelled" else found
    if "json" not in response.headers.get("Content-Type", ""):
        sentence = response.text.strip()[:200] or response.reason_phrase
        raise httpx.HTTPStatusError(sentence, request=response.request, response=response)
    raise _error(bodies.loads(response.content))


def _error(problem: dict[str, Any]) -> Exception:
    name, detail = problem.get("error") or "", problem.get("detail", "")
    kind = getattr(errors, name, None)
    if name == "ValueError" or not (isinstance(kind, type) and issubclass(kind, errors.StoreError)):
        return ValueError(detail)
    error = kind.__new__(kind)
    Exception.__init__(error, detail)  # the sentence stands already; the classes would make it anew
    for field in ("position", "expected", "actual", "start", "stop", "since"):
        setattr(error, field, problem.get(field))
    if "id" in problem:
        error.id = UUID(problem["id"])  # type: ignore[attr-defined]
    return error


def _is_short(value: Any) -> bool:
    """Whether it has few values and characters; looks at no more of them than that."""
    found, characters = [value], 0
    for each in found:
        if isinstance(each, str):
            characters += len(each)
        elif isinstance(each, dict | list):
            if len(found) + len(each) > SHORT_VALUES:
                return False
            found += each.values() if isinstance(each, dict) else each
        if characters > SHORT_CHARACTERS:
            return False
    return True


def _encoded(value: Any) -> tuple[bytes, bool]:
    """The JSON of a request, and whether its strings are spelled. Raises InvalidMessage as the store would."""
    messages = value.get("messages")
    if messages is not None:
        for position, body in enumerate(bodies.encode_all(messages, 2**62)):
            bodies.verify(position, messages[position], body)
    try:
        return orjson.dumps(value, option=bodies.PLAIN_ONLY), False
    except TypeError:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    if json.loads(text) == value:
        return text.encode("ascii"), False
    return json.dumps(bodies.spell(value), separators=(",", ":")).encode("ascii"), True


def _record(value: dict[str, Any], messages: list[Message] | None = None) -> SessionRecord:
    return SessionRecord.from_facts(value, value["messages"] if messages is None else messages)


def _hit(value: dict[str, Any]) -> SearchHit:
    moment = datetime.fromisoformat(value["updated_at"])
    return SearchHit(**{**value, "id": UUID(value["id"]), "updated_at": moment})


def _name(origin: Origin) -> dict[str, str]:
    return {
        "source": origin.source,
        "project_key": origin.project_key,
        "external_id": origin.external_id,
        "subpath": origin.subpath,
    }


def _is_sendable(text: str) -> bool:
    """Whether an address can carry it; no project's name and no id has lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _id(id: UUID) -> str:
    if not isinstance(id, UUID):
        raise TypeError(f"The id of a session is a UUID, not {id!r}.")
    return str(id)


def _key() -> str:
    return uuid4().hex


def _check_not_negative(name: str, value: int) -> None:
    if value < 0:
        raise ValueError(f"{name} is at least 0, not {value}.")


def _check_window(start: int, stop: int | None) -> None:
    _check_not_negative("start", start)
    _check_not_negative("stop", stop or 0)


def _is_here(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def _own_token(url: str) -> str | None:
    """That of this machine's own server, which whoever may read its data directory may use."""
    if not _is_here(url):
        return None
    try:
        return (data_directory() / "token").read_text().strip()
    except OSError:
        return None
