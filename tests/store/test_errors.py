"""A failed call changes nothing, and says in one sentence what was wrong and with which id."""

from uuid import UUID

import pytest

from sessions_app import errors
from sessions_app.errors import (
    InvalidAgent,
    InvalidLineage,
    InvalidMessage,
    InvalidProject,
    InvalidQuery,
    InvalidTitle,
    MessageTooLarge,
    SessionNotFound,
    StoreError,
    VersionConflict,
)
from sessions_app.records import ImportBatch, ImportState, Origin, ParentLink
from tests.builders import a_message, a_session, texts

from .storage import SYNC_DOOR, content

MISSING = UUID("00000000-0000-4000-8000-000000000000")
BAD = [a_message("new"), {"content": float("nan")}]
BIG = [a_message("new"), a_message("x" * 5000)]
ORIGIN = Origin("codex", "/home", "thread-1")


def batch(messages, **more):
    return ImportBatch("brand new", messages, ImportState(lines=len(messages)), **more)


CALLS = {
    "create in no project": (InvalidProject, lambda store, live, trashed: store.create("", [])),
    "create with a bad message": (InvalidMessage, lambda store, live, trashed: store.create("brand new", BAD)),
    "create with a big message": (MessageTooLarge, lambda store, live, trashed: store.create("brand new", BIG)),
    "fork of nothing": (
        SessionNotFound,
        lambda store, live, trashed: store.fork("brand new", MISSING, [a_message()], 0),
    ),
    "fork of the trash": (SessionNotFound, lambda store, live, trashed: store.fork("brand new", trashed, [], 0)),
    "fork with a bad message": (InvalidMessage, lambda store, live, trashed: store.fork("brand new", live, BAD, 0)),
    "fork with negative turns": (ValueError, lambda store, live, trashed: store.fork("brand new", live, [], -1)),
    "fork in no project": (InvalidProject, lambda store, live, trashed: store.fork("\0", live, [], 1)),
    "fork_at of nothing": (SessionNotFound, lambda store, live, trashed: store.fork_at(MISSING, 0, "brand new")),
    "fork_at behind the end": (InvalidLineage, lambda store, live, trashed: store.fork_at(live, 4, "brand new")),
    "fork_at before the start": (InvalidLineage, lambda store, live, trashed: store.fork_at(live, -1, "brand new")),
    "fork_at in no project": (InvalidProject, lambda store, live, trashed: store.fork_at(live, 1, "x" * 256)),
    "update of nothing": (SessionNotFound, lambda store, live, trashed: store.update(MISSING, [], 0)),
    "update of the trash": (SessionNotFound, lambda store, live, trashed: store.update(trashed, [], 0)),
    "update with a bad message": (InvalidMessage, lambda store, live, trashed: store.update(live, BAD, 0)),
    "update with a big message": (MessageTooLarge, lambda store, live, trashed: store.update(live, BIG, 0)),
    "update with negative turns": (ValueError, lambda store, live, trashed: store.update(live, [], -1)),
    "update of another version": (
        VersionConflict,
        lambda store, live, trashed: store.update(live, [], 0, expected_version=9),
    ),
    "append to nothing": (SessionNotFound, lambda store, live, trashed: store.append(MISSING, [a_message()])),
    "append to the trash": (SessionNotFound, lambda store, live, trashed: store.append(trashed, [a_message()])),
    "append of a bad message": (InvalidMessage, lambda store, live, trashed: store.append(live, BAD)),
    "append with negative turns": (ValueError, lambda store, live, trashed: store.append(live, [], -1)),
    "append to another version": (
        VersionConflict,
        lambda store, live, trashed: store.append(live, [], expected_version=9),
    ),
    "rename to nothing": (InvalidTitle, lambda store, live, trashed: store.rename(live, " ")),
    "rename of nothing": (SessionNotFound, lambda store, live, trashed: store.rename(MISSING, "Mine")),
    "rename of the trash": (SessionNotFound, lambda store, live, trashed: store.rename(trashed, "Mine")),
    "delete of nothing": (SessionNotFound, lambda store, live, trashed: store.delete(MISSING)),
    "delete of the trash": (SessionNotFound, lambda store, live, trashed: store.delete(trashed)),
    "restore of the living": (SessionNotFound, lambda store, live, trashed: store.restore(live)),
    "purge of nothing": (SessionNotFound, lambda store, live, trashed: store.purge(MISSING)),
    "purge of the living": (SessionNotFound, lambda store, live, trashed: store.purge(live)),
    "get_messages of nothing": (SessionNotFound, lambda store, live, trashed: store.get_messages(MISSING)),
    "search for nothing": (InvalidQuery, lambda store, live, trashed: store.search("", 9)),
    "search with a negative limit": (ValueError, lambda store, live, trashed: store.search("one", -1)),
    "import of a bad message": (
        InvalidMessage,
        lambda store, live, trashed: store.import_batch(
            ORIGIN, batch(BAD, keep=0, title="new", turns=9), agent="codex"
        ),
    ),
    "import in no project": (
        InvalidProject,
        lambda store, live, trashed: store.import_batch(ORIGIN, ImportBatch("", [], ImportState()), agent="codex"),
    ),
    "link of what was not imported": (
        InvalidLineage,
        lambda store, live, trashed: store.link_parent(Origin("codex", "", "nobody"), ParentLink(ORIGIN, "fork")),
    ),
    "link to itself": (
        InvalidLineage,
        lambda store, live, trashed: store.link_parent(ORIGIN, ParentLink(ORIGIN, "fork")),
    ),
}


