"""The HTTP API as a program meets it; what its operations do is tested through the store's HTTP door (tests/store)."""

import gzip
import json
from contextlib import contextmanager
from uuid import uuid4

import pytest

from sessions_app import databases
from sessions_app.access import tokens
from sessions_app.api.wire import zstd
from tests.builders import a_message, a_session
from tests.web.conftest import Visitor

ROOT = "/api/v1"
CODINGS = {"gzip": gzip, "zstd": zstd}


@pytest.fixture
def client(the_store):
    return Visitor(HTTP_HOST="127.0.0.1", HTTP_AUTHORIZATION=f"Bearer {tokens.create('agent')}")


def send(client, method, path, value=None, **headers):
    body = b"" if value is None else json.dumps(value).encode()
    return client.generic(method, ROOT + path, body, "application/json", headers=headers)


@contextmanager
def asked_of_the_database():
    """The statements that are run within, but for those that end a transaction."""
    found = []

    def noted(execute, statement, parameters, many, context):
        found.append(statement)
        return execute(statement, parameters, many, context)

    with databases.connection().execute_wrapper(noted):
        yield found


class ASession:
    def test_is_created_read_and_gone_on_with(self, client, the_store):
        made = send(client, "POST", "/sessions", {"project": "shop", "messages": [a_message("Mend the cart")]})
        at = made.json()["id"]

        added = send(client, "POST", f"/sessions/{at}/messages", {"messages": [a_message("done")], "turns": 1})
        read = client.get(f"{ROOT}/sessions/{at}")

        assert (made.status_code, made["Location"], made["ETag"]) == (201, f"{ROOT}/sessions/{at}", '"1"')
        assert (added["ETag"], read["ETag"]) == ('"2"', '"2"')
        assert read.json()["title"] == "Mend the cart"
        assert read.json()["messages"] == [a_message("Mend the cart"), a_message("done")]

    def test_of_another_version_is_not_written(self, client, the_store):
        session = a_session(the_store, "one")
        stale = send(
            client, "PUT", f"/sessions/{session.id}/messages", {"messages": [], "turns": 0}, **{"If-Match": '"7"'}
        )

        assert stale.status_code == 412
        assert (stale.json()["error"], stale.json()["actual"]) == ("VersionConflict", 1)
        assert the_store.get(session.id).message_count == 1

    def test_is_written_once_under_a_key(self, client, the_store):
        key = {"Idempotency-Key": "k"}
        value = {"project": "shop", "messages": [a_message()]}
        first, again = (send(client, "POST", "/sessions", value, **key).json()["id"] for _ in range(2))
        other = send(client, "POST", "/sessions", {**value, "project": "other"}, **key)
        more = {"messages": [a_message("more")], "turns_added": 1}
        for _ in range(3):
            send(client, "POST", f"/sessions/{first}/messages", more, **{"Idempotency-Key": "l"})
        forks = {send(client, "POST", f"/sessions/{first}/forks", {"position": 1}, **{"Idempotency-Key": "m"}).json()["id"] for _ in range(2)}  # fmt: skip

        assert first == again
        assert (other.status_code, other.json()["error"]) == (422, "KeyReused")
        (session,) = the_store.list_by_project("shop", 9)[1:] or the_store.list_by_project("shop", 9)
        assert (the_store.get(session.id).message_count, the_store.get(session.id).turns) == (2, 1)
        assert len(forks) == 1

    @pytest.mark.parametrize(
        ("method", "at", "value"),
        [
            ("POST", "messages", {"messages": [a_message("more")]}),
            ("PUT", "messages", {"messages": [], "turns": 0}),
            ("POST", "truncate", {"count": 0}),
        ],
    )
    def test_is_not_read_again_for_who_can_do_without(self, client, the_store, method, at, value):
        id = a_session(the_store, "one").id
        with asked_of_the_database() as told:
            whole = send(client, method, f"/sessions/{id}/{at}", value)
        with asked_of_the_database() as brief:
            answer = send(client, method, f"/sessions/{id}/{at}", value, Prefer="respond-async, return=minimal")
        assert (whole.status_code, whole["ETag"]) == (200, '"2"')
        assert (answer.status_code, answer.content, answer["Preference-Applied"]) == (204, b"", "return=minimal")
        assert the_store.get(id).version == 3
        assert len(brief) < len(told)

    def test_is_written_in_few_questions_to_the_database(self, client, the_store):
        id = a_session(the_store, "one").id
        client.get(f"{ROOT}/sessions/{id}")  # notes that the token was used
        for number in range(32):  # one of sixteen looks for old keys
            headers = {"Prefer": "return=minimal", "Idempotency-Key": f"key {number}"}
            with asked_of_the_database() as asked:
                send(client, "POST", f"/sessions/{id}/messages", {"messages": [a_message()]}, **headers)
            asked = [each for each in asked if "forklore_writekey WHERE created_at" not in each]
            # token, BEGIN on SQLite, key, session, message, text, session, change
            assert len(asked) <= 8, asked

    def test_of_a_key_is_that_of_its_caller(self, client, the_store):
        other = Visitor(HTTP_HOST="127.0.0.1", HTTP_AUTHORIZATION=f"Bearer {tokens.create('other')}")
        value = {"project": "shop", "messages": []}
        ids = {
            send(who, "POST", "/sessions", value, **{"Idempotency-Key": "k"}).json()["id"] for who in (client, other)
        }
        assert len(ids) == 2


