"""The page of clean-up in a browser: the story of an admin with hundreds of old sessions."""

import os
from datetime import UTC, datetime

from playwright.sync_api import expect

from sessions_app import cleanup
from sessions_app.models import Session
from tests.browser import accessibility
from tests.builders import a_session


def old_sessions(site, count):
    for number in range(count):
        a_session(site.store, f"old {number}")
    site.run(lambda: Session.objects.update(updated_at=datetime(2020, 1, 1, tzinfo=UTC)))
    a_session(site.store, "new")
    site.run(cleanup.save_policy, "old ones", "before:90d", "trash")


class AnAdmin:
    def test_cleans_650_old_sessions_in_five_clicks_and_brings_them_back_in_one(self, desktop, site):
        old_sessions(site, 650)
        desktop.goto("/")
        desktop.get_by_role("link", name="Trash", exact=True).click()
        desktop.get_by_role("navigation", name="Places").get_by_role("link", name="Clean-up", exact=True).click()
        desktop.get_by_role("button", name="Preview old ones").click()
        desktop.get_by_role("button", name="Move 650 sessions to the trash").click()
        undo = desktop.get_by_role("button", name="Take back: 650 sessions moved to the trash")
        expect(undo).to_be_visible()
        assert site.run(lambda: Session.objects.trashed().count()) == 650

        undo.click()

        expect(desktop.get_by_role("cell", name="undone")).to_be_visible()
        assert site.run(lambda: Session.objects.trashed().count()) == 0

    def test_finds_a_page_that_is_accessible(self, open_page, site):
        old_sessions(site, 3)
        site.run(lambda: cleanup.run(cleanup.policy("old ones")))
        site.run(cleanup.undo)
        for size in ("desktop", "phone"):
            page = open_page(size)
            page.goto("/cleanup/?policy=old+ones")
            expect(page.get_by_role("button", name="Move 3 sessions to the trash")).to_be_visible()
            if shots := os.environ.get("SHOTS"):
                page.screenshot(path=f"{shots}/{size}.png", full_page=True)
            assert accessibility.findings(page) == []
