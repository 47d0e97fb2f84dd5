"""Copies the database to a file, also while Forklore runs."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS

from sessions_app import backups
from sessions_app.errors import BackupFailed


class Command(BaseCommand):
    help = "Copy the SQLite database to a new file, also while Forklore runs, and check the copy."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a new file")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        if not backups.is_possible(DEFAULT_DB_ALIAS):
            raise CommandError(
                "This copies SQLite only; back PostgreSQL up by pg_dump, and bring it back by pg_restore."
            )
        if not Path(str(settings.DATABASES[DEFAULT_DB_ALIAS]["NAME"])).exists():
            raise CommandError("There is no database yet.")
        try:
            backups.write(DEFAULT_DB_ALIAS, file)
        except BackupFailed as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{file} holds all of it, and was checked. Bring it back by: restore {file}")
