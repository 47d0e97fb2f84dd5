"""Search in a browser: as you type, by keys, and without JavaScript."""

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.builders import a_session


@pytest.fixture
def sessions(site):
    return [
        a_session(site.store, "first", "a needle in a haystack"),
        a_session(site.store, "second", "the Needle's eye", "and <mark>needle</mark>"),
        a_session(site.store, "third", "nothing here"),
    ]


def box(page):
    return page.get_by_label("Search sessions, messages and code")


def found(page):
    return page.locator(".group .title")


class Searching:
    def test_starts_in_the_bar_of_every_page(self, page, sessions):
        page.goto("/projects/")
        page.get_by_label("Search sessions").fill("needle")
        page.get_by_label("Search sessions").press("Enter")

        page.wait_for_url("**/search/?q=needle")
        expect(found(page)).to_have_text(["second", "first"])
        expect(page.locator(".hit mark")).to_have_text(["Needle", "needle", "needle"])

    def test_goes_on_while_you_type_and_the_address_follows(self, page, sessions):
        page.goto("/search/")
        box(page).press_sequentially("needle")
        expect(found(page)).to_have_count(2)
        page.wait_for_url("**/search/?q=needle")
        expect(box(page)).to_be_focused()

        box(page).press_sequentially(" in")
        expect(found(page)).to_have_text(["first"])
        expect(page).to_have_title("needle in · Search · Forklore")
        page.reload()
        expect(found(page)).to_have_text(["first"])
        expect(box(page)).to_have_value("needle in")

    def test_jumps_to_the_message(self, page, sessions):
        page.goto("/search/?q=haystack")
        page.locator(".hit [data-jump]").click()
        page.wait_for_url(f"**/sessions/{sessions[0].id}/m/1/?q=haystack")
        page.go_back()
        expect(found(page)).to_have_text(["first"])

    def test_is_moved_through_by_keys(self, desktop, sessions):
        desktop.goto("/search/?q=needle")
        for key in ("j", "j", "j", "k", "Enter"):
            desktop.keyboard.press(key)
        desktop.wait_for_url(f"**/sessions/{sessions[1].id}/m/2/?q=needle")

    @pytest.mark.parametrize("path", ["/", "/projects/", "/search/?q=needle", "/trash/", "/sessions/{}/"])
    def test_finds_its_box_by_a_slash(self, desktop, sessions, path):
        desktop.goto(path.format(sessions[0].id))
        desktop.keyboard.press("/")
        expect(desktop.locator("[data-find]")).to_be_focused()

    def test_drops_an_answer_that_was_overtaken(self, desktop, sessions):
        waiting, dropped = [], []
        desktop.on("requestfailed", lambda request: dropped.append(request.url))
        desktop.route("**/search/?q=needle", lambda route: waiting.append(route))  # and leave it without an answer
        desktop.goto("/search/")
        with desktop.expect_request("**/search/?q=needle"):
            box(desktop).press_sequentially("needle")
        box(desktop).press_sequentially(" in")

        expect(found(desktop)).to_have_text(["first"])
        assert len(waiting) == 1
        assert [url.rpartition("/")[2] for url in dropped] == ["?q=needle"]
        expect(box(desktop)).to_have_value("needle in")

    def test_underlines_a_typo_and_offers_what_was_meant(self, page, sessions):
        page.goto("/search/")
        box(page).press_sequentially("bfore:2099 needle")
        expect(page.locator("#words span")).to_have_text("bfore:2099")
        box(page).press_sequentially(" in")
        expect(found(page)).to_have_text(["first"])
        expect(page.locator("#words span")).to_have_text("bfore:2099")

        page.get_by_role("link", name="Use before:2099").click()

        page.wait_for_url("**/search/?q=before%3A2099+needle+in")
        expect(page.locator("#words span")).to_have_count(0)
        page.go_back()
        expect(box(page)).to_have_value("bfore:2099 needle in")
        page.go_forward()
        expect(box(page)).to_have_value("before:2099 needle in")

    def test_keeps_the_line_beneath_a_word_of_a_long_query(self, phone, sessions):
        phone.goto("/search/?q=project:demo%20role:assistant%20after:2020-01-01%20bfore:2099%20needle")
        word = phone.locator("#words span")
        before = word.bounding_box()["x"]
        box(phone).press("End")
        scrolled = box(phone).evaluate("(field) => field.scrollLeft")
        assert scrolled > 0
        for _ in range(100):  # looks at most, 20 ms apart
            if phone.locator("#words").evaluate("(words) => words.scrollLeft"):
                break
            phone.wait_for_timeout(20)
        assert word.bounding_box()["x"] == pytest.approx(before - scrolled, abs=1)

    def test_takes_its_counts_back_with_the_text(self, desktop, sessions):
        desktop.goto("/search/?q=needle")
        expect(desktop.locator(".facet").first).to_be_visible()
        box(desktop).fill("")
        expect(desktop.locator(".facet")).to_have_count(0)
        expect(desktop.locator("#results")).to_contain_text("What are you looking for?")

    def test_goes_on_below_the_first_hits(self, page, site):
        for _ in range(3):
            a_session(site.store, *["needle"] * 20)
        page.goto("/search/?q=needle")
        page.get_by_role("link", name="More hits").click()
        expect(page.locator(".hit")).to_have_count(60)
        expect(page.get_by_role("link", name="More hits")).to_have_count(0)

    def test_says_that_nothing_was_found(self, page, sessions):
        page.goto("/search/")
        box(page).fill("zebra")
        expect(page.locator("#results")).to_contain_text("Nothing contains “zebra”.")

    def test_shows_a_message_shared_by_forks_once(self, page, site, sessions):
        fork = site.store.fork_at(sessions[0].id, 2)
        site.store.rename(fork.id, "its fork")
        page.goto("/search/?q=haystack")
        expect(page.locator(".group")).to_have_count(1)
        page.get_by_text("also in 1 fork").click()
        expect(page.locator(".also li")).to_be_visible()

    def test_works_without_javascript(self, plain_page, sessions):
        plain_page.goto("/search/")
        box(plain_page).fill("needle")
        box(plain_page).press("Enter")
        expect(found(plain_page)).to_have_text(["second", "first"])

        plain_page.get_by_role("link", name="Narrow down").click()
        plain_page.get_by_role("checkbox", name="user").click()
        expect(box(plain_page)).to_have_value("role:user needle")

    def test_is_accessible(self, any_page, site, sessions):
        site.store.fork_at(sessions[0].id, 2)
        for query in ("needle", "", "bfore:2026 role:user needle", "zebra"):
            any_page.goto(f"/search/?q={query}")
            any_page.wait_for_load_state("networkidle")
            assert accessibility.findings(any_page) == []
            assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")


