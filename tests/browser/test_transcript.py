"""Reading a session in the browser: its page in both widths and schemes, by mouse, by key and without JavaScript."""

import re

import pytest
from django.core.management import call_command
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.builders import a_session

TOP = "document.getElementById('m{}').getBoundingClientRect().top"

TOPS_OF_LATER = """async () => {
    const link = document.querySelector("[data-edge=later]"), tops = [];
    link.scrollIntoView({ block: "center" });
    while (tops.length < 10) {
        await new Promise(requestAnimationFrame);
        tops.push(Math.round(link.getBoundingClientRect().top));
    }
    return tops;
}"""
GROW = "document.querySelector('#m59').style.paddingBottom = '300px'"


def said(text, role="assistant"):
    return {"role": role, "content": text}


def numbered(count):
    return [said(f"message {n}\n\n" + "more words " * (n % 40), ("user", "assistant")[n % 2]) for n in range(count)]


@pytest.fixture
def long(site):
    return site.store.create("/code/shop", numbered(200))


@pytest.fixture
def demo(site):
    """The demo's sessions by their titles."""
    from sessions_app.models import Session

    site.run(call_command, "demo")
    return site.run(lambda: {each.title: each.pk for each in Session.objects.all()})


class APage:
    @pytest.mark.parametrize(
        "title",
        [
            "One cent between the screen and the PDF",
            "Try whole cents instead of Decimal",
            "Tile p99 went from 40 to 190 ms",
        ],
    )
    def test_has_no_findings_of_axe_with_everything_unfolded(self, demo, any_page, title, picture):
        any_page.goto(f"/sessions/{demo[title]}/")
        picture(any_page, f"transcript-{title.split()[0].lower()}")
        any_page.evaluate("document.querySelectorAll('.stream details').forEach((each) => { each.open = true; })")
        assert accessibility.findings(any_page) == []

    def test_fits_its_width(self, demo, any_page):
        any_page.goto(f"/sessions/{demo['One cent between the screen and the PDF']}/")
        any_page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def test_shows_times_and_days_in_the_viewers_zone(self, site, browser):
        at = ["2026-03-01T20:30:00Z", "2026-03-01T21:30:00Z"]
        session = site.store.create(
            "demo", [said(f"at {n}", "user") | {"timestamp": time} for n, time in enumerate(at)]
        )
        with browser.new_context(**site.let_in, timezone_id="Asia/Tokyo") as context:
            page = context.new_page()
            page.goto(f"/sessions/{session.id}/")
            assert page.locator("clock-time").all_inner_texts() == ["05:30", "06:30"]
            assert page.locator("day-line").all_inner_texts() == ["Monday 2 March 2026"]

    def test_colours_code_when_it_comes_near(self, site, desktop):
        session = site.store.create("demo", [said("```python\ndef rename(): pass\n```")])
        desktop.goto(f"/sessions/{session.id}/")
        desktop.locator(".hljs-keyword").first.wait_for()
        assert desktop.locator("pre").inner_text().strip() == "def rename(): pass"

    def test_loads_no_highlighter_where_there_is_no_code(self, long, desktop):
        loaded = []
        desktop.on("request", lambda request: loaded.append(request.url))
        desktop.goto(f"/sessions/{long.id}/")
        assert not [url for url in loaded if "highlight" in url]


class MoreMessages:
    def test_come_in_below_and_above_without_moving_what_is_read(self, long, page):
        page.goto(f"/sessions/{long.id}/m/101/")
        for edge, position, loaded in (("earlier", 81, 21), ("later", 140, 199), ("earlier", 21, 0)):
            link = page.locator(f".fold[data-edge={edge}]")
            for _ in range(3):  # messages that come into view for the first time push the link away
                link.scroll_into_view_if_needed()
                page.wait_for_timeout(200)  # milliseconds
            before = page.evaluate(TOP.format(position))
            link.click()
            page.locator(f"#m{loaded}").wait_for(state="attached")
            page.wait_for_timeout(200)
            assert abs(page.evaluate(TOP.format(position)) - before) < 4  # pixels
        assert page.locator(".message").count() == 200

    def test_can_be_had_without_javascript(self, long, plain_page):
        plain_page.goto(f"/sessions/{long.id}/")
        plain_page.get_by_role("link", name="Later messages").press("Enter")
        plain_page.locator("#m60").wait_for()
        plain_page.get_by_role("link", name="Earlier messages").press("Enter")
        plain_page.locator("#m59").wait_for()
        expect(plain_page).to_have_url(re.compile(r"\?from=0#m59$"))

    def test_keep_the_focus_for_readers_by_keyboard(self, long, desktop):
        desktop.goto(f"/sessions/{long.id}/")
        desktop.locator(".fold[data-edge=later]").focus()
        desktop.keyboard.press("Enter")
        desktop.locator("#m60").wait_for()
        expect(desktop.locator("#m60")).to_be_focused()


