"""Django's admin looks at projects and sessions; only the store writes."""

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth.models import Group, User

from sessions_app.access.models import AuditEntry
from sessions_app.admin import Audited, ReadOnlyAdmin
from tests.builders import a_session
from tests.web.reading import page


@pytest.fixture
def admin(visitor, either_database):
    user = User.objects.db_manager(either_database).create_superuser("ann", password="x")
    visitor.force_login(user)
    return visitor


@pytest.fixture
def session(the_store):
    made = a_session(the_store, "the session", "answer", project="shop")
    the_store.fork_at(made.id, 1)
    return made


def listed(answer):
    return [row.text for row in page(answer).one("table", id="result_list").one("tbody").all("tr")]


class Sessions:
    def test_are_listed_with_what_matters_and_a_link_to_their_page(self, admin, session):
        answer = admin.get("/admin/forklore/session/")

        assert len(listed(answer)) == 2
        assert page(answer).all("a", href=f"/sessions/{session.id}/")

    @pytest.mark.parametrize(("place", "count"), [("live", 1), ("trash", 1), ("", 2)])
    def test_are_filtered_by_place(self, admin, the_store, session, place, count):
        the_store.delete(session.id)
        assert len(listed(admin.get("/admin/forklore/session/", {"place": place} if place else {}))) == count

    @pytest.mark.parametrize("query", ["the sess", "SHOP", "id", "id8"])
    def test_are_found_by_title_project_and_id(self, admin, the_store, session, query):
        the_store.rename(the_store.search("answer", 1)[0].id, "the session")
        wanted = {"id": str(session.id), "id8": session.id.hex[:8]}.get(query, query)
        found = listed(admin.get("/admin/forklore/session/", {"q": wanted}))
        assert found
        assert all("the session" in row for row in found)

    def test_cannot_be_written_past_the_store(self, admin, the_store, session):
        address = f"/admin/forklore/session/{session.id}/"

        assert not page(admin.get(f"{address}change/")).all("input", name="_save")
        assert admin.post(f"{address}change/", {"title": "x"}).status_code == 403
        assert admin.post(f"{address}delete/", {"post": "yes"}).status_code == 403
        assert admin.get("/admin/forklore/session/add/").status_code == 403
        assert the_store.get(session.id).title == "the session"


class Projects:
    def test_are_listed_with_their_figures(self, admin, session):
        (row,) = listed(admin.get("/admin/forklore/project/"))
        assert row.startswith("shop21")

    def test_link_to_their_page(self, admin, session):
        assert page(admin.get("/admin/forklore/project/")).all("a", href="/projects/shop/")


class TheAuditLog:
    def noted(self):
        entries = AuditEntry.objects.filter(verb__endswith="Django's admin").order_by("pk")
        return [(each.verb.split()[0], each.kind, each.object_id) for each in entries]

    def test_has_what_is_done_to_people_and_not_what_they_are_called(self, admin):
        password = "a horse of another colour"
        form = {"username": "eve", "password1": password, "password2": password, "usable_password": "true"}
        assert admin.post("/admin/auth/user/add/", form).status_code == 302
        eve = User.objects.get(username="eve")
        form = {"username": "eva", "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
        assert admin.post(f"/admin/auth/user/{eve.pk}/change/", form).status_code == 302
        assert admin.post(f"/admin/auth/user/{eve.pk}/delete/", {"post": "yes"}).status_code == 302

        assert self.noted() == [(verb, "user", str(eve.pk)) for verb in ("added", "changed", "deleted")]
        assert not [each for each in AuditEntry.objects.values() if "eve" in str(each) or "eva" in str(each)]

    def test_has_each_of_several_that_are_deleted_at_once(self, admin):
        groups = [Group.objects.create(name=name) for name in ("one", "two")]
        form = {"action": "delete_selected", "post": "yes", "_selected_action": [group.pk for group in groups]}
        assert admin.post("/admin/auth/group/", form).status_code == 302
        assert sorted(self.noted()) == [("deleted", "group", str(group.pk)) for group in groups]

    def test_knows_of_all_that_can_be_changed_there(self):
        registered = django_admin.site._registry.values()
        assert [each for each in registered if not isinstance(each, Audited | ReadOnlyAdmin)] == []
