"""A very large session is listed, searched, read, exported and imported in little memory; FORKLORE_LONG=1 takes 1 GB."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import user_environment

pytestmark = pytest.mark.once
CHECKOUT = Path(__file__).parent.parent.parent
SIZE = 1000 if os.environ.get("FORKLORE_LONG") else 100  # MB
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

deeds = {"write": write, "listed": listed, "searched": searched, "read": read,
         "bundle": lambda: exported("bundle"), "markdown": lambda: exported("markdown"), "html": lambda: exported("html"),
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


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A database with one session of that size."""
    directory = tmp_path_factory.mktemp("big")
    environment = user_environment(
        DATABASE_URL=f"sqlite:///{directory}/big.sqlite3", FORKLORE_DATA=str(directory / "data")
    )

    def run(*arguments):
        command = [sys.executable, "-c", PROGRAM, arguments[0], str(directory / "out"), *arguments[1:]]
        done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=3000)
        assert done.returncode == 0, done.stderr[-3000:]
        return int(done.stdout.rpartition("grew by ")[2])

    run("write", str(SIZE * 1_000_000 // MESSAGE))
    return run


@pytest.mark.parametrize("deed", ["listed", "searched", "read", "bundle", "markdown", "html"])
def test_a_large_session_takes_little_memory(big, deed):
    grew = big(deed)
    print(f"{deed}: {grew} MB for {SIZE} MB")
    assert grew <= BOUND


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
    environment = user_environment(
        DATABASE_URL=f"sqlite:///{tmp_path}/imported.sqlite3",
        HOME=str(tmp_path / "home"),
        FORKLORE_DATA=str(tmp_path / "data"),
    )
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"], cwd=CHECKOUT, env=environment, check=True, timeout=300
    )
    program = (
        "import pathlib, runpy, sys\n"
        "sys.argv = ['manage.py', 'import_sessions', sys.argv[1]]\n"
        "try:\n    runpy.run_path('manage.py', run_name='__main__')\n"
        # Not ru_maxrss, which a process inherits from the one that started it.
        "finally:\n    status = pathlib.Path('/proc/self/status').read_text()\n"
        "    print('took', int(status.partition('VmHWM:')[2].split()[0]) // 1000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(directory)],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=3000,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    took = int(done.stdout.rpartition("took ")[2])
    print(f"import: {took} MB for {SIZE} MB, the program itself included")
    assert "1 session" in done.stdout or "1 new" in done.stdout, done.stdout
    assert took <= BOUND + PROGRAM_ITSELF
