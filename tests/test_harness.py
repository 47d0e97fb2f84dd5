"""What every other test relies on: the right database, empty, in sync and in async tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from sessions_app import databases
from sessions_app.models import Session
from tests import rundirectory
from tests.builders import a_session, environment, texts


class TheStoreOfATest:
    @pytest.mark.parametrize("again", [1, 2])
    def test_is_empty_and_works_on_the_database_in_the_tests_name(self, the_store, either_database, again):
        assert databases.current() == either_database
        assert Session.objects.count() == 0

        a_session(the_store, "one", "two")

        assert Session.objects.using(either_database).count() == 1

    @pytest.mark.parametrize("again", [1, 2])
    async def test_works_there_in_an_async_test_too(self, the_store, either_database, again):
        assert databases.current() == either_database
        assert await Session.objects.acount() == 0

        await sync_to_async(a_session)(the_store, "one")

        assert await Session.objects.using(either_database).acount() == 1

    def test_is_reached_by_another_process(self, the_store, either_database):
        record = a_session(the_store, "one", "two")
        code = (
            "import django, uuid; django.setup()\n"
            "from sessions_app import store\n"
            f"print([message['content'] for message in store.get_messages(uuid.{record.id!r})])"
        )

        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment(either_database, DJANGO_SETTINGS_MODULE="sessions_site.settings"),
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            text=True,
        )

        assert done.stdout.strip() == str(texts(record)), done.stderr


def test_home_and_data_are_in_the_directory_of_the_run():
    for name in ("HOME", "FORKLORE_DATA"):
        assert Path(os.environ[name]).is_relative_to(rundirectory.path())


@pytest.mark.django_db
def test_sqlite_is_a_file_with_a_write_ahead_log():
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)