class FindingInASession:
    @pytest.fixture
    def long(self, site):
        """Needles at 3 and 150, the second in the output of a tool, and two in the last message."""
        texts = [f"message {number}" for number in range(200)]
        texts[3] = "a needle here"
        texts[199] = "a needle and another needle"
        messages = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]
        messages[149] = {"role": "assistant", "content": None, "tool_calls": [call("1", "ls")]}
        messages[150] = {"role": "tool", "tool_call_id": "1", "content": "x\n" * 90 + "the NEEDLE\n" + "y\n" * 90}
        return site.store.create("demo", messages)

    def field(self, page):
        return page.get_by_label("Find in this session").and_(page.locator("input"))

    def open(self, page, size):
        if size == "phone":
            page.locator(".find-link").click()
        else:
            page.keyboard.press("s")
        expect(self.field(page)).to_be_focused()

    def count(self, page):
        return page.locator("session-find .count")

    @pytest.mark.parametrize("size", ["desktop", "phone"])
    def test_counts_and_goes_through_all_of_it(self, open_page, long, size):
        page = open_page(size)
        page.goto(f"/sessions/{long.id}/")
        self.open(page, size)
        self.field(page).press_sequentially("needle")
        expect(self.count(page)).to_have_text("3")

        self.field(page).press("Enter")
        page.wait_for_url(f"**/sessions/{long.id}/m/3/?q=needle")
        expect(self.count(page)).to_have_text("1 of 3")
        expect(page.locator("mark[data-current]")).to_have_text("needle")
        expect(self.field(page)).to_be_focused()

        self.field(page).press("Enter")
        page.wait_for_url(f"**/sessions/{long.id}/m/150/?q=needle")
        expect(page.locator("mark[data-current]")).to_have_text("NEEDLE")
        expect(page.locator("mark[data-current]")).to_be_in_viewport()

        page.get_by_label("Match before").click()
        page.wait_for_url(f"**/sessions/{long.id}/m/3/?q=needle")

    def test_goes_from_match_to_match_by_keys_without_a_new_page(self, desktop, site, long):
        desktop.goto(f"/sessions/{long.id}/m/199/?q=needle")
        desktop.evaluate("window.same = true")
        expect(desktop.locator("mark[data-current]")).to_be_in_viewport()
        desktop.keyboard.press("n")
        expect(desktop.locator("mark").last).to_have_attribute("data-current", "")
        desktop.keyboard.press("N")
        expect(desktop.locator("mark").first).to_have_attribute("data-current", "")
        assert desktop.evaluate("window.same")

    def test_goes_on_within_the_page_that_is_loaded(self, desktop, site):
        near = a_session(site.store, "needle", "no", "needle", "no", "needle")
        desktop.goto(f"/sessions/{near.id}/m/0/?q=needle")
        desktop.evaluate("window.same = true")
        desktop.keyboard.press("n")
        expect(self.count(desktop)).to_have_text("2 of 3")
        desktop.wait_for_url(f"**/sessions/{near.id}/m/2/?q=needle")
        desktop.keyboard.press("N")
        desktop.keyboard.press("N")
        expect(self.count(desktop)).to_have_text("3 of 3")
        assert desktop.evaluate("window.same")

    @pytest.fixture
    def folded(self, site):
        """Needles in a thought, in a call and deep in its result, all of which are folded."""
        thought = [{"type": "thinking", "thinking": "First words.\n\nA needle."}]
        run = {"type": "tool_use", "id": "1", "name": "Bash", "input": {"command": "grep needle hay"}}
        output = "x\n" * 200 + "the NEEDLE\n" + "y\n" * 200
        result = [{"type": "tool_result", "tool_use_id": "1", "content": output}]
        return site.store.create(
            "demo",
            [
                {"role": "user", "content": "a needle"},
                {"role": "assistant", "content": thought},
                {"role": "assistant", "content": [run]},
                {"role": "user", "content": result},
                {"role": "user", "content": "thanks"},
            ],
        )

    @pytest.mark.parametrize(("position", "words"), [(1, "needle"), (2, "needle"), (3, "NEEDLE")])
    def test_opens_what_holds_the_match(self, page, folded, position, words):
        page.goto(f"/sessions/{folded.id}/m/{position}/?q=needle")
        expect(page.locator("mark[data-current]")).to_have_text(words)
        expect(page.locator("mark[data-current]")).to_be_in_viewport()

    def test_opens_what_holds_the_next_match(self, desktop, folded):
        desktop.goto(f"/sessions/{folded.id}/m/0/?q=needle")
        for place, words in ((2, "needle"), (3, "needle"), (4, "NEEDLE")):
            desktop.keyboard.press("n")
            expect(self.count(desktop)).to_have_text(f"{place} of 4")
            expect(desktop.locator("mark[data-current]")).to_have_text(words)
            expect(desktop.locator("mark[data-current]")).to_be_in_viewport()

    def test_covers_no_text_on_the_phone(self, phone, long):
        phone.goto(f"/sessions/{long.id}/m/199/?q=needle")
        expect(self.count(phone)).to_have_text("3 of 3")
        phone.evaluate("scrollTo(0, document.body.scrollHeight)")
        end = phone.locator("#end").bounding_box()
        assert end["y"] + end["height"] <= phone.locator("session-find").bounding_box()["y"]

    def test_shows_the_message_without_javascript(self, plain_page, long):
        plain_page.goto(f"/sessions/{long.id}/m/150/?q=needle")
        expect(plain_page.locator("#m149")).to_be_in_viewport()
        expect(plain_page.locator("#m149 mark")).to_be_visible()

    def test_ends_by_escape(self, desktop, long):
        desktop.goto(f"/sessions/{long.id}/m/3/?q=needle")
        self.field(desktop).press("Escape")
        desktop.wait_for_url(f"**/sessions/{long.id}/m/3/")
        expect(desktop.locator("mark")).to_have_count(0)

    def test_works_without_javascript(self, plain_page, long):
        plain_page.goto(f"/sessions/{long.id}/#find")
        self.field(plain_page).fill("needle")
        self.field(plain_page).press("Enter")
        plain_page.wait_for_url(f"**/sessions/{long.id}/m/3/?q=needle")
        expect(self.count(plain_page)).to_have_text("1 of 3")
        plain_page.get_by_label("Next match").click()
        plain_page.wait_for_url(f"**/sessions/{long.id}/m/150/?q=needle")

    def test_is_accessible(self, any_page, long):
        any_page.goto(f"/sessions/{long.id}/m/3/?q=needle")
        expect(self.count(any_page)).to_have_text("1 of 3")
        assert accessibility.findings(any_page) == []
        assert any_page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def call(id, command):
    return {"id": id, "type": "function", "function": {"name": "shell", "arguments": f'{{"command": "{command}"}}'}}
