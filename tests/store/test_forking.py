"""fork and fork_at: a child that is independent of whatever later happens to its parent."""

from uuid import uuid4

import pytest

from sessions_app.errors import InvalidLineage, InvalidProject, SessionNotFound
from tests.builders import a_message, a_session, texts

from .storage import SYNC_DOOR


class Forking:
    def test_makes_a_child_that_holds_the_messages(self, the_store):
        parent = a_session(the_store, "one", "two")
        messages = [*parent.messages, a_message("three")]
        child = the_store.fork("demo", parent.id, messages, 7)
        assert (child.parent_id, child.relation, child.turns, child.version) == (parent.id, "fork", 7, 1)
        assert texts(child) == ["one", "two", "three"]
        assert child.id != parent.id
        assert the_store.get(child.id) == child

    @pytest.mark.parametrize(
        ("given", "shared"),
        [
            (["one", "two"], 2),
            (["one", "two", "new"], 2),
            (["one"], 1),
            (["one", "other"], 1),
            (["x", "two"], 0),
            ([], 0),
        ],
    )
    def test_tells_how_many_leading_messages_are_shared(self, the_store, given, shared):
        parent = a_session(the_store, "one", "two")
        messages = a_session(the_store, *given, project="elsewhere").messages
        child = the_store.fork("demo", parent.id, messages, 0)
        assert child.fork_point == shared
        assert texts(the_store.get(child.id)) == given

    def test_may_go_to_another_project(self, the_store):
        parent = a_session(the_store, "one")
        child = the_store.fork("other", parent.id, parent.messages, 1)
        assert child.project == "other"
        assert the_store.get(parent.id).project == "demo"

    def test_derives_the_title_of_the_child_from_its_messages(self, the_store):
        parent = a_session(the_store, "one")
        the_store.rename(parent.id, "The parent's own")
        child = the_store.fork("demo", parent.id, [a_message("another start")], 0)
        assert (child.title, child.title_source) == ("another start", "derived")

    def test_leaves_the_parent_as_it_is(self, the_store):
        parent = a_session(the_store, "one", "two")
        the_store.fork("demo", parent.id, [*parent.messages, a_message("three")], 1)
        assert the_store.get(parent.id) == parent

    @pytest.mark.parametrize("where", ["nowhere", "trash"])
    def test_refuses_a_missing_parent(self, the_store, where):
        parent = uuid4() if where == "nowhere" else a_session(the_store, "one").id
        if where == "trash":
            the_store.delete(parent)
        with pytest.raises(SessionNotFound, match=str(parent)):
            the_store.fork("demo", parent, [a_message()], 0)
        assert the_store.find_by_id_prefix("", 9) == []

    def test_refuses_an_invalid_project(self, the_store):
        with pytest.raises(InvalidProject):
            the_store.fork("", a_session(the_store, "one").id, [], 0)

    def test_refuses_negative_turns(self, the_store):
        with pytest.raises(ValueError, match="turns"):
            the_store.fork("demo", a_session(the_store, "one").id, [], -1)

    def test_of_a_fork_knows_its_own_parent(self, the_store):
        root = a_session(the_store, "one", "two")
        child = the_store.fork("demo", root.id, [*root.messages, a_message("three")], 1)
        grandchild = the_store.fork("demo", child.id, [*child.messages, a_message("four")], 2)
        assert (grandchild.parent_id, grandchild.fork_point) == (child.id, 3)


