"""What a database cannot do, in a sentence that says what to do: damaged, full, failed, busy, or to be read only.

A damaged SQLite file is read on, and written no more: whatever is written into it may harm what is still whole. That
holds for the process that found the damage, until it ends; check_store and a restored backup are what helps.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import connections
from django.db.backends.signals import connection_created
from django.db.utils import DataError, Error
from django.utils.dateparse import parse_datetime

from sessions_app import backups, ballast
from sessions_app.databases import current
from sessions_app.errors import (
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseFault,
    DatabaseReadOnly,
    DiskFailed,
    DiskFull,
)

# https://sqlite.org/rescode.html; what stands above the lowest eight bits says more of the same.
_CORRUPT_INDEX = 267  # of a virtual table, which here is the search index
_POSTGRESQL_FULL = "53100"
_CHECK_FAILED = 275  # SQLITE_CONSTRAINT_CHECK
_POSTGRESQL_BUSY = "55P03"  # lock_not_available, after lock_timeout
BUSY = "Others write to the database for too long; nothing was changed, ask again."
# What the file says of its tables is not what it said when it was brought up to date; the rest of it is fts5's.
_OTHER_TABLES = (
    "no such table", "no such column", "no such module", "no such tokenizer", "no such index", "no such collation",
    "parse error in", "unrecognized option", "unrecognized column option", "malformed ", "error in tokenizer constructor",
    "vtable constructor failed", "unknown tokenizer", "invalid fts5 file format",
)  # fmt: skip
# Of the driver itself, which gives them no code; and where the file holds another description of its tables than ours.
_NO_MOMENT = "Could not read the moment"
_UNREADABLE = "Could not decode to UTF-8", "row_cast_map", "has no column named", _NO_MOMENT

# What a database raises that cannot be asked just now, for whoever goes on without it.
UNAVAILABLE: Final = (DatabaseFault, Error, sqlite3.Error)

# What PostgreSQL says to a text with a NUL, or a number beyond a column's: nothing that it holds is asked for by that.
UNFIT: Final = DataError
NOTHING_LIKE_IT = "What was asked for holds a character or a number that nothing stored can have."

FULL = (
    "The disk is full: what is stored can be read, and nothing can be added. Make room, or remove sessions by clean-up."
)

_read_only: dict[str, str] = {}  # by alias of a database: why it is read only
_full: set[str] = set()  # aliases of databases whose last write found no room


class explained:  # noqa: N801 used as a function: with explained(): …
    """Raise what a database says that cannot go on as a DatabaseFault, within."""

    __slots__ = ("alias",)

    def __init__(self, alias: str | None = None):
        self.alias = alias

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None and (found := fault(error, self.alias)):
            raise found from error


def fault(error: BaseException, alias: str | None = None) -> DatabaseFault | None:
    """What an error of a database means, or None for any other, and for a connection that is gone: that comes back."""
    alias = alias or current()
    for each in _causes(error):
        if isinstance(each, DatabaseFault):
            return None if each is error else each
        if getattr(each, "sqlstate", None) == _POSTGRESQL_FULL:
            return _out_of_room(alias)
        if getattr(each, "sqlstate", None) == _POSTGRESQL_BUSY:
            return DatabaseBusy(BUSY)
        code = getattr(each, "sqlite_errorcode", None)
        if code is not None:
            return _of_sqlite(code, each, alias)
        if any(words in str(each) for words in _UNREADABLE) or isinstance(each, UnicodeDecodeError):
            return damaged(alias, str(each))
    return None


def damaged(alias: str, why: str) -> DatabaseDamaged:
    """Let a database be read only from now on, because it is damaged; the error that says so and what to do."""
    sentence = damage_sentence(str(connections[alias].settings_dict["NAME"]), why)
    if connections[alias].vendor == "sqlite" and alias not in _read_only:
        _read_only[alias] = sentence
        _keep_from_writing(connections[alias])
    return DatabaseDamaged(sentence)


def damage_sentence(name: str, why: str, *, readable: bool = True) -> str:
    program = getattr(settings, "FORKLORE_PROGRAM", "forklore")
    found = backups.found(name)
    restored = f"move it away and run: {program} restore {found[0] if found else 'FILE'}"
    return (
        f"The database {name} is damaged ({why.strip('.')})"
        + (f"; it is read only from now on. See what is wrong by: {program} check_store." if readable else ".")
        + (f" To bring back a backup, {restored}." if found else f" No backup stands beside it; with one, {restored}.")
    )


def read_only_because(alias: str | None = None) -> str | None:
    """Why nothing is written to a database by this process; None where it is."""
    return _read_only.get(alias or current())


def refuse_if_read_only() -> None:
    """Raises DatabaseDamaged."""
    if _read_only and (sentence := read_only_because()):
        raise DatabaseDamaged(sentence)


def refused(alias: str | None = None) -> str | None:
    """What keeps a database from being written just now, as far as this process knows: damage, or a full disk."""
    alias = alias or current()
    return read_only_because(alias) or (FULL if alias in _full else None)


def is_full(alias: str | None = None) -> bool:
    return (alias or current()) in _full


def note_written() -> None:
    """That the current database took a write: its disk is not full, or no more."""
    if _full:
        _full.discard(current())


def make_room(alias: str | None = None) -> bool:
    """Give up the room that is kept for clean-up; whether there was any."""
    database = connections[alias or current()]
    return database.vendor == "sqlite" and ballast.release(str(database.settings_dict["NAME"]))


def forget(alias: str) -> None:
    """That a database was read only, as after it was taken away."""
    _read_only.pop(alias, None)
    _full.discard(alias)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it was made of, and so on; Django's are made of the driver's."""
    while error is not None:
        yield error
        error = error.__cause__


