"""Sessions as they are read: a transcript in windows, message by message understood, and a tree of forks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from sessions_app import ledger, lineages, store
from sessions_app.api import schemas
from sessions_app.api.problems import PROBLEMS
from sessions_app.api.wire import answer
from sessions_app.models import Session
from sessions_app.projection import project
from sessions_app.search.filters import ROLES
from sessions_app.web import compare as comparing

router = Router()
WINDOW = 60  # messages, unless asked for another number
MOST = 500  # messages of a window
MOST_OF_TREE = 1000  # sessions of a tree in one answer
LARGEST_TURN = 2**31 - 1


@router.get(
    "/sessions/{uuid:id}/transcript", response={200: schemas.Transcript, **PROBLEMS}, summary="A window, understood"
)
def transcript(
    request: HttpRequest, id: UUID, start: int = Query(0, ge=0), limit: int = Query(WINDOW, ge=1, le=MOST)
) -> HttpResponse:
    """What each message says, in whichever shape its agent wrote it; images without their data."""
    (record,) = store.find_by_id_prefix(str(id), 1, with_messages=False) or _missing(id)
    messages = store.get_messages(id, start, start + limit)
    following = start + len(messages)
    value = {
        "shown": [_shown(position, message) for position, message in enumerate(messages, start)],
        "next": following if messages and following < record.message_count else None,
        "message_count": record.message_count,
    }
    return answer(request, value)


@router.get("/sessions/{uuid:id}/lineage", response={200: schemas.Lineage, **PROBLEMS}, summary="The tree of forks")
def lineage(
    request: HttpRequest, id: UUID, start: int = Query(0, ge=0), limit: int = Query(100, ge=1, le=MOST_OF_TREE)
) -> HttpResponse:
    """All that descends from the root of a session, as far as it may be seen, also what is in the trash."""
    if not Session.objects.visible().filter(pk=id, trashed_at=None).exists():
        raise store.SessionNotFound(id)
    whole = lineages.of(id)
    if whole is None:
        raise store.SessionNotFound(id)
    root, order = whole.tree.roots[0], whole.tree.order
    shown = Session.objects.visible().select_related("project").in_bulk(order[start : start + limit])
    relatives = [_relative(shown[each], root) for each in order[start : start + limit] if each in shown]
    return answer(request, {"root": str(root), "count": len(order), "sessions": relatives})


@router.get("/sessions/{uuid:id}/ledger", response={200: schemas.Ledger, **PROBLEMS}, summary="What it comes to")
def figures(request: HttpRequest, id: UUID) -> HttpResponse:
    """No message is counted twice. `family` is the session with all that descends from it, but for what is in the trash."""
    if not Session.objects.visible().filter(pk=id, trashed_at=None).exists():
        raise store.SessionNotFound(id)
    account = ledger.accounts([id])[id]
    told = {"inherited": account.inherited, "own": account.own, "family": ledger.family(id)}
    return answer(request, {name: asdict(amount) for name, amount in told.items()})


@router.get(
    "/sessions/{uuid:id}/compare/{uuid:other}",
    response={200: schemas.Comparison, **PROBLEMS},
    summary="Two sessions since their last common message",
)
def compare(request: HttpRequest, id: UUID, other: UUID, start: int = Query(0, ge=0, le=LARGEST_TURN)) -> HttpResponse:
    """What each came to by itself, and their turns side by side, from the `start`th of those that are not common on."""
    found = comparing.compared([_live(id), _live(other)], start)
    following = found.start + len(found.turns)
    value = {
        "shared": found.shared,
        "shared_turns": found.shared_turns,
        "sessions": [_compared(side) for side in found.sides],
        "counted": comparing.READ,
        "turns": [
            {"number": turn.number, "rows": [[_cell(cell) for _, cell in row] for row in turn.rows], "more": turn.more}
            for turn in found.turns
        ],
        "next": following if following < found.total else None,
    }
    return answer(request, value)


def _live(id: UUID) -> Session:
    found = Session.objects.visible().live().select_related("project").filter(pk=id).first()
    if found is None:
        raise store.SessionNotFound(id)
    return found


def _compared(side: comparing.Side) -> dict[str, Any]:
    of = side.figures
    return {
        "id": str(side.session.pk),
        "title": side.session.title,
        "project": side.session.project.name,
        "message_count": side.session.message_count,
        "own_messages": of.messages,
        "own_turns": of.turns,
        "output_tokens": of.tokens,
        "tool_calls": of.calls,
        "errors": of.errors,
        "files": sorted(of.files),
        "first": of.first and of.first.isoformat(),
        "last": of.last and of.last.isoformat(),
    }


def _cell(cell: comparing.Cell | None) -> dict[str, Any] | None:
    if cell is None:
        return None
    text = "".join(text for text, _ in cell.runs)
    return {"position": cell.position, "role": cell.role, "text": text, "cut": cell.is_cut}


def _shown(position: int, message: dict[str, Any]) -> dict[str, Any]:
    seen = project(message)
    return {
        "position": position,
        "role": ROLES.get(seen.kind, "notice"),
        "timestamp": seen.timestamp and seen.timestamp.isoformat(),
        "model": seen.model,
        "parts": [{name: value for name, value in part._asdict().items() if name != "image"} for part in seen.parts],
    }


def _relative(session: Session, root: UUID) -> dict[str, Any]:
    is_root = session.pk == root
    return {
        "id": str(session.pk),
        "parent_id": None if is_root else str(session.parent_id),
        "relation": None if is_root else session.relation,
        "fork_point": None if is_root else session.fork_point,
        "title": session.title,
        "project": session.project.name,
        "message_count": session.message_count,
        "created_at": session.created_at.isoformat(),
        "updated_at": session.updated_at.isoformat(),
        "trashed": session.trashed_at is not None,
    }


def _missing(id: UUID) -> list[Any]:
    raise store.SessionNotFound(id)
