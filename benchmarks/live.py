"""Measures how soon an open page is told of a commit in another process, while many are open, and what they cost at rest.

    python3 run.py benchmark live [--database sqlite|postgresql] [--sockets 1000] [--commits 30] [--idle 10]

All sockets watch the lists, so that each is told of each commit. Prints a table for each database, and ends with 1 if a
bar is missed.
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
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.measuring import KINDS, database, verdict
from sessions_app import store
from sessions_app.access import sockets, tokens
from tests.builders import user_environment
from tests.servers import Server

CHECKOUT = Path(__file__).parent.parent
LATEST = 1000.0  # milliseconds from a commit to the page, of which this is a part
OPENED_AT_ONCE = 50
TICKS = os.sysconf("SC_CLK_TCK")


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
        return asyncio.run(_run(kind, server, writer, credentials, options))


async def _run(
    kind: str, server: Server, writer: list[str], credentials: list[str], options: argparse.Namespace
) -> list[str]:
    address = server.url.replace("http://", "ws://") + "/live/"
    opened: list[ClientConnection] = []
    for start in range(0, options.sockets, OPENED_AT_ONCE):
        numbers = range(start, min(start + OPENED_AT_ONCE, options.sockets))
        opened += await asyncio.gather(*(_open(address, credentials[number // sockets.MOST]) for number in numbers))
    arrivals: list[list[float]] = [[] for _ in opened]
    readers = [asyncio.create_task(_read(each, times)) for each, times in zip(opened, arrivals, strict=True)]
    pid = server.process.pid
    idle = await _cpu(pid, asyncio.sleep(options.idle))
    commits, busy = await asyncio.to_thread(_commits, writer, pid)
    await asyncio.sleep(1)
    for reader in readers:
        reader.cancel()
    resident = _resident(pid)
    await asyncio.gather(*(each.close() for each in opened), return_exceptions=True)
    return _report(kind, len(opened), commits, arrivals, idle, busy, resident)


async def _open(address: str, token: str) -> ClientConnection:
    headers = {"Authorization": f"Bearer {token}"}
    socket = await connect(
        address, additional_headers=headers, compression=None, ping_interval=None, proxy=None, open_timeout=60
    )
    await socket.send(json.dumps({"lists": True}))
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
