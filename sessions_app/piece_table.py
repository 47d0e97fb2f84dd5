"""The piece table: which messages a session shows, over append-only strands that forks share.

Only store.py calls this module, inside of its transactions. Decision 0001 says why it is built like this. What holds:
- a piece shows the messages [start, stop) of a session out of one strand, and pieces follow each other without a gap;
- every session that shows a message of a strand shows the same messages before it, so a strand's positions and
  chained digests are those of every session that shows it;
- at most one session may append to a strand: the one whose last piece on it has no stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

from sessions_app import bodies, gate, recent_reads, search_index, token_rows
from sessions_app.database_faults import explained
from sessions_app.databases import connection, current, execute, execute_many
from sessions_app.errors import DamagedMessage
from sessions_app.projection import Projection, project, prompt_text
from sessions_app.records import Message

PIECE_LIMIT = 48  # of a session; more make reading slower than a copy is dear
BATCH = 500  # messages moved at once
DROPPED_BYTES = 4_000_000  # of bodies that go in one transaction, or one body
END = 2**31 - 1  # beyond every position

Place = tuple[int, int]  # a strand, and a position in it

JOINED_MOST = 64 * 1024 * 1024  # bytes of a session that is read as one text; SQLite's longest has a thousand million

# The bodies and the digests of a window as one text each, put together by the database: a thousand rows, each handed over
# by itself, take longer, and on SQLite give the interpreter's lock away as often. The message before the window is there
# for its digest, by which that of the next is proved. One row, whose count is None without a session.
_JOINED = (
    "SELECT MAX(count), MAX(size), MIN(position), MAX(position), {join}, COUNT(*) FILTER (WHERE SUBSTR(body, 1, 1) <> '{{') FROM ("
    "SELECT session.message_count AS count, session.tail_digest AS tail, session.size_bytes AS size, message.position AS position, message.digest AS digest,"
    " CASE WHEN session.size_bytes <= %s AND message.position >= %s THEN message.body END AS body"
    " FROM forklore_session session LEFT JOIN forklore_piece piece ON piece.session_id = session.id"
    " LEFT JOIN forklore_message message ON message.strand_id = piece.strand_id"
    " AND message.position >= piece.start AND message.position < COALESCE(piece.stop, session.message_count)"
    " AND message.position >= %s AND message.position < %s"
    " WHERE session.id = %s AND session.trashed_at IS NULL{sight} ORDER BY piece.start, message.position) shown"
)
_JOIN = {
    "sqlite": "MAX(HEX(tail)), CAST(GROUP_CONCAT(body, ',\n') AS BLOB), GROUP_CONCAT(HEX(digest), '')",
    "postgresql": "MAX(ENCODE(tail, 'hex')), STRING_AGG(body, E',\\n'), STRING_AGG(ENCODE(digest, 'hex'), '')",
}
# A session without messages in the window gives a row without a digest. The message before the window comes without its
# body: it is there for its digest, by which that of the next is proved.
_WINDOW = (
    "SELECT session.message_count, session.tail_digest, message.position, message.digest, CASE WHEN message.position >= %s THEN {} END"
    " FROM forklore_session session"
    " LEFT JOIN forklore_piece piece ON piece.session_id = session.id"
    " LEFT JOIN forklore_message message ON message.strand_id = piece.strand_id"
    " AND message.position >= piece.start AND message.position < COALESCE(piece.stop, session.message_count)"
    " AND message.position >= %s AND message.position < %s"
    " WHERE session.id = %s AND session.trashed_at IS NULL{} ORDER BY piece.start, message.position"
)
_RUN = (
    "SELECT position, digest, CASE WHEN position >= %s THEN {} END FROM forklore_message"
    " WHERE strand_id = %s AND position >= %s AND position < %s ORDER BY position"
)
_DIGEST_BEFORE = (
    "COALESCE((SELECT before.digest FROM forklore_message before WHERE before.strand_id = message.strand_id"
    " AND before.position = message.position - 1),"
    " (SELECT strand.base_digest FROM forklore_strand strand WHERE strand.id = message.strand_id))"
)
# CROSS, so that SQLite looks up what is wanted instead of reading all to see whether it is.
_DIGESTS_AT = (
    f"SELECT strand_id, position, digest, {_DIGEST_BEFORE} FROM json_each(%s) wanted CROSS JOIN forklore_message message"  # noqa: S608
    " WHERE strand_id = wanted.value >> 32 AND position = wanted.value & 4294967295"
)
# The digest at the end of the piece that shows a position, and what the rest of the session says that it is.
_ANCHOR = f"""SELECT message.digest, CASE WHEN piece.stop IS NULL OR piece.stop >= session.message_count THEN session.tail_digest
    ELSE (SELECT COALESCE((SELECT before.digest FROM forklore_message before
        WHERE before.strand_id = following.strand_id AND before.position = piece.stop - 1), strand.base_digest)
        FROM forklore_piece following JOIN forklore_strand strand ON strand.id = following.strand_id
        WHERE following.session_id = session.id AND following.start = piece.stop) END
