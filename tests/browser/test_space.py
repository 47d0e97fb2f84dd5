"""The page of space in a browser, and the whole story of an admin by a list."""

import os
from datetime import UTC, datetime

from playwright.sync_api import expect

from sessions_app.models import Session
from tests.browser import accessibility
from tests.builders import a_session


def old_ones(site, count):
    for number in range(count):
        a_session(site.store, f"old {number}", project="/code/attic")
    site.run(lambda: Session.objects.update(updated_at=datetime(2020, 1, 1, tzinfo=UTC)))
    a_session(site.store, "new " * 200, project="/code/shop")


class AnAdmin:
    def test_cleans_650_old_sessions_by_a_list_in_five_clicks_and_brings_them_back_in_one(self, desktop, site):
        old_ones(site, 650)
        desktop.goto("/")
        desktop.get_by_role("navigation", name="Projects").get_by_role("link", name="attic").click()
        desktop.get_by_label("Select all that are shown").check()
        bar = desktop.get_by_role("form", name="Selected sessions")
        bar.get_by_text("All 650").click()
        bar.get_by_role("button", name="Trash", exact=True).click()
        expect(desktop.locator("#toasts")).to_contain_text("650 sessions moved to the trash")
        assert site.run(lambda: Session.objects.trashed().count()) == 650

        desktop.get_by_role("button", name="Undo").click()

        expect(desktop.locator("#toasts")).to_contain_text("Took back: 650 sessions")
        expect(desktop.locator("tr[data-session]")).to_have_count(50)
        assert site.run(lambda: Session.objects.trashed().count()) == 0

    def test_sees_what_takes_up_space_and_looks_into_it(self, page, site):
        old_ones(site, 5)
        site.store.fork_at(site.store.latest("/code/shop").id, 1)
        page.goto("/trash/")
        page.get_by_role("link", name="Clean-up", exact=True).last.click()
        page.get_by_role("link", name="Space").click()
        page.get_by_role("link", name="attic").click()
        expect(page.get_by_role("link", name="/code/attic: show all")).to_be_visible()
        page.get_by_role("link", name="Older than a year").click()
        expect(page.get_by_role("row", name="old 3")).to_be_visible()
        page.get_by_role("link", name="/code/attic: show all").click()
        expect(page.get_by_role("link", name="attic")).to_be_visible()

    def test_finds_a_page_that_is_accessible(self, any_page, site, request):
        old_ones(site, 5)
        site.store.fork_at(site.store.latest("/code/shop").id, 1)
        site.store.delete(site.store.latest("/code/attic").id)
        any_page.goto("/space/")
        if shots := os.environ.get("SHOTS"):
            any_page.screenshot(path=f"{shots}/space-{request.node.callspec.id}.png", full_page=True)
        assert accessibility.findings(any_page) == []
        assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")
