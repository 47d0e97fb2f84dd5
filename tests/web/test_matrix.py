"""Every address, asked by everybody and attacked in every way; an address without a row here fails.

A row says how an address is asked, what role it takes, and what it is asked about. Whoever may not see the project of
it must get, to the letter, what is answered where it does not exist.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Literal
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.test import override_settings
from django.urls import get_resolver
from django.utils import timezone

from sessions_app import actors, gate, store
from sessions_app.access import browsers, codes, roles, sockets, tokens
from sessions_app.actors import Role
from sessions_app.models import Project, Session
from sessions_app.web import enter, transcript
from sessions_site import asgi
from tests.builders import a_message
from tests.web.conftest import HTMX, Visitor

PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SOURCE = {"type": "base64", "media_type": "image/png", "data": PICTURE}
IMAGE = {"role": "user", "content": [{"type": "image", "source": SOURCE}]}


@dataclass(frozen=True)
class Ask:
    """`path` speaks of {id} and {prefix} of a session, its {project}, a {word} in it, and a {twin} that says the same, or a {third}."""

    path: str
    method: Literal["get", "post", "put", "patch", "delete"] = "get"
    data: tuple[tuple[str, str], ...] = ()
    takes: Role | Literal["nothing", "anybody", "all"] = Role.VIEWER  # "all": to be over all projects
    of: Literal["live", "trashed", "list"] = "live"  # a list is there for everybody, and differs by what they may see
    json: str = ""  # a body instead of data


def lists(*paths: str) -> tuple[Ask, ...]:
    return tuple(Ask(path, of="list") for path in paths)


def reads(*paths: str) -> tuple[Ask, ...]:
    return tuple(Ask(path) for path in paths)


def writes(path: str, takes: Role = Role.WRITER, of: Literal["live", "trashed"] = "live", **data: str) -> Ask:
    return Ask(path, "post", tuple(data.items()), takes, of)


def api(method: Literal["get", "post", "put", "patch", "delete"], path: str, takes: Role = Role.WRITER, of: Literal["live", "trashed"] = "live", **value: object) -> Ask:  # fmt: skip
    return Ask(f"/api/v1/{path}", method, (), takes, of, json.dumps(value))


def of_nobodys(method: Literal["post", "put"], path: str) -> Ask:
    """What is not about a session that is there; tests/api and tests/store say who may."""
    return Ask(f"/api/v1/{path}", method, (), "anybody", json="{}")


TABLE: dict[str, tuple[Ask, ...]] = {
    "": (*lists("/", "/?sort=title&subagents=1", "/?rail=name"), *reads("/?of={id}")),
    "projects/": lists("/projects/", "/projects/?q={project}&all=1", "/projects/?sort=size", "/projects/?archived=1"),
    "projects/<project:name>/": reads("/projects/{project}/"),
    "project/name/": (
        *reads("/project/name/?project={project}"),
        writes("/project/name/?project={project}", Role.MAINTAINER, title="ours"),
    ),
    "project/merge/": (
        *reads("/project/merge/?project={project}"),
        writes("/project/merge/?project={project}", Role.MAINTAINER),
    ),
    "project/archive/": (writes("/project/archive/?project={project}", Role.MAINTAINER),),
    "search/": (
        *lists("/search/?q={word}&rail=1", "/search/?q={word}&part=facets", "/search/?q=shared", "/search/?q=is:fork"),
        *lists("/search/?q=is:root", "/search/?q=has:forks", "/search/?q=under:{prefix}", "/search/?q=-is:root"),
        *lists("/search/?q=project:{project}", "/search/?q=shared+-project:{project}&rail=1"),
        *reads("/search/?also={id}~0"),
    ),
    "trash/": lists("/trash/"),
    "cleanup/": (Ask("/cleanup/", takes="all"), Ask("/cleanup/", "post", takes="all")),
    "cleanup/run/": (Ask("/cleanup/run/", "post", takes="all"),),
    "cleanup/schedule/": (Ask("/cleanup/schedule/", "post", takes="all"),),
    "journal/": lists("/journal/"),
    "look/": (Ask("/look/", "post", takes="anybody"),),
    "selection/": (writes("/selection/", id="{id}", do="trash", list="/"),),
    "space/": (Ask("/space/", takes="all"), Ask("/space/", "post", takes="all")),
    "undo/": (Ask("/undo/", "post", takes="anybody"),),
    "import/": (Ask("/import/", takes="all"), Ask("/import/", "post", takes="all")),
    "import/cancel/": (Ask("/import/cancel/", "post", takes="all"),),
    "import/demo/": (Ask("/import/demo/", "post", takes="all"),),
    "enter/": (Ask("/enter/", takes="nothing"),),
    # Nothing but in a team that has an issuer: tests/web/test_openid.py.
    "enter/openid/": (Ask("/enter/openid/", "post", takes="nothing"),),
    "enter/openid/callback/": (Ask("/enter/openid/callback/", takes="nothing"),),
    "enter/known/": (Ask("/enter/known/", takes="anybody"),),
    "leave/": (Ask("/leave/", "post", takes="anybody"),),
    # Open to somebody who was invited, in a team alone: tests/web/test_team.py.
    "invitation/<str:name>/<str:secret>/": (Ask("/invitation/x/y/", takes="anybody"),),
    "settings/": (Ask("/settings/", takes="anybody"),),
    "settings/password/": (Ask("/settings/password/", "post", takes="anybody"),),
    "settings/browsers/": (Ask("/settings/browsers/", "post", takes="anybody"),),
    "settings/tokens/": (Ask("/settings/tokens/", takes="anybody"), Ask("/settings/tokens/", "post", takes="anybody")),
    "settings/tokens/<int:id>/revoke/": (Ask("/settings/tokens/1/revoke/", "post", takes="anybody"),),
    "settings/people/": (Ask("/settings/people/", takes="all"), Ask("/settings/people/", "post", takes="all")),
    "settings/people/<int:id>/": (
        Ask("/settings/people/1/", takes="all"),
        Ask("/settings/people/1/", "post", takes="all"),
    ),
    "settings/roles/": (Ask("/settings/roles/", takes="all"), Ask("/settings/roles/", "post", takes="all")),
    "settings/audit/": (Ask("/settings/audit/", takes="all"),),
    "api/": (Ask("/api/", takes="anybody"),),
    "healthz": (Ask("/healthz", takes="nothing"), Ask("/healthz?deep=1", takes="all")),
    "sessions/<uuid:id>/title/": (*reads("/sessions/{id}/title/"), writes("/sessions/{id}/title/", title="new")),
    "sessions/<uuid:id>/label/": (writes("/sessions/{id}/label/", pin="1"),),
    "sessions/<uuid:id>/delete/": (writes("/sessions/{id}/delete/"),),
    "sessions/<uuid:id>/restore/": (writes("/sessions/{id}/restore/", of="trashed"),),
    "sessions/<uuid:id>/purge/": (
        Ask("/sessions/{id}/purge/", of="trashed"),
        writes("/sessions/{id}/purge/", Role.MAINTAINER, "trashed"),
    ),
    "sessions/<uuid:id>/": reads("/sessions/{id}/", "/sessions/{id}/?mode=focused"),
    "sessions/<uuid:id>/older/": reads("/sessions/{id}/older/"),
    "sessions/<uuid:id>/newer/": reads("/sessions/{id}/newer/"),
    "sessions/<uuid:id>/find/": reads("/sessions/{id}/find/?q={word}"),
    "sessions/<uuid:id>/m/<int:position>/": reads("/sessions/{id}/m/0/"),
    "sessions/<uuid:id>/m/<int:position>/raw/": reads("/sessions/{id}/m/0/raw/"),
    "sessions/<uuid:id>/m/<int:position>/redact/": (
        *reads("/sessions/{id}/m/0/redact/"),
        writes("/sessions/{id}/m/0/redact/", Role.MAINTAINER, confirm="1", text="shared"),
    ),
    "sessions/<uuid:id>/m/<int:position>/part/<int:number>/": reads("/sessions/{id}/m/0/part/0/"),
    "sessions/<uuid:id>/m/<int:position>/image/<int:number>/": reads("/sessions/{id}/m/1/image/0/"),
    "sessions/<uuid:id>/fork/": (*reads("/sessions/{id}/fork/"), writes("/sessions/{id}/fork/", position="1")),
    "sessions/<uuid:id>/parent/": (
        Ask("/sessions/{id}/parent/", takes="all"),
        Ask("/sessions/{id}/parent/", "post", (("root", "1"),), takes="all"),
    ),
    "projects/<project:name>/lineage/": reads(
        "/projects/{project}/lineage/",
        "/projects/{project}/lineage/?as=text&alone=1&q={word}",
        "/projects/{project}/lineage/?as=about&about={id}",
    ),
    "compare/": (Ask("/compare/", takes="anybody"),),
    "sessions/<uuid:id>/forks/": (writes("/sessions/{id}/forks/", position="1", count="2"),),
    "sessions/<uuid:id>/ledger/": reads("/sessions/{id}/ledger/"),
    "hygiene/": (
        *lists("/hygiene/"),
        *reads("/hygiene/?project={project}", "/hygiene/?under={id}"),
        Ask(
            "/hygiene/", "post", takes="anybody"
        ),  # what somebody may not change is left out: tests/web/test_hygiene.py
    ),
    "ledger/": reads("/ledger/?project={project}"),
    "sessions/<uuid:id>/lineage/": reads(
        "/sessions/{id}/lineage/", "/sessions/{id}/lineage/?as=text&q={word}", "/sessions/{id}/lineage/?as=about"
    ),
    "compare/<uuid:id>/<uuid:other>/": reads("/compare/{id}/{twin}/"),
    "compare/<uuid:id>/<uuid:other>/keep/": (writes("/compare/{id}/{twin}/keep/"),),
    "compare/<uuid:id>/<uuid:other>/<uuid:third>/": reads("/compare/{id}/{twin}/{third}/"),
    "compare/<uuid:id>/<uuid:other>/<uuid:third>/keep/": (writes("/compare/{id}/{twin}/{third}/keep/"),),
    "compare/<uuid:id>/<uuid:other>/<uuid:third>/<uuid:fourth>/": reads("/compare/{id}/{twin}/{third}/{fourth}/"),
    "compare/<uuid:id>/<uuid:other>/<uuid:third>/<uuid:fourth>/keep/": (
        writes("/compare/{id}/{twin}/{third}/{fourth}/keep/"),
    ),
    "sessions/<str:prefix>/": reads("/sessions/{prefix}/"),
    "api/v1/": (Ask("/api/v1/", takes="anybody"),),
    "api/v1/openapi.json": (Ask("/api/v1/openapi.json", takes="anybody"),),
    "api/v1/projects": lists("/api/v1/projects"),
    "api/v1/sessions": (
        *lists("/api/v1/sessions", "/api/v1/sessions?project={project}", "/api/v1/sessions?prefix={prefix}"),
        *(of_nobodys("post", "sessions"), of_nobodys("put", "sessions")),
    ),
    "api/v1/search": (
        *lists("/api/v1/search?q={word}", "/api/v1/search?q=shared&distinct=message"),
        of_nobodys("post", "search"),
    ),
    # Numbers are of the whole server; whose changes are told is tested by tests/api/test_changes.py.
    "api/v1/changes": (Ask("/api/v1/changes", takes="anybody"), Ask("/api/v1/changes?since=0", takes="anybody")),
    "api/v1/tidy": (Ask("/api/v1/tidy", "post", (), "all", json='{"written": 1}'),),
    "api/v1/cleanup/preview": (Ask("/api/v1/cleanup/preview", "post", (), "all", json='{"query": "before:90d"}'),),
    "api/v1/cleanup/run": (Ask("/api/v1/cleanup/run", "post", (), "all", json='{"query": "before:9999d"}'),),
    "api/v1/cleanup/undo": (Ask("/api/v1/cleanup/undo", "post", (), "all", json='{"number": 0}'),),
    "api/v1/cleanup/journal": (Ask("/api/v1/cleanup/journal", takes="all"),),
    "api/v1/named": (*lists("/api/v1/named?source=x&project_key={project}"), of_nobodys("post", "named")),
    "api/v1/named/fork": (of_nobodys("post", "named/fork"),),
    "api/v1/named/detail": (of_nobodys("put", "named/detail"),),
    "api/v1/sessions/<uuidstr:id>": (
        *reads("/api/v1/sessions/{id}", "/api/v1/sessions/{id}?messages=false"),
        *(api("patch", "sessions/{id}", title="new"), api("delete", "sessions/{id}")),
    ),
    "api/v1/sessions/<uuidstr:id>/restore": (api("post", "sessions/{id}/restore", of="trashed"),),
    "api/v1/sessions/<uuidstr:id>/purge": (api("post", "sessions/{id}/purge", Role.MAINTAINER, "trashed"),),
    "api/v1/sessions/<uuidstr:id>/tags": (
        *reads("/api/v1/sessions/{id}/tags"),
        *(api("put", "sessions/{id}/tags", name="x"), api("delete", "sessions/{id}/tags", name="x")),
    ),
    "api/v1/sessions/<uuidstr:id>/messages": (
        *reads("/api/v1/sessions/{id}/messages?start=0&stop=1"),
        api("post", "sessions/{id}/messages", messages=[a_message("shared apple")]),
        api("put", "sessions/{id}/messages", messages=[a_message("shared apple"), IMAGE], turns=1),
    ),
    "api/v1/sessions/<uuidstr:id>/truncate": (api("post", "sessions/{id}/truncate", count=2),),
    "api/v1/sessions/<uuidstr:id>/forks": (api("post", "sessions/{id}/forks", position=1),),
    "api/v1/sessions/<uuidstr:id>/parent": (
        Ask("/api/v1/sessions/{id}/parent", "put", (), "all", json='{"parent_id": null}'),
    ),
    "api/v1/sessions/<uuidstr:id>/find": (
        *reads("/api/v1/sessions/{id}/find?q={word}"),
        api("post", "sessions/{id}/find", Role.VIEWER, query="shared"),
    ),
    "api/v1/sessions/<uuidstr:id>/transcript": reads("/api/v1/sessions/{id}/transcript"),
    "api/v1/sessions/<uuidstr:id>/lineage": reads("/api/v1/sessions/{id}/lineage"),
    "api/v1/sessions/<uuidstr:id>/ledger": reads("/api/v1/sessions/{id}/ledger"),
    "api/v1/sessions/<uuidstr:id>/compare/<uuidstr:other>": reads("/api/v1/sessions/{id}/compare/{twin}"),
    "api/v1/export": reads(
        "/api/v1/export?session={id}",
        "/api/v1/export?session={id}&lineage=true&format=markdown",
        "/api/v1/export?project={project}&format=html",
    ),
    "api/v1/import": (of_nobodys("post", "import"),),
    "api/v1/sessions/<uuidstr:id>/prompts": reads("/api/v1/sessions/{id}/prompts"),
}
ASKS = [ask for row in TABLE.values() for ask in row]
OPEN = [ask for ask in ASKS if ask.takes == "nothing"]
SHUT = [ask for ask in ASKS if ask.takes != "nothing"]
ABOUT = [ask for ask in SHUT if isinstance(ask.takes, Role) and ask.of != "list"]
LISTS = [ask for ask in SHUT if ask.of == "list"]


def routes() -> Iterator[str]:
    """As the URLconf writes them, without Django's admin, which has a door of its own."""

    def below(patterns, prefix):
        for pattern in patterns:
            whole = prefix + str(pattern.pattern)
            if hasattr(pattern, "url_patterns"):
                yield from below(pattern.url_patterns, whole)
            else:
                yield whole

    return (route for route in below(get_resolver().url_patterns, "") if not route.startswith("admin/"))


