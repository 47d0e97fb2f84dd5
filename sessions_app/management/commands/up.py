"""Starts Forklore on this machine."""

import os
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS

from sessions_app import ballast, database_faults, opening, schedule
from sessions_app.access import codes, people, token_file
from sessions_app.errors import BackupFailed, DatabaseFault, DatabaseTooNew, MigrationFailed
from sessions_site import guard, private_files, running, serving, sqlite


class Command(BaseCommand):
    help = "Bring the database up to date and start Forklore at http://127.0.0.1:8000, or the next free port."
    requires_system_checks = ()  # they would double the time of a start, and the tests run them

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--host", default="127.0.0.1", help="127.0.0.1 (default), ::1 or localhost; for a team any address"
        )
        parser.add_argument("--port", type=int, help="this port and no other; 0 takes any free one")
        parser.add_argument("--no-browser", action="store_true", help="do not open a browser")

    def handle(self, *args: Any, host: str, port: int | None, no_browser: bool, **options: Any) -> None:
        self._refuse_what_is_open_to_others(host)
        os.umask(0o077)  # what is made from here on, logs and static files too, is its owner's alone
        self._keep_private()
        self._prepare_database()
        self._keep_private()  # SQLite has made files of its own by now
        if opening.is_file(DEFAULT_DB_ALIAS) and not database_faults.refused(DEFAULT_DB_ALIAS):
            ballast.ensure(str(settings.DATABASES[DEFAULT_DB_ALIAS]["NAME"]))
        token_file.ensure(settings.DATA_DIR)
        listener = self._listen(host, port)
        url = serving.address(host, listener)
        team = settings.FORKLORE_MODE == "team"
        adminless = team and not people.has_admin()
        link = url if team else serving.launch_link(url, codes.make())

        def when_ready() -> None:
            self.stdout.write(f"Forklore is at {url} (Ctrl-C stops it)")
            if adminless:
                self.stdout.write(
                    f"Nobody can sign in yet; make the first admin by: {settings.FORKLORE_PROGRAM} create_admin NAME"
                )
            elif not team:
                self.stdout.write(
                    f"Get in within a minute by {link} or at any time by: {settings.FORKLORE_PROGRAM} open"
                )
            self.stdout.flush()
            schedule.keep_running()
            if not no_browser and serving.wants_browser():
                serving.open_browser(link)

        module, _, name = settings.ASGI_APPLICATION.rpartition(".")
        try:
            with running.announced(settings.DATA_DIR, url), self._beside_others(url):
                serving.serve(f"{module}:{name}", listener, when_ready)
        except KeyboardInterrupt:
            self.stdout.write("")  # the shell's prompt goes below the ^C

    def _refuse_what_is_open_to_others(self, host: str) -> None:
        if settings.FORKLORE_MODE not in ("local", "team"):
            raise CommandError(f"FORKLORE_MODE is local or team, not {settings.FORKLORE_MODE}.")
        if settings.FORKLORE_MODE == "local" and host not in serving.LOOPBACK:
            raise CommandError(
                f"Forklore answers to this machine only: --host is one of {', '.join(serving.LOOPBACK)}. "
                "Any other needs FORKLORE_MODE=team."
            )
        if settings.FORKLORE_MODE == "team" and settings.FORKLORE_HOSTS == (settings.FORKLORE_OWN_HOST,):
            raise CommandError("A team reaches Forklore by a name: FORKLORE_HOSTS=forklore.example.org")
        if settings.FORKLORE_OIDC and (wrong := settings.FORKLORE_OIDC.wrong()):
            raise CommandError(wrong)
        if settings.FORKLORE_OIDC and not apps.is_installed("allauth.socialaccount"):
            self.stderr.write("Nobody can sign in by OpenID: that takes pip install 'forklore[oidc]'.")
        try:
            guard.Rules(settings.FORKLORE_HOSTS)
        except ValueError as error:
            raise CommandError(str(error)) from error

    def _keep_private(self) -> None:
        files: list[Path] = []
        if settings.DATABASES[DEFAULT_DB_ALIAS]["ENGINE"].endswith("sqlite3"):
            files = private_files.database_files(str(settings.DATABASES[DEFAULT_DB_ALIAS]["NAME"]))
        try:
            for sentence in private_files.check(settings.DATA_DIR, files):
                self.stdout.write(sentence)
        except private_files.NotPrivate as error:
            raise CommandError(str(error)) from error

    def _prepare_database(self) -> None:
        try:
            changed = opening.migrate(DEFAULT_DB_ALIAS)
        except (BackupFailed, DatabaseFault, DatabaseTooNew, MigrationFailed) as error:
            raise CommandError(str(error)) from error
        if sentence := database_faults.read_only_because(DEFAULT_DB_ALIAS):
            self.stdout.write(sentence)
        if changed:
            self.stdout.write("Brought the database up to date.")
        warning = sqlite.warning()
        if warning and settings.DATABASES[DEFAULT_DB_ALIAS]["ENGINE"].endswith("sqlite3"):
            self.stderr.write(warning)

    @contextmanager
    def _beside_others(self, url: str) -> Iterator[None]:
        """Say where another server is at the same file, or the file on another machine: both work, and few want it."""
        if not opening.is_file(DEFAULT_DB_ALIAS):
            yield
            return
        name = str(settings.DATABASES[DEFAULT_DB_ALIAS]["NAME"])
        if kind := running.far_file_system(Path(name).parent):
            self.stdout.write(
                f"The database is on another machine ({kind}), where SQLite’s locks may not hold: "
                "keep it on a disk of this one, or take PostgreSQL."
            )
        with running.serving_database(name, url) as other:
            if other:
                self.stdout.write(
                    f"Another Forklore serves this database too: {other}. Nothing is lost; one is enough."
                )
            yield

    def _listen(self, host: str, port: int | None) -> Any:
        ports = range(serving.FIRST_PORT, serving.FIRST_PORT + serving.PORTS_TRIED) if port is None else [port]
        try:
            return serving.listen(host, ports)
        except OverflowError as error:
            raise CommandError("A port is a number from 0 to 65535.") from error
        except OSError as error:
            where = f"port {port}" if port is not None else f"ports {ports[0]} to {ports[-1]}"
            raise CommandError(f"Cannot listen at {host}, {where}: {error.strerror}.") from error
