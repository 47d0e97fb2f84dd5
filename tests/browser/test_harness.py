"""What every browser test relies on: an empty site that the store fills, and pages that report their faults."""

import pytest

from tests.browser import accessibility
from tests.browser.conftest import collect_faults


class ASite:
    @pytest.mark.parametrize("again", [1, 2])
    def test_answers_from_an_empty_database_of_its_own(self, site, desktop, again):
        assert site.store.search("anything", 10) == []

        answer = desktop.goto("/healthz")

        assert answer.json() == {"ok": True}

    def test_runs_management_commands_beside_the_server(self, site):
        assert "forklore" in site.command("showmigrations", "forklore")


class APage:
    @pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
    def test_has_a_persons_width_and_colours(self, open_page, size, scheme):
        page = open_page(size, scheme)
        page.goto("/healthz")

        assert page.evaluate("innerWidth") == {"desktop": 1280, "phone": 390}[size]
        assert page.evaluate(accessibility.IS_DARK) == (scheme == "dark")

    @pytest.mark.parametrize(
        ("script", "fault"),
        [
            ("document.body.setAttribute('style', 'color: red')", "policy: "),
            ("setTimeout(() => { throw new Error('broken') })", "uncaught: broken"),
            ("location.href = 'http://127.0.0.1:9/'", "remote: http://127.0.0.1:9/"),
        ],
    )
    def test_reports(self, site, browser, script, fault):
        with browser.new_context(base_url=site.url) as context:
            faults = []
            page = context.new_page()
            collect_faults(page, site.url, faults)
            page.goto("/healthz")

            page.evaluate(script)
            page.wait_for_timeout(100)

        assert any(found.startswith(fault) for found in faults), faults

    def test_is_checked_by_axe(self, desktop):
        desktop.goto("/healthz")
        assert any("document-title" in finding for finding in accessibility.findings(desktop))

    @pytest.mark.parametrize(
        ("opened", "colours", "found"),
        [
            ("light", "light-dark(#000, #333), light-dark(#fff, #000)", ["dark"]),
            ("dark", "light-dark(#000, #333), light-dark(#fff, #000)", ["dark"]),
            ("light", "light-dark(#ccc, #fff), light-dark(#fff, #000)", ["light"]),
            ("dark", "light-dark(#ccc, #fff), light-dark(#fff, #000)", ["light"]),
            ("light", "light-dark(#000, #fff), light-dark(#fff, #000)", []),
        ],
    )
    def test_is_checked_by_axe_in_both_schemes_wherever_it_was_opened(self, browser, opened, colours, found):
        with browser.new_context(color_scheme=opened) as context:
            page = context.new_page()
            color, background = colours.split(", light", 1)
            page.set_content(
                f"<style>:root {{ color-scheme: light dark; color: {color}; background: light{background} }}</style>"
                "<main>hello</main>"
            )
            contrast = [each for each in accessibility.findings(page) if each.startswith("color-contrast:")]
            assert [each[-6:].strip("( )") for each in contrast] == found
            assert page.evaluate(accessibility.IS_DARK) == (opened == "dark")
