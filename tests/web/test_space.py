"""The page that tells what takes up space."""

from datetime import timedelta

import pytest
from django.utils import timezone

from sessions_app.models import Session
from tests.builders import a_session
from tests.web.reading import page, titles


@pytest.fixture
def sessions(the_store):
    old = a_session(the_store, "old " * 500, project="/code/shop")
    a_session(the_store, "new", project="notes")
    fork = the_store.fork_at(old.id, 1)
    gone = a_session(the_store, "gone " * 100, project="notes")
    the_store.delete(gone.id)
    Session.objects.filter(pk__in=[old.id, fork.id]).update(updated_at=timezone.now() - timedelta(days=100))
    return old, fork, gone


def rows(answer, heading):
    table = next(each for each in page(answer).all("table") if each.one("caption").text == heading)
    return [[cell.text for cell in row.all("td")] for row in table.one("tbody").all("tr")]


class Space:
    def test_is_told_by_project_and_age(self, visitor, sessions):
        answer = visitor.get("/space/")
        assert [row[0] for row in rows(answer, "Project")] == ["shop", "notes"]
        assert rows(answer, "Project")[0][2:] == ["2 KB", "0 B", "2 KB", "0 B", "2"]
        ages = {row[0]: row[2] for row in rows(answer, "Last written to")}
        assert ages["90 days to a year"] == "2 KB"
        assert ages["Older than a year"] == "0 B"
        assert "Emptying the trash of 1 session would free" in page(answer).one("main").text

    def test_is_looked_into_and_out_of_again(self, visitor, sessions):
        (link,) = [link for link in page(visitor.get("/space/")).all("a") if link.text == "shop"]
        narrowed = visitor.get(link["href"])
        assert "The trash is empty here" in page(narrowed).one("main").text
        assert not [table for table in page(narrowed).all("caption") if table.text == "Project"]
        (aged,) = [link for link in page(narrowed).all("a") if link.text == "Last 7 days"]
        assert "There is none that takes up anything" in page(visitor.get(aged["href"])).one("main").text
        out = page(narrowed).one("a", class_="chip")
        assert out["href"] == "/space/"

    def test_leads_to_the_largest_sessions(self, visitor, sessions):
        (row,) = rows(visitor.get("/space/"), "Largest sessions")
        assert row[0] == "new"

    def test_leads_to_the_list_of_what_it_is_about(self, visitor, sessions):
        answer = visitor.get("/space/?project=/code/shop&age=year")
        (link,) = [link for link in page(answer).all("a") if link.text == "All of them as a list"]
        assert len(titles(visitor.get(link["href"]))) == 2

    def test_of_what_is_none_is_refused(self, visitor, sessions):
        assert visitor.get("/space/?project=none").status_code == 404
        assert visitor.get("/space/?age=x").status_code == 400

    def test_is_given_back_on_the_spot(self, visitor, sessions):
        answer = visitor.post("/space/", follow=True)
        assert "back to the disk" in page(answer).one(id="toasts").text
