"""Projects that are renamed, merged and archived, while agents go on by the names that they know."""

import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User

from sessions_app import cleanup, databases, journal, lineages, projects, store_check
from sessions_app.access import roles, tokens
from sessions_app.actors import Actor, Role, acting
from sessions_app.errors import (
    AlreadyChanged,
    InvalidProject,
    NotAllowed,
    ProjectNotFound,
    QuotaExceeded,
)
from sessions_app.figures import by_project
from sessions_app.models import CleanupPolicy, JournalEntry, Project, Session
from sessions_app.records import ImportBatch, ImportState, Origin
from tests.builders import a_message, a_session
from tests.store import storage
from tests.store.storage import figures

ONE_DOOR = storage.SYNC_DOOR


def members(name):
    return set(Session.objects.filter(project__name=name).values_list("pk", flat=True))


def state():
    return sorted(Project.objects.values_list("name", "stands_for__name", "archived_at")), sorted(
        Session.objects.values_list("pk", "project__name", "trashed_at", "version", "updated_at", "title"), key=str
    )


def kinds_since(the_store, number):
    return {(change.session, change.kind) for change in the_store.changes(number)}


def listed(the_store, name):
    return {each.id for each in the_store.list_by_project(name, 100)}


def is_sound():
    assert list(store_check.problems()) == []
    assert by_project() == figures()


class ARenamedProject:
    @pytest.fixture
    def renamed(self, the_store):
        session = a_session(the_store, "an apple", project="old")
        a_session(the_store, "a pear", project="other")
        projects.rename("old", "new")
        return session

    def test_has_its_sessions_under_the_new_name(self, the_store, renamed):
        assert the_store.get(renamed.id).project == "new"
        assert listed(the_store, "new") == {renamed.id}

    def test_is_found_by_the_name_that_it_had(self, the_store, renamed):
        assert the_store.latest("old").project == "new"
        assert listed(the_store, "old") == {renamed.id}
        assert [hit.project for hit in the_store.search("apple", 5, filters="project:old")] == ["new"]
        assert the_store.search("apple", 5, filters="-project:old") == []

    def test_takes_what_agents_go_on_writing_under_the_name_that_it_had(self, the_store, renamed):
        made = the_store.create("old", [a_message("more")])
        forked = the_store.fork("old", renamed.id, [a_message("an apple")], 1)
        cut = the_store.fork_at(renamed.id, 1, "old")

        assert {each.project for each in (made, forked, cut)} == {"new"}
        assert listed(the_store, "new") == {renamed.id, made.id, forked.id, cut.id}
        assert set(Project.objects.standing().values_list("name", flat=True)) == {"new", "other"}

    def test_keeps_all_names_that_it_had(self, the_store, renamed):
        projects.rename("old", "newer")
        projects.rename("newer", "newest")
        for name in ("old", "new", "newer", "newest"):
            assert the_store.create(name, []).project == "newest"

    def test_can_have_an_earlier_name_again(self, the_store, renamed):
        projects.rename("new", "old")

        assert the_store.create("new", []).project == the_store.create("old", []).project == "old"
        assert Project.objects.count() == 3


