"""Signing in by OpenID in a real browser: to a provider of another site and back, although our cookie is Strict."""

import subprocess

import pytest
from playwright.sync_api import expect

from tests import openid_provider
from tests.browser import accessibility
from tests.browser.conftest import SIZES
from tests.browser.site import CHECKOUT, MANAGE
from tests.builders import user_environment
from tests.openid_provider import ADA, CLIENT, SECRET
from tests.servers import Server

PASSWORD = "a horse of another colour"
INVITE = (
    "from sessions_app.access import people; people.invite('ada', 'ada@example.org'); people.create_admin('root', '{}')"
)


@pytest.fixture(scope="module")
def provider():
    """At localhost, which to a browser is another site than 127.0.0.1."""
    with openid_provider.running("localhost") as provider:
        yield provider


@pytest.fixture(scope="module")
def team(provider, tmp_path_factory):
    directory = tmp_path_factory.mktemp("team")
    (directory / "secret").write_text(f"{SECRET}\n")
    environment = user_environment(
        FORKLORE_DATA=str(directory / "data"),
        FORKLORE_MODE="team",
        FORKLORE_HOSTS="forklore.example.org",
        FORKLORE_OIDC_ISSUER=provider.url,
        FORKLORE_OIDC_CLIENT=CLIENT,
        FORKLORE_OIDC_SECRET_FILE=str(directory / "secret"),
        FORKLORE_OIDC_NAME="Example",
    )
    for arguments in (["migrate"], ["demo"], ["shell", "-c", INVITE.format(PASSWORD)]):
        subprocess.run([*MANAGE, *arguments], cwd=CHECKOUT, env=environment, check=True, stdout=subprocess.DEVNULL)
    with Server([*MANAGE, "up", "--port=0", "--no-browser"], CHECKOUT, environment) as server:
        yield server


@pytest.fixture
def a_page(browser, team, provider):
    """A page of a fresh browser; what breaks a security policy fails the test."""
    provider.forget()
    faults, contexts = [], []

    def a_page(size="desktop", scheme="light", java_script=True):
        context = browser.new_context(
            base_url=team.url, color_scheme=scheme, java_script_enabled=java_script, **SIZES[size]
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: "Content Security Policy" in said.text and faults.append(said.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        return page

    yield a_page
    for context in contexts:
        context.close()
    assert faults == []


def sign_in(page, path="/projects/"):
    page.goto(path)
    page.get_by_role("button", name="Sign in with Example").click()
    page.get_by_role("button", name="I am Ada").click()


class ABrowser:
    @pytest.mark.parametrize("java_script", [True, False])
    def test_goes_there_and_comes_back_to_where_it_wanted_to_go(self, a_page, java_script):
        page = a_page(java_script=java_script)
        sign_in(page)
        expect(page.get_by_role("heading", name="Projects")).to_be_visible()
        assert page.url.endswith("/projects/")
        page.goto("/settings/")
        expect(page.get_by_role("heading", name="ada")).to_be_visible()

    def test_keeps_a_cookie_that_no_other_site_makes_it_send(self, a_page, team):
        page = a_page()
        sign_in(page)
        expect(page.get_by_role("heading", name="Projects")).to_be_visible()
        (cookie,) = [each for each in page.context.cookies() if each["name"].endswith("-session")]
        assert (cookie["sameSite"], cookie["httpOnly"], cookie["secure"]) == ("Strict", True, True)

    def test_of_somebody_who_is_not_invited_is_told_so(self, a_page, provider, picture):
        provider.person = {**ADA, "sub": "another", "email": "eve@example.org"}
        page = a_page()
        sign_in(page)
        expect(page.get_by_role("alert")).to_contain_text("Example knows you, and this server does not let you in")
        picture(page, "openid-refused")
        page.goto("/projects/")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()

    @pytest.mark.parametrize("lie", [{"nonce": "of another try"}, {"aud": "another"}, {"exp": 1}])
    def test_with_a_token_that_lies_stays_out(self, a_page, provider, lie):
        provider.lies = lie
        page = a_page()
        sign_in(page)
        expect(page.get_by_role("alert")).to_contain_text("did not work")

    def test_that_did_not_begin_is_not_signed_in_by_anothers_address(self, a_page, provider):
        """Another page would have somebody write into an account that is not theirs."""
        attacker = a_page()
        attacker.goto("/projects/")
        attacker.get_by_role("button", name="Sign in with Example").click()
        expect(attacker.get_by_role("button", name="I am Ada")).to_be_visible()
        asked = openid_provider.fields(attacker.url.partition("?")[2])
        victim = a_page()
        victim.goto(provider.url)
        victim.evaluate("(url) => { location.href = url }", provider.sends_back(asked))
        expect(victim.get_by_role("alert")).to_contain_text("did not work")
        victim.goto("/projects/")
        expect(victim.get_by_role("heading", name="Sign in")).to_be_visible()

    def test_goes_back_without_being_sent_there_again(self, a_page):
        page = a_page()
        page.goto("/enter/")
        sign_in(page)
        expect(page.get_by_role("heading", name="Projects")).to_be_visible()
        page.go_back()
        page.wait_for_load_state()
        page.goto("/projects/")
        expect(page.get_by_role("heading", name="Projects")).to_be_visible()


@pytest.mark.once
@pytest.mark.parametrize("size", SIZES)
def test_its_pages_have_no_findings_of_axe(a_page, provider, picture, size):
    page = a_page(size)
    page.goto("/enter/")
    assert accessibility.findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    picture(page, f"openid-sign-in-{size}")
    sign_in(page)
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()
    page.goto("/settings/")
    assert accessibility.findings(page) == []
    picture(page, f"openid-account-{size}")


@pytest.mark.once
@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_the_pages_of_people_have_no_findings_of_axe(a_page, picture, size, scheme):
    sign_in(a_page())
    page = a_page(size, scheme)
    page.goto("/settings/people/")
    page.get_by_label("Name").fill("root")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_label("E-mail address at Example")).to_be_visible()
    assert accessibility.findings(page) == []
    picture(page, f"openid-people-{size}-{scheme}")
    page.get_by_role("link", name="ada").click()
    expect(page.get_by_role("button", name="Unlink from Example")).to_be_visible()
    assert accessibility.findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    picture(page, f"openid-person-{size}-{scheme}")


@pytest.mark.once
@pytest.mark.parametrize("size", SIZES)
def test_the_page_that_leads_there_has_no_findings_of_axe_and_a_link(a_page, picture, size):
    page = a_page(size, "dark")
    page.route("**/authorize?*", lambda route: route.abort("aborted"))  # it stays
    page.goto("/enter/")
    page.get_by_role("button", name="Sign in with Example").click()
    expect(page.get_by_role("link", name="Go on to Example")).to_be_visible()
    assert accessibility.findings(page) == []
    picture(page, f"openid-to-{size}")
