"""Says whether the server is well: shallow for whoever asks, and deep for those who are over all projects."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from sessions_app import database_faults, databases, opening, search_index
from sessions_app.errors import NotAllowed
from sessions_app.session_rows import writing
from sessions_app.web import enter

ROOM = 64 * 1024 * 1024  # bytes that are to be free


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    if request.GET.get("deep") != "1":
        return _answer({"ok": _is_well(_reads)})
    actor = request.actor  # type: ignore[attr-defined]  # by FindActor
    if actor is None:
        return enter.refusal(request)
    if not actor.may("admin"):
        raise NotAllowed("Only the owner of this server, its admins and their tokens may look into it.")
    return _answer(_deep())


def _deep() -> dict[str, Any]:
    began = time.monotonic()
    found: dict[str, Any] = {"reads": _is_well(_reads), "writes": _is_well(_writes)}
    found["milliseconds"] = round((time.monotonic() - began) * 1000, 1)
    found["fault"] = database_faults.refused()
    found["up_to_date"] = _is_well(lambda: opening.is_up_to_date(databases.current()))
    found["index_complete"] = _is_well(search_index.complete)
    place = _place()
    found["free_bytes"] = shutil.disk_usage(place.parent).free
    found["log_bytes"] = _size(Path(f"{place}-wal")) if opening.is_file(databases.current()) else None
    found["room"] = found["free_bytes"] >= ROOM
    found["database"] = databases.connection().vendor
    wanted = ("reads", "writes", "up_to_date", "room")  # search works without its index
    return {"ok": all(found[name] for name in wanted) and not found["fault"], **found}


def _place() -> Path:
    """What is to have room: the database, or what stands beside the server where that is on another machine."""
    if opening.is_file(databases.current()):
        return Path(str(databases.connection().settings_dict["NAME"]))
    return Path(settings.DATA_DIR) / "none"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _is_well(asks: Callable[[], object]) -> bool:
    try:
        return asks() is not False
    except (*database_faults.UNAVAILABLE, OSError):
        return False


def _reads() -> None:
    databases.execute("SELECT id FROM forklore_project LIMIT 1").fetchall()


def _writes() -> None:
    """Take what a writer takes, and give it back; nothing is changed."""
    with writing():
        databases.execute("SELECT id FROM forklore_project LIMIT 1").fetchall()


def _answer(found: dict[str, Any]) -> JsonResponse:
    return JsonResponse(found, status=200 if found["ok"] else 503)
