"""What is done to many sessions of a list at once, as a browser without scripts sends it, and as htmx does."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from sessions_app import cleanup
from sessions_app.access import roles, tokens
from sessions_app.actors import Role
from sessions_app.models import Project, Session
from tests.builders import a_session
from tests.web.conftest import Visitor
from tests.web.reading import page


@pytest.fixture
def sessions(the_store):
    return [a_session(the_store, f"session {n}", project="/code/shop").id for n in range(3)]


def done(visitor, deed, ids, **more):
    return visitor.post("/selection/", {"do": deed, "id": ids, "list": "/", **more}, follow=True)


def toast(answer):
    return page(answer).one(id="toasts").text


def somebody(role):
    user = User.objects.create(username=role.name)
    roles.grant(user.pk, Project.objects.get(name="/code/shop").pk, role)
    return Visitor(HTTP_HOST="127.0.0.1", HTTP_AUTHORIZATION=f"Bearer {tokens.create('t', user_id=user.pk)}")


class TheList:
    @pytest.mark.parametrize("path", ["/", "/projects//code/shop/"])
    def test_has_a_tick_for_each_row_and_one_form(self, visitor, sessions, path):
        shown = page(visitor.get(path))
        ticks = shown.all("input", name="id")
        assert {tick["value"] for tick in ticks} == set(map(str, sessions))
        assert {tick["form"] for tick in ticks} == {shown.one("form", id="selection")["id"]}
        assert shown.one("form", id="selection").one("input", name="list")["value"] == path
        assert shown.one("form", id="selection").one("label").text == "All 3 of this list"

    def test_of_the_trash_has_its_own_deeds(self, visitor, the_store, sessions):
        the_store.delete(sessions[0])
        form = page(visitor.get("/trash/")).one("form", id="selection")
        assert [button["value"] for button in form.all("button", name="do")] == ["restore", "purge"]

    def test_shows_a_viewer_no_tick_and_no_form(self, the_store, sessions):
        the_store.delete(sessions[0])
        viewer = somebody(Role.VIEWER)
        for path in ("/", "/projects//code/shop/", "/trash/"):
            shown = page(viewer.get(path))
            assert not shown.all("input", name="id")
            written = {form["action"] for form in shown.all("form", method="post")}
            assert written <= {reverse("web:look")}  # of nobody's data


class Deeds:
    @pytest.mark.parametrize(
        ("deed", "value", "words"),
        [
            ("trash", "", "2 sessions moved to the trash"),
            ("archive", "", "2 sessions archived"),
            ("pin", "", "2 sessions pinned"),
            ("tag", "flaky", "2 sessions tagged “flaky”"),
            ("move", "/code/other", "2 sessions moved to “/code/other”"),
        ],
    )
    def test_are_done_to_what_is_ticked_and_taken_back_by_the_toast(self, visitor, sessions, deed, value, words):
        before = list(Session.objects.order_by("pk").values())
        answer = done(visitor, deed, sessions[:2], value=value)
        assert answer.redirect_chain == [("/", 302)]
        assert words in toast(answer)
        assert len(cleanup.entries()) == 1

        undo = page(answer).one(id="toasts").one("form")
        fields = {
            field["name"]: field["value"] for field in undo.all("input") if field["name"] != "csrfmiddlewaretoken"
        }
        back = visitor.post(undo["action"], fields, follow=True)
        assert back.redirect_chain == [("/", 302)]
        assert f"Took back: {words}" in toast(back)
        assert list(Session.objects.order_by("pk").values()) == before

    def test_reach_all_that_the_list_holds_and_not_what_it_hides(self, visitor, the_store, sessions):
        the_store.archive(sessions[0])
        other = a_session(the_store, "elsewhere").id
        many = [a_session(the_store, f"more {n}", project="/code/shop").id for n in range(60)]
        visitor.post("/selection/", {"do": "trash", "all": "1", "list": "/projects//code/shop/?sort=title"})
        live = set(Session.objects.live().values_list("pk", flat=True))
        assert live == {sessions[0], other}
        assert cleanup.entries()[0].done == len(many) + 2

    def test_reach_what_a_narrowed_list_holds(self, visitor, the_store, sessions):
        the_store.tag(sessions[0], "keep")
        the_store.archive(sessions[1])
        for path, left in (("/?q=tag:keep", 2), ("/projects//code/shop/?q=is:archived", 1), ("/?q=-tag:keep", 0)):
            total = page(visitor.get(path)).one("form", id="selection").one("label").text
            assert total == "All 1 of this list"
            visitor.post("/selection/", {"do": "trash", "all": "1", "list": path})
            assert Session.objects.live().count() == left

    def test_restore_and_purge_all_of_the_trash(self, visitor, the_store, sessions):
        for id in sessions:
            the_store.delete(id)
        assert "3 sessions restored" in toast(
            visitor.post("/selection/", {"do": "restore", "all": "1", "list": "/trash/"}, follow=True)
        )
        cleanup.undo()
        wish = {"do": "purge", "all": "1", "list": "/trash/"}
        for typed in ("", "2", "purge"):
            asked = visitor.post("/selection/", {**wish, "typed": typed})
            assert "Remove 3 sessions for good?" in page(asked).one("main").text
            assert Session.objects.count() == 3
        gone = visitor.post("/selection/", {**wish, "typed": "3"}, follow=True)
        assert "3 sessions removed for good" in toast(gone)
        assert not page(gone).one(id="toasts").all("form")
        assert not Session.objects.exists()

    def test_ask_for_what_is_missing_and_say_what_is_wrong(self, visitor, sessions):
        for deed, words in {"tag": "Tag 2 sessions", "untag": "Take a tag off 2", "move": "Move 2 sessions to"}.items():
            assert words in page(done(visitor, deed, sessions[:2])).one("main").text
        answer = done(visitor, "tag", sessions[:2], value="two words")
        assert answer.status_code == 422
        assert "A tag has 1 to 50 characters" in page(answer).one(id="ask-error").text
        form = page(answer).one("form", class_="ask")
        fields = {field["name"]: field["value"] for field in form.all("input", type="hidden")}
        visitor.post("/selection/", {**fields, "value": "word"})
        assert cleanup.entries()[0].done == 2

    def test_answer_htmx_with_a_toast_and_a_mark_that_the_list_has_changed(self, visitor, sessions):
        answer = page(visitor.send("/selection/", {"do": "trash", "id": sessions[:1], "list": "/"}))
        assert "1 session moved to the trash" in answer.one("undo-toast").text
        assert answer.all("span", data_changed="")
        asked = page(visitor.send("/selection/", {"do": "tag", "id": sessions[1:], "list": "/"}))
        assert asked.one("hx-partial")["hx-target"] == "#modal"


class Trashing:
    @pytest.fixture
    def family(self, the_store, sessions):
        child = the_store.fork_at(sessions[0], 1).id
        return child, the_store.fork_at(child, 1).id

    def test_asks_once_what_becomes_of_forks(self, visitor, sessions, family):
        asked = page(done(visitor, "trash", sessions[:1]))
        assert "2 forks and sub-agents descend" in asked.one("main").text
        assert {button["value"] for button in asked.one("form", class_="ask").all("button")} == {"only", "with"}
        assert Session.objects.live().count() == 5

    def test_takes_the_forks_along(self, visitor, sessions, family):
        before = len(cleanup.entries())
        done(visitor, "trash", sessions[:1], forks="with")
        assert set(Session.objects.trashed().values_list("pk", flat=True)) == {sessions[0], *family}
        assert len(cleanup.entries()) == before + 1

    def test_leaves_the_forks_which_move_up_when_it_is_purged(self, visitor, sessions, family):
        done(visitor, "trash", sessions[:1], forks="only")
        assert Session.objects.live().count() == 4
        done(visitor, "purge", sessions[:1], typed="1", list="/trash/")
        assert Session.objects.get(pk=family[0]).parent is None

    def test_does_not_ask_where_all_forks_are_ticked(self, visitor, sessions, family):
        done(visitor, "trash", [sessions[0], *family])
        assert Session.objects.live().count() == 2


class Whoever:
    @pytest.mark.parametrize(("role", "deed", "status"), [(Role.VIEWER, "trash", 403), (Role.WRITER, "trash", 302)])
    def test_may_only_read_is_refused(self, sessions, role, deed, status):
        assert somebody(role).post("/selection/", {"do": deed, "id": sessions}).status_code == status

    def test_may_not_purge_is_refused(self, the_store, sessions):
        the_store.delete(sessions[0])
        purge = {"do": "purge", "id": sessions[:1], "typed": "1"}
        assert somebody(Role.WRITER).post("/selection/", purge).status_code == 403
        assert somebody(Role.MAINTAINER).post("/selection/", purge).status_code == 302

    @pytest.mark.parametrize(
        ("wish", "status"),
        [
            ({"do": "trash", "id": "x"}, 400),
            ({"do": "burn"}, 400),
            ({"do": "trash", "all": "1", "list": "/settings/"}, 400),
            ({"do": "trash", "all": "1", "list": "//evil.test/"}, 400),
            ({"do": "trash", "all": "1", "list": "/?sort=x"}, 400),
            ({"do": "trash", "all": "1", "list": "/projects/none/"}, 404),
            ({"do": "trash"}, 404),
        ],
    )
    def test_asks_for_what_is_none_is_told_so(self, visitor, sessions, wish, status):
        assert visitor.post("/selection/", wish).status_code == status
        assert Session.objects.live().count() == 3


class TheJournal:
    def test_lists_each_with_what_takes_it_back(self, visitor, sessions):
        done(visitor, "trash", sessions[:1])
        done(visitor, "tag", sessions[1:], value="x")
        shown = page(visitor.get("/journal/"))
        assert [row.all("td")[0].text for row in shown.one("tbody").all("tr")] == [
            "2 sessions tagged “x”",
            "1 session moved to the trash",
        ]
        assert len(shown.one("tbody").all("form")) == 2

    def test_goes_on_below(self, visitor, sessions):
        for _ in range(26):
            done(visitor, "pin", sessions[:1])
            done(visitor, "unpin", sessions[:1])
        shown = page(visitor.get("/journal/"))
        older = [link for link in shown.all("a") if link.text == "Show older"]
        assert len(page(visitor.get(older[0]["href"])).one("tbody").all("tr")) == 2

    def test_is_ones_own_and_everybodys_for_an_admin(self, visitor, sessions):
        writer = somebody(Role.WRITER)
        writer.post("/selection/", {"do": "pin", "id": sessions[:1]})
        done(visitor, "archive", sessions[1:2])
        assert len(page(writer.get("/journal/")).one("tbody").all("tr")) == 1
        assert len(page(visitor.get("/journal/")).one("tbody").all("tr")) == 2

    def test_takes_back_ones_own_last_and_nobody_elses(self, visitor, the_store, sessions):
        writer = somebody(Role.WRITER)
        done(visitor, "archive", sessions[1:2])
        writer.post("/selection/", {"do": "pin", "id": sessions[:1]})
        assert "1 session archived" in toast(visitor.post("/undo/", {"back": "/"}, follow=True))
        assert Session.objects.pinned().count() == 1
        assert "There is nothing to take back." in toast(visitor.post("/undo/", {"back": "/"}, follow=True))
        writer.post("/undo/")
        assert not Session.objects.pinned().exists()

    @pytest.mark.parametrize("back", ["https://evil.test/", "//evil.test/", "javascript:alert(1)", "/\\evil.test"])
    def test_leads_nowhere_else(self, visitor, sessions, back):
        done(visitor, "pin", sessions[:1])
        assert visitor.post("/undo/", {"back": back})["Location"] == "/journal/"

    def test_keeps_what_is_no_number_out(self, visitor, sessions):
        assert visitor.post("/undo/", {"number": "x"}).status_code == 400
        assert visitor.get("/journal/?before=x").status_code == 400
        assert "Entry 99 cannot be taken back." in toast(visitor.post("/undo/", {"number": "99"}, follow=True))
