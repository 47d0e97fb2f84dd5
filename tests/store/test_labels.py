"""What people put on a session: a pin, the archive, tags. Nothing of it is a write of messages."""

from uuid import uuid4

import pytest

from sessions_app.errors import InvalidTag, SessionNotFound
from tests.builders import a_session


class Labels:
    def test_leave_messages_version_and_times_as_they_are(self, the_store):
        session = a_session(the_store, "hello")

        the_store.pin(session.id)
        the_store.archive(session.id)
        the_store.tag(session.id, "keep")

        assert the_store.get(session.id) == session

    def test_can_be_put_on_twice_and_taken_off_twice(self, the_store):
        session = a_session(the_store, "hello")
        for _ in range(2):
            the_store.pin(session.id)
            the_store.tag(session.id, "keep")
        assert the_store.tags(session.id) == ["keep"]

        for _ in range(2):
            the_store.unpin(session.id)
            the_store.unarchive(session.id)
            the_store.untag(session.id, "keep")

        assert the_store.tags(session.id) == []
        assert the_store.search("hello", 1, filters="is:pinned") == []

    def test_come_back_with_a_restored_session_and_go_with_a_purged_one(self, the_store):
        session = a_session(the_store, "hello")
        the_store.tag(session.id, "keep")
        the_store.delete(session.id)
        the_store.restore(session.id)
        assert the_store.tags(session.id) == ["keep"]

        the_store.delete(session.id)
        the_store.purge(session.id)
        with pytest.raises(SessionNotFound):
            the_store.tags(session.id)

    def test_are_for_live_sessions(self, the_store):
        trashed = a_session(the_store, "hello").id
        the_store.delete(trashed)

        for id in (trashed, uuid4()):
            for change in (the_store.pin, the_store.unpin, the_store.archive, the_store.unarchive):
                with pytest.raises(SessionNotFound):
                    change(id)
            for change in (the_store.tag, the_store.untag):
                with pytest.raises(SessionNotFound):
                    change(id, "keep")


class Tags:
    def test_are_sorted_and_folded(self, the_store):
        session = a_session(the_store, "hello")
        for name in ("zeta", " Alpha ", "ÉCLAIR", "éclair", "中文", "a-b/c"):
            the_store.tag(session.id, name)

        assert the_store.tags(session.id) == sorted(["zeta", "alpha", "éclair", "中文", "a-b/c"])

    @pytest.mark.parametrize("name", ["", "  ", "two words", 'quo"te', "a\0b", "x" * 51, "\ud800", "a\nb"])
    def test_without_sense_are_refused(self, the_store, name):
        session = a_session(the_store, "hello")

        with pytest.raises(InvalidTag):
            the_store.tag(session.id, name)
        assert the_store.tags(session.id) == []