def test_every_address_has_a_row():
    assert set(routes()) == set(TABLE)


class World:
    """What is ours, what is secret, and what does not exist; people with each role in ours, and none in the other."""

    def __init__(self) -> None:
        self.ours = self._about("ours", "apple")
        self.secret = self._about("zzsecret", "quince")
        unknown = SimpleNamespace(live=uuid4(), trashed=uuid4(), twin=uuid4(), third=uuid4(), fourth=uuid4(), project="zznowhere", word="medlar")  # fmt: skip
        self.unknown = unknown
        # Lineage across: theirs from ours, ours from theirs, so that both have relatives out of sight.
        store.fork_at(self.ours.live, 1, "zzsecret")
        self.child = store.fork_at(self.secret.live, 1, "ours").id
        store.rename(self.child, "child of another")
        self.tokens = {role: self._token(role) for role in Role}
        self.people = {role: bearing(token) for role, token in self.tokens.items()}

    def _about(self, project: str, word: str) -> SimpleNamespace:
        messages = [a_message(f"shared {word}"), IMAGE]
        live, trashed, twin, third, fourth = (store.create(project, messages).id for _ in range(5))
        store.delete(trashed)
        return SimpleNamespace(
            live=live, trashed=trashed, twin=twin, third=third, fourth=fourth, project=project, word=word
        )

    def _token(self, role: Role) -> str:
        user = User.objects.create(username=role.name)
        roles.grant(user.pk, Project.objects.get(name="ours").pk, role)
        return tokens.create("t", user_id=user.pk)

    def remove_the_secret(self) -> None:
        for session in Session.objects.filter(project__name="zzsecret").order_by("-created_at"):
            if not session.trashed_at:
                store.delete(session.pk)
            store.purge(session.pk)
        Project.objects.filter(name="zzsecret").delete()


