"""A team: people sign in, guessing is slow, and what somebody loses is lost at once and everywhere."""

import re
from datetime import timedelta
from html import unescape

import pytest
from argon2 import PasswordHasher, low_level
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.test import override_settings
from django.utils import timezone

from sessions_app import store
from sessions_app.access import faults, people, roles, tokens, user_sessions
from sessions_app.access.errors import InvalidPerson
from sessions_app.access.models import AuditEntry, UserSession
from sessions_app.actors import Role
from sessions_app.models import Project
from tests.builders import a_session
from tests.web.conftest import Visitor

PASSWORD = "a horse of another colour"
BROWSER = {"Accept": "text/html"}
# What browsers, at one time or another, took for another site, though it looks like a path.
ELSEWHERE = [
    "",
    "//evil.test",
    "///evil.test",
    "////evil.test/x",
    "https://evil.test",
    "http:evil.test",
    "https:/evil.test",
    "https:///evil.test",
    "HTTPS://evil.test",
    "ftp://evil.test",
    "/\\evil.test",
    "\\\\evil.test",
    "\\/evil.test",
    "/\t/evil.test",
    "/\n/evil.test",
    "\t//evil.test",
    " //evil.test",
    "\x00//evil.test",
    "\x01https://evil.test",
    "//evil.test@127.0.0.1",
    "https://127.0.0.1@evil.test/",
    "https://127.0.0.1.evil.test/",
    "//127.0.0.1:80/x",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "//[::1]/x",
    "//evil。test",
    "https:\\\\evil.test",
    "x//evil.test",
    "evil.test",
    "?next=//evil.test",
    "#//evil.test",
]


@pytest.fixture(autouse=True)
def team_mode(the_store):
    with override_settings(FORKLORE_MODE="team"):
        yield


def a_user(name="ada", *, admin=False, password=PASSWORD):
    if admin:
        people.create_admin(name, password)
    else:
        people.set_password(people.invite(name), password)
    return User.objects.get(username=name)


def sign_in(visitor=None, name="ada", password=PASSWORD, **options):
    visitor = visitor or Visitor(HTTP_HOST="127.0.0.1")
    visitor.answer = visitor.post("/enter/", {"name": name, "password": password, "next": "/projects/"}, **options)
    return visitor


def signed_in(name="ada", **options):
    a_user(name, **options)
    return sign_in(name=name)


@pytest.fixture
def later(monkeypatch):
    now = timezone.now
    ahead = [timedelta()]
    monkeypatch.setattr(timezone, "now", lambda: now() + ahead[0])

    def set_forward(by):
        ahead[0] += by

    return set_forward


class SigningIn:
    def test_lets_in_and_leads_on(self):
        visitor = signed_in()
        assert (visitor.answer.status_code, visitor.answer["Location"]) == (303, "/projects/")
        assert visitor.get("/projects/").status_code == 200

    def test_is_asked_for_everywhere_else(self, stranger):
        answer = stranger.get("/projects/?q=x", headers=BROWSER)
        assert answer.status_code == 401
        assert 'name="password"' in answer.content.decode()
        assert "/projects/?q=x" in answer.content.decode()

    @pytest.mark.parametrize("address", ELSEWHERE)
    def test_leads_nowhere_else(self, stranger, address):
        a_user()
        answer = stranger.post("/enter/", {"name": "ada", "password": PASSWORD, "next": address})
        assert answer["Location"] == "/"

    def test_says_the_same_of_a_wrong_name_a_wrong_password_and_who_left(self):
        a_user("ada")
        people.set_active(a_user("left"), False)
        said = {
            re.sub(r"\s+", " ", sign_in(name=name, password=password).answer.content.decode())
            for name, password in [("ada", "wrong"), ("nobody", PASSWORD), ("left", PASSWORD), ("", "")]
        }
        assert len(said) == 1
        assert "The name or the password is wrong." in said.pop()

    def test_gives_a_new_key_to_a_session_that_was_there(self, stranger):
        """A key that another planted would let that other in."""
        planted = user_sessions.SessionStore()
        planted["x"] = 1
        planted.save()
        stranger.cookies[settings.SESSION_COOKIE_NAME] = planted.session_key
        a_user()
        sign_in(stranger)

        assert stranger.cookies[settings.SESSION_COOKIE_NAME].value != planted.session_key
        other = Visitor(HTTP_HOST="127.0.0.1")
        other.cookies[settings.SESSION_COOKIE_NAME] = planted.session_key
        assert other.get("/projects/").status_code == 401

    def test_takes_no_launch_code_and_no_browser_of_the_local_mode(self, stranger):
        with override_settings(FORKLORE_MODE="local"):
            stranger.enter()
            assert stranger.get("/projects/").status_code == 200
        assert stranger.get("/projects/").status_code == 401

    def test_asks_one_question_a_request(self, django_assert_num_queries, either_database):
        from sessions_app.access import finding

        visitor = signed_in()
        cookies = {name: each.value for name, each in visitor.cookies.items()}
        with django_assert_num_queries(1, using=either_database):
            assert finding.find(cookies, None).name == "ada"


