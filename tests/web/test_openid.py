"""Signing in by OpenID, at a real provider on this machine; who lies, replays or is not known gets nothing."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import timedelta
from html import unescape
from urllib.parse import urlsplit

import httpx
import jwt
import pytest
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.internal import jwtkit, statekit
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.contrib.auth.models import User
from django.test import override_settings
from django.utils import timezone

from sessions_app.access import people, roles
from sessions_app.access.models import AuditEntry, Identity, UserSession
from sessions_app.actors import Role
from sessions_app.models import Project
from sessions_app.web import enter, openid, openid_flow
from sessions_site.configuration import OpenID, open_id
from tests import openid_provider
from tests.builders import a_session
from tests.openid_provider import ADA, CLIENT, SECRET
from tests.web.conftest import Visitor
from tests.web.test_team import ELSEWHERE

BROWSER = {"Accept": "text/html"}
CROSS_SITE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture(scope="module")
def running():
    with openid_provider.running() as provider:
        yield provider


@pytest.fixture
def provider(running, the_store):
    running.forget()
    openid_flow._known.clear()
    openid.beginnings.forget()
    with override_settings(FORKLORE_MODE="team", FORKLORE_OIDC=chosen(running)):
        yield running


def chosen(provider, **more):
    return OpenID(**{"issuer": provider.url, "client": CLIENT, "secret": SECRET, "name": "Example", **more})


@pytest.fixture
def ada(provider):
    return people.invite("ada", "ada@example.org")


def a_browser():
    return Visitor(HTTP_HOST="127.0.0.1")


def go(visitor, next="/projects/"):
    """To the provider, and the address at which it sends back."""
    page = visitor.post("/enter/openid/", {"next": next})
    assert page.status_code == 200, page.content.decode()
    (url,) = re.findall(r'content="0;url=([^"]+)"', page.content.decode())
    form = openid_provider.fields(urlsplit(unescape(url)).query)
    answer = httpx.post(unescape(url).partition("?")[0], data=form)
    assert answer.status_code == 303
    return answer.headers["Location"].removeprefix("http://127.0.0.1")


def sign_in(visitor=None, **options):
    visitor = visitor or a_browser()
    visitor.answer = visitor.get(go(visitor, **options))
    return visitor


def is_in(visitor):
    return visitor.get("/projects/").status_code == 200


def failures():
    return list(AuditEntry.objects.filter(verb="failed to sign in").values_list("kind", "object_id"))


class SigningIn:
    def test_is_offered_where_an_issuer_is_set(self, provider, stranger):
        for path in ("/enter/", "/projects/"):
            assert "Sign in with Example" in stranger.get(path, headers=BROWSER).content.decode()

    def test_lets_in_whom_an_admin_invited_by_a_verified_address_and_leads_on(self, ada):
        visitor = sign_in()
        assert (visitor.answer.status_code, visitor.answer["Location"]) == (303, "/projects/")
        assert is_in(visitor)
        assert "ada" in visitor.get("/settings/").content.decode()
        assert list(Identity.objects.values_list("user__username", "subject")) == [("ada", ADA["sub"])]

    def test_knows_somebody_again_by_the_issuers_word_and_not_by_the_address(self, ada, provider):
        sign_in()
        provider.person["email"] = "ada.married@example.org"
        assert is_in(sign_in())
        assert Identity.objects.count() == 1

    def test_makes_a_session_as_a_password_does(self, ada):
        visitor = a_browser()
        address = go(visitor)
        before = visitor.cookies[settings.SESSION_COOKIE_NAME].value
        visitor.get(address)
        (row,) = UserSession.objects.all()
        assert row.user_id == ada.pk
        assert visitor.cookies[settings.SESSION_COOKIE_NAME].value == row.session_key != before
        people.set_active(ada, False)
        assert not is_in(visitor)

    def test_leaves_local_accounts_as_they_were(self, provider):
        people.set_password(people.invite("bob"), "a horse of another colour")
        visitor = a_browser()
        assert visitor.post("/enter/", {"name": "bob", "password": "a horse of another colour"}).status_code == 303
        assert is_in(visitor)

    def test_asks_for_a_code_by_pkce_with_a_nonce_and_tells_no_secret(self, provider):
        page = a_browser().post("/enter/openid/", {"next": "/"}).content.decode()
        (url,) = re.findall(r'href="(http[^"]+)"', page)
        asked = openid_provider.fields(urlsplit(unescape(url)).query)
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert asked["redirect_uri"] == "http://127.0.0.1/enter/openid/callback/"
        assert set(asked["scope"].split()) == {"openid", "profile", "email"}
        assert len(asked["nonce"]) > 40
        assert SECRET not in page
        assert "known" not in str(settings.FORKLORE_OIDC)

    def test_asks_the_issuer_once_what_it_is(self, provider):
        for _ in range(3):
            go(a_browser())
        assert provider.asked.count("/.well-known/openid-configuration") == 1

    def test_from_another_site_is_asked_for_once_more_from_this_one(self, ada):
        """Browsers send our Strict cookie along only then; tests/browser/test_openid.py is one."""
        visitor = a_browser()
        address = go(visitor)
        answer = a_browser().get(address, headers=CROSS_SITE)
        assert (answer.status_code, answer["Cache-Control"].count("no-store")) == (200, 1)
        (again,) = re.findall(r'content="0;url=([^"]+)"', answer.content.decode())
        assert unescape(again).startswith(f"{address.partition('?')[0]}?code=")
        assert visitor.get(unescape(again)).status_code == 303
        assert is_in(visitor)

    def test_leaves_no_row_behind_of_who_does_not_come_back(self, ada, later):
        go(a_browser())
        assert UserSession.objects.count() == 1
        later(minutes=16)
        go(a_browser())
        assert UserSession.objects.count() == 1

    def test_is_slow_for_who_only_begins(self, provider):
        statuses = [a_browser().post("/enter/openid/", {"next": "/"}).status_code for _ in range(31)]
        assert statuses == [200] * 30 + [429]
        assert a_browser().post("/enter/openid/", REMOTE_ADDR="192.0.2.7").status_code == 200

    def test_is_begun_by_no_link(self, provider):
        assert a_browser().get("/enter/openid/").status_code == 405
        assert UserSession.objects.count() == 0


@pytest.fixture
def later(monkeypatch):
    now = timezone.now

    def set_forward(**by):
        monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(**by))

    return set_forward


def not_in(visitor, status=403, words="did not work"):
    assert visitor.answer.status_code == status
    assert words in visitor.answer.content.decode()
    assert not is_in(visitor)
    assert UserSession.objects.exclude(user=None).exclude(user__username="root").count() == 0
    return True


@pytest.fixture
def elsewhere(provider):
    """A server to which the issuer leads on, as one that was broken into would."""
    with openid_provider.running() as other:
        provider.metadata, provider.moved_to = {"token_endpoint": f"{provider.url}/moved"}, other.url
        yield other


class ALie:
    """Of a token, each of which would let ada in if its check were not there: see WithoutTheCheck."""

    LIES = {
        "audience": {"aud": "another program"},
        "audience of several": {"aud": [CLIENT, "another program"]},
        "given to another program": {"azp": "another program"},
        "expired": {"exp": int(time.time()) - 3600},
        "without an end": {"exp": None},
        "of the future": {"iat": int(time.time()) + 3600},
        "nonce": {"nonce": "of another try"},
        "without a nonce": {"nonce": None},
        "issuer": {"iss": "https://evil.test"},
        "subject": {"sub": None},
        "subject of two hundred and fifty-six letters": {"sub": "x" * 256},
        "subject that is a number": {"sub": 5},
    }

    @pytest.mark.parametrize("lie", LIES)
    def test_lets_nobody_in_and_is_noted(self, ada, provider, lie):
        provider.lies = self.LIES[lie]
        assert not_in(sign_in())
        assert failures() == [("address", "127.0.0.1")]

    @pytest.mark.parametrize("how", ["another key", "none", "the public key as a secret"])
    def test_about_the_signature_lets_nobody_in(self, ada, provider, how):
        provider.algorithm = {"none": "none", "another key": "RS256"}.get(how, "HS256")
        public = openid_provider.KEY.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        provider.key = {"none": None, "another key": rsa.generate_private_key(65537, 2048)}.get(how, public)
        assert not_in(sign_in())
        assert len(provider.tokens) == 1  # which was sent, and refused

    def test_of_the_userinfo_that_is_anothers_lets_nobody_in(self, ada, provider):
        provider.person.pop("email")
        provider.userinfo = {"sub": "another", "email": "ada@example.org", "email_verified": True}
        assert not_in(sign_in())

    @pytest.mark.parametrize("metadata", [{"issuer": "https://evil.test"}, {"token_endpoint": "http://192.0.2.1/"}])
    def test_of_the_issuer_about_itself_leads_nowhere(self, ada, provider, metadata):
        provider.metadata = metadata
        answer = a_browser().post("/enter/openid/", {"next": "/"})
        if answer.status_code == 200:  # it is the server that must not go there
            visitor = sign_in()
            answer = visitor.answer
        assert answer.status_code == 403
        assert "did not work" in answer.content.decode()

    def test_that_it_has_moved_takes_the_secret_nowhere(self, ada, provider, elsewhere):
        assert not_in(sign_in())
        assert elsewhere.asked == []

    def test_without_a_token_lets_nobody_in(self, ada, provider, monkeypatch):
        given = provider.gives
        monkeypatch.setattr(provider, "gives", lambda form: (200, {**given(form)[1], "id_token": None}))
        assert not_in(sign_in())

    @pytest.mark.parametrize(
        "answer", [[], {}, "x", None, {"access_token": "a", "id_token": "x.y.z", "expires_in": "x"}]
    )
    def test_that_is_no_answer_at_all_is_told_in_a_sentence(self, ada, provider, monkeypatch, answer):
        monkeypatch.setattr(provider, "gives", lambda form: (200, answer))
        assert not_in(sign_in())

    def test_of_an_issuer_that_is_not_there_is_told_in_a_sentence(self, ada, provider):
        with override_settings(FORKLORE_OIDC=chosen(provider, issuer="http://127.0.0.1:9")):
            answer = a_browser().post("/enter/openid/", {"next": "/"})
        assert answer.status_code == 403
        assert "did not work" in answer.content.decode()


class ATry:
    def test_is_of_the_browser_that_began_it(self, ada):
        """Else a page could sign somebody in as another, who would then read what they do."""
        address = go(a_browser())
        other = a_browser()
        go(other)
        other.answer = other.get(f"{address}&_redir=")
        assert not_in(other)

    @pytest.mark.parametrize("state", ["", "x" * 16, "../../x", "\x00", "é"])
    def test_with_a_state_that_was_made_up_is_none(self, ada, state):
        visitor = a_browser()
        address = go(visitor)
        visitor.answer = visitor.get(
            "/enter/openid/callback/", {"code": re.findall(r"code=([^&]+)", address)[0], "state": state, "_redir": ""}
        )
        assert not_in(visitor)
        assert failures() == []  # which a stranger could repeat as often as they like

    def test_works_once(self, ada):
        visitor = a_browser()
        address = go(visitor)
        assert visitor.get(address).status_code == 303
        visitor.post("/leave/")
        visitor.answer = visitor.get(f"{address}&_redir=")
        assert not_in(visitor)

    def test_takes_no_code_of_another_even_in_its_place(self, ada, provider):
        """A code that leaked, put into a try of one's own: the provider asks for the secret of the first."""
        code = re.findall(r"code=([^&]+)", go(a_browser()))[0]
        visitor = a_browser()
        visitor.answer = visitor.get(re.sub(r"code=[^&]+", f"code={code}", go(visitor)))
        assert not_in(visitor)
        assert provider.tokens == []

    def test_takes_no_code_of_another_where_the_provider_does_not_look(self, ada, provider):
        provider.is_strict = False
        code = re.findall(r"code=([^&]+)", go(a_browser()))[0]
        visitor = a_browser()
        visitor.answer = visitor.get(re.sub(r"code=[^&]+", f"code={code}", go(visitor)))
        assert len(provider.tokens) == 1
        assert not_in(visitor)  # by the nonce

    @pytest.mark.parametrize("error", ["access_denied", "server_error", "<script>"])
    def test_that_the_provider_refused_is_told(self, ada, error):
        visitor = a_browser()
        address = re.sub(r"code=[^&]+", "error=x", go(visitor))
        visitor.answer = visitor.get(address.replace("error=x", f"error={error}"))
        assert not_in(visitor)
        assert "<script>" not in visitor.answer.content.decode().partition("<body>")[2]

    def test_ends_after_ten_minutes(self, ada, monkeypatch):
        visitor = a_browser()
        address = go(visitor)
        now = time.time
        monkeypatch.setattr("allauth.socialaccount.internal.statekit.time.time", lambda: now() + 601)
        visitor.answer = visitor.get(f"{address}&_redir=")
        assert not_in(visitor)

    @pytest.mark.parametrize("address", ELSEWHERE)
    def test_leads_nowhere_else(self, ada, address):
        assert sign_in(next=address).answer["Location"] == "/"

    @pytest.mark.parametrize("where", ["next", "redirect_uri", "process", "auth_params", "scope"])
    def test_takes_nothing_from_the_address(self, ada, where):
        """allauth's own page of beginning does; ours is another."""
        visitor = a_browser()
        page = visitor.post(f"/enter/openid/?{where}=https://evil.test/", {where: "https://evil.test/"})
        assert "evil.test" not in page.content.decode()
        address = go(visitor)
        assert visitor.get(f"{address}&{where}=https://evil.test/")["Location"] == "/projects/"


