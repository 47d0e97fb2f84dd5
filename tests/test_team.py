"""Team mode as an operator starts it: what refuses to start, the first admin, and Django's own look at the settings."""

import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from tests.builders import user_environment
from tests.servers import Server
from tests.test_run import CHECKOUT

MANAGE = [sys.executable, "manage.py"]
PASSWORD = "a horse of another colour"
TEAM = {"FORKLORE_MODE": "team", "FORKLORE_HOSTS": "forklore.example.org"}


@pytest.fixture
def environment(tmp_path):
    return user_environment(FORKLORE_DATA=str(tmp_path / "data"))


def manage(environment, *arguments, stdin=""):
    done = subprocess.run(
        [*MANAGE, *arguments], cwd=CHECKOUT, env=environment, input=stdin, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def status(url, **headers):
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.build_opener(StayHere).open(request, timeout=10) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers


class StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments):
        return None


class Starting:
    @pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "forklore.example.org"])
    def test_at_another_address_takes_the_team_mode(self, environment, host):
        code, said = manage(environment, "up", f"--host={host}", "--no-browser")
        assert code == 1
        assert "FORKLORE_MODE=team" in said

    def test_knows_two_modes(self, environment):
        code, said = manage(environment | {"FORKLORE_MODE": "public"}, "up", "--no-browser")
        assert (code, said) == (1, "CommandError: FORKLORE_MODE is local or team, not public.\n")

    def test_for_a_team_takes_its_host(self, environment):
        code, said = manage(environment | {"FORKLORE_MODE": "team"}, "up", "--no-browser")
        assert code == 1
        assert "FORKLORE_HOSTS=" in said

    def test_for_a_team_answers_at_any_address_to_its_host_only_and_behind_a_proxy_by_https(self, environment):
        command = [*MANAGE, "up", "--host=0.0.0.0", "--port=0", "--no-browser"]
        with Server(command, CHECKOUT, environment | TEAM | {"FORKLORE_PROXY": "1"}) as server:
            port = server.url.rpartition(":")[2]
            url = f"http://127.0.0.1:{port}/enter/"
            plain, _ = status(url, Host="forklore.example.org")
            secure, headers = status(url, Host="forklore.example.org", X_Forwarded_Proto="https")
            foreign, _ = status(url, Host="evil.test", X_Forwarded_Proto="https")

        assert (plain, secure, foreign) == (301, 200, 421)
        assert headers["Strict-Transport-Security"] == "max-age=31536000"

    def test_without_a_proxy_believes_no_header_that_says_https(self, environment):
        with Server([*MANAGE, "up", "--port=0", "--no-browser"], CHECKOUT, environment | TEAM) as server:
            code, headers = status(f"{server.url}/enter/", X_Forwarded_Proto="https")

        assert code == 200
        assert "Strict-Transport-Security" not in headers


class TheFirstAdmin:
    def test_is_made_by_a_command_that_reads_the_password_and_makes_no_second(self, environment):
        manage(environment, "migrate")
        assert manage(environment, "create_admin", "root", stdin="short\n")[0] == 1
        assert manage(environment, "create_admin", "root", stdin=f"{PASSWORD}\n") == (
            0,
            "Made the admin root.\nPeople sign in when Forklore is started with FORKLORE_MODE=team.\n",
        )
        assert manage(environment, "create_admin", "other", stdin=f"{PASSWORD}\n")[0] == 1
        assert manage(environment, "create_admin", "other", "--force", stdin=f"{PASSWORD}\n")[0] == 0
        hashes = (
            "from django.contrib.auth.models import User; print({u.password.split('$')[0] for u in User.objects.all()})"
        )
        assert "{'argon2'}" in manage(environment, "shell", "-c", hashes)[1]


