"""Clean-up over HTTP, for whoever is over all projects: what a policy would do, doing it, the journal, and undo."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from sessions_app import cleanup, gate
from sessions_app.api import schemas
from sessions_app.api.problems import PROBLEMS, WRITING
from sessions_app.api.wire import answer
from sessions_app.cleanup import CLEANING, Entry, Policy
from sessions_app.errors import InvalidPolicy

router = Router()
SHOWN, KEPT_SHOWN = 1000, 100  # sessions of a preview that are named


@router.post("/cleanup/preview", response={200: schemas.Preview, **PROBLEMS}, summary="What clean-up would do")
def preview(request: HttpRequest, given: schemas.CleanupPolicy) -> HttpResponse:
    found = cleanup.preview(_policy(given))
    told = {
        "count": len(found.sessions),
        "sessions": [str(id) for id in found.sessions[:SHOWN]],
        "freed_bytes": found.freed_bytes,
        "measured_bytes": found.measured_bytes,
        "kept": found.kept,
        "kept_sessions": [{"id": str(id), "reason": reason} for id, reason in found.kept_sessions[:KEPT_SHOWN]],
        "last": found.last and _entry(found.last),
        "again": found.again,
    }
    return answer(request, told)


@router.post("/cleanup/run", response={200: schemas.JournalEntry, **WRITING}, summary="Clean up")
def run(request: HttpRequest, given: schemas.CleanupPolicy) -> HttpResponse:
    return answer(request, _entry(cleanup.run(_policy(given))))


@router.post("/cleanup/undo", response={200: schemas.JournalEntry, **WRITING}, summary="Take back what was done")
def undo(request: HttpRequest, given: schemas.Undo) -> HttpResponse:
    gate.check_over_all(CLEANING)
    return answer(request, _entry(cleanup.undo(given.number)))


@router.get("/cleanup/journal", response={200: schemas.Journal, **PROBLEMS}, summary="What was done, the last first")
def journal(request: HttpRequest, limit: int = Query(50, ge=0, le=1000)) -> HttpResponse:
    gate.check_over_all(CLEANING)
    return answer(request, {"entries": [_entry(each) for each in cleanup.entries(limit)]})


def _policy(given: schemas.CleanupPolicy) -> Policy:
    """The saved one of that name, or one of these words."""
    gate.check_over_all(CLEANING)
    if given.policy is not None:
        return cleanup.policy(given.policy)
    if given.query is None:
        raise InvalidPolicy("Say the policy's name, or a query with an action.")
    return Policy("", given.query, given.action)


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "action": entry.action,
        "moment": entry.moment.isoformat(),
        "actor": entry.actor,
        "policy": entry.policy,
        "query": entry.query,
        "value": entry.value,
        "state": entry.state,
        "sessions": entry.done,
        "freed_bytes": entry.freed_bytes,
    }
