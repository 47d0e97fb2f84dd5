"""The rows of policies, and what a purge of sessions takes from the strands that they show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet

from sessions_app.databases import execute
from sessions_app.models import CleanupPolicy, JournalItem
from sessions_app.piece_table import key, length_of
from sessions_app.session_rows import uuid_of

CHUNK = 400  # parameters of a statement; SQLite takes many, and plans them all

# What is dropped of a strand begins where nobody else shows it; totals are of all before, so the first counts itself.
_DROPPED = """WITH cut(strand, needed) AS (VALUES {})
SELECT COALESCE(SUM(last.size_total - first.size_total + {}), 0) FROM cut
JOIN forklore_message first ON first.strand_id = cut.strand AND first.position =
(SELECT MIN(position) FROM forklore_message WHERE strand_id = cut.strand AND position >= cut.needed)
JOIN forklore_message last ON last.strand_id = cut.strand AND last.position =
(SELECT MAX(position) FROM forklore_message WHERE strand_id = cut.strand)"""


def keep_policy(name: str, query: str, action: str, enabled: bool) -> None:
    values = {"query": query, "action": action, "enabled": enabled}
    CleanupPolicy.objects.update_or_create(name=name, defaults=values)


def packed() -> QuerySet:
    """The keys of the sessions that were packed, and not written to since, as far as the journal knows."""
    done = JournalItem.objects.filter(state=JournalItem.State.DONE, entry__action="pack")
    return done.filter(entry__moment__gte=F("session__updated_at")).values("session")


def bytes_freed(ids: Sequence[UUID]) -> int:
    """Bytes of bodies that go when these sessions are purged: what others show stays, and nothing counts twice."""
    going = set(ids)
    strands: set[int] = set()
    for some in _chunks([key(id) for id in ids]):
        rows = execute(f"SELECT DISTINCT strand_id FROM forklore_piece WHERE session_id IN ({_marks(some)})", some)  # noqa: S608
        strands.update(strand for (strand,) in rows.fetchall())
    needed, claimed = dict.fromkeys(sorted(strands), 0), set()
    for some in _chunks(list(needed)):
        statement = f"SELECT session_id, strand_id, stop FROM forklore_piece WHERE strand_id IN ({_marks(some)})"  # noqa: S608
        rows = execute(statement, some)
        for session, strand, stop in rows.fetchall():
            if uuid_of(session) in going:
                continue
            if stop is None:
                claimed.add(strand)
            else:
                needed[strand] = max(needed[strand], stop)
    cuts = [(strand, stop) for strand, stop in needed.items() if strand not in claimed]
    return sum(_dropped(some) for some in _chunks(cuts))


def _chunks(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def _marks(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _dropped(cuts: list[tuple[int, int]]) -> int:
    statement = _DROPPED.format(", ".join(["(%s, %s)"] * len(cuts)), length_of("first.body"))
    return int(execute(statement, [value for cut in cuts for value in cut]).fetchone()[0])
