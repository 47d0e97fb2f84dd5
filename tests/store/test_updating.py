"""update: one list of messages takes the place of another, whole."""

from uuid import uuid4

import pytest

from sessions_app.errors import SessionNotFound, VersionConflict
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
