"""Made-up and broken input by the thousand: nothing crashes, nothing hangs, every line and message is kept.

FORKLORE_LONG=1 makes a million lines and queries instead of a few thousand, FORKLORE_RUNS=N as many as it says. The API
is asked by what its description allows in tests/api/test_description.py.
"""

import io
import json
import os
import random
import time
from contextlib import suppress
from itertools import islice

import pytest

from sessions_app import grammar
from sessions_app.errors import InvalidQuery
from sessions_app.integrations import importing
from sessions_app.integrations.importing import import_paths
from sessions_app.integrations.lines import read_lines
from sessions_app.models import Session
from sessions_app.projection import project, prompt_text, search_texts
from tests.integrations.writing import ClaudeCode, Codex

LONG = os.environ.get("FORKLORE_LONG") == "1"
RUNS = int(os.environ.get("FORKLORE_RUNS") or (1_000_000 if LONG else 4_000))
HANGS = 2  # seconds of the processor: on a machine under load anything waits for as long
WORDS = [
    *("project:", "agent:codex", "role:user", "is:pinned", "has:forks", "under:3f2a", "tag:", "turns:>", "size:<1.5kb"),
    *(
        "before:2026-11",
        "after:7d",
        "-",
        "--",
        '"',
        '""',
        ":",
        "::",
        "needle",
        "ß",
        "\0",
        "\ud800",
        "\u202e",
        "😀",
        "  ",
    ),
    *(
        "turns:99999999999999999999",
        "before:0000-00-00",
        "after:9999-99",
        "size:1e309mb",
        "under:" + "f" * 80,
        "(",
        "*",
        "%",
    ),
]
# As JSON, so that no two lines share one.
VALUES = [
    json.dumps(value)
    for value in [
        None,
        True,
        -0.0,
        2**70,
        1e308,
        "",
        "\0",
        "\ud800",
        "x" * 3000,
        [],
        {},
        [[[]]],
        {"": {"": []}},
        "2026-99-99T",
    ]
]


def a_line(order, pool):
    """A line of a transcript in which something is otherwise, or bytes in which something is."""
    line = json.loads(json.dumps(order.choice(pool)))
    for _ in range(order.randrange(4)):
        place = line
        while isinstance(place, dict) and place and order.random() < 0.6:
            key = order.choice(list(place))
            if not isinstance(place[key], dict | list) or order.random() < 0.3:
                place[key] = json.loads(order.choice(VALUES))
                break
            place = place[key] if isinstance(place[key], dict) else (place[key] or [{}])[0]
        else:
            if isinstance(place, dict):
                place[order.choice(["type", "message", "content", "role", "payload", "uuid", "x"])] = order.choice(
                    VALUES
                )
    raw = bytearray(json.dumps(line, ensure_ascii=order.random() < 0.8).encode(errors="surrogatepass"))
    if order.random() < 0.3:
        for _ in range(order.randrange(1, 6)):
            at = order.randrange(len(raw))
            raw[at : at + order.randrange(3)] = order.choice(
                [b"", b"\0", b"\xff", b"{", b'"', b"\\", b"\r", b"[" * 300, b"[" * 3000, b"9" * 5000]
            )
    return bytes(raw).replace(b"\n", b" ")


@pytest.fixture(scope="module")
def pool():
    claude, codex = ClaudeCode(), Codex()
    said = [
        codex.line("response_item", type="message", role=role, content=[{"type": kind, "text": "When?"}])
        for role, kind in (("user", "input_text"), ("assistant", "output_text"))
    ]
    return [*claude.talk("When is high tide?", "At noon.", "And now?", "No."), codex.meta(), *said]


def in_time(call, *arguments):
    began = time.process_time()
    result = call(*arguments)
    assert time.process_time() - began < HANGS
    return result


class Lines:
    def test_of_any_kind_are_read_projected_and_kept(self, pool):
        order = random.Random(1)
        for _ in range(RUNS // 20):
            raw = b"\n".join(a_line(order, pool) for _ in range(20)) + b"\n"
            found = in_time(lambda raw: list(read_lines(io.BytesIO(raw), 0, len(raw))), raw)
            assert [line.number for line in found if line.first] == list(range(1, 21))
            importing.recognise([message for line in found for message in line.messages])
            for message in (message for line in found for message in line.messages):
                in_time(project, message)
                list(search_texts(message))
                prompt_text(message)

    def test_of_any_kind_are_imported(self, the_store, tmp_path, pool):
        order = random.Random(2)
        for number in range(max(RUNS // 200, 10)):
            path = tmp_path / f"{number}" / "session.jsonl"
            path.parent.mkdir()
            whole = [json.dumps(line).encode() for line in order.sample(pool, 2)] if order.random() < 0.7 else []
            raw = [*whole, *(a_line(order, pool) for _ in range(order.randrange(12)))]
            path.write_bytes(b"\n".join(raw) + order.choice([b"", b"\n"]))
            summary = in_time(import_paths, [path.parent])
            assert summary.lines == summary.messages + summary.unreadable + summary.blank
        for session in islice(Session.objects.all(), 200):
            assert len(the_store.get(session.pk).messages) == session.message_count


class Queries:
    def test_of_any_kind_are_understood_or_refused(self, the_store):
        the_store.create("p", [{"role": "user", "content": "needle ß"}])
        order = random.Random(3)
        for number in range(RUNS // 4):
            text = "".join(
                order.choice(WORDS) + order.choice(["", " ", "x", "1"]) for _ in range(order.randrange(1, 8))
            )
            query = in_time(grammar.parse, text)
            assert query.source == text
            if not number % 10:
                with suppress(InvalidQuery):
                    in_time(lambda text: the_store.search("needle", 3, filters=text), text)
                with suppress(InvalidQuery):
                    in_time(lambda text: the_store.search(text, 3), text)
