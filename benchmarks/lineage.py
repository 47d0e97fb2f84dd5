"""Measures what forks cost where people see them: the page of a large tree, a comparison, and forking by hand.

    python3 run.py benchmark lineage [--database sqlite|postgresql] [--sessions 10000] [--messages 5000]

Pages are asked for through the whole site in one process, without a socket. Prints p50 and p95 and the bars of issue 6,
and ends with 1 if one of them is missed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from benchmarks.lists import NAMES
from benchmarks.measuring import KINDS, database, quantiles, size, verdict
from benchmarks.texts import Texts
from sessions_app import databases, lineages, store
from sessions_app.access import browsers

PAGE_MOST = 100.0  # milliseconds, p95
WINDOW_MOST = 60_000  # bytes
COMPARE_MOST = 300.0  # milliseconds, p95
FORKS, FORKS_MOST = 1_000, 1000.0  # forks made from the page, and milliseconds
SHARED = 2_000  # messages of the two forks that are compared
TURNS = 30
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)

Parent = Callable[[random.Random, int], int]  # which of those before it the session of that number was forked from
SHAPES: dict[str, Parent] = {
    "at random": lambda dice, number: dice.randrange(number),
    "one chain": lambda dice, number: number - 1,
    "children of one": lambda dice, number: 0,
}


def main() -> int:
    options = _options()
    missed = []
    for kind in options.database or KINDS:
        with database(kind):
            print(f"\n{kind:50} {'p50':>9} {'p95':>9} ms {'bytes':>10} {'gzip':>9}", flush=True)
            client = _let_in()
            for shape in SHAPES:
                missed += _pages(client, f"{kind}, {options.sessions:,} sessions, {shape}", shape, options.sessions)
            missed += _comparison(client, kind, options.messages)
            missed += _forks(client, kind, options.messages)
    return verdict(missed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", action="append", choices=KINDS)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--messages", type=int, default=5_000)
    return parser.parse_args()


def _pages(client: Client, name: str, shape: str, count: int) -> list[str]:
    """Of a tree that nobody changes, of one that grows by a message and by a fork before each look, and the first look."""
    ids = a_tree(count, shape)
    page = f"/sessions/{ids[0]}/lineage/"
    deep = f"/sessions/{ids[-1]}/lineage/"
    opened = f"{page}?runs=all&from={count // 2}"
    print(f"  {name}")
    lateness = {
        "root": _page(client, "its root", page),
        "last": _page(client, "its last session", deep),
        "middle": _page(client, "its middle", opened),
        "as of": _page(
            client, "half of it, as it was", f"{page}?at={(BEGAN + timedelta(seconds=count // 2)):%Y-%m-%dT%H:%M}"
        ),
        "message": _page(
            client, "after a message", page, lambda turn: store.append(ids[turn % count], [{"turn": turn}])
        ),
        "fork": _page(client, "after a fork", page, lambda turn: store.fork_at(ids[turn * 7 % count], 0)),
    }
    _page(client, "the first look of a process (no bar)", page, lambda turn: lineages.forget(databases.current()))
    missed = [f"{name}: {each}" for each, (late, _) in lateness.items() if late > PAGE_MOST]
    return missed + [f"{name}: bytes of {each}" for each, (_, length) in lateness.items() if length > WINDOW_MOST]


def _comparison(client: Client, kind: str, count: int) -> list[str]:
    one, other = two_forks(count)
    late, _ = _page(client, f"two forks of {count:,} messages, compared", f"/compare/{one}/{other}/")
    return [f"{kind}: comparison"] if late > COMPARE_MOST else []


def _forks(client: Client, kind: str, count: int) -> list[str]:
    """As the forms ask for them: a thousand at once on the page of the lineage, and one at a message."""
    id = _of_texts(count)
    dice = random.Random(6)

    def once(turn: int) -> None:
        _forked(client.post(f"/sessions/{id}/fork/", {"position": dice.randrange(1, count)}))

    def often(turn: int) -> None:
        _forked(client.post(f"/sessions/{id}/forks/", {"position": dice.randrange(1, count), "count": FORKS}))

    middle, late = quantiles(once, 2 * TURNS)
    print(f"    {'one fork at a message (no bar)':46} {middle:9.2f} {late:9.2f}", flush=True)
    middle, late = quantiles(often, 10, warm=1)
    print(f"    {f'{FORKS:,} forks at once':46} {middle:9.2f} {late:9.2f}", flush=True)
    return [f"{kind}: forks"] if late > FORKS_MOST else []


def _forked(answer: HttpResponse) -> None:
    if answer.status_code != 302:
        raise RuntimeError(f"There was no fork: {answer.status_code}.")


def _page(
    client: Client, name: str, path: str, before: Callable[[int], object] = lambda turn: None
) -> tuple[float, int]:
    """Print what a page costs, what is done before each look left out; its p95 and its bytes."""
    taken = []

    def look(turn: int) -> None:
        before(turn)
        began = time.perf_counter()
        answer = client.get(path)
        taken.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise RuntimeError(f"{path} answered {answer.status_code}.")

    quantiles(look, TURNS)
    found = sorted(taken[-TURNS:])
    middle, late = found[TURNS // 2], found[int(TURNS * 0.95)]
    body = client.get(path).content
    print(f"    {name:46} {middle:9.2f} {late:9.2f}    {len(body):10,} {len(zlib.compress(body, 6)):9,}", flush=True)
    return late, len(body)


def a_tree(count: int, shape: str) -> list[UUID]:
    """The ids of a root of a few messages and its descendants, which have one message of their own each."""
    from sessions_app.models import Piece, Project, Session, Strand

    dice, parent = random.Random(6), SHAPES[shape]
    ids = [store.create(f"tree {shape}", [{"n": number} for number in range(3)]).id]
    ids += [uuid5(NAMES, f"{shape} {number}") for number in range(1, count)]
    project = Project.objects.get(name=f"tree {shape}")
    root = Session.objects.get(pk=ids[0])
    strand = Piece.objects.get(session=root).strand
    strands = Strand.objects.bulk_create(Strand(start=3) for _ in range(1, count))

    def session(number: int) -> Session:
        return Session(
            id=ids[number],
            project=project,
            parent_id=ids[parent(dice, number)],
            relation="fork",
            fork_point=3,
            title=f"Fix the {number * 7919 % 10007}th bug of the session list",
            agent=("claude-code", "codex", "")[number % 3],
            turns=number % 97,
            message_count=3,
            size_bytes=number * 7919 % 1_000_003,
            created_at=BEGAN + timedelta(seconds=number),
            updated_at=BEGAN + timedelta(seconds=2 * number),
            strand=strands[number - 1],
            tail_digest=root.tail_digest,
        )

    Session.objects.filter(pk=ids[0]).update(created_at=BEGAN, updated_at=BEGAN)
    Session.objects.bulk_create((session(number) for number in range(1, count)), batch_size=2000)
    Piece.objects.bulk_create(
        [Piece(session_id=id, strand=strand, start=0, stop=3) for id in ids[1:]]
        + [Piece(session_id=id, strand=own, start=3) for id, own in zip(ids[1:], strands, strict=True)],
        batch_size=2000,
    )
    size()
    databases.execute("ANALYZE")
    return ids


def two_forks(count: int) -> tuple[UUID, UUID]:
    """Of one session, each with `count` messages, of which they share some; the others differ in a word of ten."""
    parent = _of_texts(SHARED)
    messages, dice = Texts().messages(random.Random(1), count - SHARED), random.Random(2)
    found = []
    for version in (messages, [_edited(dice, message) for message in messages]):
        fork = store.fork_at(parent, SHARED).id
        for start in range(0, len(version), 1000):
            store.append(fork, version[start : start + 1000])
        found.append(fork)
    return found[0], found[1]


def _edited(dice: random.Random, message: dict[str, Any]) -> dict[str, Any]:
    words = message["content"].split(" ")
    return message | {"content": " ".join("other" if dice.random() < 0.1 else word for word in words)}


def _of_texts(count: int) -> UUID:
    messages = Texts().messages(random.Random(count), count)
    id = store.create("bench", messages[:1000]).id
    for start in range(1000, count, 1000):
        store.append(id, messages[start : start + 1000])
    return id


def _let_in() -> Client:
    client = Client(headers={"host": "127.0.0.1"})
    client.cookies[settings.FORKLORE_COOKIE] = browsers.let_in()
    return client


if __name__ == "__main__":
    sys.exit(main())
