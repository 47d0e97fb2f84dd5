"""A page shows no control that would be refused, and all that would not be."""

import re

import pytest
from django.contrib.auth.models import User

from sessions_app.access import roles, tokens
from sessions_app.actors import Role
from sessions_app.models import Project
from tests.builders import a_session
from tests.web.conftest import Visitor
from tests.web.reading import page

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


@pytest.fixture
def pages(the_store):
    """Addresses of pages that are full of controls, all about sessions of one project."""
    live, trashed = a_session(the_store, "one", "two"), a_session(the_store, "three")
    the_store.tag(live.id, "keep")
    the_store.pin(live.id)
    the_store.fork_at(live.id, 1)
    the_store.delete(trashed.id)
    session = f"/sessions/{live.id}"
    return [
        "/",
        "/projects/demo/",
        f"{session}/",
        f"{session}/lineage/",
        f"/sessions/{trashed.id}/",
        "/trash/",
        "/search/?q=one",
    ]


def somebody(role: Role) -> Visitor:
    user = User.objects.create(username=role.name)
    roles.grant(user.pk, Project.objects.get(name="demo").pk, role)
    return Visitor(HTTP_HOST="127.0.0.1", HTTP_AUTHORIZATION=f"Bearer {tokens.create('t', user_id=user.pk)}")


def controls(visitor: Visitor, addresses: list[str]) -> set[str]:
    """What is posted to from these pages, and asked for in place of a row, without the ids."""
    found: set[str] = set()
    for address in addresses:
        for element in page(visitor.get(address)).all():
            posts = element.attributes.get("action") if element.attributes.get("method") == "post" else None
            asked = (posts, element.attributes.get("hx-post"), element.attributes.get("hx-get"))
            found |= {ID.sub("…", each) for each in asked if each and "/sessions/" in each and "/find/" not in each}
    return found


WRITING = {"title", "delete", "restore", "fork", "forks", "label"}
MORE = {Role.VIEWER: set(), Role.WRITER: WRITING, Role.MAINTAINER: {*WRITING, "purge"}}


class Somebody:
    @pytest.mark.parametrize("role", MORE)
    def test_is_shown_what_they_may_do(self, pages, role):
        shown = {each.split("/")[3].split("?")[0] for each in controls(somebody(role), pages)}
        assert shown == MORE[role]

    def test_may_do_what_they_are_shown(self, pages, the_store):
        for role in MORE:
            visitor = somebody(role)
            for address in controls(visitor, pages):
                id = the_store.create("demo", [{"role": "user", "content": "x"}]).id
                if address.split("/")[3] in ("restore", "purge"):
                    the_store.delete(id)
                assert (
                    visitor.post(
                        address.replace("…", str(id)), {"position": "1", "pin": "1", "title": "x", "count": "1"}
                    ).status_code
                    < 400
                )

    def test_is_refused_what_they_are_not_shown(self, pages, the_store):
        id = the_store.create("demo", [{"role": "user", "content": "x"}]).id
        viewer = somebody(Role.VIEWER)
        for name, data in {
            "title": {"title": "x"},
            "delete": {},
            "fork": {"position": "1"},
            "label": {"pin": "1"},
        }.items():
            assert viewer.post(f"/sessions/{id}/{name}/", data).status_code == 403

    def test_is_offered_no_import_without_being_over_all(self, pages):
        maintainer = somebody(Role.MAINTAINER)
        for address in ("/", "/projects/demo/"):
            assert "/import/" not in maintainer.get(address).text

    def test_who_may_do_everything_is_asked_nothing(self, pages, visitor, django_assert_num_queries, either_database):
        from sessions_app import actors
        from sessions_app.web.context import Allowed

        with actors.acting(actors.the_owner()), django_assert_num_queries(0, using=either_database):
            assert 1 in Allowed().write
            assert 1 in Allowed().purge
