"""The ledger: own, inherited and family figures, by which no message is counted twice."""

import importlib
import json
import os
import random
from dataclasses import replace
from types import SimpleNamespace

import pytest

from sessions_app import cleanup, databases, ledger, piece_table, store_check, store_repair
from sessions_app.actors import acting, the_owner
from sessions_app.ledger import Account, Amount
from sessions_app.models import Project, Session, TokenTotal
from tests.builders import a_message, a_session

from . import storage

pytestmark = storage.SYNC_DOOR
SEEDS = range(200 if os.environ.get("FORKLORE_LONG") == "1" else 8)
STEPS = 45


def messages_of(count, words="word"):
    return [a_message(f"{words} {number}") for number in range(count)]


def answer(tokens, response=""):
    return {"role": "assistant", "content": "done", "id": response, "usage": {"output_tokens": tokens}}


class AFamily:
    def test_of_a_hundred_and_a_fork_of_a_hundred_and_fifty_is_a_hundred_and_fifty(self, the_store):
        a = the_store.create("demo", messages_of(100))
        b = the_store.fork_at(a.id, 100)
        the_store.append(b.id, messages_of(50, "more"))

        accounts = ledger.accounts([a.id, b.id])

        assert accounts[a.id].own.messages == 100
        assert accounts[a.id].inherited == Amount()
        assert (accounts[b.id].inherited.messages, accounts[b.id].own.messages) == (100, 50)
        assert accounts[b.id].inherited == accounts[a.id].own
        assert ledger.family(a.id) == accounts[a.id].own + accounts[b.id].own
        assert ledger.family(a.id).messages == 150
        assert ledger.family(b.id).messages == 150  # it shows them all, whoever wrote them

    def test_counts_once_what_a_fork_wrote_again(self, the_store):
        a = the_store.create("demo", messages_of(10))
        b = the_store.fork_at(a.id, 4)
        the_store.append(b.id, messages_of(12)[4:])

        assert ledger.accounts([b.id])[b.id].inherited.messages == 10
        assert ledger.family(a.id).messages == 12

    def test_counts_once_what_a_long_chain_copied(self, the_store, monkeypatch):
        monkeypatch.setattr(piece_table, "PIECE_LIMIT", 3)
        root = session = a_session(the_store, "one", "two")
        for number in range(7):
            the_store.append(session.id, [a_message(f"left behind {number}")])
            session = the_store.fork_at(session.id, 2 + number)
            the_store.append(session.id, [a_message(f"further {number}")])

        assert storage.message_rows() > ledger.family(root.id).messages == 2 + 2 * 7
        storage.check()

    def test_holds_what_its_parent_has_dropped(self, the_store):
        a = the_store.create("demo", messages_of(10))
        forks = [the_store.fork_at(a.id, 10) for _ in range(2)]
        the_store.truncate(a.id, 3)

        assert ledger.accounts([forks[0].id])[forks[0].id].inherited.messages == 3
        assert ledger.family(a.id).messages == 10

    def test_is_held_together_by_what_is_in_the_trash(self, the_store):
        a = the_store.create("demo", messages_of(10))
        b = the_store.fork_at(a.id, 5)
        the_store.append(b.id, messages_of(10, "b"))
        c = the_store.fork_at(b.id, 6)
        the_store.delete(b.id)

        assert ledger.family(a.id).messages == 11
        assert ledger.families(a.id)[b.id].messages == 6
        assert ledger.accounts([b.id])[b.id].own.messages == 10

        the_store.purge(b.id)

        assert ledger.family(a.id).messages == 11
        assert ledger.accounts([c.id])[c.id] == Account(*_split(ledger.accounts([c.id])[c.id], 5, 1))

    def test_of_a_project_is_told_anew_after_whatever_changes_it(self, the_store, monkeypatch):
        a = the_store.create("demo", messages_of(10))
        project = Project.objects.get(name="demo").pk
        fork = the_store.fork_at(a.id, 5)
        far = the_store.fork_at(a.id, 5, "elsewhere")
        steps = [
            (lambda: None, 10),
            (lambda: the_store.append(fork.id, messages_of(3, "b")), 13),
            (lambda: the_store.delete(a.id), 8),
            (lambda: the_store.append(far.id, messages_of(7, "c")), 8),
            (lambda: cleanup.act("move", [far.id], "demo"), 15),
            (lambda: the_store.purge(a.id), 15),
            (lambda: cleanup.act("move", [fork.id], "elsewhere"), 12),
        ]
        for step, count in steps:
            step()
            assert ledger.of_project(project).messages == count

        storage.settled()
        ledger.of_project(project)
        monkeypatch.setattr(ledger, "together", None)
        the_store.append(fork.id, [a_message("in another project")])
        assert ledger.of_project(project).messages == 12  # it was not counted again

    def test_shows_nobody_what_they_may_not_see(self, the_store):
        a = a_session(the_store, "one", "two", project="hidden")
        b = the_store.fork_at(a.id, 2, project="shown")
        the_store.append(b.id, [a_message("three")])

        shown = Project.objects.get(name="shown").pk
        with acting(replace(the_owner(), projects=frozenset([shown]))):
            assert a.id not in ledger.accounts([a.id, b.id])
            assert ledger.accounts([b.id])[b.id].inherited == Amount()
            assert ledger.family(a.id) == Amount()


