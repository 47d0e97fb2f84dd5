"""How much a session and a project may hold, where the settings say so; store.py asks before it writes.

A project's sums are counted again at most every few seconds, for to count at each turn would cost more than the turn. So
a project may end up a few seconds of writing above its quota.
"""

from __future__ import annotations

import time

from django.conf import settings

from sessions_app import figures
from sessions_app.databases import current
from sessions_app.errors import QuotaExceeded, SessionTooLarge
from sessions_app.session_rows import SessionRow

KEPT = 5.0  # seconds for which sums of a project are believed
MOST_PROJECTS = 10_000

_sums: dict[tuple[str, int], tuple[float, int, int]] = {}


def check_project(id: int, name: str, new_sessions: int = 0) -> None:
    """Raises QuotaExceeded."""
    most_bytes, most_sessions = settings.FORKLORE_PROJECT_BYTES, settings.FORKLORE_PROJECT_SESSIONS
    if not most_bytes and not most_sessions:
        return
    size, sessions = _held(id)
    if most_bytes and size >= most_bytes:
        raise QuotaExceeded(f"The project “{name}” holds {size:,} bytes, which is all that it may: {most_bytes:,}.")
    if new_sessions and most_sessions and sessions + new_sessions > most_sessions:
        raise QuotaExceeded(f"The project “{name}” holds {sessions:,} sessions, which is all that it may.")


def check_merge(source: int, target: int, name: str) -> None:
    """Raises QuotaExceeded where one project could not hold the live sessions of the other beside its own."""
    most_bytes, most_sessions = settings.FORKLORE_PROJECT_BYTES, settings.FORKLORE_PROJECT_SESSIONS
    if not most_bytes and not most_sessions:
        return
    both = figures.summed([source, target])
    if (most_bytes and both.size_bytes > most_bytes) or (most_sessions and both.sessions > most_sessions):
        raise QuotaExceeded(
            f"The project “{name}” would hold {both.sessions:,} sessions and {both.size_bytes:,} bytes, more than it may."
        )


def check_session(row: SessionRow) -> None:
    """Raises SessionTooLarge for a session as it is about to be saved."""
    most_bytes, most_messages = settings.FORKLORE_SESSION_BYTES, settings.FORKLORE_SESSION_MESSAGES
    if row.tail.size > most_bytes:
        raise SessionTooLarge(f"Session {row.id} would hold {row.tail.size:,} bytes; it may hold {most_bytes:,}.")
    if row.tail.count > most_messages:
        raise SessionTooLarge(
            f"Session {row.id} would hold {row.tail.count:,} messages; it may hold {most_messages:,}."
        )


def _held(project: int) -> tuple[int, int]:
    key, now = (current(), project), time.monotonic()
    known = _sums.get(key)
    if known is None or now - known[0] > KEPT:
        found = figures.summed([project])
        if len(_sums) > MOST_PROJECTS:
            _sums.clear()
        known = _sums[key] = now, found.size_bytes, found.sessions
    return known[1:]


def forget() -> None:
    _sums.clear()
