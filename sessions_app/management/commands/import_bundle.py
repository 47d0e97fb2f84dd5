"""Brings back the sessions of a bundle."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from sessions_app import store
from sessions_app.errors import StoreError
from sessions_app.integrations import bundle
from sessions_app.web.formats import counted_text


class Command(BaseCommand):
    help = "Bring in the sessions of a bundle that export_sessions wrote; those that are there already stay as they are"
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file")

    def handle(self, *args: Any, file: str, **options: Any) -> None:
        try:
            with open(file, "rb") as opened:
                outcome = bundle.bring_in(opened)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        except StoreError as error:
            raise CommandError(str(error)) from error
        store.tidy(outcome.messages)
        there = outcome.sessions - outcome.new
        self.stdout.write(f"{counted_text(outcome.new, 'session')} brought in; {there:,} were there already.")
