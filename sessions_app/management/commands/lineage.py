"""Prints the tree of forks that a session belongs to, or the trees of a project."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sessions_app import lineages
from sessions_app.management.naming import one_session
from sessions_app.models import Project, Session
from sessions_app.web.formats import count_text
from sessions_app.web.lineage_text import text_of


class Command(BaseCommand):
    help = "Prints the tree of forks that a session belongs to, or the trees of a project, as text."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", nargs="?", default="", help="the id of a session, or its first digits")
        parser.add_argument("--project", help="the name of a project instead")

    def handle(self, *args: Any, id: str, project: str | None, **options: Any) -> None:
        if project is not None:
            self._print_project(project)
        else:
            self._print_session(id)

    def _print_session(self, id: str) -> None:
        chosen = one_session(id, Session.objects.visible())
        if whole := lineages.of(chosen):
            self._print(whole, chosen)

    def _print_project(self, name: str) -> None:
        found = Project.objects.visible().filter(name=name).first()
        if found is None:
            raise CommandError(f"There is no project “{name}”.")
        whole = lineages.of_project(found.pk)
        self._print(whole.related(), None)
        if alone := len(whole.nodes) - len(whole.related().nodes):
            self.stdout.write(f"and {count_text(alone)} without forks")

    def _print(self, whole: lineages.Lineage, current: UUID | None) -> None:
        for line in text_of(whole.layout(current), current):
            self.stdout.write(line)
