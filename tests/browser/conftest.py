"""Pages of a real Chromium on a running site; a page that breaks its own security policy fails its test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_django import DjangoDbBlocker

from tests.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.browser.site import Site

    OpenPage = Callable[..., Page]

PATIENCE = 30_000  # milliseconds for which a busy machine is waited for; what holds is seen at once
SIZES = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True},
}


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    if chromium.missing():
        pytest.skip(chromium.HOW_TO_GET)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.path(), args=chromium.arguments())
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def running_site(
    tmp_path_factory: pytest.TempPathFactory, django_test_environment: None, django_db_blocker: DjangoDbBlocker
) -> "Iterator[Site]":
    from tests.browser.site import Site

    with django_db_blocker.unblock():
        site = Site(tmp_path_factory.mktemp("site"))
        yield site
        site.close()


@pytest.fixture
def site(running_site: "Site") -> "Site":
    """A running server with an empty database: .url, .store, .run(function, …), .command("demo")."""
    running_site.empty()
    return running_site


@pytest.fixture
def open_page(site: "Site", browser: "Browser") -> "Iterator[OpenPage]":
    """Opens pages in fresh browsers that were let in: open_page("phone", "dark"), open_page(java_script=False); goto("/projects/")."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_page(size: str = "desktop", scheme: str = "light", java_script: bool = True) -> "Page":
        context = browser.new_context(
            **site.let_in,
            color_scheme=scheme,
            java_script_enabled=java_script,
            timezone_id="UTC",
            **SIZES[size],
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        collect_faults(page, site.url, faults)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults, "\n".join(faults)


def collect_faults(page: "Page", url: str, faults: list[str]) -> None:
    """What no page may do: break its security policy, throw, or ask another host for anything."""
    page.on("pageerror", lambda error: faults.append(f"uncaught: {error}"))
    page.on(
        "console",
        lambda message: "Content Security Policy" in message.text and faults.append(f"policy: {message.text}"),
    )
    page.on(
        "request",
        lambda request: request.url.startswith((url, "data:", "blob:")) or faults.append(f"remote: {request.url}"),
    )


@pytest.fixture
def desktop(open_page: "OpenPage") -> "Page":
    return open_page("desktop")


@pytest.fixture
def phone(open_page: "OpenPage") -> "Page":
    return open_page("phone")


@pytest.fixture(params=["desktop", pytest.param("phone", marks=pytest.mark.once)])
def page(request: pytest.FixtureRequest, open_page: "OpenPage") -> "Page":
    """A light page at desktop width, and then at phone width, which is none of Python's."""
    return open_page(request.param)


@pytest.fixture(params=[pytest.param(size, marks=pytest.mark.once) for size in SIZES])
def any_page(request: pytest.FixtureRequest, open_page: "OpenPage") -> "Page":
    """A page in each width, for what axe and the eye find; its look is none of Python's, so that one of them is enough."""
    return open_page(request.param)


@pytest.fixture
def plain_page(open_page: "OpenPage") -> "Page":
    """A page without JavaScript."""
    return open_page(java_script=False)


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> "Callable[[Page, str], None]":
    """Saves what the page shows as a PNG under test-results/, to be looked at."""
    directory = Path(request.config.rootpath) / "test-results"

    def picture(page: "Page", name: str) -> None:
        page.screenshot(path=directory / f"{name}.png", full_page=False)

    return picture
