"""The lists of sessions and projects in a browser."""

import re

import pytest
from playwright.sync_api import expect

from sessions_app.models import Session
from tests.browser import accessibility
from tests.builders import a_session


@pytest.fixture
def sessions(site):
    """Four sessions and a fork with its chips; the last one is the newest."""
    made = [a_session(site.store, f"session {index}", "answer", project="/code/shop") for index in range(4)]
    fork = site.store.fork_at(made[0].id, 1)
    site.store.rename(fork.id, "the fork")
    return [*made, fork]


def titles(page):
    return page.locator("tr[data-session]:visible .title")


def focused(page):
    return page.evaluate("document.activeElement.innerText")


def row_height(page):
    return page.locator("tr[data-session]").first.bounding_box()["height"]


class TheLook:
    def test_is_chosen_at_once_and_remembered(self, desktop, sessions):
        desktop.goto("/")
        comfortable = row_height(desktop)
        desktop.locator(".look summary").click()

        with desktop.expect_response("**/look/"):
            desktop.get_by_label("Compact").check()
        with desktop.expect_response("**/look/"):
            desktop.get_by_label("Turns").uncheck()

        expect(desktop.locator("th.turns")).to_be_hidden()
        expect(desktop.locator("#announcer")).to_have_text("Compact rows, without turns")
        assert row_height(desktop) < comfortable
        desktop.goto("/projects//code/shop/")
        expect(desktop.locator("tr[data-session] td.turns").first).to_be_hidden()
        expect(desktop.locator("th.size")).to_be_visible()
        assert row_height(desktop) < comfortable

    def test_is_chosen_without_javascript(self, plain_page, sessions):
        plain_page.goto("/?sort=title")
        plain_page.locator(".look summary").click()
        plain_page.get_by_label("Compact").check()
        plain_page.get_by_label("Agent").uncheck()

        plain_page.get_by_role("button", name="Use").click()

        expect(plain_page).to_have_url(re.compile(r"/\?sort=title$"))
        expect(plain_page.locator("th.by")).to_be_hidden()
        expect(plain_page.locator("th.turns")).to_be_visible()

    def test_is_chosen_by_keyboard_on_a_page_without_faults(self, any_page, sessions):
        any_page.goto("/")
        summary = any_page.locator(".look summary")
        summary.focus()
        any_page.keyboard.press("Enter")
        any_page.keyboard.press("Tab")
        any_page.keyboard.press("ArrowDown")
        expect(any_page.get_by_label("Compact")).to_be_checked()
        assert accessibility.findings(any_page) == []

        any_page.keyboard.press("Escape")

        expect(any_page.get_by_label("Compact")).to_be_hidden()
        expect(summary).to_be_focused()


class TheList:
    def test_is_sorted_by_a_click_on_a_column(self, desktop, sessions):
        desktop.goto("/")
        desktop.get_by_role("link", name="Title").click()
        expect(desktop.locator("th[aria-sort=ascending]")).to_have_text("Title")
        expect(titles(desktop).first).to_have_text("session 0")

    def test_grows_by_a_page_and_goes_on_reading_there(self, page, site):
        for index in range(60):
            a_session(site.store, f"session {index}")
        page.goto("/")

        page.get_by_role("link", name="Show 50 more").click()

        expect(page.locator("tr[data-session]")).to_have_count(60)
        expect(page.locator("tr[data-session]").nth(50).locator(".title")).to_be_focused()
        expect(page.locator("#announcer")).to_have_text("10 more sessions")

    def test_grows_by_a_page_without_javascript(self, plain_page, site):
        for index in range(60):
            a_session(site.store, f"session {index}")
        plain_page.goto("/")
        plain_page.get_by_role("link", name="Show 50 more").click()
        expect(titles(plain_page)).to_have_count(10)

    def test_reveals_what_it_hides(self, page, site, sessions):
        site.run(lambda: Session.objects.filter(title="the fork").update(relation="subagent"))
        page.goto("/")
        expect(titles(page)).to_have_count(4)
        expect(titles(page).filter(has_text="the fork")).to_have_count(0)

        page.get_by_role("link", name="1 sub-agent").click()

        expect(titles(page).filter(has_text="the fork")).to_have_count(1)

    def test_leads_from_a_parent_to_its_forks_and_back_to_all(self, page, sessions):
        page.goto("/")
        page.get_by_role("link", name="1 fork").click()
        expect(titles(page)).to_have_text(["the fork"])
        page.get_by_role("link", name="Show all sessions").click()
        expect(titles(page)).to_have_count(5)

    def test_opens_a_session_by_a_click_on_its_title(self, page, sessions):
        page.goto("/")
        page.get_by_role("link", name="session 2", exact=True).click()
        page.wait_for_url(f"**/sessions/{sessions[2].id}/")

    def test_shows_times_in_the_viewers_zone(self, site, browser, sessions):
        with browser.new_context(**site.let_in, timezone_id="Asia/Tokyo") as context:
            page = context.new_page()
            page.goto("/")
            shown = page.locator("tr[data-session] time").first
            expect(shown).to_have_text("now")
            there = page.evaluate("time => new Date(time).getHours()", shown.get_attribute("datetime"))
            assert f", {there:02}:" in shown.get_attribute("title")


