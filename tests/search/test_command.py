"""search_sessions: hits in a terminal, as grep prints them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.builders import a_message, a_session, environment


@pytest.fixture
def run(the_store, capsys):
    """Exit code, output and errors of the command."""

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            call_command("search_sessions", *words)
        return ended.value.code, *capsys.readouterr()

    return run


@pytest.fixture
def session(the_store):
    return the_store.create(
        "/code/shop", [a_message("Where is the needle?"), a_message("The NEEDLE is\nhere", "assistant")]
    )


class TheCommand:
    def test_prints_hits_below_their_session(self, run, session):
        code, out, errors = run("needle")
        assert out.splitlines() == [
            f"Where is the needle?  {str(session.id)[:8]}  shop  now",
            "  0:user: Where is the needle?",
            "  1:assistant: The NEEDLE is here",
        ]
        assert (code, errors) == (0, "")

    def test_takes_several_words_as_one_text_and_words_of_the_grammar(self, run, session):
        code, out, _ = run("role:assistant", "needle", "is")
        assert (code, out.count("\n  ")) == (0, 1)

    def test_lists_sessions_without_a_text(self, run, session):
        assert run("project:shop")[1].count(str(session.id)[:8]) == 1

    def test_says_nothing_where_nothing_is_found(self, run, session):
        assert run("zebra") == (1, "", "")

    def test_shows_the_word_that_means_nothing(self, run, session):
        code, out, errors = run("needle bfore:2026")
        assert (code, out) == (2, "")
        assert errors.splitlines()[1:] == ["  needle bfore:2026", "         ^^^^^^^^^^"]

    @pytest.mark.parametrize("query", ["", " ", "role:user"])
    def test_asks_for_a_text(self, run, session, query):
        assert run(query)[0] == 2

    def test_says_that_there_may_be_more(self, run, session):
        code, out, errors = run("needle", "--limit", "1")
        assert (code, out.count("\n  ")) == (0, 1)
        assert "--limit" in errors

    def test_colours_what_was_found_on_the_original(self, run, the_store):
        a_session(the_store, "die straße hier")
        assert "die \x1b[1;31mstraße\x1b[0m hier" in run("STRASSE", "--color", "always")[1]

    def test_lets_no_message_move_the_terminal(self, run, the_store):
        a_session(the_store, "needle \x1b[2J\x07\x9b31m \u202egnirts")
        a_session(the_store, "\x1b[31mneedle\x1b[0m in red")
        out = run("needle")[1]
        assert "0:user: needle in red" in out
        assert not set(out) & set("\x1b\x07\x9b\u202e")

    def test_gives_an_object_a_line(self, run, session, the_store):
        the_store.fork_at(session.id, 2)
        found = [json.loads(line) for line in run("needle", "--json")[1].splitlines()]
        assert [(hit["position"], hit["role"], hit["shared_with"]) for hit in found] == [
            (0, "user", 1),
            (1, "assistant", 1),
        ]
        assert found[1]["snippet"] == "The NEEDLE is here"

    def test_ends_quietly_when_nobody_reads_on(self, the_store, either_database):
        for number in range(300):
            a_session(the_store, f"needle {number} " + "x" * 200)
        writer = subprocess.Popen(
            [sys.executable, "manage.py", "search_sessions", "needle", "--limit", "300"],
            env=environment(either_database, DJANGO_SETTINGS_MODULE="sessions_site.settings"),
            cwd=Path(__file__).parents[2],
            stdout=(pipe := os.pipe())[1],
            stderr=subprocess.PIPE,
        )
        os.close(pipe[1])
        os.close(pipe[0])
        _, errors = writer.communicate(timeout=60)
        assert (writer.returncode, b"Traceback" in errors) == (0, False)
