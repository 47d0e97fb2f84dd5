"""Which of Django's databases the store works on: the configured one, unless a caller chose another."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

_alias: ContextVar[str] = ContextVar("forklore_database", default=DEFAULT_DB_ALIAS)


class _Known(threading.local):
    """Django's connections of this thread by their alias; an append asks for its one twenty times."""

    def __init__(self) -> None:
        self.connections: dict[str, BaseDatabaseWrapper] = {}


_known = _Known()


def current() -> str:
    return _alias.get()


@contextmanager
def using(alias: str) -> Iterator[None]:
    """Let every query of this context, the ORM's too, go to the database with that alias."""
    token = _alias.set(alias)
    try:
        yield
    finally:
        _alias.reset(token)


def connection() -> BaseDatabaseWrapper:
    alias = _alias.get()
    found = _known.connections.get(alias)
    if found is None:
        found = _known.connections[alias] = connections[alias]
    return found


def execute(statement: str, parameters: Sequence[Any] = ()) -> Any:
    """Run one constant statement and give its cursor, past Django's wrappers, which take as long as SQLite does.

    PostgreSQL is handed the parameters by themselves, and so plans what comes again and again once a connection.
    """
    database: Any = connection()
    if is_watched(database):
        cursor = database.cursor()
        cursor.execute(statement, parameters)
        return cursor
    if database.vendor == "postgresql":
        database.close_if_health_check_failed()
    if database.connection is None:
        database.ensure_connection()
    try:
        if database.vendor == "sqlite":
            return database.connection.execute(_for_sqlite(statement), parameters)
        return database.Database.Cursor(database.connection).execute(statement, parameters)
    except database.Database.Error:
        with database.wrap_database_errors:
            raise


def execute_many(statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """The same for each of some rows."""
    database: Any = connection()
    if is_watched(database):
        with database.cursor() as cursor:
            cursor.executemany(statement, rows)
        return
    database.ensure_connection()
    with database.wrap_database_errors:
        if database.vendor == "sqlite":
            database.connection.executemany(_for_sqlite(statement), rows)
        else:
            database.Database.Cursor(database.connection).executemany(statement, rows)


def is_watched(database: Any) -> bool:
    """Whether somebody wants to be told of each statement, who is told by Django's wrappers."""
    return database.queries_logged or bool(database.execute_wrappers)


def command(statements: str) -> None:
    """Run statements without parameters or an answer, several at once on PostgreSQL; not for SQLite's writes."""
    database: Any = connection()
    database.ensure_connection()
    with database.wrap_database_errors:
        if database.vendor == "sqlite":
            database.connection.execute(statements)
        else:
            database.Database.Cursor(database.connection).execute(statements, prepare=False)


def plan_for_many_rows() -> None:
    """Let PostgreSQL plan the rest of the transaction for what is asked seldom and reads very many rows: to compile it
    takes longer than to do it (0.6 s of 1.2), and what it sorts fits into memory."""
    if connection().vendor == "postgresql":
        command("SET LOCAL jit = off; SET LOCAL work_mem = '32MB'")


@contextmanager
def at_once() -> Iterator[None]:
    """Send PostgreSQL statements without waiting for the answer to each: only what is fetched is waited for.

    Until the end nobody knows how many rows a statement has changed, which the ORM's own writes have to know.
    """
    database: Any = connection()
    if database.vendor != "postgresql" or not database.Database.Pipeline.is_supported():
        yield
        return
    database.ensure_connection()
    # What fails is told where something is fetched, or here.
    with database.wrap_database_errors, database.connection.pipeline():
        yield


def in_transaction() -> bool:
    database: Any = connection()
    if database.in_atomic_block:
        return True
    if database.connection is None:
        return False
    if database.vendor == "sqlite":
        return bool(database.connection.in_transaction)
    return database.connection.info.transaction_status != database.Database.pq.TransactionStatus.IDLE


@lru_cache(maxsize=256)
def _for_sqlite(statement: str) -> str:
    return statement.replace("%s", "?").replace("%%", "%")


def close(alias: str) -> None:
    """Close this thread's connection; the next query opens another."""
    connections[alias].close()


class CurrentDatabase:
    """The router that makes the ORM follow `using`; https://docs.djangoproject.com/en/5.2/topics/db/multi-db/."""

    def db_for_read(self, model, **hints) -> str:
        return current()

    db_for_write = db_for_read

    def allow_relation(self, one, other, **hints) -> bool:
        return one._state.db == other._state.db
