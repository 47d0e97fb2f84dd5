"""A very large session is listed, searched, read, exported and imported in little memory; FORKLORE_LONG=1 takes 1 GB."""

import gzip
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from uuid import UUID

import pytest

from sessions_app.api import wire
from sessions_app.integrations import bundle
from tests.builders import user_environment
from tests.servers import Server
from tests.test_run import UP

pytestmark = pytest.mark.once
CHECKOUT = Path(__file__).parent.parent.parent
LONG = bool(os.environ.get("FORKLORE_LONG"))
SIZE = 1000 if LONG else 100  # MB
BOUND = 256  # MB above what the process takes before
PROGRAM_ITSELF = 100  # MB
MESSAGE = 50_000  # bytes

# Each deed is done in a process of its own, which tells how far its memory grew.
PROGRAM = f"""
MESSAGE = {MESSAGE}""" + """
import os, resource, sys, threading, time
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "sessions_site.settings"
django.setup()
from sessions_app import search, store, opening
from sessions_app.integrations import bundle
from sessions_app.models import Session
from sessions_app.web.rendering import documents
opening.migrate("default")
deed, path = sys.argv[1:3]

def own():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

def write():
    words = "the cart is empty and the basket is not "
    session = store.create("big", [{"role": "user", "content": "begin"}])
    for first in range(0, int(sys.argv[3]), 100):
        texts = [f"{number} " + words * (MESSAGE // len(words)) for number in range(first, first + 100)]
        store.append(session.id, [{"role": "assistant", "content": text} for text in texts])

def listed():
    assert store.list_sessions(9, project="big")[0].message_count > 1000

def searched():
    assert store.search("1999 the cart is empty", 5)
    assert store.search("basket is not the cart", 5)
    search.search_page("nowhere to be found at all", 5)

def read():
    id = Session.objects.get().pk
    for start in (0, 1000, 1900):
        assert store.get_messages(id, start, start + 60)

def exported(format):
    ids = [Session.objects.get().pk]
    with open(path, "w") as file:
        if format == "bundle":
            bundle.export(ids, file)
        else:
            file.writelines(documents.document(ids, format))
    assert os.path.getsize(path) > 50_000_000

def brought_in():
    with open(path, "rb") as file:
        outcome = bundle.bring_in(file)
    assert outcome.new == outcome.sessions
    assert outcome.messages > 1000

def brought_in_whole():
    bundle.AT_ONCE = bundle.WINDOW = 1 << 40
    brought_in()

deeds = {"write": write, "listed": listed, "searched": searched, "read": read,
         "bundle": lambda: exported("bundle"), "markdown": lambda: exported("markdown"), "html": lambda: exported("html"),
         "bring in": brought_in, "bring in whole": brought_in_whole,
         "control": lambda: store.get(Session.objects.get().pk)}
before = own()
most = [before]
def look():
    while True:
        most.append(max(own(), most.pop()))
        time.sleep(0.005)
threading.Thread(target=look, daemon=True).start()
deeds[deed]()
print("grew by", (max(own(), *most) - before) // 1_000_000)
"""  # fmt: skip


def environment_of(directory, name):
    return user_environment(
        DATABASE_URL=f"sqlite:///{directory}/{name}.sqlite3",
        HOME=str(directory / "home"),
        FORKLORE_DATA=str(directory / f"{name}-data"),
    )


