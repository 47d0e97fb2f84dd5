"""Makes the first admin of a team; the pages have no way to."""

import sys
from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from sessions_app.access import people
from sessions_app.errors import StoreError


class Command(BaseCommand):
    help = "Make an admin of a team; the password is asked for, or read from standard input."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--force", action="store_true", help="though there is an admin already")

    def handle(self, *args: Any, name: str, force: bool, **options: Any) -> None:
        if people.has_admin() and not force:
            raise CommandError("There is an admin already, who can make others; --force makes one all the same.")
        try:
            people.create_admin(name, _password())
        except StoreError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Made the admin {name}.")
        if settings.FORKLORE_MODE != "team":
            self.stdout.write("People sign in when Forklore is started with FORKLORE_MODE=team.")


def _password() -> str:
    """Never an argument, which every program of the machine can read."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass("Password: ")
    if getpass("Again: ") != password:
        raise CommandError("The two are not the same.")
    return password
