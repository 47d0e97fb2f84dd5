"""What a rewrite of a session drops: kept in the trash, put back by undo, and purged with the rest."""

from uuid import uuid4

import pytest

from sessions_app import cleanup, cleanup_rows, store_check
from sessions_app.errors import AlreadyChanged
from sessions_app.models import Message, Session
from tests.builders import a_message, a_session, texts
from tests.store import storage
from tests.store.test_cleanup import stored_bytes

pytestmark = pytest.mark.parametrize("door", ["sync"])
MANY = [f"message {number}" for number in range(60)]  # more than are copied


def rewritten(the_store, before, after):
    session = a_session(the_store, *before)
    the_store.update(session.id, [a_message(text, ("user", "assistant")[n % 2]) for n, text in enumerate(after)], 1)
    return session


REWRITES = {
    "the end is another": (["one", "two", "three"], ["one", "other"]),
    "all is another": (["one", "two"], ["other"]),
    "the end is gone": (["one", "two", "three"], ["one"]),
    "much is another": (MANY, [*MANY[:5], "other"]),
    "much is gone": (MANY, MANY[:5]),
    "nothing is left": (["one"], []),
}


class Rewrites:
    @pytest.mark.parametrize("name", REWRITES)
    def test_are_taken_back(self, the_store, name):
        before, after = REWRITES[name]
        session = rewritten(the_store, before, after)
        assert texts(the_store.get(session.id)) == after

        cleanup.undo()

        found = the_store.get(session.id)
        assert (texts(found), found.turns, found.title) == (before, session.turns, session.title)
        assert found.version == 3
        the_store.append(session.id, [a_message("more")])
        assert texts(the_store.get(session.id)) == [*before, "more"]
        assert list(store_check.problems()) == []

    @pytest.mark.parametrize("name", REWRITES)
    def test_are_restored_as_a_session_of_its_own(self, the_store, name):
        before, after = REWRITES[name]
        session = rewritten(the_store, before, after)
        kept = Session.objects.trashed().get()

        the_store.restore(kept.pk)

        found = the_store.get(kept.pk)
        assert (texts(found), found.parent_id, found.relation) == (before, session.id, "compaction")
        assert texts(the_store.get(session.id)) == after
        assert list(store_check.problems()) == []

    def test_keep_what_the_undo_drops_too(self, the_store):
        session = rewritten(the_store, ["one", "two"], ["one", "other"])
        cleanup.undo()
        kept = Session.objects.trashed().get()
        the_store.restore(kept.pk)
        assert texts(the_store.get(kept.pk)) == ["one", "other"]
        assert texts(the_store.get(session.id)) == ["one", "two"]

    def test_are_not_taken_back_once_somebody_went_on(self, the_store):
        session = rewritten(the_store, ["one", "two"], ["one", "other"])
        the_store.append(session.id, [a_message("more")])
        with pytest.raises(AlreadyChanged):
            cleanup.undo()
        assert texts(the_store.get(session.id)) == ["one", "other", "more"]

    def test_that_drop_nothing_keep_nothing(self, the_store):
        session = a_session(the_store, "one")
        the_store.update(session.id, [a_message("one"), a_message("two", "assistant")], 1)
        assert Session.objects.count() == 1
        assert cleanup.last() is None

    def test_are_told_as_one_write(self, the_store):
        session = a_session(the_store, "one", "two")
        since = storage.newest(the_store)
        the_store.truncate(session.id, 1)
        assert [(change.session, change.kind) for change in storage.changes(the_store, since)] == [
            (session.id, "messages")
        ]


class WhatWasDropped:
    def test_is_not_found(self, the_store):
        rewritten(the_store, ["a needle", "two"], ["other"])
        assert the_store.search("needle", 9) == []

    @pytest.mark.parametrize("name", REWRITES)
    def test_goes_with_its_session_and_counts_in_the_bytes(self, the_store, name):
        session = rewritten(the_store, *REWRITES[name])
        the_store.fork_at(session.id, min(1, len(REWRITES[name][1])))
        the_store.delete(session.id)
        told, before = cleanup_rows.bytes_freed([session.id]), stored_bytes()
        assert cleanup.act("purge", [session.id]).freed_bytes == told == before - stored_bytes() > 0
        assert Session.objects.count() == 1
        assert list(store_check.problems()) == []

    def test_can_be_purged_by_itself(self, the_store):
        session = rewritten(the_store, MANY, MANY[:5])
        the_store.purge(Session.objects.trashed().get().pk)
        assert Message.objects.count() == 5
        with pytest.raises(AlreadyChanged):
            cleanup.undo()
        assert texts(the_store.get(session.id)) == MANY[:5]

    def test_leaves_the_session_its_strand_where_little_was_dropped(self, the_store):
        """So that an agent that writes its last message anew and anew does not copy its session again and again."""
        session = a_session(the_store, *MANY)
        for _ in range(60):
            the_store.truncate(session.id, 59)
            the_store.append(session.id, [a_message(str(uuid4()))])
        assert Session.objects.get(pk=session.id).pieces.count() == 1
