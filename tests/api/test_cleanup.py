"""Clean-up over HTTP, for tokens with the admin scope."""

from datetime import UTC, datetime

import pytest

from sessions_app import cleanup
from sessions_app.access import tokens
from sessions_app.actors import EVERYTHING
from sessions_app.models import Session
from tests.api.test_api import ROOT, send
from tests.builders import a_session
from tests.web.conftest import Visitor

OLD = {"query": "before:90d", "action": "trash"}


def a_client(scopes):
    return Visitor(HTTP_HOST="127.0.0.1", HTTP_AUTHORIZATION=f"Bearer {tokens.create('agent', scopes=scopes)}")


@pytest.fixture
def client(the_store):
    return a_client(EVERYTHING)


@pytest.fixture
def old(the_store):
    ids = [a_session(the_store, text).id for text in ("one", "two", "kept")]
    the_store.pin(ids[2])
    Session.objects.update(updated_at=datetime(2020, 1, 1, tzinfo=UTC))
    return ids


class CleanUp:
    def test_is_told_done_and_taken_back(self, client, the_store, old):
        found = send(client, "POST", "/cleanup/preview", OLD).json()
        assert (found["count"], found["kept"], found["last"]) == (2, {"pinned": 1}, None)
        assert set(found["sessions"]) == {str(id) for id in old[:2]}
        assert found["kept_sessions"] == [{"id": str(old[2]), "reason": "pinned"}]
        assert found["freed_bytes"] > 0

        done = send(client, "POST", "/cleanup/run", OLD).json()
        assert (done["sessions"], done["state"], done["actor"]) == (2, "done", "agent")
        assert Session.objects.live().count() == 1

        listed = client.get(f"{ROOT}/cleanup/journal?limit=1").json()["entries"]
        assert listed == [done]
        undone = send(client, "POST", "/cleanup/undo", {"number": done["number"]}).json()
        assert undone["state"] == "undone"
        assert Session.objects.live().count() == 3

    def test_runs_a_saved_policy_by_its_name(self, client, the_store, old):
        cleanup.save_policy("old", "before:90d", "archive")
        assert send(client, "POST", "/cleanup/run", {"policy": "old"}).json()["policy"] == "old"
        assert Session.objects.archived().count() == 2
        assert send(client, "POST", "/cleanup/preview", {"policy": "old"}).json()["last"]["sessions"] == 2

    @pytest.mark.parametrize(
        ("path", "value", "status"),
        [
            ("run", {}, 422),
            ("run", {"policy": "none"}, 422),
            ("preview", {"query": "words"}, 422),
            ("undo", {"number": 9}, 422),
        ],
    )
    def test_says_what_it_does_not_understand(self, client, path, value, status):
        answer = send(client, "POST", f"/cleanup/{path}", value)
        assert (answer.status_code, bool(answer.json()["detail"])) == (status, True)

    @pytest.mark.parametrize("path", ["preview", "run", "undo"])
    def test_is_not_for_tokens_without_the_admin_scope(self, the_store, old, path):
        answer = send(a_client({"read", "write"}), "POST", f"/cleanup/{path}", OLD if path != "undo" else {})
        assert answer.status_code == 403
        assert Session.objects.live().count() == 3
