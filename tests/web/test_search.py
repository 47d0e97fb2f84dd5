"""Search in the browser; what is found is the store's affair."""

from functools import partial
from urllib.parse import urlencode

import pytest

from sessions_app.web.rendering.marks import escape_and_mark
from tests.builders import a_message, a_session
from tests.web.reading import page


def groups(answer):
    return page(answer).all("section", class_="group")


class AHit:
    def test_shows_its_message_and_marks_what_was_found(self, visitor, the_store):
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

    def test_jumps_to_its_message_and_takes_the_text_along(self, visitor, the_store):
        session = a_session(the_store, "hello", "100% a&b")
        (group,) = groups(visitor.get("/search/", {"q": "100% a&b role:assistant"}))
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

    def test_that_forks_share_is_shown_once_and_names_them_on_demand(self, visitor, the_store):
        parent = a_session(the_store, "a needle here", "answer")
        for name in ("left", "right"):
            the_store.rename(the_store.fork_at(parent.id, 2).id, name)

        (group,) = groups(visitor.get("/search/?q=needle"))

        assert group.one("details", class_="also").one("summary").text == "also in 2 forks"
        link = group.one("details", class_="also").one("a")
        names = [item.one("a").text for item in page(visitor.fragment(link["hx-get"])).all("li")]
        assert sorted(names) == ["left", "right"]
        assert page(visitor.get("/search/" + link["href"])).one("h1").text.startswith("Also show message #0 of")

    def test_that_the_root_shows_too_stands_there(self, visitor, the_store):
        root = a_session(the_store, "a needle here", "no")
        fork = the_store.fork_at(root.id, 1)
        the_store.rename(fork.id, "its fork")

        (group,) = groups(visitor.get("/search/?q=needle"))

        assert group.one(class_="where").one("a")["href"] == f"/sessions/{root.id}/m/0/?q=needle"
        assert not group.all(class_="of")

    def test_of_a_search_for_certain_sessions_stands_in_one_of_them(self, visitor, the_store):
        root = a_session(the_store, "a needle here", "no")
        fork = the_store.fork_at(root.id, 1)
        the_store.rename(fork.id, "its fork")

        (group,) = groups(visitor.get("/search/?q=is:fork+needle"))

        assert group.one(class_="where").one("a")["href"] == f"/sessions/{fork.id}/m/0/?q=needle"
        assert group.one(class_="of").text == "in fork its fork"
        assert group.one("details", class_="also").one("summary").text == "also in 1 session"

    def test_shows_terminal_output_without_its_colours(self, visitor, the_store):
        a_session(the_store, "\x1b[31mneedle\x1b[0m in red " + "x" * 108 + "\x1b[0m")
        snippet = groups(visitor.get("/search/?q=needle"))[0].one(class_="snippet").text
        assert snippet.startswith("needle in red xxx")
        assert snippet.endswith("x…")


class ALineage:
    def test_is_one_group_under_its_root(self, visitor, the_store):
        root = a_session(the_store, "a needle", "no")
        fork = the_store.fork_at(root.id, 2)
        the_store.append(fork.id, [a_message("another needle")])
        of_fork = the_store.fork_at(fork.id, 1)
        the_store.append(of_fork.id, [a_message("a third needle")])
        other = a_session(the_store, "needle elsewhere")

        found = groups(visitor.get("/search/?q=needle"))

        assert [group.one("a", class_="title")["href"] for group in found] == [
            f"/sessions/{other.id}/",
            f"/sessions/{root.id}/",
        ]
        assert found[1].one("header").all(class_="wide")[0].text == "3 hits in 3 sessions"
        assert [each.one("a").text for each in found[1].all(class_="where")] == ["#0", "#1", "#2"]

    def test_of_which_the_root_is_in_the_trash_stands_under_what_was_found(self, visitor, the_store):
        root = a_session(the_store, "a needle", "no")
        fork = the_store.fork_at(root.id, 2)
        the_store.rename(fork.id, "its fork")
        the_store.delete(root.id)

        (group,) = groups(visitor.get("/search/?q=needle"))

        assert group.one("a", class_="title").text == "its fork"

    def test_folds_its_further_hits(self, visitor, the_store):
        a_session(the_store, *["needle"] * 10)
        (group,) = groups(visitor.get("/search/?q=needle"))

        assert group.one("details", class_="others").one("summary").text == "Show 7 more hits"
        assert len(group.all("article")) == 10


