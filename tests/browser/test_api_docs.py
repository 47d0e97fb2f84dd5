"""The description of the API as a page, and an exported session as a file, in a browser."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.builders import a_session


def keep(page, name):
    """A picture for whoever looks, where PICTURES names a directory."""
    if pictures := os.environ.get("PICTURES"):
        page.screenshot(path=Path(pictures) / f"{name}-{page.viewport_size['width']}.png")


class TheDescription:
    def test_is_clean_in_every_width_and_scheme(self, any_page):
        any_page.goto("/api/")
        any_page.get_by_text("Append messages").click()
        expect(any_page.locator("details[open]").get_by_text("Sent again within a week")).to_be_visible()
        keep(any_page, "api")
        assert accessibility.findings(any_page) == []
        assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def test_names_every_operation_without_scripts(self, plain_page):
        plain_page.goto("/api/")
        described = plain_page.request.get("/api/v1/openapi.json").json()["paths"]
        operations = sum(len(methods) for methods in described.values())
        keys = plain_page.locator("details.operation").evaluate_all("all => all.map(each => each.id)")
        assert len(set(keys)) == len(keys) == operations >= 32

    def test_is_reached_from_the_tokens(self, page):
        page.goto("/settings/tokens/")
        page.get_by_role("link", name="HTTP API").click()
        expect(page.get_by_role("heading", name="HTTP API")).to_be_visible()


class AnExportedSession:
    @pytest.fixture
    def document(self, site, tmp_path):
        session = a_session(
            site.store, "Mend the *cart*", "It is in `basket.py`:\n\n```python\nmend()\n```\n\n- one\n- two"
        )
        path = tmp_path / "session.html"
        site.command("export_sessions", str(path), str(session.id), "--format", "html")
        return path.read_text()

    def test_is_clean_in_every_width_and_scheme(self, any_page, document):
        any_page.set_content(document)
        expect(any_page.get_by_role("heading", name="Mend the")).to_be_visible()
        keep(any_page, "exported")
        assert any_page.evaluate("getComputedStyle(document.body).maxWidth") == "768px"  # its style is let in
        assert accessibility.findings(any_page) == []
        assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")
