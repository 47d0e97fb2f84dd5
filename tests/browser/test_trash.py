"""Deleting with Undo, restoring and removing for good."""

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.builders import a_session


@pytest.fixture
def sessions(site):
    return [a_session(site.store, f"session {index}", "answer") for index in range(3)]


def row_of(page, session):
    return page.locator(f"#session-{session.id}")


def move_to_trash(page, title):
    page.get_by_role("button", name=f"Move {title} to the trash").click()


class Deleting:
    def test_takes_the_row_away_and_undo_puts_it_back(self, page, site, sessions):
        page.goto("/")
        move_to_trash(page, "session 1")
        expect(row_of(page, sessions[1])).to_be_hidden()
        expect(page.locator("#toasts")).to_contain_text("Moved “session 1” to the trash")
        assert site.store.get(sessions[1].id) is None

        page.get_by_role("button", name="Undo").click()

        expect(page.locator("tr[data-session] .title")).to_have_text(["session 2", "session 1", "session 0"])
        expect(row_of(page, sessions[1]).locator(".title")).to_be_focused()
        assert site.store.get(sessions[1].id)

    def test_by_key_goes_on_with_the_next_row(self, desktop, sessions):
        desktop.goto("/")
        desktop.keyboard.press("j")
        desktop.keyboard.press("#")
        expect(row_of(desktop, sessions[1]).locator(".title")).to_be_focused()
        desktop.keyboard.press("#")
        expect(row_of(desktop, sessions[0]).locator(".title")).to_be_focused()
        expect(row_of(desktop, sessions[1])).to_be_hidden()

    @pytest.mark.parametrize(("answer", "words"), [("Only this", "1 session"), ("With all 3 forks", "4 sessions")])
    def test_asks_once_what_becomes_of_forks(self, page, site, sessions, answer, words):
        for _ in range(3):
            site.store.fork_at(sessions[0].id, 1)
        page.goto("/?sort=title")
        page.locator(f"#session-{sessions[0].id} [data-trash] button").click()
        page.get_by_role("dialog").get_by_role("button", name=answer).click()
        expect(page.locator("#toasts")).to_contain_text(f"{words} moved to the trash")
        expect(page.locator(f"#session-{sessions[0].id}")).to_have_count(0)

    def test_asks_on_the_page_of_a_session_too(self, page, site, sessions):
        site.store.fork_at(sessions[0].id, 1)
        page.goto(f"/sessions/{sessions[0].id}/")
        page.get_by_role("button", name="Move to the trash").click()
        page.get_by_role("button", name="With the fork").click()
        expect(page.locator("#toasts")).to_contain_text("2 sessions moved to the trash")
        expect(page.get_by_role("heading", name="demo")).to_be_visible()

    def test_toast_leaves_after_ten_seconds_but_waits_while_it_is_read(self, desktop, sessions):
        desktop.clock.install()
        desktop.goto("/")
        desktop.clock.pause_at(desktop.evaluate("Date.now()") + 1000)
        move_to_trash(desktop, "session 1")
        toast = desktop.locator("undo-toast")
        toast.wait_for()

        toast.get_by_role("button", name="Undo").focus()
        desktop.clock.run_for(60_000)
        expect(toast).to_be_visible()

        desktop.locator(".brand").focus()
        desktop.clock.run_for(11_000)
        expect(toast).to_have_count(0)

    def test_toast_is_accessible(self, any_page, sessions):
        any_page.goto("/")
        move_to_trash(any_page, "session 1")
        any_page.locator("undo-toast").wait_for()
        assert accessibility.findings(any_page) == []
        assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def test_works_without_javascript(self, plain_page, site, sessions):
        plain_page.goto("/")
        move_to_trash(plain_page, "session 1")
        expect(plain_page.locator("tr[data-session] .title")).to_have_text(["session 2", "session 0"])

        plain_page.get_by_role("button", name="Undo").click()

        plain_page.wait_for_url(f"**/sessions/{sessions[1].id}/")
        assert site.store.get(sessions[1].id)

    def test_of_an_open_session_leads_to_its_project(self, page, site, sessions):
        page.goto(f"/sessions/{sessions[1].id}/")
        page.get_by_role("button", name="Move to the trash").click()
        page.wait_for_url("**/projects/demo/")
        page.get_by_role("button", name="Undo").click()
        expect(page.locator("#toasts")).to_contain_text("Restored “session 1”")
        assert site.store.get(sessions[1].id)


class TheTrash:
    @pytest.fixture
    def trashed(self, site, sessions):
        for session in sessions:
            site.store.delete(session.id)
        return sessions

    def test_restores(self, page, site, trashed):
        page.goto("/trash/")
        page.get_by_role("button", name="Restore session 1").click()

        expect(page.locator("tr[data-session]")).to_have_count(2)
        expect(page.locator("#toasts")).to_contain_text("Restored “session 1”")
        assert site.store.get(trashed[1].id)

    def test_asks_once_before_it_removes_for_good(self, any_page, site, trashed):
        any_page.goto("/trash/")
        any_page.get_by_role("link", name="Remove session 1 for good").click()
        question = any_page.get_by_role("dialog")
        expect(question).to_contain_text("Remove “session 1” for good?")
        expect(question).to_contain_text(trashed[1].id.hex[:8])
        expect(question).to_contain_text("This cannot be undone.")
        assert accessibility.findings(any_page) == []

        question.get_by_role("button", name="Remove for good").click()

        expect(any_page.locator("tr[data-session]")).to_have_count(2)
        expect(question).to_be_hidden()
        with pytest.raises(Exception, match="no session"):
            site.store.restore(trashed[1].id)

    @pytest.mark.parametrize("way", ["keep", "escape"])
    def test_keeps_what_nobody_confirmed(self, desktop, site, trashed, way):
        desktop.goto("/trash/")
        desktop.get_by_role("link", name="Remove session 1 for good").click()
        question = desktop.get_by_role("dialog")
        question.wait_for()
        if way == "keep":
            question.get_by_role("link", name="Keep in the trash").click()
        else:
            desktop.keyboard.press("Escape")
        expect(question).to_be_hidden()
        site.store.restore(trashed[1].id)

    def test_works_without_javascript(self, plain_page, site, trashed):
        plain_page.goto("/trash/")
        plain_page.get_by_role("link", name="Remove session 1 for good").click()
        plain_page.get_by_role("button", name="Remove for good").click()
        expect(plain_page.locator("tr[data-session]")).to_have_count(2)
        plain_page.get_by_role("button", name="Restore session 2").click()
        plain_page.wait_for_url(f"**/sessions/{trashed[2].id}/")