class ForkingAtAPosition:
    @pytest.mark.parametrize("position", [0, 1, 2, 3])
    def test_keeps_the_messages_before_the_fork_point(self, the_store, position):
        parent = a_session(the_store, "one", "two", "three")
        child = the_store.fork_at(parent.id, position)
        assert (child.parent_id, child.relation, child.fork_point) == (parent.id, "fork", position)
        assert child.message_count == position
        assert texts(the_store.get(child.id)) == ["one", "two", "three"][:position]

    @pytest.mark.parametrize("position", [-1, 4, 10**12])
    def test_refuses_a_position_outside_of_the_parent(self, the_store, position):
        parent = a_session(the_store, "one", "two", "three")
        with pytest.raises(InvalidLineage, match=str(parent.id)):
            the_store.fork_at(parent.id, position)

    def test_stays_in_the_parents_project_unless_told(self, the_store):
        parent = a_session(the_store, "one", project="here")
        assert the_store.fork_at(parent.id, 1).project == "here"
        assert the_store.fork_at(parent.id, 1, "there").project == "there"
        assert the_store.fork_at(parent.id, position=1, project="there").project == "there"

    def test_refuses_an_invalid_project(self, the_store):
        with pytest.raises(InvalidProject):
            the_store.fork_at(a_session(the_store, "one").id, 1, "")

    def test_refuses_a_missing_parent(self, the_store):
        with pytest.raises(SessionNotFound):
            the_store.fork_at(uuid4(), 0)

    def test_derives_a_title_from_what_it_holds(self, the_store):
        parent = a_session(the_store, "one", "two")
        assert the_store.fork_at(parent.id, 1).title == "one"
        assert the_store.fork_at(parent.id, 0).title == "new session"

    def test_of_a_fork_reaches_into_what_that_shares(self, the_store):
        root = a_session(the_store, "one", "two", "three")
        child = the_store.fork_at(root.id, 2)
        the_store.append(child.id, [a_message("child's")])
        assert texts(the_store.get(the_store.fork_at(child.id, 3).id)) == ["one", "two", "child's"]
        assert texts(the_store.get(the_store.fork_at(child.id, 1).id)) == ["one"]


class AChild:
    """Lives its own life."""

    def test_keeps_its_messages_when_the_parent_goes_on(self, the_store):
        parent = a_session(the_store, "one", "two")
        child = the_store.fork_at(parent.id, 2)
        the_store.append(parent.id, [a_message("parent's")])
        the_store.append(child.id, [a_message("child's")])
        assert texts(the_store.get(parent.id)) == ["one", "two", "parent's"]
        assert texts(the_store.get(child.id)) == ["one", "two", "child's"]

    @pytest.mark.parametrize("given", [[], ["one"], ["other"], ["one", "other", "three"]])
    def test_keeps_its_messages_when_the_parent_is_rewritten(self, the_store, given):
        parent = a_session(the_store, "one", "two", "three")
        child = the_store.fork_at(parent.id, 2)
        the_store.update(parent.id, [a_message(text) for text in given], 0)
        assert texts(the_store.get(child.id)) == ["one", "two"]
        assert texts(the_store.get(parent.id)) == given

    def test_leaves_the_parents_messages_when_it_is_rewritten(self, the_store):
        parent = a_session(the_store, "one", "two", "three")
        child = the_store.fork_at(parent.id, 3)
        the_store.update(child.id, [a_message("other")], 0)
        assert texts(the_store.get(parent.id)) == ["one", "two", "three"]
        the_store.update(child.id, [], 0)
        assert texts(the_store.get(parent.id)) == ["one", "two", "three"]

    def test_keeps_its_messages_when_the_parent_is_purged(self, the_store):
        parent = a_session(the_store, "one", "two", "three")
        child = the_store.fork_at(parent.id, 2)
        the_store.delete(parent.id)
        the_store.purge(parent.id)
        assert texts(the_store.get(child.id)) == ["one", "two"]
        the_store.append(child.id, [a_message("on")])
        assert texts(the_store.get(child.id)) == ["one", "two", "on"]

    def test_can_be_one_of_many_that_go_different_ways(self, the_store):
        parent = a_session(the_store, "one", "two")
        children = [the_store.fork_at(parent.id, 2) for _ in range(5)]
        for number, child in enumerate(children):
            the_store.append(child.id, [a_message(f"way {number}")])
        found = [texts(the_store.get(child.id))[-1] for child in children]
        assert found == [f"way {number}" for number in range(5)]

    @SYNC_DOOR
    def test_of_a_long_line_of_forks_shows_all_of_them(self, the_store):
        session, expected = a_session(the_store, "0"), ["0"]
        for number in range(1, 60):
            session = the_store.fork_at(session.id, number)
            the_store.append(session.id, [a_message(str(number))])
            expected.append(str(number))
        assert texts(the_store.get(session.id)) == expected
        assert [m["content"] for m in the_store.get_messages(session.id, 55, 58)] == ["55", "56", "57"]
