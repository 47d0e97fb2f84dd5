"""Search in a browser: as you type, by keys, and without JavaScript."""

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.builders import a_session


@pytest.fixture
def sessions(site):
    return [
        a_session(site.store, "first", "a needle in a haystack"),
        a_session(site.store, "second", "the Needle's eye", "and <mark>needle</mark>"),
        a_session(site.store, "third", "nothing here"),
    ]


def box(page):
    return page.get_by_label("Search sessions, messages and code")


def found(page):
    return page.locator(".group .title")


class Searching:
    def test_starts_in_the_bar_of_every_page(self, page, sessions):
        page.goto("/projects/")
        page.get_by_label("Search sessions").fill("needle")
        page.get_by_label("Search sessions").press("Enter")

        page.wait_for_url("**/search/?q=needle")
        expect(found(page)).to_have_text(["second", "first"])
        expect(page.locator(".hit mark")).to_have_text(["Needle", "needle"])

    def test_goes_on_while_you_type_and_the_address_follows(self, page, sessions):
        page.goto("/search/")
        box(page).press_sequentially("needle")
        expect(found(page)).to_have_count(2)
        page.wait_for_url("**/search/?q=needle")
        expect(box(page)).to_be_focused()

        box(page).press_sequentially(" in")
        expect(found(page)).to_have_text(["first"])
        expect(page).to_have_title("needle in · Search · Forklore")
        page.reload()
        expect(found(page)).to_have_text(["first"])
        expect(box(page)).to_have_value("needle in")

    def test_jumps_to_the_message(self, page, sessions):
        page.goto("/search/?q=haystack")
        page.locator(".hit [data-jump]").click()
        page.wait_for_url(f"**/sessions/{sessions[0].id}/m/1/?q=haystack")
        page.go_back()
        expect(found(page)).to_have_text(["first"])

    def test_is_moved_through_by_keys(self, desktop, sessions):
        desktop.goto("/search/?q=needle")
        desktop.keyboard.press("j")
        desktop.keyboard.press("j")
        desktop.keyboard.press("Enter")
        desktop.wait_for_url(f"**/sessions/{sessions[0].id}/m/1/?q=needle")

    def test_finds_its_box_by_a_slash(self, desktop, sessions):
        desktop.goto("/search/?q=needle")
        desktop.keyboard.press("/")
        expect(box(desktop)).to_be_focused()

    def test_says_that_nothing_was_found(self, page, sessions):
        page.goto("/search/")
        box(page).fill("zebra")
        expect(page.locator("#results")).to_contain_text("Nothing contains “zebra”.")

    def test_shows_a_message_shared_by_forks_once(self, page, site, sessions):
        fork = site.store.fork_at(sessions[0].id, 2)
        site.store.rename(fork.id, "its fork")
        page.goto("/search/?q=haystack")
        expect(page.locator(".group")).to_have_count(1)
        page.get_by_text("also in 1 fork").click()
        expect(page.locator(".also li")).to_be_visible()

    def test_works_without_javascript(self, plain_page, sessions):
        plain_page.goto("/search/")
        box(plain_page).fill("needle")
        box(plain_page).press("Enter")
        expect(found(plain_page)).to_have_text(["second", "first"])

    def test_is_accessible(self, any_page, site, sessions):
        site.store.fork_at(sessions[0].id, 2)
        any_page.goto("/search/?q=needle")
        assert accessibility.findings(any_page) == []
        assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")
