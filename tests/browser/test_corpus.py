"""A public collection of attacks by markup, on every page that shows content; and raw, where it has to work.

FORKLORE_LONG=1 takes all of it.
"""

from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import quote
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from sessions_app import cleanup, store
from sessions_app.errors import StoreError
from sessions_app.records import SessionRecord
from tests.browser.corpus import EVENTS, LONG, TELLTALE, packed, payloads, run_raw

pytestmark = pytest.mark.once
PAYLOADS = payloads()
TOGETHER = 15  # payloads in a message, of which a page shows sixty
QUERIES = None if LONG else 5  # pages that show what was searched for
FOUND = "alert"  # what most payloads hold


@pytest.fixture
def watched(open_page):
    """A page that writes down what ran in it, what it asked for and where it went."""
    return watch(open_page())


def watch(page):
    page.set_default_timeout(30_000)  # milliseconds
    page.requests, page.dialogs, page.went, page.visited = [], [], [], {"about:blank"}
    page.add_init_script(TELLTALE.replace("REPORT;", ""))
    page.on("request", lambda request: page.requests.append(request))
    page.on("dialog", lambda dialog: (page.dialogs.append(dialog.message), dialog.dismiss()))
    page.on("framenavigated", lambda frame: page.went.append(frame.url))
    return page


def visit(page, address):
    """Open a page, and see that nothing on it acts, neither by itself nor where it is touched."""
    page.requests.clear()
    answer = page.goto(address)
    assert answer.ok, address
    page.visited.add(answer.url)
    shows_no_harm(page)
    assert page.url == answer.url


def shows_no_harm(page):
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    page.evaluate(f"({EVENTS})(document)")
    page.wait_for_timeout(100)  # milliseconds, for what would start by itself
    assert page.evaluate("window.ran") == []
    assert page.dialogs == []
    assert len([request for request in page.requests if request.is_navigation_request()]) == 1
    assert set(page.went) <= page.visited  # of which one may be told after the next was asked for
    own = page.evaluate("location.origin")
    assert [request.url for request in page.requests if not request.url.startswith((own, "data:"))] == []
    unasked = [request.url for request in page.requests if "hx-request" in request.headers]
    assert [url for url in unasked if not url.startswith(f"{own}/search/?")] == []  # the search page's own
    assert [url for url in unasked if "part=" not in url] == []


def visit_all(page, address, *, at_least):
    """A list, and the pages that follow it."""
    visited = 0
    while address:
        visit(page, address)
        visited += 1
        links = page.locator(".more-row a, .more-hits a").evaluate_all("all => all.map(each => each.href)")
        address = links[0] if links else None
    assert visited >= at_least


def line(role, *blocks, **more):
    return {"type": role, "message": {"role": role, "content": list(blocks)}, **more}


def asked(texts, number):
    yield line("user", *({"type": "text", "text": text} for text in texts))


def answered(texts, number):
    yield line("assistant", *({"type": "text", "text": text} for text in texts))


def thought(texts, number):
    yield line("assistant", *({"type": "thinking", "thinking": text} for text in texts))


def linked(texts, number):
    """In the places of Markdown: addresses, titles, pictures, names of languages, cells."""
    shapes = "[x]({0}) [x](<{0}>) ![{0}]({0})\n\n[x](http://a.invalid '{0}') <{0}> http://a.invalid/{0}\n\n"
    shapes += "| {0} |\n|-|\n| `{0}` |\n\n~~~{0}\n{0}\n~~~\n"
    yield line("assistant", *({"type": "text", "text": shapes.replace("{0}", text)} for text in texts))


def called(texts, number):
    ids = [f"c{number}-{index}" for index in range(len(texts))]
    yield line(
        "assistant",
        *(
            {"type": "tool_use", "id": id, "name": text, "input": {"command": text, text: [text]}}
            for id, text in zip(ids, texts, strict=True)
        ),
    )
    yield line(
        "user",
        *(
            {"type": "tool_result", "tool_use_id": id, "content": text, "is_error": not index % 3}
            for index, (id, text) in enumerate(zip(ids, texts, strict=True))
        ),
    )


