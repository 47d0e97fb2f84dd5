"""Times, bytes and databases for the benchmarks."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sessions_app import databases, opening
from sessions_app.databases import connection
from sessions_site.configuration import database_from_url

POSTGRESQL_SETTINGS = "-c listen_addresses='' -c shared_buffers=512MB -c max_connections=50 -c checkpoint_timeout=30min"


KINDS = ["sqlite", "postgresql"]


def verdict(missed: Sequence[str]) -> int:
    """Say which bars were missed; the exit code of the program."""
    for name in missed:
        print(f"missed: {name}")
    return 1 if missed else 0


def quantiles(call: Callable[[int], object], times: int, warm: int = 3) -> tuple[float, float]:
    """p50 and p95 of `times` calls in milliseconds; the call is handed the number of its turn."""
    for turn in range(warm):
        call(turn)
    return _p50_and_p95([_taken(call, turn) for turn in range(warm, warm + times)])


def quantiles_in_turn(calls: Sequence[Callable[[int], object]], times: int) -> list[tuple[float, float]]:
    """The same for calls that take turns, so that what slows the machine slows all of them."""
    taken = [[_taken(call, turn) for call in calls] for turn in range(times)]
    return [_p50_and_p95(list(column)) for column in zip(*taken, strict=True)]


def _taken(call: Callable[[int], object], turn: int) -> float:
    started = time.perf_counter()
    call(turn)
    return (time.perf_counter() - started) * 1000


def _p50_and_p95(taken: list[float]) -> tuple[float, float]:
    return statistics.median(taken), sorted(taken)[int(len(taken) * 0.95)]


def written(call: Callable[[], object]) -> int:
    """Bytes that a call adds to the database's log: all that is written twice, and what a crash is survived by."""
    before = _log_position()
    call()
    return _log_position() - before


def size() -> int:
    """Bytes of the database, its log folded in."""
    with connection().cursor() as cursor:
        if connection().vendor == "sqlite":
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.fetchall()
            return Path(str(connection().settings_dict["NAME"])).stat().st_size
        cursor.execute("CHECKPOINT")
        cursor.execute("SELECT pg_database_size(current_database())")
        return cursor.fetchone()[0]


def _log_position() -> int:
    with connection().cursor() as cursor:
        if connection().vendor == "sqlite":
            return Path(f"{connection().settings_dict['NAME']}-wal").stat().st_size
        cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0'")
        return int(cursor.fetchone()[0])


@contextmanager
def database(kind: str) -> Iterator[str]:
    """A new, migrated database of that kind ("sqlite" or "postgresql"), current within; gives its address.

    SQLite keeps its log from being folded in by itself, so that `written` can read its length.
    """
    with tempfile.TemporaryDirectory(prefix="forklore-benchmark-") as directory:
        stop = None
        if kind == "sqlite":
            url = f"sqlite:///{directory}/bench.sqlite3"
        else:
            url, stop = _start_postgresql(Path(directory) / "cluster")
        alias = opening.add(database_from_url(url))
        try:
            opening.migrate(alias)
            with databases.using(alias):
                yield url
        finally:
            databases.close(alias)
            opening.remove(alias)
            if stop:
                stop()


@contextmanager
def long_log() -> Iterator[None]:
    """Keep SQLite from folding its log into the database, so that its length tells what was written."""
    if connection().vendor != "sqlite":
        yield
        return
    with connection().cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.fetchall()
        cursor.execute("PRAGMA wal_autocheckpoint = 0")
        yield
        cursor.execute("PRAGMA wal_autocheckpoint = 1000")


def _start_postgresql(directory: Path) -> tuple[str, Callable[[], None]]:
    from tests.postgres import Cluster

    # The directory's parents must let the server's own account through; with fsync on, unlike in the tests.
    os.chmod(directory.parent, 0o755)  # noqa: S103
    cluster = Cluster(directory, POSTGRESQL_SETTINGS)
    cluster.start()

    def stop() -> None:
        cluster.stop()
        shutil.rmtree(directory, ignore_errors=True)

    return cluster.url.replace("/forklore?", "/postgres?"), stop
