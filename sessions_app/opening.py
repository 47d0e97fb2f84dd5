"""Opening databases that were not configured beforehand: an alias for an address, and migrations where they are due."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from sessions_app import backups, databases
from sessions_app.errors import DatabaseTooNew

MIGRATION_LOCK = 0x4D696772  # any number that nobody else locks

_numbers = itertools.count(1)


def add(configuration: dict[str, Any]) -> str:
    """Make a database known to Django under an alias of its own; `remove` takes it away again."""
    alias = f"forklore-{next(_numbers)}"
    filled = connections.configure_settings({"default": configuration, alias: configuration})
    connections.settings[alias] = filled[alias]
    return alias


def remove(alias: str) -> None:
    connections.settings.pop(alias, None)


def has_one_writer(alias: str) -> bool:
    return connections[alias].vendor == "sqlite"


def migrate(alias: str, verbosity: int = 0) -> bool:
    """Bring a database to this version's tables; whether anything was to do.

    A new SQLite file is readable by its owner only, and one with content is copied to `backups` beside it first. Raises
    DatabaseTooNew if a newer Forklore has written it, and BackupFailed, with nothing changed.
    """
    if not _is_behind(alias):
        return False
    with _alone(alias):
        if _is_behind(alias):
            if _has_sessions(alias):
                backups.before_migration(alias)
            call_command("migrate", database=alias, verbosity=verbosity, interactive=False)
    return True


def _is_behind(alias: str) -> bool:
    database = connections[alias]
    if database.vendor == "sqlite":
        _make_private(str(database.settings_dict["NAME"]))
    executor = MigrationExecutor(database)
    unknown = {
        migration
        for migration in set(executor.loader.applied_migrations) - set(executor.loader.disk_migrations)
        if migration[0].startswith("forklore")
    }
    if unknown:
        name = min(unknown)[1]
        raise DatabaseTooNew(f"The database was written by a newer Forklore ({name}); update this one first.")
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _has_sessions(alias: str) -> bool:
    if not backups.is_possible(alias):
        return False
    with connections[alias].cursor() as cursor:
        if "forklore_session" not in connections[alias].introspection.table_names(cursor):
            return False
        cursor.execute("SELECT 1 FROM forklore_session LIMIT 1")
        return cursor.fetchone() is not None


def _make_private(path: str) -> None:
    if path == ":memory:" or path.startswith("file:"):
        return
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(f"There is no directory {Path(path).parent} for the database.")
    # Never a file that is there: to close any descriptor of it ends all locks that this process has on it, and then the
    # next process that leaves takes itself for the last, and deletes the log: https://sqlite.org/howtocorrupt.html
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


@contextmanager
def _alone(alias: str) -> Iterator[None]:
    """Let one process migrate while others that start at the same moment wait for it."""
    database = connections[alias]
    if database.vendor == "postgresql":
        with databases.using(alias), database.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
            try:
                yield
            finally:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])
    else:
        with _locked_file(f"{database.settings_dict['NAME']}.migrating"):
            yield


@contextmanager
def _locked_file(path: str) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # Windows: two first starts at once are the user's to avoid
        yield
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        Path(path).unlink(missing_ok=True)
        os.close(descriptor)
