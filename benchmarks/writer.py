"""One of several writing processes: turns of two messages on a session of its own, for some seconds.

Run by benchmarks/store.py as `python -m benchmarks.writer NAME URL SECONDS`; prints turns and errors as JSON.
"""

from __future__ import annotations

import json
import sys
import time

from django.db.utils import OperationalError

from benchmarks import corpus
from benchmarks.peers import JsonColumn
from sessions_app import databases, opening, store
from sessions_site.configuration import database_from_url

LENGTH = 1000  # messages of the session before the first turn


def main() -> None:
    name, url, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    alias = opening.add(database_from_url(url))
    with databases.using(alias):
        print(json.dumps(_forklore(seconds) if name == "forklore" else _json_column(seconds)))


def _forklore(seconds: float) -> dict[str, int]:
    session = store.create("writers", corpus.messages(LENGTH))
    return _turns(seconds, lambda turn: store.append(session.id, corpus.messages(2, LENGTH + 2 * turn), turn))


def _json_column(seconds: float) -> dict[str, int]:
    peer, messages = JsonColumn(), corpus.messages(LENGTH)
    id = peer.create(messages)

    def turn_of(turn: int) -> None:
        messages.extend(corpus.messages(2, LENGTH + 2 * turn))
        peer.update(id, messages)

    return _turns(seconds, turn_of)


def _turns(seconds: float, take) -> dict[str, int]:
    turns = errors = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            take(turns)
            turns += 1
        except OperationalError:
            errors += 1
    return {"turns": turns, "errors": errors}


if __name__ == "__main__":
    main()
