"""Clean-up: what is done to many sessions at once, by hand or by a policy, told beforehand, and taken back as one.

A run is planned first and then done in batches, each a short transaction, so that nobody who writes waits for long.
Killed in between, it goes on by `resume`. Decision 0015 has the reasons.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args
from uuid import UUID

from django.db.models import Q

from sessions_app import (
    actors,
    cleanup_rows,
    gate,
    grammar,
    journal,
    packing,
    project_rows,
    purging,
    session_rows,
    space,
    store,
)
from sessions_app.access import audit
from sessions_app.actors import Role
from sessions_app.databases import connection
from sessions_app.errors import AlreadyChanged, InvalidPolicy, JournalEntryNotFound, NotAllowed
from sessions_app.models import CleanupPolicy, JournalEntry, Project, Session
from sessions_app.querysets import RUNNING, SessionQuerySet
from sessions_app.search.filters import filters_of
from sessions_app.session_rows import removing, snapshot, writing
from sessions_app.titles import check_project, clean_tag

Action = Literal["trash", "archive", "purge", "restore", "pin", "unpin", "unarchive", "tag", "untag", "move", "pack"]
PolicyAction = Literal["trash", "archive", "purge", "pack"]
BATCH, BATCH_LEAST = 200, 40  # sessions in one transaction
PLANNED_BY = timedelta(minutes=10)  # what takes longer to plan was cut off
PAUSE = 0.75  # times that a transaction took, before the next one
REST_MOST = 5_000  # sessions that the last step of a merge takes where others make them as fast as they are moved
HELD = 0.05  # seconds; what takes longer is cut smaller, for it keeps others waiting
GIVING_BACK = 0.2  # seconds in which a purge shrinks the file; what is left is written to, or goes the next time
CLEANING = "clean up"
VERBS = {"trash": "deleted", "archive": "archived", "purge": "purged", "restore": "restored"}
VERBS |= {"pin": "pinned", "unpin": "unpinned", "unarchive": "unarchived"}
VERBS |= {"rename": "renamed", "fork": "forked", "rewrite": "rewritten", "pack": "packed"}
VERBS |= {"attach": "put under another parent", "tag": "tagged", "untag": "untagged", "move": "moved to a project"}
VERBS |= {project_rows.MERGE: "merged a project"}


@dataclass(frozen=True, slots=True)
class Policy:
    name: str
    query: str
    action: PolicyAction
    enabled: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was done to many sessions, as the journal has it."""

    number: int
    action: Action
    moment: datetime
    actor: str
    policy: str
    query: str
    state: str  # planning, running, done, undoing, undone
    done: int  # sessions
    freed_bytes: int  # by a purge, or by packing
    value: str = ""  # the tag, the project that sessions were moved to, or the bytes that were packed

    @property
    def can_be_undone(self) -> bool:
        """Where it still stands."""
        did = self.done or self.action in project_rows.ACTIONS
        return bool(did) and self.state == JournalEntry.State.DONE and self.action != "purge"


@dataclass(frozen=True, slots=True)
class Preview:
    """What a policy would do by now: to which sessions, newest first, the bytes of bodies that come free once they are
    purged, or that packing saves, and how many fit and are yet kept, by the reason."""

    sessions: list[UUID]
    freed_bytes: int
    kept: dict[str, int] = field(default_factory=dict)
    kept_sessions: list[tuple[UUID, str]] = field(default_factory=list)  # newest first, with the reason
    last: Entry | None = None  # the last run of the policy
    again: int = 0  # sessions that the last run took too, and that came back since; all others are new
    measured_bytes: int | None = None  # by which what packing saves is estimated, where it was not measured
    # In the order of `sessions`: their sizes, the bytes that a purge of all of them frees, each counted with one session,
    # the keys of their projects, and their ages by their place in space.AGES. In that of `kept_sessions`: their sizes.
    sizes: list[int] = field(default_factory=list)
    freed: list[int] = field(default_factory=list)
    projects: list[int] = field(default_factory=list)
    ages: list[int] = field(default_factory=list)
    kept_sizes: list[int] = field(default_factory=list)


# Many at once


def with_forks(ids: Iterable[UUID]) -> list[UUID]:
    """These sessions and all that descend from them, live or in the trash, as far as the actor may see them."""
    found: dict[UUID, None] = {}
    for id in ids:
        found |= dict.fromkeys(Session.objects.visible().under(id.hex).values_list("pk", flat=True))
    return list(found)