class Keys:
    def test_move_through_the_rows_and_open_one(self, desktop, sessions):
        desktop.goto("/")

        desktop.keyboard.press("j")
        assert focused(desktop) == "the fork"
        desktop.keyboard.press("j")
        desktop.keyboard.press("ArrowDown")
        desktop.keyboard.press("k")
        assert focused(desktop) == "session 3"

        desktop.keyboard.press("Enter")
        desktop.wait_for_url(f"**/sessions/{sessions[3].id}/")

    def test_find_the_search_box(self, desktop, sessions):
        desktop.goto("/")
        desktop.keyboard.press("/")
        expect(desktop.locator("#find")).to_be_focused()

    def test_do_nothing_while_somebody_types(self, desktop, sessions):
        desktop.goto("/")
        desktop.locator("#find").press_sequentially("j?/")
        expect(desktop.locator("#find")).to_have_value("j?/")
        expect(desktop.locator("dialog[open]")).to_have_count(0)

    def test_are_listed_by_a_question_mark(self, desktop, sessions):
        desktop.goto("/")
        desktop.keyboard.press("?")

        keys = desktop.get_by_role("dialog", name="Keys")
        for words in ("Search", "Rename", "Next row", "Move to the trash"):
            expect(keys).to_contain_text(words)
        assert accessibility.findings(desktop) == []
        desktop.keyboard.press("Escape")
        expect(keys).to_be_hidden()

    def test_can_be_switched_off(self, desktop, sessions):
        desktop.goto("/")
        desktop.get_by_role("button", name="Keys").click()
        desktop.get_by_label("Single keys act").uncheck()
        desktop.get_by_role("button", name="Close").click()

        desktop.reload()
        desktop.keyboard.press("/")
        expect(desktop.locator("#find")).not_to_be_focused()
        desktop.keyboard.press("?")
        expect(desktop.locator("dialog[open]")).to_have_count(0)


class TheTheme:
    def ground(self, page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_follows_the_system_until_it_is_chosen(self, open_page, sessions, scheme):
        page = open_page("desktop", scheme)
        page.goto("/")
        system = self.ground(page)
        toggle = page.get_by_role("button", name=re.compile("^Theme"))

        toggle.click()
        light = self.ground(page)
        toggle.click()
        dark = self.ground(page)
        page.reload()

        assert self.ground(page) == dark != light
        assert system == {"light": light, "dark": dark}[scheme]
        expect(toggle).to_have_accessible_name("Theme: dark")
        toggle.click()
        assert self.ground(page) == system

    def test_is_there_before_the_first_paint(self, desktop, sessions):
        desktop.goto("/")
        desktop.evaluate("localStorage.setItem('theme', 'dark')")
        desktop.route("**/js/site.js", lambda route: route.abort())
        desktop.goto("/")
        assert desktop.evaluate("document.documentElement.dataset.theme") == "dark"


class Projects:
    def test_are_filtered_while_typing_and_the_address_says_so(self, page, site):
        for name in ("/code/shop", "/code/blog", "notes"):
            a_session(site.store, "x", project=name)
        page.goto("/projects/")

        page.get_by_label("Filter projects by name").fill("BLO")

        expect(page.locator("tbody tr")).to_have_count(1)
        expect(page.locator(".totals")).to_have_text("1 of 3 projects")
        assert "q=BLO" in page.url
        page.reload()
        expect(page.locator("tbody tr")).to_have_count(1)

    @pytest.mark.parametrize("name", ["a b#c?d%20/e", "..", "/x/../y", "größe/日本", "C:\\w"])
    def test_open_whatever_their_name(self, desktop, site, name):
        a_session(site.store, "mine", project=name)
        a_session(site.store, "not mine", project="another")
        desktop.goto("/projects/")

        desktop.locator(f"a.title[title={name!r}]" if "\\" not in name else 'a.title[title="C:\\\\w"]').click()

        expect(desktop.locator("tr[data-session] .title")).to_have_text(["mine"])
        desktop.reload()
        expect(desktop.locator("tr[data-session] .title")).to_have_text(["mine"])


class EveryList:
    @pytest.mark.parametrize(
        "path",
        ["/", "/?sort=-size&subagents=1", "/projects/", "/projects//code/shop/", "/trash/", "/search/?q=session"],
    )
    def test_is_accessible_and_fits_its_window(self, any_page, site, sessions, path):
        site.store.delete(sessions[1].id)
        any_page.goto(path)

        assert accessibility.findings(any_page) == []
        assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    @pytest.mark.parametrize("path", ["/", "/projects/", "/trash/", "/search/", "/import/", "/no/such/page/"])
    def test_is_accessible_while_it_is_empty(self, any_page, site, path):
        any_page.goto(path)
        assert accessibility.findings(any_page) == []

    def test_starts_with_a_link_to_its_content(self, desktop, sessions):
        desktop.goto("/")
        desktop.keyboard.press("Tab")
        expect(desktop.get_by_role("link", name="Skip to content")).to_be_focused()
        desktop.keyboard.press("Enter")
        expect(desktop.locator("main")).to_be_focused()