def _of_sqlite(code: int, error: BaseException, alias: str) -> DatabaseFault | None:
    if code == _CORRUPT_INDEX:
        return DatabaseDamaged("The search index is damaged; build it anew by rebuild_search or check_store --repair.")
    if code == _CHECK_FAILED:  # the store writes nothing that a check refuses, unless the check is what was damaged
        return DatabaseDamaged(damage_sentence(str(connections[alias].settings_dict["NAME"]), str(error)))
    match code & 0xFF:
        case 11 | 26:  # CORRUPT, NOTADB
            return damaged(alias, str(error))
        case 13:  # FULL
            return _out_of_room(alias)
        case 10 | 14:  # IOERR, CANTOPEN
            return DiskFailed(f"The database could not be read or written ({error}); nothing was changed.")
        case 8:  # READONLY
            return DatabaseReadOnly(read_only_because(alias) or "The database can be read only; nothing was changed.")
        case 1 if any(words in str(error) for words in _OTHER_TABLES):
            return DatabaseDamaged(damage_sentence(str(connections[alias].settings_dict["NAME"]), str(error)))
        case 5 | 6:  # BUSY, LOCKED
            return DatabaseBusy(BUSY)
    return None


def _out_of_room(alias: str) -> DiskFull:
    _full.add(alias)
    return DiskFull(FULL)


def _keep_from_writing(database: Any) -> None:
    if database.connection is not None:
        database.connection.execute("PRAGMA query_only = ON")


def _mind_new_connection(connection: Any, **_: object) -> None:
    if connection.vendor == "sqlite":
        sqlite3.register_converter("datetime", _moment)  # in the place of Django's, which came with its backend
    elif patience := connection.settings_dict.get("PATIENCE"):
        _bound_waits(connection, patience)
    if _read_only and connection.alias in _read_only:
        _keep_from_writing(connection)


def _bound_waits(connection: Any, patience: float) -> None:
    """Let PostgreSQL give up a wait for a lock as SQLite does, unless it was told otherwise; see decision 0034."""
    connection.connection.execute(
        "SELECT set_config('lock_timeout', %s, false) WHERE current_setting('lock_timeout') = '0'",
        [f"{int(patience * 1000)}ms"],
    )


def _moment(written: bytes) -> datetime:
    """What a column of moments holds; Django's own converter lets a damaged one pass as nothing, or as a ValueError."""
    try:
        if found := parse_datetime(written.decode()):
            return found
        raise ValueError("no moment")
    except ValueError as error:
        raise sqlite3.DatabaseError(f"{_NO_MOMENT} {written!r}: {error}") from error


connection_created.connect(_mind_new_connection)
