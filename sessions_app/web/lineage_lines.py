"""The rows of a lineage as they are drawn: each with its lanes, what it shares, and what folds and unfolds it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.utils import timezone

from sessions_app import ledger
from sessions_app.ledger import NOTHING, Account
from sessions_app.lineages import Lineage
from sessions_app.models import Session, Transcript
from sessions_app.tree import Row
from sessions_app.web.formats import status

LANE = 16  # pixels
COLORS = 4
BAR = 40  # pixels
TITLE = 90  # characters
NO_ACCOUNT = Account(NOTHING, NOTHING)
SHORT = 10  # hex digits that tell the sessions of one tree apart


@dataclass(frozen=True, slots=True)
class Line:
    row: Row[UUID]
    session: Session
    account: Account  # what it holds of its own, and what of its parent
    parent: UUID | None  # in the tree
    parent_place: str  # the window of its parent and its mark in it, if that is another window: 64#r4c271ad2ee
    child_place: str  # of its first fork, likewise
    current: bool
    found: bool
    is_ghost: bool  # in the trash, at the moment that is shown
    missing: str  # of a root: the parent that is not in the store, as the agent names it; "" if it has none
    fold_url: str  # folds it or unfolds it; "" where it has no descendants
    run_url: str  # of a session whose run is open: what makes one row of it again
    run_updated: datetime | None  # of a run: when any of it was last written to

    @property
    def short(self) -> str:
        return short(self.row.id)

    @property
    def short_parent(self) -> str:
        return short(self.parent) if self.parent else ""

    @property
    def title(self) -> str:
        title = self.session.title
        return title if len(title) <= TITLE else title[:TITLE] + "…"

    @property
    def edge(self) -> str:
        return "along" if self.missing else self.row.edge

    @property
    def kind(self) -> str:
        """How the line to its parent is drawn: "ghost", "inferred" or "" for a plain one."""
        if self.is_ghost or self.missing:
            return "ghost"
        return "inferred" if self.session.relation_inferred else ""

    @property
    def shape(self) -> str:
        """What it is drawn as: "root", or a relation."""
        return (self.session.relation or "fork") if self.parent or self.is_related else "root"

    @property
    def is_related(self) -> bool:
        """Whether it was forked from a session, in this tree or in another project's."""
        return self.session.relation is not None and self.session.parent_id is not None

    @property
    def width(self) -> int:
        return LANE * self.row.lane + 18

    @property
    def x(self) -> int:
        return LANE * self.row.lane + 9

    @property
    def from_x(self) -> int:
        return self.x - LANE

    @property
    def color(self) -> int:
        return self.row.lane % COLORS

    @property
    def passing(self) -> list[tuple[int, str]]:
        """The lanes on the left, all of which pass (tree.py): a path for each colour."""
        return [
            (color, "".join(f"M{LANE * lane + 9} 0V28" for lane in range(color, self.row.lane, COLORS)))
            for color in range(min(COLORS, self.row.lane))
        ]

    @property
    def own_width(self) -> int:
        own = self.account.own.messages
        return round(BAR * own / self.session.message_count) if self.session.message_count else BAR

    @property
    def state(self) -> str:
        return "trash" if self.is_ghost else status(self.session.updated_at, timezone.now())

    @property
    def state_word(self) -> str:
        return {"trash": "In trash", "running": "Running", "idle": "Idle", "ended": "Ended"}[self.state]


def lines_of(
    window: Sequence[Row[UUID]],
    shown: Lineage,
    current: UUID | None,
    found: Collection[UUID],
    fold: Callable[[UUID], str],
    run: Callable[[UUID], str],
    opened: Collection[UUID],
    place_of: Callable[[UUID | None], str],
    ahead: Sequence[Row[UUID]],
    at: datetime | None,
) -> list[Line]:
    """The lines of a window; `ahead` are the two rows below it."""
    sessions = Session.objects.visible().in_bulk([row.id for row in window])
    accounts = ledger.accounts(sessions)
    wanted = missing_parents(row.id for row in window if row.edge == "root")
    tree = shown.tree

    below = [*window, *ahead]

    def line(place: int, row: Row[UUID]) -> Line:
        session, parent = sessions[row.id], tree.parent_of(row.id)
        has_forks = tree.weight_of(row.id) > 1
        first = next((each.id for each in below[place + 1 : place + 3] if not each.run), None) if row.goes_on else None
        return Line(
            row,
            session,
            accounts.get(row.id, NO_ACCOUNT),
            parent,
            place_of(parent) if not row.run else "",
            place_of(first),
            row.id == current and not row.run,
            row.id in found and not row.run,
            session.trashed_at is not None and (at is None or session.trashed_at <= at),
            wanted.get(row.id, ""),
            run(row.id) if row.run else fold(row.id) if has_forks else "",
            run(row.id) if row.id in opened and not row.run else "",
            datetime.fromtimestamp(max(shown.nodes[id].updated for id in row.run), UTC) if row.run else None,
        )

    # One may have been purged since.
    return [line(place, row) for place, row in enumerate(window) if row.id in sessions]


def missing_parents(roots: Iterable[UUID]) -> dict[UUID, str]:
    """Of imported sessions whose parent has not arrived: agent and name of that parent."""
    rows = Transcript.objects.filter(session__in=list(roots)).exclude(wanted_parent="")
    return {
        id: f"{source} {name}" for id, source, name in rows.values_list("session_id", "source", "wanted_parent") if id
    }


def short(id: UUID) -> str:
    """By what addresses and marks of a page name a session of its tree."""
    return id.hex[:SHORT]
