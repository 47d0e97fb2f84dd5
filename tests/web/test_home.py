"""The newest sessions of all projects."""

from datetime import timedelta
from uuid import uuid4

import pytest

from sessions_app.models import Session
from sessions_app.web import lists
from tests.builders import a_message, a_session
from tests.web.reading import Element, page, row, titles


@pytest.fixture
def three(the_store, clock):
    """Three sessions that every order sorts differently; the first is the newest."""
    made = {}
    for title, ago, project, count, turns in (
        ("beta", 1, "shop", 2, 9),
        ("Alpha", 50, "shop", 5, 1),
        ("gamma", 4000, "blog", 3, 4),
    ):
        clock(timedelta(minutes=ago))
        made[title] = a_session(the_store, *[f"{title} {index}" for index in range(count)], project=project)
        the_store.append(made[title].id, [], turns)
        the_store.rename(made[title].id, title)
    return made


class TheList:
    def test_shows_the_newest_session_first(self, visitor, three):
        assert titles(visitor.get("/")) == ["beta", "Alpha", "gamma"]

    def test_says_what_there_is_to_know_of_a_session(self, visitor, three):
        told = row(visitor.get("/"), "beta")

        assert told.one("a", class_="title")["href"] == f"/sessions/{three['beta'].id}/"
        size = Session.objects.get(pk=three["beta"].id).size_bytes
        assert [cell.text for cell in told.all("td")][2:] == ["shop", "", "9 turns", "2", f"{size} B", "1 min"]
        assert "UTC" in told.one("time")["title"]

    @pytest.mark.parametrize(
        ("sort", "order"),
        [
            ("title", ["Alpha", "beta", "gamma"]),
            ("-title", ["gamma", "beta", "Alpha"]),
            ("-turns", ["beta", "gamma", "Alpha"]),
            ("messages", ["beta", "gamma", "Alpha"]),
            ("-size", ["Alpha", "gamma", "beta"]),
            ("updated", ["gamma", "Alpha", "beta"]),
        ],
    )
    def test_is_sorted_by_a_click_on_a_column(self, visitor, three, sort, order):
        assert titles(visitor.get("/", {"sort": sort})) == order

    def test_links_each_sortable_column_to_its_order_and_back(self, visitor, three):
        def links(path):
            return {link.text: link["href"] for link in page(visitor.get(path)).one("thead").all("a")}

        assert links("/")["Size"] == "/?sort=-size"
        assert links("/?sort=-size")["Size"] == "/?sort=size"
        assert links("/")["Title"] == "/?sort=title"
        assert set(links("/")) == {"Title", "Turns", "Messages", "Size", "Updated"}

    def test_says_by_what_it_is_sorted(self, visitor, three):
        sorted_columns = page(visitor.get("/?sort=-turns")).all("th", aria_sort="descending")
        assert [column.text for column in sorted_columns] == ["Turns"]

    def test_leaves_out_what_is_in_the_trash(self, visitor, three, the_store):
        the_store.delete(three["beta"].id)
        assert titles(visitor.get("/")) == ["Alpha", "gamma"]

    def test_escapes_a_title(self, visitor, the_store):
        session = a_session(the_store, "hello")
        the_store.rename(session.id, "<script>alert(1)</script>")

        answer = visitor.get("/")

        assert titles(answer) == ["<script>alert(1)</script>"]
        assert b"<script>alert" not in answer.content

    @pytest.mark.parametrize(
        "query",
        ["sort=colour", "after=nonsense", "after=00000000-0000-4000-8000-000000000000~yesterday", "of=nonsense"],
    )
    def test_refuses_a_query_string_that_no_page_wrote(self, visitor, three, query):
        assert visitor.get(f"/?{query}").status_code == 400

    @pytest.mark.parametrize("value", ["-1", str(2**63), "9" * 5000, "x"])
    def test_refuses_a_page_that_no_list_has(self, visitor, three, value):
        assert visitor.get("/", {"sort": "size", "after": f"{uuid4()}~{value}"}).status_code == 400


