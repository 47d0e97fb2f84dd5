"""Memory stays bounded, whatever the size of a transcript; FORKLORE_BIG_IMPORT=100 tries as many megabytes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sessions_app.models import Session
from tests.builders import environment
from tests.integrations.writing import ClaudeCode

MEGABYTES = int(os.environ.get("FORKLORE_BIG_IMPORT", "20"))
BOUND = 64  # MB of growth, for files of any size
CODE = """
import re, sys
import django; django.setup()
from sessions_app.integrations.importing import import_paths

def peak():
    # Not ru_maxrss, which a process inherits from the one that started it.
    return int(re.search("VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) // 1000

import_paths([sys.argv[1]])
before = peak()
summary = import_paths([sys.argv[2]])
print(peak() - before, summary.messages, f"{summary.seconds:.1f}")
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the memory of a process")
@pytest.mark.django_db(transaction=True)
def test_a_big_transcript_takes_little_memory(tmp_path, capsys):
    small, big = ClaudeCode("small"), ClaudeCode("big")
    _write(small, tmp_path / "small", 1)
    _write(big, tmp_path / "big", MEGABYTES)
    paths = [str(tmp_path / "small"), str(tmp_path / "big")]
    own = environment("default", FORKLORE_DATA=str(tmp_path), DJANGO_SETTINGS_MODULE="sessions_site.settings")
    checkout = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", CODE, *paths], env=own, cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    growth, messages, seconds = done.stdout.split()
    with capsys.disabled():
        print(f" [{MEGABYTES} MB, {messages} messages: {growth} MB of memory, {seconds} s]", end="")
    assert int(growth) < BOUND
    assert Session.objects.get(transcript__external_id=big.session).message_count == int(messages)


def _write(agent: ClaudeCode, folder: Path, megabytes: int) -> None:
    path = agent.path(folder)
    path.parent.mkdir(parents=True)
    with path.open("w") as file:
        while file.tell() < megabytes * 1_000_000:
            for line in agent.talk("When is high tide at the harbour? " * 40, "At noon, and again at midnight. " * 90):
                file.write(json.dumps(line) + "\n")
