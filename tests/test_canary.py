"""A secret that was planted in every input stands in no log, error page, process list or file beside the database."""

import json
import logging
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from sessions_site.logs import ContentFree
from tests.builders import user_environment
from tests.servers import STARTED

CHECKOUT = Path(__file__).parent.parent
CANARY = "canary7Zq81Lm02Nx73"


def ask(url, path, token, method="GET", value=None, **headers):
    data = None if value is None else json.dumps(value).encode()
    more = {"Content-Type": "application/json", "Accept": "text/html,application/json", **headers}
    request = urllib.request.Request(url + path, data, {"Authorization": f"Bearer {token}", **more}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8", "replace")


@pytest.fixture
def server(tmp_path):
    """Its address, its process, what it has logged, and its token."""
    environment = user_environment(
        DATABASE_URL=f"sqlite:///{tmp_path}/data/f.sqlite3", FORKLORE_DATA=f"{tmp_path}/data"
    )
    log = tmp_path / "log"
    with open(log, "wb") as file:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port=0", "--no-browser"],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        for _ in range(600):
            if STARTED in log.read_text():
                break
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            pytest.fail(log.read_text())
        url = log.read_text().split(STARTED)[1].split()[0]
        token = subprocess.run(
            [sys.executable, "manage.py", "create_token", "test"],
            cwd=CHECKOUT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("forklore_")[1]
        yield url, process, log, "forklore_" + token.split()[0]
    finally:
        process.terminate()
        process.wait(20)


def test_a_canary_stands_nowhere(server, tmp_path):
    url, process, log, token = server
    message = {"role": "user", "content": f"the secret is {CANARY}"}
    messages = [{"role": "user", "content": "hello"}, message]  # the first is its title, which a page may tell
    status, body = ask(url, "/api/v1/sessions", token, "POST", {"project": "p", "messages": messages})
    assert status == 201, body
    id = json.loads(body)["id"]
    told = []
    for method, path, value in (
        ("GET", f"/sessions/{id}/m/99/", None),
        ("GET", "/api/v1/sessions/nothing", None),
        ("GET", f"/search/?q={'%'}&after=broken", None),
        ("POST", f"/api/v1/sessions/{id}/messages", {"messages": [message, 5]}),
        ("PUT", f"/api/v1/sessions/{id}", {"messages": [{"role": float("nan"), "content": CANARY}], "turns": 0}),
        ("POST", f"/sessions/{id}/fork/", {"position": CANARY}),
        ("PATCH", f"/api/v1/sessions/{id}", {"title": " "}),
        ("DELETE", "/api/v1/sessions/00000000-0000-4000-8000-000000000000", None),
    ):
        status, body = ask(url, path, token, method, value, Cookie=f"session={CANARY}", Referer=f"{url}/?{CANARY}")
        told.append((status, body))
        assert status >= 400 or "search" in path, (path, status)
    status, body = ask(url, f"/sessions/{id}/", f"forklore_{CANARY}", Cookie=f"x={CANARY}")
    assert status == 401
    told.append((status, body))

    with closing(sqlite3.connect(tmp_path / "data" / "f.sqlite3")) as database:
        database.execute("ALTER TABLE forklore_session RENAME COLUMN turns TO turns_away")
        database.commit()
    for path in (
        f"/sessions/{id}/?q={CANARY}",
        f"/search/?q={CANARY}",
        f"/api/v1/search?q={CANARY}",
    ):
        status, body = ask(url, path, token, Cookie=f"session={CANARY}")
        told.append((status, body))
    assert max(status for status, _ in told) >= 500

    commands = [Path(f"/proc/{process.pid}/cmdline").read_bytes()] if Path("/proc").is_dir() else []
    for secret in (CANARY, token.removeprefix("forklore_")[:20]):
        assert [status for status, body in told if secret in body] == []
        assert secret not in log.read_text()
        assert not any(secret.encode() in command for command in commands)
        beside = [path for path in (tmp_path / "data").rglob("*") if path.is_file() and "sqlite3" not in path.name]
        assert [path.name for path in beside if secret.encode() in path.read_bytes()] == []
    errors = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert any(error.get("route") == "search/" and error["status"] >= 500 for error in errors), log.read_text()


class TheLog:
    def format(self, name, words, *arguments, **more):
        record = logging.LogRecord(name, logging.ERROR, "file.py", 1, words, arguments, more.pop("exc_info", None))
        for key, value in more.items():
            setattr(record, key, value)
        return json.loads(ContentFree().format(record))

    def test_tells_an_error_by_its_kind_and_places(self):
        try:
            raise ValueError(f"no {CANARY}")
        except ValueError:
            event = self.format("django.request", "Internal Server Error: %s", f"/{CANARY}", exc_info=sys.exc_info())
        assert event["error"] == "ValueError"
        assert "test_canary.py" in event["places"][0]
        assert CANARY not in json.dumps(event)

    def test_keeps_what_others_put_into_their_words_out_of_it(self):
        assert self.format("uvicorn.error", "Invalid %s", CANARY)["event"] == "Invalid %s"
        assert CANARY not in json.dumps(self.format("uvicorn.error", f"Invalid {CANARY}"))

    def test_says_our_own_sentences(self):
        assert self.format("sessions_app.web.hints", "No %s.", "index")["event"] == "No index."
