"""update: one list of messages takes the place of another, whole."""

from uuid import uuid4

import pytest

from sessions_app.errors import InvalidMessage, SessionNotFound, VersionConflict
from tests.builders import a_message, a_session, texts

from .storage import SYNC_DOOR

LISTS = [[], ["one"], ["one", "two", "three", "four"], ["one", "TWO", "three"], ["zero", "one"]]


def messages_of(given):
    return [a_message(text) for text in given]


class Updating:
    @SYNC_DOOR
    @pytest.mark.parametrize("before", LISTS)
    @pytest.mark.parametrize("after", LISTS)
    def test_replaces_all_messages(self, the_store, before, after):
        session = the_store.create("demo", messages_of(before))
        assert the_store.update(session.id, messages_of(after), 3) is None
        found = the_store.get(session.id)
        assert texts(found) == after
        assert (found.message_count, found.turns) == (len(after), 3)

    def test_counts_the_version_and_moves_the_time(self, the_store, clock):
        session = a_session(the_store, "one")
        for number in (2, 3, 4):
            the_store.update(session.id, messages_of(["one"] * number), number)
            found = the_store.get(session.id)
            assert (found.version, found.turns, found.updated_at) == (number, number, clock.moment)
        assert found.created_at == session.created_at

    def test_leaves_what_it_is_not_about(self, the_store):
        parent = a_session(the_store, "one")
        child = the_store.fork("other", parent.id, parent.messages, 1)
        the_store.update(child.id, messages_of(["two"]), 2)
        found = the_store.get(child.id)
        assert (found.id, found.project, found.parent_id, found.relation) == (child.id, "other", parent.id, "fork")
        assert the_store.get(parent.id) == parent

    def test_can_set_the_turns_back(self, the_store):
        session = a_session(the_store, "one")
        the_store.update(session.id, session.messages, 5)
        the_store.update(session.id, session.messages, 0)
        assert the_store.get(session.id).turns == 0

    def test_refuses_negative_turns(self, the_store):
        session = a_session(the_store, "one")
        with pytest.raises(ValueError, match="turns"):
            the_store.update(session.id, [], -1)
        assert the_store.get(session.id) == session

    @pytest.mark.parametrize("where", ["nowhere", "trash"])
    def test_refuses_a_missing_session(self, the_store, where):
        id = uuid4() if where == "nowhere" else a_session(the_store, "one").id
        if where == "trash":
            the_store.delete(id)
        with pytest.raises(SessionNotFound, match=str(id)):
            the_store.update(id, [], 0)

    def test_derives_the_title_anew_while_nobody_gave_one(self, the_store):
        session = a_session(the_store, "first")
        the_store.update(session.id, messages_of(["second", "third"]), 1)
        assert the_store.get(session.id).title == "second"
        the_store.update(session.id, [], 1)
        assert the_store.get(session.id).title == "new session"

    def test_keeps_a_title_that_a_person_gave(self, the_store):
        session = a_session(the_store, "first")
        the_store.rename(session.id, "Mine")
        the_store.update(session.id, messages_of(["second"]), 1)
        found = the_store.get(session.id)
        assert (found.title, found.title_source) == ("Mine", "user")


class ATurnAfterTheOther:
    """From the third update in a process on, what a list shares with the one before is compared as one text."""

    @pytest.fixture
    def messages(self, the_store):
        """With a null in the second, and known: the session was updated with them several times."""
        return [a_message("one"), {"role": "user", "content": "two", "meta": None}, a_message("three")]

    @pytest.fixture
    def session(self, the_store, messages):
        session = the_store.create("demo", messages)
        for turns in (1, 2, 3):
            the_store.update(session.id, messages, turns)
        return session

    def test_goes_on_from_what_is_there(self, the_store, session, messages):
        for turns in (4, 5, 6):
            messages.append(a_message(f"turn {turns}", "assistant"))
            the_store.update(session.id, messages, turns)
            found = the_store.get(session.id)
            assert (found.messages, found.turns, found.version) == (messages, turns, turns + 1)

    def test_sees_what_was_changed_in_place(self, the_store, session, messages):
        messages[0]["content"] = "ONE"
        the_store.update(session.id, [*messages, a_message("four")], 4)
        assert texts(the_store.get(session.id)) == ["ONE", "two", "three", "four"]

    def test_sees_what_another_has_written_meanwhile(self, the_store, session, messages):
        the_store.append(session.id, [a_message("by another")])
        the_store.update(session.id, [*messages, a_message("four")], 4)
        assert texts(the_store.get(session.id)) == ["one", "two", "three", "four"]

    def test_can_go_back(self, the_store, session, messages):
        the_store.update(session.id, messages[:1], 4)
        the_store.update(session.id, messages[:1], 4)
        the_store.update(session.id, messages[:2], 4)
        assert the_store.get(session.id).messages == messages[:2]

    def test_refuses_what_is_written_like_a_null(self, the_store, session, messages):
        messages[1]["meta"] = float("nan")
        with pytest.raises(InvalidMessage, match="1"):
            the_store.update(session.id, [*messages, a_message("four")], 4)
        assert texts(the_store.get(session.id)) == ["one", "two", "three"]

    @pytest.mark.parametrize("bad", ["text", {"role": "user", "content": float("inf")}, {1: 2}])
    def test_names_the_position_of_what_it_refuses(self, the_store, session, messages, bad):
        with pytest.raises(InvalidMessage) as caught:
            the_store.update(session.id, [*messages, a_message("four"), bad], 4)
        assert caught.value.position == 4
        assert texts(the_store.get(session.id)) == ["one", "two", "three"]

    @pytest.mark.parametrize(
        "odd", [{"role": "user", "content": "\ud800"}, {"role": "user", "content": "n", "n": 2**70}]
    )
    def test_takes_what_only_the_standard_library_can_write(self, the_store, session, messages, odd):
        for turns in (4, 5, 6):
            messages.append(odd)
            the_store.update(session.id, messages, turns)
            assert the_store.get(session.id).messages == messages

    def test_writes_nothing_at_another_version(self, the_store, session, messages):
        with pytest.raises(VersionConflict):
            the_store.update(session.id, [*messages, a_message("four")], 4, expected_version=1)
        assert texts(the_store.get(session.id)) == ["one", "two", "three"]

    def test_misses_a_session_that_is_gone(self, the_store, session, messages):
        the_store.delete(session.id)
        with pytest.raises(SessionNotFound):
            the_store.update(session.id, messages, 4)


class ExpectingAVersion:
    def test_writes_if_nobody_else_did(self, the_store):
        session = a_session(the_store, "one")
        the_store.update(session.id, messages_of(["two"]), 1, expected_version=1)
        the_store.update(session.id, messages_of(["three"]), 1, expected_version=2)
        assert texts(the_store.get(session.id)) == ["three"]

    @pytest.mark.parametrize("expected", [0, 1, 3])
    def test_writes_nothing_at_another_version(self, the_store, expected):
        session = a_session(the_store, "one")
        the_store.update(session.id, messages_of(["two"]), 1)
        before = the_store.get(session.id)
        with pytest.raises(VersionConflict) as caught:
            the_store.update(session.id, messages_of(["three"]), 2, expected_version=expected)
        assert (caught.value.id, caught.value.expected, caught.value.actual) == (session.id, expected, 2)
        assert the_store.get(session.id) == before

    def test_is_not_troubled_by_a_rename(self, the_store):
        session = a_session(the_store, "one")
        the_store.rename(session.id, "Mine")
        the_store.update(session.id, messages_of(["two"]), 1, expected_version=session.version)
        assert texts(the_store.get(session.id)) == ["two"]