FROM forklore_session session JOIN forklore_piece piece ON piece.session_id = session.id
JOIN forklore_message message ON message.strand_id = piece.strand_id
    AND message.position = COALESCE(piece.stop, session.message_count) - 1
WHERE session.id = %s AND piece.start <= %s AND COALESCE(piece.stop, {END}) > %s"""  # noqa: S608

_LAST = (
    "SELECT position, size_total FROM forklore_message WHERE strand_id = %s AND position >= %s"
    " ORDER BY position DESC LIMIT %s"
)
_LAST_OF_EACH = """SELECT strand, last.position, last.size_total
FROM unnest(%s::bigint[], %s::int[]) AS wanted(strand, start) CROSS JOIN LATERAL (
    SELECT position, size_total FROM forklore_message WHERE strand_id = strand AND position >= start
    ORDER BY position DESC LIMIT %s) last"""


@dataclass(slots=True)
class Tail:
    """The end of a session's messages: what an append needs to know, and all that it changes."""

    session: UUID
    count: int = 0
    digest: bytes = b""
    size: int = 0  # bytes of bodies
    prompts: int = 0
    first_prompt: int | None = None
    strand: int | None = None  # the strand that the session may append to


@dataclass(frozen=True, slots=True)
class Piece:
    start: int
    stop: int
    strand: int


@dataclass(frozen=True, slots=True)
class Row:
    """One message on its way into a strand."""

    position: int
    kind: int
    size_total: int
    prompt_total: int
    digest: bytes
    body: bytes


def key(id: UUID) -> UUID | str:
    """A session's id as the database's driver takes it: SQLite keeps ids as 32 hex digits."""
    if not isinstance(id, UUID):
        raise TypeError(f"The id of a session is a UUID, not {id!r}.")
    return id if connection().features.has_native_uuid_field else id.hex


def keys(ids: Iterable[UUID]) -> list[UUID] | list[str]:
    """The same of many at once, which are known to be UUIDs."""
    return list(ids) if connection().features.has_native_uuid_field else [id.hex for id in ids]


# Reading messages


def pieces(session: UUID, count: int, start: int = 0, stop: int | None = None) -> list[Piece]:
    """The pieces of a session of `count` messages that hold any of the positions [start, stop)."""
    stop = count if stop is None else min(stop, count)
    with connection().cursor() as cursor:
        cursor.execute(
            "SELECT start, stop, strand_id FROM forklore_piece WHERE session_id = %s AND start < %s ORDER BY start",
            [key(session), stop],
        )
        found = [Piece(first, count if last is None else last, strand) for first, last, strand in cursor.fetchall()]
    return [piece for piece in found if piece.stop > start]


def read_bodies(of: Sequence[Piece], start: int, stop: int, end: bytes | None = None) -> Iterator[bytes]:
    """The bodies of the positions [start, stop) that the pieces hold, in order.

    `end` is the digest that they must end with, where that is known. Raises DamagedMessage.
    """
    digest: bytes | None = None
    reached = start
    for piece in of:
        first, last = max(start, piece.start), min(stop, piece.stop)
        if first >= last:
            continue
        if first != reached:  # a piece before it is gone
            raise DamagedMessage(reached)
        reached = last
        reaches_back = digest is None and first > piece.start
        rows = execute(
            _RUN.format(_body("body")), [first, piece.strand, first - 1 if reaches_back else first, last]
        ).fetchall()
        if digest is None and not reaches_back:
            digest = _digest_before(piece)
        if reaches_back:
            digest = _octets(rows.pop(0)[1]) if rows and rows[0][0] == first - 1 else None
        found, digest = _proved(rows, first, last, digest)
        yield from found
    if end is not None and stop and (end != digest or reached != stop):
        raise DamagedMessage(stop)


