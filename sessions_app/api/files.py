"""Sessions as files: bundles out and in, and documents to be read."""

from __future__ import annotations

import io
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import IO, Any, Literal
from uuid import UUID

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from ninja import Query, Router
from ninja.errors import HttpError

from sessions_app.api import schemas, wire
from sessions_app.api.problems import PROBLEMS, WRITING
from sessions_app.api.wire import answer
from sessions_app.integrations import bundle
from sessions_app.models import Project, Session
from sessions_app.web.rendering import documents

router = Router()
IN_MEMORY = 1024 * 1024  # bytes of a file; what is larger waits on disk
PIECE = 64 * 1024  # bytes
MOST = 1000  # sessions named in one request
KINDS = {
    "bundle": ("jsonl", wire.LINES),
    "markdown": ("md", "text/markdown; charset=utf-8"),
    "html": ("html", "text/html; charset=utf-8"),
}
_CONTENT: dict[str, Any] = {kind.partition(";")[0]: {"schema": {"type": "string"}} for _, kind in KINDS.values()}
_BODY: dict[str, Any] = {"required": True, "content": {wire.LINES: {"schema": {"type": "string"}}}}


@router.get(
    "/export",
    response={200: None, **PROBLEMS},
    summary="Sessions as a file",
    openapi_extra={"responses": {200: {"content": _CONTENT}}},
)
def export(
    request: HttpRequest,
    session: list[UUID] = Query([], max_length=MOST, description="One or more ids."),  # noqa: B008
    project: str | None = Query(None, description="All sessions of a project."),
    lineage: bool = Query(False, description="With all of their ancestors and forks."),
    format: Literal["bundle", "markdown", "html"] = "bundle",
    secrets: Literal["hidden", "kept"] = Query(
        "hidden", description="Whether tokens, keys and passwords are left out."
    ),
) -> HttpResponseBase:
    """A bundle brings sessions back by `POST /import`, as they were where no secrets were left out; the HTML file needs
    and loads nothing else."""
    ids = list(session)
    if project is not None:
        found = Session.objects.visible().filter(project__in=Project.objects.visible().named(project), trashed_at=None)
        ids += found.order_by("created_at", "pk").values_list("pk", flat=True)
    if lineage:
        ids = [id for each in ids for id in bundle.lineage_of(each)]
    if not ids:
        raise HttpError(404, "There are no such sessions.")
    file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  closed with the answer
    text = io.TextIOWrapper(file, encoding="utf-8", write_through=True)
    if format == "bundle":
        bundle.export(ids, text, keep_secrets=secrets == "kept")
    else:
        text.writelines(documents.document(dict.fromkeys(ids), format, keep_secrets=secrets == "kept"))
    text.detach()
    bundle.note_exported(ids)
    return _sent(request, file, *KINDS[format])


@router.post(
    "/import",
    response={200: schemas.Imported, 415: schemas.Problem, **WRITING},
    summary="Bring in a bundle",
    openapi_extra={"requestBody": _BODY},
)
def bring_in(request: HttpRequest) -> HttpResponse:
    """What is there already stays as it is; of a file that was cut or changed nothing is written."""
    with wire.read_file(request) as file:
        outcome = bundle.bring_in(file)
    return answer(request, {"sessions": outcome.sessions, "messages": outcome.messages, "new": outcome.new})


def _sent(request: HttpRequest, file: IO[bytes], suffix: str, kind: str) -> HttpResponseBase:
    size = file.tell()
    file.seek(0)
    pieces = _pieces_later(file) if isinstance(request, ASGIRequest) else _pieces(file)
    response = StreamingHttpResponse(pieces, content_type=kind)
    response["Content-Length"] = str(size)
    response["Content-Disposition"] = f'attachment; filename="sessions.{suffix}"'
    response["Content-Security-Policy"] = f"sandbox; {documents.POLICY}"
    return response


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece


async def _pieces_later(file: IO[bytes]) -> AsyncIterator[bytes]:
    """The same for an event loop, which would otherwise read all of it first."""
    with file:
        while piece := await sync_to_async(file.read)(PIECE):
            yield piece
