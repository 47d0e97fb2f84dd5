"""list_by_project and latest: the sessions of one project, most recently updated first."""

import pytest

from tests.builders import a_message, a_session, texts


def ids(sessions):
    return [session.id for session in sessions]


class Listing:
    def test_puts_the_most_recently_updated_first(self, the_store, clock):
        one, two, three = (a_session(the_store, text) for text in ("one", "two", "three"))
        assert ids(the_store.list_by_project("demo", 9)) == [three.id, two.id, one.id]
        the_store.append(one.id, [a_message()])
        assert ids(the_store.list_by_project("demo", 9)) == [one.id, three.id, two.id]
        the_store.update(two.id, [], 1)
        assert ids(the_store.list_by_project("demo", 9)) == [two.id, one.id, three.id]

    def test_puts_ties_in_the_order_of_ids(self, the_store, clock):
        clock.stop_at(clock.moment)
        sessions = [a_session(the_store, "same") for _ in range(12)]
        assert ids(the_store.list_by_project("demo", 99)) == sorted(ids(sessions))

    def test_gives_whole_records(self, the_store, clock):
        session = a_session(the_store, "one", "two")
        assert the_store.list_by_project("demo", 9) == [session]

    def test_leaves_the_messages_out_if_asked(self, the_store, clock):
        a_session(the_store, "one", "two")
        (found,) = the_store.list_by_project("demo", 9, with_messages=False)
        assert (found.messages, found.message_count, found.title) == ([], 2, "one")

    def test_gives_no_more_than_the_limit(self, the_store, clock):
        made = [a_session(the_store, str(number)).id for number in range(5)]
        assert ids(the_store.list_by_project("demo", 2)) == made[:2:-1]
        assert len(the_store.list_by_project("demo", 5)) == 5
        assert len(the_store.list_by_project("demo", 2**40)) == 5

    def test_gives_nothing_for_the_limit_0(self, the_store):
        a_session(the_store, "one")
        assert the_store.list_by_project("demo", 0) == []

    @pytest.mark.parametrize("with_messages", [True, False])
    def test_refuses_a_negative_limit(self, the_store, with_messages):
        with pytest.raises(ValueError, match="limit"):
            the_store.list_by_project("demo", -1, with_messages=with_messages)

    def test_takes_the_exact_name_only(self, the_store):
        session = a_session(the_store, "one", project="demo")
        for other in ("Demo", "dem", "demo ", "dem%", "dem_", "demo2", "*"):
            a_session(the_store, "two", project=other)
        assert the_store.list_by_project("demo", 99) == [session]
        assert len(the_store.list_by_project("dem%", 99)) == 1

    @pytest.mark.parametrize("name", ["nobody's", "", "x" * 300, "a\0b", "\ud800"])
    def test_finds_nothing_in_a_project_that_there_is_not(self, the_store, name):
        a_session(the_store, "one")
        assert the_store.list_by_project(name, 9) == []
        assert the_store.latest(name) is None

    def test_shows_children_like_all_others(self, the_store, clock):
        parent = a_session(the_store, "one")
        child = the_store.fork_at(parent.id, 1)
        assert ids(the_store.list_by_project("demo", 9)) == [child.id, parent.id]


class TheLatest:
    def test_is_the_first_of_the_list(self, the_store, clock):
        one = a_session(the_store, "one")
        a_session(the_store, "two")
        a_session(the_store, "elsewhere", project="other")
        the_store.append(one.id, [a_message("on")])
        found = the_store.latest("demo")
        assert texts(found) == ["one", "on"]
        assert [found] == the_store.list_by_project("demo", 1)

    def test_is_none_in_an_empty_project(self, the_store):
        session = a_session(the_store, "one")
        the_store.delete(session.id)
        assert the_store.latest("demo") is None
