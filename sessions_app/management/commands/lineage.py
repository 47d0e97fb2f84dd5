"""Prints the tree of forks that a session belongs to."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sessions_app import lineages
from sessions_app.models import Session
from sessions_app.web.lineage_text import text_of


class Command(BaseCommand):
    help = "Prints the tree of forks that a session belongs to, as text."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", help="the id of a session, or its first digits")

    def handle(self, *args: Any, id: str, **options: Any) -> None:
        found = list(Session.objects.visible().with_id_prefix(id)[:2])
        if not id or not found:
            raise CommandError(f"No session has an id that begins with “{id}”.")
        if len(found) > 1:
            raise CommandError(f"Several sessions have an id that begins with “{id}”; give more of it.")
        current = found[0].pk
        if whole := lineages.of(current):
            for line in text_of(whole.layout(current), current):
                self.stdout.write(line)
