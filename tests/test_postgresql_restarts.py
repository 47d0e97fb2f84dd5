"""PostgreSQL that goes away and comes back: nothing acknowledged is lost, nothing is written twice, all heals by itself."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from tests import postgres
from tests.builders import user_environment
from tests.servers import Server
from tests.test_run import CHECKOUT, UP

pytestmark = pytest.mark.skipif(not postgres.binaries(), reason=postgres.HOW_TO_GET)
RESTARTS = 40 if os.environ.get("FORKLORE_LONG") == "1" else 2
SETTINGS = "-c listen_addresses='' -c max_connections=60"  # and so it waits for the disk, as it does by itself
HEALED = 5  # seconds

# Writers that send a write again, under its key, until it is acknowledged; each tells when it was.
WRITERS = """
import asyncio, json, sys, time
from uuid import UUID
from sessions_app.async_store import open_store
async def write(name, store, told):
    session = None
    number = 0
    while not told["stop"]:
        try:
            if session is None:
                session = (await store.create("p", [], once=f"{name} begins")).id
                told[name] = str(session)
            else:
                await store.append(session, [{"number": number}], once=f"{name} {number}")
                number += 1
                print(json.dumps([name, number, time.time()]), flush=True)
        except Exception as error:
            print(json.dumps([name, "failed", type(error).__name__]), flush=True)
            await asyncio.sleep(0.05)
async def main():
    told = {"stop": False}
    direct, server, token = sys.argv[1:]
    async with open_store(direct) as one, open_store(server, token=token) as other:
        writing = [asyncio.create_task(write(f"{way} {n}", store, told)) for n in range(3) for way, store in (("direct", one), ("http", other))]
        await asyncio.to_thread(sys.stdin.read)
        told["stop"] = True
        await asyncio.gather(*writing)
        del told["stop"]
        print(json.dumps({name: [m["number"] for m in (await one.get_messages(UUID(id)))] for name, id in told.items()}), flush=True)
asyncio.run(main())
"""


@pytest.fixture
def cluster():
    # PostgreSQL's user must reach it, and a socket's path is short.
    directory = Path(tempfile.mkdtemp(prefix="forklore-pg-"))
    directory.chmod(0o711)
    cluster = postgres.Cluster(directory / "own", SETTINGS)
    cluster.start()
    with psycopg.connect(cluster.url.replace("/forklore?", "/postgres?"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE forklore")
    yield cluster
    cluster.stop()
    shutil.rmtree(directory, ignore_errors=True)


def wait_for_all(said, since=0.0):
    """The seconds from a moment until each of the writers has written; on a busy machine that takes a while at first."""
    while True:
        lines = [json.loads(line) for line in said.read_text().splitlines() if line.endswith("]")]
        first = {line[0]: line[2] for line in reversed(lines) if line[1] != "failed" and line[2] > since}
        if len(first) == 6:
            return max(first.values()) - since
        time.sleep(0.1)


def test_restarts_under_load_lose_nothing_and_write_nothing_twice(cluster, tmp_path):
    environment = user_environment(FORKLORE_DATA=str(tmp_path), DATABASE_URL=cluster.url)
    said = tmp_path / "said"  # a pipe that nobody reads would be full before long, and the writers wait
    with Server([*UP, "--port=0"], CHECKOUT, environment) as server, said.open("w") as out:
        token = (tmp_path / "token").read_text().strip()
        writers = subprocess.Popen(
            [sys.executable, "-c", WRITERS, cluster.url, server.url, token],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=out,
            text=True,
        )
        wait_for_all(said)
        took = []
        for _ in range(RESTARTS):
            time.sleep(1)
            cluster.restart()
            took.append(wait_for_all(said, time.time()))
        writers.communicate("", timeout=60)
        lines = [json.loads(line) for line in said.read_text().splitlines()]
    held = lines.pop()
    acknowledged = {}
    for name, number, *_ in lines:
        if number != "failed":
            acknowledged[name] = number
    assert len(held) == 6
    for name, numbers in held.items():
        assert numbers == list(range(len(numbers)))
        assert len(numbers) == acknowledged[name]
    assert any(line[1] == "failed" for line in lines)
    print(f"{RESTARTS} restarts, {sum(map(len, held.values()))} writes, the slowest healed in {max(took):.1f} s")
    assert max(took) < HEALED
