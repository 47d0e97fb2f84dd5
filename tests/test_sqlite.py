"""The SQLite that stands in for the standard library's."""

import pytest
from django.db import OperationalError, connection

from sessions_site import sqlite


@pytest.mark.django_db
def test_tells_the_limit_that_it_keeps():
    """Django 6.1 makes its batches as large as this says."""
    with connection.cursor() as cursor:
        limit = connection.connection.getlimit(sqlite.LIMITS["VARIABLE_NUMBER"][0])
        count = f"SELECT count(*) FROM (VALUES {','.join(['(%s)'] * limit)})"

        assert cursor.execute(count, [1] * limit).fetchone() == (limit,)
        with pytest.raises(OperationalError, match="too many SQL variables"):
            cursor.execute(count.replace("VALUES ", "VALUES (%s),"), [1] * (limit + 1))


def test_is_safe_or_says_so():
    assert (sqlite.warning() is None) == (connection.Database.sqlite_version_info >= sqlite.SAFE_VERSION)


def test_says_so_of_one_that_is_not(monkeypatch):
    monkeypatch.setattr(sqlite, "SAFE_VERSION", (99, 0, 0))
    assert "can damage a database" in sqlite.warning()
