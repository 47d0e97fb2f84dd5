"""Any sequence of deletes, restores, policy runs, undos, purges and kills: nothing that is needed is lost, no parent is
missing, what is told beforehand is what is measured, and an undo brings back what was there.

HYPOTHESIS_PROFILE=long runs many more and longer programs.
"""

import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from sessions_app import cleanup, projects, purging, session_rows, store, store_check
from sessions_app.cleanup import Policy
from sessions_app.errors import AlreadyChanged, InvalidProject, JournalEntryNotFound
from sessions_app.models import JournalEntry, Leftover, Message, Project, Session
from tests.builders import a_message
from tests.store.test_cleanup import months_later, stored_bytes

pytestmark = pytest.mark.parametrize("door", ["sync"])

choices = st.integers(0, 999)  # which of the sessions that there are
words = st.lists(st.sampled_from(["one", "two", "drei", "四", "fünf" * 9]), min_size=1, max_size=4)
OLD = st.sampled_from(["before:90d", "turns:<9", "is:root"])


class Killed(BaseException):
    pass


@contextmanager
def killed_in_transaction(number: int) -> Iterator[None]:
    """As a kill is to the database: the transaction of that number, counted from 0, and all behind it do not happen."""
    began = 0

    @contextmanager
    def writing() -> Iterator[None]:
        nonlocal began
        began += 1
        with session_rows.writing():
            yield
            if began > number:
                raise Killed

    cleanup.writing = projects.writing = purging.writing = store.writing = writing
    try:
        yield
    except Killed:
        pass
    finally:
        cleanup.writing = projects.writing = purging.writing = store.writing = session_rows.writing


def shown(id: Any) -> list[str]:
    """The texts of a session, in the trash or not, read as no door reads them."""
    row = Session.objects.get(pk=id)
    found = []
    for piece in row.pieces.order_by("start"):
        stop = row.message_count if piece.stop is None else piece.stop
        rows = Message.objects.filter(strand=piece.strand_id, position__gte=piece.start, position__lt=stop)
        found += [json.loads(body)["content"] for body in rows.order_by("position").values_list("body", flat=True)]
    return found


def state() -> list[tuple]:
    """All that a deed may change of sessions, but for what moves on at each write."""
    fields = ("pk", "project", "parent", "relation", "fork_point", "title", "title_source", "turns", "tags__name")
    more = ("pinned_at", "archived_at", "trashed_at", "message_count", "tail_digest", "size_bytes")
    return sorted(Session.objects.exclude(relation="revision").values_list(*fields, *more), key=repr)


