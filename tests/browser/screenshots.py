"""Takes the pictures in docs/screenshots: `python3 run.py screenshots [PATH]`.

On the demo data, and with a PATH also one of the home page after an import of the transcripts there.
"""

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

PICTURES = Path(__file__).parent.parent.parent / "docs" / "screenshots"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
VIEWS = {"light": (DESKTOP, "light"), "dark": (DESKTOP, "dark"), "phone": (PHONE, "light")}


def main(paths: list[str]) -> None:
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        from tests.browser import chromium

        browser = playwright.chromium.launch(executable_path=chromium.path(), args=chromium.arguments())
        _demo(browser, Path(directory))
        if paths:
            _imported(browser, Path(directory), paths)


def _demo(browser: Browser, directory: Path) -> None:
    site = _site(directory / "demo")
    try:
        _take(browser, site, {"first-run": "/"})
        site.command("demo")
        _take(browser, site, _pages(site))
    finally:
        site.close()


def _imported(browser: Browser, directory: Path, paths: list[str]) -> None:
    site = _site(directory / "imported")
    try:
        for path in paths:
            _run_import(site, path)
        _take(browser, site, {"imported": "/"})
    finally:
        site.close()


def _site(directory: Path):
    from tests.browser.site import Site

    directory.mkdir()
    return Site(directory)


def _run_import(site, path: str) -> None:
    try:
        site.command("import_sessions", path)
    except AssertionError as summary:  # an unreadable line makes the exit code 1
        print(summary)


def _pages(site) -> dict[str, str]:
    """With a policy of clean-up that would take something, and two forks of one session to compare."""

    def longest() -> str:
        from sessions_app.models import Session

        sessions = Session.objects.live().with_fork_count().filter(fork_count__gt=0)
        return str(sessions.order_by("-fork_count", "-message_count").values_list("pk", flat=True)[0])

    def forks() -> list[str]:
        from sessions_app import cleanup
        from sessions_app.models import Session

        cleanup.save_policy("old and small", "before:2d turns:<3", "trash")
        found = Session.objects.live().related_as("fork").filter(parent=session).order_by("-message_count")
        return [str(id) for id in found.values_list("pk", flat=True)[:2]]

    session = site.run(longest)
    one, other = site.run(forks)
    return {
        "home": "/",
        "projects": "/projects/",
        "transcript": f"/sessions/{session}/",
        "lineage": f"/sessions/{session}/lineage/",
        "compare": f"/compare/{one}/{other}/",
        "search": "/search/?q=test",
        "search-words": "/search/?q=project:ledger+role:assistant+bfore:2026-11-20+test",
        "search-nothing": "/search/?q=project:ledger+zebra",
        "find": f"/sessions/{session}/find/?q=test",
        "trash": "/trash/",
        "cleanup": "/cleanup/?policy=old+and+small",
        "space": "/space/",
        "journal": "/journal/",
        "settings": "/settings/tokens/",
    }


def _take(browser: Browser, site, pages: dict[str, str]) -> None:
    PICTURES.mkdir(exist_ok=True)
    for view, (size, scheme) in VIEWS.items():
        context = browser.new_context(**site.let_in, viewport=size, color_scheme=scheme)
        page = context.new_page()
        for name, path in pages.items():
            page.goto(path)
            page.wait_for_load_state("networkidle")
            page.screenshot(path=PICTURES / f"{name}-{view}.png")
        context.close()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    main(sys.argv[1:])
