"""Prints what a session and its lineage, or a project, come to."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sessions_app import ledger
from sessions_app.ledger import Amount
from sessions_app.models import Project, Session
from sessions_app.web.formats import count_text, size_text


class Command(BaseCommand):
    help = "Prints what a session and its lineage, or a project, come to: no message is counted twice."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", nargs="?", default="", help="the id of a session, or its first digits")
        parser.add_argument("--project", help="the name of a project instead")

    def handle(self, *args: Any, id: str, project: str | None, **options: Any) -> None:
        if (project is None) == (not id):
            raise CommandError("Give the id of a session, or --project and a name.")
        for name, amount in self._of_project(project) if project is not None else self._of_session(id):
            tokens = f"{count_text(amount.tokens)} tokens" if amount.tokens else "no tokens recorded"
            self.stdout.write(
                f"{name:<12} {count_text(amount.messages)} messages, {size_text(amount.size_bytes)}, {tokens}"
            )

    def _of_project(self, name: str) -> list[tuple[str, Amount]]:
        found = Project.objects.visible().named(name).first()
        if found is None:
            raise CommandError(f"There is no project “{name}”.")
        return [("project", ledger.of_project(found.pk))]

    def _of_session(self, id: str) -> list[tuple[str, Amount]]:
        found = list(Session.objects.visible().with_id_prefix(id).values_list("pk", flat=True)[:2])
        if len(found) != 1:
            many = "Several sessions have" if found else "No session has"
            raise CommandError(f"{many} an id that begins with “{id}”{'; give more of it' if found else ''}.")
        (session,) = found
        root = Session.objects.visible().roots_of([session])[session]
        account, families = ledger.accounts([session])[session], ledger.families(root)
        return [
            ("inherited", account.inherited),
            ("own", account.own),
            ("with forks", families[session]),
            ("lineage", families[root]),
        ]
