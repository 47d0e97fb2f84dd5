"""The journal of single deeds: who did what, what takes it back, and when that is refused."""

import pytest

from sessions_app import actors, cleanup, store_check
from sessions_app.access.models import AuditEntry
from sessions_app.actors import Actor, the_owner
from sessions_app.errors import AlreadyChanged, JournalEntryNotFound
from sessions_app.models import JournalEntry, JournalItem, Session
from tests.builders import a_message, a_session, texts
from tests.store.test_cleanup import state

pytestmark = pytest.mark.parametrize("door", ["sync"])

ANN = Actor("user", "Ann", actors.EVERYTHING, user_id=1, unrestricted=True)
OTHER_ANN = Actor("token", "Ann", actors.EVERYTHING, user_id=2, unrestricted=True)


def everything():
    """All that a deed may change of sessions, their tags included."""
    return state(), sorted(Session.objects.values_list("pk", "project__name", "title_source", "tags__name"), key=str)


def a_tagged(the_store):
    session = a_session(the_store, "one", "two")
    the_store.tag(session.id, "old")
    return session


DEEDS = {
    "rename": lambda store, one: store.rename(one, "Another title"),
    "tag": lambda store, one: store.tag(one, "new"),
    "untag": lambda store, one: store.untag(one, "old"),
    "pin": lambda store, one: store.pin(one),
    "archive": lambda store, one: store.archive(one),
    "trash": lambda store, one: store.delete(one),
    "move": lambda store, one: cleanup.act("move", [one], "elsewhere"),
}


class Deeds:
    @pytest.mark.parametrize("deed", DEEDS)
    def test_are_in_the_journal_and_can_be_taken_back(self, the_store, deed):
        session = a_tagged(the_store)
        before = everything()
        DEEDS[deed](the_store, session.id)
        assert everything() != before
        entry = cleanup.entries()[0]
        assert (entry.action, entry.done, entry.state) == (deed, 1, "done")
        assert cleanup.undo().number == entry.number
        assert everything() == before
        assert list(store_check.problems()) == []

    @pytest.mark.parametrize(
        ("deed", "back"), [("pin", "unpin"), ("archive", "unarchive"), ("delete", "restore")], ids=str
    )
    def test_that_take_something_off_are_too(self, the_store, deed, back):
        session = a_session(the_store, "one")
        getattr(the_store, deed)(session.id)
        before = everything()
        getattr(the_store, back)(session.id)
        assert everything() != before
        cleanup.undo()
        assert everything() == before

    def test_on_all_tags_at_once_are_one_after_the_other(self, the_store):
        session = a_tagged(the_store)
        the_store.set_tags(session.id, ["new"])
        for _ in range(2):
            cleanup.undo()
        assert the_store.tags(session.id) == ["old"]

    def test_that_change_nothing_are_not_in_it(self, the_store):
        session = a_tagged(the_store)
        the_store.rename(session.id, "Title")
        number = cleanup.last().number
        the_store.tag(session.id, "old")
        the_store.rename(session.id, "Title")
        the_store.unpin(session.id)
        assert cleanup.last().number == number

    def test_leave_a_fork_in_the_trash_when_it_is_taken_back(self, the_store):
        session = a_session(the_store, "one", "two")
        forks = [the_store.fork_at(session.id, 1), the_store.fork("demo", session.id, [a_message("one")], 0)]
        for fork in reversed(forks):
            assert cleanup.last().action == "fork"
            cleanup.undo()
            assert the_store.get(fork.id) is None
        the_store.restore(forks[0].id)
        assert texts(the_store.get(forks[0].id)) == ["one"]

    def test_tell_their_actor_and_leave_no_content_in_the_audit_log(self, the_store):
        session = a_session(the_store, "one")
        with actors.acting(ANN):
            the_store.rename(session.id, "A secret")
            cleanup.undo()
        assert cleanup.entries()[0].actor == "Ann"
        assert {entry.actor_name for entry in AuditEntry.objects.all()} == {"Ann"}
        assert "secret" not in str(list(AuditEntry.objects.values()))

    def test_leave_no_title_behind_once_the_session_is_purged(self, the_store):
        session = a_session(the_store, "one secret")
        the_store.rename(session.id, "another secret")
        the_store.delete(session.id)
        the_store.purge(session.id)
        assert "secret" not in str(list(JournalEntry.objects.values()) + list(JournalItem.objects.values()))


class Undo:
    def test_takes_back_the_last_of_whoever_asks(self, the_store):
        one, two = a_session(the_store, "one"), a_session(the_store, "two")
        with actors.acting(ANN):
            the_store.pin(one.id)
        with actors.acting(OTHER_ANN):
            the_store.archive(two.id)
        with actors.acting(ANN):
            assert cleanup.last().action == "pin"
            cleanup.undo()
            assert cleanup.last() is None
            with pytest.raises(JournalEntryNotFound):
                cleanup.undo()
        assert Session.objects.get(pk=one.id).pinned_at is None
        assert Session.objects.get(pk=two.id).archived_at is not None

    def test_refuses_where_the_session_has_moved_on_and_then_goes_on_with_the_one_before(self, the_store):
        session = a_session(the_store, "one")
        fork = the_store.fork_at(session.id, 1)
        the_store.append(fork.id, [a_message("more")])
        the_store.rename(session.id, "First")
        with actors.acting(the_owner()):
            the_store.pin(session.id)
        the_store.rename(session.id, "Second")
        with pytest.raises(AlreadyChanged, match="changed since"):
            cleanup.undo(cleanup.entries()[2].number)
        assert the_store.get(session.id).title == "Second"
        with pytest.raises(AlreadyChanged):
            cleanup.undo(cleanup.entries()[3].number)
        assert the_store.get(fork.id).message_count == 2

    def test_of_many_takes_back_what_still_stands(self, the_store):
        one, two = a_session(the_store, "one"), a_session(the_store, "two")
        entry = cleanup.act("tag", [one.id, two.id], "new")
        the_store.untag(one.id, "new")
        cleanup.undo(entry.number)
        assert the_store.tags(one.id) == the_store.tags(two.id) == []

    def test_derives_a_title_anew_that_nobody_gave(self, the_store):
        session = the_store.create("demo", [])
        the_store.rename(session.id, "Title")
        the_store.append(session.id, [a_message("What I asked")])
        cleanup.undo()
        assert the_store.get(session.id).title == "What I asked"
        assert list(store_check.problems()) == []