class Somebody:
    SENTENCE = "Example knows you, and this server does not let you in"

    def test_who_was_not_invited_is_not_let_in(self, provider):
        people.invite("bob", "bob@example.org")
        assert not_in(sign_in(), words=self.SENTENCE)
        assert failures() == [("address", "127.0.0.1")]
        assert User.objects.count() == 1

    def test_whose_address_is_not_verified_is_not_let_in(self, ada, provider):
        for verified in (False, None, "false", "true", 1, "yes"):
            provider.person["email_verified"] = verified
            assert not_in(sign_in(), words=self.SENTENCE)
        assert Identity.objects.count() == 0

    def test_who_was_deactivated_is_not_let_in(self, ada):
        people.set_active(ada, False)
        assert not_in(sign_in(), words=self.SENTENCE)
        people.set_active(ada, True)
        assert is_in(sign_in())
        people.set_active(ada, False)
        assert not_in(sign_in(), words=self.SENTENCE)

    def test_else_who_was_given_the_address_later_is_not_let_in(self, ada, provider):
        """A firm gives the address of who left to another; the issuer's own word for them it does not."""
        sign_in()
        UserSession.objects.all().delete()
        provider.person["sub"] = "another"
        assert not_in(sign_in(), words=self.SENTENCE)

    def test_of_another_issuer_with_the_same_word_is_not_let_in(self, ada, provider):
        sign_in()
        UserSession.objects.all().delete()
        Identity.objects.update(issuer="https://the.last.one")
        people.set_address(ada, "")
        assert not_in(sign_in(), words=self.SENTENCE)

    @pytest.mark.parametrize("written", ["ADA@Example.org", "ada@EXAMPLE.ORG"])
    def test_is_found_by_an_address_in_any_case(self, provider, written):
        people.invite("ada", written)
        assert is_in(sign_in())

    @pytest.mark.parametrize(
        "said", ["ad\u0251@example.org", "m\u0131ke@example.org", "", "ada", None, 5, ["ada@example.org"]]
    )
    def test_is_found_by_no_address_that_only_looks_like_theirs(self, ada, provider, said):
        people.invite("mike", "mike@example.org")
        provider.person["email"] = said
        assert not_in(sign_in(), words="did not work" if said == 5 else self.SENTENCE)

    def test_whose_address_two_have_is_nobody(self, ada, provider):
        User.objects.create(username="eve", email="Ada@example.org")  # as only Django's admin can
        assert not_in(sign_in(), words=self.SENTENCE)

    def test_without_a_role_sees_no_project_and_with_one_theirs(self, ada, the_store):
        a_session(the_store, "hello", project="ours")
        visitor = sign_in()
        assert visitor.get("/projects/ours/").status_code == 404
        roles.grant(ada.pk, Project.objects.get().pk, Role.VIEWER)
        assert visitor.get("/projects/ours/").status_code == 200


