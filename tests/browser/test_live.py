"""Open pages follow what another process writes, on both databases, and do without where they cannot."""

import json
import os
import re
import subprocess
import sys

import psycopg
import pytest
from playwright.sync_api import expect

from sessions_app.access import browsers
from tests import rundirectory
from tests.browser import accessibility
from tests.browser.site import CHECKOUT, Site
from tests.builders import a_message, a_session
from tests.conftest import POSTGRESQL_MISSING

SECOND = 1000  # milliseconds
SOON = 20 * SECOND  # for a machine that is busy; how soon it is on one that is not, benchmarks/live.py measures
DATABASE = f"forklore_live_{os.getpid()}"
TOP = "document.getElementById('m{}').getBoundingClientRect().top"
# Where it is all about the page.
ONE_DATABASE = pytest.mark.parametrize("running_site", ["sqlite"], indirect=True, scope="module")
NO_POSTGRESQL = pytest.mark.skipif(bool(POSTGRESQL_MISSING), reason=POSTGRESQL_MISSING or "")


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=NO_POSTGRESQL)])
def running_site(request, tmp_path_factory, django_test_environment, django_db_blocker):
    with django_db_blocker.unblock():
        if request.param == "sqlite":
            site = Site(tmp_path_factory.mktemp("live"))
            yield site
            site.close()
            return
        server = os.environ.get("TEST_DATABASE_URL")
        if not server:
            rundirectory.cluster().start()
            server = rundirectory.cluster().url
        postgres = re.sub(r"/\w+(\?|$)", r"/postgres\1", server)
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
            site = Site(tmp_path_factory.mktemp("live"), re.sub(r"/\w+(\?|$)", rf"/{DATABASE}\1", server))
            yield site
            site.close()
            connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


