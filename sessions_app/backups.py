"""Copies of a SQLite database: taken while it is in use, read again before they count, and put back only where none is."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import connections

from sessions_app.errors import BackupFailed

KEPT = 3  # backups made before migrations


def is_possible(alias: str) -> bool:
    """Only SQLite, and only a file, is copied from here."""
    database = connections[alias]
    name = str(database.settings_dict["NAME"])
    return database.vendor == "sqlite" and name != ":memory:" and not name.startswith("file:")


def write(alias: str, target: Path) -> None:
    """Copy a SQLite database to a new file, readable by its owner only: whole and checked, or not at all.

    Raises BackupFailed, also where the target exists.
    """
    if target.exists():
        raise BackupFailed(f"{target} is there already.")
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        database: Any = connections[alias]
        database.ensure_connection()
        with closing(sqlite3.connect(aside)) as copy:
            database.connection.backup(copy)  # of one moment; beside a write-ahead log it keeps nobody from writing
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
        _check_copy(aside)
        _sync(aside)
        os.link(aside, target)  # unlike a rename it never replaces another file
    except (OSError, sqlite3.Error) as error:
        raise BackupFailed(f"The backup {target} cannot be written: {error}.") from error
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            aside.with_name(aside.name + suffix).unlink(missing_ok=True)


def check(file: Path) -> None:
    """Raises BackupFailed for a file that is no whole database of Forklore. Never call it for a database in use."""
    if not file.is_file():
        raise BackupFailed(f"There is no backup {file}.")
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            (found,) = database.execute("PRAGMA integrity_check(1)").fetchone()
            database.execute("SELECT COUNT(*) FROM forklore_session").fetchone()
    except sqlite3.Error as error:
        raise BackupFailed(f"{file} is not a whole backup of Forklore: {error}.") from error
    if found != "ok":
        raise BackupFailed(f"{file} is damaged: {found}.")


def _check_copy(file: Path) -> None:
    try:
        check(file)
    except BackupFailed as error:
        raise BackupFailed(f"The database is damaged, and so was its copy: {error} See more by check_store.") from error


def restore(file: Path, name: str) -> None:
    """Put a checked backup where no database is. Raises BackupFailed, also where one is: it is never replaced."""
    check(file)
    place = Path(name)
    for each in (place, Path(f"{name}-wal"), Path(f"{name}-journal")):
        if each.exists():
            raise BackupFailed(f"{each} is there already; stop Forklore and move it away first.")
    aside = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy, file.open("rb") as source:
            while part := source.read(1 << 20):
                copy.write(part)
        check(aside)
        _sync(aside)
        os.link(aside, place)
    except OSError as error:
        raise BackupFailed(f"{place} cannot be written: {error.strerror}.") from error
    finally:
        aside.unlink(missing_ok=True)


def before_migration(alias: str) -> Path:
    """Copy a database to `backups` beside it; the newest KEPT of them stay. Raises BackupFailed."""
    place = Path(str(connections[alias].settings_dict["NAME"]))
    directory = place.parent / "backups"
    directory.mkdir(mode=0o700, exist_ok=True)
    for left in directory.glob(f".{place.name}.*"):  # by one that was killed at this; only one migrates at a time
        left.unlink(missing_ok=True)
    target = directory / f"{place.name}.{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    write(alias, target)
    for old in found(str(place))[KEPT:]:
        old.unlink()
    return target


def found(name: str) -> list[Path]:
    """The backups beside a database, the newest first."""
    place = Path(name)
    return sorted((place.parent / "backups").glob(f"{place.name}.*Z"), reverse=True)


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
