"""Runs a server under mixed load for minutes or hours, and looks whether it grows: memory, descriptors, SQLite's log.

    python3 run.py benchmark soak [--database sqlite|postgresql] [--seconds 600] [--every 5]

Agents write, fork, search and clean up over HTTP, people open pages and sockets, and what is old is purged, so that as
much is stored at the end as after a while. Ends with 1 if the last third needs more than the one before it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from uuid import UUID

import httpx
from websockets.asyncio.client import connect

from benchmarks.measuring import KINDS, database, verdict
from sessions_app.async_store import open_store
from tests.builders import user_environment
from tests.servers import Server

CHECKOUT = Path(__file__).parent.parent
AGENTS = 4
KEPT = 40  # sessions of one agent
GROWTH = {"memory": 1.10, "descriptors": 1.25, "log": 1.25}  # times as much as before
LOG_LIMIT = 64 * 1024 * 1024  # bytes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", action="append", choices=KINDS)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--every", type=float, default=5, help="seconds between two looks")
    options = parser.parse_args()
    missed = []
    for kind in options.database or KINDS:
        with database(kind) as url, tempfile.TemporaryDirectory() as data:
            missed += [f"{kind}: {name}" for name in _measure(kind, url, Path(data), options)]
    return verdict(missed)


def _measure(kind: str, url: str, data: Path, options: argparse.Namespace) -> list[str]:
    environment = user_environment(DATABASE_URL=url, FORKLORE_DATA=str(data))
    with Server([sys.executable, "manage.py", "up", "--port=0", "--no-browser"], CHECKOUT, environment) as server:
        token = (data / "token").read_text().strip()
        log = Path(url.removeprefix("sqlite:///") + "-wal") if kind == "sqlite" else None
        samples, done, failed = asyncio.run(_run(server, token, log, options))
    print(f"\n{kind}: {done:,} calls in {options.seconds:.0f} s, {failed} failed")
    third = len(samples) // 3
    missed = ["failed calls"] * bool(failed)
    for number, name in enumerate(GROWTH):
        before, after = (
            statistics.median(each[number] for each in part) for part in (samples[third:-third], samples[-third:])
        )
        most = max(each[number] for each in samples)
        print(f"  {name:12} {before:>14,.0f} {after:>14,.0f}   at most {most:,.0f}")
        if after > before * GROWTH[name] + 8:
            missed.append(f"{name} grows")
    if max(each[2] for each in samples) > LOG_LIMIT:
        missed.append("the log of SQLite is large")
    return missed


async def _run(
    server: Server, token: str, log: Path | None, options: argparse.Namespace
) -> tuple[list[tuple[float, float, float]], int, int]:
    stop = time.monotonic() + options.seconds
    counts = {"done": 0, "failed": 0}
    samples: list[tuple[float, float, float]] = []

    async def look() -> None:
        while time.monotonic() < stop:
            await asyncio.sleep(options.every)
            samples.append(_sample(server.process.pid, log))

    work = [_agent(server.url, token, number, stop, counts) for number in range(AGENTS)]
    await asyncio.gather(look(), _reader(server.url, token, stop, counts), _watcher(server.url, token, stop), *work)
    return samples, counts["done"], counts["failed"]


def _sample(pid: int, log: Path | None) -> tuple[float, float, float]:
    status = Path(f"/proc/{pid}/status").read_text()
    memory = int(status.partition("VmRSS:")[2].split()[0]) * 1024
    descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    return memory, descriptors, log.stat().st_size if log and log.exists() else 0


async def _agent(url: str, token: str, number: int, stop: float, counts: dict[str, int]) -> None:
    order, own = random.Random(number), list[UUID]()
    async with open_store(url, token=token) as store:
        while time.monotonic() < stop:
            try:
                text = "needle in hay " * order.randrange(1, 60)
                chance = order.random()
                if chance < 0.15 or not own:
                    own.append((await store.create(f"project {number}", [{"role": "user", "content": text}])).id)
                elif chance < 0.6:
                    await store.append(order.choice(own), [{"role": "assistant", "content": text}] * 2, turns_added=1)
                elif chance < 0.7:
                    own.append((await store.fork_at(order.choice(own), 1)).id)
                elif chance < 0.8:
                    await store.search(order.choice(["needle", "hay in", "absent"]), 10)
                elif chance < 0.9:
                    await store.get(order.choice(own))
                else:
                    await store.list_by_project(f"project {number}", 10, with_messages=False)
                while len(own) > KEPT:
                    gone = own.pop(0)
                    await store.delete(gone)
                    await store.purge(gone)
                counts["done"] += 1
            except Exception as error:
                counts["failed"] += 1
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
            await asyncio.sleep(0.02)


async def _reader(url: str, token: str, stop: float, counts: dict[str, int]) -> None:
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/html"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
        while time.monotonic() < stop:
            (found,) = (await client.get("/api/v1/sessions?limit=1")).json()["sessions"][:1] or [None]
            pages = ["/", "/projects/", "/search/?q=needle", "/trash/", "/cleanup/", "/healthz?deep=1"]
            for page in [
                *pages,
                *([f"/sessions/{found['id']}/", f"/sessions/{found['id']}/lineage/"] if found else []),
            ]:
                answer = await client.get(page, follow_redirects=True)
                counts["done" if answer.status_code in (200, 404) else "failed"] += 1  # 404: it was purged meanwhile
                await asyncio.sleep(0.1)


async def _watcher(url: str, token: str, stop: float) -> None:
    """Pages that are opened, followed for a second, and closed again."""
    while time.monotonic() < stop:
        address = url.replace("http://", "ws://") + "/live/"
        async with connect(address, additional_headers={"Authorization": f"Bearer {token}"}) as socket:
            await socket.send('{"lists": true}')
            await asyncio.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
