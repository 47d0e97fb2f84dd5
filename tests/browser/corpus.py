"""A public collection of attacks by markup and script, and a careless page on which it has to work."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import brs_kb

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

LONG = bool(os.environ.get("FORKLORE_LONG"))
SHORT = 900  # payloads, always the same ones, unless FORKLORE_LONG=1 asks for all
FRAMES = 150  # payloads at once on the careless page


def payloads() -> list[str]:
    every = list(dict.fromkeys(entry["payload"] for entry in brs_kb.get_all_payloads().values()))
    return every if LONG else random.Random(9).sample(every, SHORT)


def packed(texts: list[str], length: int, separator: str = " ") -> list[str]:
    """As few lines as hold all texts, each at most `length` long; a longer text has one of its own, cut."""
    lines: list[str] = []
    for text in sorted(texts, key=len):
        if lines and len(lines[-1]) + len(separator) + len(text) <= length:
            lines[-1] += separator + text
        else:
            lines.append(text[:length])
    return lines


# What a payload does to show that it ran. A page of ours uses none of these. The control tells its parent, and ends what
# would tell for ever.
TELLTALE = """
    window.ran = [];
    for (const name of ["alert", "confirm", "prompt", "print"]) {
        const told = () => { window.ran.push(name); REPORT; if (window.ran.length > 99) throw new Error("often enough"); };
        Object.defineProperty(window, name, { configurable: true, get: () => told, set: () => {} });
    }
"""

# Every handler that stands in an attribute is called, every element is touched, and every link of a script is followed.
EVENTS = """(root) => {
    for (const each of root.querySelectorAll("*")) {
        const kinds = [...each.attributes].filter(({ name }) => name.startsWith("on")).map(({ name }) => name.slice(2));
        const isLink = each.closest("a, button, summary, label, input") !== null;
        if (/^(javascript|data|vbscript):/i.test(each.protocol ?? "") || !isLink) kinds.push("click");
        for (const kind of [...kinds, "mouseover", "focus", "load", "error"])
            try { each.dispatchEvent(new MouseEvent(kind, { cancelable: true })); } catch {}
    }
}"""

# Where a careless page writes what it is given: as text, as a string of a script, as a value in one, as a whole script, in
# attributes, in handlers and as the address of a link. One that swallows what follows it has run before, or not at all.
CARELESS = (
    "<script>f('PAYLOAD')</script><script>f(\"PAYLOAD\")</script><script>f(`PAYLOAD`)</script><script>f(PAYLOAD)</script>"
    "<script>PAYLOAD</script><input value=\"PAYLOAD\"><input value='PAYLOAD'><p title=PAYLOAD></p>"
    '<a href="PAYLOAD">link</a><b onclick="PAYLOAD">b</b><b onclick="f(\'PAYLOAD\')">b</b><div>PAYLOAD</div>'
)
# Within a sandbox, from which nothing leads up, and in it a frame for each payload.
RUNS = """([telltale, events, careless, payloads]) => new Promise((resolve) => {
    const box = document.createElement("iframe");
    box.sandbox = "allow-scripts allow-same-origin";
    addEventListener("message", (event) => { if (Array.isArray(event.data)) { box.remove(); resolve(event.data); } });
    setTimeout(() => resolve([]), 20000);
    const runner = async () => {
        const ran = new Set(), frames = [];
        window.report = (index) => ran.add(index);
        const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));
        for (const [index, payload] of payloads.entries()) {
            const frame = document.createElement("iframe");
            document.body.append(frame);
            frames.push(frame);
            const own = frame.contentDocument;
            own.write(`<script>${telltale.replace("REPORT", `parent.report(${index})`)} const f = () => {};</scr`
                + "ipt><body>" + careless.replaceAll("PAYLOAD", () => payload));
            own.close();
            if (index % 10 === 0) await pause(0);
        }
        await pause(200);
        for (const frame of frames) { try { events(frame.contentDocument); } catch {} }
        await pause(200);
        parent.postMessage([...ran], "*");
    };
    const text = JSON.stringify([telltale, careless, payloads]).replaceAll("<", "\\\\u003c");
    box.srcdoc = `<body><script>const [telltale, careless, payloads] = ${text}; const events = ${events};
        (${runner})();</scr` + "ipt>";
    document.body.append(box);
})"""


def run_raw(browser: Browser, texts: list[str]) -> set[str]:
    """Those payloads that ran on the careless page, which has no policy. Other hosts answer with a script that tells."""
    context = browser.new_context()
    context.route("**/*", _answer)
    ran: set[str] = set()
    for start in range(0, len(texts), FRAMES):
        some = texts[start : start + FRAMES]
        page = context.new_page()
        page.goto("http://careless.invalid/")
        page.on("dialog", lambda dialog: dialog.dismiss())
        ran.update(some[index] for index in page.evaluate(RUNS, [TELLTALE, EVENTS, CARELESS, some]))
        page.close()
    context.close()
    return ran


def _answer(route: Route) -> None:
    if route.request.url == "http://careless.invalid/":
        route.fulfill(body="<body>", content_type="text/html")
    elif route.request.resource_type == "script":
        route.fulfill(body="alert(1)", content_type="text/javascript")
    else:
        route.abort()
