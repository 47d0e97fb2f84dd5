"""The audit log: who changed what and when, free of content, and only ever added to."""

from __future__ import annotations

from django.utils import timezone

from sessions_app import actors
from sessions_app.access.models import AuditEntry
from sessions_app.actors import Actor


def append(verb: str, kind: str, object_id: object, *, count: int = 1, actor: Actor | None = None) -> None:
    """Note that somebody did something; by default the actor of the context, and without one a program.

    `kind` and `object_id` say to what: ("session", id). Never hand over a title or a text. Within a transaction the
    entry stands or falls with what it tells of.
    """
    actor = actor or actors.current()
    AuditEntry.objects.create(
        moment=timezone.now(),
        actor_kind=actor.kind if actor else "program",
        actor_name=actor.name[:150] if actor else "",
        verb=verb,
        kind=kind,
        object_id=str(object_id)[:255],
        count=count,
    )
