"""Makes a token with scopes and projects."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management import BaseCommand, CommandError

from sessions_app.access import tokens
from sessions_app.errors import StoreError
from sessions_app.models import Project


class Command(BaseCommand):
    help = "Make a token and print it, once, to be sent as Authorization: Bearer …"
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--scope", choices=tokens.SCOPES, default="write", help="each includes those before it")
        parser.add_argument("--project", action="append", help="for this project only; may be given several times")
        parser.add_argument("--days", type=int, default=tokens.DAYS, help="after which it ends (default: %(default)s)")
        parser.add_argument("--user", help="whose it is; without, it is of the owner of this machine")

    def handle(self, *args: Any, name: str, scope: str, days: int, **options: Any) -> None:
        projects = None if options["project"] is None else [_project(each) for each in options["project"]]
        user_id = None if options["user"] is None else _user(options["user"])
        try:
            token = tokens.create(name, user_id=user_id, scopes=tokens.SCOPES[scope], projects=projects, days=days)
        except StoreError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(token)
        self.stderr.write("Keep it now: only its digest is stored, so nobody can show it again.")


def _project(name: str) -> int:
    found = Project.objects.named(name).values_list("pk", flat=True).first()
    if found is None:
        raise CommandError(f"There is no project named {name}.")
    return found


def _user(name: str) -> int:
    found = User.objects.filter(username=name).values_list("pk", flat=True).first()
    if found is None:
        raise CommandError(f"There is nobody named {name}.")
    return found
