"""Damages copies of a database and reads them; run as `python -m tests.store.damaging DIRECTORY FILES`.

Prints what reading came to, as JSON. In a process of its own, for tests of Django may open no other databases.
"""

import json
import logging
import os
import random
import shutil
import subprocess
import sys
import traceback
from collections import Counter
from functools import partial
from pathlib import Path
from uuid import UUID

import django

django.setup()

from sessions_app import databases, opening, piece_table, search_index, store, store_check  # noqa: E402
from sessions_app.errors import DatabaseDamaged, MigrationFailed, StoreError  # noqa: E402
from sessions_site.configuration import database_from_url  # noqa: E402

PAGE = 4096  # bytes


def build(path, end):
    """Make a database, closed or left by one that dies, and print what it holds."""
    alias = opening.add(database_from_url(f"sqlite:///{path}"))
    opening.migrate(alias)
    order, ids = random.Random(1), []
    with databases.using(alias):
        for number in range(6):
            texts = [f"needle {number} {at} " + "word " * order.randrange(60) for at in range(order.randrange(1, 14))]
            messages = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]
            ids.append(store.create("p", messages).id)
        for id in ids[:3]:
            ids.append(store.fork_at(id, 1).id)
            store.append(ids[-1], [{"role": "user", "content": f"a fork {order.random()}"}])
        search_index.flush()
        print(json.dumps({str(id): store.get(id).messages for id in ids}), flush=True)
        if end == "killed":
            os._exit(0)
        databases.close(alias)


