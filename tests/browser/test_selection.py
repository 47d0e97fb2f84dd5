"""Many sessions at once in a browser: ticks, ranges, keys, all that match, and what takes it back."""

import os
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from sessions_app.models import Session
from tests.browser import accessibility
from tests.builders import a_session


@pytest.fixture
def sessions(site):
    """Six; the last one is the newest."""
    return [a_session(site.store, f"session {number}", "answer", project="/code/shop").id for number in range(6)]


def ticks(page):
    return page.locator('[form="selection"]')


def ticked(page):
    return page.locator('tr:has([form="selection"]:checked) .title')


def bar(page):
    return page.get_by_role("form", name="Selected sessions")


def live(site):
    return site.run(lambda: Session.objects.live().count())


class Ticks:
    def test_show_a_bar_that_says_how_many(self, page, sessions):
        page.goto("/")
        expect(bar(page)).to_be_hidden()
        page.get_by_label("Select session 5").check()
        page.get_by_label("Select session 3").check()
        expect(bar(page)).to_contain_text("2 selected")
        bar(page).get_by_role("button", name="Clear the selection").click()
        expect(bar(page)).to_be_hidden()

    def test_make_a_range_with_the_shift_key(self, desktop, sessions):
        desktop.goto("/")
        ticks(desktop).nth(1).click()
        ticks(desktop).nth(4).click(modifiers=["Shift"])
        expect(ticked(desktop)).to_have_text(["session 4", "session 3", "session 2", "session 1"])
        ticks(desktop).nth(3).click(modifiers=["Shift"])
        expect(ticked(desktop)).to_have_text(["session 4", "session 3"])

    def test_are_set_by_the_head(self, desktop, sessions):
        desktop.goto("/")
        desktop.get_by_label("Select all that are shown").check()
        expect(bar(desktop)).to_contain_text("6 selected")
        ticks(desktop).first.uncheck()
        expect(bar(desktop)).to_contain_text("5 selected")
        assert desktop.get_by_label("Select all that are shown").evaluate("box => box.indeterminate")

    def test_stay_while_the_list_follows(self, desktop, site, sessions):
        desktop.goto("/")
        desktop.get_by_label("Select session 2").check()
        a_session(site.store, "one more")
        expect(desktop.locator("tr[data-session]")).to_have_count(7)
        expect(ticked(desktop)).to_have_text(["session 2"])


class Keys:
    def test_select_rows_and_do_something_to_them(self, desktop, site, sessions):
        desktop.goto("/")
        for key in ("j", "x", "j", "j", "X"):
            desktop.keyboard.press(key)
        expect(ticked(desktop)).to_have_text(["session 5", "session 4", "session 3"])
        desktop.keyboard.press("x")
        expect(bar(desktop)).to_contain_text("2 selected")
        desktop.keyboard.press("#")
        expect(desktop.locator("#toasts")).to_contain_text("2 sessions moved to the trash")
        expect(desktop.locator("tr[data-session]")).to_have_count(4)
        expect(desktop.get_by_role("link", name="session 3", exact=True)).to_be_focused()
        desktop.keyboard.press("z")
        expect(desktop.locator("#toasts")).to_contain_text("Took back: 2 sessions moved to the trash")
        expect(desktop.locator("tr[data-session]")).to_have_count(6)
        assert live(site) == 6

    def test_clear_the_selection(self, desktop, sessions):
        desktop.goto("/")
        desktop.get_by_label("Select session 2").check()
        desktop.keyboard.press("Escape")
        expect(bar(desktop)).to_be_hidden()

    def test_take_back_the_last_deed_wherever_one_is(self, desktop, site, sessions):
        desktop.goto("/")
        desktop.get_by_label("Select session 2").check()
        bar(desktop).get_by_role("button", name="Trash", exact=True).click()
        expect(desktop.locator("#toasts")).to_contain_text("1 session moved to the trash")
        desktop.goto("/settings/")
        desktop.keyboard.press("z")
        expect(desktop.locator("#toasts")).to_contain_text("Took back: 1 session moved to the trash")
        assert "/settings/" in desktop.url
        assert live(site) == 6


