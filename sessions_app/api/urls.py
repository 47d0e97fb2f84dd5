"""The API and its description."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.errors import HttpError

import sessions_app
from sessions_app.api import problems, routes
from sessions_app.api.wire import ExactParser, read_body

READING = ("GET", "HEAD", "OPTIONS")
DESCRIPTION = """Sessions of agents: written, read, forked and searched. Send `Authorization: Bearer` with a token of
`python3 run.py create_token NAME` or of Settings → Tokens; on the machine itself the file that `python3 run.py token`
names holds one. Messages come back as they were sent. Errors are problem details (RFC 9457)."""


def has_token(request: HttpRequest) -> bool:
    """Whoever writes sends a token: a cookie, which a browser sends by itself, is good for reading."""
    if request.method not in READING and not request.actor.bearer:  # type: ignore[attr-defined]  # by FindActor
        raise HttpError(403, "The API writes for a token alone: Authorization: Bearer …")
    read_body(request)
    return True


api = NinjaAPI(
    title="Forklore",
    version=sessions_app.__version__,
    description=DESCRIPTION,
    parser=ExactParser(),
    docs_url=None,  # its page loads what our policy forbids; ours is web/api_docs.py
    auth=has_token,
    urls_namespace="api",
)
problems.attach(api)
api.add_router("", routes.router)
