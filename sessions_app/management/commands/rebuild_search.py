"""Builds the search index anew."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.progress import Progress

from sessions_app import search_rebuild


class Command(BaseCommand):
    help = (
        "Build the search index anew while everything else goes on. Search is slower until it is done. "
        "Interrupted, it goes on where it stopped when it is run again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("Indexing", total=None)
            try:
                count = search_rebuild.rebuild(lambda done, total: bar.update(task, completed=done, total=total))
            except RuntimeError as error:
                self.stderr.write(str(error))
                sys.exit(1)
        self.stdout.write(f"The search index holds {count:,} messages.")
