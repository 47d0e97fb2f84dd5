"""The rows of policies, which sessions a policy takes, and what a purge of sessions takes from the strands they show."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db.models import F, Max, QuerySet

from sessions_app.databases import connection, current, execute, plan_for_many_rows
from sessions_app.models import CleanupPolicy, CleanupSchedule, JournalEntry, JournalItem, Session
from sessions_app.packing import Run
from sessions_app.piece_table import DROPPED_BYTES, END, keys, length_of
from sessions_app.querysets import SessionQuerySet
from sessions_app.session_rows import moment_for_database, snapshot, uuid_of

GROUP = 25  # sessions purged by the same statements
GROUP_MESSAGES = 100
Key = UUID | str  # of a session, as the database's driver gives it

# A list of any length is one parameter, which the database is quick to take.
_LIST = {"sqlite": "SELECT value AS id FROM json_each(%s)", "postgresql": "SELECT unnest(%s::uuid[]) AS id"}

# Most sessions have one strand that nobody else shows; what goes with these is their size, for which nothing is read.
_FITTING = """SELECT fit.id, CASE WHEN fit.pinned_at IS NOT NULL THEN 'pinned' WHEN tag.name IS NOT NULL
THEN 'tagged keep' WHEN fit.updated_at > %s THEN 'running' ELSE '' END,
fit.size_bytes, (SELECT CASE WHEN COUNT(*) = 1 AND MAX(piece.start) = 0 AND COUNT(piece.stop) = 0 THEN 1 ELSE 0 END
 FROM forklore_piece piece WHERE piece.strand_id = fit.strand), fit.project, {}
FROM ({}) fit LEFT JOIN forklore_tag tag ON tag.session_id = fit.id AND tag.name = 'keep'
ORDER BY fit.updated_at DESC, fit.id"""
_CREATED = """ SELECT session.id FROM listed JOIN forklore_session session ON session.id = listed.id
ORDER BY session.created_at DESC, session.id"""
# Of a session's messages those of the strand that it may append to; a child that lost its parent shows others' still.
_OWN = """SELECT session.id, COALESCE(session.message_count - strand.start, 0), session.size_bytes
FROM forklore_session session LEFT JOIN forklore_strand strand ON strand.id = session.strand_id WHERE session.id IN ({})"""
_REVISED = "SELECT parent_id FROM forklore_session WHERE relation = 'revision' AND parent_id IS NOT NULL"
_CHILDREN = "SELECT id, parent_id FROM forklore_session WHERE parent_id IS NOT NULL AND trashed_at IS NULL"

# What is dropped of a strand begins where nobody else shows it, and ends where it is shown to, or where it ends if one
# of those that go may append to it; nothing of one goes to which a session that stays may append. What an earlier purge
# left behind it is no longer theirs. Totals are of all messages before, so the first one must count itself. It is told
# of the session that may append to the strand, or of one of those that show it.
_FREED = """WITH listed AS MATERIALIZED ({}),
going AS MATERIALIZED (SELECT id, id AS session FROM listed UNION SELECT kept.id, kept.parent_id
    FROM forklore_session kept WHERE kept.relation = 'revision' AND kept.parent_id IN (SELECT id FROM listed)),
cut AS MATERIALIZED (
    SELECT piece.strand_id AS strand, COALESCE(MAX(CASE WHEN going.id IS NULL THEN piece.stop END), 0) AS needed,
    MAX(COALESCE(piece.stop, {})) AS shown, {} AS session
    FROM forklore_piece piece LEFT JOIN going ON going.id = piece.session_id WHERE piece.strand_id IN (
        SELECT touched.strand_id FROM going CROSS JOIN forklore_piece touched WHERE touched.session_id = going.id)
    GROUP BY piece.strand_id
    HAVING MAX(CASE WHEN going.id IS NULL AND piece.stop IS NULL THEN 1 ELSE 0 END) = 0)
SELECT cut.session, COALESCE(
    (SELECT size_total FROM forklore_message WHERE strand_id = cut.strand AND position < cut.shown
     ORDER BY position DESC LIMIT 1)
    - CASE WHEN cut.needed > strand.start
        THEN (SELECT size_total FROM forklore_message WHERE strand_id = cut.strand AND position = cut.needed - 1)
        WHEN strand.start = 0 THEN 0
        ELSE (SELECT size_total - {} FROM forklore_message first
              WHERE strand_id = cut.strand AND position = strand.start) END, 0)
