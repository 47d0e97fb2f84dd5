"""Search in the browser; what is found is the store's affair."""

import pytest

from sessions_app.web.search import highlighted
from tests.builders import a_message, a_session
from tests.web.reading import page


def groups(answer):
    return page(answer).all("section", class_="group")


class AHit:
    def test_shows_its_session_and_marks_what_was_found(self, visitor, the_store):
        session = the_store.create(
            "/code/shop",
            [a_message("hello"), a_message("Stored by Copy on Write, always", "assistant")],
            agent="claude-code",
        )

        (group,) = groups(visitor.get("/search/", {"q": "copy on write"}))

        assert group.one("a", class_="title").text == "hello"
        assert group.one("header").one(class_="wide", title="/code/shop").text == "shop"
        assert group.one(class_="agent").text == "CClaude Code"
        assert group.one("mark").text == "Copy on Write"
        assert group.one(class_="where").text == "#1 assistant"
        assert group.one("a", class_="title")["href"] == f"/sessions/{session.id}/"

    def test_jumps_to_its_message_and_takes_the_query_along(self, visitor, the_store):
        session = a_session(the_store, "hello", "100% a&b")
        (group,) = groups(visitor.get("/search/", {"q": "100% a&b"}))
        link = group.one(class_="where").one("a")["href"]

        assert link == f"/sessions/{session.id}/m/1/?q=100%25%20a%26b"
        assert visitor.get(link).status_code == 200

    def test_in_a_title_leads_to_the_session(self, visitor, the_store):
        session = a_session(the_store, "hello")
        the_store.rename(session.id, "A rare title")
        (group,) = groups(visitor.get("/search/?q=rare"))
        assert group.one(class_="where").one("a")["href"] == f"/sessions/{session.id}/"
        assert group.one(class_="where").one("a").text == "title"

    def test_escapes_what_a_message_holds(self, visitor, the_store):
        a_session(the_store, "<img src=x onerror=alert(1)> needle <script>")
        answer = visitor.get("/search/?q=needle")
        assert not page(answer).one(id="results").all("img")
        assert "<img src=x" in groups(answer)[0].one(class_="snippet").text

    def test_that_forks_share_is_shown_once(self, visitor, the_store):
        parent = a_session(the_store, "a needle here", "answer")
        for name in ("left", "right"):
            the_store.rename(the_store.fork_at(parent.id, 2).id, name)

        (group,) = groups(visitor.get("/search/?q=needle"))

        assert group.one("summary").text == "also in 2 forks"
        assert len(group.one("details").all("li")) == 2


class ASearch:
    def test_counts_what_it_found(self, visitor, the_store):
        for index in range(3):
            a_session(the_store, f"needle {index}")
        told = page(visitor.get("/search/?q=needle")).one(class_="figures").text
        assert told.startswith("3 sessions contain “needle”")

    def test_offers_more_than_the_first_fifty(self, visitor, the_store):
        for index in range(60):
            a_session(the_store, f"needle {index}")

        answer = visitor.get("/search/?q=needle")

        assert len(groups(answer)) == 50
        assert page(answer).one(class_="figures").text.startswith("50+ sessions")
        more = page(answer).one(class_="more-hits").one("a")["href"]
        assert len(groups(visitor.get(more))) == 60

    def test_answers_htmx_with_the_results_alone(self, visitor, the_store):
        a_session(the_store, "needle")
        answer = visitor.fragment("/search/?q=needle")

        assert len(groups(answer)) == 1
        assert page(answer).one("title").text == "needle · Search · Forklore"
        assert not page(answer).all("html")

    def test_says_that_nothing_was_found(self, visitor, the_store):
        assert "Nothing contains “zebra”." in page(visitor.get("/search/?q=zebra")).one("main").text

    @pytest.mark.parametrize("query", ["", "   "])
    def test_asks_for_a_text(self, visitor, the_store, query):
        answer = visitor.get("/search/", {"q": query})
        assert "What are you looking for?" in page(answer).one("main").text

    @pytest.mark.parametrize("query", ["x" * 257, "a\0b"])
    def test_says_what_is_wrong_with_a_text(self, visitor, the_store, query):
        answer = visitor.get("/search/", {"q": query})
        assert page(answer).one("main").one(role="alert").text

    def test_shows_the_text_in_its_field_as_it_was_typed(self, visitor, the_store):
        answer = visitor.get("/search/", {"q": ' "><b> '})
        assert page(answer).one("input", id="q")["value"] == ' "><b> '

    def test_passes_over_a_limit_that_is_none(self, visitor, the_store):
        a_session(the_store, "needle")
        assert len(groups(visitor.get("/search/?q=needle&limit=-5"))) == 1


class Highlighting:
    @pytest.mark.parametrize(
        ("text", "query", "html"),
        [
            ("straße", "STRASSE", "<mark>straße</mark>"),
            ("a<b>a", "A", "<mark>a</mark>&lt;b&gt;<mark>a</mark>"),
            ("R&amp;D", "&", "R<mark>&amp;</mark>amp;D"),
            ("x&lt;y", "lt", "x&amp;<mark>lt</mark>;y"),
            ("none", "zebra", "none"),
            ("日本語の検索", "検索", "日本語の<mark>検索</mark>"),
        ],
    )
    def test_marks_the_original_text(self, text, query, html):
        assert highlighted(text, query) == html