def _split(account, inherited, own):
    assert (account.inherited.messages, account.own.messages) == (inherited, own)
    return account.inherited, account.own


class Tokens:
    def test_are_counted_once_a_response_however_many_messages_tell_of_it(self, the_store):
        session = the_store.create("demo", [a_message(), answer(3, "r1"), answer(20, "r1")])
        the_store.append(session.id, [answer(20, "r1"), answer(5, "r2"), answer(5), answer(5)])

        assert ledger.family(session.id).tokens == 20 + 5 + 5 + 5

    def test_of_a_fork_are_its_own_and_what_it_inherits(self, the_store):
        a = the_store.create("demo", [a_message(), answer(7, "r1"), a_message("go on"), answer(9, "r2")])
        b = the_store.fork_at(a.id, 2)
        the_store.append(b.id, [answer(8, "r1"), answer(100, "r3")])

        account = ledger.accounts([b.id])[b.id]

        assert (account.inherited.tokens, account.own.tokens) == (7, 101)
        assert ledger.family(a.id).tokens == 7 + 9 + 101

    def test_are_counted_again_for_what_was_written_before_they_were(self, the_store):
        _with_tokens(the_store)
        before = storage.content()
        TokenTotal.objects.all().delete()
        migration = importlib.import_module("sessions_app.migrations.0012_token_totals")

        migration.count(None, SimpleNamespace(connection=databases.connection()))

        assert storage.content() == before

    def test_are_looked_at_by_check_store_and_mended(self, the_store):
        strand = _with_tokens(the_store)
        before = storage.content()["forklore_tokentotal"]
        TokenTotal.objects.filter(strand=strand).update(total=1)
        assert list(store_check.problems()) == [
            f"The tokens of strand {strand} are not counted as its messages record them."
        ]

        assert f"Counted the tokens of strand {strand}." in list(store_repair.repair())

        assert storage.content()["forklore_tokentotal"] == before
        assert list(store_check.problems()) == []

    def test_that_no_database_could_add_up_do_not_keep_a_message_out(self, the_store):
        session = the_store.create("demo", [answer(2**53 - 1) for _ in range(1100)])

        assert the_store.get(session.id).message_count == 1100


def _with_tokens(store):
    """Forks that go on with a response of their parent; the strand of the last one."""
    a = store.create("demo", [a_message(), answer(7, "r1"), answer(9, "r1"), a_message("no tokens here")])
    b = store.fork_at(a.id, 2)
    store.append(b.id, [answer(8, "r1"), a_message("go on"), answer(4)])
    c = store.fork_at(b.id, 4)
    store.append(c.id, [answer(2), answer(20, "r2"), answer(21, "r2")])
    return Session.objects.get(pk=c.id).strand_id