class ASession:
    def test_ends_after_twelve_hours_without_use(self, later):
        visitor = signed_in()
        for _ in range(3):
            later(timedelta(hours=11))
            assert visitor.get("/projects/").status_code == 200
        later(timedelta(hours=12, minutes=1))
        assert visitor.get("/projects/").status_code == 401

    def test_ends_after_seven_days_of_use(self, later):
        visitor = signed_in()
        answers = []
        for _ in range(17):
            later(timedelta(hours=10))
            answers.append(visitor.get("/projects/").status_code)
        assert answers == [200] * 16 + [401]

    def test_ends_by_signing_out_wherever_its_cookie_was_copied_to(self):
        visitor, copy = signed_in(), Visitor(HTTP_HOST="127.0.0.1")
        copy.cookies[settings.SESSION_COOKIE_NAME] = visitor.cookies[settings.SESSION_COOKIE_NAME].value
        assert copy.get("/projects/").status_code == 200
        visitor.post("/leave/")
        assert copy.get("/projects/").status_code == 401

    def test_ends_with_the_password_except_where_it_was_changed(self):
        here = signed_in()
        elsewhere = sign_in()
        answer = here.post("/settings/password/", {"current": PASSWORD, "password": "a wholly new one"})
        assert answer.status_code == 302
        assert here.get("/projects/").status_code == 200
        assert elsewhere.get("/projects/").status_code == 401
        assert sign_in().answer.status_code == 403
        assert sign_in(password="a wholly new one").answer.status_code == 303

    def test_can_be_ended_from_another(self):
        here, elsewhere = signed_in(), sign_in()
        (id,) = re.findall(r'name="id" value="(\w+)"', here.get("/settings/").content.decode())
        assert here.post("/settings/browsers/", {"id": id}).status_code == 302
        assert here.get("/projects/").status_code == 200
        assert elsewhere.get("/projects/").status_code == 401
        assert AuditEntry.objects.filter(verb="ended", kind="browser", actor_name="ada").count() == 1

    def test_of_somebody_else_cannot_be_ended(self):
        other = signed_in("other")
        (theirs,) = user_sessions.of(User.objects.get(username="other").pk)
        signed_in("ada").post("/settings/browsers/", {"id": theirs.id})
        assert other.get("/projects/").status_code == 200

    def test_ends_when_its_user_is_deactivated_and_so_do_their_tokens(self):
        visitor = signed_in()
        user = User.objects.get(username="ada")
        bearer = {"Authorization": f"Bearer {tokens.create('t', user_id=user.pk)}"}
        stranger = Visitor(HTTP_HOST="127.0.0.1")
        assert stranger.get("/projects/", headers=bearer).status_code == 200
        people.set_active(user, False)
        assert visitor.get("/projects/").status_code == 401
        assert stranger.get("/projects/", headers=bearer).status_code == 401

    def test_is_kept_without_what_would_let_in(self):
        signed_in()
        assert PASSWORD not in str(list(UserSession.objects.values())) + str(list(User.objects.values()))


