"""Projects in their list: renamed in place, merged, archived, and what takes each back."""

import pytest
from playwright.sync_api import expect

from sessions_app import projects as verbs
from sessions_app.models import Project
from tests.browser import accessibility
from tests.builders import a_session


@pytest.fixture
def projects(site):
    """Two of the shop, one of its blog, one of which is in the trash; and a long path."""
    for text, project in (
        ("an order", "shop"),
        ("a post", "blog"),
        ("another post", "blog"),
        ("x", "/home/ann/code/x"),
    ):
        last = a_session(site.store, text, project=project)
    site.store.delete(site.store.latest("blog").id)
    return last


def row(page, name):
    return page.locator("tr[data-project]").filter(has=page.get_by_role("link", name=name, exact=True))


def name_of(page, name):
    return row(page, name).locator(".title")


def field(page):
    return page.get_by_label("Name of the project")


def dialog(page):
    return page.get_by_role("dialog")


def standing(site):
    return site.run(lambda: set(Project.objects.standing().values_list("name", flat=True)))


class Renaming:
    @pytest.mark.parametrize("way", ["double click", "r", "pencil"])
    def test_starts_in_place(self, desktop, projects, way):
        desktop.goto("/projects/")
        if way == "double click":
            name_of(desktop, "shop").dblclick()
        elif way == "r":
            desktop.keyboard.press("j")
            name_of(desktop, "shop").focus()
            desktop.keyboard.press("r")
        else:
            desktop.get_by_role("link", name="Rename shop").click()
        expect(field(desktop)).to_be_focused()
        expect(field(desktop)).to_have_value("shop")

    def test_is_saved_by_enter_and_gives_the_focus_back(self, page, site, projects):
        page.goto("/projects/")
        page.get_by_role("link", name="Rename shop").click()
        field(page).fill("store")
        field(page).press("Enter")

        expect(name_of(page, "store")).to_be_focused()
        assert standing(site) == {"store", "blog", "/home/ann/code/x"}
        assert site.store.create("shop", []).project == "store"
        page.keyboard.press("z")
        expect(name_of(page, "shop")).to_be_visible()

    def test_is_given_up_by_escape(self, page, site, projects):
        page.goto("/projects/")
        page.get_by_role("link", name="Rename shop").click()
        field(page).fill("never")
        field(page).press("Escape")
        expect(name_of(page, "shop")).to_be_focused()
        assert "shop" in standing(site)

    def test_says_beside_the_field_what_is_wrong(self, any_page, projects):
        any_page.goto("/projects/")
        any_page.get_by_role("link", name="Rename shop").click()
        field(any_page).fill("blog")
        field(any_page).press("Enter")
        expect(any_page.get_by_role("alert")).to_contain_text("There is a project “blog” already")
        expect(field(any_page)).to_be_focused()
        assert accessibility.findings(any_page) == []

    def test_is_seen_by_another_page_and_leads_on_from_the_old_address(self, desktop, site, projects):
        desktop.goto("/projects/shop/")
        site.run(verbs.rename, "shop", "store")
        expect(desktop).to_have_title("store · Forklore")
        desktop.reload()
        expect(desktop).to_have_url(f"{site.url}/projects/store/")


