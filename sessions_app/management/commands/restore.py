"""Puts a backup where no database is."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS

from sessions_app import backups
from sessions_app.errors import BackupFailed


class Command(BaseCommand):
    help = "Put a backup in the place of the SQLite database; one that is there is never replaced."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="what `backup` has written")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        if not backups.is_possible(DEFAULT_DB_ALIAS):
            raise CommandError("This restores SQLite only; bring PostgreSQL back by pg_restore.")
        place = str(settings.DATABASES[DEFAULT_DB_ALIAS]["NAME"])
        try:
            backups.restore(file, place)
        except BackupFailed as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Restored {place}.")
