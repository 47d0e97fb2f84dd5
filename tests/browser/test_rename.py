"""Renaming in place."""

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.builders import a_session


@pytest.fixture
def session(site):
    a_session(site.store, "another")
    return a_session(site.store, "the old title", "answer")


def row_of(page, session):
    return page.locator(f"#session-{session.id}")


def field(page):
    return page.get_by_label("Title of the session")


class InAList:
    @pytest.mark.parametrize("way", ["double click", "r", "F2", "pencil"])
    def test_starts(self, desktop, session, way):
        desktop.goto("/")
        title = row_of(desktop, session).locator(".title")
        if way == "double click":
            title.dblclick()
        elif way == "pencil":
            row_of(desktop, session).hover()
            desktop.get_by_role("link", name="Rename the old title").click()
        else:
            title.focus()
            desktop.keyboard.press(way)

        expect(field(desktop)).to_be_focused()
        expect(field(desktop)).to_have_value("the old title")
        assert desktop.evaluate("getSelection().toString()") == "the old title"

    def test_is_saved_by_enter_and_gives_the_focus_back(self, page, site, session):
        page.goto("/")
        page.get_by_role("link", name="Rename the old title").click()
        field(page).fill("A <b>new</b> title")
        field(page).press("Enter")

        title = row_of(page, session).locator(".title")
        expect(title).to_have_text("A <b>new</b> title")
        expect(title).to_be_focused()
        assert site.store.get(session.id).title == "A <b>new</b> title"

    def test_is_given_up_by_escape(self, page, site, session):
        page.goto("/")
        page.get_by_role("link", name="Rename the old title").click()
        field(page).fill("never")
        field(page).press("Escape")

        title = row_of(page, session).locator(".title")
        expect(title).to_have_text("the old title")
        expect(title).to_be_focused()
        assert site.store.get(session.id).title == "the old title"

    def test_says_beside_the_field_what_is_wrong(self, any_page, session):
        any_page.goto("/")
        any_page.get_by_role("link", name="Rename the old title").click()
        field(any_page).fill("   ")
        field(any_page).press("Enter")

        expect(any_page.get_by_role("alert")).to_be_visible()
        expect(field(any_page)).to_have_value("   ")
        expect(field(any_page)).to_be_focused()
        assert accessibility.findings(any_page) == []

    def test_says_that_the_session_is_gone(self, desktop, site, session):
        desktop.goto("/")
        desktop.evaluate("localStorage.setItem('live', 'off')")  # a page that follows would have taken the row away
        desktop.reload()
        site.store.delete(session.id)
        row_of(desktop, session).locator(".title").focus()
        desktop.keyboard.press("r")
        expect(desktop.locator("#toasts")).to_contain_text(f"Session {session.id} is in the trash.")
        expect(row_of(desktop, session).locator(".title")).to_have_text("the old title")


class InTheHeadOfASession:
    def test_keeps_the_page_and_the_focus(self, page, site, session):
        page.goto(f"/sessions/{session.id}/")
        page.get_by_role("heading", level=1).get_by_role("link", name="Rename").click()
        field(page).fill("new")
        field(page).press("Enter")

        expect(page.get_by_role("heading", level=1)).to_contain_text("new")
        expect(page.locator(f"#title-{session.id} .clip")).to_be_focused()
        assert site.store.get(session.id).title == "new"

    @pytest.mark.parametrize("way", ["double click", "r"])
    def test_starts(self, desktop, session, way):
        desktop.goto(f"/sessions/{session.id}/")
        if way == "r":
            desktop.keyboard.press("r")
        else:
            desktop.locator(f"#title-{session.id} .clip").dblclick()
        expect(field(desktop)).to_be_focused()


def test_works_without_javascript(plain_page, site, session):
    plain_page.goto("/")
    plain_page.get_by_role("link", name="Rename the old title").click()
    field(plain_page).fill(" ")
    field(plain_page).press("Enter")
    expect(plain_page.get_by_role("alert")).to_be_visible()
    field(plain_page).fill("new")
    field(plain_page).press("Enter")

    plain_page.wait_for_url(f"**/sessions/{session.id}/")
    assert site.store.get(session.id).title == "new"
