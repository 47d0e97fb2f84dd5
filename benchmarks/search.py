"""Measures search beside ripgrep over JSONL files and LIKE over a JSON column, over the same text, in one run.

    python3 run.py benchmark search [--database sqlite|postgresql] [--messages 100000]... [--queries 60]

Prints quantiles for each size, the index's size and build rate, and the bars of the third issue; ends with 1 if one of
them is missed. The bars that name a million messages are judged at the largest size that was asked for.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from benchmarks.measuring import database, quantiles, size
from benchmarks.peers import execute
from benchmarks.texts import ADVERSARIAL, Texts, queries
from sessions_app import databases, piece_table, search, search_index, session_rows, store
from sessions_app.databases import connection
from sessions_app.folding import document
from sessions_app.grouped_writes import GroupedWrites
from sessions_app.projection import search_texts
from sessions_app.search_index import BATCH, CREATE_SQLITE

LIMIT = 20  # hits
AT_ONCE = 100  # sessions that are made of texts before they are written
SAMPLE = 100_000  # messages by which building is compared with the bare database
INDEX_TABLES = ("forklore_search", "forklore_searchdocument", "forklore_searchtitle", "forklore_searchblock")


class Figures(dict[str, float]):
    """What was measured at one size: milliseconds, bytes and seconds by name."""

    def tell(self, name: str, value: float, unit: str) -> None:
        self[name] = value
        print(f"  {name:44} {value:14,.3f} {unit}", flush=True)

    def quantiles(self, name: str, milliseconds: Sequence[float]) -> None:
        ordered = sorted(milliseconds)
        for label, at in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("max", 1.0)):
            self[f"{name} {label}"] = ordered[min(int(len(ordered) * at), len(ordered) - 1)]
        shown = " ".join(f"{self[f'{name} {label}']:10.2f}" for label in ("p50", "p90", "p95", "max"))
        print(f"  {name:44} {shown} ms", flush=True)


def main() -> int:
    options = _options()
    sizes = sorted(options.messages or [10_000, 100_000])
    missed = False
    for kind in options.database or ["sqlite", "postgresql"]:
        figures = {}
        for count in sizes:
            print(f"\n{kind}, {count:,} messages: times are p50, p90, p95 and max", flush=True)
            with database(kind), tempfile.TemporaryDirectory(prefix="forklore-benchmark-") as directory:
                figures[count] = _measure(kind, count, options.queries, Path(directory))
        missed |= _bars(kind, figures)
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", action="append", choices=["sqlite", "postgresql"])
    parser.add_argument("--messages", action="append", type=int)
    parser.add_argument("--queries", type=int, default=60)
    return parser.parse_args()


def _measure(kind: str, count: int, number: int, directory: Path) -> Figures:
    figures, sample = Figures(), []
    before = size()
    _build(figures, count, directory / "files", sample)
    figures.tell("database", (size() - before) / 1e6, "MB")
    _index_size(figures, kind)
    _bare(figures, kind, sample)
    asked = queries(["\n".join(texts) for texts in sample if texts], number)
    sample.clear()
    _search_as_a_server_does()
    _searches(figures, asked, directory / "files")
    _appends(figures)
    return figures


def _build(figures: Figures, count: int, files: Path, sample: list[tuple[str, ...]]) -> None:
    """Fill the store as an import of small files does, a file for each session, and a table of JSON columns.

    Only what the store takes is counted, without the forks' copies of what they share.
    """
    texts, ids, taken, choose, text_bytes, written = Texts(), [], 0.0, random.Random(2), 0, 0
    files.mkdir()
    execute("CREATE TABLE peer_search (id INTEGER PRIMARY KEY, messages TEXT)")
    sessions = texts.sessions(count)
    while some := list(islice(sessions, AT_ONCE)):
        with GroupedWrites() as group:
            for forked, messages in some:
                began = time.perf_counter()
                group.begin()
                if forked and ids:
                    id = store.fork_at(parent := choose.choice(ids), len(store.get_messages(parent)) // 2).id
                    began = time.perf_counter()
                    store.append(id, messages)
                else:
                    id = store.create("bench", messages).id
                group.end_if_due()
                taken += time.perf_counter() - began
                ids.append(id)
            began = time.perf_counter()
            group.end()
            taken += time.perf_counter() - began
        for at, (_, messages) in enumerate(some, len(ids) - len(some) + 1):
            found = [search_texts(message) for message in messages]
            text_bytes += sum(len(text.encode(errors="replace")) for each in found for text in each)
            sample += found[: max(SAMPLE - len(sample), 0)]
            written += len(messages)
            lines = "".join(json.dumps(message, ensure_ascii=False) + "\n" for message in messages)
            (files / f"{at:07}.jsonl").write_text(lines, errors="replace")
            execute("INSERT INTO peer_search VALUES (%s, %s)", at, lines.replace("\0", " "))
        if written >= SAMPLE and "seconds of sample" not in figures:
            figures["seconds of sample"] = taken * SAMPLE / written
    began = time.perf_counter()
    store.tidy(count)
    figures.tell("tidied in", tidied := time.perf_counter() - began, "s")
    figures.setdefault("seconds of sample", taken)
    figures["seconds of sample"] += tidied * min(1, SAMPLE / count)
    taken += tidied
    figures.tell("sessions", len(ids), "")
    figures.tell("text", text_bytes / 1e6, "MB")
    figures.tell("built at", count / taken, "messages/s")
    figures.tell("built at (text)", text_bytes / 1e6 / taken, "MB/s")


def _index_size(figures: Figures, kind: str) -> None:
    if kind == "sqlite":
        names = (
            "name LIKE 'forklore_search%%' OR name LIKE 'sqlite_autoindex_forklore_search%%' OR name LIKE 'search_%%'"
        )
        try:
            ((found,),) = execute(f"SELECT SUM(pgsize) FROM dbstat WHERE {names}")  # noqa: S608
        except Exception:  # not every SQLite is built with dbstat
            found = _size_without_index()
    else:
        found = sum(execute("SELECT pg_total_relation_size(%s)", name)[0][0] for name in INDEX_TABLES[1:])
    figures.tell("index", found / 1e6, "MB")
    figures.tell("index / text", found / 1e6 / figures["text"], "")


def _size_without_index() -> int:
    ((found,),) = execute(
        "SELECT (SELECT SUM(LENGTH(block)) FROM forklore_search_data)"
        " + (SELECT SUM(LENGTH(sz) + 12) FROM forklore_search_docsize) + (SELECT COUNT(*) * 40 FROM forklore_searchblock)"
    )
    return found


def _bare(figures: Figures, kind: str, sample: list[tuple[str, ...]]) -> None:
    """The same texts, folded beforehand, put into the same kind of index by the driver alone."""
    documents = [document(texts) for texts in sample]
    if kind == "sqlite":
        execute(CREATE_SQLITE[0].replace("forklore_search", "peer_index"))
        insert = "INSERT INTO peer_index (rowid, text) VALUES (%s, %s)"
    else:
        execute("CREATE TABLE peer_index (id INTEGER PRIMARY KEY, text TEXT)")
        execute("CREATE INDEX ON peer_index USING gin (text gin_trgm_ops)")
        insert = "INSERT INTO peer_index VALUES (%s, %s)"
    began = time.perf_counter()
    for start in range(0, len(documents), BATCH):
        with session_rows.writing(), connection().cursor() as cursor:
            cursor.executemany(insert, list(enumerate(documents[start : start + BATCH], start + 1)))
    taken = time.perf_counter() - began
    execute("DROP TABLE peer_index")
    figures.tell("bare index", taken, "s for the first messages")
    figures.tell("import / bare index", figures["seconds of sample"] / taken, "")


def _search_as_a_server_does() -> None:
    """By a connection that has not just written it all, in a process that does not hold what it was built of."""
    execute("ANALYZE")
    databases.close(databases.current())
    gc.collect()


def _searches(figures: Figures, asked: list[str], files: Path) -> None:
    figures.quantiles("search, first time", [_timed(lambda q=query: _page(q)) for query in asked])
    figures.quantiles("search", [_best(lambda q=query: _page(q)) for query in asked])
    figures.quantiles("nowhere", [_best(lambda n=n: _page(f"qzx{n}jqv")) for n in range(20)])
    rare = [query for query in (f"file{n:06}" for n in range(0, 10**6, 997)) if 1 <= len(_page(query).hits) <= 3][:20]
    if rare:
        figures.quantiles("rare words", [_best(lambda q=query: _page(q)) for query in rare])
    worst = [(_timed(lambda q=query: _page(q)), query) for query in ADVERSARIAL]
    figures.quantiles("adversarial", [taken for taken, _ in worst])
    for taken, query in sorted(worst, reverse=True)[:3]:
        print(f"      {taken:9.1f} ms, complete: {_page(query).complete!s:5} {query[:50]!r}", flush=True)
    few = asked[:40]
    if rg := shutil.which("rg"):
        figures.quantiles("ripgrep", [_best(lambda q=query: _ripgrep(rg, q, files), 2) for query in few])
    else:
        print("  ripgrep is not on PATH: nothing to compare with", flush=True)
    figures.quantiles("LIKE over a JSON column", [_timed(lambda q=query: _like(q)) for query in few[:20]])


def _page(query: str) -> search.SearchPage:
    return search.search_page(query, LIMIT)


def _ripgrep(rg: str, query: str, files: Path) -> None:
    # As it stands in the files: within a JSON string.
    written = json.dumps(query, ensure_ascii=False)[1:-1]
    subprocess.run([rg, "-iFl", "--no-messages", "--", written, str(files)], stdout=subprocess.DEVNULL)


def _like(query: str) -> None:
    execute(
        f"SELECT id FROM peer_search WHERE messages LIKE %s ORDER BY id DESC LIMIT {LIMIT}",  # noqa: S608
        "%" + json.dumps(query)[1:-1] + "%",
    )


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def _best(call: Callable[[], object], times: int = 3) -> float:
    return min(_timed(call) for _ in range(times))


def _appends(figures: Figures) -> None:
    """A turn of one message at a thousand, with the index kept and without."""
    added = Texts().messages(random.Random(3), 1500)

    def median() -> float:
        id = store.create("bench", added[:1000]).id
        return quantiles(lambda turn: store.append(id, [added[1000 + turn]]), 400)[0]

    figures.tell("append", median(), "ms, p50")
    with _without_index():
        figures.tell("append without index", median(), "ms, p50")


@contextmanager
def _without_index() -> Iterator[None]:
    kept = search_index.add
    search_index.add = lambda *arguments: None
    try:
        yield
    finally:
        search_index.add = kept
        piece_table.search_index.add = kept


def _bars(kind: str, by_size: dict[int, Figures]) -> bool:
    largest = max(by_size)
    at = by_size[largest]
    print(f"\n{kind}, bars at {largest:,} messages", flush=True)
    bars = [("append with index / without", at["append"] / at["append without index"], 2.0)]
    if "ripgrep p50" in at:
        bars.append(("p50 / ripgrep's", at["search p50"] / at["ripgrep p50"], 1 / 50 if kind == "sqlite" else 1 / 10))
    if kind == "sqlite":
        if "ripgrep p90" in at:
            bars.append(("p90 / ripgrep's", at["search p90"] / at["ripgrep p90"], 1 / 12))
        bars.append(("worst adversarial, ms", at["adversarial max"], 1000))
        bars.append(("index / text", at["index / text"], 0.8))
        bars.append(("import / bare index", at["import / bare index"], 1.6))
        if "rare words p50" in at:
            bars.append(("rare words beyond nowhere, ms", at["rare words p50"] - at["nowhere p50"], 1.0))
    if len(by_size) > 1 and largest // 10 in by_size:
        bars.append(
            ("growth of p50 by ten times the messages", at["search p50"] / by_size[largest // 10]["search p50"], 3)
        )
    for name, value, bar in bars:
        print(f"  {name:44} {value:10.4f} {'met' if value <= bar else 'MISSED'} (at most {bar:.4g})", flush=True)
    return any(value > bar for _, value, bar in bars)


if __name__ == "__main__":
    sys.exit(main())