class Renaming:
    pytestmark = ONE_DOOR

    def test_is_told_to_who_follows(self, the_store):
        session = a_session(the_store, "x", project="old")
        trashed = a_session(the_store, "y", project="old")
        the_store.delete(trashed.id)
        number = the_store.newest_change()
        projects.rename("old", "new")

        assert kinds_since(the_store, number) == {(session.id, "moved")}
        assert {change.project for change in the_store.changes(number)} == {"new"}

    def test_is_taken_back_and_both_names_go_on(self, the_store):
        a_session(the_store, "x", project="old")
        number = projects.rename("old", "new")

        assert cleanup.last().number == number
        assert cleanup.undo().state == "undone"
        assert Project.objects.standing().get().name == "old"
        assert the_store.create("new", []).project == "old"
        is_sound()

    def test_is_not_taken_back_once_it_was_renamed_again(self, the_store):
        a_session(the_store, "x", project="old")
        number = projects.rename("old", "new")
        projects.rename("new", "newer")

        with pytest.raises(AlreadyChanged):
            cleanup.undo(number)
        assert Project.objects.standing().get().name == "newer"

    def test_to_the_name_that_it_has_does_nothing(self, the_store):
        a_session(the_store, "x", project="old")
        assert projects.rename("old", "old") is None
        assert not JournalEntry.objects.exists()

    @pytest.mark.parametrize(
        ("to", "words"),
        [("other", "merge this one into it"), ("earlier", "stands for another"), ("", "1 to 255"), ("a\0", "control")],
    )
    def test_refuses_what_is_no_name_or_another_projects(self, the_store, to, words):
        a_session(the_store, "x", project="old")
        a_session(the_store, "x", project="earlier")
        projects.rename("earlier", "other")
        before = state()

        with pytest.raises(InvalidProject, match=words):
            projects.rename("old", to)
        assert state() == before

    def test_refuses_the_name_of_a_project_that_was_merged_into_it(self, the_store):
        for name in ("a", "b"):
            a_session(the_store, "x", project=name)
        entry = projects.merge("b", "a")

        with pytest.raises(InvalidProject):
            projects.rename("a", "b")
        cleanup.undo(entry.number)
        assert set(Project.objects.standing().values_list("name", flat=True)) == {"a", "b"}

    def test_refuses_a_project_that_is_not_there(self, the_store):
        for name in ("nowhere", "a\0b"):
            with pytest.raises(ProjectNotFound):
                projects.rename(name, "new")


class AMergedProject:
    @pytest.fixture
    def told(self, the_store):
        """Two of a, of which one is a fork; of b a pair that descends from one another, one in the trash, and a revision."""
        a = a_session(the_store, "an apple", "x", project="a")
        b = a_session(the_store, "a banana", "x", project="b")
        fork = the_store.fork_at(b.id, 1, "a")
        child = the_store.fork_at(b.id, 1, "b")
        trashed = a_session(the_store, "a blackberry", project="b")
        the_store.delete(trashed.id)
        the_store.update(b.id, [a_message("a banana"), a_message("y", "assistant")], 1)
        moved = set(Session.objects.filter(project__name="b").values_list("pk", flat=True))
        return SimpleNamespace(a=a.id, b=b.id, fork=fork.id, child=child.id, trashed=trashed.id, moved=moved)

    def test_has_its_sessions_in_the_other_one(self, the_store, told):
        entry = projects.merge("b", "a")

        assert (entry.action, entry.state, entry.done, entry.value) == ("merge", "done", len(told.moved), "a")
        assert listed(the_store, "a") == {told.a, told.b, told.fork, told.child}
        assert members("a") >= told.moved
        assert members("b") == set()
        assert the_store.get(told.b).project == "a"
        is_sound()

    def test_stands_for_the_other_one_by_its_name(self, the_store, told):
        projects.merge("b", "a")

        assert the_store.create("b", []).project == "a"
        assert the_store.latest("b").project == "a"
        assert {hit.id for hit in the_store.search("banana", 5, filters="project:b")} == {told.b, told.fork, told.child}
        assert {hit.id for hit in the_store.search("apple", 5, filters="project:b")} == {told.a}
        assert Project.objects.standing().get().name == "a"

    def test_is_taken_back_with_those_sessions_and_no_others(self, the_store, told):
        before = state()
        entry = projects.merge("b", "a")
        assert cleanup.undo(entry.number).state == "undone"

        assert state() == before
        assert the_store.create("b", []).project == "b"
        is_sound()

    def test_leaves_what_came_or_went_since_where_it_is(self, the_store, told):
        entry = projects.merge("b", "a")
        came = the_store.create("b", [])
        cleanup.act("move", [told.child], "c")
        the_store.purge(told.trashed)
        cleanup.undo(entry.number)

        assert came.id in members("a")
        assert members("c") == {told.child}
        assert members("b") == told.moved - {told.child, told.trashed}
        is_sound()

    def test_comes_back_from_where_the_other_one_went(self, the_store, told):
        first = projects.merge("b", "a")
        projects.rename("a", "A")
        second = projects.merge("A", "c") if a_session(the_store, "x", project="c") else None
        projects.rename("c", "C")
        assert the_store.create("b", []).project == the_store.create("a", []).project == "C"

        cleanup.undo(first.number)
        assert members("b") == told.moved
        cleanup.undo(second.number)
        assert members("A") == {told.a, told.fork}
        assert the_store.create("a", []).project == "A"
        assert the_store.create("b", []).project == "b"
        is_sound()

    def test_is_followed_by_trees_and_sums(self, the_store, told):
        keys = dict(Project.objects.values_list("name", "pk"))
        assert set(lineages.of_project(keys["b"]).nodes) >= {told.b, told.child}
        by_project()
        entry = projects.merge("b", "a")

        assert set(lineages.of_project(keys["a"]).nodes) >= {told.a, told.b, told.fork, told.child}
        assert not lineages.of_project(keys["b"]).nodes
        assert by_project() == figures()
        cleanup.undo(entry.number)
        assert told.b not in lineages.of_project(keys["a"]).nodes

    def test_takes_back_an_earlier_move_to_where_the_project_is_by_now(self, the_store, told):
        moved = cleanup.act("move", [told.b], "c")
        projects.merge("b", "a")
        cleanup.undo(moved.number)
        assert told.b in members("a")
        is_sound()


