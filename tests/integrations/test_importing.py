"""Importing transcripts: once, again, after they grew, changed or were cut, and from hostile trees."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sessions_app import grouped_writes, session_rows
from sessions_app.integrations import file_import, importing
from sessions_app.integrations.importing import ImportRunning, import_paths
from sessions_app.models import Session, Transcript
from sessions_app.projection import UNREADABLE
from tests.builders import environment
from tests.integrations.writing import ClaudeCode, Codex, add, everything, messages, the_session, write


def accounted(summary) -> bool:
    return summary.lines == summary.messages + summary.unreadable + summary.blank


class TheFirstImport:
    def test_keeps_every_line_as_it_is(self, the_store, tmp_path):
        agent = ClaudeCode()
        lines = [
            *agent.talk("When is high tide?", "At noon."),
            {"type": "tag", "tag": "\ud800\0", "n": 2**70, "f": 1.5},
        ]
        write(agent.path(tmp_path), *lines)
        summary = import_paths([tmp_path])
        assert messages(the_store, the_session(agent)) == lines
        assert (summary.new, summary.messages, summary.lines) == (1, 3, 3)

    def test_takes_project_times_and_turns_from_the_lines(self, the_store, tmp_path):
        agent = ClaudeCode(cwd="/home/ann/tide")
        write(agent.path(tmp_path), *agent.talk("One?", "Yes.", "Two?", "No."))
        import_paths([tmp_path])
        session = the_session(agent)
        assert (session.project.name, session.agent, session.turns, session.title) == (
            "/home/ann/tide",
            "claude-code",
            2,
            "One?",
        )
        assert session.created_at == datetime(2026, 1, 2, 3, 0, 0, tzinfo=UTC)
        assert session.updated_at == datetime(2026, 1, 2, 3, 0, 3, tzinfo=UTC)

    def test_takes_the_files_name_and_time_where_the_lines_say_nothing(self, the_store, tmp_path):
        path = write(tmp_path / "harbour" / "s.jsonl", {"type": "user", "message": {"content": "Hi"}})
        os.utime(path, (1_700_000_000, 1_700_000_000))
        import_paths([tmp_path])
        session = the_session("s")
        assert session.project.name == "harbour"
        assert session.created_at == session.updated_at == datetime.fromtimestamp(1_700_000_000, UTC)

    def test_makes_a_project_of_a_path_that_is_no_name(self, the_store, tmp_path):
        long, odd = ClaudeCode("long", cwd="/" + "deep/" * 100 + "end"), ClaudeCode("odd", cwd="/a\n\ud800b")
        for agent in (long, odd):
            write(agent.path(tmp_path), agent.prompt())
        import_paths([tmp_path])
        assert the_session(long).project.name.startswith("…")
        assert the_session(long).project.name.endswith("/deep/end")
        assert the_session(odd).project.name == "/a\ufffd\ufffdb"

    def test_keeps_unreadable_lines_and_goes_on(self, the_store, tmp_path):
        agent = ClaudeCode()
        write(agent.path(tmp_path), agent.prompt(), "{torn", "", '{"a": NaN}', agent.answer())
        summary = import_paths([tmp_path])
        kept = messages(the_store, the_session(agent))
        assert [UNREADABLE in message for message in kept] == [False, True, True, False]
        assert kept[1][UNREADABLE] == {
            "line": 2,
            "why": "The line is no JSON at character 1: Expecting property name enclosed in double quotes.",
            "text": "{torn",
        }
        assert (summary.lines, summary.messages, summary.unreadable, summary.blank) == (5, 2, 2, 1)
        assert summary.has_problems

    def test_tells_formats_by_their_lines_wherever_they_lie(self, the_store, tmp_path):
        claude, codex = ClaudeCode("one"), Codex("two")
        write(tmp_path / "x" / "one.jsonl", "{torn", claude.prompt())
        write(tmp_path / "x" / "two.jsonl", codex.meta(), codex.prompt())
        import_paths([tmp_path])
        assert [(one.agent) for one in Session.objects.order_by("agent")] == ["claude-code", "codex"]

    @pytest.mark.parametrize(
        ("name", "lines", "why"),
        [
            ("empty.jsonl", [], "It is empty."),
            ("history.jsonl", [{"display": "x", "project": "/x"}], "It is a history of prompts, not a transcript."),
            (
                "history.jsonl",
                [{"session_id": "a", "ts": 1, "text": "x"}],
                "It is a history of prompts, not a transcript.",
            ),
            (
                "log.jsonl",
                [{"ts": "", "dir": "meta", "kind": "x"}],
                "It is a log of Codex's terminal interface, not a transcript.",
            ),
            ("other.jsonl", [{"x": 1}], "It holds no transcript of Claude Code or Codex."),
            ("binary.jsonl", ["\0\0\0"], "It holds no transcript of Claude Code or Codex."),
        ],
    )
    def test_passes_over_what_is_no_transcript(self, the_store, tmp_path, name, lines, why):
        write(tmp_path / name, *lines)
        summary = import_paths([tmp_path])
        assert [(skipped.why, skipped.problem) for skipped in summary.skipped] == [(why, False)]
        assert (summary.files, summary.has_problems, Session.objects.count()) == (0, False, 0)

    def test_counts_files_of_other_names(self, the_store, tmp_path):
        write(tmp_path / "README.md", "hello")
        write(tmp_path / "state_5.sqlite", "SQLite format 3")
        assert import_paths([tmp_path]).others == 2

    def test_says_what_it_may_not_read(self, the_store, tmp_path):
        (tmp_path / "tree").mkdir()
        (tmp_path / "tree" / "out.jsonl").symlink_to(write(tmp_path / "secret.jsonl", ClaudeCode().prompt()))
        os.mkfifo(tmp_path / "tree" / "pipe.jsonl")
        summary = import_paths([tmp_path / "tree"])
        assert {skipped.path.name: skipped.why for skipped in summary.skipped} == {
            "out.jsonl": "It is a symbolic link that leads out of the directory.",
            "pipe.jsonl": "It is no regular file.",
        }
        assert summary.has_problems
        assert Session.objects.count() == 0

    def test_reads_a_file_once_though_it_is_named_twice(self, the_store, tmp_path):
        path = write(ClaudeCode().path(tmp_path), ClaudeCode().prompt())
        assert import_paths([tmp_path, path, tmp_path]).files == 1

    def test_refuses_a_path_that_is_not_there(self, the_store, tmp_path):
        with pytest.raises(FileNotFoundError):
            import_paths([tmp_path / "nothing"])

    def test_tells_how_far_it_is(self, the_store, tmp_path, monkeypatch):
        monkeypatch.setattr(file_import, "BATCH_MESSAGES", 2)
        agent = ClaudeCode()
        path = write(agent.path(tmp_path), *agent.talk("1", "2", "3", "4", "5"))
        told = []
        import_paths([tmp_path], progress=told.append)
        assert [one.messages for one in told] == [2, 4, 5]
        assert (told[-1].files, told[-1].files_total) == (1, 1)
        assert told[-1].bytes == told[-1].bytes_total == path.stat().st_size


class ImportingAgain:
    def test_changes_nothing(self, the_store, tmp_path):
        claude, codex = ClaudeCode(), Codex()
        write(claude.path(tmp_path), claude.prompt(), "{torn", "", claude.answer(), '{"unfinished', end="")
        write(codex.path(tmp_path), codex.meta(), codex.prompt())
        import_paths([tmp_path])
        before = everything()
        summary = import_paths([tmp_path])
        assert everything() == before
        assert (summary.files, summary.unchanged, summary.lines) == (2, 2, 0)

    def test_changes_nothing_where_only_the_time_of_the_file_is_new(self, the_store, tmp_path):
        agent = ClaudeCode()
        path = write(agent.path(tmp_path), agent.prompt(), '{"unfinished', end="")
        import_paths([tmp_path])
        before = everything()
        os.utime(path)
        assert import_paths([tmp_path]).unchanged == 1
        assert everything() == before

    def test_appends_what_was_added(self, the_store, tmp_path):
        agent = ClaudeCode()
        lines = agent.talk("One?", "Yes.")
        path = write(agent.path(tmp_path), *lines)
        import_paths([tmp_path])
        more = agent.talk("Two?", "No.")
        add(path, *more)
        summary = import_paths([tmp_path])
        assert (summary.new, summary.grown, summary.lines) == (0, 1, 2)
        assert messages(the_store, the_session(agent)) == lines + more
        assert the_session(agent).turns == 2
        assert the_session(agent).updated_at == datetime(2026, 1, 2, 3, 0, 3, tzinfo=UTC)

    def test_numbers_unreadable_lines_by_the_whole_file(self, the_store, tmp_path):
        agent = ClaudeCode()
        path = write(agent.path(tmp_path), agent.prompt(), "", agent.answer())
        import_paths([tmp_path])
        with path.open("a") as file:
            file.write("{torn\n")
        import_paths([tmp_path])
        assert messages(the_store, the_session(agent))[-1][UNREADABLE]["line"] == 4

    @pytest.mark.parametrize("cut", [1, 20, -1])
    def test_replaces_a_last_line_that_was_not_finished(self, the_store, tmp_path, cut):
        agent = ClaudeCode()
        lines = agent.talk("One?", "Yes.", "Two?")
        text = json.dumps(lines[2]) + "\n"
        path = write(agent.path(tmp_path), *lines[:2])
        with path.open("a") as file:
            file.write(text[:cut])
        import_paths([tmp_path])
        assert Transcript.objects.get().lines == 3
        path.write_text(path.read_text() + text[cut:])
        summary = import_paths([tmp_path])
        assert messages(the_store, the_session(agent)) == lines
        assert the_session(agent).turns == 2
        assert (summary.lines, summary.unreadable, Transcript.objects.get().unreadable) == (1, 0, 0)
        assert Session.objects.count() == 1

    def test_goes_on_after_it_was_stopped(self, the_store, tmp_path, monkeypatch):
        monkeypatch.setattr(file_import, "BATCH_MESSAGES", 2)
        agent = ClaudeCode()
        lines = agent.talk(*map(str, range(9)))
        write(agent.path(tmp_path), *lines)
        stops = iter([False, True])
        first = import_paths([tmp_path], cancelled=lambda: next(stops))
        assert (first.cancelled, first.messages) == (True, 4)
        second = import_paths([tmp_path])
        assert (second.messages, second.grown) == (5, 1)
        assert messages(the_store, the_session(agent)) == lines
        assert the_session(agent).turns == 5

    def test_does_not_bring_back_what_was_purged(self, the_store, tmp_path):
        agent = ClaudeCode()
        path = write(agent.path(tmp_path), agent.prompt())
        import_paths([tmp_path])
        the_store.delete(the_session(agent).id)
        the_store.purge(Session.objects.get().id)
        add(path, agent.answer())
        summary = import_paths([tmp_path])
        assert Session.objects.count() == 0
        assert [skipped.problem for skipped in summary.skipped] == [False]

    def test_keeps_a_title_that_a_person_gave(self, the_store, tmp_path):
        agent = ClaudeCode()
        path = write(agent.path(tmp_path), agent.prompt())
        import_paths([tmp_path])
        the_store.rename(the_session(agent).id, "Tides")
        add(path, {"type": "custom-title", "customTitle": "Other", "sessionId": agent.session})
        import_paths([tmp_path])
        assert the_session(agent).title == "Tides"

    def test_is_one_at_a_time(self, the_store, tmp_path):
        write(ClaudeCode().path(tmp_path), ClaudeCode().prompt())

        def again(progress):
            with pytest.raises(ImportRunning):
                import_paths([tmp_path])

        assert import_paths([tmp_path], progress=again).new == 1


class ARewrittenFile:
    def test_keeps_what_it_said_before_as_a_child(self, the_store, tmp_path):
        agent = ClaudeCode()
        old = agent.talk("One?", "Yes.", "Two?", "No.")
        path = write(agent.path(tmp_path), *old)
        import_paths([tmp_path])
        new = [*old[:2], agent.prompt("Three?")]
        write(path, *new)
        summary = import_paths([tmp_path])
        session = the_session(agent)
        (child,) = session.children.all()
        assert messages(the_store, session) == new
        assert (child.relation, messages(the_store, child)) == ("compaction", old)
        assert (summary.rewritten, summary.new) == (1, 0)

    def test_that_shrank_loses_nothing(self, the_store, tmp_path):
        agent = ClaudeCode()
        old = agent.talk("One?", "Yes.", "Two?")
        path = write(agent.path(tmp_path), *old)
        import_paths([tmp_path])
        write(path, *old[:1])
        import_paths([tmp_path])
        session = the_session(agent)
        assert messages(the_store, session) == old[:1]
        assert messages(the_store, session.children.get()) == old
        before = everything()
        import_paths([tmp_path])
        assert everything() == before

    def test_that_says_the_same_in_other_bytes_is_unchanged(self, the_store, tmp_path):
        agent = ClaudeCode()
        lines = agent.talk("One?", "Yes.")
        path = write(agent.path(tmp_path), *lines)
        import_paths([tmp_path])
        write(path, "", *(json.dumps(line, indent=None, separators=(",", ":")) for line in lines))
        summary = import_paths([tmp_path])
        assert (summary.rewritten, summary.grown, Session.objects.count()) == (0, 0, 1)
        assert messages(the_store, the_session(agent)) == lines

    def test_tells_one_from_true(self, the_store, tmp_path):
        agent = ClaudeCode()
        path = write(agent.path(tmp_path), agent.prompt(flag=1))
        import_paths([tmp_path])
        write(path, {**messages(the_store, the_session(agent))[0], "flag": True})
        assert import_paths([tmp_path]).rewritten == 1

    @pytest.mark.parametrize("text", ["", "{}\n"])
    def test_that_holds_nothing_for_a_moment_is_left_alone(self, the_store, tmp_path, text):
        agent = ClaudeCode()
        path = write(agent.path(tmp_path), agent.prompt())
        import_paths([tmp_path])
        before = everything()
        path.write_text(text)
        import_paths([tmp_path])
        assert everything() == before

    def test_that_is_gone_is_left_alone(self, the_store, tmp_path):
        agent = ClaudeCode()
        path = write(agent.path(tmp_path), agent.prompt())
        import_paths([tmp_path])
        before = everything()
        path.unlink()
        assert import_paths([tmp_path]).files == 0
        assert everything() == before

    def test_of_a_trashed_session_keeps_it_too(self, the_store, tmp_path):
        agent = ClaudeCode()
        old = agent.talk("One?", "Yes.")
        path = write(agent.path(tmp_path), *old)
        import_paths([tmp_path])
        session = the_session(agent)
        the_store.delete(session.id)
        write(path, agent.prompt("Three?"))
        import_paths([tmp_path])
        assert messages(the_store, Session.objects.get(parent=session)) == old


class Copies:
    def test_that_grew_elsewhere_are_the_same_session(self, the_store, tmp_path):
        agent = ClaudeCode()
        lines = agent.talk("One?", "Yes.")
        write(agent.path(tmp_path / "backup"), *lines)
        import_paths([tmp_path])
        more = agent.talk("Two?")
        write(agent.path(tmp_path / "home"), *lines, *more)
        assert import_paths([tmp_path]).grown == 1
        assert messages(the_store, the_session(agent)) == lines + more
        before = everything()
        assert import_paths([tmp_path]).unchanged == 2
        assert everything() == before

    def test_that_say_something_else_are_another_session(self, the_store, tmp_path):
        one, other = ClaudeCode(), ClaudeCode()
        write(one.path(tmp_path / "a"), *one.talk("One?", "Yes."))
        write(other.path(tmp_path / "b"), *other.talk("Two?", "No."))
        assert import_paths([tmp_path]).new == 2
        before = everything()
        assert import_paths([tmp_path]).unchanged == 2
        assert everything() == before

    def test_a_file_that_moved_grows_on(self, the_store, tmp_path):
        agent = Codex()
        path = write(agent.path(tmp_path), agent.meta(), agent.prompt())
        import_paths([tmp_path])
        moved = tmp_path / "archived_sessions" / path.name
        moved.parent.mkdir()
        path.rename(moved)
        add(moved, agent.answer())
        assert import_paths([tmp_path]).grown == 1
        assert the_session(agent).message_count == 3


class SmallFiles:
    """Share transactions, so that the disk is waited for once for many."""

    @pytest.fixture(autouse=True)
    def for_as_long_as_it_takes(self, monkeypatch):
        monkeypatch.setattr(grouped_writes, "LONGEST", 3600)

    def test_are_durable_together(self, the_store, either_database, tmp_path):
        self._write(tmp_path, 5)
        with _commits() as commits:
            assert import_paths([tmp_path]).new == 5
        assert len(commits) < 5

    def test_are_not_lost_when_another_is_refused(self, the_store, tmp_path, settings):
        self._write(tmp_path, 3)
        settings.FORKLORE_MESSAGE_LIMIT = 2000
        refused = ClaudeCode("c refused")
        write(refused.path(tmp_path), refused.prompt("x"), refused.prompt("x" * 1990))

        summary = import_paths([tmp_path])

        assert (summary.new, Session.objects.count()) == (3, 3)
        assert [skipped.path.stem for skipped in summary.skipped] == [refused.session]

    def test_stay_when_the_import_is_cancelled(self, the_store, tmp_path):
        self._write(tmp_path, 5)
        asked = iter([False] * 3 + [True] * 9)
        assert import_paths([tmp_path], cancelled=lambda: next(asked)).cancelled
        assert 0 < Session.objects.count() < 5
        import_paths([tmp_path])
        assert Session.objects.count() == 5

    def test_stay_when_something_unforeseen_ends_the_import(self, the_store, tmp_path):
        def fails(progress):
            if progress.files == 3:
                raise ZeroDivisionError

        self._write(tmp_path, 5)
        with pytest.raises(ZeroDivisionError):
            import_paths([tmp_path], progress=fails)
        assert Session.objects.count() == 3

    def test_leave_large_ones_their_own_transactions(self, the_store, either_database, tmp_path, monkeypatch):
        monkeypatch.setattr(importing, "_SMALL", 10)
        self._write(tmp_path, 5)
        with _commits() as commits:
            import_paths([tmp_path])
        assert len(commits) >= 5

    def _write(self, directory, count):
        for number in range(count):
            agent = ClaudeCode(f"{number}")
            write(agent.path(directory), *agent.talk("One?", "Yes."))


@contextmanager
def _commits():
    """The transactions that the store ended by a commit."""
    seen: list[None] = []
    commit = session_rows._Outermost._commit

    def counted(transaction):
        seen.append(None)
        commit(transaction)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_rows._Outermost, "_commit", counted)
        yield seen


def test_an_import_that_was_killed_goes_on(the_store, either_database, tmp_path):
    """Killed at any moment: nothing lost, nothing twice."""
    agents = [ClaudeCode(str(number)) for number in range(30)]
    expected = {}
    for agent in agents:
        expected[agent] = agent.talk(*(f"{number} {'x' * 300}" for number in range(400)))
        write(agent.path(tmp_path / "home"), *expected[agent])
    code = (
        "import django; django.setup();"
        "from sessions_app.integrations import file_import, importing;"
        "file_import.BATCH_MESSAGES = 40;"
        f"importing.import_paths([{str(tmp_path / 'home')!r}])"
    )
    own = environment(either_database, FORKLORE_DATA=str(tmp_path), DJANGO_SETTINGS_MODULE="sessions_site.settings")
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", code], env=own, cwd=Path(__file__).parents[2])
        _wait_for_growth(process, Transcript.objects.count())
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 0 < Session.objects.count() < len(agents)
    import_paths([tmp_path / "home"])
    for agent in agents:
        assert messages(the_store, the_session(agent)) == expected[agent]


def _wait_for_growth(process: subprocess.Popen, before: int) -> None:
    deadline = time.monotonic() + 60  # seconds
    while process.poll() is None and time.monotonic() < deadline:
        if Transcript.objects.count() > before + 2:
            return
        time.sleep(0.01)
    raise AssertionError("the import ended, or wrote nothing for a minute")


def test_recognises_nothing_in_nothing():
    assert importing.recognise([]) is None


class AFileThatIsBeingWritten:
    @pytest.mark.parametrize("seed", range(3))
    def test_ends_as_if_it_had_been_read_once_wherever_imports_cut_it(self, the_store, tmp_path, monkeypatch, seed):
        monkeypatch.setattr(file_import, "BATCH_MESSAGES", 3)
        agent, aside = ClaudeCode(), ClaudeCode(isSidechain=True)
        lines = [
            *agent.talk("One?", "Yes é."),
            aside.prompt("Look"),
            *agent.talk("Two?"),
            aside.answer(),
            agent.answer(),
        ]
        texts = [json.dumps(line, ensure_ascii=False) for line in lines]
        data = "\n".join([*texts[:3], "{torn", "", *texts[3:]]).encode() + b"\n\xff\n"
        path = write(agent.path(tmp_path / "grown"))
        chance = random.Random(seed)
        cuts = sorted(chance.sample(range(1, len(data)), 12))
        for stop in [*cuts, len(data)]:
            path.write_bytes(data[:stop])
            import_paths([tmp_path])
        grown = [messages(the_store, the_session(agent)), *map(len, _asides(the_store, agent))]
        assert Session.objects.count() == 2
        Transcript.objects.all().delete()
        Session.objects.update(trashed_at=datetime.now(UTC))
        import_paths([tmp_path])
        assert [messages(the_store, the_session(agent)), *map(len, _asides(the_store, agent))] == grown
        assert [UNREADABLE in message for message in grown[0]].count(True) == 2

    def test_is_whole_after_the_last_import_while_it_was_appended_to(self, the_store, tmp_path):
        agent = ClaudeCode()
        lines = agent.talk(*map(str, range(300)))
        path = write(agent.path(tmp_path))

        def append():
            with path.open("w", buffering=100) as file:  # so that lines reach the file in two parts
                for line in lines:
                    file.write(json.dumps(line) + "\n")
                    time.sleep(0.002)

        writer = threading.Thread(target=append)
        writer.start()
        while writer.is_alive():
            import_paths([tmp_path])
        import_paths([tmp_path])
        assert messages(the_store, the_session(agent)) == lines
        assert Session.objects.count() == 1


def _asides(store, agent: ClaudeCode) -> list[list[dict]]:
    return [messages(store, child) for child in the_session(agent).children.all()]
