"""How much sessions have in common from their first message on: what is stored once, and what is said alike."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sessions_app import store
from sessions_app.models import Message, Session
from sessions_app.projection import project

ALIKE = 2000  # messages that are looked at for what they say
WINDOW = 100  # messages read at once


def shared_by(first: Session, second: Session) -> int:
    """How many leading messages two sessions have in common.

    Where they show the same strand they do; past that their chained digests tell, in about log2(n) steps. So it is
    right too where a long chain of forks was copied into a strand of its own, or two agents wrote the same.
    """
    if first.pk == second.pk:
        return first.message_count
    one, two = _ranges(first), _ranges(second)
    low, high = 0, min(first.message_count, second.message_count)
    for (strand, start, stop), (strand2, start2, stop2) in zip(one, two, strict=False):
        if (strand, start) != (strand2, start2):
            break
        low = min(stop, stop2)
        if stop != stop2:
            break
    while low < high:
        middle = (low + high + 1) // 2
        if _digest(one, middle - 1) == _digest(two, middle - 1):
            low = middle
        else:
            high = middle - 1
    return low


def _ranges(session: Session) -> list[tuple[int, int, int]]:
    return sorted(Session.objects.visible().filter(pk=session.pk).shown_ranges(), key=lambda one: one[1])


def _digest(ranges: Sequence[tuple[int, int, int]], position: int) -> bytes:
    strand = ranges[bisect_right(ranges, position, key=lambda one: one[1]) - 1][0]
    return bytes(Message.objects.values_list("digest", flat=True).get(strand=strand, position=position))


def said_alike(sessions: Sequence[Session], start: int) -> int:
    """Where sessions that have all messages before `start` in common begin to say something else.

    An agent that copies a session to fork it writes other ids and times into the copies, so their bytes differ. At most
    ALIKE messages are looked at.
    """
    if len({each.pk for each in sessions}) == 1:
        return start
    for position, of_each in enumerate(zip(*(_said(each.pk, start) for each in sessions), strict=False), start):
        if any(said != of_each[0] for said in of_each[1:]):
            return position
    return min(start + ALIKE, *(each.message_count for each in sessions))


def _said(id: UUID, start: int) -> Iterator[Any]:
    for first in range(start, start + ALIKE, WINDOW):
        found = store.get_messages(id, first, first + WINDOW)
        for seen in map(project, found):
            yield seen.role, seen.kind, seen.parts, seen.label, seen.model
        if len(found) < WINDOW:
            return