class Lists:
    def test_come_in_pages_that_leave_none_out(self, client, the_store):
        made = [a_session(the_store, str(number)).id for number in range(7)]
        found, after = [], None
        while True:
            further = {"after": after} if after else {}
            page = client.get(f"{ROOT}/sessions", {"project": "demo", "limit": 3, **further}).json()
            found += [each["id"] for each in page["sessions"]]
            if not (after := page["next"]):
                break
        assert found == [str(id) for id in reversed(made)]

    def test_name_the_projects(self, client, the_store):
        a_session(the_store, "x", project="b")
        a_session(the_store, "x", project="a")
        assert client.get(f"{ROOT}/projects").json() == {
            "projects": [{"name": "a", "sessions": 1}, {"name": "b", "sessions": 1}]
        }

    def test_of_hits_say_where(self, client, the_store):
        session = a_session(the_store, "hay", "the needle")
        (hit,) = client.get(f"{ROOT}/search", {"q": "NEEDLE", "filters": "role:assistant"}).json()["hits"]
        assert (hit["id"], hit["position"], hit["snippet"]) == (str(session.id), 1, "the needle")


class AProblem:
    @pytest.mark.parametrize(
        ("method", "path", "value", "status", "says"),
        [
            ("GET", "/sessions/{unknown}", None, 404, "There is no session"),
            ("POST", "/sessions", {"project": "", "messages": []}, 422, "project"),
            ("POST", "/sessions", {"messages": []}, 422, "project"),
            ("POST", "/sessions", {"project": "x", "messages": [1]}, 422, "Message 0 is a int"),
            ("POST", "/sessions/{known}/forks", {}, 422, "either a position or messages"),
            ("POST", "/sessions/{known}/forks", {"position": 9}, 422, "9"),
            ("PATCH", "/sessions/{known}", {"title": " "}, 422, "title"),
            ("GET", "/sessions?after=x", None, 422, "`next` of another answer"),
            ("GET", "/sessions?limit=-1", None, 422, "limit"),
            ("GET", "/search?q=", None, 422, "at least one character"),
            ("GET", "/search?q=x&filters=colour:red", None, 422, "colour"),
            ("POST", "/sessions/{known}/restore", None, 404, "in the trash"),
        ],
    )
    def test_is_told_in_one_sentence(self, client, the_store, method, path, value, status, says):
        known = a_session(the_store, "one").id
        answer = send(client, method, path.format(known=known, unknown=uuid4()), value)

        assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
        assert says in answer.json()["detail"]
        assert answer.json()["status"] == status

    def test_is_a_body_that_is_no_json(self, client):
        answer = client.generic("POST", f"{ROOT}/sessions", b"{", "application/json")
        assert (answer.status_code, answer.json()["detail"]) == (400, "The body is no JSON.")


