"""Repeatable measurements: `python3 run.py benchmark NAME` runs one of these modules. They never touch real data."""

import os
import tempfile

import django

os.environ["FORKLORE_DATA"] = os.path.join(tempfile.gettempdir(), f"forklore-benchmark-{os.getuid()}")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sessions_site.settings")
django.setup()
