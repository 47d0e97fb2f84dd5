"""A SQLite file that shrinks after a purge, and one of an earlier Forklore that is prepared for it once."""

import sqlite3

import pytest
from django.core.management import call_command

from sessions_app import cleanup, databases, opening, space, store
from sessions_app.databases import execute
from sessions_site.configuration import database_from_url
from tests.builders import a_session


@pytest.fixture
def a_file(tmp_path, django_test_environment, django_db_blocker):
    """The alias of a SQLite file that a process of its own would have; called with whether it is prepared."""
    made = []

    def open_file(prepared=True):
        path = tmp_path / f"{prepared}.sqlite3"
        if not prepared:
            with sqlite3.connect(path) as old:  # as a Forklore before this one had made it
                old.execute("PRAGMA journal_mode = WAL")
                old.execute(
                    "CREATE TABLE django_migrations (id integer NOT NULL PRIMARY KEY AUTOINCREMENT,"
                    " app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied datetime NOT NULL)"
                )
            old.close()
        alias = opening.add(database_from_url(f"sqlite:///{path}"))
        made.append(alias)
        opening.migrate(alias)
        return alias

    with django_db_blocker.unblock():
        yield open_file
        for alias in made:
            databases.close(alias)
            opening.remove(alias)


def fill_and_trash():
    ids = [a_session(store, *(f"{n} {'text ' * 2000}" for n in range(20))).id for _ in range(10)]
    for id in ids:
        store.delete(id)
    full = space.database()
    return ids, full


class AFile:
    def test_shrinks_after_a_purge(self, a_file):
        with databases.using(a_file()):
            ids, full = fill_and_trash()
            assert full.shrinks
            cleanup.act("purge", ids)
            space.give_back()
            after = space.database()
            assert after.free_bytes == 0
            assert execute("PRAGMA page_count").fetchone()[0] * 4096 < full.total_bytes / 2

    def test_that_was_not_prepared_is_prepared_once_by_a_command(self, a_file, capsys):
        with databases.using(a_file(prepared=False)):
            ids, full = fill_and_trash()
            assert not full.shrinks
            cleanup.act("purge", ids)
            assert space.give_back() == 0
            assert space.database().free_bytes > 1_000_000
            call_command("shrink_database")
            after = space.database()
            assert after.shrinks
            assert after.free_bytes == 0
            assert "From now on the file shrinks by itself" in capsys.readouterr().out

    def test_gives_back_a_little_at_a_time(self, a_file, monkeypatch):
        with databases.using(a_file()):
            ids, _ = fill_and_trash()
            monkeypatch.setattr(cleanup, "GIVING_BACK", 0)
            cleanup.act("purge", ids)
            free = space.database().free_bytes
            assert free > 1_000_000
            assert space.give_back(seconds=0) == 0
            assert space.give_back() == free
