"""Clean-up in any order: nothing that a live or trashed session needs is lost, and what is told beforehand is true."""

import os
import random

import pytest

from sessions_app import cleanup, store_check
from sessions_app.cleanup import Policy
from sessions_app.errors import JournalEntryNotFound
from sessions_app.models import Session
from tests.builders import a_message, a_session, texts
from tests.store.test_cleanup import months_later, state, stored_bytes

pytestmark = pytest.mark.parametrize("door", ["sync"])
SEEDS = range(200 if os.environ.get("FORKLORE_LONG") == "1" else 6)
STEPS = 40


class Program:
    """Does things at random, and knows which texts every session must have."""

    def __init__(self, store, clock, seed):
        self.store, self.clock, self.random = store, clock, random.Random(seed)
        self.texts: dict = {}

    def some(self, rows):
        ids = sorted(rows.values_list("pk", flat=True), key=str)
        return self.random.sample(ids, min(len(ids), self.random.randint(1, 4)))

    def create(self):
        words = [f"word {self.random.random()}" for _ in range(self.random.randint(1, 4))]
        self.texts[a_session(self.store, *words).id] = words

    def fork(self):
        for id in self.some(Session.objects.live())[:1]:
            at = self.random.randint(0, len(self.texts[id]))
            self.texts[self.store.fork_at(id, at).id] = self.texts[id][:at]

    def append(self):
        for id in self.some(Session.objects.live())[:1]:
            self.store.append(id, [a_message("löng" * self.random.randint(1, 9))])
            self.texts[id] = texts(self.store.get(id))

    def trash(self):
        cleanup.act("trash", self.some(Session.objects.live()))

    def restore(self):
        cleanup.act("restore", self.some(Session.objects.trashed()))

    def age(self):
        months_later(self.clock)

    def do_and_undo(self):
        before = state()
        entry = cleanup.run(Policy("old", "before:90d", self.random.choice(["trash", "archive"])))
        cleanup.undo(entry.number)
        assert state() == before

    def undo(self):
        try:
            cleanup.undo()
        except JournalEntryNotFound:
            self.create()

    def policy(self):
        policy = Policy("old", "before:90d", "trash")
        found = cleanup.preview(policy)
        assert cleanup.run(policy).done == len(found.sessions)

    def purge(self):
        policy = Policy("empty", self.random.choice(["before:90d", "turns:0", "is:root"]), "purge")
        found, before = cleanup.preview(policy), stored_bytes()
        assert cleanup.run(policy).freed_bytes == found.freed_bytes == before - stored_bytes()
        for id in found.sessions:
            del self.texts[id]

    def check(self):
        rows = {row.pk: row for row in Session.objects.all()}
        assert rows.keys() == self.texts.keys()
        assert all(row.parent_id is None or row.parent_id in rows for row in rows.values())
        trashed = [id for id, row in rows.items() if row.trashed_at]
        cleanup.act("restore", trashed)
        assert {id: texts(self.store.get(id)) for id in rows} == self.texts
        assert list(store_check.problems()) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_any_program_loses_nothing_that_is_needed(the_store, clock, seed):
    program = Program(the_store, clock, seed)
    steps = [program.create, program.fork, program.append, program.trash, program.restore, program.age]
    steps += [program.do_and_undo, program.undo, program.policy, program.purge, program.fork, program.create]
    for _ in range(STEPS):
        program.random.choice(steps)()
    program.check()
