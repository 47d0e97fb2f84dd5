"""The tree of forks in a browser: readable for all, by keyboard, and without scripts."""

import os

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.builders import a_message, a_session


@pytest.fixture
def family(site):
    """A root with three forks, of which one has a fork of its own and one is in the trash."""
    root = a_session(site.store, "Mend the cart", "done", "and the till", "done", project="/code/shop")
    forks = [site.store.fork_at(root.id, position) for position in (2, 4, 3)]
    for fork in forks:
        site.store.append(fork.id, [a_message("another way")])
    site.store.rename(forks[0].id, "with a queue instead")
    inner = site.store.fork_at(forks[0].id, 3)
    site.store.append(inner.id, [a_message("smaller steps")])
    site.store.rename(inner.id, "smaller steps")
    site.store.delete(forks[2].id)
    return root, forks, inner


class TheTree:
    def test_is_clean_in_every_width_and_scheme(self, any_page, family):
        any_page.goto(f"/sessions/{family[0].id}/lineage/")
        expect(any_page.get_by_role("link", name="smaller steps", exact=True)).to_be_visible()
        if pictures := os.environ.get("PICTURES"):
            scheme = any_page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
            any_page.screenshot(
                path=f"{pictures}/lineage-{scheme}-{any_page.viewport_size['width']}.png", full_page=True
            )
        assert accessibility.findings(any_page) == []
        assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def test_is_opened_from_a_session_and_leads_back(self, page, family):
        page.goto(f"/sessions/{family[2].id}/")
        page.get_by_role("link", name="Lineage").first.click()
        page.wait_for_url("**/lineage/**")
        page.get_by_role("link", name="with a queue instead", exact=True).click()
        page.wait_for_url(f"**/sessions/{family[1][0].id}/**")

    def test_reads_without_scripts(self, plain_page, family):
        plain_page.goto(f"/sessions/{family[0].id}/lineage/")
        expect(plain_page.get_by_role("link", name="smaller steps", exact=True)).to_be_visible()
        expect(plain_page.locator("svg").first).to_be_visible()