class Harm:
    """Ways to damage a file, by name; each takes the bytes and gives others."""

    def __init__(self, order):
        self.order = order

    def place(self, whole):
        """Where something stands; most of a small database is zeros."""
        while not whole[place := self.order.randrange(len(whole))]:
            pass
        return place

    def one_bit(self, whole):
        whole[self.place(whole)] ^= 1 << self.order.randrange(8)
        return whole

    def some_bits(self, whole):
        for _ in range(self.order.randrange(2, 40)):
            self.one_bit(whole)
        return whole

    def a_zeroed_page(self, whole):
        at = self.place(whole) // PAGE * PAGE
        whole[at : at + PAGE] = bytes(PAGE)
        return whole

    def a_page_of_noise(self, whole):
        at = self.place(whole) // PAGE * PAGE
        whole[at : at + PAGE] = self.order.randbytes(PAGE)
        return whole

    def zeros_somewhere(self, whole):
        at = self.place(whole)
        length = min(self.order.randrange(1, 600), len(whole) - at)
        whole[at : at + length] = bytes(length)
        return whole

    def two_pages_swapped(self, whole):
        one, other = (self.place(whole) // PAGE * PAGE for _ in range(2))
        whole[one : one + PAGE], whole[other : other + PAGE] = whole[other : other + PAGE], whole[one : one + PAGE]
        return whole

    def cut(self, whole):
        return whole[: self.order.randrange(1, len(whole))]

    def other_letters(self, whole):
        """As a bad editor would: what is still the JSON of a message."""
        said = b'"content":"needle'
        at = whole.find(said, self.order.randrange(len(whole) // 2))
        if at >= 0:
            whole[at + len(said) - 6 : at + len(said)] = b"noodle"
        return whole

    def empty(self, whole):
        return b""

    def foreign(self, whole):
        return b"SQLite format 3\0" + self.order.randbytes(9000) if self.order.random() < 0.5 else b"hello\n" * 3000


KINDS = [name for name in vars(Harm) if name not in ("place", "__init__") and not name.startswith("__")]


def read(path, expected):
    """What reading all of a file came to: right, wrong, refused or gone, for each thing that was asked."""
    told = Counter()
    alias = opening.add(database_from_url(f"sqlite:///{path}"))
    try:
        opening.migrate(alias)
    except StoreError as error:
        told["not opened" if path.name in str(error) or not isinstance(error, DatabaseDamaged) else "wrong"] += 1
        return told
    else:
        with databases.using(alias):
            for id, messages in expected.items():
                people = [(at, each["content"]) for at, each in enumerate(messages) if each["role"] == "user"]
                prompts = [(at, text[:200].strip()) for at, text in people]
                told[asked(partial(messages_of, id), messages)] += 1
                told[asked(partial(store.get_messages, id, 1, 3), messages[1:3])] += 1
                told[asked(partial(prompts_of, id), prompts)] += 1
            for call in (
                lambda: store.list_sessions(99),
                lambda: store.search("needle 3", 9),
                lambda: store.rename(next(iter(expected)), "anew"),
                lambda: store.append(next(iter(expected)), [{"role": "user", "content": "more"}]),
            ):
                asked(call, None)
        return told
    finally:
        databases.close(alias)
        opening.remove(alias)


class Gone(Exception):
    """There is no such session any more."""


def messages_of(id):
    found = store.get(id)
    if found is None:
        raise Gone
    return found.messages


def prompts_of(id):
    return [(at, text.strip()) for at, text in store.prompts(id)]


def asked(call, wanted):
    try:
        found = call()
    except StoreError:
        return "refused"
    except Gone:
        return "gone"
    if wanted is None or found == wanted:
        return "right"
    return "older" if found == wanted[: len(found)] else "fewer" if is_part(found, wanted) else "wrong"


def is_part(found, wanted):
    return all(each in wanted for each in found)


def damaged(bases, directory, number):
    """A file that was damaged in a way that its number tells, and what it held."""
    order = random.Random(number)
    kind = KINDS[number % len(KINDS)]
    base, expected = bases[number // len(KINDS) % 2]
    path = directory / f"{number}.sqlite3"
    log = Path(f"{base}-wal")
    victim = base
    if log.exists():
        if kind in ("one_bit", "some_bits", "cut", "zeros_somewhere", "other_letters") and order.random() < 0.7:
            victim = log
        shutil.copyfile(base if victim is log else log, path if victim is log else f"{path}-wal")
    harmed = bytes(getattr(Harm(order), kind)(bytearray(victim.read_bytes())))
    (Path(f"{path}-wal") if victim is log else path).write_bytes(harmed)
    return path, expected, kind, victim is log


def bases(directory):
    """A database that was closed, and one whose writer was killed: each with what it holds."""
    found = []
    for end in ("closed", "killed"):
        done = subprocess.run(
            [sys.executable, "-m", __spec__.name, "build", str(directory / end), end],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        found.append((directory / end, {UUID(id): messages for id, messages in json.loads(done.stdout).items()}))
    return found


def campaign(directory, files):
    """Read damaged files one after the other."""
    return again(directory, *range(files))


def again(directory, *numbers):
    of, told, wrong = bases(directory), Counter(), []
    for number in numbers:
        path, expected, kind, in_log = damaged(of, directory, number)
        before, had_log = path.read_bytes(), Path(f"{path}-wal").exists()  # which SQLite brings home
        try:
            found = read(path, expected)
        except Exception as error:  # a traceback, to whoever reads
            wrong.append((number, kind, repr(error), traceback.format_exc().splitlines()[-12:]))
            continue
        if in_log:  # what a log lost was written last; what is there of a session is whole
            found.pop("older", None)
        if found["wrong"] or (found["not opened"] and not had_log and is_replaced(before, path.read_bytes())):
            wrong.append((number, kind, found))
        told += found
        for left in directory.glob(f"{number}.sqlite3*"):
            left.unlink()
    return {"told": told, "wrong": wrong}


def is_replaced(before, after):
    """Whether a file that was refused became another one; SQLite may note in its header that it looked."""
    pages = [before[at : at + PAGE] != after[at : at + PAGE] for at in range(0, len(before), PAGE)]
    return len(after) < len(before) or sum(pages) > 2 or (not before and bool(after))


def control(directory):
    """The same, of files in which letters were replaced by others, and with reading that proves nothing."""
    piece_table._proved = lambda rows, *_: ([bytes(row[2]) for row in rows], bytes(rows[-1][1]))
    of, told = bases(directory), Counter()
    for number in range(KINDS.index("other_letters"), 200, len(KINDS)):
        path, expected, _, _ = damaged(of, directory, number)
        told += read(path, expected)
    return {"told": told}


def check(directory, files):
    """check_store on damaged files: it tells of each, whatever the damage."""
    of, told = bases(directory), Counter()
    for number in range(files):
        path, _, _, in_log = damaged(of, directory, number)
        alias = opening.add(database_from_url(f"sqlite:///{path}"))
        try:
            opening.migrate(alias)
            with databases.using(alias):
                told["named" if [*store_check.problems()] else "in the log" if in_log else "clean"] += 1
        except (DatabaseDamaged, MigrationFailed):  # the second where what was migrated is what was damaged
            told["not opened"] += 1
        finally:
            databases.close(alias)
            opening.remove(alias)
    return {"told": told}


if __name__ == "__main__":
    logging.disable()
    what, place, *rest = sys.argv[1:]
    if what == "build":
        build(place, *rest)
    else:
        print(
            json.dumps(
                {"campaign": campaign, "again": again, "control": control, "check": check}[what](
                    Path(place), *map(int, rest)
                )
            )
        )
