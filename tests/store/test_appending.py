"""append: messages behind the last one."""

from uuid import uuid4

import pytest

from sessions_app.errors import SessionNotFound, VersionConflict
from tests.builders import a_message, a_session, texts


class Appending:
    def test_adds_behind_the_last_message(self, the_store):
        session = a_session(the_store, "one")
        assert the_store.append(session.id, [a_message("two"), a_message("three")]) is None
        the_store.append(session.id, [a_message("four")])
        found = the_store.get(session.id)
        assert texts(found) == ["one", "two", "three", "four"]
        assert found.message_count == 4

    def test_to_a_session_without_messages_starts_it(self, the_store):
        session = the_store.create("demo", [])
        the_store.append(session.id, [a_message("first")])
        found = the_store.get(session.id)
        assert (texts(found), found.title) == (["first"], "first")

    def test_counts_the_version_and_moves_the_time(self, the_store, clock):
        session = a_session(the_store, "one")
        the_store.append(session.id, [a_message("two")])
        found = the_store.get(session.id)
        assert (found.version, found.updated_at, found.created_at) == (2, clock.moment, session.created_at)

    def test_leaves_the_turns_unless_given(self, the_store):
        session = a_session(the_store, "one")
        the_store.append(session.id, [a_message("two")], 4)
        the_store.append(session.id, [a_message("three")])
        assert the_store.get(session.id).turns == 4
        the_store.append(session.id, [a_message("four")], turns=0)
        assert the_store.get(session.id).turns == 0

    def test_refuses_negative_turns(self, the_store):
        session = a_session(the_store, "one")
        with pytest.raises(ValueError, match="turns"):
            the_store.append(session.id, [], -1)

    def test_checks_the_expected_version(self, the_store):
        session = a_session(the_store, "one")
        the_store.append(session.id, [a_message("two")], expected_version=1)
        with pytest.raises(VersionConflict):
            the_store.append(session.id, [a_message("three")], expected_version=1)
        assert texts(the_store.get(session.id)) == ["one", "two"]

    @pytest.mark.parametrize("where", ["nowhere", "trash"])
    def test_refuses_a_missing_session(self, the_store, where):
        id = uuid4() if where == "nowhere" else a_session(the_store, "one").id
        if where == "trash":
            the_store.delete(id)
        with pytest.raises(SessionNotFound, match=str(id)):
            the_store.append(id, [a_message()])

    def test_keeps_the_title_unless_it_had_none(self, the_store):
        session = the_store.create("demo", [a_message("I can help", "assistant")])
        assert session.title == "new session"
        the_store.append(session.id, [a_message("Please do")])
        the_store.append(session.id, [a_message("Go on")])
        assert the_store.get(session.id).title == "Please do"

    def test_after_a_truncating_update_follows_what_is_left(self, the_store):
        session = a_session(the_store, "one", "two", "three")
        the_store.update(session.id, session.messages[:1], 0)
        the_store.append(session.id, [a_message("2")])
        assert texts(the_store.get(session.id)) == ["one", "2"]
