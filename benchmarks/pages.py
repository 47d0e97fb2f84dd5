"""Measures what the pages cost: the server's time and the bytes of lists and transcripts, and the first paint.

    python3 run.py benchmark pages [--database sqlite|postgresql] [--sessions 22000]... [--messages 47000]... [--paint]

Pages are asked for through the whole site in one process, without a socket. Prints p50 and p95 and the bars of issue 5,
and ends with 1 if one of them is missed. --paint starts Chromium on a server of its own, on SQLite.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

from django.conf import settings
from django.test import Client

from benchmarks.lists import a_project, bare_sessions
from benchmarks.measuring import KINDS, database, quantiles, verdict
from benchmarks.texts import Texts
from sessions_app import store
from sessions_app.access import browsers

LIST_MOST = 30.0  # milliseconds, p95
WINDOW_MOST = 50.0
PAINT_MOST = 300.0
FLAT_MOST = 1.3  # times that a window of the longest session takes as long as one of a thousand messages
TURNS = 60
PROJECTS = 40
HUGE_OUTPUTS, HUGE = 20, 500_000  # outputs of one session, and their bytes


def main() -> int:
    options = _options()
    missed = []
    for kind in options.database or KINDS:
        for count in options.sessions or [22_000, 100_000]:
            with database(kind):
                bare_sessions(count, PROJECTS)
                missed += _lists(f"{kind}, {count:,} sessions")
        with database(kind):
            missed += _transcripts(kind, options.messages or [10, 1_000, 47_000])
    if options.paint:
        missed += _paint()
    return verdict(missed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", action="append", choices=KINDS)
    parser.add_argument("--sessions", action="append", type=int)
    parser.add_argument("--messages", action="append", type=int)
    parser.add_argument("--paint", action="store_true")
    return parser.parse_args()


def _lists(name: str) -> list[str]:
    print(f"\n{name:50} {'p50':>9} {'p95':>9} ms {'bytes':>10} {'gzip':>9}", flush=True)
    client = _let_in()
    (following,) = re.findall(r'href="([^"]*after=[^"]*)"', client.get("/").text)
    paths = {
        "newest": "/",
        "newest, further down": unescape(following),
        "by size": "/?sort=-size",
        "by title": "/?sort=title",
        "by turns": "/?sort=-turns",
        "by messages": "/?sort=-messages",
        "of a project": f"/projects/{a_project(PROJECTS // 2)}/",
        "projects": "/projects/",
        "trash": "/trash/",
    }
    return [f"{name}: {each}" for each, path in paths.items() if _page(client, each, path) > LIST_MOST]


def _transcripts(kind: str, lengths: list[int]) -> list[str]:
    name = f"{kind}, transcripts"
    print(f"\n{name:50} {'p50':>9} {'p95':>9} ms {'bytes':>10} {'gzip':>9}", flush=True)
    client, missed, late = _let_in(), [], {}
    for count in lengths:
        id = _session(count)
        for place, rest in {"start": "", "middle": f"m/{count // 2}/"}.items():
            told = f"{count:,} messages, {place}"
            late[count, place] = _page(client, told, f"/sessions/{id}/{rest}")
            missed += [f"{name}: {told}"] if late[count, place] > WINDOW_MOST else []
    longest = max(lengths)
    if 1_000 in lengths and longest > 1_000:
        growth = late[longest, "middle"] / late[1_000, "middle"]
        print(f"  p95 of {longest:,} messages to that of 1,000: {growth:.2f}")
        missed += [f"{name}: flat in length"] if growth > FLAT_MOST else []
    told = f"{HUGE_OUTPUTS} outputs of {HUGE // 1000} KB"
    missed += [f"{name}: {told}"] if _page(client, told, f"/sessions/{_huge()}/") > WINDOW_MOST else []
    return missed


def _page(client: Client, name: str, path: str) -> float:
    """Print what a page costs; its p95."""
    answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}.")
    middle, late = quantiles(lambda turn: client.get(path), TURNS)
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
    print(f"  {name:48} {middle:9.2f} {late:9.2f}    {len(body):10,} {len(zlib.compress(body, 6)):9,}", flush=True)
    return late


def _let_in() -> Client:
    client = Client(headers={"host": "127.0.0.1"})
    client.cookies[settings.FORKLORE_COOKIE] = browsers.let_in()
    return client


def _session(count: int) -> object:
    choose, texts = random.Random(count), Texts()
    messages = texts.messages(choose, count)
    id = store.create("bench", messages[:1000]).id
    for start in range(1000, count, 1000):
        store.append(id, messages[start : start + 1000])
    return id


def _huge() -> object:
    line = "".join(chr(97 + number % 26) for number in range(99)) + "\n"
    messages = []
    for number in range(HUGE_OUTPUTS):
        call = {"id": f"call_{number}", "name": "shell", "args": {"command": f"cat {number}"}}
        messages.append({"role": "user", "content": f"Show file {number}."})
        messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"call_{number}", "content": line * (HUGE // len(line))})
    return store.create("bench", messages).id


def _paint() -> list[str]:
    from tests.browser.site import Site

    with tempfile.TemporaryDirectory(prefix="forklore-benchmark-") as directory:
        site = Site(Path(directory))
        try:
            site.run(bare_sessions, 22_000, PROJECTS)
            id = site.run(_session, 47_000)
            print("\nfirst contentful paint in Chromium", flush=True)
            paths = {"22,000 sessions": "/", "47,000 messages": f"/sessions/{id}/"}
            return [f"paint: {name}" for name, late in _painted(site.let_in, paths) if late > PAINT_MOST]
        finally:
            site.close()


def _painted(let_in: dict, paths: dict[str, str]) -> Iterator[tuple[str, float]]:
    from playwright.sync_api import sync_playwright

    from tests.browser import chromium

    first_paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.path(), args=chromium.arguments())
        page = browser.new_context(**let_in).new_page()
        for name, path in paths.items():

            def open_it(turn: int, path: str = path) -> float:
                page.goto(path)
                while (painted := page.evaluate(first_paint)) is None:
                    page.wait_for_timeout(20)  # not wait_for_function(), which our policy for scripts keeps from it
                return painted

            taken = sorted(_each(open_it, 20))
            print(f"  {name:48} {taken[10]:9.0f} {taken[18]:9.0f} ms", flush=True)
            yield name, taken[18]
        browser.close()


def _each(call: Callable[[int], float], times: int) -> list[float]:
    call(-1)
    return [call(turn) for turn in range(times)]


if __name__ == "__main__":
    sys.exit(main())
