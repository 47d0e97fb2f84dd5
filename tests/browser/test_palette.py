"""The box of Ctrl-K, and keys that are two."""

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.builders import a_session


@pytest.fixture
def session(site):
    made = a_session(site.store, "one", "two", project="/code/shop")
    site.store.rename(made.id, "the session")
    return made


def choices(page):
    return page.get_by_role("option")


class ThePalette:
    def test_leads_to_a_place_by_typing(self, page, session):
        page.goto("/")
        page.keyboard.press("Control+k")
        expect(page.get_by_role("combobox")).to_be_focused()
        page.keyboard.type("to trash")
        expect(choices(page)).to_have_text(["Go to Trashg t", "Move to the trash#", "Search for “to trash”"])
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Trash")).to_be_visible()

    def test_leads_to_a_project(self, desktop, session):
        desktop.goto("/")
        desktop.keyboard.press("Control+k")
        desktop.keyboard.type("project shop")
        desktop.keyboard.press("Enter")
        expect(desktop).to_have_title("shop · Forklore")

    def test_does_what_a_key_does_to_what_had_the_focus(self, desktop, session):
        desktop.goto("/")
        desktop.get_by_role("link", name="the session", exact=True).focus()
        desktop.keyboard.press("Control+k")
        desktop.keyboard.type("rename")
        desktop.keyboard.press("Enter")
        expect(desktop.get_by_label("Title of the session")).to_be_focused()

    def test_searches_for_what_is_nothing_else(self, desktop, session):
        desktop.goto("/")
        desktop.keyboard.press("Control+k")
        desktop.keyboard.type("zebra & co")
        expect(choices(desktop)).to_have_text(["Search for “zebra & co”"])
        desktop.keyboard.press("ArrowDown")
        desktop.keyboard.press("Enter")
        expect(desktop.locator("input[name=q]").first).to_have_value("zebra & co")

    def test_closes_by_escape_and_gives_the_focus_back(self, desktop, session):
        desktop.goto("/")
        desktop.get_by_role("link", name="the session", exact=True).focus()
        desktop.keyboard.press("Control+k")
        desktop.keyboard.press("Escape")
        expect(desktop.get_by_role("combobox")).to_have_count(0)
        expect(desktop.get_by_role("link", name="the session", exact=True)).to_be_focused()

    def test_shows_what_was_typed_as_text(self, desktop, session):
        desktop.goto("/")
        desktop.keyboard.press("Control+k")
        desktop.keyboard.type("<img src=x>")
        expect(choices(desktop)).to_have_text(["Search for “<img src=x>”"])
        expect(desktop.locator(".palette img")).to_have_count(0)

    def test_can_be_used_by_everyone(self, page, session):
        page.goto("/")
        page.keyboard.press("Control+k")
        assert accessibility.findings(page) == []


class TwoKeys:
    def test_lead_to_a_place(self, desktop, session):
        desktop.goto("/")
        desktop.keyboard.press("g")
        desktop.keyboard.press("p")
        expect(desktop.get_by_role("heading", name="Projects", level=1)).to_be_visible()

    def test_are_none_in_a_field_nor_when_keys_are_off(self, desktop, session):
        desktop.goto("/")
        desktop.keyboard.press("/")
        desktop.keyboard.type("gt")
        expect(desktop.locator("#find")).to_have_value("gt")
        desktop.evaluate("localStorage.setItem('keys', 'off'); document.activeElement.blur()")
        desktop.keyboard.type("gt")
        desktop.wait_for_timeout(200)
        expect(desktop.locator("tr[data-session]")).to_have_count(1)


class Labels:
    def test_are_set_and_taken_off_without_leaving(self, desktop, session):
        desktop.goto(f"/sessions/{session.id}/")
        desktop.get_by_role("button", name="Pinned").click()
        expect(desktop.get_by_role("button", name="Pinned")).to_have_attribute("aria-pressed", "true")
        desktop.locator(".add-tag summary").click()
        desktop.locator("#new-tag").fill("two words")
        desktop.keyboard.press("Enter")
        expect(desktop.get_by_role("alert")).to_contain_text("blank")
        desktop.locator("#new-tag").fill("keep")
        desktop.keyboard.press("Enter")
        expect(desktop.locator("#labels").get_by_role("link", name="keep")).to_be_visible()
        assert accessibility.findings(desktop) == []
        desktop.get_by_role("button", name="Take off the tag keep").click()
        expect(desktop.locator("#labels").get_by_role("link", name="keep")).to_have_count(0)
