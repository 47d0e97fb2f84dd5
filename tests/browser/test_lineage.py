"""The tree of forks in a browser: readable for all, by keyboard, and without scripts."""

import os
import re

import pytest
from playwright.sync_api import expect

from tests import trees
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
            any_page.screenshot(path=f"{pictures}/lineage-{any_page.viewport_size['width']}.png", full_page=True)
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


def rows(page):
    """The titles, from the top down."""
    return page.locator(".lanes .title")


def focused(page):
    return page.locator(".lanes .title:focus")


class TheChosenSession:
    def test_follows_the_focus_and_stays_while_the_tree_changes(self, desktop, family):
        root, forks, inner = family
        desktop.goto(f"/sessions/{root.id}/lineage/")
        told = desktop.get_by_role("complementary", name="Chosen session")
        expect(told.get_by_role("heading")).to_have_text("Mend the cart")
        desktop.locator(f"#t{inner.id.hex[:10]}").focus()
        expect(told.get_by_role("heading")).to_have_text("smaller steps")
        desktop.keyboard.press("ArrowLeft")
        expect(told.get_by_role("heading")).to_have_text("with a queue instead")
        desktop.get_by_role("link", name="Newest first").click()
        desktop.wait_for_url("**sort=newest**")
        expect(told.get_by_role("heading")).to_have_text("with a queue instead")
        desktop.reload()
        expect(told.get_by_role("heading")).to_have_text("with a queue instead")
        told.get_by_role("link", name="Compare").click()
        desktop.wait_for_url(f"**/compare/{root.id}/{forks[0].id}/**")

    def test_is_the_row_that_was_clicked(self, desktop, family):
        root, _, inner = family
        desktop.goto(f"/sessions/{root.id}/lineage/")
        desktop.locator(f"#r{inner.id.hex[:10]} td").nth(3).click()
        told = desktop.get_by_role("complementary", name="Chosen session")
        expect(told.get_by_role("heading")).to_have_text("smaller steps")
        expect(told).to_contain_text("its parent, #3")
        assert accessibility.findings(desktop) == []


class MovingByKeys:
    def test_goes_to_parent_child_and_sibling(self, desktop, family):
        root, forks, _ = family
        desktop.goto(f"/sessions/{root.id}/lineage/")
        desktop.locator(f"#t{root.id.hex[:10]}").focus()
        desktop.keyboard.press("ArrowRight")
        expect(focused(desktop)).to_have_id(f"t{forks[1].id.hex[:10]}")  # the first of the rows below
        desktop.keyboard.press("Shift+ArrowDown")
        expect(focused(desktop)).to_have_id(f"t{forks[2].id.hex[:10]}")
        desktop.keyboard.press("Shift+ArrowDown")
        expect(focused(desktop)).to_have_text("with a queue instead")
        desktop.keyboard.press("ArrowDown")
        expect(focused(desktop)).to_have_text("smaller steps")
        desktop.keyboard.press("ArrowLeft")
        expect(focused(desktop)).to_have_text("with a queue instead")
        desktop.keyboard.press("p")
        expect(focused(desktop)).to_have_id(f"t{root.id.hex[:10]}")

    def test_goes_to_a_parent_in_another_window(self, site, desktop):
        root = a_session(site.store, "root", "two")
        for _ in range(70):
            site.store.fork_at(root.id, 1)
        desktop.goto(f"/sessions/{root.id}/lineage/?runs=all&from=60")
        rows(desktop).nth(3).focus()
        desktop.keyboard.press("ArrowLeft")
        expect(focused(desktop)).to_have_id(f"t{root.id.hex[:10]}")
        expect(desktop).to_have_url(re.compile("from=0"))