class Writer:
    """The async store in another process: writer.rename(id, "new") has happened when it returns."""

    def __init__(self, site):
        environment = {**site.environment, "DJANGO_SETTINGS_MODULE": "sessions_site.settings"}
        command = [sys.executable, "-m", "tests.browser.live_writer", environment["DATABASE_URL"]]
        self.process = subprocess.Popen(
            command, cwd=CHECKOUT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout.readline() == "ready\n"

    def __getattr__(self, name):
        def method(*arguments):
            self.process.stdin.write(json.dumps([name, *arguments], default=str) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

        return method

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)  # seconds
        self.process.stdout.close()


@pytest.fixture(scope="module")
def running_writer(running_site):
    writer = Writer(running_site)
    yield writer
    writer.close()


@pytest.fixture
def writer(site, running_writer):
    return running_writer


@pytest.fixture
def page(site, open_page):
    """Each database and each width once: what is told has no width, and what is drawn no database."""
    return open_page("desktop" if site.environment["DATABASE_URL"].startswith("sqlite") else "phone")


def connected(page, path):
    """Goes there, and waits until the page was told up to where it follows."""
    page.goto(path)
    expect(page.locator("live-page")).to_have_attribute("data-state", "on")


def long_session(site, count=40):
    words = [f"message {number} " + "more words " * 30 for number in range(count)]
    return a_session(site.store, *words)


def said(*texts, role="assistant"):
    return [a_message(text, role) for text in texts]


def in_turn(words):
    return [a_message(text, ("user", "assistant")[index % 2]) for index, text in enumerate(words)]


class AList:
    def test_shows_new_sessions_titles_and_counts_by_itself(self, site, writer, page):
        old = a_session(site.store, "the first")
        connected(page, "/")
        page.evaluate("window.same = true")
        writer.create("/code/other", said("from another process", role="user"))
        expect(page.locator("tr[data-session] .title").first).to_have_text("from another process", timeout=SOON)
        expect(page.locator(".totals")).to_contain_text("2 sessions")
        writer.rename(old.id, "renamed elsewhere")
        expect(page.locator(f"#session-{old.id} .title")).to_have_text("renamed elsewhere", timeout=SOON)
        writer.append(old.id, said("more"))
        expect(page.locator("tr[data-session]").first).to_have_id(f"session-{old.id}", timeout=SOON)
        writer.delete(old.id)
        expect(page.locator(f"#session-{old.id}")).to_have_count(0, timeout=SOON)
        assert page.evaluate("window.same")  # by no reload

    def test_counts_projects_beside_it(self, site, writer, desktop):
        a_session(site.store, "the first")
        connected(desktop, "/")
        writer.create("/code/other", said("another", role="user"))
        expect(desktop.locator(".rail .project", has_text="other")).to_be_visible(timeout=SOON)
        expect(desktop.locator(".rail .project").first.locator(".count")).to_have_text("2")

    @ONE_DATABASE
    def test_keeps_more_rows_than_one_page_has(self, site, writer, desktop):
        for number in range(60):
            a_session(site.store, f"session {number}")
        connected(desktop, "/")
        desktop.get_by_role("link", name="Show 50 more").click()
        expect(desktop.locator("tr[data-session]")).to_have_count(60)
        writer.create("demo", said("the newest", role="user"))
        expect(desktop.locator("tr[data-session]")).to_have_count(61, timeout=SOON)
        expect(desktop.locator("tr[data-session] .title").last).to_have_text("session 0")

    @ONE_DATABASE
    def test_leaves_a_title_alone_that_is_being_edited_and_the_focus_where_it_is(self, site, writer, desktop):
        edited, focused = a_session(site.store, "edited"), a_session(site.store, "focused")
        connected(desktop, "/")
        desktop.locator(f"#session-{edited.id}").hover()
        desktop.locator(f"#session-{edited.id} [data-rename]").click()
        field = desktop.locator(f"#session-{edited.id} [name=title]")
        field.fill("half a wo")
        writer.append(edited.id, said("more"))
        expect(desktop.locator("tr[data-session]").first).to_have_id(f"session-{edited.id}", timeout=SOON)
        expect(field).to_have_value("half a wo")
        expect(field).to_be_focused()
        field.press("Escape")
        expect(desktop.locator(f"#session-{edited.id} .title")).to_be_focused()
        desktop.locator(f"#session-{focused.id} .title").focus()
        writer.append(focused.id, said("more"))
        expect(desktop.locator("tr[data-session]").first).to_have_id(f"session-{focused.id}", timeout=SOON)
        expect(desktop.locator(f"#session-{focused.id} .title")).to_be_focused()

    @ONE_DATABASE
    def test_takes_nothing_back_that_was_done_while_it_asked(self, site, writer, desktop):
        _, session, _ = (a_session(site.store, name) for name in ("one", "two", "three"))
        row = desktop.locator(f"#session-{session.id}:visible")
        connected(desktop, "/")
        held = []
        desktop.route(
            re.compile(r":\d+/$"), lambda route: route.continue_() if held else held.append((route, route.fetch()))
        )
        desktop.locator(f"#session-{session.id} .title").focus()
        desktop.keyboard.press("#")
        expect(row).to_have_count(0)
        while not held:
            desktop.wait_for_timeout(20)
        desktop.get_by_role("button", name="Undo").click()
        expect(row.locator(".title")).to_be_focused()
        for route, old in held:
            route.fulfill(response=old)
        desktop.wait_for_timeout(SECOND)
        expect(row.locator(".title")).to_be_focused()

    @ONE_DATABASE
    def test_can_be_worked_with_after_it_changed(self, site, writer, desktop):
        a_session(site.store, "the first")
        connected(desktop, "/")
        id = writer.create("demo", said("came in", role="user"))
        row = desktop.locator(f"#session-{id}")
        expect(row).to_be_visible(timeout=SOON)
        row.hover()
        row.locator("[data-trash] button").click()
        desktop.get_by_role("button", name="Undo").click()
        expect(row).to_be_visible()


class ATranscript:
    def test_shows_new_messages_at_its_end(self, site, writer, page):
        session = long_session(site, 4)
        connected(page, f"/sessions/{session.id}/")
        page.evaluate("window.same = true")
        for number in range(4, 7):
            writer.append(session.id, said(f"written elsewhere {number}"))
            expect(page.locator(f"#m{number}")).to_contain_text(f"elsewhere {number}", timeout=SOON)
        expect(page.locator("#end")).to_have_text("End of 7 messages")
        expect(page.locator(".facts")).to_contain_text("7 messages")
        assert page.locator(".message").count() == 7
        assert page.evaluate("window.same")

    def test_moves_nothing_under_its_reader_and_says_what_is_new(self, site, writer, page):
        session = long_session(site)
        connected(page, f"/sessions/{session.id}/")
        page.evaluate("scrollTo(0, 900)")
        page.wait_for_timeout(300)
        before = page.evaluate(TOP.format(10)), page.evaluate("scrollY")
        writer.append(session.id, said("new one", "new two"))
        expect(page.get_by_role("link", name="2 new messages")).to_be_visible(timeout=SOON)
        assert (page.evaluate(TOP.format(10)), page.evaluate("scrollY")) == before
        writer.append(session.id, said("new three"))
        page.get_by_role("link", name="3 new messages").click()
        expect(page.locator("#m40")).to_be_in_viewport()
        expect(page.get_by_role("link", name="3 new messages")).to_have_count(0)

    def test_stays_at_the_end_when_asked_to_follow(self, site, writer, page):
        session = long_session(site)
        connected(page, f"/sessions/{session.id}/")
        writer.append(session.id, said("new " * 300))
        page.get_by_role("button", name="Follow").click(timeout=SOON)
        expect(page.locator("#end")).to_be_in_viewport()
        for number in range(41, 44):
            writer.append(session.id, said(f"followed {number} " + "on " * 900))
            expect(page.locator(f"#m{number}")).to_be_attached(timeout=SOON)
            expect(page.locator("#end")).to_be_in_viewport()

    @ONE_DATABASE
    def test_puts_a_result_into_the_card_of_its_call_and_leaves_what_is_unfolded(self, site, writer, desktop):
        call = {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "make"}}],
        }
        result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "made it"}]}
        other = json.loads(json.dumps([call, result]).replace("t1", "t0"))
        session = site.store.create("demo", [a_message("build"), *other, call])
        connected(desktop, f"/sessions/{session.id}/")
        desktop.locator("#m1 summary").click()
        desktop.evaluate("document.getElementById('m1').same = true")
        writer.append(session.id, [result, *said("built")])
        expect(desktop.locator("#m5")).to_contain_text("built", timeout=SOON)
        desktop.locator("#m3 summary").click()
        expect(desktop.locator("#m3 .output", has_text="made it")).to_be_visible()
        assert desktop.evaluate("document.getElementById('m1').same && document.querySelector('#m1 details').open")

    @ONE_DATABASE
    def test_takes_nothing_away_while_it_is_pressed(self, site, writer, desktop):
        call = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "make"}}
        result = {"type": "tool_result", "tool_use_id": "t1", "content": "made it"}
        session = site.store.create("demo", [a_message("build"), {"role": "assistant", "content": [call]}])
        connected(desktop, f"/sessions/{session.id}/")
        desktop.locator("#m1 summary").hover()
        desktop.mouse.down()
        with desktop.expect_response(lambda answer: "held=" in answer.url):
            writer.append(session.id, [{"role": "user", "content": [result]}])
        desktop.wait_for_timeout(SECOND / 2)
        desktop.mouse.up()
        expect(desktop.locator("#m1 .output", has_text="made it")).to_be_visible(timeout=SOON)

    @ONE_DATABASE
    def test_loads_what_was_asked_for_though_it_is_drawn_anew_meanwhile(self, site, writer, desktop):
        session = long_session(site, 130)
        connected(desktop, f"/sessions/{session.id}/")
        held = []
        desktop.route("**/*edge=later*", lambda route: held.append(route))
        desktop.get_by_role("link", name="Later messages").click()
        words = [f"message {number} " + "more words " * 30 for number in range(140)]
        words[3] = "rewritten"
        writer.update(session.id, in_turn(words), 1)
        expect(desktop.locator("#m3")).to_contain_text("rewritten", timeout=SOON)
        held[0].continue_()
        expect(desktop.locator("#m119")).to_be_attached()

    def test_far_from_its_end_says_what_is_new_and_leads_there(self, site, writer, desktop):
        session = long_session(site, 130)
        connected(desktop, f"/sessions/{session.id}/")
        writer.append(session.id, said("at the very end"))
        desktop.get_by_role("link", name="1 new message").click(timeout=SOON)
        expect(desktop.locator("#m130")).to_be_in_viewport()

    def test_takes_in_more_than_a_window_at_once(self, site, writer, desktop):
        session = long_session(site, 4)
        connected(desktop, f"/sessions/{session.id}/")
        writer.append(session.id, said(*(f"burst {number}" for number in range(150))))
        expect(desktop.locator("#m50")).to_be_attached(timeout=SOON)
        desktop.get_by_role("link", name="Later messages").click()
        expect(desktop.locator("#m110")).to_be_attached()
        desktop.get_by_role("link", name="Later messages").click()
        expect(desktop.locator("#end")).to_have_text("End of 154 messages")
        writer.append(session.id, said("after it"))
        expect(desktop.locator("#m154")).to_be_attached(timeout=SOON)

    @ONE_DATABASE
    def test_of_prompts_alone_says_what_is_new_and_shows_it(self, site, writer, desktop):
        session = long_session(site, 4)
        connected(desktop, f"/sessions/{session.id}/?mode=focused")
        writer.append(session.id, said("a new prompt", role="user"))
        desktop.get_by_role("link", name="1 new message").click(timeout=SOON)
        expect(desktop.locator("#m4")).to_contain_text("a new prompt")

    def test_that_was_rewritten_is_shown_as_it_is_now(self, site, writer, desktop):
        session = long_session(site, 12)
        connected(desktop, f"/sessions/{session.id}/")
        writer.update(session.id, said("only this", role="user"), 1)
        expect(desktop.locator(".message")).to_have_count(1, timeout=SOON)
        expect(desktop.locator("#m0")).to_contain_text("only this")
        expect(desktop.locator("#end")).to_have_text("End of 1 message")

    def test_shows_a_rewrite_far_above_its_end_and_moves_nothing_else(self, site, writer, page):
        session = long_session(site, 130)
        connected(page, f"/sessions/{session.id}/")
        page.get_by_role("link", name="Later messages").click()
        expect(page.locator("#m119")).to_be_attached()
        page.get_by_role("link", name="Later messages").click()
        expect(page.locator("#end")).to_be_attached()
        page.evaluate("document.getElementById('m70').scrollIntoView()")
        page.wait_for_timeout(300)
        page.evaluate("window.same = document.getElementById('m70').same = true")
        before = page.evaluate(TOP.format(70))
        words = [f"message {number} " + "more words " * 30 for number in range(130)]
        words[3] = "rewritten " * 900
        writer.update(session.id, in_turn(words), 1)
        expect(page.locator("#m3")).to_contain_text("rewritten rewritten", timeout=SOON)
        expect(page.locator(".live [role=status]")).to_have_text("Rewritten: shown as it is now")
        page.wait_for_timeout(300)
        assert abs(page.evaluate(TOP.format(70)) - before) < 2  # pixels
        assert page.evaluate("window.same && document.getElementById('m70').same")
        assert page.locator(".message").count() == 130

    @ONE_DATABASE
    def test_stays_at_what_is_read_where_it_has_another_number_now(self, site, writer, desktop):
        session = long_session(site, 50)
        connected(desktop, f"/sessions/{session.id}/")
        desktop.evaluate("document.getElementById('m30').scrollIntoView()")
        desktop.wait_for_timeout(300)
        before = desktop.evaluate(TOP.format(30))
        words = [f"message {number} " + "more words " * 30 for number in range(50)]
        words[5:5] = ["put in between " * 200, "and this"]
        writer.update(session.id, in_turn(words), 1)
        expect(desktop.locator("#m6")).to_contain_text("and this", timeout=SOON)
        expect(desktop.locator("#m32")).to_contain_text("message 30 ")
        desktop.wait_for_timeout(300)
        assert abs(desktop.evaluate(TOP.format(32)) - before) < 2  # pixels

    @ONE_DATABASE
    def test_of_prompts_alone_shows_which_was_rewritten(self, site, writer, desktop):
        session = a_session(site.store, *(f"prompt {number}" for number in range(6)))
        connected(desktop, f"/sessions/{session.id}/?mode=focused")
        writer.update(session.id, said("another prompt", role="user"), 1)
        expect(desktop.locator("#m0")).to_contain_text("another prompt", timeout=SOON)
        expect(desktop.locator(".message")).to_have_count(1)

    @ONE_DATABASE
    def test_says_that_it_was_rewritten_where_nothing_is_left_of_what_it_shows(self, site, writer, desktop):
        session = long_session(site, 130)
        connected(desktop, f"/sessions/{session.id}/?from=100")
        writer.update(session.id, said("only this", role="user"), 1)
        desktop.get_by_role("link", name="This session was rewritten").click(timeout=SOON)
        expect(desktop.locator(".message")).to_have_count(1)

    def test_takes_its_title_and_forks_from_other_tabs_and_processes(self, site, writer, open_page):
        session = long_session(site, 4)
        one, other = open_page(), open_page("phone")
        for page in (one, other):
            connected(page, f"/sessions/{session.id}/")
        other.locator(".session-head [data-rename]").click()
        other.get_by_label("Title of the session").fill("from the other tab")
        other.keyboard.press("Enter")
        expect(one.locator("h1")).to_contain_text("from the other tab", timeout=SOON)
        expect(one).to_have_title(re.compile("from the other tab"))
        writer.fork_at(session.id, 2)
        expect(one.locator(".facts")).to_contain_text("1 fork", timeout=SOON)

    def test_begins_where_there_was_none(self, site, writer, desktop):
        session = site.store.create("demo", [])
        connected(desktop, f"/sessions/{session.id}/")
        writer.append(session.id, said("the first", role="user"))
        expect(desktop.locator("#m0")).to_contain_text("the first", timeout=SOON)
        writer.append(session.id, said("the second"))
        expect(desktop.locator("#m1")).to_contain_text("the second", timeout=SOON)


