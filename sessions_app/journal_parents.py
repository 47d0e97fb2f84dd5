"""What the journal keeps of an admin's word on whose child a session is, and what takes it back.

Only journal.py and parents.py call this module, inside of their transactions, in which nobody else may change parents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sessions_app import session_rows
from sessions_app.databases import execute
from sessions_app.errors import SessionNotFound
from sessions_app.models import JournalEntry, JournalItem
from sessions_app.piece_table import key
from sessions_app.records import Relation
from sessions_app.session_rows import SessionRow

ACTION = "attach"

# Whether what an entry says still stands: then no importer says otherwise.
_STANDS = """SELECT 1 FROM forklore_journalentry entry JOIN forklore_journalitem item ON item.entry_id = entry.id
WHERE entry.action = 'attach' AND entry.state = 'done' AND item.session_id = %s"""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a lineage."""

    parent: UUID | None
    relation: Relation | None = None
    inferred: bool = False
    fork_point: int | None = None

    def as_text(self) -> str:
        parent = self.parent.hex if self.parent else "-"
        return f"{parent} {self.relation or '-'} {self.inferred:d} {-1 if self.fork_point is None else self.fork_point}"


def place_of(row: SessionRow) -> Place:
    return Place(*row.lineage())


def put(row: SessionRow, place: Place) -> None:
    row.parent_id, row.relation = place.parent, place.relation
    row.relation_inferred, row.fork_point = place.inferred, place.fork_point
    session_rows.save_parent(row)


def value_of(after: Place, before: Place) -> str:
    """What an entry keeps."""
    return f"{after.as_text()} {before.as_text()}"


def is_settled(session: UUID) -> bool:
    return execute(_STANDS, [key(session)]).fetchone() is not None


def fits_undo(entry: JournalEntry) -> tuple[str, list[Any]]:
    parent = _places(entry)[0].parent
    return ("parent_id = %s", [key(parent)]) if parent else ("parent_id IS NULL", [])


def take_back(entry: JournalEntry, ids: Sequence[UUID]) -> None:
    """Unless its former parent is gone, or descends from it by now."""
    before = _places(entry)[1]
    for id in ids:
        row = session_rows.locked(id, where="either")
        if before.parent is not None:
            try:
                session_rows.locked(before.parent, where="either", share=True)
            except SessionNotFound:
                continue
            if id in session_rows.ancestors(before.parent):
                continue
        put(row, before)


def items_done(entry: int, session: UUID) -> None:
    JournalItem.objects.create(entry_id=entry, session_id=session, state=JournalItem.State.DONE)


def _places(entry: JournalEntry) -> tuple[Place, Place]:
    """After and before."""
    words = entry.value.split()
    return _place(words[:4]), _place(words[4:])


def _place(words: Sequence[str]) -> Place:
    parent, relation, inferred, fork_point = words
    return Place(
        None if parent == "-" else UUID(parent),
        None if relation == "-" else relation,  # type: ignore[arg-type]
        inferred == "1",
        None if fork_point == "-1" else int(fork_point),
    )