FROM cut JOIN forklore_strand strand ON strand.id = cut.strand"""


# Of the sessions that show a strand, and go, the one that may append to it, or the first.
_OWNER = {
    "sqlite": "COALESCE(MIN(CASE WHEN piece.stop IS NULL THEN going.session END), MIN(going.session))",
    "postgresql": "(array_agg(going.session ORDER BY going.session IS NULL, piece.stop IS NOT NULL, going.session))[1]",
}


# What some sessions show of each strand, from its beginning to where the longest of them ends.
_RUNS = """WITH listed AS MATERIALIZED ({}),
shown AS MATERIALIZED (
    SELECT piece.strand_id AS strand, MIN(piece.start) AS start, MAX(COALESCE(piece.stop, session.message_count)) AS stop
    FROM listed JOIN forklore_session session ON session.id = listed.id
    JOIN forklore_piece piece ON piece.session_id = session.id GROUP BY piece.strand_id)
SELECT shown.strand, shown.start, shown.stop, last.size_total - CASE WHEN shown.start = 0 THEN 0
    ELSE (SELECT first.size_total - {} FROM forklore_message first
          WHERE first.strand_id = shown.strand AND first.position = shown.start) END
FROM shown JOIN forklore_message last ON last.strand_id = shown.strand AND last.position = shown.stop - 1
WHERE shown.stop > shown.start ORDER BY shown.strand"""


@dataclass(frozen=True, slots=True)
class Planned:
    """Which sessions a policy takes, newest first, and in the same order their sizes, the bytes of bodies that go with
    each when all are purged (what several show goes with one of them), their projects, and which of the ages each has
    reached; and which are protected, newest first, with the reason, and their sizes."""

    sessions: list[UUID] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    freed: list[int] = field(default_factory=list)
    projects: list[int] = field(default_factory=list)
    ages: list[int] = field(default_factory=list)
    kept_sessions: list[tuple[UUID, str]] = field(default_factory=list)
    kept_sizes: list[int] = field(default_factory=list)


def keep_policy(name: str, query: str, action: str, enabled: bool) -> None:
    values = {"query": query, "action": action, "enabled": enabled}
    CleanupPolicy.objects.update_or_create(name=name, defaults=values)


def switch_off(policies: Collection[str]) -> None:
    CleanupPolicy.objects.filter(name__in=policies).update(enabled=False)


def drop_policy(name: str) -> bool:
    return CleanupPolicy.objects.filter(name=name).delete()[0] > 0


def packed() -> QuerySet:
    """The keys of the sessions that were packed, and not written to since, as far as the journal knows."""
    done = JournalItem.objects.filter(state=JournalItem.State.DONE, entry__action="pack")
    return done.filter(entry__moment__gte=F("session__updated_at")).values("session")


def keep_schedule(enabled: bool, every_hours: int, trash_days: int | None, now: datetime) -> None:
    values = {"enabled": enabled, "every_hours": every_hours, "trash_days": trash_days, "due_at": now}
    CleanupSchedule.objects.update_or_create(pk=1, defaults=values)


def keep_first_look(now: datetime) -> None:
    """Somebody who sets up clean-up looks at it for the first time, whatever old sessions were just brought in."""
    CleanupSchedule.objects.get_or_create(pk=1)
    CleanupSchedule.objects.filter(pk=1, seen_at=None).update(seen_at=now)


def keep_clock(seen_at: datetime | None, doubted_at: datetime | None) -> None:
    CleanupSchedule.objects.update_or_create(pk=1, defaults={"seen_at": seen_at, "doubted_at": doubted_at})


def longest_silence(since: datetime | None, now: datetime) -> timedelta:
    """The longest time, to the day, in which no session was written to and nothing was done to any; without `since`
    that up to now, and none where nothing ever was."""
    moments = [] if since is None else [since]
    for model, column in ((Session, "updated_at"), (JournalEntry, "moment")):
        up_to_now = model.objects.filter(**{f"{column}__lte": now})
        if since is None:
            moments += [last] if (last := up_to_now.aggregate(last=Max(column))["last"]) else []
        else:
            moments += up_to_now.filter(**{f"{column}__gt": since}).datetimes(column, "day", tzinfo=UTC)
    moments = [max(moments)] if moments and since is None else moments
    ascending = sorted([*moments, now])
    return max((after - before for before, after in pairwise(ascending)), default=timedelta(0))


def take_lease(holder: str, now: datetime, length: timedelta) -> bool:
    """Whether clean-up is on, due, and this process's to do from now on, or still."""
    moment, until = moment_for_database(now), moment_for_database(now + length)
    statement = (
        "UPDATE forklore_cleanupschedule SET holder = %s, held_until = %s WHERE id = 1 AND enabled AND due_at <= %s"
        " AND (held_until IS NULL OR held_until < %s OR holder = %s)"
    )
    return execute(statement, [holder, until, moment, moment, holder]).rowcount > 0


def end_lease(holder: str, now: datetime) -> None:
    row = CleanupSchedule.objects.filter(pk=1, holder=holder).first()
    if row:
        due = moment_for_database(now + timedelta(hours=row.every_hours))
        statement = "UPDATE forklore_cleanupschedule SET holder = '', held_until = NULL, due_at = %s WHERE holder = %s"
        execute(statement, [due, holder])