class ALineage:
    def test_grows_and_is_renamed_by_itself(self, site, writer, page):
        root = long_session(site, 4)
        connected(page, f"/sessions/{root.id}/lineage/")
        fork = writer.fork_at(root.id, 2)
        expect(page.locator(f"tr[id='r{fork.replace('-', '')[:10]}']")).to_be_visible(timeout=SOON)
        expect(page.locator(".facts")).to_contain_text("2 sessions")
        writer.rename(fork, "another way")
        expect(page.locator(f"tr[id='r{fork.replace('-', '')[:10]}'] .title")).to_have_text("another way", timeout=SOON)


class ACutConnection:
    def test_says_so_heals_and_catches_up(self, site, writer, page):
        sockets, blocked = [], []

        def route(socket):
            if blocked:
                socket.close(code=1012)
                return
            sockets.append(socket)
            socket.connect_to_server()

        page.route_web_socket(re.compile("/live/"), route)
        session = a_session(site.store, "the first")
        page.goto("/")
        expect(page.locator("live-page")).to_have_attribute("data-state", "on")
        blocked.append(True)
        sockets[-1].close(code=1012)
        status = page.locator(".live [role=status]")
        expect(status).to_have_text("Reconnecting…")
        page.route("**/*", lambda route: route.abort())  # nor do pages come
        writer.rename(session.id, "missed")
        page.wait_for_timeout(SECOND)
        expect(page.locator(".title").first).to_have_text("the first")
        page.unroute("**/*")
        blocked.clear()
        expect(page.locator(".title").first).to_have_text("missed", timeout=2 * SOON)
        expect(status).to_have_text("")
        assert len(sockets) == 2

    @ONE_DATABASE
    def test_leaves_all_else_working_and_pages_that_are_asked_for(self, site, writer, desktop):
        desktop.route_web_socket(re.compile("/live/"), lambda socket: socket.close(code=1011))
        session = a_session(site.store, "the first")
        desktop.goto("/")
        expect(desktop.locator(".live [role=status]")).to_have_text("Reconnecting…")
        desktop.locator(f"#session-{session.id}").hover()
        desktop.locator("[data-rename]").first.click()
        desktop.get_by_label("Title of the session").fill("renamed here")
        desktop.keyboard.press("Enter")
        expect(desktop.locator(".title").first).to_have_text("renamed here")
        writer.rename(session.id, "renamed there")
        expect(desktop.locator(".title").first).to_have_text("renamed there", timeout=15 * SECOND)

    def test_that_was_let_in_no_longer_is_told_nothing_more(self, site, writer, desktop):
        session = a_session(site.store, "the first")
        connected(desktop, "/")
        site.run(browsers.revoke_all)
        expect(desktop.locator(".live [role=status]")).to_have_text("You are no longer let in.", timeout=SOON)
        writer.rename(session.id, "a secret")
        desktop.wait_for_timeout(SECOND)
        expect(desktop.locator(".title").first).to_have_text("the first")