class CleanUp(RuleBasedStateMachine):
    def __init__(self, clock: Any):
        super().__init__()
        for id in Session.objects.values_list("pk", flat=True):
            Session.objects.filter(pk=id).update(trashed_at=clock())
        cleanup.act("purge", list(Session.objects.values_list("pk", flat=True)))
        JournalEntry.objects.all().delete()
        self.clock = clock
        self.texts: dict[Any, list[str]] = {}  # of every session that is there

    def one(self, rows: Any, choice: int) -> Any:
        ids = list(rows.order_by("created_at", "pk").values_list("pk", flat=True))
        return ids[choice % len(ids)]

    def some(self, rows: Any, choice: int) -> list:
        ids = list(rows.order_by("created_at", "pk").values_list("pk", flat=True))
        return [id for at, id in enumerate(ids) if (choice >> at % 9) & 1]

    def live(self) -> bool:
        return Session.objects.live().exists()

    def notice(self) -> None:
        """Take what rewrites kept into the model, and what purges took out of it."""
        there = set(Session.objects.values_list("pk", flat=True))
        self.texts = {id: texts for id, texts in self.texts.items() if id in there}

    # What people and agents do

    @rule(texts=words)
    def create(self, texts):
        self.texts[store.create("demo", [a_message(text) for text in texts]).id] = texts

    @precondition(live)
    @rule(choice=choices, at=choices)
    def fork(self, choice, at):
        id = self.one(Session.objects.live(), choice)
        at %= len(self.texts[id]) + 1
        self.texts[store.fork_at(id, at).id] = self.texts[id][:at]

    @precondition(live)
    @rule(choice=choices, texts=words)
    def append(self, choice, texts):
        id = self.one(Session.objects.live(), choice)
        store.append(id, [a_message(text) for text in texts])
        self.texts[id] = self.texts[id] + texts

    @precondition(live)
    @rule(choice=choices, at=choices, texts=words, undone=st.booleans())
    def rewrite(self, choice, at, texts, undone):
        id = self.one(Session.objects.live(), choice)
        before, known = self.texts[id], set(Session.objects.values_list("pk", flat=True))
        after = before[: at % (len(before) + 1)] + texts
        store.update(id, [a_message(text) for text in after], 1)
        kept = set(Session.objects.values_list("pk", flat=True)) - known
        dropped = after[: len(before)] != before
        assert len(kept) == dropped
        self.texts |= {id: after} | dict.fromkeys(kept, before)
        if undone and dropped:
            cleanup.undo()
            self.texts |= {id: before} | dict.fromkeys(kept, after)
            self.notice()
            assert shown(id) == before

    @precondition(live)
    @rule(
        choice=choices, deed=st.sampled_from(["rename", "tag", "pin", "archive", "delete", "fork_at", "move", "trees"])
    )
    def deed_and_undo(self, choice, deed):
        id = self.one(Session.objects.live(), choice)
        deeds: dict[str, Callable] = {
            "rename": lambda: store.rename(id, f"title {choice}"),
            "tag": lambda: store.tag(id, f"tag{choice}"),
            "pin": lambda: store.pin(id) if Session.objects.get(pk=id).pinned_at is None else store.unpin(id),
            "archive": lambda: (
                store.archive(id) if Session.objects.get(pk=id).archived_at is None else store.unarchive(id)
            ),
            "delete": lambda: store.delete(id),
            "fork_at": lambda: self.texts.update({store.fork_at(id, 0).id: []}),
            "move": lambda: cleanup.act("move", [id], f"project {choice}"),
            "trees": lambda: cleanup.act("trash", cleanup.with_forks([id])),
        }
        before = state()
        deeds[deed]()
        cleanup.undo()
        assert [row for row in state() if row[0] in {known[0] for known in before}] == before

    @rule(choice=choices)
    def trash(self, choice):
        cleanup.act("trash", self.some(Session.objects.live(), choice))

    @rule(choice=choices)
    def restore(self, choice):
        cleanup.act("restore", self.some(Session.objects.trashed(), choice))

    @rule()
    def undo(self):
        before = {id: shown(id) for id in self.texts}
        try:
            entry = cleanup.undo()
        except (AlreadyChanged, JournalEntryNotFound):
            assert {id: shown(id) for id in self.texts} == before
            return
        if entry.action == "rewrite":  # what it had written is what its revision holds now
            after = {id: shown(id) for id in before if Session.objects.filter(pk=id).exists()}
            assert all(texts in before.values() for texts in after.values())
            self.texts = after

    # What maintainers do to projects

    def projects(self, choice: int) -> list[str]:
        """Two of those that the rules put sessions into and merge."""
        found = Project.objects.standing().filter(name__startswith="p-").order_by("pk").values_list("name", flat=True)
        return random.Random(choice).sample(list(found), 2) if len(found) > 1 else []

    @rule(choice=choices, name=st.sampled_from(["p-1", "p-2", "p-3"]))
    def move(self, choice, name):
        cleanup.act("move", self.some(Session.objects.live(), choice), name)

    @rule(choice=choices, undone=st.booleans())
    def merge(self, choice, undone):
        if not (pair := self.projects(choice)):
            return
        before, entry = state(), projects.merge(*pair)
        assert not Session.objects.filter(project__name=pair[0]).exists()
        if undone:
            cleanup.undo(entry.number)
            assert state() == before

    @rule(choice=choices, number=st.integers(0, 5), undone=st.booleans())
    def kill_a_merge(self, choice, number, undone):
        if not (pair := self.projects(choice)):
            return
        before = state()
        with killed_in_transaction(number):
            entry = projects.merge(*pair)
            if undone:
                cleanup.undo(entry.number)
        went_on = cleanup.resume()
        assert not JournalEntry.objects.filter(state__in=("running", "undoing")).exists()
        if went_on and went_on[-1].state == "undone":
            assert state() == before

    @rule(choice=choices)
    def rename_a_project(self, choice):
        for name in self.projects(choice)[:1]:
            with suppress(InvalidProject):  # of another, or of one that was merged
                projects.rename(name, f"p-{choice % 9}")

    @rule()
    def wait(self):
        months_later(self.clock)

    # What clean-up does

    @rule(query=OLD, action=st.sampled_from(["trash", "archive"]), undone=st.booleans())
    def policy(self, query, action, undone):
        policy, before = Policy("old", query, action), state()
        found = cleanup.preview(policy)
        entry = cleanup.run(policy)
        assert entry.done == len(found.sessions)
        if undone:
            cleanup.undo(entry.number)
            assert state() == before

    @rule(query=OLD, number=st.integers(0, 6), action=st.sampled_from(["trash", "archive", "purge"]))
    def kill_a_policy(self, query, number, action):
        policy = Policy("killed", query, action)
        purging.sweep()  # what an earlier kill left, so that bytes can be compared
        found = set(cleanup.preview(policy).sessions)
        before, bytes_before = state(), stored_bytes()
        last = max(JournalEntry.objects.values_list("pk", flat=True), default=0)
        with killed_in_transaction(number):
            cleanup.run(policy)
        begun = JournalEntry.objects.filter(pk__gt=last).exclude(state=JournalEntry.State.PLANNING).exists()
        self.clock.moment += cleanup.PLANNED_BY
        freed = sum(each.freed_bytes for each in cleanup.resume())
        assert not JournalEntry.objects.filter(state__in=("planning", "running", "undoing")).exists()
        if not begun:
            assert (state(), stored_bytes()) == (before, bytes_before)
        elif action == "purge":
            assert not Session.objects.filter(pk__in=found).exists()
            assert bytes_before - stored_bytes() >= freed
        else:
            assert set(Session.objects.trashed() if action == "trash" else Session.objects.archived()) >= set(
                Session.objects.filter(pk__in=found)
            )
        self.notice()

    @rule(query=OLD)
    def purge(self, query):
        policy = Policy("empty", query, "purge")
        found = cleanup.preview(policy)
        purging.sweep()  # what an earlier kill left is not of this one
        before = stored_bytes()
        entry = cleanup.run(policy)
        assert (entry.freed_bytes, before - stored_bytes()) == (found.freed_bytes, found.freed_bytes)
        assert not Session.objects.filter(pk__in=found.sessions).exists()
        self.notice()

    @precondition(lambda self: Session.objects.trashed().exists())
    @rule(choice=choices, number=st.integers(0, 4))
    def kill_a_purge_and_go_on(self, choice, number):
        """Nobody sweeps what it left; others fork, write and purge around it."""
        with killed_in_transaction(number):
            store.purge(self.one(Session.objects.trashed(), choice))
        self.notice()

    # What holds at all times

    @invariant()
    def nothing_is_lost(self):
        assert {id: shown(id) for id in Session.objects.values_list("pk", flat=True)} == self.texts

    @invariant()
    def no_session_is_in_what_stands_for_another_project(self):
        if not JournalEntry.objects.filter(state__in=("running", "undoing")).exists():
            assert not Session.objects.exclude(project__stands_for=None).exists()

    @invariant()
    def no_parent_is_missing(self):
        rows = dict(Session.objects.values_list("pk", "parent"))
        assert {parent for parent in rows.values() if parent} <= rows.keys()

    def teardown(self):
        assert list(store_check.problems()) == []
        purging.sweep()
        assert not Leftover.objects.exists()
        assert list(store_check.problems()) == []


def test_clean_up_in_any_order(the_store, clock, monkeypatch):
    monkeypatch.setattr(cleanup, "BATCH", 2)
    monkeypatch.setattr(purging, "AT_ONCE", 1)  # so that nearly every purge leaves something to sweep
    profile = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))
    run_state_machine_as_test(lambda: CleanUp(clock), settings=profile)