def a_wide_window():
    """Of zstd: it asks for 64 MiB of the reader's memory."""
    wide = {zstd.CompressionParameter.window_log: 26, zstd.CompressionParameter.content_size_flag: 0}
    writer = zstd.ZstdCompressor(options=wide)
    return writer.compress(b"{}") + writer.flush()


class Bodies:
    @pytest.mark.parametrize("coding", CODINGS)
    def test_may_be_compressed_both_ways(self, client, the_store, coding):
        value = {"project": "shop", "messages": [a_message("x" * 5000)]}
        made = client.generic(
            "POST",
            f"{ROOT}/sessions",
            CODINGS[coding].compress(json.dumps(value).encode()),
            "application/json",
            headers={"Content-Encoding": coding, "Accept-Encoding": coding},
        )
        assert made["Content-Encoding"] == coding
        assert json.loads(CODINGS[coding].decompress(made.content))["messages"] == value["messages"]

    @pytest.mark.parametrize(
        ("accepted", "coding"),
        [
            ("gzip, deflate, br, zstd", "zstd"),
            ("gzip;q=1.0, zstd;q=0", "gzip"),
            ("zstd; q=0.0, gzip ; q=0", None),
            ("identity", None),
        ],
    )
    def test_are_compressed_as_the_other_side_takes_them(self, client, the_store, accepted, coding):
        session = a_session(the_store, "x" * 5000)
        answer = client.get(f"{ROOT}/sessions/{session.id}", headers={"Accept-Encoding": accepted})
        assert answer.headers.get("Content-Encoding") == coding

    @pytest.mark.parametrize("coding", CODINGS)
    def test_that_grow_too_large_are_refused(self, client, settings, coding):
        settings.FORKLORE_BODY_LIMIT = 10_000
        bomb = CODINGS[coding].compress(b" " * 100_000)
        answer = client.generic(
            "POST", f"{ROOT}/sessions", bomb, "application/json", headers={"Content-Encoding": coding}
        )
        assert answer.status_code == 413

    @pytest.mark.parametrize(
        ("coding", "body"),
        [
            *(("gzip", b"none"), ("gzip", gzip.compress(b"{}")[:-5])),
            *(("zstd", b"none"), ("zstd", zstd.compress(b"{}")[:-5]), ("zstd", a_wide_window())),
        ],
        ids=["no gzip", "cut gzip", "no zstd", "cut zstd", "wide zstd"],
    )
    def test_that_are_broken_are_refused(self, client, coding, body):
        answer = client.generic(
            "POST", f"{ROOT}/sessions", body, "application/json", headers={"Content-Encoding": coding}
        )
        assert answer.status_code == 400

    def test_in_an_unknown_coding_are_refused(self, client):
        answer = client.generic(
            "POST", f"{ROOT}/sessions", b"{}", "application/json", headers={"Content-Encoding": "br"}
        )
        assert answer.status_code == 415


class ACookie:
    def test_is_good_for_reading_alone(self, visitor, the_store):
        session = a_session(the_store, "one")
        assert visitor.get(f"{ROOT}/sessions/{session.id}").status_code == 200
        assert visitor.generic("DELETE", f"{ROOT}/sessions/{session.id}").status_code == 403
        assert the_store.get(session.id)


class TheDescription:
    def test_names_every_operation_with_its_answers(self, client):
        found = client.get(f"{ROOT}/openapi.json").json()
        assert found["openapi"].startswith("3.1")
        operations = [operation for path in found["paths"].values() for operation in path.values()]
        assert len(operations) >= 25
        assert all(operation["summary"] and "404" in operation["responses"] for operation in operations)