class SwitchedOff:
    @ONE_DATABASE
    def test_a_page_opens_no_socket_until_it_is_switched_on(self, site, writer, desktop):
        session = a_session(site.store, "the first")
        connected(desktop, "/")
        desktop.keyboard.press("?")
        desktop.get_by_label("Pages follow what is written").uncheck()
        desktop.get_by_role("button", name="Close").click()
        writer.rename(session.id, "unseen")
        desktop.wait_for_timeout(SECOND)
        expect(desktop.locator(".title").first).to_have_text("the first")
        opened = []
        desktop.on("websocket", lambda socket: opened.append(socket.url))
        desktop.reload()
        expect(desktop.locator(".title").first).to_have_text("unseen")
        assert opened == []
        desktop.keyboard.press("?")
        desktop.get_by_label("Pages follow what is written").check()
        writer.rename(session.id, "seen")
        expect(desktop.locator(".title").first).to_have_text("seen", timeout=SOON)

    @ONE_DATABASE
    def test_a_page_without_javascript_reads(self, site, plain_page):
        session = a_session(site.store, "the first")
        plain_page.goto(f"/sessions/{session.id}/")
        expect(plain_page.locator("#m0")).to_contain_text("the first")


class WhatItSays:
    @pytest.mark.once
    def test_is_clean_in_every_width_and_scheme(self, site, writer, page):
        session = long_session(site)
        connected(page, f"/sessions/{session.id}/")
        writer.append(session.id, said("new one"))
        expect(page.get_by_role("link", name="1 new message")).to_be_visible()
        if pictures := os.environ.get("PICTURES"):
            page.screenshot(path=f"{pictures}/live-{page.viewport_size['width']}.png")
        assert accessibility.findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