def planned(
    fitting: SessionQuerySet, running_after: datetime, ages: Sequence[datetime] = (), *, with_parents: bool = False
) -> Planned:
    """With those that a living fork descends from, which reads them as before, or without. An age is the number of
    these moments, descending ones, before which a session was last written to."""
    try:
        chosen = fitting.order_by().values("id", "pinned_at", "updated_at", "size_bytes", "strand", "project")
        inner, parameters = chosen.query.get_compiler(current()).as_sql()
    except EmptyResultSet:  # nobody may see any
        return Planned()
    # The oldest first, for of these there are most.
    age = "".join(f"WHEN fit.updated_at < %s THEN {number} " for number in range(len(ages), 0, -1))
    statement = _FITTING.format(f"CASE {age}ELSE 0 END" if ages else "0", inner)
    moments = [moment_for_database(moment) for moment in (running_after, *reversed(ages))]
    with snapshot():
        plan_for_many_rows()
        return _planned(statement, [*moments, *parameters], with_parents)


def newest_first(ids: Sequence[UUID]) -> list[UUID]:
    """In the order in which a purge has least to do: forks before what they were cut from, which then nobody shows."""
    statement = f"WITH listed AS MATERIALIZED ({_LIST[connection().vendor]})" + _CREATED
    rows = execute(statement, [_listed(keys(ids))]).fetchall()
    order = {uuid_of(id): number for number, (id,) in enumerate(rows)}
    return sorted(ids, key=lambda each: order.get(each, -1))


def bytes_freed(ids: Sequence[UUID]) -> int:
    """Bytes of bodies that go when these sessions are purged: what others show stays, and nothing counts twice."""
    return int(sum(size for _, size in _freed(keys(ids))))


def runs_of(ids: Sequence[UUID]) -> list[Run]:
    """The messages that these sessions show, each once."""
    statement = _RUNS.format(_LIST[connection().vendor], length_of("first.body"))
    return [Run(*row) for row in execute(statement, [_listed(keys(ids))]).fetchall()]


def in_small_groups(ids: Sequence[UUID]) -> Iterator[list[UUID]]:
    """Sessions in the order given, some at once that have few messages together, or one."""
    marks = ", ".join(["%s"] * len(ids))
    rows = execute(_OWN.format(marks), keys(ids)).fetchall() if ids else []
    own = {uuid_of(id): (count, size) for id, count, size in rows}
    group, messages, held = list[UUID](), 0, 0
    for id in ids:
        count, size = own[id]
        if group and (
            len(group) == GROUP or messages + count > GROUP_MESSAGES or (count and held + size > DROPPED_BYTES)
        ):
            yield group
            group, messages, held = [], 0, 0
        group.append(id)
        messages += count
        held += size if count else 0
    if group:
        yield group


def _planned(statement: str, parameters: Sequence[Any], with_parents: bool) -> Planned:
    rows = execute(statement, parameters).fetchall()
    going = {row[0] for row in rows if not row[1]}
    needed = set() if with_parents else _needed_by_forks(going)
    revised = {id for (id,) in execute(_REVISED).fetchall()}
    found, others = Planned(), dict[Key, int]()
    for (
        id,
        reason,
        size,
        alone,
        project,
        age,
    ) in rows:  # once, for to look for a UUID in a set takes longer than all else
        if reason or (needed and id in needed):
            found.kept_sessions.append((uuid_of(id), reason or "needed by a fork"))
            found.kept_sizes.append(size)
            continue
        found.freed.append(size)
        if not alone or (revised and id in revised):
            others[id] = len(found.sessions)
            found.freed[-1] = 0
        found.sessions.append(uuid_of(id))
        found.sizes.append(size)
        found.projects.append(project)
        found.ages.append(age)
    for id, size in _freed(list(others)):
        found.freed[others[id]] += int(size)
    return found


def _needed_by_forks(going: Collection[Key]) -> set[Key]:
    """Those that a live session descends from which does not go itself."""
    parents: dict[Key, Key] = dict(execute(_CHILDREN).fetchall())
    needed: set[Key] = set()
    for child, parent in parents.items():
        following: Key | None = None if child in going else parent
        while following and following in going and following not in needed:
            needed.add(following)
            following = parents.get(following)
    return needed


def _freed(listed: Sequence[Key]) -> list[tuple[Key, Any]]:
    """Of each strand of which something goes one of these sessions, and how many bytes, as the driver gives a number."""
    vendor = connection().vendor
    statement = _FREED.format(_LIST[vendor], END, _OWNER[vendor], length_of("first.body"))
    return execute(statement, [_listed(listed)]).fetchall()


def _listed(ids: Sequence[Key]) -> Any:
    return json.dumps(ids) if connection().vendor == "sqlite" else ids
