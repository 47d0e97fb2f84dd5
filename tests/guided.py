"""Fuzzing that looks at which branches an input takes, by atheris, which is no dependency: pip install atheris

    python -m tests.guided lines|queries|texts [-max_total_time=600] [-timeout=2] [further options of libFuzzer]

What tests/test_fuzzing.py does with what it makes up, this does with what brings it into branches that it did not see yet.
Ends with an error where something is raised, a byte of a line is lost, or an input takes longer than the timeout.
"""

import io
import json
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

with atheris.instrument_imports(include=["sessions_app"]):
    django.setup()
    from sessions_app import bodies, grammar, secret_rules
    from sessions_app.errors import InvalidQuery
    from sessions_app.integrations import importing
    from sessions_app.integrations.lines import read_lines
    from sessions_app.projection import project, prompt_text, search_texts
    from sessions_app.titles import derived_title
    from sessions_app.web.rendering import ansi, blocks, inert, markdown


LARGEST = 1 << 26  # bytes of a message


def lines(data: bytes) -> None:
    found = list(read_lines(io.BytesIO(data), 0, len(data)))
    assert b"".join(part for line in found for part in line.raw) == data
    importing.recognise([message for line in found for message in line.messages])
    for message in (message for line in found for message in line.messages):
        project(message)
        list(search_texts(message))
        derived_title(prompt_text(message))
        (body,) = bodies.encode_all([message], LARGEST)
        assert repr(bodies.decode(bodies.verify(0, message, body))) == repr(message)
        blocks.Drawing().item(blocks.entry(0, message), "x")


def queries(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    query = grammar.parse(text)
    assert query.source == text
    for problem in query.problems:
        query.with_repaired(problem)
        query.with_escaped(problem)
    for part in (*query.conditions, *query.problems):
        assert len(query.without(part)) < len(text)
    with suppress(InvalidQuery):
        query.check()


def texts(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for html in (markdown.to_html(text), ansi.to_html(text), markdown.to_html(inert.inert(text))):
        lowered = html.lower()
        assert not any(mark in lowered for mark in ("<script", "<img", "<svg", "<iframe", "<style", "<object"))
    assert ansi.to_text(text) is not None
    secret_rules.redacted(text)


def seeds(name: str) -> list[bytes]:
    """What it begins with; of nothing it would be long in coming to JSON."""
    if name == "queries":
        return [word.encode("utf-8", "surrogateescape") for word in WORDS if word != "\ud800"]
    if name == "texts":
        return [b"# a\n\n* [b](https://c.d)\n\n```sh\ne\n```\n|f|\n|-|\n", b"\x1b[1;31mred\x1b[0m ![x](y) <a href=z>"]
    claude, codex = ClaudeCode(), Codex()
    said = [
        *claude.talk("When?", "Now."),
        codex.meta(),
        codex.line("response_item", type="message", role="user", content=[]),
    ]
    return [json.dumps(line).encode() + b"\n" for line in said]


TARGETS = {"lines": lines, "queries": queries, "texts": texts}

if __name__ == "__main__":
    from tests.integrations.writing import ClaudeCode, Codex
    from tests.test_fuzzing import WORDS

    name = sys.argv.pop(1)
    with tempfile.TemporaryDirectory() as directory:
        for number, seed in enumerate(seeds(name)):
            (Path(directory) / str(number)).write_bytes(seed)
        atheris.Setup([*sys.argv, directory], TARGETS[name])
        atheris.Fuzz()
