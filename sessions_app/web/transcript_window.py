"""The part of a transcript that one page shows: about sixty messages, and the results of the calls among them.

A result is shown in the card of its call, by the page that shows the call. So a page looks up to MARGIN messages past
its edges, but only where a call has no result yet, or a result no call.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from django.db.models import Count

from sessions_app import store
from sessions_app.errors import DamagedMessage
from sessions_app.models import Session
from sessions_app.projection import UNREADABLE, Kind
from sessions_app.records import Message
from sessions_app.web.formats import agent_name
from sessions_app.web.rendering.blocks import Drawing, Entry, Group, Item, entry
from sessions_app.web.rendering.text import counted

LENGTH = 60  # messages
MARGIN = 30  # messages past an edge in which a missing half of a tool call is looked for
BEFORE_TARGET = 20  # messages shown before the one that was asked for
NAMED = 20  # forks that leave after one message and are named there
TURNS = 25  # prompts with their answers, where only those are shown
ANSWER_REACH = 8  # messages before the next prompt in which the final answer is looked for
FORKS_AT_ONE = 20  # links to forks that leave at one message

DAMAGED = "it is not as it was written: the database is damaged; see check_store"

Place = tuple[int, int]  # position of a message, number of a part in it


@dataclass(frozen=True, slots=True)
class Range:
    """The positions [start, stop) of a session of `total` messages; `fold` are shared with its parent, and folded."""

    start: int
    stop: int
    total: int
    fold: int = 0

    @property
    def earlier(self) -> int | None:
        """Where the page before begins; a page never reaches over the end of what is shared."""
        if not self.start:
            return None
        start = max(0, self.start - LENGTH)
        return self.fold if start < self.fold < self.start else start

    @property
    def later(self) -> int | None:
        return self.stop if self.stop < self.total else None

    @property
    def begins_at_fold(self) -> bool:
        return 0 < self.fold == self.start


def opening(session: Session) -> Range:
    """Where a session opens: at its start, or a fork at its own first message."""
    fold = fold_of(session)
    return starting(session, fold)


def starting(session: Session, start: int, stop: int | None = None) -> Range:
    """The page that begins at `start`, put into the bounds of the session; at most LENGTH messages."""
    total = session.message_count
    start = min(max(start, 0), max(total - 1, 0))
    end = start + LENGTH if stop is None else min(max(stop, start), start + LENGTH)
    return Range(start, min(end, total), total, fold_of(session))


def around(session: Session, position: int) -> Range:
    fold = fold_of(session)
    start = max(0, position - BEFORE_TARGET)
    return starting(session, fold if start < fold <= position else start)


def at_end(session: Session) -> Range:
    fold = fold_of(session)
    start = max(0, session.message_count - LENGTH)
    return starting(session, fold if start < fold else start)


def fold_of(session: Session) -> int:
    """How many leading messages are folded: those shared with the parent, where the session has others."""
    shared = session.fork_point or 0
    return shared if session.parent_id and shared < session.message_count else 0


def items(session: Session, shown: Range, *, query: str = "", target: int | None = None) -> list[Item | Group]:
    """What the page draws, in order. Raises SessionNotFound."""
    entries = _read(session.id, shown.start, shown.stop)
    drawing = _paired(session, entries, shown, query, target)
    drawn = _joined(drawing.item(one, agent_name(session.agent) or "Agent") for one in entries)
    return _with_days(_grouped(drawn, target), _day_before(session.id, shown))


def focused(session: Session, start: int, *, query: str = "") -> tuple[list[Item | Group], int | None]:
    """Prompts from `start` on with the last answer to each, and where the next page begins (None: nowhere)."""
    places = [position for position in store.prompt_positions(session.id) if position >= start]
    shown, following = places[:TURNS], places[TURNS : TURNS + 1]
    ends = [*shown[1:], *(following or [session.message_count])] if shown else []
    drawing = Drawing(session.project.name, query, is_final=False)
    drawn: list[Item | Group] = []
    for position, end in zip(shown, ends, strict=True):
        prompt = _read(session.id, position, position + 1)
        answers = _read(session.id, max(position + 1, end - ANSWER_REACH), end)
        last = next((one for one in reversed(answers) if one.seen.kind == Kind.ANSWER), None)
        for one in [*prompt, *([last] if last else [])]:
            drawn.append(drawing.item(one, agent_name(session.agent) or "Agent"))
    return _with_days(drawn, None), following[0] if following else None


def one_entry(id: UUID, position: int) -> Entry | None:
    """The message at a position, None where the session has none. Raises SessionNotFound."""
    return next(iter(_read(id, position, position + 1)), None)


def with_forks(drawn: list[Item | Group], session: Session, shown: Range) -> list[Item | Group]:
    """Hangs the forks that leave in this range on the items they leave after."""
    children = Session.objects.visible().live().without_subagents().children_of(session.id)
    leaving = children.filter(fork_point__gt=shown.start, fork_point__lte=shown.stop)
    counts = dict(leaving.order_by().values_list("fork_point").annotate(Count("pk")))
    few = [point for point, count in counts.items() if count <= NAMED]
    named = list(leaving.filter(fork_point__in=few).order_by("created_at")) if few else []
    for point in counts.keys() - {*few}:
        named += leaving.filter(fork_point=point).order_by("created_at")[:NAMED]
    starts = [one.position for one in drawn]
    items = {point: drawn[at] for point in counts if (at := bisect_right(starts, (point or 0) - 1) - 1) >= 0}
    for point, one in items.items():
        one.fork_count += counts[point]
    for child in named:
        if child.fork_point in items:
            items[child.fork_point].forks.append(child)
    for one in drawn:
        one.ends_shared = 0 < shown.fold == one.last + 1
    return drawn


def _read(id: UUID, start: int, stop: int) -> list[Entry]:
    try:
        found = store.get_messages(id, start, stop)
    except DamagedMessage:
        count = Session.objects.visible().live().values_list("message_count", flat=True).get(pk=id)
        found = [_one(id, position) for position in range(start, min(stop, count))]
    return [entry(position, message) for position, message in enumerate(found, start)]


def _one(id: UUID, position: int) -> Message:
    """What is whole is shown, also between what is not."""
    try:
        return store.get_messages(id, position, position + 1)[0]
    except DamagedMessage:
        return {UNREADABLE: {"damaged": True, "why": DAMAGED, "text": ""}}


def _paired(session: Session, entries: list[Entry], shown: Range, query: str, target: int | None) -> Drawing:
    id = session.id
    calls, results = _places(entries, "tool_call"), _places(entries, "tool_result")
    later = _looked_up(
        calls.keys() - results.keys(), id, shown.stop, min(shown.stop + MARGIN, shown.total), "tool_result"
    )
    earlier = _looked_up(results.keys() - calls.keys(), id, max(0, shown.start - MARGIN), shown.start, "tool_call")
    near_end = {key: found for key, found in later.items() if calls[key][0].position >= shown.stop - MARGIN}
    near_start = {key: found for key, found in earlier.items() if results[key][0].position < shown.start + MARGIN}
    answers = {**results, **near_end}
    drawing = Drawing(session.project.name, query, target, is_final=shown.stop + MARGIN >= shown.total)
    drawing.results = {_place(*calls[key]): answers[key] for key in calls if key in answers}
    shown_with_call = [key for key in results if key in calls]
    if shown.begins_at_fold:
        drawing.calls = {_place(*results[key]): found for key, found in near_start.items()}
    else:
        shown_with_call += near_start
    drawing.swallowed = frozenset(_place(*results[key]) for key in shown_with_call)
    return drawing


def _places(entries: Iterable[Entry], kind: str) -> dict[str, tuple[Entry, int]]:
    """The first part of this kind for each tool id."""
    found: dict[str, tuple[Entry, int]] = {}
    for one in entries:
        for number, part in enumerate(one.seen.parts):
            if part.kind == kind and part.tool_id:
                found.setdefault(part.tool_id, (one, number))
    return found


def _looked_up(wanted: set[str], id: UUID, start: int, stop: int, kind: str) -> dict[str, tuple[Entry, int]]:
    if not wanted or start >= stop:
        return {}
    return {key: found for key, found in _places(_read(id, start, stop), kind).items() if key in wanted}


def _place(one: Entry, number: int) -> Place:
    return one.position, number


def _joined(drawn: Iterable[Item]) -> list[Item]:
    """Without the messages that are shown in a card before them; their positions become further anchors of it."""
    result: list[Item] = []
    for item in drawn:
        if item.blocks:
            result.append(item)
        elif result:
            result[-1].also.append(item.position)
            result[-1].is_target = result[-1].is_target or item.is_target
    return result


def _grouped(drawn: list[Item], target: int | None) -> list[Item | Group]:
    result: list[Item | Group] = []
    for is_quiet, run in groupby(drawn, key=lambda item: item.role == "quiet"):
        together = list(run)
        result += [_group(together, target)] if is_quiet else together
    return result


def _group(together: list[Item], target: int | None) -> Group:
    kinds = Counter(item.label for item in together).most_common()
    words = [label if number == 1 else f"{number} × {label}" for label, number in kinds[:4]]
    summary = ", ".join(words) + (f", {counted(len(kinds) - 4, 'other kind')}" if len(kinds) > 4 else "")
    return Group(together, summary, any(item.is_target for item in together))


def _day_before(id: UUID, shown: Range):
    before = one_entry(id, shown.start - 1) if shown.start else None
    return before.seen.timestamp.date() if before and before.seen.timestamp else None


def _with_days(drawn: list, day) -> list:
    for one in drawn:
        time = one.items[0].time if isinstance(one, Group) else one.time
        if time and time.date() != day:
            one.day, day = time, time.date()
    return drawn
