"""Getting in: by a launch code, once, within a minute; and what stays shut until then."""

import re
import threading
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import override_settings
from django.urls import get_resolver
from django.utils import timezone

from sessions_app.access import browsers, codes, throttle, token_file, tokens
from sessions_app.access.models import AuditEntry, Browser, LaunchCode
from sessions_app.web import enter
from tests.builders import a_session
from tests.web.conftest import HTMX, Visitor
from tests.web.reading import page

OPEN = {"/enter/", "/enter/openid/", "/enter/openid/callback/", "/healthz"}
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(autouse=True)
def no_wrong_codes_yet():
    enter.wrong_codes.forget()


@pytest.fixture
def later(monkeypatch):
    """later(timedelta(…)) sets the clock forward."""
    now = timezone.now

    def set_forward(by):
        monkeypatch.setattr(timezone, "now", lambda: now() + by)

    return set_forward


def addresses():
    """An example of every address that the site has, Django's admin included."""
    examples = {"id": "00000000-0000-4000-8000-000000000000", "prefix": "0000", "name": "demo", "position": "1"}
    found = set()
    for pattern in _patterns(get_resolver().url_patterns, ""):
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: examples.get(match[1], "1"), pattern)
        found.add("/" + re.sub(r"\(\?P<\w+>[^)]*\)|[\^$]|\\Z", "1", path))
    return sorted(found)


def _patterns(patterns, prefix):
    for pattern in patterns:
        whole = prefix + str(pattern.pattern).lstrip("^")
        if hasattr(pattern, "url_patterns"):
            yield from _patterns(pattern.url_patterns, whole)
        else:
            yield whole


class EveryAddress:
    def test_is_known_here(self):
        assert {"/", "/enter/", "/healthz", "/admin/login/", "/projects/demo/", "/import/"} <= set(addresses())

    @pytest.mark.parametrize("method", ["get", "head", "post", "put", "delete", "options"])
    def test_is_shut_to_a_stranger(self, stranger, method):
        asked = getattr(stranger, method)
        answers = {path: asked(path).status_code for path in addresses()}
        assert {path for path, status in answers.items() if status != 401} == OPEN

    def test_is_shut_to_a_cookie_and_a_token_that_are_made_up(self, stranger):
        stranger.cookies[settings.FORKLORE_COOKIE] = "x" * 43
        made_up = {"Authorization": "Bearer forklore_" + "x" * 49}

        for asked in ({}, {"headers": made_up}):
            answers = {path: stranger.get(path, **asked).status_code for path in addresses()}
            assert {path for path, status in answers.items() if status != 401} == OPEN

    def test_is_open_to_whoever_was_let_in(self, visitor):
        assert not [path for path in addresses() if visitor.get(path).status_code == 401]

    def test_of_a_file_is_shut_but_for_what_the_page_needs(self, stranger):
        shown = page(stranger.get("/enter/"))
        needed = {script["src"] for script in shown.all("script")} | {link["href"] for link in shown.all("link")}

        for path in needed | {"/static/css/site.css"}:  # which the server serves, and a test's client does not
            assert stranger.get(path).status_code == 404
            assert finders.find(path.removeprefix("/static/"))
        for path in ("/static/js/site.js", "/static/vendor/htmx/htmx.min.js", "/static/none.css", "/static/../enter/"):
            assert stranger.get(path).status_code == 401


