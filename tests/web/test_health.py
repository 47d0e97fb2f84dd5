"""The health of the server: whoever asks hears whether it answers, and its owner what it comes to."""

import pytest
from django.db import connections

from sessions_app import database_faults
from sessions_app.access import tokens


@pytest.fixture
def owner():
    return {
        "HTTP_HOST": "127.0.0.1",
        "HTTP_AUTHORIZATION": f"Bearer {tokens.create('health', scopes=['read', 'admin'])}",
    }


class Health:
    def test_is_told_to_everybody_in_one_word(self, the_store, client):
        answer = client.get("/healthz", HTTP_HOST="127.0.0.1")
        assert (answer.status_code, answer.json()) == (200, {"ok": True})

    def test_in_depth_is_for_who_has_a_credential(self, the_store, client, owner):
        assert client.get("/healthz?deep=1", HTTP_HOST="127.0.0.1").status_code == 401
        answer = client.get("/healthz?deep=1", **owner)
        found = answer.json()
        assert answer.status_code == 200, found
        assert all(found[name] for name in ("ok", "reads", "writes", "up_to_date", "index_complete", "room"))
        assert found["fault"] is None

    def test_is_bad_where_the_database_is_read_only(self, the_store, client, owner, either_database):
        if connections[either_database].vendor != "sqlite":
            pytest.skip("of SQLite")
        database_faults.damaged(either_database, "a test says so")
        try:
            answer = client.get("/healthz?deep=1", **owner)
            assert answer.status_code == 503
            assert "a test says so" in answer.json()["fault"]
            assert client.get("/healthz", HTTP_HOST="127.0.0.1").status_code == 200  # it is read
        finally:
            database_faults.forget(either_database)
            with connections[either_database].cursor() as cursor:
                cursor.execute("PRAGMA query_only = OFF")
