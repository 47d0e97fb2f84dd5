"""Renaming in place, and on a page of its own without JavaScript."""

from uuid import uuid4

import pytest

from tests.builders import a_session
from tests.web.conftest import Visitor
from tests.web.reading import page, titles


@pytest.fixture
def session(the_store):
    return a_session(the_store, "the old title", "answer")


@pytest.fixture
def address(session):
    return f"/sessions/{session.id}/title/"


class TheField:
    def test_holds_the_title_and_takes_the_focus(self, visitor, session, address):
        answer = visitor.fragment(address)
        field = page(answer).one("input", name="title")

        assert field["value"] == "the old title"
        assert "autofocus" in field.attributes
        assert not page(answer).all("html")

    def test_stands_on_a_page_of_its_own_without_javascript(self, visitor, address):
        answer = visitor.get(address)
        form = page(answer).one("main").one("form")

        assert page(answer).all("html")
        assert (form["action"], form["method"]) == (address, "post")
        assert form.one("input", name="csrfmiddlewaretoken")

    def test_gives_the_title_back_when_it_is_left(self, visitor, session, address):
        cancel = page(visitor.fragment(address)).one("a")["hx-get"]
        assert page(visitor.fragment(cancel)).one("a", class_="title").text == "the old title"

    def test_is_missing_for_a_session_that_is_not_there(self, visitor, the_store, session, address):
        the_store.delete(session.id)
        assert visitor.get(address).status_code == 404
        assert visitor.get(f"/sessions/{uuid4()}/title/").status_code == 404


class Renaming:
    def test_answers_with_the_new_title(self, visitor, the_store, session, address):
        answer = visitor.send(address, {"title": "  A new title  "})

        assert page(answer).one(id=f"title-{session.id}").one("a", class_="title").text == "A new title"
        assert the_store.get(session.id).title == "A new title"

    def test_takes_the_focus_back_to_the_title(self, visitor, address):
        answer = visitor.send(address, {"title": "new"})
        assert "autofocus" in page(answer).one("a", class_="title").attributes

    def test_leads_to_the_session_without_javascript(self, visitor, the_store, session, address):
        answer = visitor.post(address, {"title": "new"})

        assert (answer.status_code, answer["Location"]) == (302, f"/sessions/{session.id}/")
        assert titles(visitor.get("/")) == ["new"]

    def test_in_the_head_of_a_session_leaves_a_title_that_is_no_link(self, visitor, address):
        answer = visitor.send(address, {"title": "new", "place": "head"})
        assert not page(answer).all("a", class_="title")
        assert "?place=head" in page(answer).one("a")["hx-get"]

    @pytest.mark.parametrize("wanted", ["", "   ", "\u202e", "x" * 201])
    def test_says_why_not_beside_the_field_and_keeps_what_was_typed(self, visitor, the_store, session, address, wanted):
        for answer in (visitor.send(address, {"title": wanted}), visitor.post(address, {"title": wanted})):
            field = page(answer).one("input", name="title")
            assert answer.status_code == 422
            assert field["value"] == wanted
            assert page(answer).one(id=field["aria-describedby"])["role"] == "alert"
        assert the_store.get(session.id).title == "the old title"

    def test_escapes_what_was_typed(self, visitor, address):
        answer = visitor.send(address, {"title": '"><script>' * 30})
        assert b"<script>" not in answer.content

    def test_needs_the_token_of_the_page(self, the_store, session, address):
        visitor = Visitor(HTTP_HOST="127.0.0.1", enforce_csrf_checks=True).enter()

        answer = visitor.post(address, {"title": "new"})

        assert answer.status_code == 403
        assert "This form is no longer valid" in page(answer).text
        assert the_store.get(session.id).title == "the old title"
