"""Room that is kept on the disk of a SQLite database, so that clean-up can still be done when it is full.

To remove rows, SQLite first writes to its log. A file of zeros stands beside the database; removing it gives that room.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

SIZE = 16 * 1024 * 1024  # bytes
SPARE = 16  # times as much must be free where it is put


def ensure(name: str) -> bool:
    """Put it beside a database, where it does not take a good part of what is free; whether it is there."""
    place = _place(name)
    try:
        if place.exists() and place.stat().st_size >= SIZE:
            return True
        if shutil.disk_usage(place.parent).free < SPARE * SIZE:
            return False
        with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            for _ in range(SIZE >> 20):
                file.write(bytes(1 << 20))
    except OSError:
        release(name)
        return False
    return True


def release(name: str) -> bool:
    """Give its room; whether it held any."""
    try:
        held = _place(name).stat().st_size
        _place(name).unlink()
    except OSError:
        return False
    return held > 0


def _place(name: str) -> Path:
    return Path(f"{name}-ballast")
