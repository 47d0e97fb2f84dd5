"""Pins, tags and projects of many sessions, changed as one entry of the journal and taken back as one."""

from datetime import timedelta

import pytest

from sessions_app import actors, cleanup, store_check
from sessions_app.actors import Actor
from sessions_app.errors import AlreadyChanged, InvalidProject, InvalidTag, NotAllowed
from sessions_app.figures import by_project
from sessions_app.models import Project, Session, Tag
from tests.builders import a_session
from tests.store import storage
from tests.store.storage import figures

pytestmark = pytest.mark.parametrize("door", ["sync"])


def state():
    fields = ("pk", "project__name", "pinned_at", "archived_at", "trashed_at", "version", "updated_at")
    tags = sorted(Tag.objects.values_list("session", "name"), key=str)
    return sorted(Session.objects.values_list(*fields), key=str), tags


@pytest.fixture
def sessions(the_store):
    """Three: one with all labels, one with none, one that is in the trash."""
    labelled, plain, trashed = (a_session(the_store, f"text {n}") for n in range(3))
    the_store.pin(labelled.id)
    the_store.archive(labelled.id)
    the_store.tag(labelled.id, "keep")
    the_store.delete(trashed.id)
    return [labelled.id, plain.id, trashed.id]


class Labels:
    @pytest.mark.parametrize(
        ("action", "value", "done"),
        [
            ("pin", "", 1),
            ("unpin", "", 1),
            ("archive", "", 1),
            ("unarchive", "", 1),
            ("tag", "Keep", 1),
            ("tag", "new", 2),
            ("untag", "keep", 1),
            ("move", "elsewhere", 2),
            ("move", "demo", 0),
        ],
    )
    def test_are_changed_where_they_can_be_and_taken_back_as_one(self, the_store, sessions, clock, action, value, done):
        before = state()
        clock.moment += timedelta(hours=1)
        entry = cleanup.act(action, sessions, value)

        assert (entry.done, entry.state) == (done, "done")
        assert (state() != before) == bool(done)
        assert by_project() == figures()
        assert cleanup.undo(entry.number).state == "undone"
        assert state() == before
        assert by_project() == figures()
        assert list(store_check.problems()) == []

    def test_of_450_sessions_are_one_entry(self, the_store):
        ids = [a_session(the_store, f"text {n}").id for n in range(450)]
        assert cleanup.act("tag", ids, "x").done == 450
        assert cleanup.act("move", ids, "elsewhere").done == 450
        assert len(the_store.list_by_project("elsewhere", 999, with_messages=False)) == 450
        cleanup.undo()
        cleanup.undo()
        assert len(the_store.list_by_project("demo", 999, with_messages=False)) == 450
        assert not Tag.objects.exists()

    def test_that_somebody_changed_since_stay_as_they_are(self, the_store, sessions):
        _, plain, _ = sessions
        tagged, moved = cleanup.act("tag", [plain], "x"), cleanup.act("move", [plain], "b")
        the_store.untag(plain, "x")
        cleanup.act("move", [plain], "c")
        for entry in (tagged, moved):
            with pytest.raises(AlreadyChanged):
                cleanup.undo(entry.number)
        assert the_store.get(plain).project == "c"

    def test_are_followed_in_the_project_that_is_left_and_in_the_other(self, the_store, sessions):
        since = storage.newest(the_store)
        cleanup.act("move", [sessions[1]], "b")
        told = [(change.project, change.kind) for change in storage.changes(the_store, since)]
        assert told == [("demo", "moved"), ("b", "moved")]

    def test_are_refused_where_they_mean_nothing(self, the_store, sessions):
        before = cleanup.entries()
        with pytest.raises(InvalidTag):
            cleanup.act("tag", sessions, "two words")
        with pytest.raises(InvalidProject):
            cleanup.act("move", sessions, "")
        assert cleanup.entries() == before


class Moving:
    def test_takes_a_writer_of_both_projects(self, the_store, sessions):
        the_store.create("theirs", [])
        mine = frozenset(Project.objects.filter(name="demo").values_list("pk", flat=True))
        somebody = Actor("user", "Ann", scopes=frozenset({"read", "write"}), projects=mine, unrestricted=True)
        with actors.acting(somebody):
            for name in ("theirs", "new"):
                with pytest.raises(NotAllowed):
                    cleanup.act("move", sessions, name)
        assert not Project.objects.filter(name="new").exists()
        theirs = frozenset(Project.objects.filter(name="theirs").values_list("pk", flat=True))
        with actors.acting(
            Actor("user", "Ann", scopes=frozenset({"read", "write"}), projects=theirs, unrestricted=True)
        ):
            assert cleanup.act("move", sessions, "theirs").done == 0
