"""Measures clean-up: how long a preview, the trash and a purge take, for how long a batch keeps writers waiting, and
what agents that append meanwhile notice of it.

    python3 run.py benchmark cleanup [--database sqlite|postgresql] [--sessions 100000] [--trashed 10000] [--tree 1001]

Two processes append a message every 10 ms to sessions of their own while sessions are trashed and purged. Prints what
was measured and the bars of issue 7, and ends with 1 if one of them is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from benchmarks import corpus
from benchmarks.measuring import KINDS, database, size, verdict
from sessions_app import cleanup, databases, opening, session_rows, store
from sessions_app.cleanup import Policy
from sessions_app.databases import connection, execute
from sessions_app.models import Project, Session
from sessions_app.piece_table import key
from sessions_site.configuration import database_from_url

PREVIEW_MOST = 1.0  # seconds
TRASH_MOST = 2.0
PURGE_MOST = 1.5
APPEND_MOST = 250.0  # milliseconds, p99
HELD_MOST = 100.0  # milliseconds for which one transaction keeps others from writing
AGENTS = 2
PAUSE = 0.01  # seconds between two appends of an agent
NAMES = UUID(int=7)  # of which the ids are made, so that they are the same at every run
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
MESSAGE = 700  # bytes


def main() -> int:
    options = _options()
    if options.append:
        _append_until_told(options.append)
        return 0
    missed = []
    for kind in options.database or KINDS:
        with database(kind) as url:
            missed += _previews(kind, options.sessions)
            missed += _trash(kind, url, options.trashed)
        with database(kind) as url:
            missed += _purge(kind, url, options.tree)
    return verdict(missed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", action="append", choices=KINDS)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--trashed", type=int, default=10_000)
    parser.add_argument("--tree", type=int, default=1_001)
    parser.add_argument("--append", metavar="URL", help="be one of the agents that append")
    return parser.parse_args()


def _previews(kind: str, count: int) -> list[str]:
    _old_sessions(count)
    missed = []
    policies = {"all of them": "before:90d", "a project of them": 'before:90d project:"project 3"'}
    for name, query in policies.items():
        policy = Policy("old", query, "trash")
        taken = []
        for _ in range(5):
            began = time.perf_counter()
            found = cleanup.preview(policy)
            taken.append(time.perf_counter() - began)
        told = f"{kind}: preview over {count:,} sessions, {name}"
        kept = f"{len(found.sessions):,} go, {sum(found.kept.values()):,} stay, {found.freed_bytes:,} bytes"
        missed += _bar(told, sorted(taken)[len(taken) // 2], PREVIEW_MOST, "s", kept)
    return missed


def _trash(kind: str, url: str, count: int) -> list[str]:
    ids = list(Session.objects.live().newest_first().values_list("pk", flat=True)[:count])
    return _beside_agents(f"{kind}: trash of {count:,}", url, lambda: cleanup.act("trash", ids), TRASH_MOST) + (
        _beside_agents(f"{kind}: undo of it", url, cleanup.undo, TRASH_MOST)
    )


def _purge(kind: str, url: str, count: int) -> list[str]:
    ids = _tree(count)
    cleanup.act("trash", ids)
    return _beside_agents(f"{kind}: purge of a tree of {count:,}", url, lambda: cleanup.act("purge", ids), PURGE_MOST)


def _beside_agents(name: str, url: str, call: Callable[[], cleanup.Entry], most: float) -> list[str]:
    agents = [_agent(url) for _ in range(AGENTS)]
    with _locks() as held:
        began = time.perf_counter()
        entry = call()
        taken = time.perf_counter() - began
    waited = sorted(each for agent in agents for each in json.loads(agent.communicate("")[0]))
    late = waited[int(len(waited) * 0.99)]
    missed = _bar(name, taken, most, "s", f"{entry.done:,} sessions, {len(held)} transactions")
    missed += _bar(f"{name}, longest lock", max(held) * 1000, HELD_MOST, "ms")
    return missed + _bar(f"{name}, p99 of {len(waited):,} appends", late, APPEND_MOST, "ms", f"most {waited[-1]:.0f}")


def _bar(name: str, taken: float, most: float, unit: str, more: str = "") -> list[str]:
    print(f"  {name:66} {taken:8.2f} {unit:2} of {most:g}  {more}", flush=True)
    return [name] if taken > most else []


@contextmanager
def _locks() -> Iterator[list[float]]:
    """For how many seconds each transaction of clean-up held its locks, its commit included."""
    held: list[float] = []

    @contextmanager
    def measured() -> Iterator[None]:
        began = None
        try:
            with session_rows.writing():
                began = time.perf_counter()
                yield
        finally:
            held.append(time.perf_counter() - (began or time.perf_counter()))

    cleanup.writing, before = measured, cleanup.writing
    try:
        yield held
    finally:
        cleanup.writing = before


# Agents


def _agent(url: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "benchmarks.cleanup", "--append", url]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if process.stdout is None or process.stdout.readline() != "ready\n":
        raise RuntimeError("An agent did not begin to append.")
    return process


def _append_until_told(url: str) -> None:
    """Append until standard input ends; print for how many milliseconds each took."""
    import select

    with databases.using(opening.add(database_from_url(url))):
        session = store.create("agents", corpus.messages(10))
        taken, turn = [], 0
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], PAUSE)[0]:
            began = time.perf_counter()
            store.append(session.id, [corpus.a_message(turn)])
            taken.append((time.perf_counter() - began) * 1000)
            turn += 1
        print(json.dumps(taken), flush=True)


# What is cleaned up


def _old_sessions(count: int) -> None:
    """Two messages each; one of ten is a fork that shares the first. Some are pinned, and some tagged keep."""
    projects = Project.objects.bulk_create(Project(name=f"project {number}") for number in range(40))
    body = '{"role":"user","content":"' + "x" * (MESSAGE - 28) + '"}'
    for start in range(0, count, 5000):
        numbers = range(start, min(start + 5000, count))
        Session.objects.bulk_create(_old_session(number, projects) for number in numbers)
        _many("INSERT INTO forklore_strand (id, start, base_digest) VALUES (%s, %s, %s)", _strands(numbers))
        _many(
            "INSERT INTO forklore_piece (session_id, start, stop, strand_id) VALUES (%s, %s, %s, %s)", _pieces(numbers)
        )
        _many(
            "INSERT INTO forklore_message (strand_id, position, kind, size_total, prompt_total, digest, body)"
            " VALUES (%s, %s, 1, %s, 1, %s, %s)",
            ([*row, b"\0" * 16, body] for row in _messages(numbers)),
        )
    tagged = [[key(uuid5(NAMES, str(number)))] for number in range(0, count, 97)]
    _many("INSERT INTO forklore_tag (session_id, name) VALUES (%s, 'keep')", tagged)
    if connection().vendor == "postgresql":
        execute("SELECT setval('forklore_strand_id_seq', %s)", [count + 1])
    size()
    execute("ANALYZE")


def _old_session(number: int, projects: list[Project]) -> Session:
    id = uuid5(NAMES, str(number))
    parent = uuid5(NAMES, str(number - 1)) if _is_fork(number) else None
    moment = LONG_AGO + timedelta(minutes=number)
    return Session(
        id=id,
        project=projects[number // 10 * 7919 % len(projects)],
        parent_id=parent,
        relation="fork" if parent else None,
        fork_point=1 if parent else None,
        title=f"Fix the {number * 7919 % 10007}th bug of the session list",
        message_count=2,
        prompt_count=2,
        size_bytes=2 * MESSAGE,
        strand_id=number + 1,
        created_at=moment,
        updated_at=moment,
        pinned_at=moment if number % 101 == 0 else None,
    )


def _is_fork(number: int) -> bool:
    return number % 10 == 1


def _strands(numbers: range) -> Iterator[list]:
    return ([number + 1, int(_is_fork(number)), b""] for number in numbers)


def _pieces(numbers: range) -> Iterator[list]:
    for number in numbers:
        id = key(uuid5(NAMES, str(number)))
        if _is_fork(number):
            yield [id, 0, 1, number]
        yield [id, int(_is_fork(number)), None, number + 1]


def _messages(numbers: range) -> Iterator[list]:
    for number in numbers:
        for position in range(int(_is_fork(number)), 2):
            yield [number + 1, position, (position + 1) * MESSAGE]


def _many(statement: str, rows) -> None:
    with session_rows.writing(), connection().cursor() as cursor:
        cursor.executemany(statement, list(rows))


def _tree(count: int) -> list[UUID]:
    """A session and all that was forked from it, each from one before it, with three messages of its own."""
    ids = [store.create("tree", corpus.messages(30)).id]
    for number in range(1, count):
        fork = store.fork_at(ids[number * 7919 % 10007 % number], 20 + number % 4)
        store.append(fork.id, corpus.messages(3, 3 * number))
        ids.append(fork.id)
    return ids


if __name__ == "__main__":
    sys.exit(main())
