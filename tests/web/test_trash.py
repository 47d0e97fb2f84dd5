"""Deleting with Undo, and the trash."""

from datetime import timedelta
from uuid import uuid4

import pytest

from sessions_app.models import Session
from tests.builders import a_session
from tests.web.reading import page, titles


@pytest.fixture
def session(the_store):
    return a_session(the_store, "the session", "answer", project="/code/shop")


class Deleting:
    def test_replaces_the_row_by_a_place_for_it_and_offers_undo(self, visitor, the_store, session):
        answer = visitor.send(f"/sessions/{session.id}/delete/")

        assert "hidden" in page(answer).one("tr", id=f"session-{session.id}").attributes
        assert "Moved “the session” to the trash" in page(answer).one("undo-toast").text
        assert page(answer).one("undo-toast").one("form")["action"] == f"/sessions/{session.id}/restore/"
        assert the_store.get(session.id) is None

    def test_returns_to_the_project_and_offers_undo_there_without_javascript(self, visitor, session):
        answer = visitor.post(f"/sessions/{session.id}/delete/", follow=True)

        assert answer.redirect_chain == [("/projects//code/shop/", 302)]
        toast = page(answer).one(id="toasts")
        assert "Moved “the session” to the trash" in toast.text
        restored = visitor.post(toast.one("form")["action"], follow=True)
        assert restored.redirect_chain == [(f"/sessions/{session.id}/", 302)]
        assert titles(visitor.get("/")) == ["the session"]

    def test_leaves_the_undo_to_the_page_that_is_gone_to_where_another_renews_itself_before(self, visitor, session):
        visitor.post(f"/sessions/{session.id}/delete/")

        behind = [visitor.get(path, headers={"Live-Refresh": "1"}) for path in ("/", f"/sessions/{session.id}/")]
        gone_to = visitor.get("/projects//code/shop/")

        assert all("undo-toast" not in answer.content.decode() for answer in behind)
        assert "Moved “the session” to the trash" in page(gone_to).one("undo-toast").text

    @pytest.mark.parametrize(("forks", "words"), [(1, "; its fork stays"), (3, "; its 3 forks stay")])
    def test_says_that_forks_stay(self, visitor, the_store, session, forks, words):
        for _ in range(forks):
            the_store.fork_at(session.id, 1)

        answer = visitor.send(f"/sessions/{session.id}/delete/")

        assert words in page(answer).one("undo-toast").text
        assert Session.objects.live().count() == forks

    def test_changes_nothing_on_a_get(self, visitor, the_store, session):
        assert visitor.get(f"/sessions/{session.id}/delete/").status_code == 405
        assert the_store.get(session.id)

    def test_is_missing_for_what_is_gone(self, visitor, the_store, session):
        the_store.delete(session.id)
        answer = visitor.send(f"/sessions/{session.id}/delete/")
        assert answer.status_code == 404
        assert f"Session {session.id} is in the trash." in page(answer).text


class Restoring:
    def test_brings_the_row_back_to_its_place(self, visitor, the_store, session):
        the_store.delete(session.id)

        answer = visitor.send(f"/sessions/{session.id}/restore/")

        assert titles(answer) == ["the session"]
        assert page(answer).all("hx-partial", hx_target=f"#session-{session.id}")
        assert the_store.get(session.id).title == "the session"

    def test_is_missing_for_a_session_that_is_not_in_the_trash(self, visitor, the_store, session):
        for id in (session.id, uuid4()):
            assert visitor.send(f"/sessions/{id}/restore/").status_code == 404


class TheTrash:
    def test_lists_what_was_deleted_last_first_and_how_long_it_stays(self, visitor, the_store, session, clock):
        clock(timedelta(days=28, hours=1))
        the_store.delete(session.id)
        clock(timedelta(0))
        the_store.delete(a_session(the_store, "another").id)

        shown = page(visitor.get("/trash/"))

        assert titles(visitor.get("/trash/")) == ["another", "the session"]
        assert [cell.text for cell in shown.all("td", class_="left")] == ["30 days", "2 days"]
        assert shown.one(class_="totals").text.startswith("2 sessions, ")

    def test_says_when_the_time_is_up(self, visitor, the_store, session, clock):
        clock(timedelta(days=31))
        the_store.delete(session.id)
        assert page(visitor.get("/trash/")).one("td", class_="left").text == "time is up"

    def test_says_that_it_is_empty(self, visitor, the_store):
        assert "The trash is empty." in page(visitor.get("/trash/")).text

    def test_goes_on_page_by_page(self, visitor, the_store):
        for index in range(60):
            the_store.delete(a_session(the_store, f"{index}").id)
        first = visitor.get("/trash/")
        more = page(first).one(id="more").one("a")

        rest = visitor.fragment(more["hx-get"])

        assert len(set(titles(first)) | set(titles(rest))) == 60
        assert titles(visitor.get(more["href"])) == titles(rest)

    @pytest.mark.parametrize("after", ["x", "00000000-0000-4000-8000-000000000000~5", "~"])
    def test_refuses_a_page_that_it_has_not(self, visitor, the_store, after):
        assert visitor.get("/trash/", {"after": after}).status_code == 400


class Purging:
    @pytest.fixture
    def trashed(self, the_store, session):
        the_store.fork_at(session.id, 1)
        the_store.delete(session.id)
        return session

    def test_asks_first_and_names_what_goes(self, visitor, the_store, trashed):
        question = page(visitor.get(f"/sessions/{trashed.id}/purge/")).one("main").text

        assert "Remove “the session” for good?" in question
        assert trashed.id.hex[:8] in question
        assert "This cannot be undone." in question
        assert "Its 1 fork and what they show stay." in question
        the_store.restore(trashed.id)

    def test_asks_in_a_dialog_with_javascript(self, visitor, trashed):
        answer = visitor.fragment(f"/sessions/{trashed.id}/purge/")
        assert page(answer).one(id="modal-title")
        assert not page(answer).all("html")

    def test_removes_for_good(self, visitor, the_store, trashed):
        answer = visitor.send(f"/sessions/{trashed.id}/purge/")

        assert "Removed “the session” for good" in page(answer).one("undo-toast").text
        assert not page(answer).one("undo-toast").all("form")
        assert not Session.objects.filter(pk=trashed.id).exists()

    def test_returns_to_the_trash_without_javascript(self, visitor, trashed):
        answer = visitor.post(f"/sessions/{trashed.id}/purge/", follow=True)

        assert answer.redirect_chain == [("/trash/", 302)]
        assert "Removed “the session” for good" in page(answer).one(id="toasts").text

    def test_is_refused_for_a_live_session(self, visitor, the_store, session):
        assert visitor.send(f"/sessions/{session.id}/purge/").status_code == 404
        assert the_store.get(session.id)
