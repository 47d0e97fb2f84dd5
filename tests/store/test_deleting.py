"""delete, restore and purge: the trash, and what becomes of children."""

from dataclasses import replace
from uuid import uuid4

import pytest
from django.conf import settings

from sessions_app.errors import SessionNotFound
from sessions_app.models import Session
from tests.builders import a_message, a_session, texts


def gone_from_every_reading_operation(store, id):
    with pytest.raises(SessionNotFound):
        store.get_messages(id)
    with pytest.raises(SessionNotFound):
        store.prompts(id)
    found = [*store.list_by_project("demo", 99), *store.find_by_id_prefix("", 99), *store.find_by_id_prefix(str(id), 9)]
    return (
        store.get(id) is None
        and id not in [session.id for session in found]
        and id not in [hit.id for hit in store.search("needle", 99)]
        and (store.latest("demo") is None or store.latest("demo").id != id)
    )


class Deleting:
    def test_takes_a_session_out_of_every_reading_operation(self, the_store):
        a_session(the_store, "stays")
        session = a_session(the_store, "needle")
        assert the_store.delete(session.id) is None
        assert gone_from_every_reading_operation(the_store, session.id)

    def test_leaves_all_others(self, the_store):
        kept, session = a_session(the_store, "stays"), a_session(the_store, "goes")
        the_store.delete(session.id)
        assert the_store.find_by_id_prefix("", 9) == [kept]

    def test_refuses_a_missing_session(self, the_store):
        id = uuid4()
        with pytest.raises(SessionNotFound, match=str(id)):
            the_store.delete(id)

    def test_refuses_what_is_in_the_trash_already(self, the_store):
        session = a_session(the_store, "one")
        the_store.delete(session.id)
        with pytest.raises(SessionNotFound):
            the_store.delete(session.id)

    def test_lets_children_live_on(self, the_store):
        parent = a_session(the_store, "one", "two")
        child = the_store.fork_at(parent.id, 1)
        the_store.delete(parent.id)
        assert texts(the_store.get(child.id)) == ["one"]
        assert the_store.get(child.id).parent_id == parent.id

    def test_says_in_the_row_when(self, the_store, clock):
        session = a_session(the_store, "one")
        the_store.delete(session.id)
        row = Session.objects.trashed().get()
        assert (row.id, row.trashed_at) == (session.id, clock.moment)

    def test_can_be_taken_back_for_thirty_days(self):
        assert settings.FORKLORE_TRASH_DAYS == 30


class Restoring:
    def test_brings_a_session_back_as_it_was(self, the_store):
        parent = a_session(the_store, "needle", "two")
        session = the_store.fork_at(parent.id, 2)
        the_store.rename(session.id, "Mine")
        before = the_store.get(session.id)
        the_store.delete(session.id)
        assert the_store.restore(session.id) is None
        assert the_store.get(session.id) == before
        assert session.id in [hit.id for hit in the_store.search("needle", 9)]

    def test_keeps_its_place_in_the_list(self, the_store, clock):
        first, second = a_session(the_store, "one"), a_session(the_store, "two")
        the_store.delete(first.id)
        the_store.restore(first.id)
        assert the_store.list_by_project("demo", 9) == [second, first]

    @pytest.mark.parametrize("state", ["live", "missing", "purged"])
    def test_refuses_what_is_not_in_the_trash(self, the_store, state):
        id = uuid4() if state == "missing" else a_session(the_store, "one").id
        if state == "purged":
            the_store.delete(id)
            the_store.purge(id)
        with pytest.raises(SessionNotFound, match=str(id)):
            the_store.restore(id)

    def test_lets_it_be_written_again(self, the_store):
        session = a_session(the_store, "one")
        the_store.delete(session.id)
        the_store.restore(session.id)
        the_store.append(session.id, [a_message("two")], expected_version=1)
        assert texts(the_store.get(session.id)) == ["one", "two"]


class Purging:
    @pytest.mark.parametrize("state", ["live", "missing", "purged"])
    def test_refuses_what_is_not_in_the_trash(self, the_store, state):
        id = uuid4() if state == "missing" else a_session(the_store, "one").id
        if state == "purged":
            the_store.delete(id)
            the_store.purge(id)
        with pytest.raises(SessionNotFound, match=str(id)):
            the_store.purge(id)

    def test_leaves_nothing_behind(self, the_store):
        session = a_session(the_store, "one", "two")
        the_store.delete(session.id)
        assert the_store.purge(session.id) is None
        assert not Session.objects.exists()

    def test_gives_children_to_the_nearest_surviving_ancestor(self, the_store):
        root = a_session(the_store, "one", "two", "three")
        middle = the_store.fork_at(root.id, 2)
        the_store.append(middle.id, [a_message("middle's")])
        leaves = [the_store.fork_at(middle.id, position) for position in (1, 2, 3)]
        the_store.delete(middle.id)
        the_store.purge(middle.id)
        found = [the_store.get(leaf.id) for leaf in leaves]
        assert {session.parent_id for session in found} == {root.id}
        assert {session.relation for session in found} == {"fork"}
        assert [texts(session) for session in found] == [["one"], ["one", "two"], ["one", "two", "middle's"]]
        assert [session.fork_point for session in found] == [1, 2, 2]

    def test_passes_over_ancestors_that_were_purged_before(self, the_store):
        line = [a_session(the_store, "one", "two")]
        for _ in range(4):
            line.append(the_store.fork_at(line[-1].id, 2))
        for index in (2, 1, 3):
            the_store.delete(line[index].id)
        for index in (2, 1, 3):
            the_store.purge(line[index].id)
        assert the_store.get(line[4].id).parent_id == line[0].id

    def test_of_a_root_makes_roots_of_its_children(self, the_store):
        root = a_session(the_store, "one", "two")
        child = the_store.fork_at(root.id, 1)
        before = the_store.get(child.id)
        the_store.delete(root.id)
        the_store.purge(root.id)
        found = the_store.get(child.id)
        assert found == replace(before, parent_id=None, relation=None, fork_point=None)
        assert texts(found) == ["one"]

    def test_gives_away_children_in_the_trash_too(self, the_store):
        root = a_session(the_store, "one", "two")
        middle = the_store.fork_at(root.id, 2)
        leaf = the_store.fork_at(middle.id, 2)
        the_store.delete(leaf.id)
        the_store.delete(middle.id)
        the_store.purge(middle.id)
        the_store.restore(leaf.id)
        assert the_store.get(leaf.id).parent_id == root.id
        assert texts(the_store.get(leaf.id)) == ["one", "two"]

    def test_does_not_touch_the_versions_and_times_of_children(self, the_store, clock):
        root = a_session(the_store, "one")
        child = the_store.fork_at(root.id, 1)
        the_store.delete(root.id)
        the_store.purge(root.id)
        found = the_store.get(child.id)
        assert (found.version, found.updated_at, found.turns) == (child.version, child.updated_at, child.turns)