def matching(query: str) -> list[UUID]:
    """The live sessions that fit the words of a query, newest first. Raises InvalidQuery and InvalidPolicy."""
    return list(_fitting(query, "trash").values_list("pk", flat=True))


def in_trash_for(time: timedelta) -> list[UUID]:
    """What has been in the trash for longer. Raises NotAllowed."""
    gate.check_over_all(CLEANING)
    old = Session.objects.visible().trashed().filter(trashed_at__lt=store.now() - time)
    return list(old.values_list("pk", flat=True))


def empty_trash(older_than: timedelta) -> list[Entry]:
    """Purge what has been in the trash for longer; no entry where that is nothing. Raises NotAllowed."""
    ids = in_trash_for(older_than)
    return [_run("purge", ids, query=f"in the trash for {older_than.days} days")] if ids else []


def forget_journal(older_than: timedelta) -> None:
    """Take what was done longer ago out of the journal; it cannot be taken back any more. Raises NotAllowed."""
    gate.check_over_all(CLEANING)
    with writing():
        journal.forget_before(store.now() - older_than)


def act(action: Action, ids: Iterable[UUID], value: str = "") -> Entry:
    """Do one thing to sessions, in batches; those that are not there or not fit for it are left out.

    `value` is the tag of "tag" and "untag", and the project of "move", made where it is missing. Raises InvalidTag,
    InvalidProject and NotAllowed.
    """
    _check_action(action, get_args(Action))
    if action in ("tag", "untag"):
        value = clean_tag(value)
    elif action == "move":
        check_project(value)
    return _run(action, list(dict.fromkeys(ids)), value=value)


def undo(number: int | None = None) -> Entry:
    """Take back an entry of the journal, or the actor's last one that can be: what still stands as it left it becomes
    what it was.

    Raises JournalEntryNotFound, of which AlreadyChanged says that nothing stands any more; a purge cannot be taken back.
    """
    entry = _undoable(number)
    if entry.action in project_rows.ACTIONS:
        project_rows.check_undo(entry)
        end_merges()
    if not _stands(entry):
        with writing():
            journal.set_state(entry.pk, JournalEntry.State.KEPT)
        raise AlreadyChanged(entry.pk)
    with writing():
        journal.set_state(entry.pk, JournalEntry.State.UNDOING)
    return _take_back(entry.pk)


def last() -> Entry | None:
    """What `undo` takes back without a number, where it still stands."""
    found = _last_ones().first()
    return _entry(found) if found else None


def entry_count() -> int:
    """How many `entries` there are."""
    return _own_entries().count()


def entries(limit: int = 50, before: int | None = None) -> list[Entry]:
    """What was done, newest first, before an entry; everybody's for whoever is over all projects, else one's own."""
    rows = _own_entries() if before is None else _own_entries().filter(pk__lt=before)
    return [_entry(row) for row in rows.order_by("-pk")[:limit]]


def resume() -> list[Entry]:
    """Go on with what was cut off by a kill; what had only been planned is dropped."""
    gate.check_over_all(CLEANING)
    if purging.sweep():
        space.give_back(GIVING_BACK)
    abandoned = JournalEntry.objects.filter(state=JournalEntry.State.PLANNING, moment__lt=store.now() - PLANNED_BY)
    for row in abandoned:
        with writing():
            journal.drop(row.pk)
    return [_go_on(row) for row in journal.under_way()]


def end_merges() -> None:
    """Go on with merges of projects that were begun, by whomever, until none is under way."""
    for row in journal.under_way(project_rows.MERGE):
        _go_on(row)