class Guessing:
    def test_is_stopped_after_ten_tries_even_of_the_right_password(self):
        a_user()
        assert {sign_in(password="wrong").answer.status_code for _ in range(faults.OF_BOTH)} == {403}
        refused = sign_in()
        assert refused.answer.status_code == 429
        assert 0 < int(refused.answer["Retry-After"]) <= faults.WITHIN.total_seconds()

    def test_may_go_on_after_a_quarter_of_an_hour(self, later):
        a_user()
        for _ in range(faults.OF_BOTH):
            sign_in(password="wrong")
        later(faults.WITHIN + timedelta(seconds=1))
        assert sign_in().answer.status_code == 303

    def test_of_one_account_does_not_stop_another_elsewhere(self):
        a_user("ada"), a_user("bob")
        for _ in range(faults.OF_BOTH):
            sign_in(password="wrong")
        assert sign_in(REMOTE_ADDR="192.0.2.7").answer.status_code == 303
        assert sign_in(name="bob").answer.status_code == 303

    @pytest.mark.parametrize("other", ["address", "account"])
    def test_is_stopped_over_many_accounts_and_many_addresses(self, other):
        for number in range(faults.OF_EITHER):
            faults.count(*(("ada", f"10.0.0.{number}") if other == "account" else (f"user{number}", "10.0.0.1")))
        assert faults.wait("ada", "10.0.0.1") > 0
        assert faults.wait("bob", "10.0.1.1") == 0

    def test_is_noted_without_the_name_that_was_typed(self):
        sign_in(name="my password by mistake", password="x")
        entry = AuditEntry.objects.get(verb="failed to sign in")
        assert (entry.kind, entry.object_id) == ("address", "127.0.0.1")
        assert "mistake" not in str(AuditEntry.objects.values().get(pk=entry.pk))

    def test_counts_the_address_that_the_proxy_wrote_and_no_other(self):
        claimed = {"X-Forwarded-For": "203.0.113.9, 192.0.2.7"}
        sign_in(headers=claimed)
        with override_settings(FORKLORE_PROXY=True):
            sign_in(headers=claimed)
        noted = AuditEntry.objects.filter(verb="failed to sign in").values_list("object_id", flat=True)
        assert list(noted.order_by("pk")) == ["127.0.0.1", "192.0.2.7"]

    def test_is_not_possible_at_a_door_of_djangos_admin(self):
        a_user("root", admin=True)
        ada = signed_in("ada")
        form = {"username": "root", "password": PASSWORD, "next": "/admin/"}
        assert ada.post("/admin/login/", form).status_code == 403
        assert ada.get("/settings/people/").status_code == 403
        assert sign_in(name="root").get("/admin/").status_code == 200


class AName:
    """That nobody has costs as much work as one that somebody has, so that the time of the answer tells neither."""

    @pytest.fixture
    def work(self, monkeypatch):
        """Counts how often a password is hashed, by the hasher that a team has."""
        runs = []
        hash_secret, verify = low_level.hash_secret, PasswordHasher.verify
        monkeypatch.setattr(low_level, "hash_secret", lambda *a, **n: runs.append("hash") or hash_secret(*a, **n))
        monkeypatch.setattr(PasswordHasher, "verify", lambda *a, **n: runs.append("verify") or verify(*a, **n))
        with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.Argon2PasswordHasher"]):
            a_user("ada")
            people.set_active(a_user("left"), False)
            people.invite("invited")

            def of_signing_in(name):
                runs.clear()
                assert sign_in(name=name, password="wrong").answer.status_code == 403
                return len(runs)

            yield of_signing_in

    def test_is_not_told_by_the_work_of_refusing_it(self, work):
        assert {name: work(name) for name in ("ada", "left", "invited", "nobody", "", "x" * 1000)} == dict.fromkeys(
            ("ada", "left", "invited", "nobody", "", "x" * 1000), 1
        )

    def test_would_be_told_by_a_server_that_looks_it_up_first(self, work, monkeypatch):
        def careless(self, request, username=None, password=None, **more):
            user = User.objects.filter(username=username).first()
            return user if user and user.check_password(password) else None

        monkeypatch.setattr(ModelBackend, "authenticate", careless)
        assert (work("ada"), work("nobody")) == (1, 0)

    def test_that_may_not_be_tried_now_costs_no_work(self, work):
        for number in range(faults.OF_EITHER):
            faults.count(f"user{number}", "127.0.0.1")
        with pytest.raises(AssertionError):
            work("ada")  # 429, not 403


