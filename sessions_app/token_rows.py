"""The tokens that messages record, as running totals of a strand, so that those of a range are told by two rows.

Only piece_table.py calls what writes here. Output tokens are counted, for what is sent anew at each request says more of
an agent's habits than of a session. The lines of one response repeat what it took, so it counts once, with its largest
figure. What a message counts follows from it and from those before, whoever shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from uuid import UUID

from sessions_app import bodies
from sessions_app.databases import connection, execute
from sessions_app.projection import Projection, project

_LAST = (
    "SELECT total, of_response, response FROM forklore_tokentotal WHERE strand_id = %s AND position < %s"
    " ORDER BY position DESC LIMIT 1"
)
BATCH = 500  # messages read at once
_MOST = 2**63 - 1  # what both databases keep


@dataclass(frozen=True, slots=True)
class Counted:
    """How far responses were counted."""

    total: int = 0
    of_response: int = 0
    response: int | None = None

    def with_one(self, seen: Projection) -> Counted:
        tokens, response = seen.output_tokens or 0, _number(seen.response)
        known = self.of_response if response is not None and response == self.response else 0
        return Counted(min(self.total + max(0, tokens - known), _MOST), max(tokens, known), response)


def add(session: UUID | str, strand: int, first: int, projections: Iterable[Projection]) -> None:
    """Count messages that were put into a strand from `first` on, by the session that may append to it."""
    recorded = [(at, seen) for at, seen in enumerate(projections, first) if seen.output_tokens is not None]
    if not recorded:
        return
    found = execute(_LAST, [strand, first]).fetchone()
    last, rows = Counted(*found) if found else _before(session, strand), []
    for at, seen in recorded:
        last = last.with_one(seen)
        rows.append([strand, at, last.total, last.of_response, last.response])
    _insert(rows)


def add_copied(strand: int, of: int, start: int, stop: int) -> None:
    """Count what was copied into a strand, behind what it holds, from the positions [start, stop) of another."""
    (before,) = execute(
        "SELECT COALESCE(MAX(total), 0) FROM forklore_tokentotal WHERE strand_id = %s", [strand]
    ).fetchone()
    rows = execute(
        "SELECT position, total, of_response, response FROM forklore_tokentotal"
        " WHERE strand_id = %s AND position >= %s AND position < %s ORDER BY position",
        [of, start, stop],
    ).fetchall()
    if found := execute(_LAST, [of, start]).fetchone():  # what the other strand counts before
        before -= found[0]
    _insert([[strand, at, before + total, of_response, response] for at, total, of_response, response in rows])


def is_wrong(session: UUID | str, strand: int) -> bool:
    """Whether the totals of a strand, which that session shows, are not those of its messages."""
    kept = execute(
        "SELECT strand_id, position, total, of_response, response FROM forklore_tokentotal"
        " WHERE strand_id = %s ORDER BY position",
        [strand],
    ).fetchall()
    return [list(row) for row in kept] != list(_counted(session, strand))


def rebuild(session: UUID | str, strand: int) -> None:
    rows = list(_counted(session, strand))
    drop(strand, 0)
    _insert(rows)


def drop(strand: int, start: int) -> None:
    execute("DELETE FROM forklore_tokentotal WHERE strand_id = %s AND position >= %s", [strand, start])


def drop_whole(strands: Sequence[int]) -> None:
    marks = ", ".join(["%s"] * len(strands))
    execute(f"DELETE FROM forklore_tokentotal WHERE strand_id IN ({marks})", strands)  # noqa: S608


# Helpers, in the order in which they are called


def _before(session: UUID | str, strand: int) -> Counted:
    """What a session says of its last response in the strands before this one."""
    pieces = execute(
        "SELECT strand_id, stop FROM forklore_piece WHERE session_id = %s AND start < (SELECT start"
        " FROM forklore_strand WHERE id = %s) ORDER BY start DESC",
        [session, strand],
    ).fetchall()
    for of, stop in pieces:
        if found := execute(_LAST, [of, stop]).fetchone():
            return Counted(0, found[1], found[2])
    return Counted()


def _counted(session: UUID | str, strand: int) -> Iterator[list]:
    """The rows as they should be, out of the bodies that may speak of tokens."""
    last, position = _before(session, strand), -1
    while found := execute(
        "SELECT position, body FROM forklore_message WHERE strand_id = %s AND position > %s"
        " AND (body LIKE %s OR body LIKE %s) ORDER BY position LIMIT %s",
        [strand, position, "%tokens%", bodies.PACKED, BATCH],
    ).fetchall():
        for at, body in found:
            seen = project(bodies.decode(bodies.plain(body)))
            if seen.output_tokens is not None:
                last = last.with_one(seen)
                yield [strand, at, last.total, last.of_response, last.response]
        position = found[-1][0]


def _number(response: str) -> int | None:
    if not response:
        return None
    return int.from_bytes(blake2b(response.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True)


def _insert(rows: Sequence[list]) -> None:
    if not rows:
        return
    with connection().cursor() as cursor:
        cursor.executemany(
            "INSERT INTO forklore_tokentotal (strand_id, position, total, of_response, response)"
            " VALUES (%s, %s, %s, %s, %s)",
            rows,
        )
