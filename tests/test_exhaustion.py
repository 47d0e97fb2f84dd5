"""Connections of PostgreSQL and descriptors of the process: they have a bound, and where there are none a server goes on."""

import asyncio
import json
import shutil
import socket
import sqlite3
import tempfile
from contextlib import AsyncExitStack, ExitStack, closing
from pathlib import Path

import httpx
import psycopg
import pytest
from websockets.asyncio.client import connect

from sessions_site.workers import WORKERS
from tests import postgres
from tests.builders import user_environment
from tests.servers import Server
from tests.test_run import CHECKOUT, UP

BESIDE = 3  # connections of a server beside those of its threads: what follows changes, cleans up, lets sockets in
ASKED = 200  # requests at once
PLACES = 20  # connections of the small PostgreSQL, three of which are its superuser's
DESCRIPTORS = 64


@pytest.fixture
def cluster():
    if not postgres.binaries():
        pytest.skip(postgres.HOW_TO_GET)
    # PostgreSQL's user must reach it, and a socket's path is short.
    directory = Path(tempfile.mkdtemp(prefix="forklore-pg-"))
    directory.chmod(0o711)
    cluster = postgres.Cluster(directory / "own", f"{postgres.FAST} -c max_connections={PLACES}")
    cluster.start()
    with psycopg.connect(administration(cluster), autocommit=True) as connection:
        connection.execute("CREATE DATABASE forklore")
        connection.execute("CREATE ROLE somebody LOGIN")  # for whom the last places are not kept
        connection.execute("ALTER DATABASE forklore OWNER TO somebody")
    yield cluster
    cluster.stop()
    shutil.rmtree(directory, ignore_errors=True)


def administration(cluster):
    return cluster.url.replace("/forklore?", "/postgres?")


def of_somebody(cluster):
    return cluster.url.replace("postgres@", "somebody@")


def serving(tmp_path, url, *before):
    environment = user_environment(FORKLORE_DATA=str(tmp_path), DATABASE_URL=url)
    return Server([*before, *UP, "--port=0"], CHECKOUT, environment)


def bearer(tmp_path):
    return {"Authorization": f"Bearer {(tmp_path / 'token').read_text().strip()}", "Accept": "text/html"}


async def write(client):
    answer = await client.post(
        "/api/v1/sessions", json={"project": "p", "messages": [{"role": "user", "content": "x"}]}
    )
    answer.raise_for_status()
    return answer.json()["id"]


async def ask_for_much(client, id):
    """Two hundred requests at once, of each kind; the answers."""
    pages = ["/", "/projects/", f"/sessions/{id}/", "/search/?q=x", "/api/v1/sessions", f"/api/v1/sessions/{id}"]
    asked = [client.get(pages[number % len(pages)]) for number in range(ASKED - 20)]
    asked += [
        client.post(f"/api/v1/sessions/{id}/messages", json={"messages": [{"number": number}]}) for number in range(20)
    ]
    return await asyncio.gather(*asked)


def client_of(server, tmp_path):
    # A connection that is kept may be closed by the server just when it is used again.
    limits = httpx.Limits(max_connections=ASKED, max_keepalive_connections=0)
    return httpx.AsyncClient(base_url=server.url, headers=bearer(tmp_path), limits=limits, timeout=60)


class Connections:
    def test_are_no_more_than_a_server_has_threads(self, cluster, tmp_path):
        most = []

        async def count(until):
            async with await psycopg.AsyncConnection.connect(administration(cluster), autocommit=True) as looking:
                while not until.is_set():
                    found = await looking.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'somebody'")
                    most.append((await found.fetchone())[0])
                    await asyncio.sleep(0.02)

        async def scenario(server):
            until = asyncio.Event()
            counting = asyncio.create_task(count(until))
            async with client_of(server, tmp_path) as client, AsyncExitStack() as sockets:
                id = await write(client)
                for _ in range(15):
                    address = server.url.replace("http", "ws") + "/live/"
                    socket = await sockets.enter_async_context(
                        connect(address, additional_headers={"Authorization": bearer(tmp_path)["Authorization"]})
                    )
                    await socket.send('{"lists": true}')
                answers = [answer for _ in range(2) for answer in await ask_for_much(client, id)]
                held = (await client.get(f"/api/v1/sessions/{id}")).json()["message_count"]
            until.set()
            await counting
            return answers, held

        with serving(tmp_path, of_somebody(cluster)) as server:
            answers, held = asyncio.run(scenario(server))
        assert {answer.status_code for answer in answers} <= {200, 201, 204}
        assert held == 1 + 2 * 20
        assert WORKERS <= max(most) <= WORKERS + BESIDE

    def test_that_others_have_taken_are_waited_for_with_a_503(self, cluster, tmp_path):
        async def scenario(server, taken):
            async with client_of(server, tmp_path) as client:
                id = await write(client)
                while True:  # until there is no place left
                    try:
                        taken.enter_context(psycopg.connect(of_somebody(cluster)))
                    except psycopg.OperationalError:
                        break
                during = await ask_for_much(client, id)
                taken.close()
                after = await ask_for_much(client, id)
                return during, after, (await client.get(f"/api/v1/sessions/{id}")).json()["message_count"]

        with serving(tmp_path, of_somebody(cluster)) as server, ExitStack() as taken:
            during, after, held = asyncio.run(scenario(server, taken))
        statuses = {answer.status_code for answer in during}
        assert 503 in statuses
        assert statuses <= {200, 201, 204, 503}
        assert all(answer.headers["Retry-After"] == "1" for answer in during if answer.status_code == 503)
        assert not any("Traceback" in answer.text for answer in during)
        assert {answer.status_code for answer in after} <= {200, 201, 204}
        written = sum(answer.request.method == "POST" and answer.is_success for answer in [*during, *after])
        assert held == 1 + written


