"""Looks behind the store: what a database holds, and whether it holds together."""

import time
from typing import Any

import pytest
from django.apps import apps
from django.db import transaction

from sessions_app import bodies
from sessions_app.databases import connection, current
from sessions_app.figures import Figures, by_project, forget
from sessions_app.models import Message, Piece, Session, Strand, TokenTotal
from sessions_app.projection import project
from sessions_app.records import Change

SYNC_DOOR = pytest.mark.parametrize("door", ["sync"], indirect=True)

NO_HTTP = pytest.mark.parametrize("door", ["sync", "async"], indirect=True)


def a_generation(writer: int, generation: int) -> list[dict[str, int]]:
    """What a writer of writers.py replaces a session by: a list of one kind, of a length that changes."""
    return [{"writer": writer, "generation": generation}] * (1 + generation * 7 % 30)


def purge_revisions(store: Any) -> None:
    """Let go of what rewrites dropped, as clean-up does after a time."""
    for id in list(Session.objects.filter(relation="revision").values_list("pk", flat=True)):
        store.purge(id)


def content() -> dict[str, list[str]]:
    """Every row of every table, to be compared with what is there later."""
    return {model._meta.db_table: sorted(map(repr, _rows(model))) for model in _models()}


def figures() -> dict[int, Figures]:
    """What sessions_app.figures tells, by the ORM, which keeps nothing."""
    found: dict[int, list[Session]] = {}
    for session in Session.objects.live():
        found.setdefault(session.project_id, []).append(session)
    return {
        project: Figures(
            len(sessions),
            sum(each.relation == "subagent" for each in sessions),
            sum(each.archived_at is not None for each in sessions),
            sum(each.relation == "subagent" and each.archived_at is not None for each in sessions),
            sum(each.relation == "fork" for each in sessions),
            sum(each.size_bytes for each in sessions),
            max(each.updated_at for each in sessions),
        )
        for project, sessions in found.items()
    }


def settled() -> None:
    """On PostgreSQL, wait until no transaction is under way that was when this began: other tests run on that server."""
    if connection().vendor == "sqlite":
        return
    deadline = time.monotonic() + 60
    with connection().cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        (wanted,) = cursor.fetchone()
        oldest = 0
        while oldest < wanted:
            assert time.monotonic() < deadline
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            (oldest,) = cursor.fetchone()
            time.sleep(0.002)


def newest(store: Any) -> int:
    """The number of the newest change, with all that was told before it."""
    settled()
    return store.newest_change()


def changes(store: Any, since: int) -> list[Change]:
    """All changes after one, as those who follow will have been told."""
    settled()
    return store.changes(since)


def message_rows() -> int:
    return Message.objects.count()


def empty() -> None:
    forget(current())
    with transaction.atomic(using=current()), connection().cursor() as cursor:
        for model in _models():
            cursor.execute(f'DELETE FROM "{model._meta.db_table}"')


def check() -> None:
    """Pieces join up, digests are those of messages, nothing is kept that nobody shows, and lists tell what there is."""
    shown, recorded = set(), {}
    for session in Session.objects.all():
        shown |= _check_session(session, recorded)
    assert {row.pk: row.total for row in TokenTotal.objects.all()} == recorded
    assert shown == set(Message.objects.values_list("strand_id", "position"))
    assert {strand for strand, _ in shown} == set(Strand.objects.values_list("id", flat=True))
    assert by_project() == figures()


def counted_tokens(messages: list[dict[str, Any]]) -> list[int | None]:
    """What each message adds to the output tokens of those before; None where it records none."""
    found: list[int | None] = []
    response, most = "", 0
    for seen in map(project, messages):
        if seen.output_tokens is None:
            found.append(None)
            continue
        known = most if seen.response and seen.response == response else 0
        found.append(max(0, seen.output_tokens - known))
        response, most = seen.response, max(seen.output_tokens, known)
    return found


def _check_session(session: Session, recorded: dict[tuple[int, int], int]) -> set[tuple[int, int]]:
    keys: list[tuple[int, int]] = []
    for piece in Piece.objects.filter(session=session).order_by("start"):
        assert piece.start == len(keys)
        stop = session.message_count if piece.stop is None else piece.stop
        keys += [(piece.strand_id, position) for position in range(piece.start, stop)]
    assert len(keys) == session.message_count
    rows = {(row.strand_id, row.position): row for row in Message.objects.filter(strand__in={key[0] for key in keys})}
    bytes_shown = [bodies.plain(rows[key].body).encode() for key in keys]
    digests = bodies.chain(b"", bytes_shown)
    assert [bytes(rows[key].digest) for key in keys] == digests
    assert bytes(session.tail_digest) == (digests[-1] if digests else b"")
    assert session.size_bytes == sum(map(len, bytes_shown))
    totals: dict[int, int] = {}
    for key, tokens in zip(keys, counted_tokens([bodies.decode(body) for body in bytes_shown]), strict=True):
        if tokens is not None:
            recorded[key] = totals[key[0]] = totals.get(key[0], 0) + tokens
    return set(keys)


def _models() -> list[Any]:
    return list(apps.get_app_config("forklore").get_models())


def _rows(model: Any) -> list[tuple[Any, ...]]:
    return [
        tuple(map(_plain, row))
        for row in model.objects.values_list(*[f.attname for f in model._meta.local_concrete_fields])
    ]


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
