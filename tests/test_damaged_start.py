"""What `up` does with a database that is damaged: it is shown, and not written; what is no database is left alone."""

import json
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing

import pytest

from tests.builders import user_environment
from tests.servers import Server
from tests.test_run import CHECKOUT

MANAGE = [sys.executable, "manage.py"]
UP = [*MANAGE, "up", "--port=0", "--no-browser"]


@pytest.fixture
def environment(tmp_path):
    return user_environment(FORKLORE_DATA=str(tmp_path), DATABASE_URL=f"sqlite:///{tmp_path}/store.sqlite3")


def manage(environment, *arguments):
    done = subprocess.run(
        [*MANAGE, *arguments],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout


def ask(server, directory, path, method="GET", data=None):
    headers = {"Authorization": f"Bearer {(directory / 'token').read_text().strip()}", "Accept": "text/html"}
    if data is not None:
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(server.url + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_damaged_database_is_shown_and_not_written(environment, tmp_path):
    manage(environment, "migrate")
    manage(environment, "demo")
    manage(environment, "backup", tmp_path / "backups-of-mine")
    (tmp_path / "backups").mkdir()
    kept = tmp_path / "backups" / "store.sqlite3.20260101T000000.000000Z"
    kept.write_bytes((tmp_path / "backups-of-mine").read_bytes())
    with closing(sqlite3.connect(tmp_path / "store.sqlite3")) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'forklore_journalentry'").fetchone()
    whole = bytearray((tmp_path / "store.sqlite3").read_bytes())
    whole[(page - 1) * 4096 : page * 4096] = b"\xaa" * 4096
    (tmp_path / "store.sqlite3").write_bytes(whole)

    with Server(UP, CHECKOUT, environment) as server:
        said = " ".join(server.said)
        assert "is damaged" in said
        assert "check_store" in said
        assert f"restore {kept}" in said
        status, page = ask(server, tmp_path, "/")
        assert (status, "is damaged" in page) == (200, True)
        (session, *_) = json.loads(ask(server, tmp_path, "/api/v1/sessions?limit=1")[1])["sessions"]
        assert ask(server, tmp_path, f"/sessions/{session['id']}/")[0] == 200
        status, refused = ask(
            server, tmp_path, f"/api/v1/sessions/{session['id']}", "PATCH", json.dumps({"title": "anew"}).encode()
        )
        assert (status, json.loads(refused)["error"]) == (503, "DatabaseDamaged")
    assert (tmp_path / "store.sqlite3").read_bytes() == whole
    code, said = manage(environment, "check_store")
    assert (code, "forklore_journalentry" in said or "malformed" in said) == (1, True)


@pytest.mark.parametrize(
    ("held", "why"),
    [(b"", "is empty"), (b"hello\n" * 3000, "not a database"), (b"SQLite format 3\0" + b"\x11" * 9000, "is damaged")],
)
def test_what_is_no_database_is_left_alone(environment, tmp_path, held, why):
    (tmp_path / "store.sqlite3").write_bytes(held)
    code, said = manage(environment, *UP[2:])
    assert code == 1
    assert why in said
    assert "restore" in said
    assert (tmp_path / "store.sqlite3").read_bytes() == held


def test_the_database_of_another_program_is_left_alone(environment, tmp_path):
    with closing(sqlite3.connect(tmp_path / "store.sqlite3")) as database:
        database.execute("CREATE TABLE recipes (name)")
    before = (tmp_path / "store.sqlite3").read_bytes()
    code, said = manage(environment, *UP[2:])
    assert (code, "another program" in said) == (1, True)
    with closing(sqlite3.connect(tmp_path / "store.sqlite3")) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]
    assert len((tmp_path / "store.sqlite3").read_bytes()) == len(before)
