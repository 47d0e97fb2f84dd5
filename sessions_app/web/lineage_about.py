"""What is told of one session beside the tree that it is in."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sessions_app import ledger
from sessions_app.ledger import Account
from sessions_app.models import Session
from sessions_app.web.lineage_lines import NO_ACCOUNT, short
from sessions_app.web.rendering.text import visible
from sessions_app.web.transcript_outline import first_words


@dataclass(frozen=True, slots=True)
class About:
    session: Session
    account: Account
    words: str  # its first prompt behind what it inherits
    forks: int
    other: UUID | None  # the session of the page, to compare it with

    @property
    def mark(self) -> str:
        """Of its row in the tree."""
        return f"r{short(self.session.pk)}"


def about(id: UUID | None, current: UUID | None) -> About | None:
    """What there is to tell of a session that can be seen, in the trash or not; None of any other."""
    session = Session.objects.visible().select_related("project", "parent").filter(pk=id).first() if id else None
    if session is None:
        return None
    return About(
        session,
        ledger.accounts([session.pk]).get(session.pk, NO_ACCOUNT),
        visible(first_words(session, session.fork_point or 0)),
        Session.objects.visible().live().children_of(session.pk).count(),
        current if current != session.pk and not session.trashed_at else None,
    )
