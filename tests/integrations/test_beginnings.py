"""Forks of which no tool says so: found by what they say, marked as inferred, and stored once where they are the same."""

from itertools import permutations

import pytest

from sessions_app import parents
from sessions_app.integrations import file_import
from sessions_app.integrations.importing import import_paths
from sessions_app.models import Message, Session
from tests.integrations.writing import Codex, add, the_session, write
from tests.store import storage

LONG = "At noon, and again at half past midnight, for the moon stands in the south at either end of a tide. " * 3


def bare(name, *texts, home):
    """A rollout without a line that says whose it is, as one that was copied and went on."""
    agent = Codex("the same")
    lines = [agent.answer(text) if index % 2 else agent.prompt(text) for index, text in enumerate(texts)]
    return write(home / "sessions" / f"{name}.jsonl", *lines)


def told(name, *texts, home, minute=0):
    """A rollout with a line of its own at the top, and times of its own."""
    agent = Codex(name)
    lines = [
        agent.meta(),
        *(agent.answer(text) if index % 2 else agent.prompt(text) for index, text in enumerate(texts)),
    ]
    for line in lines:
        line["timestamp"] = line["timestamp"].replace("T03:", f"T{10 + minute}:")
    return write(agent.path(home), *lines)


class ACopyThatWentOn:
    TEXTS = ("When is high tide?", LONG, "And low tide?", "At six.")

    @pytest.fixture
    def copied(self, the_store, tmp_path):
        bare("parent", *self.TEXTS, home=tmp_path)
        bare("child", *self.TEXTS, "And the moon?", "Full.", home=tmp_path)
        return tmp_path

    def test_is_a_fork_that_was_inferred_and_stores_only_what_is_its_own(self, copied):
        summary = import_paths([copied])

        child = the_session("child")
        assert (child.parent, child.relation, child.fork_point) == (the_session("parent"), "fork", 4)
        assert child.relation_inferred
        assert summary.forks_linked == 1
        assert Message.objects.count() == 6
        assert child.message_count == 6
        storage.check()

    def test_is_stored_once_whatever_the_batches_and_whichever_comes_first(self, the_store, tmp_path, monkeypatch):
        monkeypatch.setattr(file_import, "BATCH_MESSAGES", 3)
        bare("z-parent", *self.TEXTS, "one more", "yes", home=tmp_path)
        bare("a-child", *self.TEXTS, "one more", "yes", "And the moon?", "Full.", home=tmp_path)

        import_paths([tmp_path])

        assert Message.objects.count() == 8
        assert the_session("a-child").parent == the_session("z-parent")
        assert the_session("a-child").fork_point == 6
        storage.check()

    def test_grows_and_is_rewritten_apart_from_its_parent(self, the_store, copied):
        import_paths([copied])
        before = the_store.get_messages(the_session("parent").pk)
        add(copied / "sessions" / "child.jsonl", Codex("the same").prompt("more"))
        import_paths([copied])
        bare("child", "Something else", "entirely", home=copied)
        import_paths([copied])

        assert the_store.get_messages(the_session("parent").pk) == before
        assert the_session("child").message_count == 2
        storage.check()

    def test_stays_what_an_admin_says(self, copied):
        import_paths([copied])
        child = the_session("child")
        parents.attach(child.pk, None)
        add(copied / "sessions" / "child.jsonl", Codex("the same").prompt("more"))

        import_paths([copied])

        child.refresh_from_db()
        assert child.parent is None
        assert child.message_count == 7


class SessionsThatSayTheSame:
    def test_under_ids_and_times_of_their_own_are_forks(self, the_store, tmp_path):
        talk = ("When is high tide?", LONG, "And low tide?", "At six.")
        told("one", *talk, home=tmp_path, minute=1)
        told("two", *talk, "More", "Yes", home=tmp_path, minute=2)
        told("three", *talk, "More", "No", home=tmp_path, minute=3)

        import_paths([tmp_path])

        one, two, three = (the_session(Codex(name)) for name in ("one", "two", "three"))
        assert one.parent is None
        assert (two.parent, two.fork_point, two.relation_inferred) == (one, 5, True)
        assert (three.parent, three.fork_point) == (two, 6)
        assert three.message_count == 7

    def test_by_chance_are_none(self, the_store, tmp_path):
        told("one", "Hello", "Hi! How can I help?", "Mend the cart", home=tmp_path, minute=1)
        told("two", "Hello", "Hi! How can I help?", "Mend the horse", home=tmp_path, minute=2)

        import_paths([tmp_path])

        assert not Session.objects.filter(parent__isnull=False).exists()

    @pytest.mark.parametrize("order", [*permutations((0, 1))])
    def test_are_found_in_whichever_order_they_arrive(self, the_store, tmp_path, order):
        talk = ("When is high tide?", LONG)
        homes = [tmp_path / "a", tmp_path / "b"]
        told("one", *talk, home=homes[0], minute=1)
        told("two", *talk, "More", home=homes[1], minute=2)

        for index in order:
            import_paths([homes[index]])

        assert the_session(Codex("two")).parent == the_session(Codex("one"))