def bearing(token: str) -> Visitor:
    return Visitor(HTTP_HOST="127.0.0.1", HTTP_AUTHORIZATION=f"Bearer {token}")


@pytest.fixture
def world(the_store) -> World:
    enter.wrong_codes.forget()
    transcript.shortened_ids.forget()
    return World()


def put(ask: Ask, about: SimpleNamespace) -> str:
    key = about.trashed if ask.of == "trashed" else about.live
    more = {name: value for name, value in vars(about).items() if name not in ("live", "trashed")}
    return ask.path.format(id=key, prefix=key.hex[:8], **more)


def fields(ask: Ask, about: SimpleNamespace) -> dict[str, str]:
    return {name: str(about.live) if value == "{id}" else value for name, value in ask.data}


def answer(person: Visitor, ask: Ask, about: SimpleNamespace, **options) -> tuple[int, str]:
    """Status and body, without what was asked for and what is another each time."""
    if ask.json:
        given = person.generic(ask.method.upper(), put(ask, about), ask.json, "application/json", **options)
    else:
        given = getattr(person, ask.method)(put(ask, about), fields(ask, about), **options)
    key = about.trashed if ask.of == "trashed" else about.live
    text = given.getvalue().decode("latin-1")
    for name in (
        str(key),
        key.hex[:8],
        str(about.twin),
        str(about.third),
        str(about.fourth),
        about.project,
        about.word,
    ):
        text = text.replace(name, "…")
    return given.status_code, re.sub(
        r'"X-CSRFToken": "\w+"|name="csrfmiddlewaretoken" value="\w+"|data-since="\d+"|[\d.]+ ms\b', "", text
    )


