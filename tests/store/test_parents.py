"""An admin's word on whose child a session is."""

import threading

import pytest
from django.db import connections

from sessions_app import cleanup, databases, ledger, parents, store
from sessions_app.access.models import AuditEntry
from sessions_app.actors import Actor, acting
from sessions_app.errors import AlreadyChanged, InvalidLineage, JournalEntryNotFound, NotAllowed, SessionNotFound
from sessions_app.models import Session
from sessions_app.records import ImportBatch, ImportState, Origin, ParentLink
from tests.builders import a_message, a_session, texts

from . import storage

pytestmark = storage.SYNC_DOOR


def place(id):
    session = Session.objects.get(pk=id)
    return session.parent_id, session.relation, session.fork_point, session.relation_inferred


@pytest.fixture
def two(the_store):
    """Two roots that begin alike."""
    return a_session(the_store, "one", "two", "three"), a_session(the_store, "one", "two", "other", "more")


class PuttingASessionUnderAnother:
    def test_changes_its_place_and_no_message(self, the_store, two):
        parent, child = two

        parents.attach(child.id, parent.id)

        assert place(child.id) == (parent.id, "fork", 2, False)
        assert texts(the_store.get(child.id)) == ["one", "two", "other", "more"]
        assert the_store.get(child.id).version == child.version
        assert ledger.accounts([child.id])[child.id].inherited.messages == 2
        assert ledger.family(parent.id).messages == 5
        storage.check()

    def test_is_noted_and_told_to_who_follows(self, the_store, two):
        before = storage.newest(the_store)

        with acting(Actor("owner", "root", frozenset({"read", "write", "admin"}), unrestricted=True)):
            parents.attach(two[1].id, two[0].id)

        assert [(each.session, each.kind) for each in storage.changes(the_store, before)] == [(two[1].id, "moved")]
        assert AuditEntry.objects.latest("pk").verb == "put under another parent"
        entry = cleanup.entries()[0]
        assert (entry.action, entry.actor, entry.policy, entry.done, entry.state) == ("attach", "root", "", 1, "done")

    def test_is_taken_back(self, the_store, two):
        fork = the_store.fork_at(two[1].id, 3)
        before = place(fork.id)

        entry = parents.attach(fork.id, two[0].id, "continuation")
        assert place(fork.id) == (two[0].id, "continuation", 2, False)
        cleanup.undo(entry)

        assert place(fork.id) == before
        assert texts(the_store.get(fork.id)) == ["one", "two", "other"]

    def test_is_not_taken_back_where_it_no_longer_stands_or_its_former_parent_is_gone(self, the_store, two):
        fork, third = the_store.fork_at(two[1].id, 3), a_session(the_store, "one")
        first = parents.attach(fork.id, two[0].id)
        parents.attach(fork.id, third.id)
        with pytest.raises(AlreadyChanged):
            cleanup.undo(first)
        assert place(fork.id)[0] == third.id

        last = parents.attach(fork.id, two[0].id)
        the_store.delete(third.id)
        the_store.purge(third.id)
        cleanup.undo(last)
        assert place(fork.id)[0] == two[0].id

    def test_is_not_taken_back_into_a_cycle(self, the_store, two):
        fork = the_store.fork_at(two[0].id, 2)
        entry = parents.attach(fork.id, None)
        parents.attach(two[0].id, fork.id)

        cleanup.undo(entry)

        assert place(fork.id)[0] is None
        assert place(two[0].id)[0] == fork.id

    def test_makes_a_root_and_stands_against_what_is_imported_later(self, the_store):
        state = ImportState()
        one, two = Origin("codex", "there", "1"), Origin("codex", "there", "2")
        parent = the_store.import_batch(one, ImportBatch("p", [a_message()], state), agent="codex")
        child = the_store.import_batch(two, ImportBatch("p", [a_message()], state), agent="codex")
        link = ParentLink(one, "fork", 1, inferred=True)
        the_store.link_parent(two, link)
        assert place(child.id) == (parent.id, "fork", 1, True)

        entry = parents.attach(child.id, None)
        the_store.link_parent(two, link)
        assert place(child.id) == (None, None, None, False)

        cleanup.undo(entry)
        assert place(child.id) == (parent.id, "fork", 1, True)
        the_store.link_parent(two, ParentLink(one, "fork", 0))
        assert place(child.id) == (parent.id, "fork", 0, False)

    def test_is_refused_where_it_would_be_its_own_ancestor(self, the_store, two):
        fork = the_store.fork_at(two[0].id, 1)
        deep = the_store.fork_at(fork.id, 1)
        the_store.delete(fork.id)
        before = storage.content()

        for parent in (two[0].id, deep.id, fork.id):
            with pytest.raises(InvalidLineage):
                parents.attach(two[0].id, parent)

        assert storage.content() == before

    def test_takes_an_admin_and_two_sessions_that_are_there(self, the_store, two):
        with acting(Actor("user", "anna", user_id=1)), pytest.raises(NotAllowed):
            parents.attach(two[0].id, two[1].id)
        the_store.delete(two[1].id)
        the_store.purge(two[1].id)
        for child, parent in ((two[0].id, two[1].id), (two[1].id, two[0].id)):
            with pytest.raises(SessionNotFound):
                parents.attach(child, parent)
        with pytest.raises(JournalEntryNotFound):
            cleanup.undo()

    def test_of_many_at_once_makes_no_cycle(self, the_store, either_database):
        ids = [a_session(the_store, "same").id for _ in range(4)]
        refused = []

        def put_in_a_circle(start):
            with databases.using(either_database):
                for step in range(12):
                    child, parent = ids[(start + step) % 4], ids[(start + step + 1) % 4]
                    try:
                        parents.attach(child, parent)
                    except InvalidLineage:
                        refused.append(child)
                connections.close_all()

        threads = [threading.Thread(target=put_in_a_circle, args=[start]) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        parent_of = dict(Session.objects.values_list("pk", "parent"))
        for id in ids:
            seen = []
            while id is not None:
                assert id not in seen
                seen.append(id)
                id = parent_of[id]
        assert refused


class AForkOfAForkOfAFork:
    def test_may_be_in_other_projects_and_outlive_all_above_it(self, the_store):
        root = a_session(the_store, "one", "two", project="a")
        first = the_store.fork_at(root.id, 2, "b")
        the_store.append(first.id, [a_message("three")])
        second = the_store.fork_at(first.id, 3, "c")
        third = the_store.fork_at(second.id, 3, "a")
        assert ledger.family(root.id).messages == 3

        for gone in (second, root, first):
            the_store.delete(gone.id)
            the_store.purge(gone.id)
            assert texts(the_store.get(third.id)) == ["one", "two", "three"]
            storage.check()

        assert place(third.id)[:2] == (None, None)
        assert ledger.accounts([third.id])[third.id].own.messages == 3
        assert store.get(third.id).project == "a"