class Folding:
    def test_keeps_the_focus_where_it_is(self, desktop, family):
        root, forks, _ = family
        desktop.goto(f"/sessions/{root.id}/lineage/")
        expect(rows(desktop)).to_have_count(5)
        fold = desktop.locator(f"#f{forks[0].id.hex[:10]}")
        fold.focus()
        desktop.keyboard.press("Enter")
        expect(rows(desktop)).to_have_count(4)
        expect(fold).to_be_focused()
        expect(desktop.locator(".facts")).to_contain_text("1 folded")
        desktop.go_back()
        expect(rows(desktop)).to_have_count(5)

    def test_opens_a_run_of_forks_without_scripts(self, site, plain_page):
        root = a_session(site.store, "root", "two")
        for _ in range(20):
            site.store.fork_at(root.id, 1)
        plain_page.goto(f"/sessions/{root.id}/lineage/")
        plain_page.get_by_role("link", name="+19 forks").click()
        expect(rows(plain_page)).to_have_count(21)
        plain_page.get_by_role("link", name="− forks").click()
        expect(rows(plain_page)).to_have_count(2)


class AnEarlierMoment:
    @pytest.fixture
    def grown(self, site):
        """A root of ten days ago and a fork of yesterday."""

        def make():
            from datetime import timedelta

            from django.utils import timezone

            from sessions_app import lineages
            from sessions_app.models import Session

            now = timezone.now()
            Session.objects.filter(pk=root.id).update(created_at=now - timedelta(days=10))
            Session.objects.filter(pk=fork.id).update(created_at=now - timedelta(days=1))
            lineages.forget(site.alias)

        root = a_session(site.store, "root", "two")
        fork = site.store.fork_at(root.id, 1)
        site.run(make)
        return root

    def test_is_gone_to_by_the_slider(self, desktop, grown):
        desktop.goto(f"/sessions/{grown.id}/lineage/")
        expect(rows(desktop)).to_have_count(2)
        desktop.get_by_label("As of").focus()
        for _ in range(3):
            desktop.keyboard.press("PageDown")
        expect(desktop.locator("[data-moment]")).not_to_have_text("now")
        expect(rows(desktop)).to_have_count(1)
        expect(desktop.get_by_label("As of")).to_be_focused()
        desktop.get_by_role("link", name="Back to now").click()
        expect(rows(desktop)).to_have_count(2)
        expect(desktop.locator("[data-moment]")).to_have_text("now")

    def test_is_gone_to_without_scripts(self, plain_page, grown):
        plain_page.goto(f"/sessions/{grown.id}/lineage/")
        plain_page.get_by_label("As of").fill("100")
        plain_page.get_by_role("button", name="Show that moment").click()
        expect(rows(plain_page)).to_have_count(1)
        expect(plain_page.locator(".facts")).to_contain_text("1 of 2 sessions")


class AWord:
    def test_is_marked_where_it_occurs_in_what_is_shown(self, site, desktop, family):
        root, _, _ = family
        desktop.goto(f"/sessions/{root.id}/lineage/")
        desktop.get_by_role("link", name="Newest first").click()
        expect(desktop).to_have_url(re.compile("sort=newest"))
        desktop.get_by_label("A word in the tree").fill("smaller steps")
        desktop.get_by_label("only where it occurs").check()
        desktop.keyboard.press("Tab")
        desktop.get_by_role("button", name="Show", exact=True).click()
        expect(rows(desktop)).to_have_count(3)
        expect(desktop.locator("tr[data-state=found] .title")).to_have_text("smaller steps")
        expect(desktop).to_have_url(re.compile("sort=newest.*only=found|only=found.*sort=newest"))
        desktop.get_by_role("link", name="without a word").click()
        expect(rows(desktop)).to_have_count(5)