@removing
def finish(number: int) -> Entry:
    """Do what is left of what an entry says, also of one that another module began."""
    if _is_packing(number):
        return _finish_packing(number)
    pace, most = _Pace(), BATCH
    while True:
        with pace.batch():
            session_rows.one_lineage_change_at_a_time()  # before any row, as store.purge has it
            entry = journal.locked(number)
            if entry is None:
                raise JournalEntryNotFound(number)
            if entry.state != JournalEntry.State.RUNNING:  # another process was quicker
                return _entry(entry)
            ids = journal.items(number, journal.PLANNED, pace.size)
            if not ids:
                if entry.action == project_rows.MERGE and journal.merge_goes_on(entry, 5 * most, most):
                    most = REST_MOST
                    continue
                journal.set_state(number, JournalEntry.State.DONE)
                entry = JournalEntry.objects.get(pk=number)
                audit.append(VERBS[entry.action], "journal entry", number, count=entry.done)
                return _entry(entry)
            fitting = journal.fitting(entry, ids, store.now() - RUNNING)
            if entry.action == "purge":
                _purge_some(number, fitting)
            else:
                journal.act(entry, fitting)
                journal.mark(number, fitting, journal.DONE)
                journal.count(number, len(fitting))
            journal.mark(number, [id for id in ids if id not in set(fitting)], journal.PASSED_OVER)
        if entry.action == "purge":
            purging.sweep()  # before the run is done, for then its bytes have come free


# Policies


def save_policy(name: str, query: str, action: PolicyAction, *, enabled: bool = False, instead_of: str = "") -> Policy:
    """One that is there by that name is replaced; `instead_of` gives another name to one that is there, which no other
    may have. Raises InvalidPolicy, InvalidQuery and NotAllowed."""
    gate.check_over_all(CLEANING)
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= 50 or not cleaned.isprintable():
        raise InvalidPolicy("The name of a policy has 1 to 50 characters.")
    _check_action(action, get_args(PolicyAction))
    _fitting(query, action)
    with writing():
        if instead_of and instead_of != cleaned:
            if CleanupPolicy.objects.filter(name=cleaned).exists():
                raise InvalidPolicy(f"There is a policy “{cleaned}” already.")
            if cleanup_rows.drop_policy(instead_of):
                audit.append("removed policy", "policy", instead_of)
        cleanup_rows.keep_policy(cleaned, query, action, enabled)
        cleanup_rows.keep_first_look(store.now())
        audit.append("set policy", "policy", cleaned)
    return Policy(cleaned, query, action, enabled)


def remove_policy(name: str) -> Policy:
    """What it did stays done, and in the journal. Raises InvalidPolicy for one that is not there, and NotAllowed."""
    found = policy(name)
    with writing():
        cleanup_rows.drop_policy(name)
        audit.append("removed policy", "policy", name)
    return found


def policies() -> list[Policy]:
    gate.check_over_all(CLEANING)
    rows = CleanupPolicy.objects.order_by("name")
    return [Policy(row.name, row.query, row.action, row.enabled) for row in rows]  # type: ignore[arg-type]


def policy(name: str) -> Policy:
    """Raises InvalidPolicy for one that is not there."""
    found = next((each for each in policies() if each.name == name), None)
    if found is None:
        raise InvalidPolicy(f"There is no policy “{name}”.")
    return found


def preview(policy: Policy) -> Preview:
    """What a run would do. Raises InvalidPolicy, InvalidQuery and NotAllowed."""
    found, measured = _planned(policy), None
    freed = 0 if policy.action == "archive" else sum(found.freed)
    kept = dict(Counter(reason for _, reason in found.kept_sessions))
    if policy.action == "pack":
        with snapshot():
            saving = packing.saving(cleanup_rows.runs_of(found.sessions))
        freed, measured = saving.saved_bytes, saving.of_bytes if saving.estimated else None
    last, again = _since_last(policy, found.sessions)
    each = (found.sizes, found.freed, found.projects, found.ages, found.kept_sizes)
    return Preview(found.sessions, freed, kept, found.kept_sessions, last, again, measured, *each)


def run(policy: Policy) -> Entry:
    """Do what `preview` says, as one entry of the journal. Raises what `preview` raises."""
    return _run(policy.action, _planned(policy).sessions, policy.name, policy.query)


# Helpers, in the order in which they are called


def _go_on(row: JournalEntry) -> Entry:
    return _take_back(row.pk) if row.state == JournalEntry.State.UNDOING else finish(row.pk)


def _planned(policy: Policy) -> cleanup_rows.Planned:
    gate.check_over_all(CLEANING)
    fitting, now = _fitting(policy.query, policy.action), store.now()
    ages = [now - timedelta(days=oldest) for _, oldest in space.AGES.values() if oldest is not None]
    return cleanup_rows.planned(fitting, now - RUNNING, ages, with_parents=policy.action == "pack")


