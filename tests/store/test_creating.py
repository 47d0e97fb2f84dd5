"""create: a new session with a random id, no parent, no turns and a derived title."""

from datetime import UTC, timedelta

import pytest

from sessions_app.errors import InvalidProject, StoreError
from sessions_app.models import Project
from tests.builders import a_message, a_session, texts


class Creating:
    def test_gives_each_session_a_random_id(self, the_store):
        ids = {a_session(the_store, "same").id for _ in range(5)}
        assert len(ids) == 5
        assert {id.version for id in ids} == {4}
        assert len({str(id)[:8] for id in ids}) == 5

    def test_makes_a_root_at_its_first_version(self, the_store):
        session = a_session(the_store, "hello", "hi")
        assert (session.parent_id, session.relation, session.fork_point) == (None, None, None)
        assert (session.turns, session.version, session.message_count) == (0, 1, 2)
        assert session.project == "demo"

    def test_derives_the_title(self, the_store):
        session = a_session(the_store, "Sort my photos")
        assert (session.title, session.title_source) == ("Sort my photos", "derived")

    def test_keeps_the_messages_in_order(self, the_store):
        session = a_session(the_store, "one", "two", "three")
        assert texts(session) == ["one", "two", "three"]
        assert texts(the_store.get(session.id)) == ["one", "two", "three"]

    def test_returns_what_get_returns(self, the_store):
        session = a_session(the_store, "one", "two")
        assert the_store.get(session.id) == session

    def test_takes_a_session_without_messages(self, the_store):
        session = the_store.create("demo", [])
        assert (session.messages, session.message_count, session.title) == ([], 0, "new session")
        assert the_store.get(session.id) == session

    def test_says_in_utc_when(self, the_store, clock):
        session = a_session(the_store, "hello")
        assert session.created_at == session.updated_at == clock.moment
        assert the_store.get(session.id).updated_at.utcoffset() == timedelta(0)
        assert session.created_at.tzinfo is UTC

    def test_names_the_agent_that_wrote_it(self, the_store):
        session = the_store.create("demo", [a_message()], agent="codex")
        assert the_store.get(session.id) == session


class ProjectNames:
    @pytest.mark.parametrize(
        "name",
        ["x", "x" * 255, "/home/ann/my code", "项目", "🦀" * 255, "100%_\\'\"*", " a ", "a/../b", "Ａ", "e\u0301"],
    )
    def test_are_kept_as_they_are(self, the_store, name):
        session = a_session(the_store, "hello", project=name)
        assert session.project == name
        assert [found.project for found in the_store.list_by_project(name, 9)] == [name]

    @pytest.mark.parametrize("name", ["", "x" * 256, "a\0b", "a\nb", "\t", "\x1b[31m", "a\x7f", "a\x85b", "a\ud800"])
    def test_are_refused_if_empty_too_long_or_with_control_characters(self, the_store, name):
        with pytest.raises(InvalidProject) as caught:
            a_session(the_store, "hello", project=name)
        assert isinstance(caught.value, StoreError)
        assert not Project.objects.exists()

    def test_differ_by_case_and_by_composition(self, the_store):
        for name in ("Demo", "demo", "caf\u00e9", "cafe\u0301"):
            a_session(the_store, name, project=name)
        for name in ("Demo", "demo", "caf\u00e9", "cafe\u0301"):
            assert [texts(session) for session in the_store.list_by_project(name, 9)] == [[name]]
