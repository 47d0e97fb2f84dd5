"""Takes secrets out of a session for good, or out of the database's files what is left there of what went before."""

from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.core.management import BaseCommand, CommandError

from sessions_app import redaction, redaction_rows, store
from sessions_app.errors import StoreError
from sessions_app.management.naming import one_session
from sessions_app.models import Session
from sessions_app.web.formats import counted_text
from sessions_app.web.rendering.text import visible


class Command(BaseCommand):
    help = "Take tokens, keys and passwords out of a session and all of its forks, for good"
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", nargs="?", help="a session, by its id or the beginning of it")
        parser.add_argument("--message", type=int, help="only what this message holds; positions count from 0")
        # Never on the command line, which everybody on the machine can read.
        parser.add_argument("--text", action="store_true", help="ask for another text to take out")
        parser.add_argument("--yes", action="store_true", help="do it; without this, it is only told what would go")
        parser.add_argument("--scrub", action="store_true", help="only clear the database's files, whatever it takes")

    def handle(self, *args: Any, id: str | None, **options: Any) -> None:
        if options["scrub"]:
            if not redaction_rows.scrub(whatever_the_size=True):
                raise CommandError("Somebody reads all the time; try again, or stop Forklore first.")
            self.stdout.write("The database's files hold nothing of what was deleted or taken out.")
            return
        session, position = one_session(id or "", Session.objects.visible().live()), options["message"]
        texts = [getpass("Text to take out: ")] if options["text"] else []
        try:
            if options["yes"]:
                self._tell(redaction.redact(session, position, texts=texts))
                return
        except StoreError as error:
            raise CommandError(str(error)) from error
        self._preview(session, position)

    def _preview(self, session: Any, position: int | None) -> None:
        start, stop = (0, None) if position is None else (position, position + 1)
        for at, message in enumerate(store.get_messages(session, start, stop), start):
            for each in redaction.preview(message):
                self.stdout.write(f"#{at}: {each.kind}{f' {visible(each.begins)}…' if each.begins else ''}")
        self.stdout.write("Nothing was changed; --yes takes it out for good.")

    def _tell(self, done: redaction.Redaction) -> None:
        self.stdout.write(
            f"Taken out of {counted_text(done.messages, 'message')} in {counted_text(done.sessions, 'session')}."
        )
        if not done.scrubbed:
            self.stdout.write("The database's files may still hold it; run this with --scrub at a quiet time.")