def whole_bodies(piece: Piece, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
    """Position and body of those at [start, stop) that are as they were written, for whoever passes over the others."""
    try:
        yield from list(enumerate(read_bodies([piece], start, stop), start))
    except DamagedMessage:
        for position in range(start, stop):
            with suppress(DamagedMessage):
                yield from list(enumerate(read_bodies([piece], position, position + 1), position))


def window(session: UUID, start: int, stop: int | None) -> list[Message] | None:
    """The messages of a live session at the positions [start, stop), in order; None without such a session.

    One statement, for on PostgreSQL the way to the server and back is most of what a window takes. Raises
    DamagedMessage.
    """
    if not start and stop is None:
        found = whole(session)
        return None if found is None else found[0]
    read = _read(session, start, stop)
    return None if read is None else _messages(read)


def whole(session: UUID) -> tuple[list[Message], bytes] | None:
    """All messages of a live session and the digest that they end with, in one statement; None without such a session.

    Of one that was read before it reads what has come since (recent_reads.py). Raises DamagedMessage.
    """
    place = current(), session
    known, era = recent_reads.known(place)
    if known:
        read = _read(session, known.count, None, known.tail)
        if read and read.start:
            further = _messages(read)
            if further:
                recent_reads.remember(place, era, read.end, read.bodies, further, known)
            return known.messages() + further, read.end
    else:
        read = _read(session, 0, None)
    if read is None:
        return None
    messages = _messages(read)
    if messages:
        recent_reads.remember(place, era, read.end, read.bodies, messages, None)
    return messages, read.end


def known_messages(tail: Tail) -> list[Message] | None:
    """All messages of a session with that tail, if they are kept here from when they were read."""
    known, _ = recent_reads.known((current(), tail.session))
    return known.messages() if known and known.tail == tail.digest else None


@dataclass(frozen=True, slots=True)
class _Read:
    """The bodies of a window, each proved."""

    start: int
    bodies: list[bytes]
    end: bytes  # the digest of the last of them
    plain: bool  # whether orjson wrote all of them


def _messages(read: _Read) -> list[Message]:
    return bodies.decode_all(read.bodies) if read.plain else [bodies.decode(body) for body in read.bodies]


def _read(session: UUID, start: int, stop: int | None, before: bytes | None = None) -> _Read | None:
    """A window of a live session; all of it instead where the digest of what stands before it is not `before`."""
    start, stop = min(start, END), END if stop is None else min(stop, END)
    sight, parameters = gate.condition("session.project_id")
    bounds = [start, start - 1, stop, key(session), *parameters]
    with explained():
        quickly = _joined(session, sight, start, bounds, before)
        if quickly:
            return quickly
        if before:
            return _read(session, 0, None)
        rows = execute(_WINDOW.format(_body("message.body"), sight), bounds).fetchall()
    if not rows:
        return None
    if not isinstance(rows[0][0], int):  # in a damaged file of SQLite a column holds anything
        raise DamagedMessage(start)
    last = min(stop, rows[0][0])
    digest: bytes | None = b""
    found = [row[2:] for row in rows if row[3] is not None]
    if start >= last:
        return _Read(start, [], b"", plain=True)
    if start:
        digest = _octets(found.pop(0)[1]) if found and found[0][0] == start - 1 else None
    proved, digest = _proved(found, start, last, digest)
    if last == rows[0][0] and digest != _octets(rows[0][1]):
        raise DamagedMessage(last)
    if last < rows[0][0]:
        check_belongs(session, last - 1)
    return _Read(start, proved, digest or b"", plain=False)


def _joined(session: UUID, sight: str, start: int, bounds: list[Any], expected: bytes | None) -> _Read | None:
    """A window by one text, where it is proved by it, and to stand behind the `expected` digest where one is known.

    None for whatever wants a closer look.
    """
    statement = _JOINED.format(join=_JOIN[connection().vendor], sight=sight)
    count, size, first, at_end, tail, text, digests, others = execute(statement, [JOINED_MOST, *bounds]).fetchone()
    if not isinstance(count, int) or not isinstance(size, int) or size > JOINED_MOST or others:
        return None
    if first != max(start - 1, 0) or at_end != min(bounds[2], count) - 1:
        return None
    parts = _octets(text).split(bodies.BETWEEN) if text else []
    last = min(bounds[2], count)
    stored = bytes.fromhex(digests or "")
    before = stored[: bodies.DIGEST_SIZE] if start else b""
    if expected and before != expected:
        return None
    if len(parts) != last - start or b"".join([before, *bodies.chain(before, parts)]) != stored:
        return None
    end = stored[-bodies.DIGEST_SIZE :]
    if last == count and end != bytes.fromhex(tail):
        return None
    if 0 < last < count:
        check_belongs(session, last - 1)
    return _Read(start, parts, end, plain=True)


# Proving that what is read is what was written


def length_of(body: str) -> str:
    """SQL for the bytes of a body, packed or not, as it was written; `body` is a column."""
    whole = f"octet_length({body})" if connection().vendor == "postgresql" else f"length(CAST({body} AS BLOB))"
    kept = f"CAST(substr({body}, 2, {bodies.SIZE_DIGITS}) AS BIGINT)"
    return f"CASE WHEN substr({body}, 1, 1) = '{bodies.PACKED[0]}' THEN {kept} ELSE {whole} END"


def _body(column: str) -> str:
    """A body as it is told to the digest; as bytes from SQLite, where a damaged one need not be text."""
    return f"CAST({column} AS BLOB)" if connection().vendor == "sqlite" else column


def _octets(value: Any) -> bytes:
    return value.encode(errors="replace") if isinstance(value, str) else bytes(value or b"")


def written(body: Any) -> bytes:
    """A body as it was written, packed or not; of a damaged file it may be anything, and then is not what its digest says."""
    return bodies.plain_bytes(_octets(body))


def _digest_before(piece: Piece) -> bytes | None:
    """The digest of all messages before a piece."""
    if not piece.start:
        return b""
    found = execute("SELECT base_digest FROM forklore_strand WHERE id = %s", [piece.strand]).fetchone()
    return _octets(found[0]) if found else None


def _proved(rows: Sequence[tuple], first: int, stop: int, digest: bytes | None) -> tuple[list[bytes], bytes | None]:
    """The bodies of the rows of position, digest and body, which must be those of [first, stop), and the last digest.

    Each must be what was written behind what stands before it. Raises DamagedMessage.
    """
    if digest is None:
        raise DamagedMessage(first)
    found = [written(body) for _, _, body in rows]
    expected = range(first, stop)
    for place, row, proof in zip(expected, rows, bodies.chain(digest, found), strict=False):
        if row[0] != place or row[1] != proof:
            raise DamagedMessage(place)
    if len(rows) != len(expected):
        raise DamagedMessage(first + len(rows))
    return found, _octets(rows[-1][1]) if rows else digest


def unproved(read: Mapping[Place, bytes]) -> set[Place]:
    """Those of bodies, as `written` gave them, that are not what was written. On PostgreSQL none: it checks its pages."""
    if connection().vendor != "sqlite" or not read:
        return set()
    wanted = ",".join(str(strand << 32 | position) for strand, position in read)
    found = execute(_DIGESTS_AT, [f"[{wanted}]"]).fetchall()
    return read.keys() - {
        (strand, position)
        for strand, position, digest, before in found
        if bodies.chain(_octets(before), [read[strand, position]]) == [_octets(digest)]
    }


def _if_proved(body: Any, digest: Any, before: Any) -> bytes | None:
    found = written(body)
    return found if bodies.chain(_octets(before), [found]) == [_octets(digest)] else None


def check_belongs(session: UUID, position: int) -> None:
    """That what a session shows at a position is its own, however sound the strand is that a piece names.

    Taken for granted on PostgreSQL, which checks its pages. Raises DamagedMessage.
    """
    if connection().vendor == "sqlite":
        found = execute(_ANCHOR, [key(session), position, position]).fetchone()
        if found is None or found[0] != found[1]:
            raise DamagedMessage(position)


def check_pieces(session: UUID, of: Sequence[Piece], first: int, last: int) -> None:
    """The same of each piece that holds any of the positions from first to last."""
    for piece in of:
        if piece.start <= last and piece.stop > first:
            check_belongs(session, piece.start)


# Reading prompts


def prompt_positions(of: Sequence[Piece]) -> list[int]:
    """The positions of what people typed; an index holds them, so no body is read."""
    return [position for (position,) in _prompts("position", of)]


def prompts(of: Sequence[Piece], start: int, stop: int) -> list[tuple[int, bytes | None]]:
    """Position and body of what people typed at the positions [start, stop); no other body is read.

    The pieces are those from `start - 1` on, by which the first one is counted. None instead of a body that is not what was written. Raises DamagedMessage where they are not as many as were counted.
    """
    found = [*_prompts(f"position, prompt_total, {_body('body')}, digest, {_DIGEST_BEFORE}", of, start, stop)]
    last = min(stop, of[-1].stop) if of else start
    if last > start:
        _check_counted([_prompts_up_to(of, start - 1), *(row[1] for row in found)], start)
        if _prompts_up_to(of, last - 1) != (found[-1][1] if found else _prompts_up_to(of, start - 1)):
            raise DamagedMessage(last - 1)
    return [(at, _if_proved(*rest)) for at, _, *rest in found]


def _prompts_up_to(of: Sequence[Piece], position: int) -> int:
    """How many of the messages up to a position people typed."""
    return _totals(of, position)[2] if position >= 0 else 0


def _check_counted(totals: Sequence[int], position: int) -> None:
    """That each prompt was counted as the next one. Raises DamagedMessage."""
    if any(after != before + 1 for before, after in pairwise(totals)):
        raise DamagedMessage(position)


def prompts_around(of: Sequence[Piece], position: int, count: int) -> tuple[list[tuple[int, bytes | None]], int]:
    """At most `count` prompts, half of them up to a position and half behind it, and how many stand before those.

    Where one side has fewer the other has more. No other body is read, and no other prompt looked at. None instead of a
    body that is not what was written.
    """
    above = list[tuple[int, int, bytes | None]]()  # position, prompts up to it, body; backwards
    for piece in reversed(of):
        above += _some_prompts(piece, "position < %s", "DESC", min(position + 1, piece.stop), count - len(above))
    below = list[tuple[int, int, bytes | None]]()
    for piece in of:
        below += _some_prompts(piece, "position > %s", "ASC", position, count - len(below))
    _check_counted([total for _, total, _ in [*reversed(above), *below]], position)
    half = (count + 1) // 2
    kept = max(half, count - len(below))
    found = [*reversed(above[:kept]), *below[: count - min(kept, len(above))]]
    return [(at, body) for at, _, body in found], found[0][1] - 1 if found else 0


def _some_prompts(piece: Piece, where: str, order: str, bound: int, limit: int) -> list[tuple]:
    if limit <= 0:
        return []
    found = execute(
        f"SELECT position, prompt_total, {_body('body')}, digest, {_DIGEST_BEFORE} FROM forklore_message message"  # noqa: S608
        f" WHERE strand_id = %s AND position >= %s AND position < %s AND {where} AND kind = 1"
        f" ORDER BY position {order} LIMIT %s",
        [piece.strand, piece.start, piece.stop, bound, limit],
    ).fetchall()
    return [(at, total, _if_proved(*rest)) for at, total, *rest in found]


def _prompts(columns: str, of: Sequence[Piece], start: int = 0, stop: int | None = None) -> Iterator[tuple]:
    for piece in of:
        last = piece.stop if stop is None else min(stop, piece.stop)
        yield from execute(
            f"SELECT {columns} FROM forklore_message message"  # noqa: S608
            " WHERE strand_id = %s AND position >= %s AND position < %s AND kind = 1 ORDER BY position",
            [piece.strand, max(start, piece.start), last],
        ).fetchall()


# Where sessions agree, and what they come to up to a position


def tail_at(of: Sequence[Piece], session: UUID, position: int, first_prompt: int | None) -> Tail:
    """The tail that a session would have if its messages ended before `position`, without a strand to append to."""
    if not position:
        return Tail(session)
    digest, size, prompt_count = _totals(of, position - 1)
    known = first_prompt if first_prompt is not None and first_prompt < position else None
    return Tail(session, position, digest, size, prompt_count, known)


def common_prefix(tail: Tail, digests: Sequence[bytes]) -> int:
    """How many leading messages a session shares with a list of messages, given as its chained digests.

    Compares one digest where the list goes on from what is there, and about log2(n) where it does not.
    """
    if tail.count and digests[tail.count - 1 : tail.count] == [tail.digest]:
        return tail.count
    low, high = 0, min(tail.count, len(digests))
    of = pieces(tail.session, tail.count, 0, high)
    while low < high:
        middle = (low + high + 1) // 2
        if _totals(of, middle - 1)[0] == digests[middle - 1]:
            low = middle
        else:
            high = middle - 1
    return low


def _totals(of: Sequence[Piece], position: int) -> tuple[bytes, int, int]:
    found = None
    if piece := next((piece for piece in of if piece.start <= position < piece.stop), None):
        found = execute(
            "SELECT digest, size_total, prompt_total FROM forklore_message WHERE strand_id = %s AND position = %s",
            [piece.strand, position],
        ).fetchone()
    if found is None:
        raise DamagedMessage(position)
    return _octets(found[0]), found[1], found[2]


# Writing


def append(tail: Tail, messages: Sequence[Message], encoded: Sequence[bytes]) -> None:
    """Put messages behind a session's last one; `tail` is moved on, and is the caller's to save."""
    if not messages:
        return
    strand = tail.strand or _open_strand(tail)
    projections = [project(message) for message in messages]
    rows = _rows(tail, messages, encoded, projections)
    _insert(strand, rows)
    search_index.add(strand, tail.count, projections, encoded)
    token_rows.add(key(tail.session), strand, tail.count, projections)
    _move_on(tail, rows)


def share(tail: Tail, of: Sequence[Piece], stop: int) -> None:
    """Let a session without messages show the first `stop` messages that the pieces of another one hold."""
    with connection().cursor() as cursor:
        cursor.executemany(
            "INSERT INTO forklore_piece (session_id, start, stop, strand_id) VALUES (%s, %s, %s, %s)",
            [
                [key(tail.session), piece.start, min(piece.stop, stop), piece.strand]
                for piece in of
                if piece.start < stop
            ],
        )


def copy_behind(tail: Tail, of: Sequence[Piece], end: Tail) -> None:
    """Put copies of another session's messages, from the position at which `tail` ends, behind a session's last one."""
    strand = _new_strand(tail.session, tail.count, tail.digest)
    _copy([Piece(max(each.start, tail.count), each.stop, each.strand) for each in of if each.stop > tail.count], strand)
    _assign(tail, end)
    tail.strand = strand


def swap(one: UUID, other: UUID) -> None:
    """Let each of two sessions show what the other showed; their rows are the caller's to save."""
    between = uuid4()  # which is no session, but constraints are looked at when the transaction ends
    for source, target in ((one, between), (other, one), (between, other)):
        execute("UPDATE forklore_piece SET session_id = %s WHERE session_id = %s", [key(target), key(source)])


def hand_over(source: UUID, target: UUID) -> None:
    """Let a session without messages show what another one showed, which shows nothing from then on."""
    execute("UPDATE forklore_piece SET session_id = %s WHERE session_id = %s", [key(target), key(source)])


def truncate(tail: Tail, position: int) -> None:
    """Drop a session's messages from `position` on, and from the strands what nobody shows any more."""
    of = pieces(tail.session, tail.count)
    kept = tail_at(of, tail.session, position, tail.first_prompt)
    last = next((piece for piece in of if piece.start < position <= piece.stop), None)
    with connection().cursor() as cursor:
        cursor.execute(
            "DELETE FROM forklore_piece WHERE session_id = %s AND start >= %s", [key(tail.session), position]
        )
        if last:
            cursor.execute(
                "UPDATE forklore_piece SET stop = %s WHERE session_id = %s AND start = %s",
                [position, key(tail.session), last.start],
            )
    drop_unneeded([piece for piece in of if piece.stop >= position])
    if last and _ends_unclaimed(last.strand, position):
        _claim(tail.session, last)
        kept.strand = last.strand
    _assign(tail, kept)


def drop_all(session: UUID, count: int) -> None:
    """Take all messages from a session, and from the strands what nobody shows any more."""
    of = pieces(session, count)
    forget(session)
    drop_unneeded(of)


def forget(session: UUID) -> None:
    """Take the pieces from a session but leave the messages where they are; the caller drops what is unneeded."""
    with connection().cursor() as cursor:
        cursor.execute("DELETE FROM forklore_piece WHERE session_id = %s", [key(session)])


def drop_unneeded(of: Sequence[Piece]) -> None:
    drop_unneeded_of([piece.strand for piece in of])


def drop_unneeded_of(shown: Iterable[int], at_most: int | None = None) -> None:
    """Drop what no session shows any more of these strands: all behind the last piece, or the whole strand.

    A strand that a session may append to ends where that session ends, so nothing of it is unneeded. The lock keeps
    other sessions from claiming a strand meanwhile; strands are locked by id, so that no two wait for each other.
    Strands of which more than `at_most` messages would go are left to `drop_leftover`.
    """
    strands = sorted(set(shown))
    if not strands:
        return
    with connection().cursor() as cursor:
        _lock(cursor, strands)
        left = _leftovers_among(strands)
        unneeded = _unneeded(cursor, [strand for strand in strands if strand not in left])
        if at_most is not None:
            large = _large(unneeded, at_most)
            cursor.executemany("INSERT INTO forklore_leftover (strand_id) VALUES (%s)", [[strand] for strand in large])
            unneeded = {strand: start for strand, start in unneeded.items() if strand not in large}
        _drop(cursor, unneeded)


def _unneeded(cursor, strands: Sequence[int]) -> dict[int, int]:
    """From which position on nobody shows a strand, but for those to which a session may append; 0 for all of it."""
    return {strand: needed for strand, (needed, claimed) in _all_needed(cursor, strands).items() if not claimed}


def _drop(cursor, unneeded: dict[int, int]) -> None:
    # Messages go last, for they may live on other machines than the rest (DESIGN.md, "Past one machine").
    whole = [strand for strand, start in unneeded.items() if not start]
    for some in (whole[start : start + BATCH] for start in range(0, len(whole), BATCH)):
        marks = _marks(some)
        cursor.execute(f"DELETE FROM forklore_strand WHERE id IN ({marks})", some)  # noqa: S608
        search_index.drop_whole(some)
        token_rows.drop_whole(some)
        cursor.execute(f"DELETE FROM forklore_message WHERE strand_id IN ({marks})", some)  # noqa: S608
    for strand, start in unneeded.items():
        if start:
            _drop_behind(cursor, strand, start)


def _drop_behind(cursor, strand: int, start: int) -> None:
    search_index.drop(strand, start)
    token_rows.drop(strand, start)
    cursor.execute("DELETE FROM forklore_message WHERE strand_id = %s AND position >= %s", [strand, start])


# What is too much for one transaction: the strand is noted, and what nobody shows of it goes from its end on, in others.
# A note says no more than that the strand is to be looked at: what is unneeded is read from the pieces, each time.


def leftover() -> int | None:
    """A strand of which messages may have to be dropped that nobody shows."""
    found = execute("SELECT MIN(strand_id) FROM forklore_leftover").fetchone()
    return found[0]


def is_leftover(strand: int) -> bool:
    return bool(_leftovers_among([strand]))


def drop_leftover(strand: int, at_most: int) -> None:
    """Drop the last messages of a strand that nobody shows, so many of them; with the first of these goes the note,
    and a strand that nobody shows."""
    with connection().cursor() as cursor:
        _lock(cursor, [strand])
        unneeded = _unneeded(cursor, [strand])
        rows = _last_of(unneeded, at_most + 1).get(strand, [])
        some = _not_too_large(rows)[:at_most]
        if len(some) < len(rows):
            _drop_behind(cursor, strand, some[-1])
            return
        _drop(cursor, unneeded)
        cursor.execute("DELETE FROM forklore_leftover WHERE strand_id = %s", [strand])


def _leftovers_among(strands: Sequence[int]) -> set[int]:
    found = set[int]()
    for some in (strands[start : start + BATCH] for start in range(0, len(strands), BATCH)):
        rows = execute(f"SELECT strand_id FROM forklore_leftover WHERE strand_id IN ({_marks(some)})", some)  # noqa: S608
        found |= {strand for (strand,) in rows.fetchall()}
    return found


def _large(unneeded: dict[int, int], at_most: int) -> set[int]:
    """Those of the strands that do not fit into a transaction of so many messages."""
    large = set[int]()
    for strand, rows in _last_of(unneeded, at_most + 1).items():
        if len(rows) > at_most or len(_not_too_large(rows)) < len(rows):
            large.add(strand)
        else:
            at_most -= len(rows)
    return large


def _last_of(unneeded: dict[int, int], limit: int) -> dict[int, list[tuple[int, int]]]:
    """Position and total bytes of the last unneeded messages of each strand, the last first."""
    found: dict[int, list[tuple[int, int]]] = {strand: [] for strand in unneeded}
    if connection().vendor == "postgresql":
        wanted = [list(unneeded), list(unneeded.values()), limit]
        for strand, *row in execute(_LAST_OF_EACH, wanted).fetchall() if unneeded else ():
            found[strand].append((row[0], row[1]))
        return found
    return {strand: execute(_LAST, [strand, start, limit]).fetchall() for strand, start in unneeded.items()}


def _not_too_large(rows: Sequence[tuple[int, int]]) -> list[int]:
    """Positions of as many of the last messages as come to few bytes together, or of one."""
    return [at for at, size in rows if rows[0][1] - size < DROPPED_BYTES]


def _lock(cursor, strands: Sequence[int]) -> None:
    if connection().features.has_select_for_update:
        cursor.execute("SELECT id FROM forklore_strand WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [strands])


def _all_needed(cursor, strands: Sequence[int]) -> dict[int, tuple[int, bool]]:
    """Of each strand up to which position closed pieces show it, and whether a session may append to it."""
    found = dict.fromkeys(strands, (0, False))
    for some in (strands[start : start + BATCH] for start in range(0, len(strands), BATCH)):
        cursor.execute(
            "SELECT strand_id, COALESCE(MAX(stop), 0), COUNT(*) > COUNT(stop) FROM forklore_piece"  # noqa: S608
            f" WHERE strand_id IN ({_marks(some)}) GROUP BY strand_id",
            some,
        )
        found |= {strand: (needed, bool(claimed)) for strand, needed, claimed in cursor.fetchall()}
    return found


def _marks(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _ends_unclaimed(strand: int, position: int) -> bool:
    """Whether the strand, locked by drop_unneeded, ends at `position` and no session may append to it."""
    with connection().cursor() as cursor:
        return _all_needed(cursor, [strand])[strand] == (position, False) and not is_leftover(strand)


def _claim(session: UUID, piece: Piece) -> None:
    with connection().cursor() as cursor:
        cursor.execute(
            "UPDATE forklore_piece SET stop = NULL WHERE session_id = %s AND start = %s", [key(session), piece.start]
        )


def _open_strand(tail: Tail) -> int:
    of = pieces(tail.session, tail.count)
    flatten = len(of) >= PIECE_LIMIT
    if flatten:
        forget(tail.session)
    tail.strand = strand = _new_strand(tail.session, 0 if flatten else tail.count, b"" if flatten else tail.digest)
    if flatten:
        _copy(of, strand)
        drop_unneeded(of)
    return strand


def _new_strand(session: UUID, start: int, digest: bytes) -> int:
    with connection().cursor() as cursor:
        cursor.execute("INSERT INTO forklore_strand (start, base_digest) VALUES (%s, %s) RETURNING id", [start, digest])
        (strand,) = cursor.fetchone()
        cursor.execute(
            "INSERT INTO forklore_piece (session_id, start, stop, strand_id) VALUES (%s, %s, NULL, %s)",
            [key(session), start, strand],
        )
    return strand


def _copy(of: Sequence[Piece], strand: int) -> None:
    with connection().cursor() as cursor:
        for piece in of:
            cursor.execute(
                "INSERT INTO forklore_message (strand_id, position, kind, size_total, prompt_total, digest, body)"
                " SELECT %s, position, kind, size_total, prompt_total, digest, body FROM forklore_message"
                " WHERE strand_id = %s AND position >= %s AND position < %s",
                [strand, piece.strand, piece.start, piece.stop],
            )
            search_index.add_copied(strand, piece.start, piece.stop)
            token_rows.add_copied(strand, piece.strand, piece.start, piece.stop)


def _rows(
    tail: Tail, messages: Sequence[Message], encoded: Sequence[bytes], projections: Sequence[Projection]
) -> list[Row]:
    rows, size, prompt_count = [], tail.size, tail.prompts
    digests = bodies.chain(tail.digest, encoded)
    for position, (message, body, digest) in enumerate(zip(messages, encoded, digests, strict=True), tail.count):
        kind = projections[position - tail.count].kind
        size += len(body)
        prompt_count += kind == 1
        rows.append(Row(position, kind, size, prompt_count, digest, body))
        if tail.first_prompt is None and kind == 1 and prompt_text(message):
            tail.first_prompt = position
    return rows


def _insert(strand: int, rows: Sequence[Row]) -> None:
    values: list[list[Any]] = [
        [strand, row.position, row.kind, row.size_total, row.prompt_total, row.digest, row.body.decode()]
        for row in rows
    ]
    statement = (
        "INSERT INTO forklore_message (strand_id, position, kind, size_total, prompt_total, digest, body)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)"
    )
    if len(values) == 1:
        execute(statement, values[0])
    else:
        execute_many(statement, values)


def _move_on(tail: Tail, rows: Sequence[Row]) -> None:
    last = rows[-1]
    tail.count = last.position + 1
    tail.digest, tail.size, tail.prompts = last.digest, last.size_total, last.prompt_total


def _assign(tail: Tail, other: Tail) -> None:
    tail.count, tail.digest, tail.size = other.count, other.digest, other.size
    tail.prompts, tail.first_prompt, tail.strand = other.prompts, other.first_prompt, other.strand