class ASearch:
    def test_counts_what_it_found(self, visitor, the_store):
        for index in range(3):
            a_session(the_store, f"needle {index}", "x", "needle again")
        told = page(visitor.get("/search/?q=needle")).one(class_="figures").text
        assert told.startswith("6 hits in 3 sessions of 3 lineages")

    def test_goes_on_behind_the_first_fifty(self, visitor, the_store):
        for index in range(30):
            a_session(the_store, f"needle {index}", "no", f"needle {index}")

        answer = visitor.get("/search/?q=needle")

        assert len(page(answer).all("article")) == 50
        assert page(answer).one(class_="figures").text.startswith("50+ hits newest first")
        more = page(answer).one(class_="more-hits").one("a")
        assert len(page(visitor.get(more["href"])).all("article")) == 10
        rest = visitor.fragment(more["hx-get"])
        assert len(page(rest).all("article")) == 10
        assert not page(rest).all(class_="more-hits")
        assert not page(rest).all(id="results")

    @pytest.mark.parametrize("after", ["x", "2026~x~1", "2026-01-01T00:00:00~00000000000040008000000000000000~1"])
    def test_refuses_a_page_that_no_search_has(self, visitor, the_store, after):
        assert visitor.get("/search/", {"q": "needle", "after": after}).status_code == 400

    def test_says_when_it_took_too_long(self, visitor, the_store, monkeypatch):
        from sessions_app.web import search

        a_session(the_store, "needle")
        now_late = partial(search.search_page, seconds=0)
        monkeypatch.setattr(search, "search_page", now_late)

        told = page(visitor.get("/search/?q=needle")).one("main").one(role="alert").text

        assert told.startswith("This search takes too long")
        assert "Narrow it down" in told

    def test_answers_htmx_with_the_results_alone(self, visitor, the_store):
        a_session(the_store, "needle")
        answer = visitor.fragment("/search/?q=needle")

        assert len(groups(answer)) == 1
        assert page(answer).one("title").text == "needle · Search · Forklore"
        assert not page(answer).all("html")
        assert "HX-Request" in answer["Vary"]

    def test_says_that_nothing_was_found(self, visitor, the_store):
        assert "Nothing contains “zebra”." in page(visitor.get("/search/?q=zebra")).one("main").text

    @pytest.mark.parametrize("query", ["", "   ", "role:user", "role:user turns:>3"])
    def test_asks_for_a_text(self, visitor, the_store, query):
        answer = visitor.get("/search/", {"q": query})
        assert "What are you looking for?" in page(answer).one("main").text

    @pytest.mark.parametrize("query", ["x" * 257, "x" * 1001, "a\0b"])
    def test_says_what_is_wrong_with_a_text(self, visitor, the_store, query):
        answer = visitor.get("/search/", {"q": query})
        assert page(answer).one("main").one(role="alert").text

    def test_shows_the_text_in_its_field_as_it_was_typed(self, visitor, the_store):
        answer = visitor.get("/search/", {"q": ' "><b> '})
        assert page(answer).one("input", id="q")["value"] == ' "><b> '


