"""An admin's word on whose child a session is: against what an importer inferred, or where nothing was recorded.

Messages stay as they are: a child keeps what it shows, whether it shares it with its new parent or not. What was said
is an entry of the journal and of the audit log, can be taken back, and stands against whatever is imported later.
"""

from __future__ import annotations

from uuid import UUID

from sessions_app import gate, journal, journal_parents, ledger, session_rows, store
from sessions_app.access import audit
from sessions_app.actors import Role
from sessions_app.errors import InvalidLineage
from sessions_app.journal_parents import Place
from sessions_app.models import JournalEntry
from sessions_app.records import Relation
from sessions_app.session_rows import SessionRow, writing


def attach(id: UUID, parent: UUID | None, relation: Relation = "fork") -> int:
    """Make a session the child of another one, or a root; gives the number of the entry of the journal.

    Where it leaves its parent is where their messages begin to differ. Raises SessionNotFound, NotAllowed for whoever
    is not over all, and InvalidLineage if the parent is the session itself or descends from it.
    """
    gate.check_over_all("say whose child a session is")
    with writing():
        session_rows.one_lineage_change_at_a_time()
        row = session_rows.locked(id, where="either")
        before, after = journal_parents.place_of(row), _place(row, parent, relation)
        value = journal_parents.value_of(after, before)
        entry = journal.begin(journal_parents.ACTION, store.now(), value=value)
        journal_parents.items_done(entry, id)
        journal.count(entry, 1)
        journal.set_state(entry, JournalEntry.State.DONE)
        if after != before:
            journal_parents.put(row, after)
        audit.append("put under another parent" if parent else "made a root", "session", id)
    return entry


def _place(row: SessionRow, parent: UUID | None, relation: Relation) -> Place:
    if parent is None:
        return Place(None)
    session_rows.locked(parent, where="either", share=True, needs=Role.VIEWER)
    if row.id in session_rows.ancestors(parent):
        raise InvalidLineage(
            f"Session {row.id} cannot descend from session {parent}, which is itself or descends from it."
        )
    shared = 0 if relation == "subagent" else ledger.in_common(row.id, parent)
    return Place(parent, relation, False, shared)
