"""The command: what it says, and its exit code."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core.management import call_command

from sessions_app.integrations import discovery
from sessions_app.models import Session
from tests.builders import environment
from tests.integrations.writing import ClaudeCode, Codex, write

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def run(the_store, capsys):
    def run(*arguments) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit:
            call_command("import_sessions", *map(str, arguments))
        return (exit.value.code, *capsys.readouterr())

    return run


class ExitCodes:
    def test_0_when_all_was_read(self, run, tmp_path):
        main, sub = ClaudeCode(), ClaudeCode(isSidechain=True)
        write(main.path(tmp_path), main.prompt(), "", main.answer(), sub.prompt("Look"))
        code, out, err = run(tmp_path)
        assert (code, err) == (0, "")
        assert "2 new sessions (1 sub-agent among them), 0 grown, 0 rewritten, 0 files unchanged." in out
        assert "4 lines: 3 messages, 0 unreadable and kept as they are, 1 blank." in out
        assert "0 forks and 1 sub-agent linked to their parents, 0 waiting" in out

    def test_0_when_nothing_is_new(self, run, tmp_path):
        write(ClaudeCode().path(tmp_path), ClaudeCode().prompt())
        run(tmp_path)
        code, out, _ = run(tmp_path)
        assert code == 0
        assert "0 new sessions (0 sub-agents among them), 0 grown, 0 rewritten, 1 file unchanged." in out

    def test_1_when_a_line_could_not_be_read(self, run, tmp_path):
        write(ClaudeCode().path(tmp_path), ClaudeCode().prompt(), "{torn")
        code, out, _ = run(tmp_path)
        assert code == 1
        assert "2 lines: 1 message, 1 unreadable and kept as they are, 0 blank." in out

    def test_1_when_a_file_could_not_be_read(self, run, tmp_path):
        write(ClaudeCode().path(tmp_path), ClaudeCode().prompt())
        os.mkfifo(tmp_path / "pipe.jsonl")
        code, _, err = run(tmp_path)
        assert code == 1
        assert err == f"Not read: {tmp_path}/pipe.jsonl: It is no regular file.\n"

    def test_2_when_a_path_is_not_there_and_nothing_is_done(self, run, tmp_path):
        write(ClaudeCode().path(tmp_path), ClaudeCode().prompt())
        code, _, err = run(tmp_path, tmp_path / "nowhere")
        assert (code, err) == (2, f"There is no file or directory {tmp_path}/nowhere.\n")
        assert Session.objects.count() == 0

    def test_2_when_there_is_no_transcript(self, run, tmp_path):
        write(tmp_path / "history.jsonl", {"display": "x", "project": "/x"})
        write(tmp_path / "README.md", "x")
        code, out, err = run(tmp_path)
        assert (code, err) == (2, "There was no transcript of Claude Code or Codex to import.\n")
        assert "1 other file passed over: a transcript is named *.jsonl." in out
        assert f"Passed over: {tmp_path}/history.jsonl: It is a history of prompts, not a transcript." in out


class TheUsualPlaces:
    @pytest.fixture
    def home(self, tmp_path, monkeypatch):
        for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        return tmp_path

    def test_are_imported_when_none_is_named(self, run, home):
        claude, codex = ClaudeCode(), Codex()
        write(claude.path(home / ".claude"), claude.prompt())
        write(codex.path(home / ".codex"), codex.meta(), codex.prompt())
        code, out, _ = run()
        assert code == 0
        assert f"{home}/.claude/projects: 1 file," in out
        assert "2 new sessions" in out

    def test_may_hold_nothing(self, run, home):
        code, _, err = run()
        assert code == 2
        assert "Say where they are: import_sessions PATH" in err

    def test_are_moved_as_the_agents_move_them(self, home, monkeypatch):
        claude = ClaudeCode()
        path = write(claude.path(home / "elsewhere"), claude.prompt())
        write(Codex().path(home / "codex"), Codex().meta())
        monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(home / "elsewhere"))
        monkeypatch.setenv("CODEX_HOME", str(home / "codex"))
        found = discovery.discover()
        assert [(one.source, one.root, one.files) for one in found] == [
            ("claude-code", home / "elsewhere" / "projects", 1),
            ("codex", home / "codex" / "sessions", 1),
        ]
        assert found[0].bytes == path.stat().st_size

    def test_are_all_found_where_there_are_many(self, home):
        for number in range(10_000):
            if number % 100 == 0:
                folder = home / ".claude" / "projects" / str(number)
                folder.mkdir(parents=True)
            (folder / f"{number}.jsonl").touch()
        assert discovery.discover(home)[0].files == 10_000


class ATerminal:
    def start(self, alias: str, home: Path, terminal: int) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "manage.py", "import_sessions", str(home / "projects")],
            env=environment(alias, FORKLORE_DATA=str(home), TERM="xterm", COLUMNS="100"),
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=terminal,
            text=True,
        )

    @pytest.mark.django_db(transaction=True)
    def test_shows_rate_and_remaining_time_and_ctrl_c_stops_cleanly(self, tmp_path):
        agent = ClaudeCode()
        lines = agent.talk(*(f"{number} {'x' * 2000}" for number in range(20_000)))
        write(agent.path(tmp_path), *lines)
        leader, follower = pty.openpty()
        process = self.start("default", tmp_path, follower)
        os.close(follower)
        shown = _read_until(leader, rb"MB/s.*\d:\d\d:\d\d")
        process.send_signal(signal.SIGINT)
        _drain(leader)
        out = process.communicate(timeout=60)[0]
        assert b"files" in shown
        assert "Stopped. What was read so far is kept; run the same command again to go on." in out
        assert process.returncode == 1
        assert 0 < Session.objects.get().message_count < len(lines)


def _read_until(terminal: int, pattern: bytes) -> bytes:
    shown, deadline = b"", time.monotonic() + 60  # seconds
    while not re.search(pattern, shown) and time.monotonic() < deadline:
        shown += os.read(terminal, 65536)
    return shown


def _drain(terminal: int) -> None:
    """Read on until the process closes its end, so that it never waits for a reader."""
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:  # Linux says EIO at the end of a terminal
        os.close(terminal)