def refused(person: Visitor, asks: list[Ask], world: World) -> set[str]:
    """The paths that were answered, where none should be."""
    return {ask.path for ask in asks if answer(person, ask, world.ours)[0] != 401}


class Nobody:
    def test_gets_in_anywhere(self, world, stranger):
        assert refused(stranger, SHUT, world) == set()
        assert refused(stranger, OPEN, world) == {ask.path for ask in OPEN}

    def test_gets_in_by_a_token_that_was_revoked_or_has_ended(self, world, monkeypatch):
        revoked, ended = tokens.create("revoked"), tokens.create("ended", days=1)
        assert answer(bearing(revoked), SHUT[0], world.ours)[0] == answer(bearing(ended), SHUT[0], world.ours)[0] == 200
        tokens.revoke("revoked")
        now = timezone.now
        monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(days=2))

        assert refused(bearing(revoked), SHUT, world) == set()
        assert refused(bearing(ended), SHUT, world) == set()

    @pytest.mark.parametrize("why", ["expired", "replayed"])
    def test_gets_in_by_a_code_that_is_no_longer_good(self, world, stranger, monkeypatch, why):
        code, now = codes.make(), timezone.now
        if why == "replayed":
            assert Visitor(HTTP_HOST="127.0.0.1").post("/enter/", {"code": code}).status_code == 303
        else:
            monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(seconds=61))

        assert stranger.post("/enter/", {"code": code}).status_code == 403
        assert refused(stranger, SHUT, world) == set()


