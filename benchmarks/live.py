"""Measures how soon open pages show a commit in another process, while many are open, and what they cost at rest.

    python3 run.py benchmark live [--database sqlite|postgresql] [--sockets 1000] [--commits 30] [--idle 10]

Half of the sockets watch the lists and half the transcript, so that each is told of each commit; beside them Chromium
has both pages open, and what counts is when the commit is seen there. Prints a table for each database, and ends with 1
if a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import urllib.request
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.measuring import KINDS, database, verdict
from sessions_app import store
from sessions_app.access import codes, sockets, tokens
from tests.browser import chromium
from tests.builders import user_environment
from tests.servers import Server

CHECKOUT = Path(__file__).parent.parent
LATEST = 1000.0  # milliseconds from a commit to the page
LONGEST = 15  # seconds in which a page may show the first commit, or the last one
OPENED_AT_ONCE = 50
TICKS = os.sysconf("SC_CLK_TCK")
# Notes in a page when it first shows which of the writer's messages, by the number that is behind it.
WATCH = """() => {
  window.seen = {};
  const look = () => {
    const list = document.querySelector("tr[data-session] td.messages");
    const last = [...document.querySelectorAll("transcript-stream .message")].at(-1)?.textContent.match(/message (\\d+)/);
    const number = list ? Number(list.textContent) - 2 : last ? Number(last[1]) : -1;
    if (number >= 0) window.seen[number] ??= Date.now();
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


def main() -> int:
    options = _options()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    missed = []
    for kind in options.database or KINDS:
        with database(kind) as url:
            missed += [f"{kind}: {name}" for name in _measure(kind, url, options)]
    return verdict(missed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", action="append", choices=KINDS)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--commits", type=int, default=30)
    parser.add_argument("--idle", type=float, default=10, help="seconds for which nothing is written")
    return parser.parse_args()


def _measure(kind: str, url: str, options: argparse.Namespace) -> list[str]:
    session = store.create("bench", [{"role": "user", "content": "begin"}])
    credentials = [tokens.create(f"bench {number}") for number in range(-(-options.sockets // sockets.MOST))]
    environment = user_environment(DATABASE_URL=url)
    with Server([sys.executable, "manage.py", "up", "--port=0", "--no-browser"], CHECKOUT, environment) as server:
        writer = [sys.executable, "-m", "benchmarks.live_writer", url, str(session.id), str(options.commits)]
        cookie = None if chromium.missing() else _let_in(server.url)
        return asyncio.run(_run(kind, server, writer, credentials, session.id, cookie, options))


def _let_in(url: str) -> dict[str, Any]:
    """The cookie of a browser that a launch code has let in."""

    class StayHere(urllib.request.HTTPRedirectHandler):
        def http_error_303(self, request: Any, answer: Any, *rest: Any) -> Any:
            return answer

    opener = urllib.request.build_opener(StayHere)
    with opener.open(url + "/enter/", urlencode({"code": codes.make()}).encode()) as answer:
        (cookie,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
    return {"name": cookie.key, "value": cookie.value, "url": url, "httpOnly": True, "sameSite": "Strict"}


async def _run(
    kind: str,
    server: Server,
    writer: list[str],
    credentials: list[str],
    session: UUID,
    cookie: dict[str, Any] | None,
    options: argparse.Namespace,
) -> list[str]:
    address = server.url.replace("http://", "ws://") + "/live/"
    opened: list[ClientConnection] = []
    for start in range(0, options.sockets, OPENED_AT_ONCE):
        numbers = range(start, min(start + OPENED_AT_ONCE, options.sockets))
        opened += await asyncio.gather(
            *(
                _open(address, credentials[number // sockets.MOST], None if number % 2 else session)
                for number in numbers
            )
        )
    arrivals: list[list[float]] = [[] for _ in opened]
    readers = [asyncio.create_task(_read(each, times)) for each, times in zip(opened, arrivals, strict=True)]
    pid = server.process.pid
    idle = await _cpu(pid, asyncio.sleep(options.idle))
    if cookie is None:
        print(chromium.HOW_TO_GET)
        commits, busy, seen = *await asyncio.to_thread(_commits, writer, pid), {}
    else:
        commits, busy, seen = await _commits_seen(server.url, cookie, session, writer, pid)
    await asyncio.sleep(1)
    for reader in readers:
        reader.cancel()
    resident = _resident(pid)
    await asyncio.gather(*(each.close() for each in opened), return_exceptions=True)
    missed = _report(kind, len(opened), commits, arrivals, idle, busy, resident)
    return missed + [name for place, times in seen.items() for name in _report_seen(place, commits, times)]


async def _commits_seen(
    url: str, cookie: dict[str, Any], session: UUID, writer: list[str], pid: int
) -> tuple[list[float], float, dict[str, dict[int, float]]]:
    """What _commits gives, and when Chromium first showed each commit on the list and in the transcript."""
    from playwright.async_api import async_playwright

    apart = time.time() - time.monotonic()  # between the clock of a page and that of the writer
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.path(), args=chromium.arguments())
        try:
            pages = {}
            for place, path in {"list": "/", "transcript": f"/sessions/{session}/"}.items():
                # A window each, for a page that nobody looks at waits.
                context = await browser.new_context(base_url=url, viewport={"width": 1280, "height": 800})
                await context.add_cookies([cookie])  # type: ignore[list-item]
                pages[place] = await context.new_page()
                await pages[place].goto(path)
                await (
                    pages[place].locator("live-page[data-state=on]").wait_for(state="attached", timeout=LONGEST * 1000)
                )
                await pages[place].evaluate(WATCH)
            commits, busy = await asyncio.to_thread(_commits, writer, pid)
            await asyncio.sleep(LATEST / 1000)
            found = {place: await page.evaluate("window.seen") for place, page in pages.items()}
        finally:
            await browser.close()
    seen = {place: {int(number): at / 1000 - apart for number, at in times.items()} for place, times in found.items()}
    return commits, busy, seen


def _report_seen(place: str, commits: list[float], seen: dict[int, float]) -> list[str]:
    """A commit that is overtaken by the next one is seen with that."""
    taken = []
    for number, moment in enumerate(commits):
        first = min((at for later, at in seen.items() if later >= number), default=float("inf"))
        taken.append((first - moment) * 1000)
    taken.sort()
    late = taken[int(len(taken) * 0.95)]
    print(
        f"  commit in another process to the DOM of the {place}, ms:"
        f" p50 {statistics.median(taken):.0f}, p95 {late:.0f}, max {taken[-1]:.0f}",
        flush=True,
    )
    return [] if late < LATEST else [f"p95 to the {place} is not under {LATEST:.0f} ms"]


async def _open(address: str, token: str, session: UUID | None) -> ClientConnection:
    headers = {"Authorization": f"Bearer {token}"}
    socket = await connect(
        address, additional_headers=headers, compression=None, ping_interval=None, proxy=None, open_timeout=60
    )
    await socket.send(json.dumps({"session": str(session)} if session else {"lists": True}))
    await socket.recv()
    return socket


async def _read(socket: ClientConnection, times: list[float]) -> None:
    async for _ in socket:
        times.append(time.monotonic())


def _commits(writer: list[str], pid: int) -> tuple[list[float], float]:
    """When each commit had happened, and the share of a core that the server took meanwhile."""
    with subprocess.Popen(writer, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()  # that it begins
        began, before = time.monotonic(), _seconds_of(pid)
        moments = [float(line) for line in process.stdout]
    return moments, (_seconds_of(pid) - before) / (time.monotonic() - began)


async def _cpu(pid: int, work) -> float:
    began, before = time.monotonic(), _seconds_of(pid)
    await work
    return (_seconds_of(pid) - before) / (time.monotonic() - began)


def _seconds_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _resident(pid: int) -> float:
    """Megabytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def _report(
    kind: str,
    opened: int,
    commits: list[float],
    arrivals: list[list[float]],
    idle: float,
    busy: float,
    resident: float,
) -> list[str]:
    taken, untold = [], 0
    for moment, following in zip(commits, [*commits[1:], float("inf")], strict=True):
        for times in arrivals:
            first = next((each for each in times if moment <= each < following), None)
            if first is None:
                untold += 1
            else:
                taken.append((first - moment) * 1000)
    taken.sort()
    middle, late, last = (
        (statistics.median(taken), taken[int(len(taken) * 0.95)], taken[-1]) if taken else (float("nan"),) * 3
    )
    print(f"\n{kind}: {opened:,} sockets, {len(commits)} commits, {untold} frames missing")
    print(f"  commit in another process to the frame, ms: p50 {middle:.0f}, p95 {late:.0f}, max {last:.0f}")
    print(f"  server at rest: {idle:.1%} of a core; while it tells: {busy:.1%}; {resident:.0f} MB", flush=True)
    missed = [] if taken and late < LATEST else [f"p95 is not under {LATEST:.0f} ms"]
    return missed + ([f"{untold} frames are missing"] if untold else [])


if __name__ == "__main__":
    sys.exit(main())