class AFailedCall:
    @SYNC_DOOR
    @pytest.mark.parametrize("name", CALLS)
    def test_changes_nothing(self, the_store, settings, name):
        expected, call = CALLS[name]
        settings.FORKLORE_MESSAGE_LIMIT = 1000
        session, trashed = a_session(the_store, "one", "two", "three"), a_session(the_store, "four")
        the_store.fork_at(session.id, 2)
        the_store.import_batch(ORIGIN, batch([a_message("five")]), agent="codex")
        the_store.delete(trashed.id)
        before = content()
        with pytest.raises(expected):
            call(the_store, session.id, trashed.id)
        assert content() == before

    def test_leaves_the_store_fit_for_the_next_one(self, the_store, settings):
        settings.FORKLORE_MESSAGE_LIMIT = 1000
        session = a_session(the_store, "one")
        the_store.import_batch(ORIGIN, batch([a_message("five")]), agent="codex")
        for expected, call in CALLS.values():
            with pytest.raises(expected):
                call(the_store, session.id, MISSING)
        the_store.append(session.id, [a_message("two")])
        assert the_store.get(session.id).message_count == 2


class Errors:
    def test_share_one_base(self):
        classes = [value for value in vars(errors).values() if getattr(value, "__module__", "") == errors.__name__]
        assert len(classes) > 8
        assert all(issubclass(value, StoreError) for value in classes)

    def test_say_in_one_sentence_what_was_wrong_with_which_id(self, the_store):
        session = a_session(the_store, "one")
        for call in (
            lambda: the_store.update(MISSING, [], 0),
            lambda: the_store.purge(MISSING),
            lambda: the_store.update(session.id, [], 0, expected_version=9),
            lambda: the_store.fork_at(session.id, 9),
        ):
            with pytest.raises(StoreError) as caught:
                call()
            sentence = str(caught.value)
            assert sentence.endswith(".")
            assert "\n" not in sentence
            assert str(MISSING) in sentence or str(session.id) in sentence


class WhatNoDatabaseTakes:
    """Refused alike on both, though each has limits of its own."""

    @pytest.mark.parametrize("turns", [-1, 2**31, 2**63])
    def test_turns(self, the_store, turns):
        session = a_session(the_store, "one")
        with pytest.raises(ValueError, match="turns"):
            the_store.append(session.id, [a_message("two")], turns)
        assert texts(the_store.get(session.id)) == ["one"]

    @pytest.mark.parametrize("agent", ["a" * 41, "a\0b", "\ud800"])
    def test_an_agent(self, the_store, agent):
        with pytest.raises(InvalidAgent):
            the_store.create("demo", [a_message()], agent=agent)
        assert the_store.find_by_id_prefix("", 9) == []

    def test_an_id_that_is_no_uuid(self, the_store):
        session = a_session(the_store, "one")
        with pytest.raises(TypeError, match="UUID"):
            the_store.get(str(session.id))

    def test_but_a_limit_may_be_as_large_as_it_likes(self, the_store):
        session = a_session(the_store, "one")
        assert the_store.list_by_project("demo", 2**70) == [session]
        assert [hit.id for hit in the_store.search("one", 2**70)] == [session.id]