class TheDomains:
    @pytest.mark.parametrize(("domains", "let_in"), [((), 1), (("example.org",), 1), (("example.com",), 0)])
    def test_say_whose_addresses_may_come(self, ada, provider, domains, let_in):
        with override_settings(FORKLORE_OIDC=chosen(provider, domains=domains)):
            assert is_in(sign_in()) == bool(let_in)

    def test_hold_for_who_came_before_too(self, ada, provider):
        sign_in()
        with override_settings(FORKLORE_OIDC=chosen(provider, domains=("example.com",))):
            UserSession.objects.all().delete()
            assert not_in(sign_in(), words=Somebody.SENTENCE)

    @pytest.mark.parametrize("address", ["ada@evil.test@example.org", "ada@example.org.evil.test", "example.org"])
    def test_are_the_end_of_an_address(self, provider, address):
        provider.person["email"] = address
        with override_settings(FORKLORE_OIDC=chosen(provider, domains=("example.org",), admit="everybody")):
            assert not_in(sign_in(), words=Somebody.SENTENCE)


class Everybody:
    @pytest.fixture(autouse=True)
    def may_come(self, provider):
        with override_settings(FORKLORE_OIDC=chosen(provider, admit="everybody")):
            yield

    def test_is_let_in_with_the_default_role(self, provider, the_store):
        a_session(the_store, "hello", project="ours")
        visitor = sign_in()
        (user,) = User.objects.all()
        assert (user.username, user.email, user.is_superuser, user.is_staff) == ("ada@example.org",) * 2 + (False,) * 2
        assert visitor.get("/projects/ours/").status_code == 404
        roles.set_default(Role.VIEWER)
        assert visitor.get("/projects/ours/").status_code == 200
        assert set(AuditEntry.objects.values_list("verb", flat=True)) >= {"invited", "linked"}

    def test_is_the_same_person_the_next_time(self):
        sign_in(), sign_in()
        assert User.objects.count() == 1

    def test_takes_nobodys_name(self, provider):
        people.invite("ADA@example.org")
        assert not_in(sign_in(), words=Somebody.SENTENCE)
        assert User.objects.count() == 1

    @pytest.mark.parametrize("verified", [False, None])
    def test_has_a_verified_address(self, provider, verified):
        provider.person["email_verified"] = verified
        assert not_in(sign_in(), words=Somebody.SENTENCE)
        assert User.objects.count() == 0