class TokensByCommand:
    def test_have_scopes_and_projects(self, environment):
        manage(environment, "migrate")
        code, said = manage(environment, "create_token", "ci", "--scope=read", "--days=3")
        assert code == 0
        assert said.startswith("forklore_")
        assert manage(environment, "create_token", "x", "--project=there is none") == (
            1,
            "CommandError: There is no project named there is none.\n",
        )
        assert manage(environment, "token", "list")[1].startswith("ci: read, until ")


class TheSettings:
    def test_of_a_team_satisfy_djangos_own_check(self, environment):
        proxy = environment | TEAM | {"FORKLORE_PROXY": "1"}
        assert manage(proxy, "check", "--deploy", "--fail-level=WARNING")[0] == 0

    def test_without_a_proxy_are_warned_of_what_only_https_gives(self, environment):
        code, said = manage(environment | TEAM, "check", "--deploy", "--fail-level=WARNING")
        assert code == 1
        assert set(said.split()) & {"(security.W004)", "(security.W008)"} == {"(security.W004)", "(security.W008)"}
        assert "W012" not in said
        assert "W016" not in said


OIDC = {"FORKLORE_OIDC_CLIENT": "forklore", "FORKLORE_OIDC_SECRET": "s"}
OIDC |= {"FORKLORE_OIDC_ISSUER": "https://login.example.org", "FORKLORE_OIDC_NAME": "Example"}
# As an environment into which nobody has installed forklore[oidc].
WITHOUT_THE_EXTRA = """
import runpy, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "allauth":
            raise ModuleNotFoundError(name)
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "allauth" else found(name, *more)
sys.meta_path.insert(0, Missing())
sys.argv = sys.argv[1:]
sys.path.insert(0, "")
runpy.run_path("manage.py", run_name="__main__")
"""


class OpenID:
    def page(self, command, environment):
        with Server([*command, "up", "--port=0", "--no-browser"], CHECKOUT, environment) as server:
            with urllib.request.urlopen(f"{server.url}/enter/", timeout=10) as answer:
                page = answer.read().decode()
            request = urllib.request.Request(f"{server.url}/enter/openid/callback/?code=x&state=y&_redir=")
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return page, answer.status
            except urllib.error.HTTPError as error:
                return page, error.code

    def test_is_offered_where_it_is_installed_and_set(self, environment):
        page, status = self.page(MANAGE, environment | TEAM | OIDC)
        assert "Sign in with Example" in page
        assert status == 403

    def test_is_not_there_without_the_extra_and_all_else_is(self, environment):
        command = [sys.executable, "-c", WITHOUT_THE_EXTRA, "manage.py"]
        page, status = self.page(command, environment | TEAM | OIDC)
        assert "Sign in with" not in page
        assert 'name="password"' in page
        assert status == 404

    def test_is_not_there_without_an_issuer_or_alone(self, environment):
        for settings in (TEAM, OIDC):
            page, status = self.page(MANAGE, environment | settings)
            assert "Sign in with" not in page
            assert status == 404

    def test_that_is_set_wrongly_does_not_start(self, environment):
        wrong = environment | TEAM | OIDC | {"FORKLORE_OIDC_ISSUER": "http://login.example.org"}
        code, said = manage(wrong, "up", "--no-browser")
        assert code == 1
        assert said == "CommandError: FORKLORE_OIDC_ISSUER is an address that begins with https://, without a query.\n"

    def test_satisfies_djangos_own_check_and_needs_no_migration_of_ours(self, environment):
        proxy = environment | TEAM | OIDC | {"FORKLORE_PROXY": "1"}
        assert manage(proxy, "check", "--deploy", "--fail-level=WARNING")[0] == 0
        assert manage(proxy, "makemigrations", "--check", "--dry-run", "forklore", "forklore_access")[0] == 0

    def test_comes_to_a_database_that_was_there_before_and_goes_again(self, environment):
        for settings in (TEAM, TEAM | OIDC, TEAM):
            self.page(MANAGE, environment | settings)
        assert manage(environment | TEAM, "create_admin", "root", stdin=f"{PASSWORD}\n")[0] == 0
