"""Backups: taken beside a writer, checked, and put back only where no database is."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.builders import user_environment

CHECKOUT = Path(__file__).parent.parent
WRITES_ON = """
import asyncio, sys
from sessions_app.async_store import open_store
async def main():
    async with open_store(sys.argv[1]) as store:
        number = 0
        while True:
            await store.create("p", [{"role": "user", "content": f"number {number}"}])
            print(number, flush=True)
            number += 1
asyncio.run(main())
"""


def managed(path, *arguments, fails=False):
    """What a management command says that runs on the database at that path."""
    done = subprocess.run(
        [sys.executable, "manage.py", *map(str, arguments)],
        cwd=CHECKOUT,
        env=user_environment(DATABASE_URL=f"sqlite:///{path}"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,  # seconds
    )
    assert (done.returncode != 0) == fails, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def new(tmp_path_factory):
    """An empty database and its backup, made once, to be copied."""
    directory = tmp_path_factory.mktemp("new")
    managed(directory / "one", "migrate")
    managed(directory / "one", "backup", directory / "copy")
    return directory


@pytest.fixture
def at(tmp_path, new):
    """A function that runs a management command on the database of that name, of which `one` is there and empty."""
    shutil.copy(new / "one", tmp_path / "one")
    return lambda name, *arguments, **named: managed(tmp_path / name, *arguments, **named)


def opened(path, statement, fails=False):
    """Run a statement in a process that opens the store at that path."""
    program = (
        "import asyncio\nfrom sessions_app.async_store import open_store\nasync def main():\n"
        f" async with open_store('sqlite:///{path}') as store:\n  {statement}\nasyncio.run(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert (done.returncode != 0) == fails, done.stdout


def dump(path):
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT * FROM forklore_session ORDER BY id").fetchall()
        return rows, database.execute("SELECT * FROM forklore_message ORDER BY 1, 2").fetchall()


class Backups:
    def test_bring_back_all_that_was_there(self, at, tmp_path):
        at("one", "demo")
        at("one", "backup", tmp_path / "copy")
        at("two", "restore", tmp_path / "copy")
        assert dump(tmp_path / "two") == dump(tmp_path / "one")
        assert dump(tmp_path / "two")[0]
        assert "All is well." in at("two", "check_store")
        assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("copy", "two")} == {0o600}

    def test_hold_what_was_acknowledged_while_another_process_writes(self, at, tmp_path):
        command = [sys.executable, "-c", WRITES_ON, f"sqlite:///{tmp_path / 'one'}"]
        with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as writer:
            try:
                acknowledged = [int(writer.stdout.readline()) for _ in range(20)][-1]
                at("one", "backup", tmp_path / "copy")
                assert int(writer.stdout.readline()) > acknowledged
            finally:
                writer.kill()
        at("two", "restore", tmp_path / "copy")
        assert len(dump(tmp_path / "two")[0]) > acknowledged
        assert "All is well." in at("two", "check_store")

    def test_never_replace_a_file(self, at, tmp_path):
        at("one", "backup", tmp_path / "copy")
        assert "is there already" in at("one", "backup", tmp_path / "copy", fails=True)
        assert "is there already" in at("one", "restore", tmp_path / "copy", fails=True)

    @pytest.mark.parametrize("harm", ["none", "empty", "torn", "text"])
    def test_are_not_restored_where_they_are_not_whole(self, at, new, tmp_path, harm):
        copy = tmp_path / "copy"
        whole = (new / "copy").read_bytes()
        if harm != "none":
            copy.write_bytes({"empty": b"", "torn": whole[: len(whole) // 2], "text": b"hello" * 9999}[harm])
        said = at("two", "restore", copy, fails=True)
        assert "backup" in said or "damaged" in said
        assert not (tmp_path / "two").exists()

    def test_are_made_before_a_migration_of_what_has_content(self, tmp_path):
        opened(tmp_path / "one", "await store.create('p', [{'role': 'user', 'content': 'one'}])")
        with closing(sqlite3.connect(tmp_path / "one")) as database:
            database.execute("CREATE TABLE forklore_noted (x)")
            database.execute("DELETE FROM django_migrations WHERE name = '0005_identities'")
            database.commit()
        before = dump(tmp_path / "one")
        assert before[0]
        opened(tmp_path / "one", "await store.list_sessions(1)", fails=True)
        (copy,) = (tmp_path / "backups").iterdir()
        assert dump(copy) == before
        assert os.stat(copy).st_mode & 0o777 == 0o600

    def test_are_not_made_where_nothing_is_to_do(self, tmp_path):
        for text in ("one", "two"):
            opened(tmp_path / "one", f"await store.create('p', [{{'role': 'user', 'content': '{text}'}}])")
        assert not (tmp_path / "backups").exists()

    def test_a_newer_database_is_refused_in_a_sentence_and_left_alone(self, at, tmp_path):
        with closing(sqlite3.connect(tmp_path / "one")) as database:
            database.execute(
                "INSERT INTO django_migrations (app, name, applied) VALUES ('forklore', '9999_later', '2030-01-01')"
            )
            database.commit()
        before = dump(tmp_path / "one")
        assert "newer Forklore (9999_later)" in at("one", "up", "--port=0", "--no-browser", fails=True)
        assert dump(tmp_path / "one") == before