class TheLinkToLaterMessages:
    @pytest.fixture
    def wordy(self, site):
        """Messages that are taller than what they are taken for before they are drawn."""
        return site.store.create("demo", [said(f"message {number} " + "more words " * 30) for number in range(130)])

    def test_stays_where_it_came_into_view(self, wordy, page):
        page.goto(f"/sessions/{wordy.id}/")
        assert len(set(page.evaluate(TOPS_OF_LATER))) == 1

    def test_is_followed_though_it_moves_away_while_the_mouse_is_down(self, wordy, desktop):
        desktop.goto(f"/sessions/{wordy.id}/")
        desktop.get_by_role("link", name="Later messages").hover()
        desktop.mouse.down()
        desktop.evaluate(GROW)
        desktop.mouse.up()
        expect(desktop.locator("#m119")).to_be_attached()

    def test_is_followed_though_it_moves_away_under_a_finger(self, wordy, phone):
        phone.goto(f"/sessions/{wordy.id}/")
        link = phone.get_by_role("link", name="Later messages")
        link.scroll_into_view_if_needed()
        place = link.bounding_box()
        touch = phone.context.new_cdp_session(phone)
        points = [{"x": place["x"] + 40, "y": place["y"] + 20}]
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points})
        phone.evaluate(GROW)
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        expect(phone.locator("#m119")).to_be_attached()

    def test_is_not_followed_by_who_draws_the_pointer_away_from_it(self, wordy, desktop):
        desktop.goto(f"/sessions/{wordy.id}/")
        desktop.get_by_role("link", name="Later messages").hover()
        desktop.mouse.down()
        desktop.mouse.move(300, 300)
        desktop.mouse.up()
        desktop.wait_for_timeout(300)
        expect(desktop.locator(".message")).to_have_count(60)


class AnAnchor:
    def test_brings_its_message_into_view_and_marks_it(self, long, page):
        page.goto(f"/sessions/{long.id}/m/141/?q=message%20141")
        page.wait_for_timeout(300)
        assert 0 < page.evaluate(TOP.format(141)) < 400
        assert page.locator("#m141 mark").inner_text() == "message 141"
        assert page.locator("#m141[data-target]").count() == 1

    def test_becomes_the_address_when_its_number_is_clicked(self, long, desktop):
        desktop.goto(f"/sessions/{long.id}/")
        desktop.locator("#m3 > .at").click()
        expect(desktop).to_have_url(re.compile(f"/sessions/{long.id}/m/3/$"))
        expect(desktop.locator("#m3[data-target]")).to_have_count(1)


class Keys:
    def test_go_from_message_to_message_and_from_prompt_to_prompt(self, long, desktop):
        desktop.goto(f"/sessions/{long.id}/")
        for key, expected in (("j", "m1"), ("j", "m2"), ("Shift+J", "m4"), ("k", "m3"), ("Shift+K", "m2")):
            desktop.keyboard.press(key)
            expect(desktop.locator(f"#{expected}")).to_be_focused()

    def test_p_opens_the_parent_at_the_fork_point(self, site, long, desktop):
        fork = site.store.fork_at(long.id, 41)
        site.store.append(fork.id, [said("other", "user")])
        desktop.goto(f"/sessions/{fork.id}/")
        desktop.keyboard.press("p")
        desktop.wait_for_url(f"**/sessions/{long.id}/m/40/")

    def test_stand_in_the_help(self, long, desktop):
        desktop.goto(f"/sessions/{long.id}/")
        desktop.keyboard.press("?")
        expect(desktop.locator("#modal")).to_contain_text("Next prompt")


class TheOutline:
    def test_goes_to_a_prompt_and_follows_the_reader(self, long, desktop):
        desktop.goto(f"/sessions/{long.id}/")
        desktop.locator(".outline [data-position='40']").click()
        desktop.wait_for_timeout(300)
        assert 0 < desktop.evaluate(TOP.format(40)) < 400
        desktop.locator(".outline [data-position='40'][aria-current]").wait_for()

    def test_opens_on_the_phone_when_asked_for(self, long, phone):
        phone.goto(f"/sessions/{long.id}/")
        assert not phone.locator(".outline").is_visible()
        phone.get_by_role("link", name="100 prompts").click()
        phone.locator(".outline [data-position='20']").click()
        phone.wait_for_timeout(300)
        assert not phone.locator(".outline").is_visible()
        assert 0 < phone.evaluate(TOP.format(20)) < 400