class Program:
    """Does things at random to sessions, among them whatever makes two strands hold the same messages."""

    def __init__(self, store, seed):
        self.store, self.random = store, random.Random(seed)
        for _ in range(2):
            self.store.create("demo", self.some_messages())

    def some_messages(self):
        """Of few kinds, so that forks often write the same."""
        kinds = [a_message("a"), a_message("b"), answer(3, "r"), answer(5, "r"), answer(2)]
        return self.random.choices(kinds, k=self.random.randint(0, 4))

    def one(self, **condition):
        rows = Session.objects.filter(**condition).values_list("pk", "message_count")
        return self.random.choice(sorted(rows, key=lambda row: row[0].int)) if rows else (None, 0)

    def step(self):
        id, count = self.one(trashed_at=None)
        if id is None:
            self.store.create("demo", self.some_messages())
            return
        at = self.random.randint(0, count)
        match self.random.choice("create fork fork sent append append update truncate delete restore purge".split()):
            case "create":
                self.store.create("demo", self.some_messages())
            case "fork":
                self.store.fork_at(id, at)
            case "sent":
                self.store.fork("demo", id, self.store.get_messages(id, 0, at) + self.some_messages(), 1)
            case "append":
                self.store.append(id, self.some_messages())
            case "update":
                self.store.update(id, self.store.get_messages(id, 0, at) + self.some_messages(), 1)
            case "truncate":
                self.store.truncate(id, at)
            case "delete":
                self.store.delete(id)
            case other:
                trashed, _ = self.one(trashed_at__isnull=False)
                if trashed:
                    getattr(self.store, other)(trashed)


class BruteForce:
    """The same figures out of all messages, each known by itself and all before it."""

    def __init__(self, store):
        self.rows = {row.pk: row for row in Session.objects.all()}
        self.worth = {}  # bytes and tokens of a message, by what leads up to it
        self.shown = {}
        for id, row in self.rows.items():
            if row.trashed_at:
                store.restore(id)
            messages = store.get_messages(id)
            if row.trashed_at:
                store.delete(id)
            self.shown[id] = self.prefixes(messages)

    def prefixes(self, messages):
        found, before = [], ()
        for message, tokens in zip(messages, storage.counted_tokens(messages), strict=True):
            text = json.dumps(message, separators=(",", ":"))
            before = (hash(before), text)
            self.worth[before] = (len(text), tokens or 0)
            found.append(before)
        return found

    def amount(self, prefixes):
        worths = [self.worth[each] for each in prefixes]
        return Amount(len(worths), sum(size for size, _ in worths), sum(tokens for _, tokens in worths))

    def account(self, id):
        parent = self.rows[id].parent_id
        shared = set(self.shown[parent]) if parent else set()
        mine = self.shown[id]
        return Account(
            self.amount([each for each in mine if each in shared]),
            self.amount([each for each in mine if each not in shared]),
        )

    def family(self, id):
        below = {id}
        while more := {each for each, row in self.rows.items() if row.parent_id in below} - below:
            below |= more
        return self.amount(set().union(*(self.shown[each] for each in below if not self.rows[each].trashed_at)))


@pytest.mark.parametrize("seed", SEEDS)
def test_any_program_leaves_the_figures_that_brute_force_finds(the_store, monkeypatch, seed):
    monkeypatch.setattr(piece_table, "PIECE_LIMIT", 3)  # so that many are copied into strands of their own
    program = Program(the_store, seed)
    for _ in range(STEPS):
        program.step()

    truth = BruteForce(the_store)

    assert ledger.accounts(truth.rows) == {id: truth.account(id) for id in truth.rows}
    for root in (id for id, row in truth.rows.items() if row.parent_id is None):
        assert ledger.families(root) == {
            id: truth.family(id) for id in truth.rows if root in _ancestors(truth.rows, id)
        }
    live = [id for id, row in truth.rows.items() if not row.trashed_at]
    assert ledger.together(live) == truth.amount(set().union(*(truth.shown[id] for id in live)))
    storage.check()


def _ancestors(rows, id):
    found = [id]
    while (id := rows[id].parent_id) is not None:
        found.append(id)
    return found
