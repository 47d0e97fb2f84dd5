"""Two sessions side by side in a browser."""

import os

import pytest
from playwright.sync_api import expect

from sessions_app.web.compare import TURNS
from tests.browser import accessibility
from tests.builders import a_message, a_session

SHOWS_ITS_TOP = """() => {
    const { left, top } = document.activeElement.getBoundingClientRect();
    return document.activeElement.contains(document.elementFromPoint(left + 5, top + 5));
}"""


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

    def test_is_walked_from_difference_to_difference_by_key(self, site, page):
        root = a_session(site.store, "start")
        forks = [site.store.fork_at(root.id, 1) for _ in range(2)]
        for fork, word in zip(forks, ("left", "right"), strict=True):
            for number in range(4):
                prompt = f"prompt {number}" + (f" of the {word}" if number else "") + " and more words" * 60
                site.store.append(fork.id, [a_message(prompt), a_message(f"the answer {number}", "assistant")])
        site.store.append(forks[0].id, [a_message("only on the left")])
        page.goto(f"/compare/{forks[0].id}/{forks[1].id}/")
        focused = page.locator(".compare-row:focus")
        for words in ("prompt 1 of the", "prompt 2 of the", "prompt 3 of the", "only on the left", "only on the left"):
            page.keyboard.press("n")
            expect(focused).to_contain_text(words)
            assert page.evaluate(SHOWS_ITS_TOP)
        expect(page.locator("#announcer")).to_have_text("No more differences")
        page.keyboard.press("N")
        expect(focused).to_contain_text("prompt 3 of the")
        expect(page.locator("#announcer")).to_have_text("Difference 3 of 4 on this page")
        page.keyboard.press("?")
        expect(page.locator("#modal .key-row", has_text="Next difference").locator("kbd")).to_have_text("n")
        expect(page.locator("#modal .key-row", has_text="Difference before").locator("kbd")).to_have_text("N")

    def test_leads_by_key_to_the_turns_after_and_before_those_of_a_page(self, site, desktop):
        root = a_session(site.store, "start")
        forks = [site.store.fork_at(root.id, 1) for _ in range(2)]
        for fork, word in zip(forks, ("left", "right"), strict=True):
            site.store.append(fork.id, [a_message(f"prompt {number} of the {word}") for number in range(TURNS + 1)])
        desktop.goto(f"/compare/{forks[0].id}/{forks[1].id}/")
        for _ in range(TURNS):
            desktop.keyboard.press("n")
        expect(desktop.locator(".compare-row:focus")).to_contain_text(f"prompt {TURNS - 1} of the")
        desktop.keyboard.press("n")
        expect(desktop.get_by_role("link", name="Next turns")).to_be_focused()
        desktop.keyboard.press("Enter")
        expect(desktop.locator(".compare-turns .compare-row")).to_contain_text(f"prompt {TURNS} of the")
        desktop.keyboard.press("N")
        expect(desktop.get_by_role("link", name="Turns before")).to_be_focused()