class AnAdmin:
    @pytest.fixture
    def admin(self, provider):
        people.create_admin("root", "a horse of another colour")
        visitor = a_browser()
        visitor.post("/enter/", {"name": "root", "password": "a horse of another colour"})
        return visitor

    def test_invites_somebody_by_the_address_that_they_have_there(self, admin):
        form = {"name": "ada", "address": "ada@example.org"}
        assert "E-mail address at Example" in admin.get("/settings/people/").content.decode()
        assert "/invitation/" in admin.post("/settings/people/", form).content.decode()
        assert ">invited<" in admin.get("/settings/people/").content.decode()
        visitor = sign_in()
        assert is_in(visitor)
        assert ">invited<" not in admin.get("/settings/people/").content.decode()
        assert "you sign in with Example" in visitor.get("/settings/").content.decode()

    @pytest.mark.parametrize(
        "address", ["ada", "a@b@c", "m\u0131ke@example.org", "BOB@example.org", "x" * 300 + "@example.org"]
    )
    def test_writes_down_no_address_that_is_none_or_anothers(self, admin, address):
        people.invite("bob", "bob@example.org")
        assert admin.post("/settings/people/", {"name": "ada", "address": address}).status_code == 422
        ada = people.invite("ada")
        assert admin.post(f"/settings/people/{ada.pk}/", {"do": "address", "address": address}).status_code == 422
        assert User.objects.get(pk=ada.pk).email == ""

    def test_lets_somebody_who_is_there_come_by_an_address_and_ends_it(self, admin):
        ada = people.invite("ada")
        page = f"/settings/people/{ada.pk}/"
        assert admin.post(page, {"do": "address", "address": "ada@example.org"}).status_code == 302
        visitor = sign_in()
        assert "Unlink" in admin.get(page).content.decode()
        admin.post(page, {"do": "address", "address": ""})
        assert admin.post(page, {"do": "unlink"}).status_code == 302
        assert not is_in(visitor)
        assert not_in(sign_in(), words=Somebody.SENTENCE)
        verbs = list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True))
        assert [verb for verb in verbs if verb in ("set address", "linked", "unlinked")] == [
            "set address",
            "linked",
            "set address",
            "unlinked",
        ]
        assert "example.org" not in str(list(AuditEntry.objects.values()))

    def test_of_django_sees_no_table_of_allauths(self, admin):
        assert "socialaccount" not in admin.get("/admin/").content.decode()
        assert admin.get("/admin/socialaccount/socialapp/").status_code == 404