class Ticking:
    def test_chooses_two_rows_to_compare(self, desktop, family):
        root, forks, _ = family
        desktop.goto(f"/sessions/{root.id}/lineage/")
        compare = desktop.get_by_role("button", name="Compare")
        expect(compare).to_be_disabled()
        for id in (forks[0].id, forks[1].id):
            desktop.locator(f"#r{id.hex[:10]} [name=session]").check()
        expect(compare).to_have_text("Compare 2")
        compare.click()
        expect(desktop).to_have_url(re.compile(f"/compare/{forks[1].id}/{forks[0].id}/"))

    def test_remembers_rows_of_other_windows(self, site, desktop):
        root = a_session(site.store, "root", "two")
        for _ in range(40):
            site.store.fork_at(root.id, 1)
        desktop.goto(f"/sessions/{root.id}/lineage/?runs=all")
        rows(desktop).first.focus()
        desktop.keyboard.press("x")
        desktop.get_by_role("link", name="Next rows").click()
        expect(desktop.locator(".lineage-pages")).to_contain_text("31 to 41")
        desktop.locator("[name=session]").last.check()
        expect(desktop.get_by_role("button", name="Compare")).to_have_text("Compare 2")
        desktop.get_by_role("button", name="Compare").click()
        expect(desktop).to_have_url(re.compile(f"/compare/{root.id}/"))

    def test_works_without_scripts(self, plain_page, family):
        root, forks, inner = family
        plain_page.goto(f"/sessions/{root.id}/lineage/")
        for id in (forks[0].id, inner.id):
            plain_page.locator(f"#r{id.hex[:10]} [name=session]").check()
        plain_page.get_by_role("button", name="Compare").click()
        expect(plain_page).to_have_url(re.compile(f"/compare/{forks[0].id}/{inner.id}/"))


class OnAPhone:
    def test_another_figure_is_shown_beside_the_titles(self, phone, family):
        phone.goto(f"/sessions/{family[0].id}/lineage/")
        row = phone.locator(f"#r{family[1][0].id.hex[:10]}")
        expect(row.get_by_text("from #2")).to_be_visible()
        expect(row.locator(".status")).to_be_hidden()
        phone.get_by_label("Status").check()
        expect(row.locator(".status")).to_be_visible()
        expect(row.get_by_text("from #2")).to_be_hidden()


class TheLineageOfAProject:
    def test_is_clean_in_every_width_and_scheme(self, any_page, site, family):
        a_session(site.store, "alone", project="/code/shop")
        any_page.goto("/projects//code/shop/lineage/")
        expect(rows(any_page)).to_have_count(5)
        assert accessibility.findings(any_page) == []
        assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        any_page.get_by_role("link", name="1 without forks").click()
        expect(rows(any_page)).to_have_count(6)

    def test_grows_by_itself(self, site, desktop, family):
        desktop.goto("/projects//code/shop/lineage/")
        expect(rows(desktop)).to_have_count(5)
        expect(desktop.locator("live-page[data-state=on]")).to_be_attached()
        site.store.fork_at(family[2].id, 1)
        expect(rows(desktop)).to_have_count(6)


@pytest.mark.once
@pytest.mark.parametrize("shape", trees.SHAPES)
@pytest.mark.parametrize("count", [10, 1_000, 10_000])
def test_a_tree_of_any_size_and_shape_is_gone_through_by_keys(site, desktop, count, shape):
    first, *_, last = site.run(trees.a_tree, count, shape)
    desktop.goto(f"/sessions/{first}/lineage/?runs=all")
    expect(rows(desktop)).to_have_count(min(count, 30))
    expect(desktop.locator(".facts")).to_contain_text(f"{count:,} sessions")
    focused_title = desktop.locator(f"#t{first.hex[:10]}")
    focused_title.focus()
    desktop.keyboard.press("ArrowRight")
    expect(focused(desktop)).not_to_have_id(f"t{first.hex[:10]}")
    desktop.keyboard.press("ArrowLeft")
    expect(focused_title).to_be_focused()
    desktop.goto(f"/sessions/{last}/lineage/?runs=all")
    expect(desktop.locator("tr[aria-current] .title")).to_have_text(f"session {count - 1}")