class AMessage:
    @pytest.mark.parametrize(
        ("choice", "expected"), [("Copy text", "**bold** words"), ("Copy JSON", '"content": "**bold** words"')]
    )
    def test_is_copied(self, site, desktop, choice, expected):
        session = site.store.create("demo", [said("**bold** words", "user")])
        desktop.context.grant_permissions(["clipboard-read", "clipboard-write"])
        desktop.goto(f"/sessions/{session.id}/")
        desktop.get_by_role("button", name="Copy #0").click()
        desktop.get_by_role("menuitem", name=choice).click()
        desktop.locator("#announcer", has_text="copied").wait_for(state="attached")
        assert expected in desktop.evaluate("navigator.clipboard.readText()")

    def test_is_forked_from_without_javascript_too(self, long, plain_page):
        plain_page.goto(f"/sessions/{long.id}/")
        plain_page.locator("#m4").get_by_role("button", name=re.compile("Fork")).click()
        expect(plain_page.locator(".crumb")).to_contain_text("fork of message 0")
        expect(plain_page.locator(".message")).to_have_count(5)


class ACard:
    @pytest.fixture
    def session(self, site):
        call = {"id": "c", "name": "Bash", "args": {"command": "seq 214"}}
        output = "\n".join(f"\x1b[3{n % 8}mline {n}\x1b[0m" for n in range(214))
        messages = [
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": output},
        ]
        return site.store.create("demo", messages)

    def test_unfolds_and_brings_the_rest_in_its_place(self, session, page):
        page.goto(f"/sessions/{session.id}/")
        assert not page.locator(".terminal").is_visible()
        page.locator(".tool > summary").click()
        expect(page.locator(".terminal")).to_have_text(re.compile(r"line 11\s*$"))
        page.get_by_role("link", name="Show all 214 lines").click()
        page.locator(".terminal", has_text="line 213").wait_for()
        assert page.url.endswith(f"/sessions/{session.id}/")

    def test_unfolds_without_javascript(self, session, plain_page):
        plain_page.goto(f"/sessions/{session.id}/")
        plain_page.locator(".tool > summary").click()
        plain_page.get_by_role("link", name="Show all 214 lines").click()
        expect(plain_page.locator("body")).to_have_text(re.compile(r"line 213\s*$"))


class TheHead:
    def test_renames_in_place(self, site, long, page):
        page.goto(f"/sessions/{long.id}/")
        page.get_by_role("link", name="Rename").click()
        page.get_by_label("Title of the session").fill("Better words")
        page.keyboard.press("Enter")
        page.locator("h1", has_text="Better words").wait_for()
        assert site.store.get(long.id).title == "Better words"

    def test_moves_the_session_to_the_trash_and_offers_undo(self, site, long, page):
        page.goto(f"/sessions/{long.id}/")
        page.get_by_role("button", name="Move to the trash").click()
        page.get_by_role("button", name="Undo").wait_for()
        assert site.store.get(long.id) is None

    def test_offers_undo_where_an_open_page_is_told_of_it_first(self, site, long, open_page):
        page = open_page()
        other = page.context.new_page()
        other.goto("/")
        expect(other.locator("live-page")).to_have_attribute("data-state", "on")
        page.goto(f"/sessions/{long.id}/")

        def answer_late(route):
            answer = route.fetch(max_redirects=0)
            other.locator(f"#session-{long.id}").wait_for(state="detached")
            route.fulfill(response=answer)

        page.route("**/delete/", answer_late)
        page.get_by_role("button", name="Move to the trash").click()

        expect(page.get_by_role("button", name="Undo")).to_be_visible()

    def test_shows_prompts_and_answers_only_when_asked(self, long, page):
        page.goto(f"/sessions/{long.id}/")
        page.get_by_role("link", name="Focused").click()
        page.wait_for_url("**mode=focused**")
        expect(page.get_by_role("link", name="Focused")).to_have_attribute("aria-current", "true")
        expect(page.locator(".message")).to_have_count(50)