class Merging:
    pytestmark = ONE_DOOR

    def test_is_told_to_who_follows_but_for_what_is_hidden(self, the_store):
        kept = a_session(the_store, "x", "y", project="b")
        a_session(the_store, "x", project="a")
        the_store.update(kept.id, [a_message("x")], 1)
        number = the_store.newest_change()
        projects.merge("b", "a")

        told = kinds_since(the_store, number)
        assert (kept.id, "moved") in told
        assert not {id for id, _ in told} & set(
            Session.objects.filter(relation="revision").values_list("pk", flat=True)
        )

    def test_of_an_empty_project_can_be_taken_back(self, the_store):
        a_session(the_store, "x", project="a")
        only = a_session(the_store, "x", project="b")
        the_store.delete(only.id)
        the_store.purge(only.id)
        entry = projects.merge("b", "a")

        assert (entry.done, cleanup.last().number) == (0, entry.number)
        assert cleanup.undo().state == "undone"
        assert the_store.create("b", []).project == "b"

    def test_goes_in_batches_and_goes_on_where_it_was_cut_off(self, the_store, monkeypatch):
        sessions = {a_session(the_store, f"{n}", project="b").id for n in range(12)}
        a_session(the_store, "x", project="a")
        monkeypatch.setattr(cleanup, "BATCH", 2)
        monkeypatch.setattr(cleanup, "BATCH_LEAST", 2)
        goes_on, times = journal.merge_goes_on, []

        def killed(*arguments):
            times.append(arguments)
            if len(times) == 2:
                raise KeyboardInterrupt
            return goes_on(*arguments)

        monkeypatch.setattr(journal, "merge_goes_on", killed)
        with pytest.raises(KeyboardInterrupt):
            projects.merge("b", "a")
        assert 0 < len(members("b")) < 12
        came = the_store.create("b", [])
        assert came.project == "b"
        is_sound()

        (entry,) = cleanup.resume()
        assert (entry.state, entry.done) == ("done", 13)
        assert members("a") >= sessions | {came.id}
        assert the_store.create("b", []).project == "a"
        is_sound()

    def test_ends_one_that_was_cut_off_before_it_begins(self, the_store, monkeypatch):
        for name in ("a", "b", "c"):
            a_session(the_store, "x", project=name)
        with monkeypatch.context() as patch:
            patch.setattr(cleanup, "finish", lambda number: None)
            projects.merge("b", "a")
        projects.merge("c", "b")

        assert not journal.under_way()
        assert Project.objects.standing().get().name == "a"
        assert Session.objects.filter(project__name="a").count() == 3
        is_sound()

    def test_refuses_the_project_itself_and_what_is_not_there(self, the_store):
        a_session(the_store, "x", project="a")
        projects.rename("a", "b")
        for into in ("b", "a", "nowhere", "a\0"):
            with pytest.raises(InvalidProject):
                projects.merge("b", into)
        with pytest.raises(ProjectNotFound):
            projects.merge("nowhere", "b")

    @pytest.mark.parametrize("name", ["b", "earlier"])
    def test_leaves_nothing_to_be_done_by_the_name_of_what_was_merged(self, the_store, name):
        for each in ("a", "earlier", "c"):
            a_session(the_store, "x", project=each)
        projects.rename("earlier", "b")
        projects.merge("b", "a")
        for verb in (projects.archive, lambda name: projects.rename(name, "d"), lambda name: projects.merge(name, "c")):
            with pytest.raises(ProjectNotFound):
                verb(name)

    def test_refuses_what_the_other_project_may_not_hold(self, the_store, settings):
        for name in ("a", "a", "b"):
            a_session(the_store, "x", project=name)
        settings.FORKLORE_PROJECT_SESSIONS = 2
        before = state()

        with pytest.raises(QuotaExceeded):
            projects.merge("b", "a")
        assert state() == before

    def test_switches_off_policies_that_would_take_what_the_other_project_holds(self, the_store):
        for name in ("a", "b"):
            a_session(the_store, "x", project=name)
        cleanup.save_policy("of b", "project:b before:1d", "trash", enabled=True)
        cleanup.save_policy("of both", "project:a project:b before:1d", "trash", enabled=True)
        cleanup.save_policy("of others", "-project:b before:1d", "trash", enabled=True)
        cleanup.save_policy("of all", "before:1d", "trash", enabled=True)

        assert projects.merging("b", "a").policies == ["of b"]
        projects.merge("b", "a")
        assert CleanupPolicy.objects.get(enabled=False).name == "of b"

    def test_tells_beforehand_what_it_would_do(self, the_store):
        for name in ("a", "b", "b", "b"):
            last = a_session(the_store, "x", project=name)
        the_store.delete(last.id)
        keys = dict(Project.objects.values_list("name", "pk"))
        people = [User.objects.create(username=name).pk for name in ("ann", "bob", "eve")]
        roles.grant(people[0], keys["b"], Role.WRITER)
        roles.grant(people[1], keys["b"], Role.WRITER)
        roles.grant(people[1], keys["a"], Role.MAINTAINER)
        roles.grant(people[2], keys["a"], Role.VIEWER)
        tokens.create("of b", projects=[keys["b"]])
        tokens.create("of both", projects=[keys["a"], keys["b"]])

        found = projects.merging("b", "a")
        assert (found.project, found.into, found.sessions, found.trashed) == ("b", "a", 3, 1)
        assert (found.people, found.tokens, found.everybody) == (1, 1, False)
        roles.set_default(Role.VIEWER, keys["b"])
        assert projects.merging("b", "a").everybody

    def test_loses_and_refuses_nothing_that_agents_do_meanwhile(self, the_store):
        alias, stop, made, faults = databases.current(), threading.Event(), [], []
        a_session(the_store, "x", project="a")
        known = [a_session(the_store, f"{n}", project="b").id for n in range(60)]

        def agent(deed):
            with databases.using(alias):
                while not stop.wait(0.005):  # seconds; agents that never pause make more than anybody can move
                    try:
                        made.append(deed(known[len(made) % 60]))
                    except Exception as fault:
                        faults.append(fault)
                databases.connection().close()

        deeds = (
            lambda _: the_store.create("b", []).id,
            lambda one: the_store.fork_at(one, 1, "b").id,
            lambda one: the_store.append(one, [a_message("y")]) or one,
        )
        agents = [threading.Thread(target=agent, args=(deed,)) for deed in deeds]
        for each in agents:
            each.start()
        try:
            for _ in range(2):
                cleanup.undo(projects.merge("b", "a").number)
            entry = projects.merge("b", "a")
        finally:
            stop.set()
            for each in agents:
                each.join()

        assert faults == []
        assert (entry.state, members("b")) == ("done", set())
        assert members("a") >= {*made, *known}
        is_sound()