class Merging:
    def test_tells_what_moves_and_is_taken_back(self, page, site, projects):
        page.goto("/projects/")
        page.get_by_role("link", name="Merge blog into another project").click()
        expect(page.get_by_label("Project that its sessions move to")).to_be_focused()
        page.keyboard.type("shop")
        page.keyboard.press("Enter")
        expect(dialog(page)).to_contain_text("Move 2 sessions from “blog” to “shop”?")
        expect(dialog(page)).to_contain_text("1 of them is in the trash.")
        dialog(page).get_by_role("button", name="Merge").click()

        expect(page.locator("#toasts")).to_contain_text("“blog” merged into “shop”: 2 sessions moved")
        expect(row(page, "blog")).to_have_count(0)
        expect(row(page, "shop").locator(".sessions-of")).to_contain_text("2")
        assert site.store.create("blog", []).project == "shop"
        page.locator("#toasts").get_by_role("button", name="Undo").click()
        expect(row(page, "blog").locator(".sessions-of")).to_contain_text("1")

    def test_says_that_there_is_no_such_project(self, any_page, projects):
        any_page.goto("/projects/")
        any_page.get_by_role("link", name="Merge blog into another project").click()
        any_page.get_by_label("Project that its sessions move to").fill("nowhere")
        any_page.keyboard.press("Enter")
        expect(dialog(any_page).get_by_role("alert")).to_contain_text("There is no project “nowhere”")
        assert accessibility.findings(any_page) == []
        any_page.get_by_label("Project that its sessions move to").fill("shop")
        any_page.keyboard.press("Enter")
        expect(dialog(any_page)).to_contain_text("Move 2 sessions")
        assert accessibility.findings(any_page) == []
        any_page.keyboard.press("Escape")
        expect(dialog(any_page)).to_have_count(0)
        expect(row(any_page, "blog")).to_be_visible()


class Archiving:
    def test_leaves_a_project_out_until_a_link_shows_it(self, page, site, projects):
        page.goto("/projects/")
        page.get_by_role("button", name="Archive shop").click()
        expect(page.locator("#toasts")).to_contain_text("Project “shop” archived")
        expect(row(page, "shop")).to_have_count(0)
        page.get_by_role("link", name="show 1 archived").click()
        expect(row(page, "shop").locator(".tag")).to_have_text("archived")
        assert accessibility.findings(page) == []
        page.get_by_role("button", name="Take shop out of the archive").click()
        expect(page.get_by_role("button", name="Archive shop")).to_be_visible()
        expect(page.get_by_role("link", name="1 archived")).to_have_count(0)

    def test_by_keys_goes_on_with_the_next_row(self, desktop, projects):
        desktop.goto("/projects/?sort=name")
        desktop.get_by_role("button", name="Archive blog").focus()
        desktop.keyboard.press("Enter")
        expect(row(desktop, "blog")).to_have_count(0)
        expect(name_of(desktop, "shop")).to_be_focused()
        desktop.keyboard.press("z")
        expect(name_of(desktop, "blog")).to_be_visible()

    def test_leaves_it_out_beside_the_sessions_which_stay(self, desktop, site, projects):
        site.run(verbs.archive, "shop")
        desktop.goto("/")
        expect(desktop.locator(".rail")).not_to_contain_text("shop")
        expect(desktop.get_by_role("link", name="an order", exact=True)).to_be_visible()


def test_all_of_it_works_without_javascript(plain_page, site, projects):
    plain_page.goto("/projects/")
    plain_page.get_by_role("link", name="Rename shop").click()
    field(plain_page).fill("blog")
    field(plain_page).press("Enter")
    expect(plain_page.get_by_role("alert")).to_be_visible()
    field(plain_page).fill("store")
    field(plain_page).press("Enter")
    expect(name_of(plain_page, "store")).to_be_visible()

    plain_page.get_by_role("link", name="Merge blog into another project").click()
    plain_page.get_by_label("Project that its sessions move to").fill("store")
    plain_page.keyboard.press("Enter")
    plain_page.get_by_role("button", name="Merge").click()
    expect(row(plain_page, "blog")).to_have_count(0)
    plain_page.get_by_role("button", name="Undo").click()
    expect(row(plain_page, "blog")).to_be_visible()

    plain_page.get_by_role("button", name="Archive store").click()
    expect(row(plain_page, "store")).to_have_count(0)
    plain_page.get_by_role("link", name="show 1 archived").click()
    plain_page.get_by_role("button", name="Take store out of the archive").click()
    expect(plain_page.get_by_role("button", name="Archive store")).to_be_visible()