class Somebody:
    def test_does_what_their_role_allows_and_no_more(self, world):
        wrong = []
        for ask in ABOUT:
            for role in (Role.VIEWER, Role.WRITER, Role.MAINTAINER):
                status = answer(world.people[role], ask, world.ours)[0]
                # What was done is undone, so that the next finds what this one did.
                undo(world)
                if status >= 400 if role >= ask.takes else status != 403:
                    wrong.append((role.name, ask.method, ask.path, status))

        assert wrong == []

    @pytest.mark.parametrize("options", [{}, {"headers": HTMX}], ids=["page", "fragment"])
    def test_is_told_of_another_project_what_is_told_of_none(self, world, options):
        for role in (Role.NONE, Role.MAINTAINER):
            person = world.people[role]
            hidden = {ask: answer(person, ask, world.secret, **options) for ask in ABOUT}
            unknown = {ask: answer(person, ask, world.unknown, **options) for ask in ABOUT}
            assert differences(hidden, unknown) == set()
            assert {status for status, _ in hidden.values()} == {404}

    @pytest.mark.parametrize("options", [{}, {"headers": HTMX}], ids=["page", "fragment"])
    def test_sees_the_same_whether_another_project_exists_or_not(self, world, options, monkeypatch):
        moment = timezone.now()
        monkeypatch.setattr(timezone, "now", lambda: moment)  # pages tell ages, and the machine may be slow
        person = world.people[Role.VIEWER]
        there = seen(person, world, options)
        world.remove_the_secret()

        assert differences(there, seen(person, world, options)) == set()

    def test_sees_all_where_the_gate_is_open(self, world, monkeypatch):
        person = world.people[Role.VIEWER]
        monkeypatch.setattr(gate, "projects", lambda actor, role=None: None)
        there = seen(person, world, {})
        found = {ask.path for ask in ABOUT if ask.method == "get" and answer(person, ask, world.secret)[0] < 400}
        world.remove_the_secret()

        assert found == {ask.path for ask in ABOUT if ask.method == "get"}
        assert len(differences(there, seen(person, world, {}))) > len(LISTS) / 2

    def test_without_a_role_sees_no_session(self, world):
        for ask in LISTS:
            assert "child of another" not in answer(world.people[Role.NONE], ask, world.ours)[1]

    def test_who_is_not_over_all_reaches_nothing_of_the_server(self, world):
        over_all = [ask for ask in SHUT if ask.takes == "all"]
        statuses = {answer(person, ask, world.ours)[0] for person in world.people.values() for ask in over_all}
        assert statuses == {403}

    def test_with_a_token_that_reads_changes_nothing(self, world):
        reader = bearing(tokens.create("reader", scopes=tokens.READ_ONLY))
        posts = [ask for ask in SHUT if ask.method != "get"]
        assert {answer(reader, ask, world.ours)[0] for ask in posts} == {403}


