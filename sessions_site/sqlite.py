"""Takes the newest SQLite that is on the machine.

SQLite 3.7.0 to 3.51.2 can damage a WAL database that several processes write (https://sqlite.org/wal.html#walresetbug),
so the pysqlite3 wheel, which carries a newer one, stands in for the standard library's where it is installed.
"""

import sys

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
    sys.modules["sqlite3"] = pysqlite3
    sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2


def warning() -> str | None:
    """One sentence if this SQLite can damage a database that several processes write, else None."""
    import sqlite3

    if sqlite3.sqlite_version_info >= SAFE_VERSION:
        return None
    return (
        f"SQLite {sqlite3.sqlite_version} can damage a database that several processes write; "
        "let one process write, or install pysqlite3 0.6.1 or newer."
    )
