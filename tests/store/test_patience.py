"""A client that holds what others have to write: they wait for a while and no longer, are told, and lose nothing."""

import os
import sqlite3
import threading
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections

from sessions_app import cleanup, databases, http_store, opening, store, store_check
from sessions_app.database_faults import BUSY
from sessions_app.errors import DatabaseBusy
from sessions_app.models import Session
from sessions_site.configuration import PATIENCE, database_from_url
from tests import rundirectory
from tests.builders import a_message, a_session, database_url, texts
from tests.conftest import POSTGRESQL_MISSING
from tests.store.conftest import HttpDoor

from . import storage

SHORT = 0.4  # seconds, instead of the twenty


@pytest.fixture
def impatient(either_database, monkeypatch):
    """Connections that are opened from here on."""
    settings = connections[either_database].settings_dict
    if connections[either_database].vendor == "sqlite":
        monkeypatch.setitem(settings["OPTIONS"], "timeout", SHORT)
    else:
        assert settings["PATIENCE"] == PATIENCE
        monkeypatch.setitem(settings, "PATIENCE", SHORT)
    databases.close(either_database)
    yield
    databases.close(either_database)


@contextmanager
def held(alias, id):
    """A client that has begun to write a session, and does not go on; yields what ends it."""
    if connections[alias].vendor == "sqlite":
        other = sqlite3.connect(connections[alias].settings_dict["NAME"], isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
    else:
        other = psycopg.connect(database_url(alias))
        other.execute("UPDATE forklore_session SET turns = 99 WHERE id = %s", [id])
        other.execute("SELECT 1 FROM forklore_strand FOR UPDATE")
    try:
        yield other.rollback
    finally:
        other.close()


WRITES = {
    "append": lambda store, session: store.append(session, [a_message("more")]),
    "update": lambda store, session: store.update(session, [a_message("other")], 1),
    "truncate": lambda store, session: store.truncate(session, 1),
    "fork": lambda store, session: store.fork_at(session, 1),
    "rename": lambda store, session: store.rename(session, "Mine"),
    "pin": lambda store, session: store.pin(session),
    "tag": lambda store, session: store.set_tags(session, ["x"]),
    "delete": lambda store, session: store.delete(session),
}


@storage.SYNC_DOOR
class AStuckClient:
    @pytest.mark.parametrize("name", WRITES)
    def test_is_waited_for_for_a_while(self, the_store, either_database, impatient, name):
        session, other = a_session(the_store, "one", "two"), a_session(the_store, "one")
        before = storage.content()
        with held(either_database, session.id):
            began = time.monotonic()
            with pytest.raises(DatabaseBusy, match=BUSY):
                WRITES[name](the_store, session.id)
            assert time.monotonic() - began >= SHORT
            assert the_store.get(session.id) == session
            if either_database == "postgresql":  # which locks no more than it has to
                the_store.rename(other.id, "Other")
                the_store.rename(other.id, "one")
        if either_database == "sqlite":
            assert storage.content() == before

        WRITES[name](the_store, session.id)
        storage.check()

    def test_keeps_no_purge_for_ever(self, the_store, either_database, impatient):
        gone = [a_session(the_store, "one", str(number)) for number in range(3)]
        for session in gone:
            the_store.delete(session.id)
        with held(either_database, gone[1].id):
            with pytest.raises(DatabaseBusy, match=BUSY):
                the_store.purge(gone[1].id)
            with pytest.raises(DatabaseBusy, match=BUSY):
                cleanup.act("purge", [session.id for session in gone])
        assert Session.objects.count() == 3

        cleanup.resume()
        cleanup.act("purge", [session.id for session in gone])
        assert Session.objects.count() == 0
        assert list(store_check.problems()) == []

    def test_who_asks_again_writes_once(self, the_store, either_database, impatient, monkeypatch):
        """Over HTTP the client asks again by itself, also where the first tries waited in vain."""
        session = a_session(the_store, "one")
        door = HttpDoor()  # whose connections are opened after all that
        try:
            with held(either_database, session.id):
                monkeypatch.setattr(http_store, "TRIES", 1)
                with pytest.raises(DatabaseBusy, match=BUSY):
                    door.append(session.id, [a_message("two")])
            monkeypatch.undo()
            with held(either_database, session.id) as let_go:
                timer = threading.Timer(2 * SHORT, let_go)
                timer.start()
                door.append(session.id, [a_message("two")])
                timer.join()
        finally:
            door.close()
        assert texts(the_store.get(session.id)) == ["one", "two"]
        storage.check()


@pytest.fixture
def fresh(django_db_blocker):
    """The address of an empty database on PostgreSQL."""
    if POSTGRESQL_MISSING:
        pytest.skip(POSTGRESQL_MISSING)
    url = os.environ.get("TEST_DATABASE_URL")
    if url is None:
        rundirectory.cluster().start()
        url = rundirectory.cluster().url
    own = urlsplit(url)
    with psycopg.connect(own._replace(path="/postgres").geturl(), autocommit=True) as server:
        server.execute("DROP DATABASE IF EXISTS forklore_patience")
        server.execute("CREATE DATABASE forklore_patience")
        with django_db_blocker.unblock():
            yield own._replace(path="/forklore_patience").geturl()
        server.execute("DROP DATABASE forklore_patience WITH (FORCE)")


@contextmanager
def known(address, **settings):
    """The alias of a database, for Django."""
    alias = opening.add({**database_from_url(address), **settings})
    try:
        yield alias
    finally:
        databases.close(alias)
        opening.remove(alias)


def bound(address):
    """The lock_timeout of a new connection."""
    with known(address) as alias, connections[alias].cursor() as cursor:
        return cursor.execute("SHOW lock_timeout").fetchone()[0]


class TheBound:
    def test_is_as_on_sqlite(self, fresh):
        assert bound(fresh) == f"{PATIENCE}s"
        assert database_from_url("sqlite:///x")["OPTIONS"]["timeout"] == PATIENCE

    def test_is_the_address_s_to_say(self, fresh):
        assert bound(f"{fresh}&options=-c%20lock_timeout%3D7s") == "7s"

    def test_is_the_server_s_to_say(self, fresh):
        with psycopg.connect(fresh) as other:
            other.execute("ALTER DATABASE forklore_patience SET lock_timeout = '8s'")
        assert bound(fresh) == "8s"

    def test_is_left_to_the_server_behind_a_pooler(self, fresh):
        assert bound(f"{fresh}&prepare_threshold=0") == "0"


class AMigration:
    def test_that_a_client_keeps_from_a_table_is_done_by_the_next_start(self, fresh):
        with known(fresh, PATIENCE=SHORT) as alias, databases.using(alias):
            opening.migrate(alias)
            session = store.create("p", [a_message("one")])
            call_command("migrate", "forklore", "0009", database=alias, verbosity=0)
            with psycopg.connect(fresh) as other:
                other.execute("SELECT 1 FROM forklore_session FOR UPDATE")
                with pytest.raises(DatabaseBusy, match=BUSY):
                    opening.migrate(alias)

            assert opening.migrate(alias)
            assert store.get(session.id) == session
            assert list(store_check.problems()) == []

    def test_of_another_is_waited_for_until_its_end(self, fresh):
        with known(fresh, PATIENCE=SHORT) as alias, psycopg.connect(fresh) as other:
            other.execute("SELECT pg_advisory_xact_lock(%s)", [opening.MIGRATION_LOCK])
            timer = threading.Timer(3 * SHORT, other.rollback)
            timer.start()
            assert opening.migrate(alias)
            timer.join()
            with connections[alias].cursor() as cursor:
                assert cursor.execute("SHOW lock_timeout").fetchone() == ("400ms",)
