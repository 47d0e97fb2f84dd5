"""Measures every operation of the store beside a JSON column and the floor, in one run on the same connection.

    python3 run.py benchmark store [--database sqlite|postgresql] [--sessions 100000] [--json FILE]

Prints a table for each database and the bars of the first issue, and ends with 1 if one of them is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import corpus
from benchmarks.measuring import database, long_log, quantiles, quantiles_in_turn, size, written
from benchmarks.peers import JsonColumn, floor, make_tables
from sessions_app import bodies, store
from sessions_app.databases import current
from sessions_app.records import SessionRecord

LENGTHS = (10, 1000, 5000)  # messages
APPENDS = 300
UPDATES = 9  # of which the bytes are counted
WRITERS = 8  # processes
WRITING = 5  # seconds


@dataclass
class Report:
    """What was measured on one database: milliseconds as (p50, p95), bytes, and turns a second."""

    kind: str
    times: dict[str, tuple[float, float]] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)

    def time(self, name: str, call: Callable[[int], object], times: int) -> None:
        self.times[name] = quantiles(call, times)
        print(f"  {name:45} {self.times[name][0]:10.3f} {self.times[name][1]:10.3f} ms", flush=True)

    def in_turn(self, calls: dict[str, Callable[[int], object]], times: int) -> None:
        for name, measured in zip(calls, quantiles_in_turn([*calls.values()], times), strict=True):
            self.times[name] = measured
            print(f"  {name:45} {measured[0]:10.3f} {measured[1]:10.3f} ms", flush=True)

    def number(self, name: str, value: float, unit: str) -> None:
        self.numbers[name] = value
        print(f"  {name:45} {value:10,.0f} {unit}", flush=True)


def main() -> int:
    options = _options()
    reports: list[Report] = []
    missed: list[str] = []
    for kind in options.database or ["sqlite", "postgresql"]:
        print(f"\n{kind:47} {'p50':>10} {'p95':>10}", flush=True)
        with database(kind) as url:
            reports.append(_measure(kind, url, options))
        missed += _bars(reports[-1])
    if options.json:
        options.json.write_text(json.dumps([vars(report) for report in reports], indent=2))
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", action="append", choices=["sqlite", "postgresql"])
    parser.add_argument("--sessions", type=int, default=100_000, help="rows among which lists are read")
    parser.add_argument("--json", type=Path, help="where to write all figures")
    return parser.parse_args()


def _measure(kind: str, url: str, options: argparse.Namespace) -> Report:
    report = Report(kind)
    make_tables()
    _many_sessions(report, options.sessions)
    _appends(report)
    for length in LENGTHS:
        _one_length(report, length)
    _forks(report)
    _writers(report, url)
    return report


def _each(call: Callable[[], object]) -> Callable[[int], object]:
    return lambda turn: call()


def _many_sessions(report: Report, count: int) -> None:
    """Lists, latest and prefixes among many sessions; filled in large transactions, for only reading is measured."""
    from django.db import transaction

    peer, ids = JsonColumn(), []
    for start in range(0, count, 1000):
        with transaction.atomic(using=current()):
            for number in range(start, min(start + 1000, count)):
                messages = [{"role": "user", "content": f"Prompt {number} of a short session"}]
                ids.append(store.create(f"project {number % 20}", messages).id)
                peer.create(messages, f"project {number % 20}")
    prefix = [str(id)[:8] for id in ids[:: max(1, len(ids) // 97)]]
    size()  # folds the log in, and so every figure starts alike
    report.number("sessions", count, "")
    report.time("list of 50", lambda turn: store.list_by_project(f"project {turn % 20}", 50, with_messages=False), 200)
    report.time("latest", lambda turn: store.latest(f"project {turn % 20}"), 200)
    report.time("id prefix", lambda turn: store.find_by_id_prefix(prefix[turn % len(prefix)], 5), 200)
    report.time("JSON column: list of 50", lambda turn: peer.newest(f"project {turn % 20}", 50), 200)
    report.time("JSON column: id prefix", lambda turn: peer.by_prefix(prefix[turn % len(prefix)], 5), 50)


def _appends(report: Report) -> None:
    """Appends to sessions of all lengths, and the floor, in turn: a disk does not take the same time twice."""
    added = corpus.messages(APPENDS)
    calls = {f"append at {length:,}": _appending(length, added) for length in LENGTHS}
    insert = floor(bodies.encode_all([corpus.a_message(1)], 10**9)[0].decode())
    report.in_turn({**calls, "floor": _each(insert)}, APPENDS)


def _appending(length: int, added: list[dict[str, Any]]) -> Callable[[int], object]:
    id = store.create("bench", corpus.messages(length)).id
    return lambda turn: store.append(id, [added[turn]])


def _one_length(report: Report, length: int) -> None:
    peer, messages = JsonColumn(), corpus.messages(length)
    session, peer_id = store.create("bench", messages), peer.create(messages)
    few = 100 if length < 5000 else 20

    def longer(turn: int) -> list[dict[str, Any]]:
        return [*messages, *corpus.messages(turn + 1, length)]

    added = corpus.messages(1000, length)
    report.time(f"JSON column: append at {length:,}", lambda turn: peer.append(peer_id, [added[turn]]), few)
    peer.update(peer_id, messages)
    lists = [longer(turn) for turn in range(few + 3)]
    report.time(f"update at {length:,}", lambda turn: store.update(session.id, lists[turn], turn), few)
    report.time(f"JSON column: update at {length:,}", lambda turn: peer.update(peer_id, lists[turn]), few)
    with long_log():
        ours = _written_by(lambda turn: store.update(session.id, [*lists[-1], *added[500 : 501 + turn]], 1))
        theirs = _written_by(lambda turn: peer.update(peer_id, [*lists[-1], *added[500 : 501 + turn]]))
    report.number(f"update at {length:,}", ours, "bytes written")
    report.number(f"JSON column: update at {length:,}", theirs, "bytes written")
    _reads(report, length, session, peer_id, few)
    _removals(report, length, messages, few)


def _written_by(update: Callable[[int], object]) -> float:
    """The median of several turns: PostgreSQL's log also takes what its vacuum writes beside one of them."""
    return statistics.median(written(lambda turn=turn: update(turn)) for turn in range(UPDATES))