class AllOfAList:
    def test_is_selected_beyond_the_page_and_brought_back_in_one(self, page, site):
        for number in range(70):
            a_session(site.store, f"old {number}")
        page.goto("/")
        page.get_by_label("Select old 69").check()
        bar(page).get_by_text("All 70").click()
        expect(bar(page)).to_contain_text("70 selected")
        bar(page).get_by_role("button", name="Trash", exact=True).click()
        expect(page.locator("#toasts")).to_contain_text("70 sessions moved to the trash")
        expect(page.locator("tr[data-session]")).to_have_count(0)
        assert live(site) == 0
        page.get_by_role("button", name="Undo").click()
        expect(page.locator("#toasts")).to_contain_text("Took back")
        expect(page.locator("tr[data-session]")).to_have_count(50)
        assert live(site) == 70

    def test_of_the_trash_is_removed_when_its_number_was_typed(self, page, site, sessions):
        site.run(lambda: Session.objects.update(trashed_at=datetime.now(UTC)))
        page.goto("/trash/")
        page.get_by_label("Select session 5").check()
        bar(page).get_by_text("All 6").click()
        bar(page).get_by_role("button", name="Remove").click()
        dialog = page.get_by_role("dialog", name="Remove 6 sessions for good?")
        dialog.get_by_label("Type the number").fill("5")
        dialog.get_by_role("button", name="Remove for good").click()
        expect(dialog.get_by_role("alert")).to_have_text("That is another number.")
        dialog.get_by_label("Type the number").fill("6")
        dialog.get_by_role("button", name="Remove for good").click()
        expect(page.locator("#toasts")).to_contain_text("6 sessions removed for good")
        assert site.run(Session.objects.count) == 0


class Questions:
    def test_are_asked_in_a_dialog(self, page, site, sessions):
        page.goto("/")
        page.get_by_label("Select session 5").check()
        bar(page).get_by_role("button", name="Tag", exact=True).click()
        dialog = page.get_by_role("dialog", name="Tag 1 session")
        expect(dialog.get_by_label("Tag, one word")).to_be_focused()
        dialog.get_by_label("Tag, one word").fill("flaky")
        page.keyboard.press("Enter")
        expect(page.locator("#toasts")).to_contain_text("1 session tagged “flaky”")
        assert site.store.tags(sessions[5]) == ["flaky"]

    def test_are_about_forks_only_where_there_are(self, page, site, sessions):
        site.store.fork_at(sessions[5], 1)
        page.goto("/")
        page.get_by_label("Select session 5").nth(1).check()
        bar(page).get_by_role("button", name="Trash", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name="With the fork").click()
        expect(page.locator("#toasts")).to_contain_text("2 sessions moved to the trash")
        assert live(site) == 5

    def test_and_the_bar_work_without_javascript(self, plain_page, site, sessions):
        plain_page.goto("/")
        plain_page.get_by_label("Select session 5").check()
        plain_page.get_by_label("Select session 4").check()
        bar(plain_page).get_by_role("button", name="Tag", exact=True).click()
        plain_page.get_by_label("Tag, one word").fill("flaky")
        plain_page.get_by_role("main").get_by_role("button", name="Tag").click()
        expect(plain_page.locator("#toasts")).to_contain_text("2 sessions tagged “flaky”")
        plain_page.get_by_role("button", name="Undo").click()
        expect(plain_page.locator("#toasts")).to_contain_text("Took back: 2 sessions tagged “flaky”")
        assert site.store.tags(sessions[5]) == []


class EveryPageOfIt:
    def test_is_accessible_and_fits_its_window(self, any_page, site, sessions, request):
        site.store.fork_at(sessions[5], 1)
        site.store.delete(sessions[0])
        for name, path in {"list": "/", "trash": "/trash/"}.items():
            any_page.goto(path)
            ticks(any_page).first.check()
            expect(bar(any_page)).to_be_visible()
            picture(any_page, request, name)
            assert accessibility.findings(any_page) == []
            assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        any_page.goto("/")
        ticks(any_page).nth(1).check()
        bar(any_page).get_by_role("button", name="Trash", exact=True).click()
        expect(any_page.get_by_role("dialog")).to_be_visible()
        picture(any_page, request, "forks")
        assert accessibility.findings(any_page) == []
        any_page.get_by_role("dialog").get_by_role("button", name="Only this").click()
        expect(any_page.locator("#toasts")).to_contain_text("moved to the trash")
        any_page.goto("/journal/")
        picture(any_page, request, "journal")
        assert accessibility.findings(any_page) == []


def picture(page, request, name):
    if shots := os.environ.get("SHOTS"):
        page.screenshot(path=f"{shots}/{name}-{request.node.callspec.id}.png")
