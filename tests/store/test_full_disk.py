"""A disk that is full, or fails: reads go on, every refusal is one sentence, clean-up helps, and afterwards all works."""

import random
from pathlib import Path

import pytest
from django.conf import settings

from sessions_app import backups, ballast, cleanup, database_faults, databases
from sessions_app.access import browsers, codes, tokens
from sessions_app.databases import connection
from sessions_app.errors import BackupFailed, DatabaseFault, DiskFailed, DiskFull
from sessions_app.records import ImportBatch, ImportState, Origin
from tests.builders import a_message, a_session
from tests.sqlite_disk import the_disk

from . import storage

pytestmark = [storage.SYNC_DOOR, pytest.mark.django_db(transaction=True)]
LARGE = "word " * 40_000


@pytest.fixture
def the_store(door):
    """On SQLite alone, over a disk that can be filled and broken."""
    from sessions_app import store

    disk = the_disk()
    databases.close("default")
    disk.put_in()
    yield store
    disk.take_out()
    databases.close("default")
    database_faults.forget("default")


@pytest.fixture
def disk(the_store):
    return the_disk()


@pytest.fixture
def sessions(the_store):
    found = [a_session(the_store, "first needle", "second", *["text"] * 50) for _ in range(5)]
    the_store.delete(found[4].id)
    with connection().cursor() as cursor:
        cursor.execute("VACUUM")  # no page of the file is free
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # nor of its log, which other tests may have made large
    return found


def append(store, sessions):
    store.append(sessions[0].id, [a_message(LARGE)])


def bring_in(store, sessions):
    batch = ImportBatch("p", [a_message(LARGE)], ImportState(offset=9, lines=1))
    store.import_batch(Origin("claude-code", "p", "one"), batch, agent="claude-code")


def fork(store, sessions):
    store.fork("p", sessions[0].id, [a_message("first needle"), a_message(LARGE)], 1)


def clean_up(store, sessions):
    cleanup.act("purge", [sessions[4].id])


def rename(store, sessions):
    store.rename(sessions[0].id, "anew")


def back_up(store, sessions):
    target = Path(str(connection().settings_dict["NAME"])).with_name("copy.sqlite3")
    target.unlink(missing_ok=True)
    backups.write("default", target)
    target.unlink()


OPERATIONS = [append, bring_in, fork, clean_up, rename, back_up]


def reads_go_on(store, sessions):
    assert store.get(sessions[0].id).messages[0] == a_message("first needle")
    assert len(store.list_sessions(9)) == 4
    assert len(store.search("needle", 9)) == 4


class AFullDisk:
    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_refuses_in_a_sentence_and_changes_nothing(self, the_store, disk, sessions, operation):
        before = storage.content()
        disk.room = 0

        with pytest.raises((DiskFull, BackupFailed), match="full"):
            operation(the_store, sessions)

        reads_go_on(the_store, sessions)
        disk.room = None
        assert storage.content() == before
        operation(the_store, sessions)  # and then it works
        assert database_faults.refused() is None
        storage.check()

    def test_leaves_room_for_clean_up(self, the_store, disk, sessions, monkeypatch):
        name = str(connection().settings_dict["NAME"])
        monkeypatch.setattr(ballast, "SIZE", 1 << 20)
        assert ballast.ensure(name)
        release = ballast.release

        def released(of):
            given = release(of)
            disk.room += (1 << 20) * given  # what a file system would do
            return given

        monkeypatch.setattr(ballast, "release", released)
        disk.room = 0
        with pytest.raises(DiskFull):
            append(the_store, sessions)

        the_store.delete(sessions[0].id)
        cleanup.act("purge", [session.id for session in (sessions[0], sessions[4])])

        assert len(the_store.list_sessions(9)) == 3
        assert not release(name)
        storage.check()

    def test_is_told_on_every_page_until_there_is_room(self, the_store, disk, sessions, client):
        client.cookies[settings.FORKLORE_COOKIE] = browsers.let_in()
        disk.room = 0
        address = f"/sessions/{sessions[0].id}/title/"
        refused = client.post(address, {"title": "anew"}, HTTP_HOST="127.0.0.1", HTTP_ACCEPT="text/html")
        assert refused.status_code == 507
        assert "The disk is full" in refused.content.decode()

        for page in ("/", f"/sessions/{sessions[0].id}/", "/search/?q=needle", "/trash/"):
            shown = client.get(page, HTTP_HOST="127.0.0.1")
            assert shown.status_code == 200
            assert "The disk is full" in shown.content.decode()

        disk.room = None
        assert client.post(address, {"title": "anew"}, HTTP_HOST="127.0.0.1").status_code < 400
        assert "The disk is full" not in client.get("/", HTTP_HOST="127.0.0.1").content.decode()

    def test_is_told_by_the_api(self, the_store, disk, sessions, client):
        marks = {"HTTP_HOST": "127.0.0.1", "HTTP_AUTHORIZATION": f"Bearer {tokens.create('t')}"}
        disk.room = 0
        refused = client.post(
            f"/api/v1/sessions/{sessions[0].id}/messages",
            {"messages": [a_message(LARGE)]},
            content_type="application/json",
            **marks,
        )
        assert (refused.status_code, refused.json()["error"]) == (507, "DiskFull")
        assert client.get(f"/api/v1/sessions/{sessions[0].id}", **marks).status_code == 200

    def test_lets_a_browser_in(self, the_store, disk, sessions, client):
        disk.room = 0
        code = codes.make()
        assert client.post("/enter/", {"code": code}, HTTP_HOST="127.0.0.1").status_code == 303
        assert client.get("/", HTTP_HOST="127.0.0.1").status_code == 200


class ADiskThatFails:
    @pytest.mark.parametrize("failing", ["write", "sync"])
    @pytest.mark.parametrize("operation", OPERATIONS[:5])
    def test_refuses_in_a_sentence_and_changes_nothing(self, the_store, disk, sessions, operation, failing):
        before = storage.content()
        disk.fails = lambda what, name: what == failing

        with pytest.raises(DiskFailed, match="could not be read or written"):
            operation(the_store, sessions)

        disk.fails = lambda what, name: False
        reads_go_on(the_store, sessions)
        assert storage.content() == before
        operation(the_store, sessions)
        storage.check()

    def test_here_and_there_loses_nothing_that_was_acknowledged(self, the_store, disk, sessions):
        order, written, failed = random.Random(3), 0, 0
        log = the_store.create("log", [])
        disk.fails = lambda what, name: what != "read" and order.random() < 0.03
        for number in range(300):
            try:
                the_store.append(log.id, [{"number": number}])
                written += 1
            except DatabaseFault:
                failed += 1
                disk.fails, fails = (lambda what, name: False), disk.fails
                kept = [message["number"] for message in the_store.get(log.id).messages]
                assert len(kept) == written
                assert number not in kept
                disk.fails = fails
        disk.fails = lambda what, name: False
        assert len(the_store.get(log.id).messages) == written
        assert failed > 10
        storage.check()
