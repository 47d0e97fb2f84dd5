"""What sessions hold of their own, what they inherit, and what a family comes to, with no message counted twice.

A message counts once where two sessions show it behind the same messages, whether they share its row or each has a copy
(an agent may write again what another wrote, and a long chain of forks is copied into one strand). So nothing is looked
at but where strands meet: their chained digests tell how far two of them agree, and running totals what lies in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sessions_app import change_log, tree
from sessions_app.databases import current, execute
from sessions_app.models import Session
from sessions_app.piece_table import key
from sessions_app.session_rows import snapshot, uuid_of

CHUNK = 400  # rows asked for at once

Strand = int
Place = tuple[Strand, int]  # a strand and a position


@dataclass(frozen=True, slots=True)
class Amount:
    messages: int = 0
    size_bytes: int = 0  # of bodies
    tokens: int = 0  # output tokens that the messages record; 0 where none are recorded

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.messages + other.messages, self.size_bytes + other.size_bytes, self.tokens + other.tokens)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.messages - other.messages, self.size_bytes - other.size_bytes, self.tokens - other.tokens)


@dataclass(frozen=True, slots=True)
class Account:
    inherited: Amount  # its leading messages that its parent shows too by now; nothing where the parent is out of sight
    own: Amount  # the rest


NOTHING = Amount()


def accounts(ids: Iterable[UUID]) -> dict[UUID, Account]:
    """Of each of these sessions that can be seen, in the trash or not; their number may be large."""
    with snapshot():
        children = {id: parent for some in _chunks(list(ids)) for id, parent in _parents(some)}
        shown = _shown({*children, *filter(None, children.values())})
        pairs = [(id, parent) for id, parent in children.items() if parent]
        common = _Totals()
        lengths = dict.fromkeys(children, 0)
        for (id, _), length in zip(
            pairs, _common(common, [(shown[id], shown[parent]) for id, parent in pairs]), strict=True
        ):
            lengths[id] = length
        wanted = [(shown[id], stop) for id in children for stop in (lengths[id], _end(shown[id]))]
        common.read(place for pieces, stop in wanted for place in _ends(pieces, stop))
        found = {}
        for id in children:
            inherited = common.of_prefix(shown[id], lengths[id])
            found[id] = Account(inherited, common.of_prefix(shown[id], _end(shown[id])) - inherited)
        return found


def in_common(one: UUID, two: UUID) -> int:
    """How many leading messages two sessions have in common; the caller asks for those that may be seen."""
    with snapshot():
        shown = _shown((one, two))
        return _common(_Totals(), [(shown[one], shown[two])])[0]


def behind(id: UUID, position: int) -> Amount:
    """The messages of a session from a position on; the caller asks for one that may be seen."""
    with snapshot():
        pieces = _shown([id])[id]
        totals = _Totals()
        totals.read(place for stop in (position, _end(pieces)) for place in _ends(pieces, stop))
        return totals.of_prefix(pieces, _end(pieces)) - totals.of_prefix(pieces, min(position, _end(pieces)))


def families(root: UUID) -> dict[UUID, Amount]:
    """What each session below `root`, and it itself, comes to with all that descends from it: live ones that are seen.

    Trashed sessions hold a family together and add nothing.
    """
    with snapshot():
        rows = list(Session.objects.visible().under(root.hex).values_list("pk", "parent", "trashed_at"))
        union = _Union(_shown(id for id, _, trashed in rows if trashed is None))
        return union.by_subtree(tree.tree_of({id: parent for id, parent, _ in rows}))


def family(root: UUID) -> Amount:
    """What a session comes to with all that descends from it."""
    return families(root).get(root, NOTHING)


def together(ids: Iterable[UUID]) -> Amount:
    """What these sessions come to; the caller asks for those that may be seen."""
    with snapshot():
        return _Union(_shown(ids)).all


def of_project(project: int) -> Amount:
    """What the live sessions of a project come to; kept in the process for as long as nothing in it changes."""
    with snapshot():
        place, mark = (current(), project), change_log.mark()
        known = _kept.get(place)
        changed = change_log.projects_since(known[0]) if known else None
        if known is None or changed is None or project in changed:
            live = Session.objects.live().of_projects([project]).order_by()
            known = (mark, together(live.values_list("pk", flat=True)))
        _kept[place] = (mark, known[1])
        return known[1]


_kept: dict[tuple[str, int], tuple[change_log.Mark, Amount]] = {}  # by alias of the database and project

# Helpers, in the order in which they are called


@dataclass(frozen=True, slots=True)
class _Piece:
    strand: Strand
    start: int  # that of the strand too
    stop: int


@dataclass(frozen=True, slots=True)
class _Total:
    """Of a message and those before it; the tokens are those of its strand."""

    digest: bytes
    size_bytes: int
    tokens: int


def _parents(ids: Sequence[UUID]) -> list[tuple[UUID, UUID | None]]:
    sessions = Session.objects.visible().filter(pk__in=ids).only("parent")
    return [(session.pk, session.parent_id) for session in sessions]  # visible() hides a parent out of sight


def _shown(ids: Iterable[UUID]) -> dict[UUID, list[_Piece]]:
    """The pieces of sessions, in order."""
    found: dict[UUID, list[_Piece]] = {id: [] for id in ids}
    for some in _chunks(list(found)):
        rows = execute(
            "SELECT piece.session_id, piece.strand_id, piece.start, COALESCE(piece.stop, session.message_count)"  # noqa: S608
            " FROM forklore_piece piece JOIN forklore_session session ON session.id = piece.session_id"
            f" WHERE piece.session_id IN ({_marks(some)}) ORDER BY piece.session_id, piece.start",
            [key(id) for id in some],
        )
        for id, strand, start, stop in rows.fetchall():
            if stop > start:  # a piece may be there for what is still to come
                found[uuid_of(id)].append(_Piece(strand, start, stop))
    return found


def _end(pieces: Sequence[_Piece]) -> int:
    return pieces[-1].stop if pieces else 0


def _ends(pieces: Sequence[_Piece], stop: int) -> Iterator[Place]:
    """The last places of pieces that are cut off at `stop`."""
    return ((piece.strand, min(piece.stop, stop) - 1) for piece in pieces if piece.start < stop)


class _Totals:
    """Totals of messages, each place asked for once and many together."""

    def __init__(self) -> None:
        self._known: dict[Place, _Total] = {}

    def read(self, places: Iterable[Place]) -> None:
        for some in _chunks([place for place in dict.fromkeys(places) if place not in self._known]):
            rows = execute(
                f"WITH place(strand, position) AS (VALUES {', '.join(['(%s, %s)'] * len(some))})"  # noqa: S608
                " SELECT message.strand_id, message.position, message.digest, message.size_total,"
                " COALESCE((SELECT total FROM forklore_tokentotal tokens WHERE tokens.strand_id = place.strand"
                " AND tokens.position <= place.position ORDER BY tokens.position DESC LIMIT 1), 0)"
                " FROM place JOIN forklore_message message"
                " ON message.strand_id = place.strand AND message.position = place.position",
                [value for place in some for value in place],
            )
            for strand, position, digest, size, tokens in rows.fetchall():
                self._known[strand, position] = _Total(bytes(digest or b""), size, tokens)

    def at(self, place: Place) -> _Total:
        if place not in self._known:
            self.read([place])
        return self._known[place]

    def of_prefix(self, pieces: Sequence[_Piece], stop: int) -> Amount:
        """What the first messages of a session come to."""
        places = list(_ends(pieces, stop))
        if not places:
            return NOTHING
        return Amount(stop, self.at(places[-1]).size_bytes, sum(self.at(place).tokens for place in places))


def _common(totals: _Totals, pairs: Sequence[tuple[list[_Piece], list[_Piece]]]) -> list[int]:
    """How many leading messages each two sessions have in common; all pairs go on together, a step a question.

    Where they show the same strand they do; what stands behind is nearly always different at once.
    """
    lengths = [_by_strands(one, two) for one, two in pairs]
    high = [min(_end(one), _end(two)) for one, two in pairs]
    step = [1] * len(pairs)
    going = {at for at in range(len(pairs)) if lengths[at] < high[at]}
    while going:
        middle = {at: min(lengths[at] + step[at], high[at]) for at in going}
        places = {at: [_place(pieces, middle[at] - 1) for pieces in pairs[at]] for at in going}
        totals.read(place for both in places.values() for place in both)
        for at, (one, two) in places.items():
            if totals.at(one).digest == totals.at(two).digest:
                lengths[at] = middle[at]
                step[at] *= 2
            else:
                high[at] = middle[at] - 1
                step[at] = max(1, (high[at] - lengths[at] + 1) // 2)
        going = {at for at in going if lengths[at] < high[at]}
    return lengths


def _by_strands(one: Sequence[_Piece], two: Sequence[_Piece]) -> int:
    common = 0
    for first, second in zip(one, two, strict=False):
        if first.strand != second.strand:
            break
        common = min(first.stop, second.stop)
        if first.stop != second.stop:
            break
    return common


def _place(pieces: Sequence[_Piece], position: int) -> Place:
    return next((piece.strand, position) for piece in pieces if piece.start <= position < piece.stop)


class _Union:
    """All messages that some sessions show, each in one place of a strand, whoever else has a copy of it.

    Strands are looked at by where they start. One goes on as another does for as long as their digests agree; what is
    left of it is its own, and stands behind the place where it came off.
    """

    def __init__(self, shown: dict[UUID, list[_Piece]]) -> None:
        self._shown = shown
        self._totals = _Totals()
        self._start: dict[Strand, int] = {}
        self._stop: dict[Strand, int] = defaultdict(int)  # up to where anybody shows it
        self._before: dict[Strand, Strand | None] = {}
        for pieces in shown.values():
            before = None
            for piece in pieces:
                self._start[piece.strand] = piece.start
                self._stop[piece.strand] = max(self._stop[piece.strand], piece.stop)
                self._before.setdefault(piece.strand, before)
                before = piece.strand
        self._own: dict[Strand, int] = {}  # from where on a strand holds what no other does
        self._parts: dict[Strand, list[tuple[int, Strand]]] = {}  # up to where a strand stands in which other
        self._off: dict[tuple[int, bytes], Strand] = {}  # what a strand of its own begins with
        self._read_ahead()
        for strand in sorted(self._start, key=lambda one: (self._start[one], one)):
            self._put(strand)

    @property
    def all(self) -> Amount:
        found = NOTHING
        for strand in self._own:
            found += self._up_to(strand, self._stop[strand])
        return found

    def by_subtree(self, whole: tree.Tree[UUID]) -> dict[UUID, Amount]:
        """From the leaves up; the largest of what is joined takes in the others, so that a chain costs no more."""
        reached: dict[UUID, dict[Strand, int]] = {}
        amounts: dict[UUID, Amount] = {}
        children = whole.children
        for id in reversed(whole.order):
            own = self._reached(self._shown.get(id, []))
            most = max(children[id], key=lambda child: len(reached[child]), default=None)
            joined, amount = (reached.pop(most), amounts[most]) if most else ({}, NOTHING)
            for other in [*(reached.pop(child) for child in children[id] if child != most), own]:
                for strand, stop in other.items():
                    if stop > (known := joined.get(strand, 0)):
                        amount += self._up_to(strand, stop) - self._up_to(strand, known)
                        joined[strand] = stop
            reached[id], amounts[id] = joined, amount
        return amounts

    def _read_ahead(self) -> None:
        """What is nearly always all that is asked: where strands begin and end, and how what they came off goes on."""
        places: set[Place] = set()
        for strand, start in self._start.items():
            places.update(((strand, start), (strand, self._stop[strand] - 1)))
            before = self._before[strand]
            if before is not None:
                places.add((before, start - 1))
                if self._stop[before] > start:
                    places.add((before, start))
        for pieces in self._shown.values():
            places.update((piece.strand, piece.stop - 1) for piece in pieces)
        self._totals.read(places)

    def _put(self, strand: Strand) -> None:
        at, stop = self._start[strand], self._stop[strand]
        parts: list[tuple[int, Strand]] = []
        beside = self._before[strand]
        on = None if beside is None else self._home(beside, at - 1)
        while at < stop:
            digest = self._totals.at((strand, at)).digest
            if on is None or self._stop[on] <= at or self._totals.at((on, at)).digest != digest:
                on = self._off.get((at, digest))
            if on is None:
                self._own[strand] = at
                self._off[at, digest] = strand
                parts.append((stop, strand))
                break
            at = self._agree(strand, on, at + 1)
            parts.append((at, on))
        self._parts[strand] = parts

    def _home(self, strand: Strand, position: int) -> Strand:
        return next(home for stop, home in self._parts[strand] if position < stop)

    def _agree(self, one: Strand, two: Strand, low: int) -> int:
        """Up to which position two strands hold the same messages, where they do up to `low`."""
        high = min(self._stop[one], self._stop[two])
        middle = high  # most often all of the shorter one
        while low < high:
            if self._totals.at((one, middle - 1)).digest == self._totals.at((two, middle - 1)).digest:
                low = middle
            else:
                high = middle - 1
            middle = (low + high + 1) // 2
        return low

    def _reached(self, pieces: Sequence[_Piece]) -> dict[Strand, int]:
        """Up to which position each strand is shown, in the places where messages are counted."""
        found: dict[Strand, int] = {}
        for piece in pieces:
            for stop, home in self._parts[piece.strand]:
                found[home] = max(found.get(home, 0), min(stop, piece.stop))
                if stop >= piece.stop:
                    break
        return found

    def _up_to(self, strand: Strand, stop: int) -> Amount:
        """What a strand holds of its own before a position."""
        own = self._own[strand]
        if stop <= own:
            return NOTHING
        last = self._totals.at((strand, stop - 1))
        if own > self._start[strand]:
            first = self._totals.at((strand, own - 1))
            return Amount(stop - own, last.size_bytes - first.size_bytes, last.tokens - first.tokens)
        before = self._before[strand]
        size = 0 if before is None else self._totals.at((before, own - 1)).size_bytes
        return Amount(stop - own, last.size_bytes - size, last.tokens)


def _chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def _marks(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))
