"""The pages about forks besides the lineage: figures, hygiene, the parent, where to fork to, four sessions compared."""

import os
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from sessions_app import store
from tests.browser import accessibility
from tests.builders import a_message, a_session


@pytest.fixture
def forks(site, monkeypatch):
    """Written a month ago, so that nothing runs any more."""
    now = store.now
    monkeypatch.setattr(store, "now", lambda: now() - timedelta(days=30))
    root = a_session(site.store, "Mend the cart", "done", "Now the horse", "done too", project="/code/shop")
    found = [site.store.fork_at(root.id, 2) for _ in range(4)]
    for fork, place in zip(found, ("the store", "the agent loop", "a queue", "the client"), strict=True):
        usage = {"usage": {"output_tokens": 120}}
        prompt = a_message(f"Retry after a rate limit. Put it in {place}, three tries at most.")
        site.store.append(fork.id, [prompt, a_message(f"It is in {place} now.", "assistant") | usage])
        site.store.rename(fork.id, f"retry in {place}")
    same = site.store.fork_at(root.id, 4)
    site.store.rename(same.id, "cart and horse, to try something")
    twin = a_session(site.store, "Mend the cart", "done", "Now the horse", "done too", project="/code/shop")
    site.store.rename(twin.id, "the cart again, from another folder")
    return [fork.id for fork in found]


PAGES = {
    "hygiene": ("/hygiene/", "Fork hygiene"),
    "ledger": ("/sessions/{0}/ledger/", "Figures"),
    "ledger-project": ("/ledger/?project=/code/shop", "Figures"),
    "parent": ("/sessions/{0}/parent/", "Whose child is"),
    "fork": ("/sessions/{0}/fork/", "Fork “retry in the store”"),
    "compare-four": ("/compare/{0}/{1}/{2}/{3}/?shared=0", "Compare 4 sessions"),
    "compare-side": ("/compare/{0}/{1}/{2}/?side=B", "Compare 3 sessions"),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_clean_in_every_width_and_scheme(any_page, forks, name):
    path, heading = PAGES[name]
    any_page.goto(path.format(*forks))
    expect(any_page.get_by_role("heading", name=heading).first).to_be_visible()
    if pictures := os.environ.get("PICTURES"):
        any_page.screenshot(path=f"{pictures}/{name}-{any_page.viewport_size['width']}.png", full_page=True)
    assert accessibility.findings(any_page) == []
    assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")


class Hygiene:
    def test_moves_what_is_ticked_and_undoes_it(self, page, forks):
        page.goto("/hygiene/")
        section = page.get_by_role("region", name="Duplicates")
        section.get_by_role("button", name="Move those ticked to the trash").click()
        expect(page.get_by_text("1 session moved to the trash").first).to_be_visible()
        expect(page.get_by_role("region", name="Duplicates")).to_have_count(0)
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("region", name="Duplicates")).to_be_visible()


class FourSessions:
    def test_are_switched_between_on_a_phone(self, page, forks):
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto("/compare/{}/{}/{}/{}/".format(*forks))
        page.get_by_role("link", name="Show C").click()
        expect(page.get_by_text("Put it in a queue")).to_be_visible()
        expect(page.get_by_text("Put it in the store")).to_be_hidden()
