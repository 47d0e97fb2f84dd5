"""The page of forks that are of no more use."""

import re
from datetime import timedelta

import pytest

from sessions_app import store
from sessions_app.actors import Role
from sessions_app.models import Session
from tests.builders import a_message, a_session
from tests.web import reading
from tests.web.test_controls import somebody


@pytest.fixture
def forks(the_store, monkeypatch):
    """Of each kind one, all of them a month old."""
    root = a_session(the_store, "one", "two", "three", "four")
    same = the_store.fork_at(root.id, 3)
    retry = the_store.fork_at(root.id, 2)
    the_store.append(retry.id, [a_message("try")])
    twin = a_session(the_store, "one", "two", "three", "four")
    now = store.now
    monkeypatch.setattr(store, "now", lambda: now() + timedelta(days=30))
    return {"never-diverged": same.id, "duplicates": twin.id, "abandoned": retry.id}


def listed(response):
    assert response.status_code == 200
    sections = reading.page(response).all("section")
    return {each["aria-labelledby"]: [box["value"] for box in each.all("input", type="checkbox")] for each in sections}


class ThePage:
    def test_lists_them_by_why_they_are_needless(self, visitor, forks):
        expected = {kind: [str(id)] for kind, id in forks.items()}
        assert listed(visitor.get("/hygiene/")) == expected
        assert listed(visitor.get("/hygiene/?project=demo")) == expected
        del expected["duplicates"]
        assert listed(visitor.get(f"/hygiene/?under={forks['abandoned']}")) == expected
        assert visitor.get("/hygiene/?project=nowhere").status_code == 404
        assert visitor.get("/hygiene/?under=nothing").status_code == 404

    @pytest.mark.parametrize(("action", "field"), [("archive", "archived_at"), ("trash", "trashed_at")])
    def test_acts_on_those_ticked_until_undone(self, visitor, forks, action, field):
        id = forks["abandoned"]
        answer = visitor.post("/hygiene/?project=demo", {"action": action, "id": [str(id)]}, follow=True)
        done = lambda: {each.pk for each in Session.objects.all() if getattr(each, field)}  # noqa: E731
        assert done() == {id}
        assert "abandoned" not in listed(answer)
        (undo,) = re.findall('action="([^"]*entry=[^"]*)"', answer.content.decode())
        visitor.post(undo.replace("&amp;", "&"), {"undo": "1"})
        assert done() == set()

    def test_refuses_what_is_no_deed(self, visitor, forks):
        for data in ({"action": "purge", "id": [str(forks["abandoned"])]}, {"action": "trash", "id": ["x"]}):
            assert visitor.post("/hygiene/", data).status_code == 400
        assert visitor.post("/hygiene/", {"undo": "1"}).status_code == 400
        assert visitor.post("/hygiene/?entry=99", {"undo": "1"}).status_code == 404

    def test_is_of_no_use_to_who_may_only_read(self, visitor, forks):
        viewer = somebody(Role.VIEWER)
        assert listed(viewer.get("/hygiene/")) == {}
        viewer.post("/hygiene/", {"action": "trash", "id": [str(forks["abandoned"])]})
        assert not Session.objects.trashed().exists()

    def test_is_linked_from_where_one_needs_it(self, visitor, forks):
        for path in ("/projects/demo/", "/cleanup/", f"/sessions/{forks['abandoned']}/lineage/"):
            assert 'href="/hygiene/' in visitor.get(path).content.decode()
