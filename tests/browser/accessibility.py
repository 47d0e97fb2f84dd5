"""What axe finds wrong on a page."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


def findings(page: "Page") -> list[str]:
    """One line a finding: the rule, what it asks, and where."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {violation['help']} at {node['target']}"
        for violation in violations
        for node in violation["nodes"]
    ]
