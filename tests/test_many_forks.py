"""Many forks of one place, made together."""

import pytest

from sessions_app import cleanup, forking, lineages, quotas
from sessions_app.actors import Actor, acting
from sessions_app.errors import InvalidLineage, NotAllowed, QuotaExceeded, SessionNotFound
from sessions_app.models import Piece, Project, SearchTitle, Session
from tests.builders import a_message, a_session, texts
from tests.store import storage


def rows(model, id, field="session_id", without=()):
    found = model.objects.filter(**{field: id}).values()
    return [{name: value for name, value in row.items() if name not in ("id", "session_id", *without)} for row in found]


class ForkingOften:
    def test_makes_forks_that_each_are_what_one_is(self, the_store):
        parent = a_session(the_store, "one", "two", "three")
        one = the_store.fork_at(parent.id, 2)
        ids = forking.fork_often(parent.id, 2, 5)
        assert len({*ids}) == 5
        times = ("created_at", "updated_at")
        for id in ids:
            assert texts(the_store.get(id)) == ["one", "two"]
            assert rows(Session, id, "id", times) == rows(Session, one.id, "id", times)
            assert rows(Piece, id) == rows(Piece, one.id)
            # Every 128th title is put into the index with all that wait.
            assert rows(SearchTitle, id, without=["waiting"]) == rows(SearchTitle, one.id, without=["waiting"])

    def test_makes_forks_that_go_on_by_themselves(self, the_store):
        parent = a_session(the_store, "one", "two")
        ids = forking.fork_often(parent.id, 2, 3)
        for number, id in enumerate(ids):
            the_store.append(id, [a_message(f"attempt {number}")])
        assert [texts(the_store.get(id))[-1] for id in ids] == ["attempt 0", "attempt 1", "attempt 2"]
        assert texts(the_store.get(parent.id)) == ["one", "two"]
        assert the_store.search("attempt 1", 5)[0].id == ids[1]

    def test_is_told_to_who_follows(self, the_store):
        parent = a_session(the_store, "one", "two")
        before = storage.newest(the_store)
        lineages.of(parent.id)
        ids = forking.fork_often(parent.id, 1, 30)
        assert {change.session for change in storage.changes(the_store, before)} == {*ids}
        assert {*lineages.of(parent.id).tree.order} == {parent.id, *ids}

    def test_is_one_entry_of_the_journal_which_takes_all_of_them_back(self, the_store):
        parent = a_session(the_store, "one", "two")
        ids = forking.fork_often(parent.id, 1, 30)
        the_store.append(ids[3], [a_message("went on")])
        assert [(entry.action, entry.done) for entry in cleanup.entries()] == [("fork", 30)]
        cleanup.undo()
        assert set(Session.objects.live().values_list("pk", flat=True)) == {parent.id, ids[3]}

    def test_makes_no_more_than_a_project_may_hold(self, the_store, settings):
        parent = a_session(the_store, "one", "two")
        settings.FORKLORE_PROJECT_SESSIONS = 5
        quotas.forget()
        with pytest.raises(QuotaExceeded):
            forking.fork_often(parent.id, 1, 5)
        assert Session.objects.count() == 1
        assert len(forking.fork_often(parent.id, 1, 4)) == 4
        quotas.forget()

    def test_finds_all_of_them_by_their_title(self, the_store):
        parent = a_session(the_store, "a quince", "two")
        forking.fork_often(parent.id, 2, 300)
        assert len(the_store.search("a quince", 500)) == 301

    @pytest.mark.parametrize("count", [0, 1001])
    def test_has_bounds(self, the_store, count):
        with pytest.raises(ValueError, match="1,000"):
            forking.fork_often(a_session(the_store, "one").id, 1, count)

    def test_makes_none_where_one_is_refused(self, the_store):
        parent = a_session(the_store, "one", project="open")
        with pytest.raises(InvalidLineage):
            forking.fork_often(parent.id, 2, 3)
        project = Project.objects.get(name="open").pk
        reader = Actor("token", "reader", frozenset({"read"}), unrestricted=True, projects=frozenset({project}))
        with acting(reader), pytest.raises(NotAllowed):
            forking.fork_often(parent.id, 1, 3)
        with acting(Actor("token", "none", frozenset({"read"}), projects=frozenset())), pytest.raises(SessionNotFound):
            forking.fork_often(parent.id, 1, 3)
        assert Session.objects.count() == 1