class Forks:
    def test_carry_a_chip_that_leads_to_the_last_message_shared_with_the_parent(self, visitor, the_store):
        parent = a_session(the_store, "one", "two", "three")
        fork = the_store.fork_at(parent.id, 2)
        the_store.rename(fork.id, "the fork")

        chip = row(visitor.get("/"), "the fork").one("a", class_="fork-chip")

        assert chip.text == "#2"
        assert chip["href"] == f"/sessions/{parent.id}/m/1/"

    def test_are_counted_beside_their_parent_which_lists_them(self, visitor, the_store):
        parent = a_session(the_store, "parent", "two")
        for name in ("left", "right"):
            the_store.rename(the_store.fork_at(parent.id, 1).id, name)
        a_session(the_store, "another")

        chip = row(visitor.get("/"), "parent").one("a", data_kind="has")

        assert chip.text == "2 forks"
        assert sorted(titles(visitor.get(chip["href"]))) == ["left", "right"]

    def test_do_not_link_to_a_parent_in_the_trash(self, visitor, the_store):
        parent = a_session(the_store, "one", "two")
        the_store.rename(the_store.fork_at(parent.id, 1).id, "orphan")
        the_store.delete(parent.id)

        told = row(visitor.get("/"), "orphan")

        assert told.one("span", class_="fork-chip").text == "#1"
        assert not told.all("a", class_="fork-chip")


class Totals:
    @pytest.fixture
    def with_subagents(self, the_store):
        parent = a_session(the_store, "parent", "two")
        for _ in range(3):
            child = the_store.fork_at(parent.id, 1)
            Session.objects.filter(pk=child.id).update(relation="subagent", title="a sub-agent")

    def test_count_what_is_listed(self, visitor, the_store):
        a_session(the_store, "one")
        a_session(the_store, "two")
        assert page(visitor.get("/")).one(class_="totals").text == "2 sessions"

    def test_say_what_is_hidden_and_link_to_it(self, visitor, with_subagents):
        totals = page(visitor.get("/")).one(class_="totals")

        assert totals.text == "1 of 4 sessions; 3 sub-agents hidden"
        assert titles(visitor.get(totals.one("a")["href"])).count("a sub-agent") == 3

    def test_link_back_to_the_shorter_list(self, visitor, with_subagents):
        totals = page(visitor.get("/?subagents=1")).one(class_="totals")

        assert totals.text == "4 sessions; hide 3 sub-agents"
        assert titles(visitor.get(totals.one("a")["href"])) == ["parent"]


class Pages:
    @pytest.fixture
    def many(self, the_store):
        """120 sessions; every size and number of turns occurs many times, so that pages break among equals."""
        for index in range(120):
            session = the_store.create("p", [a_message(f"title {index % 7}")])
            the_store.append(session.id, [], index % 3)

    @pytest.mark.parametrize("sort", ["-updated", "updated", "title", "-title", "turns", "-size", "messages"])
    def test_together_show_every_session_once(self, visitor, many, sort):
        address, seen = f"/?sort={sort}", []
        while address:
            answer = visitor.get(address)
            rows = [row["data-session"] for row in page(answer).all("tr") if "data-session" in row.attributes]
            seen.append(rows)
            more = page(answer).all(id="more")
            address = more[0].one("a")["href"] if more else None

        assert [len(rows) for rows in seen] == [50, 50, 20]
        assert len({id for rows in seen for id in rows}) == 120

    def test_are_added_by_htmx_as_rows_alone(self, visitor, many):
        more = page(visitor.get("/")).one(id="more").one("a")

        answer = visitor.fragment(more["hx-get"])

        assert len(titles(answer)) == 50
        assert not page(answer).all("html")

    def test_hold_while_sessions_arrive_above(self, visitor, many, the_store):
        first = visitor.get("/")
        more = page(first).one(id="more").one("a")["href"]
        expected = [
            row["data-session"] for row in page(visitor.get(more)).all("tr") if "data-session" in row.attributes
        ]

        a_session(the_store, "new")

        later = [row["data-session"] for row in page(visitor.get(more)).all("tr") if "data-session" in row.attributes]
        assert later == expected

    def test_are_whole_when_the_browser_goes_back(self, visitor, many):
        headers = {"HX-Request": "true", "HX-Request-Type": "partial", "HX-History-Restore-Request": "true"}
        assert page(visitor.get("/", headers=headers)).all("html")


