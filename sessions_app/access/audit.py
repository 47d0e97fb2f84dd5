"""The audit log: who changed what and when, free of content, and only ever added to."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils import timezone

from sessions_app import actors
from sessions_app.access.models import AuditEntry
from sessions_app.actors import Actor


def append(verb: str, kind: str, object_id: object, *, count: int = 1, actor: Actor | None = None) -> None:
    """Note that somebody did something; by default the actor of the context, and without one a program.

    `kind` and `object_id` say to what: ("session", id). Never hand over a title or a text. Within a transaction the
    entry stands or falls with what it tells of.
    """
    _entry(verb, kind, object_id, count, actor or actors.current()).save(force_insert=True)


def append_each(verb: str, kind: str, object_ids: Iterable[object]) -> None:
    """An entry for each of these."""
    AuditEntry.objects.bulk_create(_entry(verb, kind, id, 1, actors.current()) for id in object_ids)


def _entry(verb: str, kind: str, object_id: object, count: int, actor: Actor | None) -> AuditEntry:
    return AuditEntry(
        moment=timezone.now(),
        actor_kind=actor.kind if actor else "program",
        actor_name=actor.name[:150] if actor else "",
        verb=verb,
        kind=kind,
        object_id=str(object_id)[:255],
        count=count,
    )
