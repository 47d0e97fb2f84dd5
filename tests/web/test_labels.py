"""A pin, the archive and tags, put on a session from its page; lists leave out the archived."""

from datetime import timedelta

import pytest

from sessions_app.models import Session, Tag, Transcript
from tests.builders import a_session
from tests.web.conftest import HTMX
from tests.web.reading import page, row, titles


@pytest.fixture
def session(the_store):
    made = a_session(the_store, "one", "two")
    the_store.rename(made.id, "mine")
    return made


def label(visitor, session, **data):
    return visitor.post(f"/sessions/{session.id}/label/", data, headers=HTMX)


class ALabel:
    def test_pins_and_unpins(self, visitor, session):
        answer = label(visitor, session, pin="1")
        assert page(answer).one("button", title="Unpin")["aria-pressed"] == "true"
        assert Session.objects.get(pk=session.id).pinned_at
        assert row(visitor.get("/"), "mine").one("span", class_="pinned")["title"] == "Pinned"

        label(visitor, session, pin="0")
        assert not Session.objects.get(pk=session.id).pinned_at

    def test_is_a_tag_that_leads_to_all_that_have_it(self, visitor, session):
        label(visitor, session, tag="Keep")
        answer = label(visitor, session, tag="a&b")
        assert [link.text for link in page(answer).all("a")] == ["a&b", "keep"]
        assert page(answer).all("a")[1]["href"] == "/search/?q=tag:keep"
        assert "a&b" in row(visitor.get("/"), "mine").text

        label(visitor, session, untag="keep")
        assert list(Tag.objects.values_list("name", flat=True)) == ["a&b"]

    def test_that_is_none_is_refused_in_place(self, visitor, session):
        answer = label(visitor, session, tag="two words")
        assert answer.status_code == 422
        told = page(answer)
        assert "blank" in told.one("p", role="alert").text
        assert told.one("input", id="new-tag")["value"] == "two words"
        assert not Tag.objects.exists()

    def test_works_without_javascript(self, visitor, session):
        answer = visitor.post(f"/sessions/{session.id}/label/", {"tag": "keep"})
        assert (answer.status_code, answer["Location"]) == (302, f"/sessions/{session.id}/")
        refused = visitor.post(f"/sessions/{session.id}/label/", {"tag": "two words"})
        assert (refused.status_code, page(refused).one("h1").text) == (422, "mine")

    @pytest.mark.parametrize("data", [{}, {"pin": "2"}, {"pin": "1", "archive": "1"}, {"tag": "a", "untag": "b"}])
    def test_is_one_at_a_time(self, visitor, session, data):
        assert label(visitor, session, **data).status_code == 400
        assert not Session.objects.get(pk=session.id).pinned_at

    def test_of_a_session_in_the_trash_is_missing(self, visitor, session, the_store):
        the_store.delete(session.id)
        assert label(visitor, session, pin="1").status_code == 404


class TheArchive:
    def test_is_left_out_of_the_lists_and_counted(self, visitor, session, the_store):
        other = a_session(the_store, "other")
        the_store.rename(other.id, "other")
        label(visitor, session, archive="1")

        for path in ("/", "/projects/demo/"):
            answer = visitor.get(path)
            assert titles(answer) == ["other"]
            assert page(answer).one("p", class_="totals").text == "1 of 2 sessions; 1 archived hidden"
            shown = visitor.get(f"{path}?archived=1")
            assert set(titles(shown)) == {"mine", "other"}
            assert "hide 1 archived" in page(shown).one("p", class_="totals").text

        label(visitor, session, archive="0")
        assert set(titles(visitor.get("/"))) == {"mine", "other"}

    def test_says_so_where_it_holds_all(self, visitor, session):
        label(visitor, session, archive="1")
        assert (
            page(visitor.get("/")).one("div", class_="empty").text.endswith("All of them are hidden: show 1 archived.")
        )

    def test_counts_a_sub_agent_as_one(self, visitor, session, the_store):
        child = the_store.fork_at(session.id, 1)
        Session.objects.filter(pk=child.id).update(relation="subagent")
        label(visitor, child, archive="1")
        assert page(visitor.get("/")).one("p", class_="totals").text == "1 of 2 sessions; 1 sub-agent hidden"
        shown = page(visitor.get("/?subagents=1")).one("p", class_="totals").text
        assert shown == "1 of 2 sessions; 1 archived hidden, hide 1 sub-agent"


class Resuming:
    @pytest.mark.parametrize(
        ("source", "project", "command"),
        [
            ("claude-code", "/home/a b/shop", "cd '/home/a b/shop' && claude --resume 0f-1"),
            ("codex", "shop", "codex resume 0f-1"),
            ("another", "shop", ""),
        ],
    )
    def test_is_the_command_of_the_agent(self, visitor, the_store, source, project, command):
        session = a_session(the_store, "one", project=project)
        Transcript.objects.create(session_id=session.id, source=source, project_key="x", external_id="0f-1")
        buttons = page(visitor.get(f"/sessions/{session.id}/")).all("copy-text")
        offered = [each["data-text"] for each in buttons if "resume" in each.text]
        assert offered == ([command] if command else [])

    def test_is_not_offered_for_a_sub_agent_or_a_fork_made_here(self, visitor, the_store, session):
        Transcript.objects.create(
            session_id=session.id, source="codex", project_key="x", external_id="0f", subpath="agent"
        )
        fork = the_store.fork_at(session.id, 1)
        for each in (session, fork):
            assert "resume command" not in visitor.get(f"/sessions/{each.id}/").text


class TheStatus:
    @pytest.mark.parametrize(("ago", "word"), [(0, "Running"), (3, "Idle"), (31, "Ended")])
    def test_is_told_from_the_last_write(self, visitor, the_store, clock, ago, word):
        clock(timedelta(minutes=ago))
        session = a_session(the_store, "one")
        for path in ("/", f"/sessions/{session.id}/"):
            assert page(visitor.get(path)).one("span", class_="state").text == word