class AnyAddress:
    def test_changes_nothing_by_being_read(self, world, visitor):
        before = content()
        for ask in [each for each in ASKS if "/export" not in each.path]:  # which the audit log takes note of
            for method in ("get", "head", "options"):
                getattr(visitor, method)(put(ask, world.ours))
        assert content() == before
        visitor.post(f"/sessions/{world.ours.live}/title/", {"title": "another"})
        assert content() != before

    def test_changes_nothing_by_a_cookie_without_the_token_of_the_page(self, world):
        """As another site's form or `fetch` would send it, if the guard were not there."""
        careless = Visitor(HTTP_HOST="127.0.0.1", enforce_csrf_checks=True).enter()
        before = content()
        posts = [ask for ask in SHUT if ask.method == "post"]
        for kind in ("application/x-www-form-urlencoded", "text/plain", "application/json"):
            statuses = {
                ask.path: careless.post(put(ask, world.ours), urlencode(ask.data), content_type=kind).status_code
                for ask in posts
            }
            assert set(statuses.values()) == {403}
        assert content() == before
        careless.handler.enforce_csrf_checks = False
        assert min([answer(careless, ask, world.ours)[0] for ask in posts]) < 400
        assert content() != before

    def test_takes_no_field_that_it_does_not_ask_for(self, world):
        """Fields of the tables, which a form that was made of a table would take over."""
        other = Project.objects.get(name="zzsecret").pk
        more = {"project": other, "project_id": other, "parent": world.secret.live, "parent_id": world.secret.live}
        more |= {"created_at": "2001-01-01", "updated_at": "2001-01-01", "trashed_at": "2001-01-01", "version": 99}
        more |= {"id": world.unknown.live, "turns": 99, "agent": "x", "is_superuser": 1, "is_staff": 1, "user": 1}
        given = {ask: dict(ask.data) | more for ask in ABOUT if ask.method == "post"}
        taken = []
        for ask, fields in given.items():
            key = world.ours.trashed if ask.of == "trashed" else world.ours.live
            before = fields_of(key)
            there = set(Session.objects.values_list("pk", flat=True))
            world.people[Role.MAINTAINER].post(put(ask, world.ours), fields)
            new = Session.objects.exclude(pk__in=there).values_list("pk", flat=True)
            taken += [(ask.path, name) for name, value in fields_of(key).items() if before and value != before[name]]
            taken += [(ask.path, "elsewhere") for pk in new if fields_of(pk)["project_id"] == other]
            undo(world)

        assert set(taken) == {
            ("/sessions/{id}/title/", "title"),
            ("/sessions/{id}/title/", "title_source"),
            ("/sessions/{id}/label/", "pinned_at"),
            ("/sessions/{id}/m/0/redact/", "size_bytes"),
            ("/sessions/{id}/m/0/redact/", "tail_digest"),
        }
        assert not User.objects.filter(is_superuser=True).exists()


