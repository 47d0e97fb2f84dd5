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
        desktop.get_by_role("link", name="old ones").click()
        desktop.get_by_label("Dry run first").uncheck()
        desktop.get_by_role("button", name="Move 650 sessions to the trash").click()
        undo = desktop.get_by_role("button", name="Undo the last run")
        expect(undo).to_be_visible()
        expect(desktop.get_by_role("button", name="Take back: 650 sessions moved to the trash")).to_be_visible()
        assert site.run(lambda: Session.objects.trashed().count()) == 650

        undo.click()

        expect(desktop.get_by_role("navigation", name="Policies").get_by_text("undone", exact=True)).to_be_visible()
        expect(desktop.get_by_label("Preview").get_by_text("650 sessions", exact=True)).to_be_visible()
        assert site.run(lambda: Session.objects.trashed().count()) == 0

    def test_writes_a_report_as_long_as_dry_run_is_ticked_by_mouse_or_by_keys(self, desktop, site):
        old_sessions(site, 3)
        desktop.goto("/cleanup/")
        for act in (
            lambda: desktop.get_by_role("button", name="Dry run of 3 sessions").click(),
            lambda: desktop.get_by_label("Dry run first").press("Enter"),
        ):
            with desktop.expect_download() as download:
                act()
            assert len(download.value.path().read_text().splitlines()) == 4
        assert site.run(lambda: Session.objects.trashed().count()) == 0

    def test_makes_a_policy_by_clicks_alone_and_takes_a_word_out_again(self, desktop, site):
        old_sessions(site, 3)
        desktop.goto("/cleanup/?q=")
        desktop.get_by_text("Condition", exact=True).click()
        desktop.get_by_role("link", name="3 months", exact=True).click()
        words = desktop.get_by_role("group", name="Which")
        expect(words.get_by_role("link", name="Remove before:90d")).to_be_visible()
        desktop.get_by_role("checkbox", name="sub-agents").click()
        expect(desktop.get_by_role("checkbox", name="sub-agents")).to_be_checked()
        desktop.get_by_role("link", name="Archive", exact=True).click()
        expect(desktop.get_by_role("button", name="Dry run of 3 sessions")).to_be_visible()
        desktop.get_by_label("Add a word").fill("is:pinned")
        desktop.get_by_label("Add a word").press("Enter")
        expect(desktop.get_by_text("There is nothing to do.")).to_be_visible()
        words.get_by_role("link", name="Remove is:pinned").click()
        expect(desktop.get_by_role("button", name="Dry run of 3 sessions")).to_be_visible()
        desktop.get_by_label("Name of the policy").fill("by clicks")
        desktop.get_by_role("button", name="Save policy").click()
        expect(desktop.get_by_role("heading", name="by clicks")).to_be_visible()
        made = site.run(cleanup.policy, "by clicks")
        assert (made.query, made.action, made.enabled) == ("before:90d -is:subagent", "archive", False)

    def test_does_all_of_it_without_scripts(self, open_page, site):
        old_sessions(site, 3)
        page = open_page(java_script=False)
        page.goto("/cleanup/")
        page.get_by_role("link", name="Remove before:90d").click()
        expect(page.get_by_text("Which sessions?")).to_be_visible()
        page.get_by_label("Add a word").fill("before:60d")
        page.get_by_label("Add a word").press("Enter")
        page.get_by_label("Dry run first").uncheck()
        page.get_by_role("button", name="Move 3 sessions to the trash").click()
        expect(page.get_by_text("There is nothing to do.")).to_be_visible()
        assert site.run(lambda: Session.objects.trashed().count()) == 3
        page.get_by_role("button", name="Take back: 3 sessions moved to the trash").click()
        expect(page.get_by_text("undone", exact=True)).to_be_visible()
        assert site.run(lambda: Session.objects.trashed().count()) == 0

    def test_finds_a_page_that_is_accessible(self, open_page, site):
        old_sessions(site, 12)
        site.run(lambda: cleanup.run(cleanup.policy("old ones")))
        site.run(cleanup.undo)
        for size in ("desktop", "phone"):
            page = open_page(size)
            page.goto("/cleanup/?policy=old+ones")
            expect(page.get_by_role("button", name="Dry run of 12 sessions")).to_be_visible()
            if shots := os.environ.get("SHOTS"):
                page.screenshot(path=f"{shots}/{size}.png", full_page=True)
            assert accessibility.findings(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.get_by_text("Condition", exact=True).click()
            page.get_by_text("As text", exact=True).click()
            assert accessibility.findings(page) == []
