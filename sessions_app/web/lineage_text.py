"""A tree of forks as text, for terminals and for who hears it: all that the drawing says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from django.utils import timezone

from sessions_app import ledger
from sessions_app.ledger import Account
from sessions_app.models import Session
from sessions_app.tree import Row
from sessions_app.web.formats import count_text, size_text, status
from sessions_app.web.lineage_lines import NO_ACCOUNT, missing_parents
from sessions_app.web.rendering.ansi import excerpt_to_text

LEVELS = 40  # from which on a text is not indented further
TOGETHER = 500  # rows whose sessions are asked for at once


def text_of(rows: Sequence[Row[UUID]], current: UUID | None) -> Iterator[str]:
    """A line for each row, indented by its level; a parent that is not in the store has one too."""
    deeper = 0
    for start in range(0, len(rows), TOGETHER):
        together = rows[start : start + TOGETHER]
        sessions = Session.objects.visible().in_bulk([row.id for row in together])
        accounts = ledger.accounts(sessions)
        missing = missing_parents(row.id for row in together if row.edge == "root")
        for row in together:
            if row.edge == "root":
                deeper = 1 if row.id in missing else 0
                if deeper:
                    yield f"({excerpt_to_text(missing[row.id])}, which is not in the store)"
            level = row.level + deeper
            mark = f"({level}) " if level > LEVELS else ""
            indent = "  " * min(level, LEVELS) + mark
            if row.run:
                yield f"{indent}+{count_text(row.hidden)} forks without forks of their own"
            elif session := sessions.get(row.id):
                yield f"{indent}{_words(session, row, accounts.get(row.id, NO_ACCOUNT))}{'  <-- this one' if row.id == current else ''}"


def _words(session: Session, row: Row[UUID], account: Account) -> str:
    facts = [str(session.pk)[:8]]
    if session.parent_id and session.relation:
        inferred = " (inferred)" if session.relation_inferred else ""
        of = f" of {str(session.parent_id)[:8]}" if row.edge == "root" else ""
        facts.append(f"{session.get_relation_display().lower()}{of} from #{session.fork_point or 0}{inferred}")
    shared, tokens = account.inherited.messages, account.own.tokens
    facts.append(
        _counted(session.message_count, "message") + (f", {count_text(shared)} of them shared" if shared else "")
    )
    facts.append(_counted(session.turns, "turn"))
    facts.append(f"{size_text(account.own.size_bytes)} of its own")
    facts += [f"{count_text(tokens)} tokens of its own"] if tokens else []
    facts.append("in the trash" if session.trashed_at else _state(session))
    facts += [f"{count_text(row.hidden)} folded"] if row.hidden else []
    return f"{excerpt_to_text(session.shown_title)}  [{', '.join(facts)}]"


def _state(session: Session) -> str:
    return status(session.updated_at, timezone.now())


def _counted(number: int, noun: str) -> str:
    return f"{count_text(number)} {noun}{'' if number == 1 else 's'}"
