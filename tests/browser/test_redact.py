"""Secrets in a browser: the badge, the page that takes them out, and copies without them."""

import os

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.builders import a_session

CANARY = "ghp_Zq81Lm02Nx73Kv64Jt95Hr16Gp27Fn38Dd49"


@pytest.fixture
def session(site):
    return a_session(site.store, "Why does the release fail?", f"The token {CANARY} has expired.")


class Secrets:
    def test_are_marked_and_taken_out_on_a_clean_page(self, any_page, site, session):
        any_page.goto(f"/sessions/{session.id}/")
        any_page.get_by_role("link", name="secret").click()
        expect(any_page.get_by_text("GitHub token")).to_be_visible()
        if pictures := os.environ.get("PICTURES"):
            any_page.screenshot(path=f"{pictures}/redact-{any_page.viewport_size['width']}.png")
        assert accessibility.findings(any_page) == []
        assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        any_page.get_by_label("Take it out for good").check()
        any_page.get_by_role("button", name="Take out").click()
        expect(any_page.get_by_text("The token [redacted GitHub token] has expired.")).to_be_visible()
        expect(any_page.get_by_text("Took it out of 1 message in 1 session").first).to_be_visible()
        expect(any_page.get_by_role("link", name="secret")).to_have_count(0)

    def test_are_left_out_of_copies_unless_that_is_chosen(self, desktop, session):
        desktop.context.grant_permissions(["clipboard-read", "clipboard-write"])
        desktop.goto(f"/sessions/{session.id}/m/1/")
        for choice, holds in (("Copy text", False), ("Copy JSON", False), ("Copy text with secrets", True)):
            desktop.get_by_role("button", name="Copy #1").click()
            desktop.get_by_role("menuitem", name=choice, exact=True).click()
            expect(desktop.get_by_text(f"{choice.removeprefix('Copy ')} copied").first).to_be_attached()
            assert (CANARY in desktop.evaluate("navigator.clipboard.readText()")) == holds
