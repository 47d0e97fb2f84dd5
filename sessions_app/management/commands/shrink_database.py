"""Gives back to the disk what a purge has emptied in the database."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand

from sessions_app import space
from sessions_app.databases import connection
from sessions_app.web.formats import duration_text, size_text

SECONDS_A_GIGABYTE = 20  # of a slow disk


class Command(BaseCommand):
    help = (
        "Give back to the disk what a purge has emptied in a SQLite file. One that was made by an earlier Forklore is "
        "written anew first, once; until that is done nobody else can write, and it takes as much free disk again. For "
        "PostgreSQL it says what to run instead."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if connection().vendor != "sqlite":
            self.stdout.write(
                "PostgreSQL writes into what a purge has freed. To give it back to the disk, run this in psql while"
                " nobody writes:\n  VACUUM (FULL, ANALYZE) forklore_message, forklore_searchdocument;"
            )
            return
        before, began = space.database(), time.monotonic()
        if before.shrinks:
            space.give_back()
        else:
            about = duration_text(before.total_bytes / 1e9 * SECONDS_A_GIGABYTE)
            self.stdout.write(f"Writing {size_text(before.total_bytes)} anew, once; it may take {about}.")
            space.prepare()
        after, took = space.database(), duration_text(time.monotonic() - began)
        self.stdout.write(f"{size_text(before.total_bytes)} are {size_text(after.total_bytes)} now, after {took}.")
        if not before.shrinks:
            self.stdout.write("From now on the file shrinks by itself after a purge.")
