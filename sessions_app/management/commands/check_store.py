"""Finds what is wrong in the database, and mends what can be derived."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from rich.console import Console
from rich.progress import Progress

from sessions_app import store_check, store_repair

_SHOWN = 100  # problems, by name


class Command(BaseCommand):
    help = (
        "Check the file, every message against its digest, sessions against their pieces and counters, the tree, and "
        "the search index against the messages. Exit code 0: all is well; 1: something is wrong, and is named."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--repair",
            action="store_true",
            help="first mend all that can be derived from the rest, counters, totals and the index; no message is changed",
        )

    def handle(self, *args: Any, repair: bool, **options: Any) -> None:
        with Progress(console=Console(stderr=True), transient=True) as bar:
            if repair:
                task = bar.add_task("Mending", total=None)
                self._tell(store_repair.repair(lambda done, total: bar.update(task, completed=done, total=total)))
                bar.remove_task(task)
            task = bar.add_task("Checking", total=None)
            found = self._tell(store_check.problems(lambda done, total: bar.update(task, completed=done, total=total)))
        if found:
            sys.exit(1)
        self.stdout.write("All is well.")

    def _tell(self, sentences: Iterable[str]) -> int:
        """How many there were, the first of them told."""
        count = 0
        for count, sentence in enumerate(sentences, 1):
            if count <= _SHOWN:
                self.stdout.write(sentence)
        if count > _SHOWN:
            self.stdout.write(f"… and {count - _SHOWN:,} more.")
        return count
