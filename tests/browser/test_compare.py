"""Two sessions side by side in a browser."""

import os

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.builders import a_message, a_session


@pytest.fixture
def forks(site):
    root = a_session(site.store, "Mend the cart", "done", project="/code/shop")
    found = [site.store.fork_at(root.id, 2) for _ in range(2)]
    for fork, place in zip(found, ("the store", "the agent loop"), strict=True):
        prompt = a_message(f"Retry after a rate limit. Put it in {place}, three tries at most.")
        site.store.append(fork.id, [prompt, a_message(f"It is in {place} now.", "assistant")])
        site.store.rename(fork.id, f"retry in {place}")
    site.store.append(found[0].id, [a_message("And what if the process dies?")])
    return found


class TheComparison:
    def test_is_clean_in_every_width_and_scheme(self, any_page, forks):
        any_page.goto(f"/compare/{forks[0].id}/{forks[1].id}/")
        expect(any_page.get_by_role("heading", name="Turn 2")).to_be_visible()
        if pictures := os.environ.get("PICTURES"):
            width = any_page.viewport_size["width"]
            any_page.screenshot(path=f"{pictures}/compare-{width}.png", full_page=True)
        assert accessibility.findings(any_page) == []
        assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def test_keeps_one_and_undoes_it(self, page, forks):
        page.goto(f"/compare/{forks[0].id}/{forks[1].id}/")
        page.get_by_role("button", name="Keep A and archive the other").click()
        expect(page.get_by_text("Archived “retry in the agent loop”").first).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text("Brought back “retry in the agent loop”").first).to_be_visible()