def edited(texts, number):
    found = []
    for index, text in enumerate(texts):
        name = ("Bash", "Write", "WebFetch", "Task", "TodoWrite")[(number + index) % 5]
        tasks = {"content": text, "status": text}
        others = dict.fromkeys(("command", "description", "file_path", "content", "url", "prompt"), text)
        change = {"file_path": text, "old_string": f"a {text}", "new_string": f"b {text}"}
        blocks = [("Edit", change), (name, others | {"todos": [tasks]})]
        named = [(f"{number}-{index}-{tool}", tool, given) for tool, given in blocks]
        found += ({"type": "tool_use", "id": id, "name": tool, "input": given} for id, tool, given in named)
    yield line("assistant", *found)


def noted(texts, number):
    text = texts[0]
    yield {"type": "summary", "summary": "\n".join(texts), "leafUuid": text}
    yield {"kind": text, **{each: [each] for each in texts}}
    yield {"forklore:unreadable": {"line": number, "why": text, "text": "\n".join(texts)}}
    said = [{"type": "image", "source": {"type": "url", "url": each}} for each in texts]
    made = [{"type": "image", "source": {"type": "base64", "media_type": each, "data": each}} for each in texts]
    yield line("user", *said, *made, timestamp=text)
    yield {"type": "assistant", "timestamp": text, "message": {"role": "assistant", "model": text, "content": text}}


WAYS = {way.__name__: way for way in (asked, answered, thought, linked, called, edited, noted)}


def portions(texts, length=TOGETHER):
    return [texts[start : start + length] for start in range(0, len(texts), length)]


def messages(way):
    return [message for number, texts in enumerate(portions(PAYLOADS)) for message in way(texts, number)]