class AStranger:
    def test_gets_the_page_that_says_how_to_get_in(self, stranger):
        answer = stranger.get("/sessions/?x=1", headers=BROWSER)
        shown = page(answer)

        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == "Bearer"
        assert "no-store" in answer["Cache-Control"]
        assert shown.one("pre").text == "python3 run.py open"
        assert shown.one("input", name="next")["value"] == "/sessions/?x=1"

    @pytest.mark.parametrize("headers", [HTMX, {}, {"Accept": "application/json"}])
    def test_is_told_in_words_where_a_page_would_be_of_no_use(self, stranger, headers):
        answer = stranger.get("/", headers=headers)

        assert answer.status_code == 401
        assert "python3 run.py open" in answer.content.decode()
        assert b"<html" not in answer.content

    def test_learns_nothing_of_what_is_kept(self, stranger, the_store):
        session = a_session(the_store, "canary", project="secretproject")

        there, gone = f"/sessions/{session.id}/", "/sessions/00000000-0000-4000-8000-000000000000/"
        for path, like in ((there, gone), ("/projects/secretproject/", "/projects/nosuchprojects/")):
            shown, other = (stranger.get(each, headers=BROWSER).content.decode() for each in (path, like))
            assert shown.replace(quote(path, ""), quote(like, "")).replace(path, like) == other
        for path in ("/", "/search/", "/healthz", "/enter/", "/admin/"):
            assert "canary" not in stranger.get(path, headers=BROWSER).content.decode()
        assert stranger.get("/healthz").json() == {"ok": True}

    def test_changes_nothing(self, stranger, the_store):
        session = a_session(the_store, "kept")
        for verb in ("delete", "title", "fork"):
            assert stranger.post(f"/sessions/{session.id}/{verb}/", {"title": "x", "position": 1}).status_code == 401
        assert the_store.get(session.id).title == "kept"