class TheRail:
    def test_shows_the_projects_with_their_figures(self, visitor, three):
        rail = page(visitor.get("/")).one(class_="rail")
        told = [link.text for link in rail.all("a", class_="project")]

        assert told[0].startswith("All projects3")
        assert told[1].startswith("shop2")
        assert told[2].startswith("blog1")
        assert told[3] == "All 2 projects"

    def test_can_be_sorted_by_name(self, visitor, three):
        rail = page(visitor.get("/?rail=name")).one(class_="rail")
        assert [link["href"] for link in rail.all("a", class_="project")][1:3] == ["/projects/blog/", "/projects/shop/"]

    def test_keeps_the_order_of_the_list(self, visitor, three):
        rail = page(visitor.get("/?sort=-size")).one(class_="rail")
        assert rail.one("ul").all("a")[1]["href"] == "/?sort=-size&rail=name"


class EveryAnswer:
    @pytest.mark.parametrize("path", ["/", "/projects/", "/trash/", "/search/?q=x", "/import/"])
    def test_has_no_script_or_style_of_its_own(self, visitor, three, path):
        shown = page(visitor.get(path))

        assert all("src" in script.attributes for script in shown.all("script"))
        assert not shown.all("style")
        assert not [
            each for each in shown.all() if any(key == "style" or key.startswith("on") for key in each.attributes)
        ]

    def test_says_that_the_server_is_well(self, visitor):
        answer = visitor.get("/healthz")
        assert (answer.status_code, answer.json()) == (200, {"ok": True})

    def test_tells_in_a_sentence_that_there_is_no_such_page(self, visitor, three):
        answer = visitor.get("/no/such/page/")
        assert answer.status_code == 404
        assert "There is no page at this address." in page(answer).one("main").text


def link(within: Element, words: str) -> Element:
    (found,) = (each for each in within.all("a") if each.text == words)
    return found


class Words:
    """Those of the search's grammar narrow a list."""

    @pytest.mark.parametrize(
        ("words", "order"),
        [
            ("turns:>3", ["beta", "gamma"]),
            ("project:shop -turns:9", ["Alpha"]),
            ("before:1d", ["gamma"]),
            ("tag:keep", ["Alpha"]),
            ("is:root", ["beta", "Alpha", "gamma"]),
            ("turns:>100", []),
        ],
    )
    def test_narrow_it(self, visitor, the_store, three, words, order):
        the_store.tag(three["Alpha"].id, "keep")
        assert titles(visitor.get("/", {"q": words})) == order

    def test_are_told_with_what_they_leave(self, visitor, the_store, three):
        the_store.archive(three["gamma"].id)
        told = page(visitor.get("/", {"q": "turns:>3", "sort": "title"}))
        assert told.one("p", class_="totals").text == "1 of 2 that match, of 3 sessions; 1 archived hidden"
        assert told.one("a", class_="off")["href"] == "/?sort=title"

    def test_keep_the_order_and_the_words_of_the_next_page(self, visitor, three, monkeypatch):
        monkeypatch.setattr(lists, "PAGE_LENGTH", 1)
        first = page(visitor.get("/", {"q": "turns:>3", "sort": "title"}))
        following = link(first, "Show 1 more")["href"]
        assert titles(visitor.get(following)) == ["gamma"]

    def test_reveal_what_they_name(self, visitor, the_store, three):
        the_store.archive(three["gamma"].id)
        assert titles(visitor.get("/", {"q": "is:archived"})) == ["gamma"]

    def test_that_are_mistyped_are_told_and_left_out(self, visitor, three):
        told = page(visitor.get("/", {"q": "turms:>3"}))
        assert "“turms:” is not a known word; it is left out." in told.text
        assert link(told, "Use turns:>3")["href"] == "/?q=turns%3A%3E3"
        assert len(titles(visitor.get("/", {"q": "turms:>3"}))) == 3

    @pytest.mark.parametrize("words", ["tide", "role:user"])
    def test_of_messages_lead_to_the_search(self, visitor, three, words):
        told = page(visitor.get("/", {"q": f"{words} turns:>3"}))
        search = link(told, f"Search messages for “{words}”")
        assert visitor.get(search["href"]).status_code == 200
        assert titles(visitor.get("/", {"q": f"{words} turns:>3"})) == ["beta", "gamma"]

    def test_that_match_nothing_lead_back(self, visitor, three):
        told = page(visitor.get("/", {"q": "turns:>100"}))
        assert "No session matches." in told.text
        assert link(told, "Show all of this list")["href"] == "/"

    def test_narrow_the_list_of_a_project(self, visitor, three):
        assert titles(visitor.get("/projects/shop/", {"q": "turns:>3"})) == ["beta"]

    def test_too_long_are_refused(self, visitor, three):
        assert visitor.get("/", {"q": "x" * 1001}).status_code == 400
