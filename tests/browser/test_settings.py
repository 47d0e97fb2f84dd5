"""The pages of settings, alone and in a team."""

import subprocess
from contextlib import closing

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.browser.conftest import SIZES, collect_faults
from tests.browser.site import CHECKOUT, MANAGE
from tests.builders import a_session, user_environment
from tests.servers import Server

PASSWORD = "a horse of another colour"
LOCAL = ["/settings/", "/settings/tokens/", "/settings/audit/"]
TEAM = [*LOCAL, "/settings/people/", "/settings/people/1/", "/settings/roles/"]


class Alone:
    @pytest.mark.parametrize("path", LOCAL)
    def test_has_no_findings_of_axe(self, site, any_page, path):
        a_session(site.store, "hello")
        any_page.goto(path)
        assert accessibility.findings(any_page) == []
        assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def test_makes_a_token_and_revokes_it_without_scripts(self, site, plain_page):
        plain_page.goto("/")
        plain_page.get_by_role("link", name="Settings").click()
        plain_page.get_by_role("link", name="Tokens").click()
        plain_page.get_by_label("Name, for you").fill("ci")
        plain_page.get_by_role("button", name="Make the token").click()
        expect(plain_page.locator(".secret")).to_contain_text("forklore_")
        plain_page.get_by_role("button", name="Revoke ci").click()
        expect(plain_page.get_by_text("You have none.")).to_be_visible()

    def test_can_be_left(self, site, plain_page):
        plain_page.goto("/settings/")
        plain_page.get_by_role("button", name="Shut this one out").click()
        expect(plain_page.get_by_role("heading", name="Only you get in")).to_be_visible()


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    data = tmp_path_factory.mktemp("team")
    names = {"FORKLORE_DATA": str(data), "FORKLORE_MODE": "team", "FORKLORE_HOSTS": "forklore.example.org"}
    environment = user_environment(**names)
    for arguments in (["migrate"], ["create_admin", "root"], ["demo"]):
        command = [*MANAGE, *arguments]
        subprocess.run(
            command,
            cwd=CHECKOUT,
            env=environment,
            input=f"{PASSWORD}\n",
            text=True,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    with Server([*MANAGE, "up", "--port=0", "--no-browser"], CHECKOUT, environment) as server:
        yield server


@pytest.mark.once
@pytest.mark.parametrize("size", SIZES)
def test_a_team_signs_in_and_its_pages_have_no_findings_of_axe(team, browser, size):
    faults = []
    with closing(browser.new_context(base_url=team.url, **SIZES[size])) as context:
        page = context.new_page()
        collect_faults(page, team.url, faults)
        page.goto("/settings/people/")
        assert accessibility.findings(page) == []
        page.get_by_label("Name").fill("root")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="People")).to_be_visible()
        for path in TEAM:
            page.goto(path)
            assert accessibility.findings(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert faults == []
