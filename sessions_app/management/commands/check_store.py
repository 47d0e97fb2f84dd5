"""Finds what is wrong in the database."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.progress import Progress

from sessions_app import store_check

_SHOWN = 100  # problems, by name


class Command(BaseCommand):
    help = (
        "Check every message against its digest, sessions against their pieces and counters, and the search index "
        "against the messages. Exit code 0: all is well; 1: something is wrong, and is named."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        found = 0
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("Checking", total=None)
            for problem in store_check.problems(lambda done, total: bar.update(task, completed=done, total=total)):
                found += 1
                if found <= _SHOWN:
                    self.stdout.write(problem)
        if found > _SHOWN:
            self.stdout.write(f"… and {found - _SHOWN:,} more.")
        if found:
            sys.exit(1)
        self.stdout.write("All is well.")