class ARange:
    def test_of_messages_is_one_link(self, desktop, site):
        session = a_session(site.store, *[f"message {number}" for number in range(9)])
        desktop.goto(f"/sessions/{session.id}/")
        desktop.get_by_role("link", name="#5", exact=True).click()
        desktop.get_by_role("link", name="#3", exact=True).click(modifiers=["Shift"])

        expect(desktop).to_have_url(re.compile(f"/sessions/{session.id}/m/3/#m3-5$"))
        expect(desktop.locator(".message[data-target]")).to_have_count(3)

        desktop.reload()
        expect(desktop.locator(".message[data-target]")).to_have_count(3)
        expect(desktop.locator("#m3")).to_be_in_viewport()

    def test_that_is_not_on_the_page_marks_nothing(self, desktop, site):
        session = a_session(site.store, "one", "two")
        desktop.goto(f"/sessions/{session.id}/#m40-50")
        expect(desktop.locator(".message")).to_have_count(2)
        expect(desktop.locator(".message[data-target]")).to_have_count(0)

    def test_is_walked_from_session_to_session_by_key(self, desktop, site):
        first, second = (a_session(site.store, name) for name in ("first", "second"))
        desktop.goto(f"/sessions/{second.id}/")
        desktop.keyboard.press("]")
        expect(desktop).to_have_url(re.compile(f"/sessions/{first.id}/$"))
        desktop.keyboard.press("[")
        expect(desktop).to_have_url(re.compile(f"/sessions/{second.id}/$"))


class Kinds:
    """Tool calls, thinking and notices can be left out, in every session until they are wanted again."""

    @pytest.fixture
    def mixed(self, site):
        call = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "make test"}}
        result = {"type": "tool_result", "tool_use_id": "t1", "content": "42 passed"}
        return site.store.create(
            "/code/shop",
            [
                said("Run the tests", "user"),
                said([{"type": "thinking", "thinking": "They are in make."}]),
                said([call]),
                said([result], "user"),
                said([{"type": "text", "text": "Here they are:"}, call | {"id": "t2"}]),
                said("All passed"),
            ],
        )

    def test_are_left_out_and_stay_so(self, mixed, desktop):
        desktop.goto(f"/sessions/{mixed.id}/")
        expect(desktop.locator(".tool:visible")).to_have_count(2)
        desktop.get_by_text("All kinds").click()
        desktop.get_by_label("Tool calls").uncheck()
        expect(desktop.locator(".tool:visible")).to_have_count(0)
        expect(desktop.get_by_text("Here they are:")).to_be_visible()
        expect(desktop.locator("#announcer")).to_have_text("Without tool calls")

        desktop.reload()

        expect(desktop.locator(".tool:visible")).to_have_count(0)
        expect(desktop.locator("shown-kinds summary")).to_have_text("Without tool calls")
        desktop.locator("shown-kinds summary").click()
        desktop.get_by_label("Tool calls").check()
        expect(desktop.locator(".tool:visible")).to_have_count(2)

    def test_that_are_left_out_are_passed_over_by_key(self, mixed, desktop):
        desktop.goto(f"/sessions/{mixed.id}/")
        desktop.locator("shown-kinds summary").click()
        desktop.get_by_label("Tool calls").uncheck()
        desktop.get_by_label("Thinking").uncheck()
        desktop.locator("shown-kinds summary").click()
        desktop.evaluate("document.activeElement.blur()")
        desktop.keyboard.press("j")
        expect(desktop.locator("#m4")).to_be_focused()

    def test_that_are_left_out_are_shown_when_they_are_asked_for(self, mixed, desktop):
        desktop.goto(f"/sessions/{mixed.id}/")
        desktop.evaluate("localStorage.setItem('hidden-kinds', 'tool')")
        desktop.goto(f"/sessions/{mixed.id}/m/2/")
        expect(desktop.locator("#m2 .tool")).to_be_visible()

    def test_need_javascript_to_be_chosen(self, mixed, plain_page):
        plain_page.goto(f"/sessions/{mixed.id}/")
        expect(plain_page.locator("shown-kinds")).to_be_hidden()
        expect(plain_page.locator(".tool:visible")).to_have_count(2)


class Files:
    def test_are_had_from_the_head(self, site, desktop, tmp_path):
        session = site.store.create("/code/shop", [said("When is high tide?", "user"), said("At noon.")])
        desktop.goto(f"/sessions/{session.id}/")
        desktop.locator(".actions summary").filter(has_text="Export").click()
        with desktop.expect_download() as download:
            desktop.get_by_role("link", name="Markdown").click()
        download.value.save_as(tmp_path / "file.md")
        assert "At noon." in (tmp_path / "file.md").read_text()


def test_a_printed_transcript_has_no_controls(site, desktop):
    session = site.store.create("/code/shop", [said("When is high tide?", "user"), said("At noon.")])
    desktop.goto(f"/sessions/{session.id}/")
    desktop.emulate_media(media="print")
    expect(desktop.get_by_text("At noon.")).to_be_visible()
    for control in (".actions", ".top", ".outline", ".tools", "shown-kinds"):
        expect(desktop.locator(f"{control}:visible")).to_have_count(0)