def grown_by(environment, deed, path, *arguments):
    command = [sys.executable, "-c", PROGRAM, deed, str(path), *arguments]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stderr[-3000:]
    return int(done.stdout.rpartition("grew by ")[2])


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A database with one session of that size."""
    directory = tmp_path_factory.mktemp("big")
    environment = environment_of(directory, "big")
    grown_by(environment, "write", "", str(SIZE * 1_000_000 // MESSAGE))
    return lambda deed: grown_by(environment, deed, directory / "out")


@pytest.fixture(scope="module", params=["one session", "a project"] if LONG else ["one session"])
def bundle_file(request, tmp_path_factory):
    """A bundle of one session of that size, or of many that are as large together."""
    path = tmp_path_factory.mktemp("bundle") / "bundle.jsonl"
    messages = SIZE * 1_000_000 // MESSAGE
    write_bundle(path, 1 if request.param == "one session" else 40, messages)
    return path


def write_bundle(path, sessions, messages):
    digest, order = hashlib.sha256(), random.Random(1)
    moment = "2026-11-01T00:00:00+00:00"
    facts = {"project": "big", "created_at": moment, "updated_at": moment, "parent_id": None, "title": "big"}
    facts |= {"title_source": "user", "turns": 1, "relation": None, "fork_point": None, "version": 1, "agent": ""}
    with open(path, "w") as file:

        def write(value):
            line = json.dumps(value) + "\n"
            digest.update(line.encode())
            file.write(line)

        write({"format": bundle.FORMAT, "version": bundle.VERSION})
        for number in range(sessions):
            write({"session": {**facts, "id": str(UUID(int=number + 1))}})
            for _ in range(messages // sessions):  # of words that compression makes little smaller
                text = " ".join(order.randbytes(6).hex() for _ in range(MESSAGE // 13))
                write({"message": {"role": "user", "content": text}})
        held = messages // sessions * sessions
        file.write(json.dumps({"end": {"sessions": sessions, "messages": held, "sha256": digest.hexdigest()}}) + "\n")


@pytest.mark.parametrize("deed", ["listed", "searched", "read", "bundle", "markdown", "html"])
def test_a_large_session_takes_little_memory(big, deed):
    grew = big(deed)
    print(f"{deed}: {grew} MB for {SIZE} MB")
    assert grew <= min(BOUND, SIZE)  # 100 MB read all at once would stay below the bound


def test_to_get_all_of_it_does_take_much(big):
    """Else what stands above would show nothing."""
    assert big("control") > SIZE / 2


def test_a_large_file_is_imported_in_little_memory(tmp_path):
    directory = tmp_path / "home" / ".claude" / "projects" / "-code-shop"
    directory.mkdir(parents=True)
    text = "the cart is empty and the basket is not " * (MESSAGE // 40)
    with open(directory / "0b8f9a8e-4a2c-4d5e-9f00-000000000001.jsonl", "w") as file:
        for number in range(SIZE * 1_000_000 // MESSAGE):
            content = [{"type": "text", "text": f"{number} {text}"}]
            line = {"type": "assistant", "uuid": str(number), "sessionId": "s", "cwd": "/code/shop"}
            file.write(json.dumps({**line, "message": {"role": "assistant", "content": content}}) + "\n")
    said, took = most_of(environment_of(tmp_path, "imported"), "import_sessions", directory)
    print(f"import: {took} MB for {SIZE} MB, the program itself included")
    assert "1 session" in said or "1 new" in said, said
    assert took <= BOUND + PROGRAM_ITSELF


def most_of(environment, command, argument):
    """What a command says, and the most memory that its process had, in MB."""
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"], cwd=CHECKOUT, env=environment, check=True, timeout=300
    )
    program = (
        "import pathlib, runpy, sys\n"
        f"sys.argv = ['manage.py', '{command}', sys.argv[1]]\n"
        "try:\n    runpy.run_path('manage.py', run_name='__main__')\n"
        # Not ru_maxrss, which a process inherits from the one that started it.
        "finally:\n    status = pathlib.Path('/proc/self/status').read_text()\n"
        "    print('took', int(status.partition('VmHWM:')[2].split()[0]) // 1000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(argument)],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=3000,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, int(done.stdout.rpartition("took ")[2])


class ABundle:
    def test_is_brought_in_by_python(self, bundle_file, tmp_path):
        grew = grown_by(environment_of(tmp_path, "python"), "bring in", bundle_file)
        print(f"bundle in by Python: {grew} MB for {SIZE} MB")
        assert grew <= BOUND

    @pytest.mark.skipif(LONG, reason="it would take some gigabytes")
    def test_takes_much_where_it_is_brought_in_whole(self, bundle_file, tmp_path):
        grew = grown_by(environment_of(tmp_path, "whole"), "bring in whole", bundle_file)
        print(f"bundle in whole: {grew} MB for {SIZE} MB")
        assert grew > BOUND

    def test_is_brought_in_by_the_command(self, bundle_file, tmp_path):
        said, took = most_of(environment_of(tmp_path, "command"), "import_bundle", bundle_file)
        print(f"bundle in by the command: {took} MB for {SIZE} MB, the program itself included")
        assert "brought in; 0 were there already" in said
        assert took <= BOUND + PROGRAM_ITSELF

    def test_is_brought_in_over_http(self, bundle_file, tmp_path):
        """Compressed, and for 1 GB of words that hardly can be by a server that takes so much at once."""
        environment = environment_of(tmp_path, "http") | {"FORKLORE_BODY_LIMIT": str(2_000_000_000)}
        packed = tmp_path / "packed"
        with gzip.open(packed, "wb", 1) as file, open(bundle_file, "rb") as whole:
            shutil.copyfileobj(whole, file)
        with Server([*UP, "--port=0"], CHECKOUT, environment) as server:
            status = Path(f"/proc/{server.process.pid}/status")
            before = most(status)
            token = (Path(environment["FORKLORE_DATA"]) / "token").read_text().strip()
            headers = {"Authorization": f"Bearer {token}", "Content-Type": wire.LINES, "Content-Encoding": "gzip"}
            headers["Content-Length"] = str(packed.stat().st_size)
            with open(packed, "rb") as file:
                request = urllib.request.Request(f"{server.url}/api/v1/import", file, headers)
                with urllib.request.urlopen(request, timeout=3000) as answer:
                    outcome = json.load(answer)
            grew = most(status) - before
        print(f"bundle in over HTTP: {grew} MB for {SIZE} MB, {packed.stat().st_size // 1_000_000} MB of it sent")
        assert outcome["new"] == outcome["sessions"]
        assert grew <= BOUND


def most(status):
    return int(status.read_text().partition("VmHWM:")[2].split()[0]) // 1000
