"""Simulated power cuts: what SQLite wrote and synced is recorded, and a disk made as it may be found after a cut.

Run as `python -m tests.store.power DIRECTORY CUTS SYNCHRONOUS`; prints what was lost, as JSON. Of what was not synced, a
disk holds any part: of each write nothing, all, or some of its sectors of 512 bytes.
"""

import json
import logging
import random
import sys
from pathlib import Path

import django

django.setup()

import sqlite3  # noqa: E402

from sessions_app import databases, opening, store, store_check  # noqa: E402
from sessions_app.databases import connection  # noqa: E402
from sessions_site.configuration import database_from_url  # noqa: E402
from tests.sqlite_disk import the_disk  # noqa: E402

SECTOR = 512  # bytes
CHECKED = 20  # of so many cuts, one is checked by check_store


def recorded(path, synchronous):
    """What was done to the files of a store that is written to, acknowledgements between; and what they were before."""
    disk, order = the_disk(), random.Random(1)
    disk.put_in()
    alias = opening.add(database_from_url(f"sqlite:///{path}"))
    opening.migrate(alias)
    with databases.using(alias):
        with connection().cursor() as cursor:
            cursor.execute(f"PRAGMA synchronous = {synchronous}")
            cursor.execute("PRAGMA wal_autocheckpoint = 30")
        log = store.create("log", [])
        other = store.create("other", [])
        before = {each.name: each.read_bytes() for each in path.parent.iterdir() if each.name.startswith(path.name)}
        before = {name: held for name, held in before.items() if not name.endswith("-shm")}
        disk.log = []
        generation = 0
        for number in range(90):
            text = "x" * order.choice([10, 200, 3000])
            store.append(log.id, [{"number": number, "text": text}] * 2)
            disk.log.append(("ack", "append", number))
            if not number % 3:
                generation += 1
                store.update(
                    other.id, [{"generation": generation, "text": text}] * (1 + generation * 7 % 9), generation
                )
                disk.log.append(("ack", "update", generation))
            if not number % 10:
                store.delete(store.fork_at(log.id, number).id)
        found, disk.log = disk.log, None
        databases.close(alias)
        disk.take_out()
        opening.remove(alias)
        return before, found, log.id, other.id


def after_a_cut(before, log, cut, order):
    """The files as they may be found, and what was acknowledged by then."""
    files = {name: bytearray(held) for name, held in before.items()}
    unsynced = {}
    acknowledged = {"append": -1, "update": 0}
    for what, name, *rest in log[:cut]:
        if what == "ack":
            acknowledged[name] = rest[0]
        elif what == "sync":
            for each in unsynced.pop(name, []):
                apply(files, each)
        elif what == "delete":
            unsynced.pop(name, None)
            files.pop(name, None)
        else:
            unsynced.setdefault(name, []).append((what, name, *rest))
    for pending in unsynced.values():
        for each in pending:
            if (chance := order.random()) < 0.4:
                apply(files, each)
            elif chance < 0.6 and each[0] == "write":
                for torn in sectors(each):
                    if order.random() < 0.5:
                        apply(files, torn)
    return files, acknowledged


def apply(files, operation):
    what, name, *rest = operation
    held = files.setdefault(name, bytearray())
    if what == "truncate":
        del held[rest[0] :]
        return
    offset, data = rest
    held.extend(bytes(max(0, offset - len(held))))
    held[offset : offset + len(data)] = data


def sectors(write):
    _, name, offset, data = write
    for start in range(0, len(data), SECTOR):
        yield "write", name, offset + start, data[start : start + SECTOR]


def look(path, log, other):
    """What a store holds after a cut: the number of the last append and the generation, or why it cannot be read."""
    database = sqlite3.connect(path)
    try:
        if database.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
            return "damaged"
        pieces = (
            "SELECT body FROM forklore_message WHERE strand_id = (SELECT strand_id FROM forklore_session WHERE id = ?)"
        )
        found = [
            [json.loads(row[0]) for row in database.execute(f"{pieces} ORDER BY position", [id.hex])]
            for id in (log, other)
        ]
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        database.close()
    numbers = [message["number"] for message in found[0]]
    generations = {message["generation"] for message in found[1]}
    if numbers != [number // 2 for number in range(len(numbers))] or len(numbers) % 2 or len(generations) > 1:
        return "torn"
    return (numbers[-1] if numbers else -1), (generations.pop() if generations else 0)


def main(directory, cuts, synchronous):
    logging.disable()
    before, log, appended, updated = recorded(directory / "store", synchronous)
    order = random.Random(2)
    lost, harmed, wrong = 0, [], []
    for number in range(cuts):
        cut = order.randrange(1, len(log) + 1)
        files, acknowledged = after_a_cut(before, log, cut, order)
        place = directory / f"cut-{number}"
        for name, held in files.items():
            (directory / name.replace("store", place.name)).write_bytes(held)
        found = look(place, appended, updated)
        if isinstance(found, str):
            harmed.append(found)
        elif found[0] < acknowledged["append"] or found[1] < acknowledged["update"]:
            lost += 1
        elif not number % CHECKED:
            wrong += checked(place)
        for left in directory.glob(f"{place.name}*"):
            left.unlink()
    kinds = {kind: sum(entry[0] == kind for entry in log) for kind in ("write", "sync", "ack", "truncate")}
    print(json.dumps({"cuts": cuts, "lost": lost, "harmed": len(harmed), "wrong": wrong[:9], **kinds}))


def checked(path):
    alias = opening.add(database_from_url(f"sqlite:///{path}"))
    try:
        opening.migrate(alias)
        with databases.using(alias):
            return [*store_check.problems()]
    finally:
        databases.close(alias)
        opening.remove(alias)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
