"""The projects, and the sessions of one."""

import pytest
from django.urls import reverse

from sessions_app import projects
from sessions_app.models import Project
from tests.builders import a_session
from tests.web.reading import page, titles

ODD_NAMES = [
    "/home/ann/code/forklore",
    "a b",
    "a#b?c=d&e%20f%",
    "größe/日本語/😀",
    "..",
    ".",
    "../../etc",
    "/a/./b/../c",
    "~..",
    "trailing/",
    "//double//slash//",
    "C:\\work\\x",
    " spaces around ",
    "quote'\"<b>",
    "a;b,c@d:e+f",
    "~",
]


class AProjectsPage:
    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_is_found_whatever_its_name(self, visitor, the_store, name):
        a_session(the_store, "mine", project=name)
        a_session(the_store, "not mine", project="another")

        link = next(link for link in page(visitor.get("/projects/")).all("a", class_="title") if link["title"] == name)

        assert titles(visitor.get(link["href"])) == ["mine"]

    def test_lists_its_sessions_alone_in_any_order(self, visitor, the_store):
        for title in ("b", "a"):
            a_session(the_store, title, project="shop")
        a_session(the_store, "c", project="blog")
        assert titles(visitor.get("/projects/shop/?sort=title")) == ["a", "b"]

    def test_adds_more_rows_as_a_fragment(self, visitor, the_store):
        for index in range(51):
            a_session(the_store, f"{index}", project="shop")
        more = page(visitor.get("/projects/shop/")).one(id="more").one("a")["hx-get"]
        assert len(titles(visitor.fragment(more))) == 1

    def test_is_missing_for_an_unknown_name(self, visitor, the_store):
        answer = visitor.get("/projects/unknown/")
        assert answer.status_code == 404
        assert "There is no project 'unknown'." in page(answer).one("main").text

    def test_is_missing_for_a_name_that_no_database_takes(self, visitor, the_store):
        assert visitor.get("/projects/a%00b/").status_code == 404

    def test_marks_its_place_among_the_others(self, visitor, the_store):
        a_session(the_store, "x", project="shop")
        a_session(the_store, "x", project="blog")
        current = page(visitor.get("/projects/shop/")).one(class_="rail").one("a", aria_current="page")
        assert current["href"] == "/projects/shop/"


class TheTable:
    @pytest.fixture
    def projects(self, the_store):
        for name, count in (("beta", 1), ("Alpha", 3), ("/home/x/gamma", 2)):
            for index in range(count):
                a_session(the_store, f"{index}", "long " * 20 if name == "beta" else "short", project=name)
        the_store.fork_at(the_store.latest("beta").id, 1)
        the_store.delete(the_store.latest("Alpha").id)

    def rows(self, answer):
        return [[cell.text for cell in row.all("td")] for row in page(answer).one("tbody").all("tr")]

    def test_shows_figures_of_live_sessions(self, visitor, projects):
        sizes = {name: Project.objects.with_figures().get(name=name).size_bytes for name in ("Alpha", "beta")}
        assert self.rows(visitor.get("/projects/?sort=name"))[1:] == [
            ["Alpha", "2 sessions", "0 forks", f"{sizes['Alpha']} B", "now"],
            ["beta", "2 sessions", "1 fork", f"{sizes['beta']} B", "now"],
        ]

    @pytest.mark.parametrize(
        ("sort", "first"),
        [("name", "gamma /home/x/gamma"), ("size", "beta"), ("forks", "beta"), ("activity", "beta")],
    )
    def test_is_sorted_by_its_columns(self, visitor, projects, sort, first):
        assert self.rows(visitor.get("/projects/", {"sort": sort}))[0][0] == first

    def test_is_filtered_by_a_part_of_the_name(self, visitor, projects):
        answer = visitor.fragment("/projects/", {"q": "ALPH"})

        assert [row[0] for row in self.rows(answer)] == ["Alpha"]
        assert page(answer).one(class_="totals").text == "1 of 3 projects"
        assert not page(answer).all("html")

    def test_says_that_nothing_is_named_so(self, visitor, projects):
        assert "No project is named like “zzz”." in page(visitor.get("/projects/", {"q": "zzz"})).text

    def test_passes_over_a_wish_that_is_none(self, visitor, projects):
        assert len(self.rows(visitor.get("/projects/?sort=colour"))) == 3

    def test_keeps_what_stands_in_the_query_string(self, visitor, projects):
        link = page(visitor.get("/projects/?q=a")).one("thead").all("a")[0]
        assert link["href"] == "/projects/?q=a&sort=name"


class ARenamedProject:
    def test_is_led_to_from_its_old_address_with_what_was_asked_for(self, visitor, the_store):
        a_session(the_store, "x", project="a/b")
        projects.rename("a/b", "c")
        answer = visitor.get("/projects/a/b/?sort=size")
        assert (answer.status_code, answer["Location"]) == (302, "/projects/c/?sort=size")

    @pytest.mark.parametrize("path", ["/ledger/?project=old", "/hygiene/?project=old", "/projects/old/lineage/"])
    def test_is_what_pages_show_for_the_name_that_it_had(self, visitor, the_store, path):
        a_session(the_store, "x", project="old")
        projects.rename("old", "new")
        assert visitor.get(path).status_code == 200

    def test_is_listed_once_by_the_api_and_given_by_either_name(self, visitor, the_store):
        session = a_session(the_store, "x", project="old")
        projects.rename("old", "new")
        assert visitor.get("/api/v1/projects").json() == {"projects": [{"name": "new", "sessions": 1}]}
        for name in ("old", "new"):
            (found,) = visitor.get("/api/v1/sessions", {"project": name}).json()["sessions"]
            assert (found["id"], found["project"]) == (str(session.id), "new")
            assert visitor.get("/api/v1/export", {"project": name}).status_code == 200


class APageThatIsOld:
    def test_does_to_a_renamed_project_what_was_meant(self, visitor, the_store):
        a_session(the_store, "x", project="old")
        projects.rename("old", "new")
        assert visitor.send("/project/archive/", {"project": "old"}).status_code == 200
        assert Project.objects.get(name="new").archived_at

    @pytest.mark.parametrize("what", ["name", "merge", "archive"])
    def test_does_nothing_to_the_project_into_which_another_was_merged(self, visitor, the_store, what):
        for name in ("a", "b"):
            a_session(the_store, "x", project=name)
        projects.merge("b", "a")
        assert visitor.send(f"/project/{what}/", {"project": "b", "title": "c", "into": "a"}).status_code == 404
        assert not Project.objects.filter(name="c").exists()
        assert Project.objects.get(name="a").archived_at is None


def test_an_address_and_its_name_belong_together():
    for name in ODD_NAMES:
        address = reverse("web:project", args=[name])
        assert not {".", ".."} & set(address.split("/")), f"a browser would resolve {address}"
