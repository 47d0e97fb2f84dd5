"""Takes the newest SQLite that is on the machine.

SQLite 3.7.0 to 3.51.2 can damage a WAL database that several processes write (https://sqlite.org/wal.html#walresetbug),
so the pysqlite3 wheel, which carries a newer one, stands in for the standard library's where it is installed.
"""

import contextlib
import sys
from functools import partial
from typing import Any

SAFE_VERSION = (3, 51, 3)


def prefer_newer_sqlite() -> None:
    """Must run before Django's SQLite backend is imported."""
    if "sqlite3" in sys.modules:
        import sqlite3

        if sqlite3.sqlite_version_info >= SAFE_VERSION:
            return
    try:
        import pysqlite3
        import pysqlite3.dbapi2
    except ImportError:
        return
    _add_limits(pysqlite3)
    _add_limits(pysqlite3.dbapi2)
    sys.modules["sqlite3"] = pysqlite3
    sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2


# Numbers of https://sqlite.org/c3ref/c_limit_attached.html, and what they are unless SQLite was compiled otherwise.
LIMITS = {"COLUMN": (2, 2_000), "VARIABLE_NUMBER": (9, 32_766)}


def _add_limits(module: Any) -> None:
    """Django 6.1 asks a connection for its limits, which the standard library's tells since Python 3.11."""
    if hasattr(module.Connection, "getlimit"):
        return
    compiled = dict(option.split("=") for (option,) in _compile_options(module) if "=" in option)
    values = {number: int(compiled.get(f"MAX_{name}", default)) for name, (number, default) in LIMITS.items()}

    class Connection(module.Connection):
        def getlimit(self, category: int) -> int:
            return values[category]

    for name, (number, _) in LIMITS.items():
        setattr(module, f"SQLITE_LIMIT_{name}", number)
    module.connect = partial(module.connect, factory=Connection)


def _compile_options(module: Any) -> list[tuple[str]]:
    with contextlib.closing(module.connect(":memory:")) as connection:
        return connection.execute("PRAGMA compile_options").fetchall()


def warning() -> str | None:
    """One sentence if this SQLite can damage a database that several processes write, else None."""
    import sqlite3

    if sqlite3.sqlite_version_info >= SAFE_VERSION:
        return None
    return (
        f"SQLite {sqlite3.sqlite_version} can damage a database that several processes write; "
        "let one process write, or install pysqlite3 0.6.1 or newer."
    )
