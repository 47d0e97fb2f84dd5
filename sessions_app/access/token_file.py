"""The token that this machine's own commands, agents and scripts find in the data directory: who reads it is the owner."""

from __future__ import annotations

import hmac
import os
from pathlib import Path

from sessions_app.access import secrets

NAME = "token"


def ensure(directory: Path) -> None:
    """Make it where it is missing, readable by its owner only."""
    try:
        descriptor = os.open(directory / NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.new_token() + "\n")


def holds(directory: Path, token: str) -> bool:
    """Read anew each time, so that a token that was replaced or removed is worthless at once."""
    try:
        own = (directory / NAME).read_text().strip()
    except FileNotFoundError:
        return False
    return hmac.compare_digest(own.encode(), token.encode()) and secrets.is_token(own)
