"""The main job by keys alone: from the list to what is searched for, through it, to a fork of it and back out of the trash."""

from playwright.sync_api import expect

from tests.builders import a_session

STEPS = 120  # presses of the tab key, within which everything of a page is reached


def tab_to(page, element, key="Tab"):
    """By the tab key, as somebody without a mouse comes to what has no key of its own."""
    expect(element).to_be_visible()
    for _ in range(STEPS):
        page.keyboard.press(key)
        if element.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{STEPS} tabs do not lead to {element}.")


def test_the_main_job_takes_no_mouse(desktop, site):
    a_session(site.store, "something else")
    told = a_session(
        site.store, "first question", "an answer", "the zebra question", "stripes", "last question", "done"
    )
    desktop.goto("/")

    desktop.keyboard.press("/")
    desktop.keyboard.type("zebra")
    desktop.keyboard.press("Enter")
    hit = desktop.locator(".results .hit [data-jump], .results .hit .title").first
    expect(hit).to_be_visible()
    desktop.keyboard.press("j")
    desktop.keyboard.press("Enter")
    desktop.wait_for_url(f"**/sessions/{told.id}/**")

    prompt = desktop.locator(".message:focus, .message:focus-within")
    expect(desktop.locator("#m2")).to_be_visible()
    for _ in range(3):  # from wherever in its three prompts the hit was
        desktop.keyboard.press("J")
    expect(prompt).to_contain_text("last question")
    desktop.keyboard.press("K")
    expect(prompt).to_contain_text("the zebra question")
    desktop.keyboard.press("K")
    expect(prompt).to_contain_text("first question")
    desktop.keyboard.press("j")
    expect(prompt).to_contain_text("an answer")

    tab_to(desktop, desktop.get_by_role("button", name="Fork", exact=True), "Shift+Tab")
    desktop.keyboard.press("Enter")
    expect(desktop.locator("h1")).to_contain_text("(fork)")

    desktop.keyboard.press("r")
    expect(desktop.get_by_label("Title of the session")).to_be_focused()
    desktop.keyboard.type("zebra, the other way")
    desktop.keyboard.press("Enter")
    expect(desktop.locator("h1")).to_contain_text("zebra, the other way")

    tab_to(desktop, desktop.get_by_role("button", name="Move to the trash"))
    desktop.keyboard.press("Enter")
    expect(desktop.locator("#toasts")).to_contain_text("Moved “zebra, the other way” to the trash")
    expect(desktop.get_by_role("link", name="zebra, the other way", exact=True)).to_have_count(0)
    desktop.keyboard.press("z")
    expect(desktop.get_by_role("link", name="zebra, the other way", exact=True)).to_be_visible()
    fork = site.store.latest("demo")
    assert (fork.title, fork.parent_id) == ("zebra, the other way", told.id)
