"""The command `forklore` of an installed wheel: any management command, `forklore up` first of all."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sessions_site.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line([*sys.argv[:1], *(sys.argv[1:] or ["up"])])