def content() -> dict[str, list]:
    """All that the database holds, but for when a credential was last used."""
    skipped = {"last_used_at", "expire_date"}
    tables = [model for model in apps.get_models(include_auto_created=True) if model._meta.label != "sessions.Session"]
    return {
        model._meta.label: sorted(
            map(str, model._default_manager.values_list(*[f.name for f in model._meta.fields if f.name not in skipped]))
        )
        for model in tables
    }


def fields_of(key) -> dict[str, object]:
    """What a request could have set; when something was last changed the store says by itself."""
    found = Session.objects.filter(pk=key).values().first() or {}
    return {name: value for name, value in found.items() if name not in ("updated_at", "trashed_at", "version")}


class DjangosAdmin:
    def test_is_for_superusers_alone(self, visitor, world, either_database):
        staff = User.objects.db_manager(either_database).create_user("staff", password="x", is_staff=True)
        paths = ["/admin/", "/admin/forklore/session/", "/admin/forklore/project/", f"/admin/forklore/session/{world.secret.live}/change/"]  # fmt: skip
        visitor.force_login(staff)
        assert {visitor.get(path).status_code for path in paths} == {302}

        User.objects.filter(pk=staff.pk).update(is_superuser=True)
        assert {visitor.get(path).status_code for path in paths} == {200}

    def test_is_not_for_a_superuser_who_came_by_a_token_of_less(self, visitor, world, either_database):
        admin = User.objects.db_manager(either_database).create_superuser("admin", password="x")
        person = world.people[Role.MAINTAINER]
        person.force_login(admin)
        assert person.get("/admin/forklore/session/").status_code == 302


def undo(world: World) -> None:
    Session.objects.filter(pk=world.ours.live).update(trashed_at=None)
    if not Session.objects.filter(pk=world.ours.trashed).exists():
        world.ours.trashed = store.create("ours", [a_message("shared apple"), IMAGE]).id
    Session.objects.filter(pk=world.ours.trashed).update(trashed_at=timezone.now())


def seen(person: Visitor, world: World, options: dict) -> dict[tuple[str, str], tuple[int, str]]:
    """All lists, and all pages about what is ours."""
    child = SimpleNamespace(**{**vars(world.ours), "live": world.child, "word": world.secret.word})
    pages = [ask for ask in [*LISTS, *ABOUT] if ask.method == "get"]
    things = {"ours": world.ours, "child": child, "secret": world.secret}
    return {
        (ask.path, name): answer(person, ask, about, **options)
        for ask in pages
        for name, about in things.items()
        if ask in LISTS or name != "secret"
    }


def differences(one: dict, other: dict) -> set:
    return {key for key in one if one[key] != other[key]}


# What the guard refuses, on every address and on sockets