class ALinkInFull:
    @pytest.mark.parametrize(
        "marks",
        [
            {"X-Forwarded-Host": "evil.test"},
            {"Forwarded": "host=evil.test"},
            {"X-Original-Host": "evil.test"},
            {"X-Host": "evil.test"},
            {"X-Forwarded-Server": "evil.test"},
            {"X-Forwarded-Port": "99"},
        ],
        ids=lambda marks: next(iter(marks)),
    )
    def test_names_the_host_that_the_guard_let_through_and_no_header(self, marks):
        admin = signed_in("root", admin=True)
        page = admin.post("/settings/people/", {"name": "eve"}, headers=marks).content.decode()
        assert re.findall(r"https?://[^/\s]+(?=/invitation/)", page) == ["http://127.0.0.1"]
        assert "evil.test" not in page

    @pytest.mark.parametrize(
        "host", ["evil.test", "127.0.0.1@evil.test", "127.0.0.1.evil.test", "evil.test:80#127.0.0.1"]
    )
    def test_is_made_for_no_other_host_even_behind_the_guard(self, host):
        admin = signed_in("root", admin=True)
        assert admin.post("/settings/people/", {"name": "eve"}, HTTP_HOST=host).status_code == 400
        with override_settings(ALLOWED_HOSTS=["*"]):
            made = admin.post("/settings/people/", {"name": "eve"}, HTTP_HOST="evil.test").content.decode()
        assert "http://evil.test/invitation/" in made