class Words:
    def test_narrow_a_search_and_stand_as_chips(self, visitor, the_store):
        a_session(the_store, "needle", project="/code/shop")
        a_session(the_store, "needle", project="/code/other")

        answer = visitor.get("/search/", {"q": "project:shop needle role:user"})

        assert len(groups(answer)) == 1
        chips = page(answer).all(class_="chip")
        assert [chip.text for chip in chips] == ["project:shop", "role:user"]
        assert chips[0].one("a")["href"] == "/search/?q=needle+role%3Auser"

    def test_alone_list_sessions(self, visitor, the_store):
        root = a_session(the_store, "hello")
        the_store.fork_at(root.id, 1)

        answer = visitor.get("/search/?q=is:fork")

        assert page(answer).one(class_="figures").text.startswith("1 session")
        assert groups(answer)[0].one(class_="where").text == "open"

    def test_that_are_mistyped_are_marked_and_left_out(self, visitor, the_store):
        a_session(the_store, "copy on write")

        answer = visitor.get("/search/", {"q": "bfore:2030 copy"})

        assert len(groups(answer)) == 1
        assert [word.text for word in page(answer).one(id="words").all("span")] == ["bfore:2030"]
        fix = page(answer).one(class_="fix")
        assert "“bfore:” is not a known word; it is left out." in fix.text
        repaired, as_text = fix.all("a")
        assert (repaired.text, repaired["href"]) == ("Use before:2030", "/search/?q=before%3A2030+copy")
        assert as_text["href"] == "/search/?q=%5Cbfore%3A2030+copy"
        assert "contains “bfore:2030 copy”" in page(visitor.get(as_text["href"])).one("main").text

    def test_can_be_left_out_where_nothing_was_found(self, visitor, the_store):
        a_session(the_store, "needle")

        answer = visitor.get("/search/", {"q": "needle role:tool"})

        assert "Nothing here contains “needle”." in page(answer).one("main").text
        assert page(answer).one("a", class_="button", href="/search/?q=needle").text == "Without role:tool"


class Facets:
    def values(self, answer):
        return {
            section.one("h2").text: {
                link.one(class_="clip").text: (int(link.one(class_="count").text), link["aria-checked"])
                for link in section.all("a")
            }
            for section in page(answer).all("section", class_="facet")
        }

    def test_count_hits_by_what_they_are(self, visitor, the_store):
        shop = the_store.create("/code/shop", [a_message("needle"), a_message("needle", "assistant")], agent="codex")
        the_store.create("other", [a_message("needle")], agent="claude-code")
        fork = the_store.fork_at(shop.id, 1)
        the_store.append(fork.id, [a_message("needle in a fork")])

        found = self.values(visitor.fragment("/search/?q=needle&part=facets"))

        assert found["Project"] == {"shop": (3, "false"), "other": (1, "false")}
        assert found["Role"] == {"user": (3, "false"), "assistant": (1, "false")}
        assert found["Agent"] == {"Codex": (3, "false"), "Claude Code": (1, "false")}
        assert found["Relation"] == {"Root": (2, "false"), "Fork": (2, "false")}
        assert found["When"]["Today"] == (4, "false")

    def test_are_counted_without_their_own_words(self, visitor, the_store):
        the_store.create("/code/shop", [a_message("needle"), a_message("needle", "assistant")])
        the_store.create("/code/other", [a_message("needle")])

        answer = visitor.get("/search/", {"q": "needle project:shop", "part": "facets"})

        found = self.values(answer)
        assert found["Project"] == {"shop": (2, "true"), "other": (1, "false")}
        assert found["Role"] == {"user": (1, "false"), "assistant": (1, "false")}
        links = {link.one(class_="clip").text: link["href"] for link in page(answer).all("a")}
        assert links["shop"] == "/search/?q=needle"
        assert links["other"] == "/search/?q=project%3A%2Fcode%2Fother+needle+project%3Ashop"

    @pytest.mark.parametrize("query", ["", "x" * 257])
    def test_are_none_where_nothing_is_searched(self, visitor, the_store, query):
        assert self.values(visitor.fragment("/search/?" + urlencode({"q": query, "part": "facets"}))) == {}

    def test_count_what_is_found_by_one_word_alone(self, visitor, the_store):
        root = a_session(the_store, "needle")
        the_store.fork_at(root.id, 1)
        assert self.values(visitor.fragment("/search/?q=is:fork&part=facets"))["Relation"] == {"Fork": (1, "true")}

    def test_come_with_the_page_where_that_is_asked_for(self, visitor, the_store):
        a_session(the_store, "needle")
        assert self.values(visitor.get("/search/?q=needle&rail=1"))["Role"] == {"user": (1, "false")}
        assert not self.values(visitor.get("/search/?q=needle"))


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
        assert escape_and_mark(text, query) == html
