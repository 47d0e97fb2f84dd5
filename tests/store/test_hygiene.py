"""Forks that are of no more use: which are found, and which are left alone."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.contrib.auth.models import User

from sessions_app import hygiene, store
from sessions_app.access import roles
from sessions_app.actors import Actor, Role, acting
from sessions_app.models import Project, Session
from tests.builders import a_message, a_session

from . import storage

pytestmark = storage.SYNC_DOOR
LATER = timedelta(days=30)


def found(scope=None):
    return hygiene.find(Session.objects.visible() if scope is None else scope, store.now() + LATER)


def ids(rows) -> set[UUID]:
    return {id for id, _ in rows}


@pytest.fixture
def root(the_store):
    return a_session(the_store, *(f"message {number}" for number in range(6)))


class ForksThatNeverDiverged:
    def test_are_those_without_messages_of_their_own(self, the_store, root):
        same, part = the_store.fork_at(root.id, 6), the_store.fork_at(root.id, 3)
        went_on = the_store.fork_at(root.id, 3)
        the_store.append(went_on.id, [a_message("other")])
        the_store.append(root.id, [a_message("further")])

        assert dict(found().never_diverged) == {same.id: root.id, part.id: root.id}

    def test_are_not_all_that_is_left_of_what_their_parent_said(self, the_store, root):
        fork = the_store.fork_at(root.id, 4)
        the_store.update(root.id, [a_message("written anew")], 1)

        assert fork.id not in ids(found().never_diverged)

    def test_are_left_alone_where_somebody_needs_them(self, the_store, root):
        pinned, kept, archived, parent, gone = (the_store.fork_at(root.id, 3) for _ in range(5))
        the_store.pin(pinned.id)
        the_store.tag(kept.id, "keep")
        the_store.archive(archived.id)
        child = the_store.fork_at(parent.id, 2)
        the_store.delete(gone.id)

        assert ids(found().never_diverged) == {child.id}
        now = hygiene.find(Session.objects.visible(), store.now())
        assert now.never_diverged == []  # they run still


class Duplicates:
    def test_show_the_very_same_and_the_oldest_stays(self, the_store):
        first, second, third = (a_session(the_store, "one", "two") for _ in range(3))
        a_session(the_store, "one")
        the_store.create("demo", [])
        the_store.create("demo", [])

        assert dict(found().duplicates) == {second.id: first.id, third.id: first.id}

    def test_give_way_to_what_somebody_needs(self, the_store):
        first, second, third = (a_session(the_store, "one", "two") for _ in range(3))
        the_store.pin(third.id)

        assert dict(found().duplicates) == {first.id: third.id, second.id: third.id}

    def test_are_not_told_of_twice(self, the_store, root):
        fork = the_store.fork_at(root.id, 6)
        assert ids(found().never_diverged) == {fork.id}
        assert found().duplicates == []


class AbandonedRetries:
    def test_are_short_and_old_and_another_went_further(self, the_store, root):
        retries = [the_store.fork_at(root.id, 6) for _ in range(3)]
        for number, retry in enumerate(retries):
            the_store.append(retry.id, [a_message(f"try {number}")] * (1, 3, 9)[number])

        assert dict(found().abandoned) == {retries[0].id: root.id, retries[1].id: root.id}
        assert hygiene.find(Session.objects.visible(), store.now() + timedelta(days=6)).abandoned == []

    def test_are_those_after_which_their_parent_went_on(self, the_store, root):
        retry, last = the_store.fork_at(root.id, 3), the_store.fork_at(root.id, 6)
        the_store.append(retry.id, [a_message("try")])
        the_store.append(last.id, [a_message("the only one that goes on")])

        assert ids(found().abandoned) == {retry.id}


class TheScope:
    def test_is_a_project_or_a_lineage(self, the_store, root):
        here, there = the_store.fork_at(root.id, 3), the_store.fork_at(root.id, 3, "there")
        other = a_session(the_store, "else", project="there")
        elsewhere = the_store.fork_at(other.id, 1)
        project = Project.objects.get(name="there").pk

        assert ids(found().never_diverged) == {here.id, there.id, elsewhere.id}
        assert ids(found(hygiene.in_project(project)).never_diverged) == {there.id, elsewhere.id}
        assert ids(found(hygiene.in_lineage(root.id)).never_diverged) == {here.id, there.id}

    def test_is_of_what_somebody_may_write(self, the_store, root):
        shown, read = (the_store.fork_at(root.id, 3, name).id for name in ("writes", "reads"))
        anna = User.objects.create(username="anna")
        keys = dict(Project.objects.values_list("name", "pk"))
        roles.grant(anna.pk, keys["demo"], Role.VIEWER)
        roles.grant(anna.pk, keys["writes"], Role.WRITER)
        roles.grant(anna.pk, keys["reads"], Role.VIEWER)

        with acting(Actor("user", "anna", user_id=anna.pk)):
            assert ids(found().never_diverged) == {shown}
            roles.grant(anna.pk, keys["demo"], Role.NONE)
            assert found().never_diverged == []  # its parent is out of sight
        assert read in ids(found().never_diverged)

    def test_is_the_newest_of_very_many(self, the_store, root, monkeypatch):
        forks = [the_store.fork_at(root.id, 3).id for _ in range(4)]
        monkeypatch.setattr(hygiene, "LOOKED_AT", 3)
        looked = found()
        assert looked.is_cut
        assert ids(looked.never_diverged) == {*forks[1:]}
        monkeypatch.setattr(hygiene, "LOOKED_AT", 5)
        assert not found().is_cut
