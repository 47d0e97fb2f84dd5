#!/usr/bin/env python3
"""Runs Forklore's management commands; `python3 run.py NAME` does the same and sets up the environment first."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sessions_site.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
