"""Opening databases that were not configured beforehand: an alias for an address, and migrations where they are due."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import DatabaseError, connections
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from sessions_app import backups, database_faults, databases, recent_reads
from sessions_app.errors import DatabaseDamaged, DatabaseTooNew, MigrationFailed

MIGRATION_LOCK = 0x4D696772  # any number that nobody else locks

_logger = logging.getLogger(__name__)

_numbers = itertools.count(1)


def add(configuration: dict[str, Any]) -> str:
    """Make a database known to Django under an alias of its own; `remove` takes it away again."""
    alias = f"forklore-{next(_numbers)}"
    filled = connections.configure_settings({"default": configuration, alias: configuration})
    connections.settings[alias] = filled[alias]
    return alias


def remove(alias: str) -> None:
    connections.settings.pop(alias, None)
    recent_reads.forget(alias)


def has_one_writer(alias: str) -> bool:
    return connections[alias].vendor == "sqlite"


def migrate(alias: str, verbosity: int = 0) -> bool:
    """Bring a database to this version's tables; whether anything was to do.

    A new SQLite file is readable by its owner only, and one with content is copied to `backups` beside it first. One
    that is damaged, and can be read at all, is read only from now on (database_faults). Raises DatabaseDamaged for one
    that cannot, and for a file that is none; DatabaseTooNew if a newer Forklore has written it; and BackupFailed and MigrationFailed; with
    nothing changed.
    """
    if is_file(alias):
        if not os.path.exists(_name(alias)):
            _make(alias, verbosity)
            return True
        if not _is_sound(alias):
            return False
    with database_faults.explained(alias):
        return _bring_up_to_date(alias, verbosity)


def _bring_up_to_date(alias: str, verbosity: int) -> bool:
    if not _is_behind(alias):
        return False
    with _alone(alias):
        if _is_behind(alias):
            if _has_sessions(alias):
                backups.before_migration(alias)
            try:
                call_command("migrate", database=alias, verbosity=verbosity, interactive=False)
            except (DatabaseError, InconsistentMigrationHistory) as error:
                raise database_faults.fault(error, alias) or MigrationFailed(
                    f"The database could not be brought up to date ({error}). What it held it holds; "
                    "look at it by check_store, or bring back a backup."
                ) from error
    return True


def _name(alias: str) -> str:
    return str(connections[alias].settings_dict["NAME"])


def is_file(alias: str) -> bool:
    """Whether a database is a file of SQLite."""
    name = _name(alias)
    return connections[alias].vendor == "sqlite" and name != ":memory:" and not name.startswith("file:")


def _make(alias: str, verbosity: int) -> None:
    """Make a new database aside and put it in its place when it is whole, so that an empty file is never taken for one.

    Never in the place of a file that came there meanwhile. A log that stands there alone belongs to a database that is
    gone. Raises DatabaseDamaged for that.
    """
    place = Path(_name(alias))
    if not place.parent.is_dir():
        raise FileNotFoundError(f"There is no directory {place.parent} for the database.")
    log = Path(f"{place}-wal")
    if log.exists() and log.stat().st_size:
        why = "it is gone, and its log is left"
        raise DatabaseDamaged(database_faults.damage_sentence(str(place), why, readable=False))
    with _locked_file(f"{place}.migrating"):
        if place.exists():
            return
        for left in place.parent.glob(f".{place.name}.new*"):  # by one that was killed at this
            left.unlink(missing_ok=True)
        aside = place.with_name(f".{place.name}.new")
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        made = add({**connections[alias].settings_dict, "NAME": str(aside)})
        try:
            call_command("migrate", database=made, verbosity=verbosity, interactive=False)
            connections[made].close()
            with suppress(FileExistsError):
                os.link(aside, place)
        finally:
            connections[made].close()
            remove(made)
            for suffix in ("", "-journal", "-wal", "-shm"):
                aside.with_name(aside.name + suffix).unlink(missing_ok=True)


def _is_sound(alias: str) -> bool:
    """Whether a database shows no damage at a first look; one that does and can be read is read only from now on.

    Raises DatabaseDamaged for what is no database, or none of Forklore.
    """
    name, size = _name(alias), os.path.getsize(_name(alias))
    beside = any(os.path.exists(name + suffix) and os.path.getsize(name + suffix) for suffix in ("-wal", "-journal"))
    why = None
    if not size and not beside:
        why = "the file is empty; if it never held anything, remove it"
    else:
        try:
            why = _first_look(alias, None if beside else size)
        except Exception as error:
            damaged = isinstance(database_faults.fault(error, alias), DatabaseDamaged)
            if not damaged and not isinstance(error, ValueError | TypeError):
                raise
            why = str(error)
    if why is None:
        return True
    if (size or beside) and _can_be_read(alias):
        _logger.error("%s", database_faults.damaged(alias, why))
        return False
    database_faults.forget(alias)
    connections[alias].close()
    raise DatabaseDamaged(database_faults.damage_sentence(name, why, readable=False))


def _first_look(alias: str, size: int | None) -> str | None:
    """What is wrong with a database, as far as the first row of each table tells; its size is known where it is all."""
    with connections[alias].cursor() as cursor:
        tables = connections[alias].introspection.table_names(cursor)
        if tables and "django_migrations" not in tables:
            return "it is the database of another program"
        for table in tables:
            if not table.startswith("forklore_search_"):  # of the index, which is made anew
                cursor.execute(f'SELECT * FROM "{table}" LIMIT 1')  # noqa: S608
                cursor.fetchall()
        if not tables and size is None:
            return "there is nothing in it, and what its log held cannot be read"
        pages = cursor.execute("PRAGMA page_count").fetchone()[0] * cursor.execute("PRAGMA page_size").fetchone()[0]
        if size is not None and size < pages:
            return f"it has {size:,} of its {pages:,} bytes"
        if tables and "forklore_session" not in tables and size is not None:
            cursor.execute("SELECT 1 FROM django_migrations WHERE app = 'forklore' LIMIT 1")
            return "its tables are gone" if cursor.fetchone() else None
    return None


def _can_be_read(alias: str) -> bool:
    """Whether there are sessions to be read in a database that is damaged, and its tables are those of this version."""
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM forklore_project")
            cursor.execute("SELECT id FROM forklore_session LIMIT 1")
            cursor.fetchall()
        return not _is_behind(alias)
    except DatabaseTooNew:
        raise
    except Exception:
        return False


def is_up_to_date(alias: str) -> bool:
    """Whether a database has the tables of this version. Raises DatabaseTooNew."""
    return not _is_behind(alias)


def _is_behind(alias: str) -> bool:
    applied = set(MigrationRecorder(connections[alias]).applied_migrations())
    if not all(isinstance(word, str) for migration in applied for word in migration):
        raise database_faults.damaged(alias, "what was migrated is no list of names")
    unknown = {migration for migration in applied - _known() if migration[0].startswith("forklore")}
    if unknown:
        name = min(unknown)[1]
        raise DatabaseTooNew(f"The database was written by a newer Forklore ({name}); update this one first.")
    return bool(_known() - applied)


@cache
def _known() -> frozenset[tuple[str, str]]:
    """The migrations of this version, by application and name."""
    return frozenset(MigrationLoader(None).disk_migrations)


def _has_sessions(alias: str) -> bool:
    if not backups.is_possible(alias):
        return False
    with connections[alias].cursor() as cursor:
        if "forklore_session" not in connections[alias].introspection.table_names(cursor):
            return False
        cursor.execute("SELECT 1 FROM forklore_session LIMIT 1")
        return cursor.fetchone() is not None


@contextmanager
def _alone(alias: str) -> Iterator[None]:
    """Let one process migrate while others that start at the same moment wait for it."""
    database = connections[alias]
    if database.vendor == "postgresql":
        with databases.using(alias), database.cursor() as cursor:
            _wait_for_as_long_as_it_takes(cursor)
            try:
                yield
            finally:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])
    else:
        with _locked_file(f"{database.settings_dict['NAME']}.migrating"):
            yield


def _wait_for_as_long_as_it_takes(cursor: Any) -> None:
    """Another's migration may, and its backup; the locks on tables are waited for no longer than any others."""
    cursor.execute("SELECT current_setting('lock_timeout'), set_config('lock_timeout', '0', false)")
    patience, _ = cursor.fetchone()
    try:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
    finally:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [patience])


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