class WithoutIt:
    """Local mode, a team without an issuer, an issuer that is wrongly set, and Forklore without the extra."""

    @pytest.fixture(params=["local", "no issuer", "wrong", "no extra"])
    def none_of_it(self, provider, request, monkeypatch):
        if request.param == "no extra":
            monkeypatch.setattr("sessions_app.access.identities.apps.is_installed", lambda name: False)
        changed = {
            "local": {"FORKLORE_MODE": "local"},
            "no issuer": {"FORKLORE_OIDC": None},
            "wrong": {"FORKLORE_OIDC": chosen(provider, issuer="http://example.org")},
            "no extra": {},
        }
        with override_settings(**changed[request.param]):
            yield

    def test_nothing_is_offered_and_nothing_answers(self, none_of_it, stranger, provider):
        assert "Sign in with" not in stranger.get("/enter/").content.decode()
        assert stranger.post("/enter/openid/", {"next": "/"}).status_code == 404
        assert stranger.get("/enter/openid/callback/?code=x&state=y").status_code == 404
        assert provider.asked == []


class TheSettings:
    GOOD = {
        "FORKLORE_OIDC_ISSUER": "https://login.example.org/realm/",
        "FORKLORE_OIDC_CLIENT": "forklore",
        "FORKLORE_OIDC_SECRET": "s",
    }

    def test_are_read_from_the_environment(self, tmp_path):
        (tmp_path / "secret").write_text("from a file\n")
        found = open_id(self.GOOD | {"FORKLORE_OIDC_SECRET": "", "FORKLORE_OIDC_SECRET_FILE": str(tmp_path / "secret")})
        assert (found.issuer, found.secret, found.name) == (
            "https://login.example.org/realm",
            "from a file",
            "login.example.org",
        )
        assert (found.admit, found.domains, found.wrong()) == ("invited", (), "")
        assert "from a file" not in repr(found)
        assert open_id({}) is None

    @pytest.mark.parametrize(
        ("changed", "words"),
        [
            ({"ISSUER": "http://login.example.org"}, "begins with https://"),
            ({"ISSUER": "login.example.org"}, "begins with https://"),
            ({"ISSUER": "https://x?y"}, "begins with https://"),
            ({"ISSUER": "https://a@x"}, "begins with https://"),
            ({"ISSUER": "https://[x"}, "begins with https://"),
            ({"CLIENT": ""}, "FORKLORE_OIDC_CLIENT"),
            ({"SECRET": "", "SECRET_FILE": "/there/is/none"}, "FORKLORE_OIDC_SECRET_FILE"),
            ({"ADMIT": "all"}, "invited or everybody"),
            ({"DOMAINS": "*.example.org"}, "not *.example.org"),
            ({"DOMAINS": "example.org, @example.com"}, "not @example.com"),
        ],
    )
    def test_that_are_wrong_are_told_in_a_sentence(self, changed, words):
        wrong = open_id(self.GOOD | {f"FORKLORE_OIDC_{name}": value for name, value in changed.items()}).wrong()
        assert words in wrong
        assert wrong.endswith(".")