class ACode:
    def test_lets_in_a_browser_that_remembers_it(self, stranger):
        answer = stranger.post("/enter/", {"code": codes.make()})
        cookie = answer.cookies[settings.FORKLORE_COOKIE]

        assert (answer.status_code, answer["Location"]) == (303, "/")
        assert cookie["httponly"]
        assert cookie["samesite"] == "Strict"
        assert cookie["max-age"] == 30 * 24 * 3600
        assert cookie["path"] == "/"
        assert not cookie["domain"]
        assert stranger.get("/").status_code == 200

    @pytest.mark.parametrize("written", ["{}", "  {}\n", "{0} ", "http://127.0.0.1:8000/enter/#{}"])
    def test_may_be_typed_as_a_person_does(self, stranger, written):
        code = codes.make()
        assert stranger.post("/enter/", {"code": written.format(code)}).status_code == 303

    def test_may_be_typed_in_capitals_with_spaces(self, stranger):
        code = codes.make()
        assert stranger.post("/enter/", {"code": f"{code[:10]} {code[10:].upper()}"}).status_code == 303

    def test_works_once(self, stranger):
        code = codes.make()
        assert stranger.post("/enter/", {"code": code}).status_code == 303

        answer = Visitor(HTTP_HOST="127.0.0.1").post("/enter/", {"code": code})

        assert answer.status_code == 403
        assert not answer.cookies
        assert "wrong, used up or older" in page(answer).one(id="error").text

    @pytest.mark.parametrize(("seconds", "status"), [(50, 303), (61, 403)])
    def test_works_for_a_minute(self, stranger, later, seconds, status):
        code = codes.make()
        later(timedelta(seconds=seconds))
        assert stranger.post("/enter/", {"code": code}).status_code == status

    @pytest.mark.parametrize("code", ["", "x", "a" * 26, "#", "é" * 26, "a" * 100_000, "\x00"])
    def test_that_nobody_made_is_refused(self, stranger, code):
        codes.make()
        assert stranger.post("/enter/", {"code": code}).status_code == 403

    def test_lets_in_only_one_of_two_that_come_at_once(self, the_store, either_database):
        from django.db import connections

        from sessions_app import databases

        code, together, let_in = codes.make(), threading.Barrier(8), []

        def try_it():
            with databases.using(either_database):
                together.wait()
                let_in.append(codes.use(code))
                connections.close_all()

        threads = [threading.Thread(target=try_it) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(let_in) == [False] * 7 + [True]

    def test_is_not_guessed_for_long(self, stranger, monkeypatch):
        moment = [1000.0]
        monkeypatch.setattr(throttle.time, "monotonic", lambda: moment[0])
        statuses = [stranger.post("/enter/", {"code": "wrong"}).status_code for _ in range(11)]

        assert statuses == [403] * 10 + [429]
        refused = stranger.post("/enter/", {"code": codes.make()})
        assert refused.status_code == 429
        assert refused["Retry-After"] == "60"
        moment[0] += 60
        assert stranger.post("/enter/", {"code": codes.make()}).status_code == 303

    def test_is_kept_as_a_digest_that_is_of_no_use(self, stranger):
        code = codes.make()
        (row,) = LaunchCode.objects.values_list("digest", flat=True)

        assert code not in row
        assert stranger.post("/enter/", {"code": row}).status_code == 403


class TheCookie:
    def test_holds_for_thirty_days(self, visitor, later):
        later(timedelta(days=29, hours=23))
        assert visitor.get("/").status_code == 200
        later(timedelta(days=30, seconds=1))
        assert visitor.get("/").status_code == 401

    def test_is_kept_as_a_digest_that_is_of_no_use(self, visitor, stranger):
        (row,) = Browser.objects.values_list("digest", flat=True)
        stranger.cookies[settings.FORKLORE_COOKIE] = row
        assert stranger.get("/").status_code == 401

    def test_is_another_each_time_and_the_one_before_ends(self, visitor):
        before = visitor.cookies[settings.FORKLORE_COOKIE].value
        assert visitor.get("/").status_code == 200
        visitor.enter()
        assert visitor.cookies[settings.FORKLORE_COOKIE].value != before

        visitor.cookies[settings.FORKLORE_COOKIE] = before
        assert visitor.get("/").status_code == 401

    def test_cannot_be_chosen_by_somebody_else_beforehand(self, stranger):
        stranger.cookies[settings.FORKLORE_COOKIE] = "chosen"
        stranger.enter()
        assert stranger.cookies[settings.FORKLORE_COOKIE].value != "chosen"

    def test_ends_when_its_owner_leaves(self, visitor):
        copied = visitor.cookies[settings.FORKLORE_COOKIE].value
        answer = visitor.post("/leave/")
        assert answer["Location"] == "/enter/"

        visitor.cookies[settings.FORKLORE_COOKIE] = copied
        assert visitor.get("/").status_code == 401

    def test_is_listed_by_when_it_came_and_was_used_and_is_shut_out_from_another(self, visitor, later):
        other = Visitor(HTTP_HOST="127.0.0.1").enter()
        later(timedelta(hours=2))
        assert visitor.get("/projects/").status_code == 200
        first, second = browsers.listed(visitor.cookies[settings.FORKLORE_COOKIE].value, 9)
        assert (first.current, second.current) == (True, False)
        assert first.last_used_at - second.last_used_at > timedelta(hours=1)

        shown = page(visitor.get("/settings/")).one("table")
        assert len(shown.one("tbody").all("tr")) == 2
        assert shown.one("input", name="id")["value"] == str(second.id)
        assert other.get("/projects/").status_code == 200
        assert visitor.post("/settings/browsers/", {"id": second.id}).status_code == 302
        assert other.get("/projects/").status_code == 401
        assert visitor.get("/projects/").status_code == 200
        assert AuditEntry.objects.newest_first()[0].object_id == str(second.id)

    @pytest.mark.parametrize("id", ["0", "-1", "x", "", "9" * 40, "²"])
    def test_that_is_not_there_is_shut_out_without_a_word(self, visitor, id):
        assert visitor.post("/settings/browsers/", {"id": id}).status_code == 302
        assert visitor.get("/projects/").status_code == 200

    def test_ends_for_all_by_one_command(self, visitor):
        assert browsers.revoke_all() == 1
        assert AuditEntry.objects.get(verb="ended").kind == "browser"
        assert visitor.get("/").status_code == 401

    def test_ends_with_the_secret_key(self, visitor):
        with override_settings(SECRET_KEY="another"):
            assert visitor.get("/").status_code == 401
        assert visitor.get("/").status_code == 200

    def test_does_not_let_in_where_a_token_is_not_good(self, visitor):
        assert visitor.get("/", headers={"Authorization": "Bearer forklore_wrong"}).status_code == 401

    def test_needs_the_token_of_the_page_to_change_something(self, the_store):
        session = a_session(the_store, "one")
        careful = Visitor(HTTP_HOST="127.0.0.1", enforce_csrf_checks=True).enter()

        assert careful.post(f"/sessions/{session.id}/delete/").status_code == 403
        token = page(careful.get(f"/sessions/{session.id}/")).one("body")["hx-headers:inherited"].split('"')[3]
        careful.post(f"/sessions/{session.id}/delete/", headers={"X-CSRFToken": token})
        assert the_store.get(session.id) is None


ELSEWHERE = [
    "http://evil.test/",
    "//evil.test/",
    "///evil.test",
    "/\\evil.test",
    "\\\\evil.test",
    "/\t/evil.test",
    "https:evil.test",
    "javascript:alert(1)",
    "data:text/html,x",
    " //evil.test",
    "\x00//evil.test",
    "http:///evil.test",
    "@evil.test",
    "evil.test",
    "//127.0.0.1:8000@evil.test/",
    "",
]
STARTS = [
    "//",
    "///",
    "////",
    "/\\",
    "\\\\",
    "\\/",
    "/\\/",
    "/\\\\",
    "/\t/",
    "/\n/",
    "/\r/",
    "\t//",
    "\n//",
    " //",
    "\x00//",
]
STARTS += [
    "\x0b//",
    "\x1f//",
    "\ufeff//",
    "\u3000//",
    "http://",
    "https://",
    "HTTP://",
    "http:/",
    "http:",
    "https:\\\\",
]
STARTS += [
    "ftp://",
    "ws://",
    "//\t",
    "javascript://",
    "data:text/html,",
    "blob:http://",
    "file://",
    "//user@",
    "http://127.0.0.1@",
]
STARTS += ["http://127.0.0.1:8000@", "//127.0.0.1\\@", "//[::1]@", "", "@", ".", "?//", "#//"]
ENDS = ["evil.test", "evil.test/", "evil.test:8000/", "evil.test/%2f..", "evil.test#/", "127.0.0.1.evil.test/x"]
ELSEWHERE_BY_ANY_FORM = [start + end for start in STARTS for end in ENDS]
# Odd, and yet a path of this site to every browser: tests/browser/test_attacks.py asks one.
ODD_PATHS = [
    "/%2f/evil.test",
    "/%5cevil.test",
    "/.//evil.test",
    "/..//evil.test",
    "/@evil.test",
    "/;//evil.test",
    "/x//evil.test",
]
ODD_PATHS += [
    "/\x00/evil.test",
    "/?next=//evil.test",
    "/#//evil.test",
    "/%09/evil.test",
    "/%00/evil.test",
    "/http://evil.test",
    "/:80//evil.test",
]


class GoingOn:
    def test_leads_to_where_the_person_wanted_to_go(self, stranger):
        answer = stranger.post("/enter/", {"code": codes.make(), "next": "/projects/?sort=name"})
        assert answer["Location"] == "/projects/?sort=name"
        assert stranger.get("/enter/?next=/trash/")["Location"] == "/trash/"

    @pytest.mark.parametrize("address", ELSEWHERE)
    def test_never_leads_elsewhere(self, visitor, address):
        assert visitor.post("/enter/", {"code": codes.make(), "next": address})["Location"] == "/"
        assert visitor.get("/enter/", {"next": address})["Location"] == "/"

    def test_never_leads_elsewhere_in_whatever_form_it_is_written(self, visitor):
        assert len(set(ELSEWHERE_BY_ANY_FORM)) > 200
        led = {address: visitor.get("/enter/", {"next": address})["Location"] for address in ELSEWHERE_BY_ANY_FORM}
        assert {address: to for address, to in led.items() if to != "/"} == {}

    def test_leads_to_a_path_that_is_odd(self, visitor):
        assert [visitor.get("/enter/", {"next": path})["Location"][:1] for path in ODD_PATHS] == ["/"] * len(ODD_PATHS)


class AToken:
    @pytest.fixture
    def script(self, the_store):
        """Asks with a token, without any cookie; Django's protection of forms is on."""

        def script(token):
            return Visitor(
                HTTP_HOST="127.0.0.1", enforce_csrf_checks=True, headers={"Authorization": f"Bearer {token}"}
            )

        return script

    @pytest.fixture
    def own(self):
        token_file.ensure(settings.DATA_DIR)
        return (settings.DATA_DIR / "token").read_text().strip()

    def test_in_the_data_directory_lets_in_whoever_can_read_it(self, script, own, the_store):
        session = a_session(the_store, "one")
        owner = script(own)

        assert owner.get("/").status_code == 200
        owner.post(f"/sessions/{session.id}/delete/")
        assert the_store.get(session.id) is None
        assert settings.FORKLORE_COOKIE not in owner.cookies

    def test_in_the_data_directory_is_its_owners_and_stays(self, own):
        path = settings.DATA_DIR / "token"
        assert path.stat().st_mode & 0o777 == 0o600
        token_file.ensure(settings.DATA_DIR)
        assert path.read_text().strip() == own

    def test_in_the_data_directory_ends_with_its_file(self, script, own):
        (settings.DATA_DIR / "token").unlink()
        assert script(own).get("/").status_code == 401

    @pytest.mark.parametrize("content", ["", "\n", "forklore_", "x"])
    def test_in_the_data_directory_lets_nobody_in_when_its_file_is_broken(self, script, own, content):
        (settings.DATA_DIR / "token").write_text(content)
        try:
            assert script(content.strip()).get("/").status_code == 401
        finally:
            (settings.DATA_DIR / "token").unlink()

    def test_with_a_name_lets_in(self, script):
        assert script(tokens.create("ci")).get("/").status_code == 200

    def test_that_may_read_only_changes_nothing(self, script, the_store):
        session = a_session(the_store, "one")
        reader = script(tokens.create("reader", scopes=tokens.READ_ONLY))

        assert reader.get(f"/sessions/{session.id}/").status_code == 200
        refused = reader.post(f"/sessions/{session.id}/delete/")
        assert (refused.status_code, refused.content) == (403, b"This token may read only.\n")
        assert the_store.get(session.id)
        script(tokens.create("writer")).post(f"/sessions/{session.id}/delete/")
        assert the_store.get(session.id) is None

    def test_ends_at_once_when_it_is_revoked(self, script):
        ci = script(tokens.create("ci"))
        assert ci.get("/").status_code == 200
        tokens.revoke("ci")
        assert ci.get("/").status_code == 401

    def test_ends_by_itself(self, script, later):
        ci = script(tokens.create("ci", days=3))
        later(timedelta(days=2, hours=23))
        assert ci.get("/").status_code == 200
        later(timedelta(days=3, seconds=1))
        assert ci.get("/").status_code == 401

    def test_is_kept_as_a_digest_that_is_of_no_use(self, script):
        from sessions_app.access.models import Token

        token = tokens.create("ci")
        (row,) = Token.objects.values_list("digest", flat=True)

        assert token not in row
        assert script(row).get("/").status_code == 401
        assert script(f"forklore_{row}").get("/").status_code == 401

    def test_is_found_by_scanners_and_refused_by_its_check_digits_without_a_question(
        self, script, django_assert_num_queries, either_database
    ):
        token = tokens.create("ci")
        assert re.fullmatch(r"forklore_[0-9A-Za-z]{49}", token)

        changed = token[:20] + ("x" if token[20] != "x" else "y") + token[21:]
        with django_assert_num_queries(0, using=either_database):
            assert script(changed).get("/").status_code == 401

    def test_is_known_by_when_it_was_last_used_to_the_minute(self, script, later):
        ci = script(tokens.create("ci"))
        assert tokens.all_of_them()[0].last_used_at is None
        ci.get("/healthz")
        first = tokens.all_of_them()[0].last_used_at
        later(timedelta(seconds=30))
        ci.get("/healthz")
        assert tokens.all_of_them()[0].last_used_at == first
        later(timedelta(seconds=61))
        ci.get("/healthz")
        assert tokens.all_of_them()[0].last_used_at > first

    @pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
    def test_is_named_by_a_header_that_is_written_in_any_way(self, stranger, scheme):
        token = tokens.create("ci")
        assert stranger.get("/", headers={"Authorization": f"{scheme} {token}"}).status_code == 200

    @pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic YTpi", "Bearer é", "Bearer \udce9", "forklore_x"])
    def test_is_not_what_is_no_token(self, stranger, header):
        assert stranger.get("/", headers={"Authorization": header}).status_code == 401


class Finding:
    def test_costs_one_question(self, visitor, django_assert_num_queries, either_database):
        with django_assert_num_queries(1, using=either_database):
            assert visitor.get("/enter/known/").status_code == 204
