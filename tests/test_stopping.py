"""Servers that are told to stop, and two at one database."""

import asyncio
import json
import os
import signal
import sqlite3
import threading
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from sessions_site import running
from tests.builders import user_environment
from tests.servers import Server
from tests.test_run import CHECKOUT, UP

STOPS = 20 if os.environ.get("FORKLORE_LONG") == "1" else 1
WITHIN = 12  # seconds: ten that open pages have, and what a busy machine takes for the rest


@pytest.fixture
def environment(tmp_path):
    return user_environment(FORKLORE_DATA=str(tmp_path), DATABASE_URL=f"sqlite:///{tmp_path}/store.sqlite3")


def bearer(directory):
    return {"Authorization": f"Bearer {(directory / 'token').read_text().strip()}"}


def post(url, value, headers):
    data = json.dumps(value).encode()
    request = urllib.request.Request(url, data, {**headers, "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


class Stopping:
    @pytest.mark.parametrize("time_", range(STOPS))
    def test_takes_ten_seconds_with_pages_open_and_loses_nothing(self, environment, tmp_path, time_):
        server = Server([*UP, "--port=0"], CHECKOUT, environment)
        headers, acknowledged = bearer(tmp_path), []
        session = post(f"{server.url}/api/v1/sessions", {"project": "p", "messages": []}, headers)["id"]

        def write():
            try:
                for number in range(100_000):
                    post(
                        f"{server.url}/api/v1/sessions/{session}/messages", {"messages": [{"number": number}]}, headers
                    )
                    acknowledged.append(number)
            except OSError:
                pass

        async def follow():
            sockets = [
                await connect(server.url.replace("http", "ws") + "/live/", additional_headers=headers) for _ in range(5)
            ]
            for socket in sockets:
                await socket.send(json.dumps({"lists": True}))
            host, _, port = server.url.removeprefix("http://").partition(":")
            followed, asking = await asyncio.open_connection(host, int(port))
            asking.write(
                f"GET /api/v1/changes HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: text/event-stream\r\n"
                f"Authorization: {headers['Authorization']}\r\n\r\n".encode()
            )
            assert b"200 OK" in await followed.readline()
            writer = threading.Thread(target=write)
            writer.start()
            while len(acknowledged) < 5:
                await asyncio.sleep(0.02)
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            codes = []
            for socket in sockets:
                try:
                    while True:
                        await asyncio.wait_for(socket.recv(), WITHIN)
                except ConnectionClosed as closed:
                    codes.append(closed.rcvd.code if closed.rcvd else None)
            await asyncio.wait_for(followed.read(), WITHIN)  # to its end
            code = await asyncio.to_thread(server.process.wait, WITHIN)
            took = time.monotonic() - began
            await asyncio.to_thread(writer.join)
            return codes, code, took

        codes, code, took = asyncio.run(follow())
        assert codes == [1012] * 5  # the server restarts, as uvicorn says it: the page comes again
        assert code == 0
        assert took < WITHIN
        assert not (tmp_path / "store.sqlite3-wal").exists() or not (tmp_path / "store.sqlite3-wal").stat().st_size
        with closing(sqlite3.connect(tmp_path / "store.sqlite3")) as database:
            rows = database.execute("SELECT body FROM forklore_message ORDER BY position").fetchall()
        assert [json.loads(row[0])["number"] for row in rows][: len(acknowledged)] == acknowledged
        assert len(rows) - len(acknowledged) in (0, 1)


class ASecondServer:
    def test_is_noticed_and_works(self, environment, tmp_path):
        up = ([*UP, "--port=0"], CHECKOUT, environment)
        with Server(*up) as first, Server(*up) as second:
            assert any("Another Forklore serves this database too" in line for line in second.said)
            assert any(first.url in line for line in second.said)
            for server in (first, second):
                post(f"{server.url}/api/v1/sessions", {"project": "p", "messages": []}, bearer(tmp_path))
        with Server([*UP, "--port=0"], CHECKOUT, environment) as third:
            assert third.said == []

    def test_is_not_seen_in_one_that_was_killed(self, environment):
        first = Server([*UP, "--port=0"], CHECKOUT, environment)
        first.process.kill()
        first.process.wait()
        with Server([*UP, "--port=0"], CHECKOUT, environment) as second:
            assert second.said == []


class AFarFileSystem:
    MOUNTS = "/dev/vda / ext4 rw 0 0\nhost:/home /home nfs4 rw 0 0\nproc /proc proc rw 0 0\n/dev/vdb /home/near ext4 rw 0 0\n"

    def test_is_told_from_one_of_this_machine(self):
        assert running.far_file_system(Path("/home/ada/x"), self.MOUNTS) == "nfs4"
        assert running.far_file_system(Path("/home/near/x"), self.MOUNTS) is None
        assert running.far_file_system(Path("/srv"), self.MOUNTS) is None