OURS = "127.0.0.1:8000"
ATTACKS: dict[str, dict[str, str]] = {
    "foreign host": {"host": "evil.test", "origin": "http://evil.test"},
    "rebound name on our port": {"host": "evil.test:8000"},
    "host of another port": {"host": "127.0.0.1:8001"},
    "foreign origin": {"origin": "http://evil.test"},
    "no origin to speak of": {"origin": "null"},
    "origin of another port": {"origin": "http://127.0.0.1:3000"},
    "origin by another scheme": {"origin": f"https://{OURS}"},
    "cross-site fetch": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
    "same-site fetch": {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
}
# Sockets; tests/web/test_live.py says what they tell to whom.
SOCKETS: dict[str, tuple[Ask, ...]] = {"live/": (Ask("/live/", takes="anybody"),)}
ADDRESSES = [*(ask for row in SOCKETS.values() for ask in row), Ask("/sessions/{id}/")]
KINDS = [*((ask.method.upper(), ask) for ask in ASKS), *(("SOCKET", ask) for ask in ADDRESSES)]


def test_every_socket_has_a_row():
    assert {str(route.pattern) for route in asgi.SOCKETS} == set(SOCKETS)


def send(application, kind: str, path: str, cookie: str, marks: dict[str, str]) -> int:
    """The status of one request or of the opening of a socket, which is 101 or 403 where it has no other."""
    headers = {"host": OURS, "cookie": f"{settings.FORKLORE_COOKIE}={cookie}", "origin": f"http://{OURS}"} | marks
    target, _, query = path.partition("?")
    scope = {
        "type": "websocket" if kind == "SOCKET" else "http",
        "scheme": "ws" if kind == "SOCKET" else "http",
        "path": target,
        "raw_path": target.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "subprotocols": [],
        "http_version": "1.1",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        **({} if kind == "SOCKET" else {"method": kind}),
    }
    sent: list[dict] = []

    events = [{"type": "websocket.connect"} if kind == "SOCKET" else {"type": "http.request", "body": b""}]

    async def receive():
        return events.pop() if events else await asyncio.Event().wait()

    async def collect(event):
        sent.append(event)

    with suppress(TimeoutError):  # a socket that is open stays so
        asyncio.run(asyncio.wait_for(application(scope, receive, collect), 10 if kind != "SOCKET" else 1))
    return (
        sent[0].get("status") or {"websocket.accept": 101, "websocket.close": sent[0].get("code", 0)}[sent[0]["type"]]
    )


@contextmanager
def without_djangos_own_look() -> Iterator[None]:
    with override_settings(ALLOWED_HOSTS=["*"]):
        yield


class AnAttack:
    """With the owner's cookie, as a browser sends it."""

    @pytest.mark.parametrize("attack", ATTACKS)
    def test_is_refused_at_every_address(self, attack):
        reached = []

        async def application(scope, receive, send):
            reached.append(scope["path"])

        guarded = asgi.Guard(application, asgi.application._rules)
        about = SimpleNamespace(live=uuid4(), trashed=uuid4(), twin=uuid4(), third=uuid4(), fourth=uuid4(), project="ours", word="apple")  # fmt: skip
        statuses = {send(guarded, kind, put(ask, about), "x", ATTACKS[attack]) for kind, ask in KINDS}

        assert reached == []
        assert statuses <= {403, 421, 1008}

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("attack", ATTACKS)
    def test_works_without_the_guard(self, attack):
        cookie = browsers.let_in()
        with without_djangos_own_look():
            assert send(asgi._http, "GET", "/projects/", cookie, ATTACKS[attack]) == 200
            assert send(asgi.application, "GET", "/projects/", cookie, ATTACKS[attack]) in (403, 421)
            assert send(asgi.application, "GET", "/projects/", cookie, {}) == 200

    @pytest.mark.django_db(transaction=True)
    def test_meets_the_gate_in_the_server_too(self):
        world = World()
        marks = {"authorization": f"Bearer {world.tokens[Role.VIEWER]}"}
        for ask in ABOUT:
            if ask.method == "get":
                assert send(asgi.application, "GET", put(ask, world.ours), "", marks) in (200, 302)
                assert send(asgi.application, "GET", put(ask, world.secret), "", marks) == 404

    @pytest.mark.django_db(transaction=True)
    def test_finds_no_socket_open_to_nobody(self):
        for kind, ask in KINDS[len(ASKS) :]:
            assert (kind, send(asgi.application, kind, ask.path, "x" * 43, {})) == ("SOCKET", sockets.NOBODY)

    @pytest.mark.django_db(transaction=True)
    def test_finds_no_socket_open_that_has_no_row(self):
        cookie = browsers.let_in()
        statuses = {ask.path: send(asgi.application, "SOCKET", ask.path, cookie, {}) for ask in ADDRESSES}
        assert statuses == {"/live/": 101, "/sessions/{id}/": sockets.NO_SUCH_SOCKET}


class AnOpenSocket:
    """Of any kind: what stands behind the wrapper here waits for ever, as a live page does."""

    @pytest.mark.django_db(transaction=True)
    def test_closes_when_its_token_is_revoked(self, monkeypatch):
        monkeypatch.setattr(sockets, "PAUSE", 0.01)
        token = tokens.create("live")

        sent = opened(f"Bearer {token}", then=lambda: tokens.revoke("live"))

        assert [event["type"] for event in sent] == ["websocket.accept", "websocket.close"]
        assert sent[1]["code"] == sockets.NOBODY

    @pytest.mark.django_db(transaction=True)
    def test_obeys_who_opened_it(self):
        seen = []

        async def application(scope, receive, send):
            seen.append((scope["actor"].name, actors.current().name))

        scope = {"headers": [(b"authorization", f"Bearer {tokens.create('live')}".encode())]}
        asyncio.run(sockets.ActorsOnly(application)(scope, None, None))

        assert seen == [("live", "live")]


def opened(authorization: str, then) -> list[dict]:
    """What a socket sends that is accepted, and after which something happens."""
    sent: list[dict] = []

    async def application(scope, receive, send):
        await send({"type": "websocket.accept"})
        await sync_to_async(then)()
        await asyncio.Event().wait()

    async def collect(event):
        sent.append(event)

    scope = {"headers": [(b"authorization", authorization.encode())]}
    asyncio.run(asyncio.wait_for(sockets.ActorsOnly(application)(scope, None, collect), 20))
    return sent
