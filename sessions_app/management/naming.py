"""How the commands take a session: by its id, or by as much of its beginning as no other has."""

from __future__ import annotations

from uuid import UUID

from django.core.management.base import CommandError

from sessions_app.querysets import SessionQuerySet


def one_session(beginning: str, among: SessionQuerySet) -> UUID:
    """The id of the one session of those that has this beginning. Raises CommandError where it is none or several."""
    chosen = list(among.with_id_prefix(beginning).values_list("pk", flat=True)[:2]) if beginning.strip() else []
    if not chosen:
        raise CommandError(f"No session has an id that begins with “{beginning}”.")
    if len(chosen) > 1:
        raise CommandError(f"Several sessions have an id that begins with “{beginning}”; give more of it.")
    return chosen[0]
