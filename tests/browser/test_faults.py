"""What a person sees of a database that can only be read: a banner on every page, and a sentence where something is refused."""

import os
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.browser.conftest import SIZES, collect_faults
from tests.browser.site import CHECKOUT, MANAGE
from tests.builders import user_environment
from tests.servers import Server

LET_IN = """
from django.conf import settings
from sessions_app.access import browsers
print(settings.FORKLORE_COOKIE, browsers.let_in())
"""
ROOT_PAGE = """
import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT rootpage FROM sqlite_master WHERE name = 'forklore_journalitem'").fetchone()[0])
"""


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A server whose database lost a page, and the cookie of a browser that was let in before."""
    directory = tmp_path_factory.mktemp("damaged")
    file = directory / "forklore.sqlite3"
    environment = user_environment(FORKLORE_DATA=str(directory), DATABASE_URL=f"sqlite:///{file}")

    def run(*command):
        return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True).stdout

    for command in ("migrate", "demo"):
        run(*MANAGE, command)
    name, value = run(*MANAGE, "shell", "-v0", "-c", LET_IN).split()
    page = int(run(MANAGE[0], "-c", ROOT_PAGE, str(file)))
    with file.open("r+b") as whole:
        whole.seek((page - 1) * 4096)
        whole.write(b"\xaa" * 4096)
    with Server([*MANAGE, "up", "--port=0", "--no-browser"], CHECKOUT, environment) as server:
        cookie = {"name": name, "value": value, "url": server.url, "httpOnly": True, "sameSite": "Strict"}
        yield server.url, {"base_url": server.url, "storage_state": {"cookies": [cookie], "origins": []}}


@pytest.mark.parametrize("size", SIZES)
def test_every_page_says_that_the_database_is_damaged(browser, damaged, size):
    url, let_in = damaged
    context = browser.new_context(**let_in, **SIZES[size])
    faults = []
    try:
        page = context.new_page()
        collect_faults(page, url, faults)
        page.goto("/")
        expect(page.get_by_role("alert")).to_contain_text("is damaged")
        expect(page.get_by_role("alert")).to_contain_text("check_store")
        expect(page.locator("tr[data-session] .title").first).to_be_visible()
        assert accessibility.findings(page) == []
        if place := os.environ.get("FORKLORE_PICTURES"):
            page.screenshot(path=Path(place) / f"damaged-{size}.png")
        page.locator("tr[data-session] .title").first.click()
        expect(page.get_by_role("alert")).to_contain_text("is damaged")
        expect(page.locator("article, .message").first).to_be_visible()
        if place:
            page.screenshot(path=Path(place) / f"damaged-session-{size}.png")
    finally:
        context.close()
    assert faults == []
