"""A small OpenID provider on this machine, as one is on the net: discovery, authorize, token, userinfo and keys by HTTP.

It keeps to the rules: a code works once and for who asked for it, by its secret and by PKCE. `lies` makes it break one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "forklore", "known to two"
ADA = {"sub": "248289761001", "email": "ada@example.org", "email_verified": True, "name": "Ada"}


class Provider:
    """`person` is who signs in there; `lies` changes the claims of their token, `algorithm` and `key` how it is signed."""

    def __init__(self, host: str = "127.0.0.1"):
        self.host = host
        self.forget()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"provider": self}))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def forget(self) -> None:
        """All that a test changed."""
        self.person: dict[str, Any] = dict(ADA)
        self.lies: dict[str, Any] = {}
        self.userinfo: dict[str, Any] | None = None  # None: the same as the token says
        self.metadata: dict[str, Any] = {}
        self.moved_to = ""  # where /moved leads
        self.algorithm, self.key = "RS256", KEY
        self.is_strict = True  # about codes
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.tokens: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def sends_back(self, asked: dict[str, str]) -> str:
        """Where somebody who signed in here goes: back, with a code."""
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def gives(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        asked = (
            self.codes.get(form.get("code", "")) if not self.is_strict else self.codes.pop(form.get("code", ""), None)
        )
        if asked is None or (self.is_strict and not _is_of(asked, form)):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked.get("nonce")}
        claims = {**claims, **self.person, **self.lies}
        claims = {name: value for name, value in claims.items() if value is not None}
        self.tokens.append(claims)
        token = self._signed(claims)
        return 200, {"access_token": "a", "token_type": "Bearer", "expires_in": 300, "id_token": token}

    def _signed(self, claims: dict[str, Any]) -> str:
        if self.algorithm != "HS256":
            return jwt.encode(claims, self.key, self.algorithm, headers={"kid": "one"})
        # By hand, for PyJWT takes no public key for a secret, as who forges a token does.
        head = {"alg": "HS256", "typ": "JWT", "kid": "one"}
        text = ".".join(_encoded(json.dumps(part).encode()) for part in (head, claims))
        return f"{text}.{_encoded(hmac.digest(self.key, text.encode(), 'sha256'))}"

    def about(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        } | self.metadata


def _is_of(asked: dict[str, str], form: dict[str, str]) -> bool:
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    return (
        (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
        and form.get("redirect_uri") == asked["redirect_uri"]
        and _encoded(digest) == asked.get("code_challenge")
    )


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, urlsplit(self.path).query
        self.provider.asked.append(path)
        person = (
            {**self.provider.person, **self.provider.lies} if self.provider.userinfo is None else self.provider.userinfo
        )
        pages: dict[str, Callable[[], Any]] = {
            "/.well-known/openid-configuration": self.provider.about,
            "/keys": lambda: {"keys": [PUBLIC]},
            "/userinfo": lambda: {name: value for name, value in person.items() if name in ADA},
        }
        if path == "/authorize":
            self._answer(200, "text/html", _form(query))
        elif path in pages:
            self._answer(200, "application/json", json.dumps(pages[path]()))
        else:
            self._answer(404, "text/plain", "nothing here")

    def do_POST(self) -> None:
        self.provider.asked.append(urlsplit(self.path).path)
        form = fields(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if self.path == "/token":
            status, answer = self.provider.gives(form)
            self._answer(status, "application/json", json.dumps(answer))
        elif self.path == "/moved":
            self.send_response(307)
            self.send_header("Location", f"{self.provider.moved_to}/token")
            self.end_headers()
        else:
            self.send_response(303)
            self.send_header("Location", self.provider.sends_back(form))
            self.end_headers()

    def _answer(self, status: int, kind: str, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *words: object) -> None:
        pass


def fields(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text).items()}


def _form(query: str) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in fields(query).items()
    )
    return f'<!doctype html><title>Provider</title><form method="post" action="/authorize">{hidden}<button>I am Ada</button></form>'


@contextmanager
def running(host: str = "127.0.0.1") -> Iterator[Provider]:
    provider = Provider(host)
    try:
        yield provider
    finally:
        provider.close()


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key())) | {"kid": "one", "alg": "RS256", "use": "sig"}