class WithoutTheCheck:
    """What each check keeps out comes in where it is switched off, in the same way as above."""

    def test_of_the_state_somebody_is_signed_in_as_another(self, ada, monkeypatch):
        monkeypatch.setattr(statekit, "unstash_state", a_state_of_anybody)
        address = go(a_browser())
        other = a_browser()
        go(other)
        assert other.get(address).status_code == 303
        assert is_in(other)

    def test_of_the_state_a_try_works_twice_where_the_provider_does_not_look(self, ada, provider, monkeypatch):
        monkeypatch.setattr(statekit, "unstash_state", a_state_of_anybody)
        provider.is_strict = False
        address = go(visitor := a_browser())
        assert [a_browser().get(address).status_code, a_browser().get(address).status_code] == [303, 303]
        assert not is_in(visitor)

    @pytest.mark.parametrize("lie", ["nonce", "without a nonce"])
    def test_of_the_nonce_a_token_of_another_try_is_taken(self, ada, provider, monkeypatch, lie):
        monkeypatch.setattr(openid_flow, "_check_nonce", lambda claims, nonce: None)
        provider.lies = ALie.LIES[lie]
        assert is_in(sign_in())

    def test_of_the_nonce_a_code_of_another_is_taken(self, ada, provider, monkeypatch):
        monkeypatch.setattr(openid_flow, "_check_nonce", lambda claims, nonce: None)
        provider.is_strict = False
        code = re.findall(r"code=([^&]+)", go(a_browser()))[0]
        visitor = a_browser()
        assert visitor.get(re.sub(r"code=[^&]+", f"code={code}", go(visitor))).status_code == 303
        assert is_in(visitor)

    @pytest.mark.parametrize("lie", ["audience", "expired", "of the future", "issuer"])
    def test_of_the_claims_a_token_for_another_or_of_yesterday_is_taken(self, ada, provider, monkeypatch, lie):
        monkeypatch.setattr(jwtkit, "verify_and_decode", believing)
        provider.lies = ALie.LIES[lie]
        assert is_in(sign_in())

    @pytest.mark.parametrize("algorithm", ["RS256", "none"])
    def test_of_the_signature_a_token_of_anybody_is_taken(self, ada, provider, monkeypatch, algorithm):
        """allauth leaves it out where the token came over https, which a proxy of the firm may have opened."""
        monkeypatch.setattr(openid_flow.Flow, "complete_login", OpenIDConnectOAuth2Adapter.complete_login)
        provider.algorithm = algorithm
        provider.key = None if algorithm == "none" else rsa.generate_private_key(65537, 2048)
        assert is_in(sign_in())

    def test_of_the_address_whoever_writes_it_down_is_let_in(self, ada, provider, monkeypatch):
        word = openid_flow._word
        monkeypatch.setattr(openid_flow, "_word", lambda *given: replace(word(*given), verified=True))
        provider.person["email_verified"] = False
        assert is_in(sign_in())

    def test_of_where_the_server_asks_it_goes_where_the_issuer_leads(self, ada, elsewhere, monkeypatch):
        """And hands over the secret by which the issuer knows it."""
        parent = DefaultSocialAccountAdapter.get_requests_session
        monkeypatch.setattr(openid_flow.Adapter, "get_requests_session", parent)
        sign_in()
        assert elsewhere.asked == ["/token"]

    def test_of_where_to_go_on_to_somebody_is_led_elsewhere(self, ada, monkeypatch):
        monkeypatch.setattr(enter, "own_address", lambda address: address)
        assert sign_in(next="//evil.test").answer["Location"] == "//evil.test"


def a_state_of_anybody(request, *, state_id, provider_id, raises=False):
    """As a server that keeps what was begun for all browsers together, and for ever."""
    for row in UserSession.objects.all():
        if state_id in (states := row.get_decoded().get(statekit.STATES_SESSION_KEY, {})):
            return states[state_id][0]


def believing(*, credential, **given):
    return jwt.decode(credential, options={"verify_signature": False})
