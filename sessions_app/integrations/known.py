"""What the importers ask of the database before they write through the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sessions_app import store
from sessions_app.errors import SessionNotFound
from sessions_app.models import Session, Transcript
from sessions_app.records import Message, Origin

WINDOW = 500  # messages read at once
BESIDE = 8  # sessions that a new one is compared with


@dataclass(frozen=True, slots=True)
class Relative:
    """An imported session that may descend from another one."""

    origin: Origin
    session: UUID
    parent: UUID | None
    fork_point: int | None
    facts: dict[str, Any]  # a transcripts.Facts as JSON


class Beginnings:
    """Which sessions of an agent begin with which prompt and answer, those of this run included."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, list[UUID]]] = {}

    def alike(self, source: str, opening: str) -> tuple[UUID, ...]:
        """The newest few."""
        return tuple(self._of(source).get(opening, ())[-BESIDE:])

    def add(self, source: str, opening: str, session: UUID) -> None:
        found = self._of(source).setdefault(opening, [])
        if session not in found[-BESIDE:]:
            found.append(session)

    def _of(self, source: str) -> dict[str, list[UUID]]:
        if source not in self._known:
            found = self._known[source] = {}
            for relative in relatives(source):
                if opening := relative.facts.get("opening"):
                    found.setdefault(opening, []).append(relative.session)
        return self._known[source]


def sizes_by_path() -> dict[str, tuple[int, int]]:
    """Size in bytes and modification time in ns of every file that has been read to its end."""
    rows = Transcript.objects.filter(size__gt=0).values_list("path", "size", "mtime_ns")
    return {json.loads(path): (size, mtime_ns) for path, size, mtime_ns in rows}


def parent_of(origin: Origin) -> UUID | None:
    found = store.import_state(origin)
    return Session.objects.filter(pk=found[0]).values_list("parent_id", flat=True).first() if found else None


def prefix_of(session: UUID) -> int:
    """How many leading messages of an imported session stand in its parent's file."""
    return Transcript.objects.filter(session=session).values_list("prefix", flat=True).first() or 0


def relatives(source: str) -> list[Relative]:
    """The sessions of an agent that are no sub-agents'."""
    rows = Transcript.objects.filter(source=source, subpath="", session__trashed_at__isnull=True)
    columns = ("project_key", "external_id", "session_id", "session__parent_id", "session__fork_point", "detail")
    found = []
    for project_key, external_id, session, parent, fork_point, detail in rows.order_by("pk").values_list(*columns):
        facts = json.loads(detail).get("facts", {})
        found.append(Relative(Origin(source, project_key, external_id), session, parent, fork_point, facts))
    return found


def messages_of(session: UUID, start: int = 0) -> Iterator[Message]:
    """A session's messages from a position on, in windows; none where it is in the trash."""
    try:
        while window := store.get_messages(session, start, start + WINDOW):
            yield from window
            start += WINDOW
    except SessionNotFound:
        return