class Threads:
    def test_are_kept_by_nobody_who_takes_an_export_slowly(self, tmp_path):
        async def scenario(server):
            host, _, port = server.url.removeprefix("http://").partition(":")
            async with client_of(server, tmp_path) as client:
                large = {"project": "p", "messages": [{"role": "user", "content": "x" * 1_000_000}] * 8}
                id = (await client.post("/api/v1/sessions", json=large)).json()["id"]
                for _ in range(WORKERS + 1):
                    reading, writing = await narrow(host, int(port))
                    writing.write(
                        f"GET /api/v1/export?session={id}&secrets=kept HTTP/1.1\r\nHost: {host}:{port}\r\n"
                        f"Authorization: {bearer(tmp_path)['Authorization']}\r\n\r\n".encode()
                    )
                    assert b"200 OK" in await reading.readline()  # and no more of it
                    slow.append((reading, writing))
                answer = await client.get("/")
                for _, writing in slow:
                    writing.close()
                return answer.status_code

        async def narrow(host, port):
            """A connection into which little fits beside what the server's own system keeps for it."""
            own = socket.create_connection((host, port))
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            return await asyncio.open_connection(sock=own, limit=1024)

        slow = []
        with serving(tmp_path, f"sqlite:///{tmp_path}/store.sqlite3") as server:
            assert asyncio.run(scenario(server)) == 200


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc to look at")
class Descriptors:
    def test_that_are_all_taken_cost_an_answer_and_no_more(self, tmp_path):
        """Connections that ask for nothing take them all: who asks is refused or waits, and goes on when they are gone."""
        sent, acknowledged, log = [], [], tmp_path / "log"

        async def append(client, id):
            sent.append(len(sent))
            try:
                answer = await client.post(f"/api/v1/sessions/{id}/messages", json={"messages": [{"number": sent[-1]}]})
            except httpx.TransportError:
                return "no answer"
            acknowledged.extend(sent[-1:] * answer.is_success)
            return answer.status_code

        async def scenario(server):
            host, _, port = server.url.removeprefix("http://").partition(":")
            async with client_of(server, tmp_path) as client:
                id = await write(client)
                assert await append(client, id) < 300
                client.timeout = 3
                idle = [await asyncio.open_connection(host, int(port)) for _ in range(2 * DESCRIPTORS)]
                during = [await append(client, id) for _ in range(5)]
                taken = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
                for _, writer in idle:
                    writer.close()
            async with client_of(server, tmp_path) as client:
                after = [await append(client, id) for _ in range(5)]
                pages = [(await client.get(page)).status_code for page in ("/", f"/sessions/{id}/", "/search/?q=x")]
            return during, taken, after, pages

        limited = ["sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@" 2>{log}', "sh"]
        with serving(tmp_path, f"sqlite:///{tmp_path}/store.sqlite3", *limited) as server:
            during, taken, after, pages = asyncio.run(scenario(server))
        assert taken >= DESCRIPTORS - 2
        assert set(during) <= {200, 503, "no answer"}
        assert set(during) != {200}
        assert (set(after), set(pages)) == ({200}, {200})
        assert len(log.read_text().splitlines()) < 60  # of asyncio's one a second, not one a connection
        with closing(sqlite3.connect(tmp_path / "store.sqlite3")) as database:
            rows = database.execute("SELECT body FROM forklore_message ORDER BY position").fetchall()
        held = [json.loads(row[0])["number"] for row in rows[1:]]
        assert [number for number in held if number in acknowledged] == acknowledged
        assert len(held) == len(set(held))  # one that was not answered may have been done later
