"""The operations of the store under their addresses; each view asks the store one thing and tells its answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Header, Query, Router
from ninja.errors import HttpError

from sessions_app import figures, parents, store
from sessions_app.api import cleanup, files, reading, schemas
from sessions_app.api.problems import PROBLEMS, WRITING
from sessions_app.api.wire import answer
from sessions_app.models import Project
from sessions_app.records import Origin, ParentLink, SessionRecord
from sessions_app.search.indexed import Distinct

router = Router()
router.add_router("", reading.router)
router.add_router("", files.router)
router.add_router("", cleanup.router)

MOST = 1000  # sessions, hits and names in one answer
LARGEST = 2**63 - 1  # of a number of a change
Limit = Query(20, ge=0, le=MOST)
IfMatch = Header(
    None, alias="If-Match", description='The ETag that the session is to have, such as "4" with its quotes.'
)
Once = Header(
    None,
    alias="Idempotency-Key",
    min_length=1,
    max_length=200,
    description="Sent again within a week, the same request writes nothing more.",
)
Prefer = Header(
    None, description="With `return=minimal` the answer is 204 and tells nothing of the session, which costs less."
)
MINIMAL = "return=minimal"
MAY_BE_BRIEF = {200: schemas.Session, 204: None, **WRITING}


@router.get("/projects", response={200: schemas.Projects, **PROBLEMS}, summary="Projects")
def projects(request: HttpRequest) -> HttpResponse:
    known = figures.by_project()
    found = Project.objects.visible().standing().order_by("name").values_list("pk", "name")
    told = [{"name": name, "sessions": known[key].sessions if key in known else 0} for key, name in found]
    return answer(request, {"projects": told})


@router.get("/sessions", response={200: schemas.Sessions, **PROBLEMS}, summary="Sessions, the latest first")
def sessions(
    request: HttpRequest,
    project: str | None = Query(None, description="Of this project alone."),
    prefix: str | None = Query(None, description="Whose id starts with these hex digits."),
    limit: int = Limit,
    after: str | None = Query(None, description="The `next` of the page before; not with a prefix."),
    messages: bool = Query(False, description="With all of their messages."),
) -> HttpResponse:
    if prefix is not None:
        found = store.find_by_id_prefix(prefix, limit, with_messages=messages)
        return answer(request, {"sessions": [schemas.session(each) for each in found], "next": None})
    found = store.list_sessions(limit + 1, project=project, after=_key(after), with_messages=messages)
    further = f"{found[limit - 1].updated_at.isoformat()}~{found[limit - 1].id}" if len(found) > limit > 0 else None
    return answer(request, {"sessions": [schemas.session(each) for each in found[:limit]], "next": further})


@router.post("/sessions", response={201: schemas.Session, **WRITING}, summary="Create a session")
def create(request: HttpRequest, given: schemas.NewSession, once: str | None = Once) -> HttpResponse:
    return _created(request, store.create(given.project, given.messages, agent=given.agent, once=once))


@router.put("/sessions", response={200: schemas.Put, **WRITING}, summary="Write a session as it is, with its id")
def put(request: HttpRequest, given: schemas.Whole) -> HttpResponse:
    values = {name: getattr(given, name) for name in schemas.Whole.model_fields if name != "agent"}
    record = SessionRecord(**values, message_count=len(given.messages))
    return answer(request, {"written": store.put(record, agent=given.agent)})


@router.get("/sessions/{uuid:id}", response={200: schemas.Session, **PROBLEMS}, summary="One session")
def session(request: HttpRequest, id: UUID, messages: bool = True) -> HttpResponse:
    found = store.get(id) if messages else next(iter(store.find_by_id_prefix(str(id), 1, with_messages=False)), None)
    if found is None:
        raise store.SessionNotFound(id)
    return answer(request, schemas.session(found), headers=_etag(found))


@router.patch("/sessions/{uuid:id}", response={200: schemas.Session, **WRITING}, summary="Rename, pin, archive, tag")
def change(request: HttpRequest, id: UUID, given: schemas.Changed) -> HttpResponse:
    if given.title is not None:
        (store.rename if given.title_source == "user" else store.suggest_title)(id, given.title)
    if given.pinned is not None:
        (store.pin if given.pinned else store.unpin)(id)
    if given.archived is not None:
        (store.archive if given.archived else store.unarchive)(id)
    if given.tags is not None:
        store.set_tags(id, given.tags)
    return session(request, id, messages=False)


@router.delete("/sessions/{uuid:id}", response={204: None, **PROBLEMS}, summary="Move to the trash")
def delete(request: HttpRequest, id: UUID, once: str | None = Once) -> HttpResponse:
    with _once(request, once) as before:
        if not before.done:
            store.delete(id)
            before.keep(id)
    return HttpResponse(status=204)


@router.post("/sessions/{uuid:id}/restore", response={204: None, **PROBLEMS}, summary="Take out of the trash")
def restore(request: HttpRequest, id: UUID, once: str | None = Once) -> HttpResponse:
    with _once(request, once) as before:
        if not before.done:
            store.restore(id)
            before.keep(id)
    return HttpResponse(status=204)


@router.post("/sessions/{uuid:id}/purge", response={204: None, **PROBLEMS}, summary="Remove from the trash for good")
def purge(request: HttpRequest, id: UUID, once: str | None = Once) -> HttpResponse:
    with _once(request, once) as before:
        if not before.done:
            store.purge(id)
            before.keep(id)
    return HttpResponse(status=204)


@router.get("/sessions/{uuid:id}/tags", response={200: schemas.Tags, **PROBLEMS}, summary="Tags")
def tags(request: HttpRequest, id: UUID) -> HttpResponse:
    return answer(request, {"tags": store.tags(id)})


@router.put("/sessions/{uuid:id}/tags", response={204: None, **PROBLEMS}, summary="Put a tag on")
def tag(request: HttpRequest, id: UUID, given: schemas.Tag) -> HttpResponse:
    store.tag(id, given.name)
    return HttpResponse(status=204)


@router.delete("/sessions/{uuid:id}/tags", response={204: None, **PROBLEMS}, summary="Take a tag off")
def untag(request: HttpRequest, id: UUID, given: schemas.Tag) -> HttpResponse:
    store.untag(id, given.name)
    return HttpResponse(status=204)


@router.get(
    "/sessions/{uuid:id}/messages", response={200: schemas.Messages, **PROBLEMS}, summary="A window of messages"
)
def messages(
    request: HttpRequest, id: UUID, start: int = Query(0, ge=0), stop: int | None = Query(None, ge=0)
) -> HttpResponse:
    if start == 0 and stop is None:
        record = store.get(id) or _missing(id)[0]
        found = record.messages
    else:
        found = store.get_messages(id, start, stop)
        (record,) = store.find_by_id_prefix(str(id), 1, with_messages=False) or _missing(id)
    value = {"messages": found, "start": start, "message_count": record.message_count}
    return answer(request, value, headers=_etag(record))


@router.post("/sessions/{uuid:id}/messages", response=MAY_BE_BRIEF, summary="Append messages")
def append(
    request: HttpRequest,
    id: UUID,
    given: schemas.FurtherMessages,
    if_match: str | None = IfMatch,
    once: str | None = Once,
    prefer: str | None = Prefer,
) -> HttpResponse:
    version = _version(if_match)
    store.append(id, given.messages, given.turns, turns_added=given.turns_added, expected_version=version, once=once)
    return _written(request, id, prefer)


@router.put("/sessions/{uuid:id}/messages", response=MAY_BE_BRIEF, summary="Replace all messages")
def update(
    request: HttpRequest,
    id: UUID,
    given: schemas.AllMessages,
    if_match: str | None = IfMatch,
    once: str | None = Once,
    prefer: str | None = Prefer,
) -> HttpResponse:
    store.update(id, given.messages, given.turns, expected_version=_version(if_match), once=once)
    return _written(request, id, prefer)


@router.post("/sessions/{uuid:id}/truncate", response=MAY_BE_BRIEF, summary="Keep the first messages")
def truncate(
    request: HttpRequest,
    id: UUID,
    given: schemas.Kept,
    if_match: str | None = IfMatch,
    once: str | None = Once,
    prefer: str | None = Prefer,
) -> HttpResponse:
    store.truncate(id, given.count, given.turns, expected_version=_version(if_match), once=once)
    return _written(request, id, prefer)


@router.post("/sessions/{uuid:id}/forks", response={201: schemas.Session, **WRITING}, summary="Fork")
def fork(request: HttpRequest, id: UUID, given: schemas.Fork, once: str | None = Once) -> HttpResponse:
    if (given.position is None) == (given.messages is None):
        raise HttpError(422, "A fork takes either a position or messages.")
    if given.position is not None:
        return _created(request, store.fork_at(id, given.position, given.project, once=once))
    project = session_of(id).project if given.project is None else given.project
    return _created(request, store.fork(project, id, given.messages or [], given.turns, once=once))


@router.put("/sessions/{uuid:id}/parent", response={200: schemas.Session, **WRITING}, summary="Say whose child it is")
def attach(request: HttpRequest, id: UUID, given: schemas.Place) -> HttpResponse:
    """By an admin. Messages stay as they are; the fork point is where the two begin to differ."""
    parents.attach(id, given.parent_id, given.relation)
    return session(request, id, messages=False)


@router.get("/sessions/{uuid:id}/find", response={200: schemas.Positions, **PROBLEMS}, summary="Find within a session")
def find(request: HttpRequest, id: UUID, q: str) -> HttpResponse:
    return answer(request, {"positions": store.find(id, q)})


@router.post("/sessions/{uuid:id}/find", response={200: schemas.Positions, **PROBLEMS}, summary="Find any text")
def find_any(request: HttpRequest, id: UUID, given: schemas.Find) -> HttpResponse:
    """The same for texts that no address can carry."""
    return answer(request, {"positions": store.find(id, given.query)})


@router.get("/sessions/{uuid:id}/prompts", response={200: dict, **PROBLEMS}, summary="What people typed")
def prompts(
    request: HttpRequest, id: UUID, start: int = Query(0, ge=0), stop: int | None = Query(None, ge=0)
) -> HttpResponse:
    return answer(request, {"prompts": store.prompts(id, start, stop)})


@router.get("/search", response={200: schemas.Hits, **PROBLEMS}, summary="Search titles and bodies")
def search(
    request: HttpRequest,
    q: str = Query(description="Looked for as it stands, whatever its case."),
    limit: int = Limit,
    filters: str = Query("", description="Words of the grammar, such as `role:user before:30d`."),
    distinct: Literal["session", "message"] = "session",
) -> HttpResponse:
    kind: Distinct = distinct
    found = store.search(q, limit, filters=filters, distinct=kind)
    return answer(request, {"hits": [schemas.hit(each) for each in found]})


@router.post("/search", response={200: schemas.Hits, **PROBLEMS}, summary="Search for any text")
def search_any(request: HttpRequest, given: schemas.Search) -> HttpResponse:
    """The same for texts that no address can carry; it changes nothing."""
    found = store.search(given.query, given.limit, filters=given.filters, distinct=given.distinct)
    return answer(request, {"hits": [schemas.hit(each) for each in found]})


@router.get(
    "/changes",
    response={200: schemas.Changes, 410: schemas.Problem, **PROBLEMS},
    summary="What changed after a number",
    openapi_extra={"responses": {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}},
)
def changes(
    request: HttpRequest,
    since: int | None = Query(None, ge=0, le=LARGEST, description="Without it: no changes, and the newest number."),
    limit: int = Query(100, ge=0, le=MOST),
    last_event_id: int | None = Header(
        None, alias="Last-Event-ID", ge=0, le=LARGEST, description="Stands before since."
    ),
) -> HttpResponse:
    """In order and none left out. 410 where not all are known any more: read anew, and go on from the newest number.

    With `Accept: text/event-stream` they are sent as they happen, each as an event `change` with its number as id.
    """
    after = since if last_event_id is None else last_event_id
    found, until = ([], store.newest_change()) if after is None else store.changes_until(after, limit)
    return answer(request, {"changes": [each.facts() for each in found], "until": until})


@router.post("/tidy", response={204: None, **PROBLEMS}, summary="Make search fast after much was written")
def tidy(request: HttpRequest, given: schemas.Written) -> HttpResponse:
    store.tidy(given.written)
    return HttpResponse(status=204)


@router.post("/named", response={200: schemas.Opened, **WRITING}, summary="Open the session that an SDK names so")
def open_named(request: HttpRequest, given: schemas.OpenNamed, once: str | None = Once) -> HttpResponse:
    link = None
    if of := given.link:
        link = ParentLink(_origin(of.parent), of.relation, of.fork_point, of.inferred, of.prefix_needed)
    name = _origin(given.name)
    with _once(request, once) as before:
        record, created = store.open_named(
            name, given.project, given.messages, given.turns, agent=given.agent, link=link
        )
        if created and not before.done:
            before.keep(record.id)
    return answer(request, {"session": schemas.session(record), "created": created or before.done == record.id})


@router.post("/named/fork", response={201: schemas.Session, **WRITING}, summary="Fork under an SDK's name")
def fork_named(request: HttpRequest, given: schemas.ForkNamed, once: str | None = Once) -> HttpResponse:
    with _once(request, once) as before:
        if before.done:
            (record,) = store.find_by_id_prefix(str(before.done), 1, with_messages=False) or _missing(before.done)
        else:
            record = store.fork_named(_origin(given.name), given.parent, given.position)
            before.keep(record.id)
    return _created(request, record)


@router.put("/named/detail", response={204: None, **WRITING}, summary="Keep what an SDK's adapter wants to know")
def keep_detail(request: HttpRequest, given: schemas.Detail) -> HttpResponse:
    store.keep_detail(_origin(given.name), given.detail)
    return HttpResponse(status=204)


@router.get("/named", response={200: schemas.AllNamed, **PROBLEMS}, summary="The sessions that an SDK named")
def named(
    request: HttpRequest,
    source: str = Query(max_length=40),
    project_key: str = Query(),
    external_id: str | None = None,
    subpath: str = "",
) -> HttpResponse:
    if external_id is not None:
        origin = Origin(source, project_key, external_id, subpath)
        record = store.find_named(origin)
        found: list[tuple[Origin, SessionRecord, dict[str, Any]]] = [(origin, record, {})] if record else []
    else:
        found = [(each.origin, each.session, each.detail) for each in store.named(source, project_key)]
    told = [{"name": _name(origin), "session": schemas.session(of), "detail": detail} for origin, of, detail in found]
    return answer(request, {"named": told})


def session_of(id: UUID) -> SessionRecord:
    """Without messages. Raises SessionNotFound."""
    (record,) = store.find_by_id_prefix(str(id), 1, with_messages=False) or _missing(id)
    return record


def _missing(id: UUID) -> list[SessionRecord]:
    raise store.SessionNotFound(id)


def _written(request: HttpRequest, id: UUID, prefer: str | None) -> HttpResponse:
    """The session as it is by then, unless the other side can do without (RFC 7240): it is one more question."""
    if prefer and MINIMAL in prefer.replace(" ", "").lower().split(","):
        return HttpResponse(status=204, headers={"Preference-Applied": MINIMAL})
    return session(request, id, messages=False)


def _created(request: HttpRequest, record: SessionRecord) -> HttpResponse:
    headers = {**_etag(record), "Location": f"/api/v1/sessions/{record.id}"}
    return answer(request, schemas.session(record), 201, headers)


def _etag(record: SessionRecord) -> dict[str, str]:
    return {"ETag": f'"{record.version}"'}


@contextmanager
def _once(request: HttpRequest, key: str | None) -> Iterator[store.Before]:
    """For what the store takes no key for. Without one it is done as often as it is asked for."""
    if key is None:
        yield store.Before(None, "")
        return
    with store.done_once(key, f"{request.method} {request.path}\n".encode() + request.body) as before:
        yield before


def _version(if_match: str | None) -> int | None:
    """Raises HttpError for what is no ETag of ours."""
    if if_match is None or if_match.strip() == "*":
        return None
    if not (found := re.fullmatch(r'"?([0-9]{1,18})"?', if_match.strip())):
        raise HttpError(412, "If-Match is not the ETag of any version.")
    return int(found[1])


def _key(after: str | None) -> tuple[datetime, UUID] | None:
    if after is None:
        return None
    moment, _, id = after.partition("~")
    try:
        found = datetime.fromisoformat(moment)
        if found.tzinfo is None:
            raise ValueError
        return found, UUID(id)
    except ValueError:
        raise HttpError(422, "`after` is the `next` of another answer.") from None


def _origin(name: schemas.Name) -> Origin:
    return Origin(name.source, name.project_key, name.external_id, name.subpath)


def _name(origin: Origin) -> dict[str, Any]:
    return {
        "source": origin.source,
        "project_key": origin.project_key,
        "external_id": origin.external_id,
        "subpath": origin.subpath,
    }
