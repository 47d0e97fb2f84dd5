"""Lets a browser of this machine in to the server that runs."""

from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from sessions_app.access import codes
from sessions_site import running, serving


class Command(BaseCommand):
    help = "Print a link that lets one browser in, once, within a minute, and open it where there is a screen."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-browser", action="store_true", help="print the link only")
        parser.add_argument(
            "--own-host",
            action="store_true",
            help="at a host name that no other server of this machine has, so that none is sent the cookie",
        )

    def handle(self, *args: Any, no_browser: bool, own_host: bool, **options: Any) -> None:
        if settings.FORKLORE_MODE == "team":
            raise CommandError("In team mode people sign in by name and password; there is nothing to open.")
        url = running.newest(settings.DATA_DIR)
        if url is None:
            raise CommandError(f"Forklore is not running; start it by: {settings.FORKLORE_PROGRAM}")
        if own_host:
            url = f"http://{settings.FORKLORE_OWN_HOST}:{urlsplit(url).port}"
        link = serving.launch_link(url, codes.make())
        self.stdout.write(link)
        if not no_browser and serving.wants_browser():
            serving.open_browser(link)
