"""Each defence is switched off, alone: then the attack that it keeps out works, so the tests of it look at the right thing.

docs/security.md names these tests beside those of the defences, and tests/test_security_map.py asks for one of each.
Signing in by OpenID has its own in tests/web/test_openid.py, and what takes a browser in tests/browser/test_attacks.py.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import override_settings
from django.utils import timezone

from sessions_app import gate, store
from sessions_app.access import browsers, codes, faults, finding, people, roles, secrets, sockets, tokens, user_sessions
from sessions_app.access.models import LaunchCode, Token
from sessions_app.actors import Actor, Role, acting, the_owner
from sessions_app.errors import NotAllowed
from sessions_app.models import Project, Session
from sessions_app.querysets import SessionQuerySet
from sessions_app.web import actions, enter, hints, lists, live, middleware, sign_in, transcript
from sessions_app.web.hints import Listener
from sessions_app.web.urls import urlpatterns
from sessions_site import guard
from sessions_site.guard import FRAME_BYTES, NAMELESS_BYTES
from tests.access.test_sockets import by_cookie, by_token, closed, opened
from tests.builders import a_session
from tests.test_guard import COOKIE, FROM_HERE, Site, TheBody, ask
from tests.web.conftest import Visitor
from tests.web.test_matrix import bearing, content
from tests.web.test_team import PASSWORD, a_user
from tests.web.test_team import sign_in as signed_in

LONG = timedelta(days=3650)


@pytest.fixture(autouse=True)
def no_counts():
    enter.wrong_codes.forget()
    transcript.shortened_ids.forget()


@pytest.fixture
def team(the_store):
    with override_settings(FORKLORE_MODE="team"):
        yield


@pytest.fixture
def later(monkeypatch):
    now = timezone.now

    def set_forward(by):
        monkeypatch.setattr(timezone, "now", lambda: now() + by)

    return set_forward


def a_visitor():
    return Visitor(HTTP_HOST="127.0.0.1")


def nothing(*given, **named):
    """In place of a check that raises what it refuses."""


# By the name of the check in sessions_site/guard.py: an attack that it alone keeps out.
CHECKS = {
    "_check_host": lambda: ask(host="evil.test:8000", origin="http://evil.test:8000"),
    "_check_host of a socket": lambda: ask(host="evil.test:8000", origin="http://evil.test:8000", kind="websocket"),
    "_check_address": lambda: ask(server=("192.168.1.5", 8000)),
    "_check_origin": lambda: ask("POST", COOKIE, origin="http://evil.test"),
    "_check_origin of a form without one": lambda: ask("POST", COOKIE),
    "_check_origin of a socket": lambda: ask("GET", COOKIE, origin="http://127.0.0.1:3000", kind="websocket"),
    "_check_origin of a socket without one": lambda: ask("GET", COOKIE, kind="websocket"),
    "_check_site": lambda: ask("GET", COOKIE, sec_fetch_site="cross-site", sec_fetch_mode="no-cors"),
    "_check_site of a form": lambda: ask("POST", COOKIE, FROM_HERE, sec_fetch_site="cross-site"),
    "_check_headers": lambda: ask("GET", *[("x", "y")] * 100),
    "_check_headers of cookies": lambda: ask(cookie="a=" + "x" * 40_000),
    "_check_length": lambda: ask("POST", COOKIE, FROM_HERE, rules=TheBody.SMALL, content_length="101"),
    "_check_length of nobody": lambda: ask("POST", content_length=str(NAMELESS_BYTES + 1)),
    "_check_length of two": lambda: ask("POST", content_length="3", transfer_encoding="chunked"),
    "_limited": lambda: ask("POST", COOKIE, FROM_HERE, rules=TheBody.SMALL, parts=[b"x" * 200]),
}


class TheGuard:
    @pytest.mark.parametrize("attack", CHECKS)
    def test_lets_in_what_the_one_check_is_for(self, attack, monkeypatch):
        assert CHECKS[attack]().status in (400, 403, 413, 421, 431)
        name = attack.partition(" ")[0]
        off = {"_check_length": lambda *given: 10**9, "_limited": lambda receive, limit: receive}.get(name, nothing)
        monkeypatch.setattr(guard.Guard if hasattr(guard.Guard, name) else guard, name, off)
        assert CHECKS[attack]().status in (200, 101)

    def test_has_a_case_here_for_each_of_its_checks(self):
        of_guard = {name for name in (*vars(guard.Guard), *vars(guard)) if name.startswith("_check_")}
        assert {name.partition(" ")[0] for name in CHECKS} == of_guard | {"_limited"}

    def test_lets_another_origin_read_where_it_gives_no_headers(self, monkeypatch):
        loose = Site((b"Access-Control-Allow-Origin", b"*"))
        assert "Access-Control-Allow-Origin" not in ask(site=loose).headers
        monkeypatch.setattr(guard, "_with_ours", list)
        headers = ask(site=loose).headers
        assert headers == {"Access-Control-Allow-Origin": "*"}  # and no frame-ancestors, no COOP, no CORP

    def test_waits_for_ever_for_a_body_that_stops_where_it_has_no_end_of_patience(self, monkeypatch):
        async def never():
            await asyncio.sleep(10)

        async def asked():
            scope = {
                "type": "http",
                "method": "POST",
                "server": ("127.0.0.1", 8000),
                "headers": [(b"host", b"127.0.0.1:8000")],
            }
            await asyncio.wait_for(guard.Guard(Site(), guard.Rules())(scope, never, nothing_sent), 0.3)

        async def nothing_sent(event):
            pass

        monkeypatch.setattr(guard, "BODY_PAUSE", 0.05)
        asyncio.run(asked())
        monkeypatch.setattr(guard, "BODY_PAUSE", 1000)
        with pytest.raises(TimeoutError):
            asyncio.run(asked())


class ACookie:
    def test_changes_something_without_the_token_of_the_page(self, the_store, monkeypatch):
        session = a_session(the_store, "one")

        def status():
            careless = Visitor(HTTP_HOST="127.0.0.1", enforce_csrf_checks=True).enter()
            return careless.post(f"/sessions/{session.id}/delete/").status_code

        assert status() == 403
        monkeypatch.setattr(middleware.CsrfOfCookies, "process_view", nothing)
        assert status() == 302
        assert the_store.get(session.id) is None


class Reading:
    def test_that_changes_something_is_seen(self, visitor, the_store, monkeypatch):
        """As the test that reads every address looks for it."""
        home = lists.home
        before = content()
        visitor.get("/")
        assert content() == before

        def careless(request):
            Project.objects.create(name="by reading")
            return home(request)

        (route,) = [each for each in urlpatterns if getattr(each, "name", "") == "home"]
        monkeypatch.setattr(route, "callback", careless)
        visitor.get("/")
        assert content() != before


class WithoutACredential:
    def test_a_page_and_its_session_are_anybodys(self, stranger, the_store, monkeypatch):
        session = a_session(the_store, "canary")
        assert stranger.get(f"/sessions/{session.id}/").status_code == 401
        monkeypatch.setattr(finding, "find", lambda cookies, authorization: the_owner())
        assert "canary" in stranger.get(f"/sessions/{session.id}/").content.decode()

    @pytest.mark.django_db(transaction=True)
    def test_a_socket_opens_for_nobody(self, monkeypatch):
        nobody = by_cookie("x" * 43)
        assert asyncio.run(opened(**nobody))[1]["code"] == sockets.NOBODY

        async def anybody(scope):
            return the_owner()

        monkeypatch.setattr(sockets, "_find", anybody)
        assert asyncio.run(opened(**nobody))[1]["type"] == "websocket.accept"


@pytest.fixture
def told(the_store):
    """A viewer of our project, and a session of another."""
    ours, theirs = a_session(the_store, "apple", project="ours"), a_session(the_store, "secret", project="theirs")
    anna = User.objects.create(username="anna")
    roles.grant(anna.pk, Project.objects.get(name="ours").pk, Role.VIEWER)
    actor = Actor("user", "anna", user_id=anna.pk)
    return ours, theirs, actor, bearing(tokens.create("anna", user_id=anna.pk))


class WithoutTheGate:
    def test_the_store_reads_searches_and_lists_what_is_anothers(self, told, monkeypatch):
        _, theirs, anna, _ = told
        asked = {
            "get": lambda: store.get(theirs.id),
            "search": lambda: store.search("secret", 9),
            "prefix": lambda: store.find_by_id_prefix(theirs.id.hex, 9),
            "list": lambda: store.list_by_project("theirs", 9),
        }
        with acting(anna):
            assert {name for name, ask in asked.items() if ask()} == set()
            monkeypatch.setattr(gate, "projects", lambda actor, role=None: None)
            assert {name for name, ask in asked.items() if ask()} == set(asked)

    def test_a_viewer_writes(self, told, monkeypatch):
        ours, _, anna, _ = told
        with acting(anna):
            with pytest.raises(NotAllowed):
                store.rename(ours.id, "hers")
            monkeypatch.setattr(gate, "projects", lambda actor, role=None: None)
            store.rename(ours.id, "hers")
        assert store.get(ours.id).title == "hers"


class AShortenedId:
    def test_is_tried_until_it_fits(self, told, monkeypatch):
        ours, *_, anna = told
        tries = [
            *(f"{number:04x}" for number in range(100) if not ours.id.hex.startswith(f"{number:04x}")),
            ours.id.hex[:4],
        ]

        def statuses():
            return {anna.get(f"/sessions/{each}/").status_code for each in tries}

        assert statuses() == {404, 429}
        monkeypatch.setattr(transcript, "_wait_for_another", lambda actor: 0)
        assert statuses() == {404, 302}

    def test_of_one_digit_lists_a_sixteenth_of_all(self, told, monkeypatch):
        ours, *_, anna = told
        path = f"/sessions/{ours.id.hex[0]}/"
        assert anna.get(path).status_code == 404
        monkeypatch.setattr(transcript, "SHORTENED_ID", 1)
        assert anna.get(path).status_code == 302

    def test_lists_however_many_it_fits(self, visitor, the_store, monkeypatch):
        monkeypatch.setattr("sessions_app.putting.uuid4", iter_of_ids(12).__next__)
        for number in range(12):
            a_session(the_store, str(number))

        def offered():
            return visitor.get("/sessions/abcd/").content.decode().count('href="/sessions/abcd')

        assert offered() == transcript.CHOICES == 10
        monkeypatch.setattr(transcript, "CHOICES", 1000)
        assert offered() == 12

    def test_that_is_a_pattern_fits_all(self, told, monkeypatch):
        ours, *_, anna = told
        assert anna.get("/sessions/%25%25%25%25/").status_code == 404

        def careless(self, prefix):
            id = "REPLACE(LOWER(CAST(forklore_session.id AS CHAR(36))), '-', '')"
            return self.extra(where=[f"{id} LIKE %s"], params=[f"{prefix}%"])

        monkeypatch.setattr(SessionQuerySet, "with_id_prefix", careless)
        assert anna.get("/sessions/%25%25%25%25/")["Location"] == f"/sessions/{ours.id}/"


def iter_of_ids(count):
    return (UUID(f"abcd{number:02x}00-0000-4000-8000-000000000000") for number in range(count))


class AToken:
    def test_that_stands_in_the_database_lets_in_who_reads_it(self, the_store, monkeypatch):
        tokens.create("hashed")
        assert bearing(Token.objects.get().digest).get("/").status_code == 401
        monkeypatch.setattr(secrets, "token_digest", lambda token: token)
        tokens.create("plain")
        assert bearing(Token.objects.get(name="plain").digest).get("/").status_code == 200

    def test_lives_for_ever(self, the_store, monkeypatch, later):
        script = bearing(tokens.create("ci", days=1))
        later(timedelta(days=2))
        assert script.get("/").status_code == 401
        monkeypatch.setattr(tokens, "aware", lambda moment: datetime(9999, 1, 1, tzinfo=UTC))
        assert script.get("/").status_code == 200

    def test_that_was_revoked_is_remembered(self, the_store, monkeypatch):
        kept = {}
        script, find = bearing(token := tokens.create("ci")), finding.find

        def remembering(cookies, authorization):
            if not kept.get(authorization):
                kept[authorization] = find(cookies, authorization)
            return kept[authorization]

        other = bearing(tokens.create("other"))
        tokens.revoke("other")
        assert other.get("/").status_code == 401
        monkeypatch.setattr(finding, "find", remembering)
        assert script.get("/").status_code == 200
        tokens.revoke("ci")
        assert script.get("/").status_code == 200
        assert tokens.find(token) is None

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("looks", [True, False])
    def test_that_was_revoked_keeps_its_socket(self, monkeypatch, looks):
        monkeypatch.setattr(sockets, "PAUSE", 0.01 if looks else 1000)
        headers = by_token(tokens.create("t"))

        async def run():
            socket, _ = await opened(**headers)
            await asyncio.to_thread(tokens.revoke, "t")
            await asyncio.sleep(sockets.SHARED)
            is_open = await socket.receive_nothing(0.5)
            if is_open:
                await socket.send_input({"type": "websocket.disconnect", "code": 1000})
                await socket.wait(2)
            return is_open

        assert asyncio.run(run()) != looks

    def test_that_reads_writes(self, the_store, monkeypatch):
        session = a_session(the_store, "one")
        reader = bearing(tokens.create("reader", scopes=tokens.READ_ONLY))
        path = f"/sessions/{session.id}/title/"
        assert reader.post(path, {"title": "its"}).status_code == 403
        monkeypatch.setattr(tokens, "_scopes", lambda words: frozenset(("read", "write")))
        assert reader.post(path, {"title": "its"}).status_code == 302

    def test_of_a_project_reads_all_others(self, told, monkeypatch):
        ours, theirs, *_ = told
        script = bearing(tokens.create("ci", projects=[Project.objects.get(name="ours").pk]))
        assert script.get(f"/sessions/{ours.id}/").status_code == 200
        assert script.get(f"/sessions/{theirs.id}/").status_code == 404
        monkeypatch.setattr(tokens, "_FIND", tokens._FIND.replace("token.restricted", "false"))
        assert script.get(f"/sessions/{theirs.id}/").status_code == 200

    def test_of_who_left_goes_on(self, told, monkeypatch):
        *_, anna = told
        User.objects.update(is_active=False)
        assert anna.get("/projects/").status_code == 401
        monkeypatch.setattr(tokens, "_FIND", tokens._FIND.replace("auth_user.is_active", "true"))
        assert anna.get("/projects/").status_code == 200


class SigningIn:
    @pytest.fixture(autouse=True)
    def people_sign_in(self, team):
        pass

    def test_is_guessed_at_for_as_long_as_it_takes(self, monkeypatch):
        a_user()

        def guessed():
            tries = [signed_in(password="wrong").answer.status_code for _ in range(faults.OF_BOTH)]
            return [*tries, signed_in().answer.status_code]

        assert guessed()[-1] == 429
        monkeypatch.setattr(faults, "wait", lambda account, address: 0)
        assert guessed()[-1] == 303

    def test_tells_who_is_there_by_its_words(self, monkeypatch):
        a_user("ada")

        def said():
            return {
                re.sub(r"\s+", " ", signed_in(name=name, password="wrong").answer.content.decode())
                for name in ("ada", "nobody")
            }

        assert len(said()) == 1
        page = sign_in.page

        def careless(request, status, address, error=""):
            there = User.objects.filter(username=request.POST.get("name")).exists()
            return page(request, status, address, error if there else "There is nobody of that name.")

        monkeypatch.setattr(sign_in, "page", careless)
        assert len(said()) == 2

    def test_lets_in_who_left(self, monkeypatch):
        people.set_active(a_user(), False)
        assert signed_in().answer.status_code == 403
        monkeypatch.setattr(ModelBackend, "user_can_authenticate", lambda self, user: True)
        monkeypatch.setattr(User, "is_active", property(lambda self: True, nothing))
        assert signed_in().get("/projects/").status_code == 200

    def test_keeps_a_key_that_another_planted(self, monkeypatch):
        a_user()

        def other_is_let_in():
            planted = user_sessions.SessionStore()
            planted["x"] = 1
            planted.save()
            victim, other = a_visitor(), a_visitor()
            for each in (victim, other):
                each.cookies[settings.SESSION_COOKIE_NAME] = planted.session_key
            signed_in(victim)
            return other.get("/projects/").status_code == 200

        assert not other_is_let_in()
        monkeypatch.setattr(user_sessions.SessionStore, "cycle_key", nothing)
        assert other_is_let_in()

    def test_outlives_the_password(self, monkeypatch):
        user, visitor = a_user(), signed_in()
        monkeypatch.setattr(user_sessions, "end_all", nothing)
        people.set_password(user, "a wholly new one")
        assert visitor.get("/projects/").status_code == 401  # by its digest of the password
        monkeypatch.setattr(user_sessions.hmac, "compare_digest", lambda *both: True)
        assert visitor.get("/projects/").status_code == 200

    @pytest.mark.parametrize(("end", "after"), [("IDLE", timedelta(hours=13)), ("LIFETIME", timedelta(days=8))])
    def test_never_ends(self, monkeypatch, later, end, after):
        a_user()
        if end == "LIFETIME":
            monkeypatch.setattr(user_sessions, "IDLE", LONG)
        bounded = signed_in()
        monkeypatch.setattr(user_sessions, end, LONG)
        endless = signed_in()
        later(after)
        assert (bounded.get("/projects/").status_code, endless.get("/projects/").status_code) == (401, 200)


class ACode:
    def test_works_twice(self, the_store, monkeypatch):
        code = codes.make()
        statuses = [a_visitor().post("/enter/", {"code": code}).status_code for _ in range(2)]
        assert statuses == [303, 403]

        def careless(typed):
            return LaunchCode.objects.filter(digest=secrets.keyed_digest(typed)).exists()

        code = codes.make()
        monkeypatch.setattr(codes, "use", careless)
        assert [a_visitor().post("/enter/", {"code": code}).status_code for _ in range(2)] == [303, 303]

    def test_works_for_ever(self, the_store, monkeypatch, later):
        short = codes.make()
        monkeypatch.setattr(codes, "LIFETIME", LONG)
        endless = codes.make()
        later(timedelta(minutes=2))
        statuses = [a_visitor().post("/enter/", {"code": code}).status_code for code in (short, endless)]
        assert statuses == [403, 303]

    def test_is_guessed_at_for_as_long_as_it_takes(self, the_store, monkeypatch):
        def guessed():
            for _ in range(10):
                a_visitor().post("/enter/", {"code": "wrong"})
            return a_visitor().post("/enter/", {"code": codes.make()}).status_code

        assert guessed() == 429
        monkeypatch.setattr(enter.wrong_codes, "wait", lambda: 0)
        assert guessed() == 303

    def test_lets_in_a_browser_that_never_leaves(self, visitor, monkeypatch):
        copied = visitor.cookies[settings.FORKLORE_COOKIE].value

        def is_in(cookie):
            copy = a_visitor()
            copy.cookies[settings.FORKLORE_COOKIE] = cookie
            return copy.get("/").status_code == 200

        visitor.post("/leave/")
        assert not is_in(copied)
        other = a_visitor().enter()
        copied = other.cookies[settings.FORKLORE_COOKIE].value
        monkeypatch.setattr(browsers, "revoke", nothing)
        other.post("/leave/")
        assert is_in(copied)


@pytest.mark.django_db(transaction=True)
class ASocket:
    def test_is_one_of_any_number(self, monkeypatch):
        headers = by_token(tokens.create("mine"))

        async def last(count):
            pairs = [await opened(**headers) for _ in range(count)]
            for socket, answer in pairs:
                if answer["type"] == "websocket.accept":
                    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
                    await socket.wait(2)
            return pairs[-1][1]["type"]

        many = sockets.MOST + 1
        assert asyncio.run(last(many)) == "websocket.close"
        monkeypatch.setattr(sockets, "MOST", 10**6)
        assert asyncio.run(last(many)) == "websocket.accept"

    def test_takes_a_frame_of_any_size(self, monkeypatch):
        headers = by_token(tokens.create("t"))

        async def answer():
            socket, _ = await opened(**headers)
            await socket.send_input({"type": "websocket.receive", "text": "x" * (FRAME_BYTES + 1)})
            said = await closed(socket)
            await socket.send_input({"type": "websocket.disconnect", "code": 1000})
            return said["type"]

        assert asyncio.run(answer()) == "websocket.close"
        monkeypatch.setattr(sockets, "FRAME_BYTES", 10**9)
        assert asyncio.run(answer()) == "websocket.send"

    @pytest.mark.parametrize("bounded", [True, False])
    def test_takes_frames_as_fast_as_they_come(self, monkeypatch, bounded):
        if not bounded:
            monkeypatch.setattr(live, "SECONDS", 0)

        async def answers():
            sent, events = [], asyncio.Queue()
            for event in [{"type": "websocket.connect"}, *[{"type": "websocket.receive", "text": "{}"}] * 30]:
                events.put_nowait(event)
            events.put_nowait({"type": "websocket.disconnect", "code": 1000})

            async def send(event):
                sent.append(event)

            await asyncio.wait_for(live.socket({"actor": the_owner()}, events.get, send), 20)
            return [event["code"] for event in sent if event["type"] == "websocket.close"]

        assert asyncio.run(answers()) == ([live.TOO_FAST] if bounded else [])

    def test_that_reads_slowly_gathers_a_backlog(self, monkeypatch):
        def gathered():
            listener = Listener(the_owner())
            for number in range(10 * 100):
                listener.tell(number, {uuid4()})
            return len(listener._waiting or ())

        assert gathered() == 0
        monkeypatch.setattr(hints, "OUTBOX", 10**9)
        assert gathered() == 1000


class AnAddress:
    @pytest.mark.parametrize("mode", ["local", "team"])
    def test_to_go_on_to_leads_elsewhere(self, the_store, monkeypatch, mode):
        with override_settings(FORKLORE_MODE=mode):
            if mode == "team":
                a_user()

            def led():
                form = {"name": "ada", "password": PASSWORD} if mode == "team" else {"code": codes.make()}
                return a_visitor().post("/enter/", {**form, "next": "//evil.test"})["Location"]

            assert led() == "/"
            monkeypatch.setattr(enter, "own_address", lambda address: address)
            assert led() == "//evil.test"

    def test_in_a_link_has_the_host_that_a_header_names(self, team):
        admin = signed_in(name=a_user("root", admin=True).username)

        def hosts(name):
            page = admin.post("/settings/people/", {"name": name}, headers={"X-Forwarded-Host": "evil.test"})
            return re.findall(r"https?://([^/\s]+)(?=/invitation/)", page.content.decode())

        assert hosts("eve") == ["127.0.0.1"]
        with override_settings(USE_X_FORWARDED_HOST=True, ALLOWED_HOSTS=["*"]):
            assert hosts("mallory") == ["evil.test"]


class AForm:
    def test_that_was_made_of_a_table_takes_any_field_of_it(self, visitor, the_store, monkeypatch):
        session, other = a_session(the_store, "one"), a_session(the_store, "two", project="other")
        theirs = Project.objects.get(name="other").pk
        form = {"title": "new", "project": theirs, "turns": 99}
        path = f"/sessions/{session.id}/title/"

        def taken():
            visitor.post(path, form)
            row = Session.objects.get(pk=session.id)
            return {
                name for name, value in (("project", theirs), ("turns", 99)) if row.serializable_value(name) == value
            }

        assert taken() == set()

        def careless(request, id):
            Session.objects.filter(pk=id).update(**request.POST.dict())
            return HttpResponse()

        monkeypatch.setattr(actions, "_rename", careless)
        assert taken() == {"project", "turns"}
        assert other.id != session.id
