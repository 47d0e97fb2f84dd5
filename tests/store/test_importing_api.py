"""Importing: sessions that another tool wrote, in batches, with parents that may arrive later."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sessions_app.errors import InvalidLineage, SessionNotFound, SessionPurged
from sessions_app.records import ImportBatch, ImportState, Origin, ParentLink
from tests.builders import a_message, texts

from .storage import check, content, message_rows

LONG_AGO = datetime(2020, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)


def origin(id="thread-1", **more):
    return replace(Origin("codex", "/home/ann/code", id), **more)


def batch(*given, before=0, **more):
    """A batch of one message a text; `before` lines were read earlier."""
    lines = before + len(given)
    state = ImportState("/rollout.jsonl", lines * 10, 5, lines * 10, f"{lines:064x}", lines, 0, {"lines": lines})
    return replace(ImportBatch("/home/ann/code", [a_message(text) for text in given], state), **more)


def imported(store, id, *given, **more):
    return store.import_batch(origin(id), batch(*given, **more), agent="codex")


def link(parent, relation="fork", **more):
    return replace(ParentLink(origin(parent), relation), **more)


class TheFirstBatch:
    def test_creates_the_session(self, the_store):
        record = imported(the_store, "thread-1", "one", "two", turns=3)
        found = the_store.get(record.id)
        assert (found.project, found.turns, found.version, texts(found)) == ("/home/ann/code", 3, 1, ["one", "two"])
        assert (found.parent_id, found.relation, found.title, found.title_source) == (None, None, "one", "derived")
        assert replace(found, messages=[]) == replace(record, messages=[])

    def test_takes_the_times_of_the_transcript(self, the_store):
        record = imported(the_store, "thread-1", "one", created_at=LONG_AGO, updated_at=LONG_AGO + HOUR)
        found = the_store.get(record.id)
        assert (found.created_at, found.updated_at) == (LONG_AGO, LONG_AGO + HOUR)

    def test_puts_the_session_where_its_time_belongs(self, the_store):
        now = the_store.create("/home/ann/code", [a_message()])
        old = imported(the_store, "thread-1", "one", created_at=LONG_AGO, updated_at=LONG_AGO)
        assert [session.id for session in the_store.list_by_project("/home/ann/code", 9)] == [now.id, old.id]

    def test_never_ends_a_session_before_it_began(self, the_store):
        record = imported(the_store, "thread-1", "one", created_at=LONG_AGO, updated_at=LONG_AGO - HOUR)
        assert record.updated_at >= record.created_at

    def test_may_be_without_messages(self, the_store):
        record = imported(the_store, "thread-1")
        assert the_store.get(record.id).messages == []


class TheState:
    def test_is_unknown_before_the_first_batch(self, the_store):
        assert the_store.import_state(origin()) is None

    def test_is_that_of_the_last_batch(self, the_store):
        record = imported(the_store, "thread-1", "one")
        assert the_store.import_state(origin()) == (record.id, batch("one").state)
        imported(the_store, "thread-1", "two", before=1)
        assert the_store.import_state(origin()) == (record.id, batch("two", before=1).state)

    @pytest.mark.parametrize(
        "changed",
        [
            {"detail": {"text": "a\0\ud800", "number": 2**70, "list": [1, {"b": 1, "a": 2}]}},
            {"path": "/tmp/" + "ü" * 3000},
            {"path": os.fsdecode(b"/tmp/caf\xe9.jsonl")},
            {"size": 2**62, "offset": 2**62, "mtime_ns": 2**62},
            {"mtime_ns": -1},
            {"unreadable": 7, "lines": 9},
        ],
    )
    def test_comes_back_as_it_was_given(self, the_store, changed):
        given = replace(batch("one").state, **changed)
        the_store.import_batch(origin(), replace(batch("one"), state=given), agent="codex")
        assert the_store.import_state(origin())[1] == given

    @pytest.mark.parametrize(
        "other",
        [
            {"source": "claude-code"},
            {"project_key": "/elsewhere"},
            {"external_id": "Thread-1"},
            {"subpath": "subagents/agent-1"},
        ],
    )
    def test_belongs_to_one_origin(self, the_store, other):
        first = imported(the_store, "thread-1", "one")
        assert the_store.import_state(origin(**other)) is None
        second = the_store.import_batch(origin(**other), batch("two"), agent="codex")
        assert second.id != first.id
        assert texts(the_store.get(first.id)) == ["one"]


class ALaterBatch:
    def test_appends(self, the_store):
        record = imported(the_store, "thread-1", "one", turns=1)
        again = imported(the_store, "thread-1", "two", "three", before=1, turns=2)
        assert again.id == record.id
        found = the_store.get(record.id)
        assert (texts(found), found.turns, found.version) == (["one", "two", "three"], 2, 2)

    @pytest.mark.parametrize("keep", [0, 1, 2, 3])
    def test_replaces_what_follows_the_messages_to_keep(self, the_store, keep):
        record = imported(the_store, "thread-1", "one", "two", "three")
        imported(the_store, "thread-1", "new", before=keep, keep=keep)
        assert texts(the_store.get(record.id)) == [*["one", "two", "three"][:keep], "new"]
        check()

    def test_leaves_what_it_says_nothing_of(self, the_store):
        record = imported(the_store, "thread-1", "one", title="Theirs", turns=4, created_at=LONG_AGO)
        imported(the_store, "thread-1", "two", before=1)
        found = the_store.get(record.id)
        assert (found.title, found.title_source, found.turns, found.created_at) == ("Theirs", "agent", 4, LONG_AGO)

    def test_brings_a_new_title_unless_a_person_gave_one(self, the_store):
        record = imported(the_store, "thread-1", "one", title="Theirs")
        imported(the_store, "thread-1", before=1, title="Theirs, later")
        assert the_store.get(record.id).title == "Theirs, later"
        the_store.rename(record.id, "Mine")
        imported(the_store, "thread-1", "two", before=1, title="Theirs, at last")
        found = the_store.get(record.id)
        assert (found.title, found.title_source) == ("Mine", "user")

    def test_cleans_the_title_of_an_agent(self, the_store):
        record = imported(the_store, "thread-1", "one", title=" a\0b\u202e\n c " + "x" * 300)
        title = the_store.get(record.id).title
        assert title.isprintable()
        assert title.startswith("a")
        assert len(title) <= 200

    def test_takes_the_derived_title_from_the_first_prompt(self, the_store):
        record = imported(the_store, "thread-1")
        imported(the_store, "thread-1", "hello")
        imported(the_store, "thread-1", "again", before=1)
        assert the_store.get(record.id).title == "hello"

    def test_never_turns_the_time_back(self, the_store):
        record = imported(the_store, "thread-1", "one", created_at=LONG_AGO, updated_at=LONG_AGO + 2 * HOUR)
        imported(the_store, "thread-1", "two", before=1, updated_at=LONG_AGO + HOUR)
        assert the_store.get(record.id).updated_at >= LONG_AGO + 2 * HOUR
        imported(the_store, "thread-1", "three", before=2, updated_at=LONG_AGO + 3 * HOUR)
        assert the_store.get(record.id).updated_at == LONG_AGO + 3 * HOUR

    def test_leaves_a_deleted_session_in_the_trash(self, the_store):
        record = imported(the_store, "thread-1", "one")
        the_store.delete(record.id)
        imported(the_store, "thread-1", "two", before=1)
        assert the_store.get(record.id) is None
        the_store.restore(record.id)
        assert texts(the_store.get(record.id)) == ["one", "two"]

    def test_does_not_bring_a_purged_session_back(self, the_store):
        record = imported(the_store, "thread-1", "one")
        the_store.delete(record.id)
        the_store.purge(record.id)
        before = content()
        with pytest.raises(SessionPurged):
            the_store.import_state(origin())
        with pytest.raises(SessionPurged):
            imported(the_store, "thread-1", "one")
        assert content() == before

    def test_never_drops_what_was_written_here(self, the_store):
        record = imported(the_store, "thread-1", "one", "two")
        the_store.append(record.id, [a_message("written here")])
        imported(the_store, "thread-1", "three", before=2, keep=2)
        assert texts(the_store.get(record.id)) == ["one", "two", "three"]
        assert [hit.id != record.id for hit in the_store.search("written here", 9)] == [True]


class Linking:
    def test_to_a_parent_that_is_there_happens_at_once(self, the_store):
        parent = imported(the_store, "parent", "one", "two")
        child = imported(the_store, "child", "one", "mine")
        assert the_store.link_parent(origin("child"), link("parent", fork_point=1)) is True
        found = the_store.get(child.id)
        assert (found.parent_id, found.relation, found.fork_point) == (parent.id, "fork", 1)
        assert texts(found) == ["one", "mine"]

    @pytest.mark.parametrize("relation", ["fork", "subagent", "compaction", "continuation"])
    def test_waits_for_a_parent_that_arrives_later(self, the_store, relation):
        child = imported(the_store, "child", "mine")
        assert the_store.link_parent(origin("child"), link("parent", relation)) is False
        assert the_store.get(child.id).parent_id is None
        parent = imported(the_store, "parent", "one")
        found = the_store.get(child.id)
        assert (found.parent_id, found.relation, found.fork_point) == (parent.id, relation, 0)

    def test_said_again_changes_nothing(self, the_store):
        imported(the_store, "child", "mine")
        the_store.link_parent(origin("child"), link("parent"))
        waiting = content()
        assert the_store.link_parent(origin("child"), link("parent")) is False
        assert content() == waiting
        imported(the_store, "parent", "one")
        linked = content()
        assert the_store.link_parent(origin("child"), link("parent")) is True
        assert content() == linked

    def test_of_many_children_waits_for_the_one_parent(self, the_store):
        children = [imported(the_store, f"child-{number}", "mine") for number in range(3)]
        for number in range(3):
            the_store.link_parent(origin(f"child-{number}"), link("parent", "subagent"))
        parent = imported(the_store, "parent", "one")
        assert {the_store.get(child.id).parent_id for child in children} == {parent.id}

    def test_does_not_take_a_sub_agent_for_its_session(self, the_store):
        child = imported(the_store, "child", "mine")
        the_store.link_parent(origin("child"), link("parent"))
        the_store.import_batch(origin("parent", subpath="subagents/a"), batch("sub"), agent="codex")
        the_store.import_batch(origin("parent", source="claude-code"), batch("other"), agent="codex")
        assert the_store.get(child.id).parent_id is None

    def test_leaves_version_and_time(self, the_store):
        child = imported(the_store, "child", "mine", created_at=LONG_AGO, updated_at=LONG_AGO)
        the_store.link_parent(origin("child"), link("parent"))
        imported(the_store, "parent", "one")
        found = the_store.get(child.id)
        assert (found.version, found.updated_at) == (1, LONG_AGO)

    def test_keeps_the_fork_point_within_the_child(self, the_store):
        imported(the_store, "parent", "one", "two", "three")
        child = imported(the_store, "child", "one")
        the_store.link_parent(origin("child"), link("parent", fork_point=3))
        assert the_store.get(child.id).fork_point == 1


class ANeededPrefix:
    def shows(self, store, child, prefix, own):
        found = store.get(child.id)
        assert texts(found) == [*prefix, *own]
        assert (found.fork_point, found.message_count) == (len(prefix), len(prefix) + len(own))
        check()

    def test_is_taken_from_the_parent(self, the_store):
        imported(the_store, "parent", "one", "two", "three")
        child = imported(the_store, "child", "mine")
        assert the_store.link_parent(origin("child"), link("parent", fork_point=2, prefix_needed=True))
        self.shows(the_store, child, ["one", "two"], ["mine"])
        assert message_rows() == 4

    def test_comes_with_a_parent_that_arrives_later(self, the_store):
        child = imported(the_store, "child", "mine")
        assert not the_store.link_parent(origin("child"), link("parent", fork_point=2, prefix_needed=True))
        assert texts(the_store.get(child.id)) == ["mine"]
        imported(the_store, "parent", "one", "two", "three")
        self.shows(the_store, child, ["one", "two"], ["mine"])

    def test_waits_until_the_parent_is_long_enough(self, the_store):
        child = imported(the_store, "child", "mine")
        imported(the_store, "parent", "one")
        assert not the_store.link_parent(origin("child"), link("parent", fork_point=2, prefix_needed=True))
        assert texts(the_store.get(child.id)) == ["mine"]
        imported(the_store, "parent", "two", before=1)
        self.shows(the_store, child, ["one", "two"], ["mine"])

    def test_is_put_there_once(self, the_store):
        imported(the_store, "parent", "one", "two")
        child = imported(the_store, "child", "mine")
        for _ in range(3):
            the_store.link_parent(origin("child"), link("parent", fork_point=1, prefix_needed=True))
            imported(the_store, "parent", before=2)
        self.shows(the_store, child, ["one"], ["mine"])

    def test_stands_before_what_comes_later_and_before_what_is_written_anew(self, the_store):
        imported(the_store, "parent", "one", "two")
        child = imported(the_store, "child", "mine", "more")
        the_store.link_parent(origin("child"), link("parent", fork_point=2, prefix_needed=True))
        imported(the_store, "child", "and more", before=2)
        self.shows(the_store, child, ["one", "two"], ["mine", "more", "and more"])
        imported(the_store, "child", "anew", before=1, keep=1)
        self.shows(the_store, child, ["one", "two"], ["mine", "anew"])

    def test_stays_when_the_parent_is_written_anew(self, the_store):
        imported(the_store, "parent", "one", "two")
        child = imported(the_store, "child", "mine")
        the_store.link_parent(origin("child"), link("parent", fork_point=2, prefix_needed=True))
        imported(the_store, "parent", "other", keep=0)
        self.shows(the_store, child, ["one", "two"], ["mine"])

    def test_is_found_by_search_in_the_child(self, the_store):
        imported(the_store, "parent", "one", "needle")
        child = imported(the_store, "child", "mine")
        the_store.link_parent(origin("child"), link("parent", fork_point=2, prefix_needed=True))
        assert {hit.id: hit.position for hit in the_store.search("needle", 9)}[child.id] == 1
        assert {hit.id: hit.position for hit in the_store.search("mine", 9)} == {child.id: 2}


class Cycles:
    def test_are_refused_and_change_nothing(self, the_store):
        for id in ("a", "b", "c"):
            imported(the_store, id, "one")
        the_store.link_parent(origin("b"), link("a"))
        the_store.link_parent(origin("c"), link("b"))
        before = content()
        for parent in ("a", "b", "c"):
            with pytest.raises(InvalidLineage):
                the_store.link_parent(origin("a"), link(parent))
        assert content() == before

    def test_through_a_fork_made_here_are_refused(self, the_store):
        root = imported(the_store, "root", "one")
        imported(the_store, "leaf", "one")
        middle = the_store.fork_at(root.id, 1)
        the_store.delete(middle.id)
        the_store.link_parent(origin("leaf"), link("root"))
        with pytest.raises(InvalidLineage):
            the_store.link_parent(origin("root"), link("leaf"))

    def test_that_a_waiting_link_would_close_do_not_stop_the_import(self, the_store):
        first = imported(the_store, "a", "one")
        second = imported(the_store, "b", "one")
        assert not the_store.link_parent(origin("a"), link("b", fork_point=2, prefix_needed=True))
        assert the_store.link_parent(origin("b"), link("a"))
        imported(the_store, "b", "two", "three", before=1)
        found = {record.id: the_store.get(record.id).parent_id for record in (first, second)}
        assert found == {first.id: None, second.id: first.id}
        assert texts(the_store.get(second.id)) == ["one", "two", "three"]


class AnArchive:
    def test_keeps_what_a_rewrite_will_replace(self, the_store):
        record = imported(the_store, "thread-1", "one", "two")
        rows = message_rows()
        id = the_store.archive_before_rewrite(origin())
        assert message_rows() == rows
        imported(the_store, "thread-1", "summary", keep=0)
        archived = the_store.get(id)
        assert (archived.parent_id, archived.relation, texts(archived)) == (record.id, "compaction", ["one", "two"])
        assert texts(the_store.get(record.id)) == ["summary"]
        check()

    def test_of_nothing_is_none(self, the_store):
        assert the_store.archive_before_rewrite(origin("nobody")) is None
        imported(the_store, "thread-1")
        assert the_store.archive_before_rewrite(origin()) is None
        assert len(the_store.find_by_id_prefix("", 9)) == 1

    def test_does_not_stand_before_the_session_in_lists(self, the_store):
        record = imported(the_store, "thread-1", "one", created_at=LONG_AGO, updated_at=LONG_AGO + HOUR)
        id = the_store.archive_before_rewrite(origin())
        imported(the_store, "thread-1", "summary", keep=0, updated_at=LONG_AGO + 2 * HOUR)
        assert [found.id for found in the_store.list_by_project("/home/ann/code", 9)] == [record.id, id]


def test_a_session_that_was_imported_is_one_like_all_others(the_store):
    record = imported(the_store, "thread-1", "one", "two")
    child = the_store.fork_at(record.id, 1)
    the_store.update(record.id, [a_message("other")], 1, expected_version=1)
    the_store.delete(record.id)
    with pytest.raises(SessionNotFound):
        the_store.append(record.id, [a_message()])
    the_store.purge(record.id)
    assert texts(the_store.get(child.id)) == ["one"]
    check()
