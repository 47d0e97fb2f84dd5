"""The first visit: what was found on the machine, importing it, and the demo."""

import json
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility


def a_transcript(number):
    """Two lines of a session as Claude Code writes them."""
    session = f"aaaaaaaa-0000-4000-8000-{number:012}"
    common = {"sessionId": session, "cwd": "/code/shop", "version": "2.1.0", "isSidechain": False}
    prompt = {
        "type": "user",
        "uuid": f"{number}-1",
        "parentUuid": None,
        "timestamp": "2026-11-20T10:00:00.000Z",
        "message": {"role": "user", "content": f"prompt {number}"},
    }
    answer = {
        "type": "assistant",
        "uuid": f"{number}-2",
        "parentUuid": f"{number}-1",
        "timestamp": "2026-11-20T10:00:05.000Z",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "answer"}]},
    }
    return f"{session}.jsonl", "".join(json.dumps(common | line) + "\n" for line in (prompt, answer))


@pytest.fixture
def transcripts(site):
    """Forty transcripts in the home of the person who runs the site."""
    agent = Path(site.environment["HOME"]) / ".claude"
    folder = agent / "projects" / "-code-shop"
    folder.mkdir(parents=True)
    for number in range(40):
        name, text = a_transcript(number)
        (folder / name).write_text(text)
    yield folder
    shutil.rmtree(agent)


class TheFirstVisit:
    def test_says_what_was_found_and_imports_it_when_asked(self, page, site, transcripts):
        page.goto("/")
        expect(page.locator("main")).to_contain_text("Found 40 sessions (")
        expect(page.locator("main")).to_contain_text(str(transcripts.parent))
        assert site.store.find_by_id_prefix("", 1) == []

        page.get_by_role("button", name="Import").click()

        page.wait_for_url("**/import/")
        expect(page.get_by_role("heading", name="Imported")).to_be_visible(timeout=30_000)
        expect(page.locator(".sums")).to_contain_text("40")
        page.get_by_role("link", name="Show sessions").click()
        expect(page.locator(".totals")).to_contain_text("40 sessions")

    def test_imports_without_javascript(self, plain_page, site, transcripts):
        plain_page.goto("/")
        plain_page.get_by_role("button", name="Import").click()
        # The page loads itself again while the import runs.
        expect(plain_page.get_by_role("heading", name="Imported")).to_be_visible(timeout=30_000)

    def test_shows_the_demo_when_asked(self, page, site):
        page.goto("/")
        page.get_by_role("button", name="Look at demo data").click()
        expect(page.locator("tr[data-session]").first).to_be_visible(timeout=30_000)

    def test_is_accessible(self, any_page, site, transcripts):
        any_page.goto("/")
        assert accessibility.findings(any_page) == []
        assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def test_ends_with_an_accessible_summary(self, any_page, site, transcripts):
        (transcripts / "broken.jsonl").write_text("no transcript\n")
        any_page.goto("/import/")
        any_page.get_by_role("button", name="Import").click()
        expect(any_page.get_by_role("heading", name="Imported")).to_be_visible(timeout=30_000)
        assert accessibility.findings(any_page) == []
        assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")
