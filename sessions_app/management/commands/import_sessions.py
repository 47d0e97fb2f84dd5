"""Imports the transcripts of Claude Code and Codex."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from sessions_app.integrations import discovery, importing
from sessions_app.integrations.importing import ImportRunning, Progress, Skipped, Summary
from sessions_app.web.rendering.text import visible

ALL_WELL, NOT_ALL_READ, NOTHING_TO_DO = 0, 1, 2
_SHOWN = 20  # skipped files, by name
_PLAIN_INTERVAL = 5.0  # seconds between lines where there is no terminal


class Command(BaseCommand):
    help = (
        "Import the transcripts of Claude Code and Codex, from the given files and directories or from the agents' "
        "usual places. Importing again brings only what is new. Exit code 0: all read; 1: something could not be read; "
        "2: nothing to import."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="*", metavar="PATH", help="a transcript, or a directory of transcripts")

    def handle(self, *args: Any, paths: list[str], **options: Any) -> None:
        roots = [Path(path) for path in paths] or self._usual_places()
        missing = [root for root in roots if not root.exists()]
        for root in missing:
            self.stderr.write(f"There is no file or directory {root}.")
        if missing or not roots:
            sys.exit(NOTHING_TO_DO)
        try:
            summary = self._import(roots)
        except ImportRunning as error:
            self.stderr.write(str(error))
            sys.exit(NOT_ALL_READ)
        self._tell(summary)
        sys.exit(_exit_code(summary))

    def _usual_places(self) -> list[Path]:
        found = discovery.discover()
        for place in found:
            self.stdout.write(f"{place.root}: {_count(place.files, 'file')}, {_size(place.bytes)}")
        if not found:
            self.stderr.write(
                "No transcripts in the usual places (~/.claude/projects, ~/.codex/sessions). "
                "Say where they are: import_sessions PATH"
            )
        return [place.root for place in found]

    def _import(self, roots: list[Path]) -> Summary:
        with _asked_to_stop() as asked, self._progress() as progress:
            return importing.import_paths(roots, progress=progress, cancelled=lambda: bool(asked))

    @contextmanager
    def _progress(self) -> Iterator[Any]:
        console = Console(stderr=True)
        if not console.is_terminal:
            yield _Plain(self.stdout.write)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        with Bar(*columns, console=console, transient=True) as bar:
            task = bar.add_task("Importing", total=None)
            yield lambda progress: _draw(bar, task, progress)

    def _tell(self, summary: Summary) -> None:
        for line in _sentences(summary):
            self.stdout.write(line)
        told = [skipped for skipped in summary.skipped if skipped.problem]
        told += [skipped for skipped in summary.skipped if not skipped.problem]
        for skipped in told[:_SHOWN]:
            self._tell_skipped(skipped)
        if len(told) > _SHOWN:
            self.stdout.write(f"… and {len(told) - _SHOWN} more that were passed over.")
        if not summary.files:
            self.stderr.write("There was no transcript of Claude Code or Codex to import.")

    def _tell_skipped(self, skipped: Skipped) -> None:
        if skipped.problem:
            self.stderr.write(f"Not read: {visible(str(skipped.path))}: {visible(skipped.why)}")
        else:
            self.stdout.write(f"Passed over: {skipped.path}: {skipped.why}")


class _Plain:
    """Progress for a log: a line now and then."""

    def __init__(self, write: Any):
        self._write = write
        self._last = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() - self._last < _PLAIN_INTERVAL:
            return
        self._last = time.monotonic()
        self._write(
            f"{progress.files:,} of {progress.files_total:,} files, "
            f"{_size(progress.bytes)} of {_size(progress.bytes_total)}, {progress.messages:,} messages"
        )


def _draw(bar: Bar, task: TaskID, progress: Progress) -> None:
    description = f"{progress.files:,} of {progress.files_total:,} files"
    bar.update(task, description=description, completed=progress.bytes, total=progress.bytes_total)


@contextmanager
def _asked_to_stop() -> Iterator[list[int]]:
    """A list that fills when somebody presses Ctrl-C; the second time ends at once, as ever."""
    asked: list[int] = []

    def ask(number: int, frame: Any) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _sentences(summary: Summary) -> Iterator[str]:
    if summary.cancelled:
        yield "Stopped. What was read so far is kept; run the same command again to go on."
    yield (
        f"{_count(summary.new, 'new session')} ({_count(summary.new_subagents, 'sub-agent')} among them), "
        f"{summary.grown:,} grown, {summary.rewritten:,} rewritten, {_count(summary.unchanged, 'file')} unchanged."
    )
    yield (
        f"{_count(summary.lines, 'line')}: {_count(summary.messages, 'message')}, {summary.unreadable:,} unreadable "
        f"and kept as they are, {summary.blank:,} blank."
    )
    yield (
        f"{_count(summary.forks_linked, 'fork')} and {_count(summary.subagents_linked, 'sub-agent')} linked to their "
        f"parents, {summary.waiting:,} waiting for a parent that has not been imported."
    )
    if summary.others:
        yield f"{_count(summary.others, 'other file')} passed over: a transcript is named *.jsonl."
    rate = summary.bytes / summary.seconds if summary.seconds else 0
    yield f"{_size(summary.bytes)} in {summary.seconds:.1f} seconds ({_size(rate)} a second)."


def _exit_code(summary: Summary) -> int:
    if summary.has_problems or summary.cancelled:
        return NOT_ALL_READ
    return ALL_WELL if summary.files else NOTHING_TO_DO


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _size(size: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
