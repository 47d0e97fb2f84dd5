"""Clean-up: what is done to many sessions at once, by hand or by a policy, told beforehand, and taken back as one.

A run is planned first and then done in batches, each a short transaction, so that nobody who writes waits for long.
Killed in between, it goes on by `resume`. Decision 0015 has the reasons.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args
from uuid import UUID

from sessions_app import actors, cleanup_rows, gate, grammar, journal, packing, session_rows, space, store
from sessions_app.access import audit
from sessions_app.actors import Role
from sessions_app.errors import InvalidPolicy, JournalEntryNotFound, NotAllowed
from sessions_app.models import CleanupPolicy, JournalEntry, Project, Session
from sessions_app.querysets import RUNNING, SessionQuerySet
from sessions_app.search.filters import filters_of
from sessions_app.session_rows import removing, writing
from sessions_app.titles import check_project, clean_tag

Action = Literal["trash", "archive", "purge", "restore", "pin", "unpin", "unarchive", "tag", "untag", "move", "pack"]
PolicyAction = Literal["trash", "archive", "purge", "pack"]
BATCH = 200  # sessions in one transaction
PLANNED_BY = timedelta(minutes=10)  # what takes longer to plan was cut off
HELD = 0.05  # seconds after which a transaction of purges ends; what it holds keeps others waiting
GIVING_BACK = 0.2  # seconds in which a purge shrinks the file; what is left is written to, or goes the next time
CLEANING = "clean up"
VERBS = {"trash": "deleted", "archive": "archived", "purge": "purged", "restore": "restored"}
VERBS |= {"pin": "pinned", "unpin": "unpinned", "unarchive": "unarchived"}
VERBS |= {"attach": "put under another parent", "tag": "tagged", "untag": "untagged", "move": "moved to a project"}
VERBS |= {"pack": "packed"}


@dataclass(frozen=True, slots=True)
class Policy:
    name: str
    query: str
    action: PolicyAction
    enabled: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """What a policy would do by now: to which sessions, the bytes of bodies that come free once they are purged, and
    how many fit and are yet kept, by the reason."""

    sessions: list[UUID]
    freed_bytes: int
    kept: dict[str, int] = field(default_factory=dict)


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


# Many at once


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
    """Take back an entry of the journal, or the last one that can be: what still stands as it left it becomes what it
    was. Raises JournalEntryNotFound; a purge cannot be taken back."""
    entry = _undoable(number)
    with writing():
        journal.set_state(entry.pk, JournalEntry.State.UNDOING)
    return _take_back(entry.pk)


def entries(limit: int = 50, before: int | None = None) -> list[Entry]:
    """What was done, newest first, before an entry; everybody's for whoever is over all projects, else one's own."""
    rows = _own_entries() if before is None else _own_entries().filter(pk__lt=before)
    return [_entry(row) for row in rows.order_by("-pk")[:limit]]


def resume() -> list[Entry]:
    """Go on with what was cut off by a kill; what had only been planned is dropped."""
    gate.check_over_all(CLEANING)
    abandoned = JournalEntry.objects.filter(state=JournalEntry.State.PLANNING, moment__lt=store.now() - PLANNED_BY)
    for row in abandoned:
        with writing():
            journal.drop(row.pk)
    open_ones = JournalEntry.objects.filter(state__in=(JournalEntry.State.RUNNING, JournalEntry.State.UNDOING))
    found = list(open_ones.order_by("pk"))
    return [_take_back(row.pk) if row.state == JournalEntry.State.UNDOING else _finish(row.pk) for row in found]


# Policies


def save_policy(name: str, query: str, action: PolicyAction, *, enabled: bool = False) -> Policy:
    """Raises InvalidPolicy, InvalidQuery and NotAllowed."""
    gate.check_over_all(CLEANING)
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= 50:
        raise InvalidPolicy("The name of a policy has 1 to 50 characters.")
    _check_action(action, get_args(PolicyAction))
    _fitting(query, action)
    with writing():
        cleanup_rows.keep_policy(cleaned, query, action, enabled)
        audit.append("set policy", "policy", cleaned)
    return Policy(cleaned, query, action, enabled)


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
    gate.check_over_all(CLEANING)
    rows = list(_fitting(policy.query, policy.action).values_list("pk", "pinned_at", "updated_at"))
    keep = set(Session.objects.tagged("keep").values_list("pk", flat=True))
    running = store.now() - RUNNING
    kept: dict[str, int] = defaultdict(int)
    chosen: set[UUID] = set()
    for id, pinned, updated in rows:
        reason = "pinned" if pinned else "tagged keep" if id in keep else "running" if updated > running else None
        if reason:
            kept[reason] += 1
        else:
            chosen.add(id)
    needed = _needed_by_forks(chosen)
    if needed:
        kept["needed by a fork"] = len(needed)
    sessions = [id for id, *_ in rows if id in chosen - needed] if needed else [id for id, *_ in rows if id in chosen]
    freed = 0 if policy.action in ("archive", "pack") else cleanup_rows.bytes_freed(sessions)
    return Preview(sessions, freed, dict(kept))


def run(policy: Policy) -> Entry:
    """Do what `preview` says, as one entry of the journal. Raises what `preview` raises."""
    return _run(policy.action, preview(policy).sessions, policy.name, policy.query)


# Helpers, in the order in which they are called


def _check_action(action: str, of: Sequence[str]) -> None:
    if action not in of:
        raise InvalidPolicy(f"The action is one of {', '.join(of)}, not “{action}”.")


@removing
def _run(action: Action, ids: list[UUID], policy: str = "", query: str = "", value: str = "") -> Entry:
    with writing():
        if action == "move":
            session_rows.project_id(value)
        entry = journal.begin(action, store.now(), _actor(), policy, query, value)
    for some in _batches(ids, 5 * BATCH):
        with writing():
            journal.plan(entry, some)
    with writing():
        journal.set_state(entry, JournalEntry.State.RUNNING)
    finished = _finish(entry)
    if action in ("purge", "pack"):
        space.give_back(GIVING_BACK)
    return finished


def _actor() -> str:
    actor = actors.current()
    return actor.name if actor else ""


def _batches(ids: list[UUID], size: int) -> Iterator[list[UUID]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


@removing
def _finish(number: int) -> Entry:
    if _is_packing(number):
        return _finish_packing(number)
    while True:
        with writing():
            session_rows.one_lineage_change_at_a_time()  # before any row, as store.purge has it
            entry = journal.locked(number)
            if entry is None:
                raise JournalEntryNotFound(number)
            if entry.state != JournalEntry.State.RUNNING:  # another process was quicker
                return _entry(entry)
            ids = journal.items(number, journal.PLANNED, BATCH)
            if not ids:
                journal.set_state(number, JournalEntry.State.DONE)
                audit.append(VERBS[entry.action], "journal entry", number, count=entry.done)
                return _entry(JournalEntry.objects.get(pk=number))
            fitting = journal.fitting(entry, ids, store.now() - RUNNING)
            if entry.action == "purge":
                _purge_some(number, fitting)
            else:
                journal.act(entry, fitting)
                journal.mark(number, fitting, journal.DONE)
                journal.count(number, len(fitting))
            journal.mark(number, [id for id in ids if id not in set(fitting)], journal.PASSED_OVER)


def _purge_some(number: int, ids: Sequence[UUID]) -> None:
    """As many as a transaction may take time for, and at least one."""
    began, done, freed = time.monotonic(), [], 0
    for id in ids:
        freed += cleanup_rows.bytes_freed([id])
        store.purge(id)
        done.append(id)
        if time.monotonic() - began > HELD:
            break
    journal.mark(number, done, journal.DONE)
    journal.count(number, len(done), freed)


def _entry(row: JournalEntry) -> Entry:
    known = (row.pk, row.action, row.moment, row.actor, row.policy, row.query, row.state, row.done)
    return Entry(*known, row.freed_bytes, row.value)  # type: ignore[arg-type]


def _own_entries():
    actor = actors.current()
    rows = JournalEntry.objects.exclude(state=JournalEntry.State.PLANNING)
    return rows if actor is None or actor.sees_all else rows.filter(actor=actor.name)


def _undoable(number: int | None) -> JournalEntry:
    actor = actors.current()
    if actor and not actor.may("write"):
        raise NotAllowed("You may not take back what was done.")
    rows = _own_entries().filter(state=JournalEntry.State.DONE).exclude(action="purge")
    found = rows.order_by("-pk").first() if number is None else rows.filter(pk=number).first()
    if found is None:
        raise JournalEntryNotFound(number)
    return found


def _take_back(number: int) -> Entry:
    if _is_packing(number):
        return _unpack(number)
    while True:
        with writing():
            session_rows.one_lineage_change_at_a_time()  # before any row, as store.purge has it
            entry = journal.locked(number)
            if entry is None:
                raise JournalEntryNotFound(number)
            if entry.state != JournalEntry.State.UNDOING:
                return _entry(entry)
            ids = journal.items(number, journal.DONE, BATCH)
            if not ids:
                journal.set_state(number, JournalEntry.State.UNDONE)
                audit.append("undone", "journal entry", number, count=entry.done)
                return _entry(JournalEntry.objects.get(pk=number))
            journal.take_back(entry, journal.fitting_undo(entry, ids))
            journal.mark(number, ids, journal.UNDONE)


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
    return mine.filter(pk__in=filters.sessions.values("pk")).newest_first()


def _needed_by_forks(chosen: set[UUID]) -> set[UUID]:
    """Those that a live session descends from which is not chosen itself."""
    children = Session.objects.live().filter(parent__isnull=False).values_list("pk", "parent")
    parents = dict(children)
    needed: set[UUID] = set()
    for child, parent in parents.items():
        following: UUID | None = parent if child not in chosen else None
        while following in chosen and following not in needed:
            needed.add(following)
            following = parents.get(following)
    return needed
