"""Migrations that are kept from their end, by a full disk or by a kill: what was there is there, and the next start goes on."""

import os
import subprocess
import sys
from pathlib import Path

from tests.builders import user_environment

MIGRATES = """
import logging, sys
import django
django.setup()
logging.disable()
from django.core.management import call_command
from sessions_app import databases, opening, store, store_check
from sessions_app.errors import StoreError
from sessions_site.configuration import database_from_url
from tests.sqlite_disk import the_disk
disk = the_disk()
disk.put_in()
alias = opening.add(database_from_url("sqlite:///" + sys.argv[1]))
opening.migrate(alias)
with databases.using(alias):
    session = store.create("p", [{"role": "user", "content": "needle " * 9000}])
    call_command("migrate", "forklore", "0009", database=alias, verbosity=0)
    for room in map(int, sys.argv[2:]):
        disk.room = room
        try:
            opening.migrate(alias)
        except StoreError as error:
            print("refused:", error)
        databases.close(alias)
        assert store.get(session.id).messages == session.messages
    disk.room = None
    opening.migrate(alias)
    store.append(session.id, [{"role": "user", "content": "more"}])
    assert list(store_check.problems()) == []
    print("works")
    databases.close(alias)
"""


def test_a_migration_on_a_full_disk_leaves_what_was_there(tmp_path):
    said = run(MIGRATES, tmp_path, 0, 100_000, 700_000, 900_000)
    assert said.count("refused:") >= 2
    assert said.splitlines()[-1] == "works"


KILLED = """
import logging, multiprocessing, os, random, signal, sys, time
import django
django.setup()
logging.disable()
from django.core.management import call_command
from sessions_app import databases, opening, store, store_check
from sessions_site.configuration import database_from_url
FORKING = multiprocessing.get_context("fork")
def with_database(call):
    alias = opening.add(database_from_url("sqlite:///" + sys.argv[1]))
    try:
        with databases.using(alias):
            return call(alias)
    finally:
        databases.close(alias)
        opening.remove(alias)
def first(alias):
    opening.migrate(alias)
    return [store.create("p", [{"role": "user", "content": f"needle {number}"}] * 20) for number in range(20)]
def back(alias):
    call_command("migrate", "forklore", "0009", database=alias, verbosity=0)
def whole(alias):
    opening.migrate(alias)
    assert [store.get(session.id) for session in sessions] == sessions
    assert list(store_check.problems()) == []
sessions = with_database(first)
finished = 0
for kill in range(int(sys.argv[2])):
    with_database(back)
    began = FORKING.Process(target=with_database, args=(opening.migrate,))
    began.start()
    time.sleep(random.uniform(0, 0.4))
    os.kill(began.pid, signal.SIGKILL)
    began.join()
    with_database(whole)
    finished += began.exitcode == 0
print(finished)
"""


def test_a_migration_that_is_killed_is_finished_by_the_next_start(tmp_path):
    kills = 200 if os.environ.get("FORKLORE_LONG") == "1" else 8
    done = run(KILLED, tmp_path, kills)
    assert int(done.splitlines()[-1]) < kills * 3 / 4
    assert len(list((tmp_path / "backups").iterdir())) <= 3


NOTED = """
import logging, multiprocessing, os, signal, sys
import django
django.setup()
logging.disable()
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from sessions_app import databases, opening, store_check
from sessions_site.configuration import database_from_url
FORKING = multiprocessing.get_context("fork")
def migrate():
    note, done = MigrationRecorder.record_applied, []
    def killed(recorder, app, name):
        if done:
            os.kill(os.getpid(), signal.SIGKILL)
        done.append(name)
        return note(recorder, app, name)
    MigrationRecorder.record_applied = killed
    alias = opening.add(database_from_url("sqlite:///" + sys.argv[1]))
    connections[alias].ensure_connection()  # so that it is brought up to date where it is, and not made aside
    opening.migrate(alias)
    with databases.using(alias):
        assert list(store_check.problems()) == [], list(store_check.problems())
    databases.close(alias)
kills = 0
while True:
    began = FORKING.Process(target=migrate)
    began.start()
    began.join()
    if began.exitcode == 0:
        break
    assert began.exitcode == -signal.SIGKILL, began.exitcode
    kills += 1
print(kills)
"""


def test_a_migration_that_is_killed_before_it_is_noted_is_done_by_the_next_start(tmp_path):
    """Each start finishes the one before which the last was killed, and is killed before the next."""
    kills = int(run(NOTED, tmp_path).splitlines()[-1])
    assert kills > 20  # as many as there are, Django's own too


MADE = """
import logging, multiprocessing, os, random, signal, sys, time
import django
django.setup()
logging.disable()
from sessions_app import databases, opening, store
from sessions_site.configuration import database_from_url
FORKING = multiprocessing.get_context("fork")
def make(name):
    alias = opening.add(database_from_url("sqlite:///" + name))
    opening.migrate(alias)
    with databases.using(alias):
        store.create("p", [])
    databases.close(alias)
for kill in range(int(sys.argv[2])):
    name = f"{sys.argv[1]}-{kill}"
    began = FORKING.Process(target=make, args=(name,))
    began.start()
    time.sleep(random.uniform(0, 1))
    os.kill(began.pid, signal.SIGKILL)
    began.join()
    assert not os.path.exists(name) or os.path.getsize(name)
    make(name)
"""


def test_a_first_start_that_is_killed_leaves_no_empty_database(tmp_path):
    run(MADE, tmp_path, 3)


def run(program, directory, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", program, str(directory / "store"), *map(str, arguments)],
        cwd=Path(__file__).parent.parent,
        env=user_environment(DJANGO_SETTINGS_MODULE="sessions_site.settings", FORKLORE_DATA=str(directory / "data")),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
