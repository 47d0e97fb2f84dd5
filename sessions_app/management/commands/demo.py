"""Fills a fresh database with a small set of self-written sessions."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from sessions_app.demo import ledger, others
from sessions_app.demo.plan import load
from sessions_app.models import Session
from sessions_app.web.formats import counted_text


class Command(BaseCommand):
    help = "Fills a fresh database with demo sessions: six projects, forks of forks, sub-agents, pictures, one long session."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--add", action="store_true", help="also when there are sessions already")

    def handle(self, *, add: bool, **options: object) -> None:
        present = Session.objects.count()
        if present and not add:
            raise CommandError(
                f"There {'is' if present == 1 else 'are'} {counted_text(present, 'session')} already, so no demo data was added. "
                "`demo --add` adds it beside them; they can be moved to the trash by project."
            )
        planned = [*ledger.sessions(), *others.sessions()]
        load(planned, timezone.now())
        projects = {each.conversation.cwd for each in planned}
        self.stdout.write(f"Added {len(planned)} demo sessions of {len(projects)} projects.")
