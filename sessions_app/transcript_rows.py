"""The rows that say where imported sessions came from. Only store.py calls this module, inside of its transactions."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from uuid import UUID

from django.db.models import QuerySet

from sessions_app.errors import SessionPurged
from sessions_app.models import Transcript
from sessions_app.records import ImportState, Origin, ParentLink

_STATE = ("path", "size", "mtime_ns", "offset", "digest", "lines", "unreadable")


@dataclass(frozen=True, slots=True)
class Known:
    """A transcript that has been imported, at least in part."""

    pk: int
    session: UUID
    state: ImportState
    prefix: int  # leading messages of the session that stand in its parent's file


def find(origin: Origin) -> Known | None:
    """What is known of a transcript. Raises SessionPurged if its session was removed for good."""
    return _known(Transcript.objects.filter(**asdict(origin)))


def find_parent(origin: Origin) -> Known | None:
    """The transcript with that identity, or with its id in another project: a session may be resumed elsewhere."""
    exact = Transcript.objects.filter(**asdict(origin), session__isnull=False)
    same_id = Transcript.objects.filter(
        source=origin.source, external_id=origin.external_id, subpath=origin.subpath, session__isnull=False
    )
    return _known(exact) or _known(same_id.order_by("pk"))


def save(origin: Origin, session: UUID, state: ImportState) -> None:
    values = {name: getattr(state, name) for name in _STATE}
    Transcript.objects.update_or_create(
        **asdict(origin), defaults={"session_id": session, "detail": json.dumps(state.detail), **values}
    )


def wait(known: Known, link: ParentLink) -> None:
    Transcript.objects.filter(pk=known.pk).update(
        wanted_parent=link.parent.external_id, wanted_link=json.dumps(asdict(link))
    )


def stop_waiting(known: Known) -> None:
    Transcript.objects.filter(pk=known.pk).update(wanted_parent="", wanted_link="")


def waiting_for(parent: Origin) -> list[tuple[Origin, ParentLink]]:
    rows = Transcript.objects.filter(
        source=parent.source, wanted_parent=parent.external_id, session__isnull=False
    ).order_by("pk")
    found = [(_origin(row), _link(row.wanted_link)) for row in rows]
    return [(child, link) for child, link in found if link.parent.subpath == parent.subpath]


def set_prefix(known: Known, prefix: int) -> None:
    Transcript.objects.filter(pk=known.pk).update(prefix=prefix)


def leave_tombstone(session: UUID) -> None:
    """Keep that the transcript was imported, so that a session which was purged does not come back by itself."""
    Transcript.objects.filter(session=session).update(session=None)


def _known(rows: QuerySet[Transcript]) -> Known | None:
    row = rows.first()
    if row is None:
        return None
    if row.session_id is None:
        raise SessionPurged(f"The session of {row.external_id} was purged here; its transcript is not imported again.")
    state = ImportState(**{name: getattr(row, name) for name in _STATE}, detail=json.loads(row.detail))
    return Known(row.pk, row.session_id, state, row.prefix)


def _origin(row: Transcript) -> Origin:
    return Origin(row.source, row.project_key, row.external_id, row.subpath)


def _link(text: str) -> ParentLink:
    values = json.loads(text)
    return ParentLink(**{**values, "parent": Origin(**values["parent"])})
