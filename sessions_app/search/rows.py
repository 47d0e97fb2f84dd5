"""What a search reads: sessions in the order of hits with their pieces, and the messages of strands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet

from sessions_app import gate, piece_table, session_rows
from sessions_app.databases import connection, current, execute
from sessions_app.piece_table import Piece, written
from sessions_app.search.candidates import Candidates
from sessions_app.search.filters import Filters

SHOWN = 20_000  # strands that are mapped to their sessions at once
STEP = 128  # pieces of them that are read at first
TOGETHER = 24  # sessions that are told at once

Message = tuple[int, int, bytes]  # position, kind, body
Condition = tuple[str, list[Any]]  # SQL about `session`, and its parameters


@dataclass(slots=True)
class Shown:
    """A session as it is looked into. Most of those that are become no hit, so it holds what the database gave."""

    key: Any  # its id
    moment: Any  # its updated_at, as older() takes it
    title: str | None  # None where it is known not to contain the query
    pieces: list[Piece]  # all, or those that hold a candidate


def newest(condition: Condition, limit: int) -> list[Shown]:
    """Live sessions, most recently updated first, ties by id, with all of their pieces."""
    rows = execute(
        f"SELECT session.id, {_moment()}, session.title, piece.start,"  # noqa: S608
        " COALESCE(piece.stop, session.message_count), piece.strand_id FROM ("
        " SELECT id, updated_at, title, message_count FROM forklore_session session"
        f" WHERE session.trashed_at IS NULL AND {condition[0]} ORDER BY updated_at DESC, id LIMIT %s"
        ") session LEFT JOIN forklore_piece piece ON piece.session_id = session.id"
        " ORDER BY session.updated_at DESC, session.id, piece.start",
        [*condition[1], limit],
    ).fetchall()
    found: list[Shown] = []
    for key, moment, title, start, stop, strand in rows:
        if not found or found[-1].key != key:
            found.append(Shown(key, moment, title, []))
        if strand is not None:
            found[-1].pieces.append(Piece(start, stop, strand))
    return found


def showing(candidates: Candidates, condition: Condition) -> Iterator[list[Shown]] | None:
    """The live sessions that show a candidate, in the same order, some at a time; None if the strands are too many."""
    if not candidates.positions and not candidates.titles:
        return iter(())
    return None if len(candidates.positions) > SHOWN else _showing(candidates, condition)


def _showing(candidates: Candidates, condition: Condition) -> Iterator[list[Shown]]:
    size, positions = _first_step(), candidates.positions
    further = condition
    while True:
        found: list[Shown] = []
        last: Shown | None = None
        read = 0
        with closing(_places(candidates, further, size)) as places:
            for key, moment, start, stop, strand, title in places:
                read += 1
                if not found or found[-1].key != key:
                    if len(found) == TOGETHER:  # seldom are more wanted
                        last = found[-1]
                        yield _of_candidates(found)
                        found = []
                    found.append(Shown(key, moment, None, []))
                if strand is None:
                    found[-1].title = title
                elif (listed := positions[strand]) and stop is not None and listed[0] < stop:
                    found[-1].pieces.append(Piece(start, stop, strand))
        whole = size is None or read < size
        if not whole:
            found.pop()  # which may have been cut
        yield _of_candidates(found)
        if size is None or whole:
            return
        if last := found[-1] if found else last:
            further = older(condition, last.moment, last.key)
        size *= 4


def _first_step() -> int | None:
    """SQLite gives rows as they are taken, and sorts them all in half the time that it takes to keep the first ones."""
    return None if connection().vendor == "sqlite" else STEP


def _of_candidates(found: list[Shown]) -> list[Shown]:
    return [each for each in found if each.pieces or each.title is not None]


def _places(candidates: Candidates, condition: Condition, limit: int | None) -> Any:
    """A cursor of pieces and titles that are candidates, in the order of hits."""
    statement = (
        f"SELECT session.id, {_moment()}, piece.start, COALESCE(piece.stop, session.message_count),"  # noqa: S608
        " piece.strand_id, NULL FROM forklore_piece piece"
        " JOIN forklore_session session ON session.id = piece.session_id"
        f" WHERE piece.strand_id {_among()} AND session.trashed_at IS NULL AND {condition[0]}"
    )
    parameters = [_numbers(candidates.positions), *condition[1]]
    if candidates.titles:  # to ask for none of them would be a quarter of the work
        statement += (
            f" UNION ALL SELECT session.id, {_moment()}, NULL, NULL, NULL, session.title"  # noqa: S608
            " FROM forklore_searchtitle title JOIN forklore_session session ON session.id = title.session_id"
            f" WHERE title.id {_among()} AND session.trashed_at IS NULL AND {condition[0]}"
        )
        parameters += [_numbers(candidates.titles), *condition[1]]
    statement += " ORDER BY 2 DESC, 1, 3"
    return execute(statement, parameters) if limit is None else execute(f"{statement} LIMIT %s", [*parameters, limit])


def messages_at(places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Message]:
    """Messages anywhere, by strand and position."""
    if not places:
        return {}
    if connection().vendor == "sqlite":
        # CROSS, so that SQLite looks up what is wanted instead of reading all to see whether it is.
        rows = execute(
            f"SELECT strand_id, position, kind, {_body()} FROM json_each(%s) wanted CROSS JOIN forklore_message message"  # noqa: S608
            " WHERE strand_id = wanted.value >> 32 AND position = wanted.value & 4294967295",
            [_numbers(strand << 32 | position for strand, position in places)],
        )
    else:
        rows = execute(
            f"SELECT strand_id, position, kind, {_body()} FROM unnest(%s::bigint[], %s::integer[]) wanted (strand, place)"  # noqa: S608
            " JOIN forklore_message message ON strand_id = wanted.strand AND position = wanted.place",
            [[strand for strand, _ in places], [position for _, position in places]],
        )
    return {(strand, position): (position, kind, written(body)) for strand, position, kind, body in rows.fetchall()}


def messages(strand: int, positions: Sequence[int]) -> list[Message]:
    """Messages of a strand, in order."""
    if isinstance(positions, range):
        where, parameters = "position >= %s AND position < %s", [positions.start, positions.stop]
    else:
        where, parameters = f"position {_among()}", [_numbers(positions)]
    found = execute(
        f"SELECT position, kind, {_body()} FROM forklore_message message WHERE strand_id = %s AND {where} ORDER BY position",  # noqa: S608
        [strand, *parameters],
    )
    return [(position, kind, written(body)) for position, kind, body in found.fetchall()]


def facts_of(keys: set[Any]) -> dict[Any, tuple[UUID, str, str, datetime, int]]:
    """Of sessions, by their keys: id, project, title, updated_at and turns, as a hit tells them."""
    if not keys:
        return {}
    found = execute(
        f"SELECT session.id, project.name, session.title, {_moment()}, session.turns"  # noqa: S608
        " FROM forklore_session session JOIN forklore_project project ON project.id = session.project_id"
        f" WHERE session.id {_among()}",
        [json.dumps([*keys]) if connection().vendor == "sqlite" else [*keys]],
    ).fetchall()
    return {
        key: (session_rows.uuid_of(key), project, title, _told(moment), turns)
        for key, project, title, moment, turns in found
    }


def stops_on(strands: Iterable[int]) -> dict[int, list[int]]:
    """By strand: where the pieces of live sessions on it end that the actor may see, ascending."""
    sight, projects = gate.condition("session.project_id")
    stops: dict[int, list[int]] = {strand: [] for strand in strands}
    found = execute(
        "SELECT piece.strand_id, COALESCE(piece.stop, session.message_count) FROM forklore_piece piece"  # noqa: S608
        " JOIN forklore_session session ON session.id = piece.session_id"
        f" WHERE piece.strand_id {_among()} AND session.trashed_at IS NULL{sight}",
        [_numbers(stops), *projects],
    )
    for strand, stop in found.fetchall():
        stops[strand].append(stop)
    for several in stops.values():
        several.sort()
    return stops


def sharing(id: UUID, position: int) -> list[UUID]:
    """The other live sessions that show that very message of a session, of those that the actor may see."""
    sight, projects = gate.condition("holder.project_id")
    found = execute(
        "SELECT other.session_id FROM forklore_piece own JOIN forklore_session session ON session.id = own.session_id"  # noqa: S608
        " JOIN forklore_piece other ON other.strand_id = own.strand_id AND other.session_id <> own.session_id"
        " JOIN forklore_session holder ON holder.id = other.session_id"
        " WHERE own.session_id = %s AND own.start <= %s AND COALESCE(own.stop, session.message_count) > %s"
        f" AND COALESCE(other.stop, holder.message_count) > %s AND holder.trashed_at IS NULL{sight}",
        [piece_table.key(id), position, position, position, *projects],
    )
    return [session_rows.uuid_of(key) for (key,) in found.fetchall()]


def newest_stop(strand: int, condition: Condition) -> int:
    """Up to where any of those live sessions shows a strand; 0 if none does."""
    return execute(
        "SELECT COALESCE(MAX(COALESCE(piece.stop, session.message_count)), 0) FROM forklore_piece piece"  # noqa: S608
        " JOIN forklore_session session ON session.id = piece.session_id"
        f" WHERE piece.strand_id = %s AND session.trashed_at IS NULL AND {condition[0]}",
        [strand, *condition[1]],
    ).fetchone()[0]


def allowed(filters: Filters) -> Condition:
    """What the filters say of a session, and that the actor may see it."""
    sight, projects = gate.condition("session.project_id")
    if filters.sessions is None:
        return f"1 = 1{sight}", projects
    try:
        statement, parameters = filters.sessions.values("pk").query.get_compiler(using=current()).as_sql()
    except EmptyResultSet:
        return "1 = 0", []
    return f"session.id IN ({statement}){sight}", [*parameters, *projects]


def older(condition: Condition, updated_at: Any, key: Any, *, with_itself: bool = False) -> Condition:
    """The condition, and to stand behind that session in the order of hits."""
    moment = updated_at if isinstance(updated_at, str) else session_rows.moment_for_database(updated_at)
    sign = ">=" if with_itself else ">"
    further = f"(session.updated_at < %s OR (session.updated_at = %s AND session.id {sign} %s))"
    return f"{condition[0]} AND {further}", [*condition[1], moment, moment, key]


def newer(condition: Condition, updated_at: Any, id: UUID) -> Condition:
    moment = session_rows.moment_for_database(updated_at)
    further = "(session.updated_at > %s OR (session.updated_at = %s AND session.id < %s))"
    return f"{condition[0]} AND {further}", [*condition[1], moment, moment, piece_table.key(id)]


def _moment() -> str:
    """When a session was updated: as SQLite keeps it, or else each row's would be read, most of which are only sorted."""
    return "session.updated_at || ''" if connection().vendor == "sqlite" else "session.updated_at"


def _told(moment: Any) -> datetime:
    return datetime.fromisoformat(f"{moment}+00:00") if isinstance(moment, str) else moment


def _body() -> str:
    """A body as bytes: most of those that are looked at are no hit, and need not become text."""
    return "CAST(message.body AS BLOB)" if connection().vendor == "sqlite" else "convert_to(message.body, 'UTF8')"


def _among() -> str:
    """To be one of _numbers(), which are a parameter: a statement that is always the same is planned once."""
    return "IN (SELECT value FROM json_each(%s))" if connection().vendor == "sqlite" else "= ANY(%s)"


def _numbers(numbers: Iterable[int]) -> Any:
    ordered = sorted(numbers)
    return f"[{','.join(map(str, ordered))}]" if connection().vendor == "sqlite" else ordered
