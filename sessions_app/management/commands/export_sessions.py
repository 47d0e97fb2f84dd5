"""Writes sessions into a bundle, or as a document to be read."""

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

from django.core.management import BaseCommand, CommandError

from sessions_app.errors import StoreError
from sessions_app.integrations import bundle
from sessions_app.management.naming import one_session
from sessions_app.models import Session
from sessions_app.web.formats import counted_text
from sessions_app.web.rendering import documents


class Command(BaseCommand):
    help = "Write sessions into a bundle that import_bundle brings back as they were, or as a document to be read"
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="a new file; - for standard output")
        parser.add_argument("ids", nargs="*", metavar="ID", help="sessions, by their ids or the beginnings of them")
        parser.add_argument("--project", help="all sessions of a project")
        parser.add_argument("--format", choices=["bundle", "markdown", "html"], default="bundle")
        parser.add_argument("--lineage", action="store_true", help="with all of their ancestors and forks")
        parser.add_argument("--keep-secrets", action="store_true", help="do not leave tokens, keys and passwords out")

    def handle(self, *args: Any, file: str, ids: list[str], **options: Any) -> None:
        try:
            chosen = [one_session(each, Session.objects.visible().live()) for each in ids]
            if options["project"] is not None:
                of = Session.objects.visible().filter(project__name=options["project"], trashed_at=None)
                chosen += of.order_by("created_at", "pk").values_list("pk", flat=True)
            if options["lineage"]:
                chosen = [id for each in chosen for id in bundle.lineage_of(each)]
            if not chosen:
                raise CommandError(
                    "Name sessions to export, or a --project."
                    if options["project"] is None
                    else f"The project “{options['project']}” has no sessions."
                )
            outcome = (
                _write(chosen, options["format"], sys.stdout, options["keep_secrets"])
                if file == "-"
                else _export_to(Path(file), chosen, options["format"], options["keep_secrets"])
            )
        except StoreError as error:
            raise CommandError(str(error)) from error
        bundle.note_exported(chosen)
        sessions, messages = counted_text(outcome.sessions, "session"), counted_text(outcome.messages, "message")
        self.stderr.write(f"{sessions} with {messages}.")
        if outcome.redacted:
            self.stderr.write(f"Secrets were left out of {outcome.redacted:,} of them; --keep-secrets keeps them.")


def _write(ids: list[UUID], format: str, file: TextIO, keep_secrets: bool) -> bundle.Outcome:
    if format == "bundle":
        return bundle.export(ids, file, keep_secrets=keep_secrets)
    ids = list(dict.fromkeys(ids))
    file.writelines(documents.document(ids, "html" if format == "html" else "markdown", keep_secrets=keep_secrets))
    counts = Session.objects.visible().filter(pk__in=ids).values_list("message_count", flat=True)
    return bundle.Outcome(len(ids), sum(counts))


def _export_to(path: Path, ids: list[UUID], format: str, keep_secrets: bool) -> bundle.Outcome:
    """A whole file or none: written beside its place, and put there in the end."""
    if path.exists():
        raise CommandError(f"{path} is there already.")
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            outcome = _write(ids, format, file, keep_secrets)
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)  # unlike a rename it never replaces another file
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        aside.unlink(missing_ok=True)
    return outcome