class AnInvitation:
    def test_lets_somebody_choose_a_password_once(self, stranger):
        admin = signed_in("root", admin=True)
        page = admin.post("/settings/people/", {"name": "eve"}).content.decode()
        (link,) = re.findall(r"http://127.0.0.1(/invitation/[^<\s]+)", page)
        assert sign_in(name="eve", password="").answer.status_code == 403
        assert stranger.get(link).status_code == 200
        assert stranger.post(link, {"password": "short"}).status_code == 422
        assert stranger.post(link, {"password": PASSWORD}).status_code == 302
        assert sign_in(name="eve").answer.status_code == 303
        assert stranger.get(link).status_code == stranger.post(link, {"password": PASSWORD}).status_code == 404
        assert link not in admin.get("/settings/people/").content.decode()

    def test_ends_after_three_days(self, stranger):
        name, secret = people.invitation(people.invite("eve"))
        assert stranger.get(f"/invitation/{name}/{secret}/").status_code == 200
        with override_settings(PASSWORD_RESET_TIMEOUT=-1):
            assert stranger.get(f"/invitation/{name}/{secret}/").status_code == 404

    @pytest.mark.parametrize("name", ["x", "MQ", "____", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw"])
    def test_that_was_made_up_is_none(self, stranger, name):
        people.invite("eve")
        assert stranger.get(f"/invitation/{name}/c1a2b3-0123456789abcdef0123456789abcdef/").status_code == 404

    def test_is_none_where_nobody_signs_in(self, stranger):
        name, secret = people.invitation(people.invite("eve"))
        with override_settings(FORKLORE_MODE="local"):
            assert stranger.get(f"/invitation/{name}/{secret}/", headers=BROWSER).status_code == 401


class Admins:
    def test_invite_grant_and_deactivate(self, the_store):
        a_session(the_store, "hello", project="ours")
        project = Project.objects.get(name="ours").pk
        admin, ada = signed_in("root", admin=True), signed_in("ada")
        path = f"/settings/people/{User.objects.get(username='ada').pk}/"
        assert ada.get("/projects/ours/").status_code == 404
        assert admin.post(path, {"do": "grant", "project": project, "role": "1"}).status_code == 302
        assert ada.get("/projects/ours/").status_code == 200
        assert admin.post(path, {"do": "grant", "project": project, "role": "0"}).status_code == 302
        assert ada.get("/projects/ours/").status_code == 404
        assert admin.post(path, {"do": "deactivate"}).status_code == 302
        assert ada.get("/projects/").status_code == 401

    def test_choose_what_everybody_is_in_new_projects_and_in_one(self, the_store):
        a_session(the_store, "hello", project="ours")
        project = Project.objects.get(name="ours").pk
        admin, ada = signed_in("root", admin=True), signed_in("ada")
        admin.post("/settings/roles/", {"role": "1"})
        assert ada.get("/projects/ours/").status_code == 200
        admin.post("/settings/roles/", {"role": "0", "project": project})
        assert ada.get("/projects/ours/").status_code == 404
        admin.post("/settings/roles/", {"role": "", "project": project})
        assert ada.get("/projects/ours/").status_code == 200
        assert admin.post("/settings/roles/", {"role": "3"}).status_code == 422

    def test_cannot_leave_a_team_without_one(self):
        root = a_user("root", admin=True)
        visitor = sign_in(name="root")
        for do in ("no-admin", "deactivate"):
            assert visitor.post(f"/settings/people/{root.pk}/", {"do": do}).status_code == 422
        a_user("second", admin=True)
        assert visitor.post(f"/settings/people/{root.pk}/", {"do": "no-admin"}).status_code == 302
        assert visitor.get("/settings/people/").status_code == 403

    def test_are_the_only_ones_who_see_people_roles_and_the_log(self):
        ada = signed_in("ada")
        paths = ["/settings/people/", "/settings/people/1/", "/settings/roles/", "/settings/audit/"]
        assert {ada.get(path).status_code for path in paths} == {403}

    def test_see_who_did_what_and_never_a_title(self, the_store):
        session = a_session(the_store, "hello", project="ours")
        ada, admin = signed_in("ada"), signed_in("root", admin=True)
        roles.grant(User.objects.get(username="ada").pk, Project.objects.get().pk, Role.WRITER)
        ada.post(f"/sessions/{session.id}/title/", {"title": "a secret plan"})
        page = admin.get("/settings/audit/?verb=renamed").content.decode()
        assert str(session.id) in page
        assert "ada" in page
        assert "secret plan" not in page
        assert str(session.id) not in admin.get("/settings/audit/?actor=root").content.decode()

    def test_read_the_log_in_pages(self):
        admin = signed_in("root", admin=True)
        for _ in range(60):
            roles.set_default(Role.NONE)
        first = admin.get("/settings/audit/").content.decode()
        (more,) = re.findall(r'hx-get="(/settings/audit/\?[^"]+)"', first)
        second = admin.fragment(more.replace("&amp;", "&")).content.decode()
        assert first.count("<td>") // 4 == 50
        assert 10 <= second.count("<td>") // 4 < 20


class Passwords:
    @pytest.mark.parametrize("password", ["short", "123456789012345", "password1234", "adalovelace1815"])
    def test_that_are_easy_to_guess_are_refused(self, password):
        with pytest.raises(InvalidPerson):
            people.create_admin("adalovelace", password)

    @pytest.mark.parametrize("name", ["", "a b", "x" * 151, "a\nb"])
    def test_names_that_cannot_be_are_refused_in_a_sentence(self, name):
        with pytest.raises(InvalidPerson, match=r"\."):
            people.invite(name)

    def test_of_now_must_be_known_to_change_it(self):
        visitor = signed_in()
        answer = visitor.post("/settings/password/", {"current": "wrong", "password": "a wholly new one"})
        assert answer.status_code == 422
        assert sign_in().answer.status_code == 303


class ATokenMadeOnThePage:
    def test_is_shown_once_and_does_what_it_may(self, stranger, the_store):
        a_session(the_store, "hello", project="ours")
        visitor = signed_in("root", admin=True)
        form = {"name": "ci", "scope": "read", "days": "30", "project": str(Project.objects.get().pk)}
        (token,) = re.findall(r"forklore_\w{49}", visitor.post("/settings/tokens/", form).content.decode())
        assert token not in visitor.get("/settings/tokens/").content.decode()
        bearer = {"Authorization": f"Bearer {token}"}
        assert stranger.get("/projects/ours/", headers=bearer).status_code == 200
        assert stranger.post("/import/demo/", headers=bearer).status_code == 403
        (mine,) = tokens.of(User.objects.get().pk)
        assert mine.projects == ("ours",)
        assert visitor.post(f"/settings/tokens/{mine.id}/revoke/").status_code == 302
        assert stranger.get("/projects/ours/", headers=bearer).status_code == 401

    @pytest.mark.parametrize(
        "form", [{"name": ""}, {"days": "0"}, {"days": "x"}, {"scope": "all"}, {"scope": "admin"}, {"project": "999"}]
    )
    def test_is_refused_in_a_sentence(self, form):
        answer = signed_in().post("/settings/tokens/", {"name": "ci", "scope": "read", "days": "30"} | form)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.content.decode()

    def test_of_somebody_else_is_not_to_be_found(self):
        ada = signed_in("ada")
        tokens.create("t", user_id=a_user("bob").pk)
        (theirs,) = tokens.all_of_them()
        assert ada.post(f"/settings/tokens/{theirs.id}/revoke/").status_code == 404
        assert len(tokens.all_of_them()) == 1

    def test_makes_no_other_and_has_no_account(self, stranger):
        bearer = {"Authorization": f"Bearer {tokens.create('t', scopes=tokens.SCOPES['admin'])}"}
        paths = ["/settings/", "/settings/tokens/"]
        assert {stranger.get(path, headers=bearer).status_code for path in paths} == {403}
        assert stranger.post("/settings/tokens/", {"name": "x"}, headers=bearer).status_code == 403


class Switching:
    def test_keeps_the_data_there_and_back(self, stranger, the_store):
        with override_settings(FORKLORE_MODE="local"):
            session = a_session(the_store, "hello", project="ours")
            owner = Visitor(HTTP_HOST="127.0.0.1").enter()
            assert owner.get(f"/sessions/{session.id}/").status_code == 200
        admin = signed_in("root", admin=True)
        assert admin.get(f"/sessions/{session.id}/").status_code == 200
        admin.post(f"/sessions/{session.id}/title/", {"title": "of the team"})
        with override_settings(FORKLORE_MODE="local"):
            assert "of the team" in owner.get(f"/sessions/{session.id}/").content.decode()
            assert store.get(session.id).title == "of the team"


class AListOfManyThings:
    def test_tells_how_many_there_are_and_goes_on(self):
        admin = signed_in("ada", admin=True)
        User.objects.bulk_create(User(username=f"person {number:03}", password="!") for number in range(450))
        Project.objects.bulk_create(Project(name=f"project {number:03}") for number in range(450))
        for path, total, one in (("people", "451", "person"), ("roles", "450 projects", "project")):
            names, url = [], f"/settings/{path}/"
            while url:
                answer = admin.get(url).content.decode()
                assert f"of {total}" in re.sub(r"\s+", " ", answer)
                names += re.findall(rf">({one} \d\d\d)<", answer)
                more = re.search(r'href="([^"]*after=[^"]*)"', answer)
                url = more and unescape(more[1])
            assert names == [f"{one} {number:03}" for number in range(450)]

    def test_of_choices_can_be_narrowed(self):
        admin = signed_in("ada", admin=True)
        Project.objects.bulk_create(Project(name=f"project {number:03}") for number in range(450))
        for path in (f"/settings/people/{a_user('eve').pk}/", "/settings/tokens/"):
            answer = admin.get(path).content.decode()
            assert "200 of 450 projects to choose from" in answer
            assert "project 449" not in answer
            narrowed = admin.get(path, {"project_like": "449"}).content.decode()
            assert "1 of 450 projects to choose from" in narrowed
            assert ">project 449<" in narrowed