class AnArchivedProject:
    pytestmark = ONE_DOOR

    def test_is_marked_and_holds_its_sessions_as_before(self, the_store):
        session = a_session(the_store, "an apple", project="a")
        number = the_store.newest_change()
        projects.archive("a")

        assert Project.objects.get().archived_at
        assert [hit.id for hit in the_store.search("apple", 5)] == [session.id]
        assert kinds_since(the_store, number) == {(session.id, "labelled")}
        projects.unarchive("a")
        assert Project.objects.get().archived_at is None

    @pytest.mark.parametrize("again", [False, True])
    def test_is_taken_back(self, the_store, again):
        a_session(the_store, "x", project="a")
        numbers = [projects.archive("a")]
        if again:
            numbers.append(projects.unarchive("a"))
        assert cleanup.undo().number == numbers[-1]
        assert bool(Project.objects.get().archived_at) == again
        if again:
            assert cleanup.undo().number == numbers[0]
            assert Project.objects.get().archived_at is None


class Somebody:
    pytestmark = ONE_DOOR
    VERBS = (
        lambda name: projects.rename(name, "new"),
        projects.archive,
        projects.unarchive,
        lambda name: projects.merge(name, "mine"),
        lambda name: projects.merging(name, "mine"),
    )

    @pytest.fixture
    def anna(self, the_store):
        for name in ("mine", "ours", "theirs"):
            a_session(the_store, "x", project=name)
        user = User.objects.create(username="anna")
        keys = dict(Project.objects.values_list("name", "pk"))
        roles.grant(user.pk, keys["mine"], Role.MAINTAINER)
        roles.grant(user.pk, keys["ours"], Role.WRITER)
        return SimpleNamespace(actor=Actor("user", "anna", user_id=user.pk), user=user.pk, keys=keys)

    @pytest.mark.parametrize("verb", VERBS)
    def test_may_do_it_to_projects_that_they_maintain(self, anna, verb):
        before = state()
        with acting(anna.actor):
            with pytest.raises(NotAllowed):
                verb("ours")
            with pytest.raises(ProjectNotFound) as hidden:
                verb("theirs")
            with pytest.raises(ProjectNotFound) as unknown:
                verb("nowhere")
        assert str(hidden.value).replace("theirs", "…") == str(unknown.value).replace("nowhere", "…")
        assert state() == before
        roles.grant(anna.user, anna.keys["ours"], Role.MAINTAINER)
        with acting(anna.actor):
            verb("ours")

    def test_merges_into_what_they_maintain_alone(self, anna):
        with acting(anna.actor):
            with pytest.raises(NotAllowed):
                projects.merge("mine", "ours")
            with pytest.raises(InvalidProject) as hidden:
                projects.merge("mine", "theirs")
            with pytest.raises(InvalidProject) as unknown:
                projects.merge("mine", "nowhere")
        assert str(hidden.value).replace("theirs", "…") == str(unknown.value).replace("nowhere", "…")

    def test_takes_it_back_while_they_maintain_both(self, anna):
        roles.grant(anna.user, anna.keys["ours"], Role.MAINTAINER)
        with acting(anna.actor):
            entry = projects.merge("mine", "ours")
        roles.grant(anna.user, anna.keys["ours"], Role.WRITER)
        with acting(anna.actor), pytest.raises(NotAllowed):
            cleanup.undo(entry.number)
        roles.grant(anna.user, anna.keys["ours"], Role.MAINTAINER)
        with acting(anna.actor):
            assert cleanup.undo(entry.number).state == "undone"

    def test_sees_what_was_merged_as_what_they_are_in_the_other_project(self, the_store, anna):
        session = the_store.latest("mine")
        projects.merge("mine", "theirs")
        with acting(anna.actor):
            assert the_store.get(session.id) is None
            with pytest.raises(NotAllowed):
                the_store.create("mine", [])
            assert the_store.latest("mine") is None

    def test_cannot_take_a_name_that_is_out_of_sight(self, anna):
        with acting(anna.actor), pytest.raises(NotAllowed, match="You may not write in a project named “theirs”"):
            projects.rename("mine", "theirs")


def test_an_import_goes_on_in_a_renamed_project(either_database):
    with databases.using(either_database):
        from sessions_app import store

        batch = ImportBatch("old", [a_message("x")], ImportState())
        first = store.import_batch(Origin("codex", "there", "1"), batch, agent="codex")
        projects.rename("old", "new")
        second = store.import_batch(Origin("codex", "there", "2"), batch, agent="codex")
        assert {store.get(each.id).project for each in (first, second)} == {"new"}


def test_a_session_keeps_its_times_when_its_project_is_merged(either_database):
    with databases.using(either_database):
        from sessions_app import store

        moment = datetime(2020, 1, 1, tzinfo=UTC)
        session = a_session(store, "x", project="b")
        Session.objects.filter(pk=session.id).update(updated_at=moment)
        a_session(store, "x", project="a")
        projects.merge("b", "a")
        assert store.get(session.id).updated_at - moment < timedelta(seconds=1)