def _since_last(policy: Policy, sessions: list[UUID]) -> tuple[Entry | None, int]:
    """The last run of a policy, and how many of the sessions it took."""
    runs = (
        JournalEntry.objects.filter(policy=policy.name).exclude(state=JournalEntry.State.PLANNING)
        if policy.name
        else None
    )
    row = runs.order_by("-pk").first() if runs is not None else None
    if row is None:
        return None, 0
    return _entry(row), len(journal.taken(row.pk).intersection(sessions))


def _check_action(action: str, of: Sequence[str]) -> None:
    if action not in of:
        raise InvalidPolicy(f"The action is one of {', '.join(of)}, not “{action}”.")


@removing
def _run(action: Action, ids: list[UUID], policy: str = "", query: str = "", value: str = "") -> Entry:
    with writing():
        if action == "move":
            session_rows.project_id(value)
        entry = journal.begin(action, store.now(), policy, query, value)
    if action == "purge":
        ids = cleanup_rows.newest_first(ids)
    pace = _Pace()
    for some in _batches(ids, 5 * BATCH):
        with pace.batch():
            journal.plan(entry, some)
    with writing():
        journal.set_state(entry, JournalEntry.State.RUNNING)
    finished = finish(entry)
    if action in ("purge", "pack"):
        space.give_back(GIVING_BACK)
    return finished


