"""Makes, lists and revokes tokens."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management import BaseCommand, CommandError

from sessions_app.access import browsers, tokens
from sessions_app.access.tokens import TokenRecord
from sessions_app.actors import ORDINARY
from sessions_app.errors import StoreError


class Command(BaseCommand):
    help = "Tokens by which agents and scripts reach Forklore over HTTP: Authorization: Bearer …"
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="create | list | revoke")
        create = verbs.add_parser("create", help="make one and print it, once")
        create.add_argument("name")
        create.add_argument("--read-only", action="store_true")
        create.add_argument("--days", type=int, default=tokens.DAYS, help="after which it ends (default: %(default)s)")
        verbs.add_parser("list", help="their names, and when they were last used")
        revoke = verbs.add_parser("revoke", help="end one, at once")
        which = revoke.add_mutually_exclusive_group(required=True)
        which.add_argument("name", nargs="?")
        which.add_argument("--browsers", action="store_true", help="every browser that was let in, instead of a token")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        try:
            {"create": self._create, "list": self._list, "revoke": self._revoke}[verb](options)
        except StoreError as error:
            raise CommandError(str(error)) from error

    def _create(self, options: dict[str, Any]) -> None:
        scopes = tokens.READ_ONLY if options["read_only"] else ORDINARY
        token = tokens.create(options["name"], scopes=scopes, days=options["days"])
        self.stdout.write(token)
        self.stderr.write("Keep it now: only its digest is stored, so nobody can show it again.")

    def _list(self, options: dict[str, Any]) -> None:
        for token in tokens.all_of_them():
            self.stdout.write(_line(token))
        self.stdout.write(f"Browsers that were let in: {browsers.count()}")

    def _revoke(self, options: dict[str, Any]) -> None:
        if options["browsers"]:
            self.stdout.write(f"Browsers that have to get in anew: {browsers.revoke_all()}")
        else:
            tokens.revoke(options["name"])
            self.stdout.write(f"Revoked {options['name']}.")


def _line(token: TokenRecord) -> str:
    used = f"last used {_minute(token.last_used_at)}" if token.last_used_at else "never used"
    until = f"until {_minute(token.expires_at)}" if token.expires_at else "without end"
    return f"{token.name}: {' and '.join(sorted(token.scopes))}, {until}, {used}"


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
