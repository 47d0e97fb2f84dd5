"""The rows that say where imported sessions came from. Only store.py calls this module, inside of its transactions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from sessions_app.errors import SessionPurged
from sessions_app.models import Transcript
from sessions_app.records import ImportState, Origin, ParentLink

_NUMBERS = ("size", "mtime_ns", "offset", "digest", "lines", "unreadable")
_LENGTHS = {"source": 40, "project_key": 500, "external_id": 255, "subpath": 500}  # characters; see models.Transcript


@dataclass(frozen=True, slots=True)
class Known:
    """A transcript that has been imported, at least in part."""

    pk: int
    session: UUID
    state: ImportState
    prefix: int  # leading messages of the session that stand in its parent's file
    waits_for_prefix: bool  # which it lacks as yet, so that its positions are not yet what they will be


def find(origin: Origin) -> Known | None:
    """What is known of a transcript. Raises SessionPurged if its session was removed for good."""
    return _known(Transcript.objects.filter(**_columns(origin)))


def find_parent(origin: Origin) -> Known | None:
    """The transcript with that identity, or with its id in another project: a session may be resumed elsewhere."""
    columns = _columns(origin)
    exact = Transcript.objects.filter(**columns, session__isnull=False)
    del columns["project_key"]
    return _known(exact) or _known(Transcript.objects.filter(**columns, session__isnull=False).order_by("pk"))


def save(origin: Origin, session: UUID, state: ImportState) -> None:
    values = {name: getattr(state, name) for name in _NUMBERS}
    # As JSON in ASCII, for a path may hold bytes that are no characters, and the detail whatever an importer needs.
    texts = {"path": json.dumps(state.path), "detail": json.dumps(state.detail)}
    defaults: dict[str, Any] = {"session_id": session, **values, **texts}
    identity: dict[str, Any] = {**_columns(origin)}
    Transcript.objects.update_or_create(defaults=defaults, **identity)


def bind(origin: Origin, session: UUID) -> None:
    """Let an SDK's name stand for a session from now on, whatever it stood for before."""
    identity: dict[str, Any] = {**_columns(origin)}
    Transcript.objects.update_or_create(defaults={"session_id": session, "detail": "{}"}, **identity)


def keep(origin: Origin, detail: dict[str, Any]) -> None:
    Transcript.objects.filter(**_columns(origin)).update(detail=json.dumps(detail))


def named(source: str, project_key: str) -> list[tuple[Origin, UUID, dict[str, Any]]]:
    """What is known of all names in one of an SDK's projects; purged sessions are not."""
    columns = _columns(Origin(source, project_key, ""))
    rows = Transcript.objects.filter(
        source=columns["source"], project_key=columns["project_key"], session__isnull=False
    ).order_by("pk")
    return [(_origin(row), row.session_id, json.loads(row.detail)) for row in rows if row.session_id]


def wait(known: Known, link: ParentLink) -> None:
    Transcript.objects.filter(pk=known.pk).update(
        wanted_parent=_columns(link.parent)["external_id"], wanted_link=json.dumps(asdict(link))
    )


def stop_waiting(known: Known) -> None:
    Transcript.objects.filter(pk=known.pk).update(wanted_parent="", wanted_link="")


def stop_waiting_for(child: Origin) -> None:
    if known := find(child):
        stop_waiting(known)


def waiting_for(parent: Origin) -> list[tuple[Origin, ParentLink]]:
    columns = _columns(parent)
    rows = Transcript.objects.filter(
        source=columns["source"], wanted_parent=columns["external_id"], session__isnull=False
    ).order_by("pk")
    found = [(_origin(row), _link(row.wanted_link)) for row in rows]
    return [(child, link) for child, link in found if link.parent.subpath == parent.subpath]


def set_prefix(known: Known, prefix: int) -> None:
    Transcript.objects.filter(pk=known.pk).update(prefix=prefix)


def leave_tombstones(sessions: Sequence[UUID]) -> None:
    """Keep that the transcripts were imported, so that sessions which were purged do not come back by themselves."""
    Transcript.objects.filter(session__in=sessions).update(session=None)


def _known(rows: QuerySet[Transcript]) -> Known | None:
    row = rows.first()
    if row is None:
        return None
    if row.session_id is None:
        raise SessionPurged(f"The session of {row.external_id} was purged here; its transcript is not imported again.")
    numbers = {name: getattr(row, name) for name in _NUMBERS}
    state = ImportState(path=json.loads(row.path), detail=json.loads(row.detail), **numbers)
    waits_for_prefix = bool(row.wanted_link) and _link(row.wanted_link).prefix_needed
    return Known(row.pk, row.session_id, state, row.prefix, waits_for_prefix)


def _columns(origin: Origin) -> dict[str, str]:
    """An identity as the table takes it. It comes out of files, so it may be longer, or no text at all."""
    return {name: _fitting(value, _LENGTHS[name]) for name, value in asdict(origin).items()}


def _fitting(value: str, length: int) -> str:
    text = value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    if len(text) <= length:
        return text
    digest = blake2b(text.encode(), digest_size=16).hexdigest()
    return f"{text[: length - len(digest) - 1]}~{digest}"


def _origin(row: Transcript) -> Origin:
    return Origin(row.source, row.project_key, row.external_id, row.subpath)


def _link(text: str) -> ParentLink:
    values = json.loads(text)
    return ParentLink(**{**values, "parent": Origin(**values["parent"])})
