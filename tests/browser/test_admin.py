"""Django's admin works under the site's security policy; the fixture of pages fails on every breach of it."""

import re

import pytest
from playwright.sync_api import expect

from tests.builders import a_session


@pytest.fixture
def admin(site, desktop, monkeypatch):
    monkeypatch.setitem(site.environment, "DJANGO_SUPERUSER_PASSWORD", "secret")
    site.command("createsuperuser", "--noinput", "--username=ann", "--email=ann@example.org")
    desktop.goto("/admin/")
    desktop.get_by_label("Username").fill("ann")
    desktop.get_by_label("Password").fill("secret")
    desktop.get_by_role("button", name="Log in").click()
    return desktop


def test_shows_sessions_and_links_to_their_page(site, admin):
    session = a_session(site.store, "the session", project="shop")
    admin.get_by_role("link", name="Sessions", exact=True).first.click()
    expect(admin.locator("#result_list")).to_contain_text("the session")

    admin.locator("#searchbar").fill(session.id.hex[:8])
    admin.get_by_role("button", name="Search").click()
    admin.get_by_role("link", name="the session").click()
    expect(admin.get_by_role("button", name="Save")).to_have_count(0)

    admin.get_by_role("link", name="Show", exact=True).click()
    admin.wait_for_url(f"**/sessions/{session.id}/")


def test_acts_on_sessions_by_the_journal(site, admin):
    session = a_session(site.store, "the session", project="shop")
    admin.goto("/admin/forklore/session/")
    admin.locator(f'.action-select[value="{session.id}"]').check()
    admin.locator("select[name=action]").select_option("tag")
    admin.get_by_label("Tag or project").fill("flaky")
    admin.get_by_role("button", name=re.compile("^(Go|Run)$")).click()
    expect(admin.locator(".messagelist")).to_contain_text("1 session tagged “flaky”")
    assert site.store.tags(session.id) == ["flaky"]

    admin.get_by_role("link", name="The journal").click()
    admin.get_by_role("button", name="Take back: 1 session tagged “flaky”").click()
    expect(admin.locator("#toasts")).to_contain_text("Took back")
    assert site.store.tags(session.id) == []
