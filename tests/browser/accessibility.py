"""What axe finds wrong on a page."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

IS_DARK = "matchMedia('(prefers-color-scheme: dark)').matches"
RUN = "async (options) => (await axe.run(document, options)).violations"
OF_COLOUR = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


def findings(page: "Page") -> list[str]:
    """One line a finding in either colour scheme: the rule, what it asks, and where.

    A scheme is nothing but colours, which CSS chooses by itself: axe looks at all in the one that the page was opened in,
    and at what depends on colours in the other.
    """
    own, other = ("dark", "light") if page.evaluate(IS_DARK) else ("light", "dark")
    found = _findings(page, {}, own)
    page.emulate_media(color_scheme=other)
    found += _findings(page, OF_COLOUR, other)
    page.emulate_media(color_scheme=own)
    return found


def _findings(page: "Page", options: dict, scheme: str) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(_script())
    violations = page.evaluate(RUN, {"resultTypes": ["violations"], **options})
    return [
        f"{violation['id']}: {violation['help']} at {node['target']} ({scheme})"
        for violation in violations
        for node in violation["nodes"]
    ]


@cache
def _script() -> str:
    from axe_playwright_python.sync_playwright import Axe

    return Axe().axe_script