class _Pace:
    """How many sessions a transaction takes: fewer where the last one kept others waiting for long.

    On SQLite who waits to write asks again and again, and would hardly ever find the lock free between two transactions
    that follow each other at once; so there is a pause.
    """

    def __init__(self) -> None:
        self.size = BATCH

    @contextmanager
    def batch(self) -> Iterator[None]:
        with writing():
            began = time.monotonic()
            yield
        held = time.monotonic() - began
        self.size = max(self.size // 2, BATCH_LEAST) if held > HELD else min(self.size * 2, BATCH)
        if connection().vendor == "sqlite":
            time.sleep(PAUSE * held)


def _batches(ids: list[UUID], size: int) -> Iterator[list[UUID]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def _purge_some(number: int, ids: Sequence[UUID]) -> None:
    """As many as a transaction may take time for; a few at once, for each statement has its price."""
    began, done, freed = time.monotonic(), list[UUID](), 0
    for some in cleanup_rows.in_small_groups(ids):
        freed += cleanup_rows.bytes_freed(some)
        purging.purge(some)
        audit.append_each("purged", "session", some)
        done += some
        if time.monotonic() - began > HELD:
            break
    journal.mark(number, done, journal.DONE)
    journal.count(number, len(done), freed)


def _entry(row: JournalEntry) -> Entry:
    known = (row.pk, row.action, row.moment, row.actor, row.policy, row.query, row.state, row.done)
    value = "" if row.action == "rewrite" else row.value  # which says where what it dropped is kept
    return Entry(*known, row.freed_bytes, value)  # type: ignore[arg-type]


def _own_entries():
    actor = actors.current()
    rows = JournalEntry.objects.exclude(state=JournalEntry.State.PLANNING)
    return rows if actor is None or actor.sees_all else rows.filter(actor_key=actors.caller())


def _last_ones():
    """What the actor may take back, the last first; of a program it is everybody's."""
    own = JournalEntry.objects.filter(actor_key=actors.caller()) if actors.current() else JournalEntry.objects
    done = Q(done__gt=0) | Q(action__in=project_rows.ACTIONS)
    return own.filter(done, state=JournalEntry.State.DONE).exclude(action="purge").order_by("-pk")


def _undoable(number: int | None) -> JournalEntry:
    actor = actors.current()
    if actor and not actor.may("write"):
        raise NotAllowed("You may not take back what was done.")
    rows = _own_entries().filter(state=JournalEntry.State.DONE).exclude(action="purge")
    found = _last_ones().first() if number is None else rows.filter(pk=number).first()
    if found is None:
        raise JournalEntryNotFound(number)
    return found


def _stands(entry: JournalEntry) -> bool:
    """Whether anything is as the entry left it, if it did anything."""
    if entry.action in project_rows.ACTIONS:
        with snapshot():
            return project_rows.stands(entry)
    ids = list(entry.items.filter(state=journal.DONE).values_list("session_id", flat=True))
    with writing():
        return not ids or any(journal.fitting_undo(entry, some) for some in _batches(ids, BATCH))


def _take_back(number: int) -> Entry:
    if _is_packing(number):
        return _unpack(number)
    pace = _Pace()
    while True:
        with pace.batch():
            session_rows.one_lineage_change_at_a_time()  # before any row, as store.purge has it
            entry = journal.locked(number)
            if entry is None:
                raise JournalEntryNotFound(number)
            if entry.state != JournalEntry.State.UNDOING:
                return _entry(entry)
            if entry.action in project_rows.ACTIONS and project_rows.stands(entry):
                # By itself, for who forks a session has locked that before its project.
                project_rows.take_back(entry)
                continue
            ids = journal.items(number, journal.DONE, pace.size)
            if not ids:
                journal.set_state(number, JournalEntry.State.UNDONE)
                audit.append("undone", "journal entry", number, count=entry.done)
                return _entry(JournalEntry.objects.get(pk=number))
            journal.take_back(entry, journal.fitting_undo(entry, ids), store.now())
            journal.mark(number, ids, journal.UNDONE)
        purging.sweep()  # of a rewrite, what it had written


# Packing reads and writes whole sessions, and so does it outside of the transactions that note it.


def _is_packing(number: int) -> bool:
    return JournalEntry.objects.filter(pk=number, action="pack").exists()


def _finish_packing(number: int) -> Entry:
    while True:
        with writing():
            entry = journal.locked(number)
            if entry is None:
                raise JournalEntryNotFound(number)
            if entry.state != JournalEntry.State.RUNNING:
                return _entry(entry)
            ids = journal.items(number, journal.PLANNED, 1)
            if not ids:
                journal.set_state(number, JournalEntry.State.DONE)
                audit.append(VERBS["pack"], "journal entry", number, count=entry.done)
                return _entry(JournalEntry.objects.get(pk=number))
            fitting = journal.fitting(entry, ids, store.now() - RUNNING)
            if not fitting:
                journal.mark(number, ids, journal.PASSED_OVER)
        if fitting:
            _pack_one(number, fitting[0])


def _pack_one(number: int, id: UUID) -> None:
    packed = packing.pack(id)
    with writing():
        entry = journal.locked(number)
        if entry and journal.is_planned(number, id):  # another process may have been quicker
            journal.mark(number, [id], journal.DONE)
            journal.count(number, 1, packed.before - packed.after)
            journal.set_value(number, str(int(entry.value or 0) + packed.before))


def _unpack(number: int) -> Entry:
    while True:
        with writing():
            entry = journal.locked(number)
            if entry is None:
                raise JournalEntryNotFound(number)
            if entry.state != JournalEntry.State.UNDOING:
                return _entry(entry)
            ids = journal.items(number, journal.DONE, 1)
            if not ids:
                journal.set_state(number, JournalEntry.State.UNDONE)
                audit.append("undone", "journal entry", number, count=entry.done)
                return _entry(JournalEntry.objects.get(pk=number))
            fitting = journal.fitting_undo(entry, ids)
        if fitting:
            packing.unpack(fitting[0])
        with writing():
            journal.mark(number, ids, journal.UNDONE)


def _fitting(source: str, action: PolicyAction) -> SessionQuerySet:
    """The sessions that fit a query and can be acted on. Raises InvalidQuery and InvalidPolicy."""
    if len(source) > grammar.QUERY_LIMIT:
        raise InvalidPolicy(f"The words of a policy have at most {grammar.QUERY_LIMIT:,} characters.")
    query = grammar.parse(source, store.now())
    query.check()
    filters = filters_of(query)
    if query.text.strip() or filters.kinds is not None:
        raise InvalidPolicy("A policy is made of words such as before:90d; it searches no text.")
    if filters.sessions is None:
        raise InvalidPolicy("A policy needs at least one word such as before:90d.")
    everything = Session.objects.visible()
    fit = everything.trashed() if action == "purge" else everything.live()
    fit = fit.unarchived() if action == "archive" else fit
    fit = fit.exclude(pk__in=cleanup_rows.packed()) if action == "pack" else fit
    needs = Role.MAINTAINER if action == "purge" else Role.WRITER
    mine = (
        fit
        if gate.projects(actors.current(), needs) is None
        else fit.filter(project__in=Project.objects.with_role(needs))
    )
    return mine & filters.sessions
