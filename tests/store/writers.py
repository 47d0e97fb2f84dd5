"""Processes that write at once, each through the sync door; run as `python -m tests.store.writers NAME …`.

Prints a line for every write that the store has acknowledged. One process sets up Django and then forks the others,
so that many of them start in no time.
"""

import asyncio
import itertools
import multiprocessing
import os
import random
import signal
import sys
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from typing import Any
from uuid import UUID

import django

django.setup()

from sessions_app import cleanup, store  # noqa: E402
from sessions_app.async_store import open_store  # noqa: E402
from sessions_app.errors import VersionConflict  # noqa: E402
from sessions_app.records import ImportBatch, ImportState, Origin  # noqa: E402
from sessions_app.session_rows import writing  # noqa: E402
from tests.store.storage import a_generation  # noqa: E402

FILE = Origin("claude-code", "p", "one")
FORKING = multiprocessing.get_context("fork")


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())  # at once, so that lines do not mix


def append_and_update(shared: str, writers: str, seconds: str) -> None:
    """Writers append to the shared session and hand over the growing list of their own."""
    stop = time.monotonic() + float(seconds)
    run_all([FORKING.Process(target=_append_and_update, args=(n, UUID(shared), stop)) for n in range(int(writers))])


def _append_and_update(writer: int, shared: UUID, stop: float) -> None:
    own = store.create("own", [])
    say("created", writer, own.id)
    messages = []
    while time.monotonic() < stop or len(messages) < 3:  # SQLite lets some wait long while others write
        messages.append({"writer": writer, "count": len(messages)})
        store.append(shared, messages[-1:])
        say("appended", writer, len(messages))
        store.update(own.id, messages, len(messages))
        say("updated", writer, len(messages))


def spread(shared: str, writers: str, seconds: str, *others: str) -> None:
    """Writers append to the shared session and, in turn, to any of the others, all of which are everybody's."""
    stop = time.monotonic() + float(seconds)
    ids = [UUID(other) for other in others]
    run_all([FORKING.Process(target=_spread, args=(n, UUID(shared), ids, stop)) for n in range(int(writers))])


def _spread(writer: int, shared: UUID, others: list[UUID], stop: float) -> None:
    order, counts = random.Random(writer), Counter[UUID]()
    while time.monotonic() < stop or counts.total() < 6:
        for id in (shared, order.choice(others)):
            store.append(id, [{"writer": writer, "count": counts[id]}])
            counts[id] += 1
            say("spread", writer, id, counts[id])


def replace_all(id: str, writers: str, seconds: str) -> None:
    """Writers replace the whole of one session by lists that each are of one kind."""
    stop = time.monotonic() + float(seconds)
    run_all([FORKING.Process(target=_replace_all, args=(n, UUID(id), stop)) for n in range(int(writers))])


def _replace_all(writer: int, id: UUID, stop: float) -> None:
    for generation in itertools.count(1):
        if time.monotonic() > stop:
            return
        store.update(id, a_generation(writer, generation), generation)
        say("updated", writer, generation)


def hold(id: str) -> None:
    """Write, and never commit."""
    with writing():
        store.append(UUID(id), [{"writer": "stopped"}])
        print("holds", flush=True)
        time.sleep(3600)


def race(id: str, rounds: str) -> None:
    """Two writers expect the same version and write at the same moment, again and again."""
    barrier = FORKING.Barrier(2)
    run_all([FORKING.Process(target=_race, args=(n, UUID(id), int(rounds), barrier)) for n in range(2)])


def _race(writer: int, id: UUID, rounds: int, barrier: "multiprocessing.synchronize.Barrier") -> None:
    for number in range(rounds):
        session = store.get(id)
        assert session
        barrier.wait(timeout=30)  # seconds
        try:
            store.update(id, [{"writer": writer, "round": number}], number, expected_version=session.version)
            say("won", number, writer)
        except VersionConflict:
            say("lost", number, writer)
        barrier.wait(timeout=30)


def be_killed(shared: str, kills: str) -> None:
    """Writers are killed at random moments, while the next one writes already."""
    running: list[BaseProcess] = []
    for number in range(int(kills)):
        running.append(FORKING.Process(target=_write_until_killed, args=(number, UUID(shared))))
        running[-1].start()
        time.sleep(random.uniform(0.02, 0.2))
        if len(running) > 1:
            _kill(running.pop(0))
    _kill(running.pop())


def _kill(process: BaseProcess) -> None:
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    say("killed", process.exitcode)


def _write_until_killed(writer: int, shared: UUID) -> None:
    own = store.create("killed", [])
    say("created", writer, own.id)
    for generation in itertools.count(1):
        store.update(own.id, a_generation(writer, generation), generation)
        say("updated", writer, generation)
        store.append(shared, [{"writer": writer, "generation": generation, "half": half} for half in (1, 2)])
        say("appended", writer, generation)
        say("forked", writer, store.fork_at(own.id, 1).id)


def append_from_many_tasks(kill: str, url: str, *ids: str) -> None:
    """Fifty tasks of one async store, ten to a session, until the process is killed."""

    async def task(store: Any, id: UUID, number: int) -> None:
        for count in itertools.count():
            await store.append(id, [{"kill": int(kill), "task": number, "count": count}])
            say(id, number, f"{kill}.{count}")

    async def scenario() -> None:
        async with open_store(url) as opened:
            await asyncio.gather(*(task(opened, UUID(ids[n % len(ids)]), n) for n in range(50)))

    asyncio.run(scenario())


def be_killed_importing(kills: str) -> None:
    """One after the other goes on with the same file where the one before was killed."""
    for _ in range(int(kills)):
        begun = FORKING.Event()
        _kill_soon(FORKING.Process(target=_import_until_killed, args=(begun,)), begun)


def _import_until_killed(begun: Event) -> None:
    known = store.import_state(FILE)
    begun.set()
    for line in itertools.count(known[1].lines if known else 0):
        state = ImportState(offset=10 * (line + 1), lines=line + 1)
        store.import_batch(FILE, ImportBatch("imported", [{"line": line, "text": "x" * 900}], state), agent="x")
        say("imported", "-", line + 1)


def be_killed_cleaning(kills: str) -> None:
    """One after the other finishes what the one before was killed at, and cleans up more."""
    for number in range(int(kills)):
        begun = FORKING.Event()
        _kill_soon(FORKING.Process(target=_clean_until_killed, args=(number, begun)), begun)


def _clean_until_killed(number: int, begun: Event) -> None:
    cleanup.resume()
    begun.set()
    while True:
        ids = [store.create("cleaned", [{"writer": number}] * 5).id for _ in range(4)]
        ids += [store.fork_at(id, 3).id for id in ids]
        for action in ("trash", "restore", "trash", "purge"):
            cleanup.act(action, ids)
            say("cleaned", action, *ids)


def _kill_soon(process: BaseProcess, begun: Event) -> None:
    process.start()
    begun.wait(timeout=30)  # seconds
    time.sleep(random.uniform(0.05, 0.3))
    _kill(process)


def run_all(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        sys.exit(1)


if __name__ == "__main__":
    commands = (
        append_and_update,
        spread,
        replace_all,
        hold,
        race,
        be_killed,
        append_from_many_tasks,
        be_killed_importing,
        be_killed_cleaning,
    )
    {f.__name__: f for f in commands}[sys.argv[1]](*sys.argv[2:])