def fill_lists():
    """Sessions in a lineage and beside it, with payloads for titles, projects, tags and agents; the root, a fork."""
    titles = packed(PAYLOADS, 200)
    root = store.create("plain", [{"role": "user", "content": FOUND}])
    forks = []
    for title, texts in zip(titles, portions(PAYLOADS, -(-len(PAYLOADS) // len(titles))), strict=False):
        forks.append(store.fork("plain", root.id, [{"role": "user", "content": text} for text in texts], 1))
        with suppress(StoreError):
            store.rename(forks[-1].id, title)
    for text in packed([named(text) for text in PAYLOADS], 255):
        with suppress(StoreError):
            found = store.create(text, [{"role": "user", "content": FOUND}], agent=text[:40])
            store.rename(found.id, text[:200])
            store.tag(found.id, "".join(text.split()).replace('"', "")[:50])
    return str(root.id), [str(fork.id) for fork in forks]


def fill_trash(titles):
    """Each title in a project that a policy of clean-up names by its number, once live and once in the trash."""
    for number, some in enumerate(portions(titles, 20)):
        cleanup.save_policy(f"part {number}", f"project:part-{number}", "archive", enabled=False)
        for title in some:
            with suppress(StoreError):
                store.put(an_old_session(f"part-{number}", title))
            trashed = store.create("trashed", [{"role": "user", "content": title}])
            with suppress(StoreError):
                store.rename(trashed.id, title)
            store.delete(trashed.id)


def an_old_session(project, title):
    """One that clean-up does not keep for running."""
    then = datetime(2026, 1, 1, tzinfo=UTC)
    return SessionRecord(uuid4(), project, then, then, None, title, 1, [{"role": "user", "content": "hello"}], "user")


def named(text):
    """What a project may be called."""
    return "".join(letter for letter in text if letter.isprintable()).strip() or "plain"


class Corpus:
    @pytest.mark.parametrize("way", WAYS)
    def test_does_nothing_in_a_transcript(self, site, watched, way):
        session = site.store.create("plain", messages(WAYS[way]))
        for start in range(0, session.message_count, 60):
            visit(watched, f"/sessions/{session.id}/?from={start}")
        visit(watched, f"/sessions/{session.id}/m/0/?q={FOUND}")
        visit(watched, f"/sessions/{session.id}/?mode=focused&q=%3C")

    def test_does_nothing_in_what_arrives_while_a_page_is_open(self, site, watched):
        session = site.store.create("plain", [{"role": "user", "content": "hello"}])
        watched.goto(f"/sessions/{session.id}/")
        some = [message for texts in portions(PAYLOADS[:90]) for message in answered(texts, 0)]
        site.store.append(session.id, [*some, {"role": "assistant", "content": "the last word"}])
        expect(watched.get_by_text("the last word").first).to_be_visible()
        assert watched.evaluate("window.ran") == []
        assert watched.dialogs == []

    def test_does_nothing_in_titles_projects_tags_snippets_and_queries(self, site, watched):
        root, forks = site.run(fill_lists)
        visit_all(watched, "/", at_least=len(forks) // 50)
        visit_all(watched, f"/search/?q={FOUND}", at_least=2)
        for address in ("/projects/", "/projects/plain/", "/import/", "/api/", "/settings/", "/settings/audit/"):
            visit(watched, address)
        for start in range(0, len(forks), 50):
            visit(watched, f"/sessions/{root}/lineage/?from={start}&q={FOUND}")
        for text in packed(PAYLOADS, 200, "\n")[:QUERIES]:
            visit(watched, f"/search/?q={quote(text.encode('utf-8', 'replace'))}")
            visit(watched, f"/projects/?q={quote(text.encode('utf-8', 'replace'))}")

    def test_does_nothing_in_the_trash_in_clean_up_and_in_the_admin(self, site, open_page, monkeypatch):
        titles = packed(PAYLOADS, 200)
        site.run(fill_trash, titles)
        page = watch(open_page())
        visit_all(page, "/trash/", at_least=len(titles) // 50)
        for number in range(-(-len(titles) // 20)):
            visit(page, f"/cleanup/?policy=part%20{number}&show=goes")
            assert page.locator("section[aria-labelledby=goes] bdi").count() > 10 or number
        monkeypatch.setitem(site.environment, "DJANGO_SUPERUSER_PASSWORD", "secret")
        site.command("createsuperuser", "--noinput", "--username=ann", "--email=ann@example.org")
        page.goto("/admin/")
        page.get_by_label("Username").fill("ann")
        page.get_by_label("Password").fill("secret")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("link", name="Log out").or_(page.get_by_role("button", name="Log out"))).to_be_visible()
        page.visited.update({page.url, *page.went})
        for number in range(-(-len(titles) // 50)):
            visit(page, f"/admin/forklore/session/?p={number + 1}")
            assert page.locator("#result_list tbody tr").count()
        visit(page, "/admin/forklore/project/")

    def test_does_nothing_in_a_comparison(self, site, watched):
        root = site.store.create("plain", [{"role": "user", "content": "hello"}])
        for texts in portions(PAYLOADS, 150):
            one, other = (site.store.fork_at(root.id, 1) for _ in range(2))
            for fork, role, name in ((one, "user", "a"), (other, "assistant", "b")):
                said = [{"role": role, "content": f"{name} {text}"} for text in texts]
                site.store.append(fork.id, [{"role": "user", "content": f"which {name}"}, *said])
            visit(watched, f"/compare/{one.id}/{other.id}/")

    @pytest.mark.parametrize("shape", ["html without its policy", "html"])
    def test_does_nothing_in_an_exported_file(self, site, browser, tmp_path, shape):
        session = site.store.create(
            "plain", [message for way in (asked, answered, called) for message in messages(way)]
        )
        site.store.rename(session.id, PAYLOADS[0][:200])
        file = tmp_path / "sessions.html"
        site.command("export_sessions", str(file), str(session.id), "--format", "html")
        if shape != "html":
            whole = file.read_text()
            file.write_text(whole.replace('http-equiv="Content-Security-Policy"', "", 1))
            assert file.read_text() != whole
        context = browser.new_context()
        page = watch(context.new_page())
        page.goto(file.as_uri())
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        page.evaluate(f"({EVENTS})(document)")
        page.wait_for_timeout(300)  # milliseconds, for what would start by itself
        assert page.evaluate("window.ran") == []
        assert page.dialogs == []
        assert set(page.went) == {file.as_uri()}
        assert [request.url for request in page.requests if not request.url.startswith(("data:", file.as_uri()))] == []
        context.close()

    @pytest.mark.parametrize("kind", ["json", "text", "markdown"])
    def test_does_nothing_in_the_raw_view(self, site, watched, kind):
        session = site.store.create("plain", [{"role": "assistant", "content": "\n".join(PAYLOADS)}])
        visit(watched, f"/sessions/{session.id}/m/0/raw/?as={kind}")
        assert watched.evaluate("document.body.children.length") == 1

    def test_acts_where_nothing_is_done_about_it(self, browser):
        """Else the tests above would show nothing."""
        ran = run_raw(browser, PAYLOADS)
        print(f"{len(ran)} of {len(PAYLOADS)} payloads ran raw")
        assert len(ran) >= len(PAYLOADS) / 4