def _reads(report: Report, length: int, session: SessionRecord, peer_id: str, few: int) -> None:
    peer = JsonColumn()
    end = len(store.get_messages(session.id))
    report.time(f"get at {length:,}", _each(lambda: store.get(session.id)), few)
    report.time(f"JSON column: get at {length:,}", _each(lambda: peer.get(peer_id)), few)
    report.time(f"last 50 of {length:,}", _each(lambda: store.get_messages(session.id, max(0, end - 50))), 200)
    report.time(f"JSON column: last 50 of {length:,}", _each(lambda: peer.last(peer_id, 50)), few)
    report.time(f"fork at {length:,}", _each(lambda: store.fork_at(session.id, min(length, end))), 100)
    messages = store.get_messages(session.id)
    report.time(f"fork with the list at {length:,}", _each(lambda: store.fork("bench", session.id, messages, 1)), few)
    report.time(f"JSON column: fork at {length:,}", _each(lambda: peer.fork(peer_id, messages)), few)


def _removals(report: Report, length: int, messages: list, few: int) -> None:
    peer = JsonColumn()
    few = min(few, 10)  # each takes a session of its own, which takes longer to make than to remove
    ours = [store.create("bench", messages).id for _ in range(few + 3)]
    theirs = [peer.create(messages) for _ in range(few + 3)]
    report.time(f"delete at {length:,}", lambda turn: store.delete(ours[turn]), few)
    report.time(f"purge at {length:,}", lambda turn: store.purge(ours[turn]), few)
    report.time(f"JSON column: delete at {length:,}", lambda turn: peer.delete(theirs[turn]), few)


def _forks(report: Report) -> None:
    parent = store.create("bench", corpus.messages(5000))
    before = size()
    for _ in range(1000):
        store.fork_at(parent.id, 5000)
    report.number("1,000 forks of 5,000 messages", size() - before, "bytes more")


def _writers(report: Report, url: str) -> None:
    """Turns a second of eight processes, each with a session of its own of 1,000 messages."""
    for name in ("forklore", "json-column"):
        done = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.writer", name, url, str(WRITING)], stdout=subprocess.PIPE, text=True
            )
            for _ in range(WRITERS)
        ]
        results = [json.loads(process.communicate()[0]) for process in done]
        report.number(f"{name}: {WRITERS} writers", sum(result["turns"] for result in results) / WRITING, "turns/s")
        report.number(f"{name}: errors of writers", sum(result["errors"] for result in results), "")


def _bars(report: Report) -> list[str]:
    """The bars of the issue that are missed; all are printed with what was measured."""
    p50 = {name: times[0] for name, times in report.times.items()}
    numbers = report.numbers
    bars = [
        ("append at 5,000 to append at 10", p50["append at 5,000"] / p50["append at 10"], "<=", 1.3),
        ("append at 5,000 to the floor", p50["append at 5,000"] / p50["floor"], "<=", 5),
        (
            "bytes of update at 5,000: JSON column to ours",
            numbers["JSON column: update at 5,000"] / numbers["update at 5,000"],
            ">=",
            200,
        ),
        (
            "update at 5,000: JSON column to ours",
            p50["JSON column: update at 5,000"] / p50["update at 5,000"],
            ">=",
            2.5,
        ),
        ("fork_at at 5,000 to fork_at at 10", p50["fork at 5,000"] / p50["fork at 10"], "<=", 1.5),
        ("1,000 forks of 5,000 messages, MB", numbers["1,000 forks of 5,000 messages"] / 1e6, "<=", 1),
        (
            "last 50 of 5,000: JSON column to ours",
            p50["JSON column: last 50 of 5,000"] / p50["last 50 of 5,000"],
            ">=",
            50,
        ),
        (
            "8 writers, turns/s: ours to JSON column",
            numbers["forklore: 8 writers"] / numbers["json-column: 8 writers"],
            ">=",
            5,
        ),
        ("8 writers, our errors", numbers["forklore: errors of writers"], "<=", 0),
    ]
    print(f"\nBars on {report.kind}")
    missed = []
    for name, value, relation, bound in bars:
        met = value <= bound if relation == "<=" else value >= bound
        print(f"  {'met   ' if met else 'MISSED'} {name:50} {value:10.2f} {relation} {bound}", flush=True)
        missed += [] if met else [name]
    return missed


if __name__ == "__main__":
    sys.exit(main())
