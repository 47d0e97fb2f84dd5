"""The rows that a redaction changes: messages and all digests behind them, titles, and what the index says of both.

Only redaction.py calls this module, inside of its transaction. A digest is of a message and all before it, so equal
digests mean equal messages: for each old one that changes the new one is kept, and strands and sessions that build on
it are found by it. A strand builds only on strands that start before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sessions_app import bodies, change_log, search_index
from sessions_app.databases import command, connection, execute, in_transaction
from sessions_app.errors import InvalidRedaction
from sessions_app.piece_table import key
from sessions_app.projection import project, prompt_text
from sessions_app.session_rows import SessionRow, locked_rows, uuid_of
from sessions_app.titles import UNTITLED, derived_title

BATCH = 100  # messages read at once
CHUNK = 400  # parameters of a statement
SCRUBBED_AT_ONCE = 4 * 1024**3  # bytes of a SQLite file; to write a larger one anew takes minutes

Change = Callable[[str], str | None]  # a body anew, None where it stays


@dataclass(frozen=True, slots=True)
class Renewed:
    """What stands in the place of a digest, and how much more bytes and prompts there are up to its message."""

    digest: bytes
    size: int
    prompts: int


@dataclass(slots=True)
class Outcome:
    messages: int = 0
    sessions: list[UUID] = field(default_factory=list)


def family(id: UUID) -> list[UUID]:
    """The session, all of its tree, and all that show a strand which one of these shows; in the trash, too."""
    found: set[Any] = set()
    wanted: set[Any] = {key(id)}
    while wanted:
        found |= wanted
        some = list(wanted)
        wanted = set(_relatives(some)) - found
    return sorted(map(uuid_of, found))


def _relatives(ids: Sequence[Any]) -> Iterator[Any]:
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        marks = ", ".join(["%s"] * len(some))
        for statement in (
            f"SELECT id FROM forklore_session WHERE parent_id IN ({marks})",  # noqa: S608
            f"SELECT parent_id FROM forklore_session WHERE parent_id IS NOT NULL AND id IN ({marks})",  # noqa: S608
            "SELECT DISTINCT other.session_id FROM forklore_piece piece JOIN forklore_piece other"  # noqa: S608
            f" ON other.strand_id = piece.strand_id WHERE piece.session_id IN ({marks})",
        ):
            yield from (found for (found,) in execute(statement, some).fetchall())


def rewrite(ids: Sequence[UUID], change: Change, retitle: Callable[[str], str]) -> Outcome:
    """Change messages of these sessions where they stand, and titles; whoever shares one has the new one."""
    if connection().vendor == "sqlite":
        execute("PRAGMA secure_delete = ON")  # what is freed on the way is overwritten
    outcome = Outcome()
    rows = locked_rows(ids)
    renewed: dict[bytes, Renewed] = {}
    for strand, base in _strands(ids):
        outcome.messages += _rewrite_strand(strand, base, change, renewed)
    for row in rows:
        if _save(row, renewed.get(row.tail.digest), retitle):
            outcome.sessions.append(row.id)
    return outcome


def _strands(ids: Sequence[UUID]) -> list[tuple[int, bytes]]:
    """Strands and the digests on which they build, none before one that it builds on."""
    found: dict[int, tuple[int, bytes]] = {}
    keys = [key(id) for id in ids]
    for first in range(0, len(keys), CHUNK):
        some = keys[first : first + CHUNK]
        rows = execute(
            "SELECT DISTINCT strand.id, strand.start, strand.base_digest FROM forklore_strand strand"  # noqa: S608
            f" JOIN forklore_piece piece ON piece.strand_id = strand.id WHERE piece.session_id IN ({', '.join(['%s'] * len(some))})",
            some,
        )
        found |= {id: (start, bytes(digest)) for id, start, digest in rows.fetchall()}
    if connection().vendor == "postgresql":
        execute("SELECT id FROM forklore_strand WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [sorted(found)])
    return [(id, digest) for id, (_, digest) in sorted(found.items(), key=lambda item: (item[1][0], item[0]))]


def _rewrite_strand(strand: int, base: bytes, change: Change, renewed: dict[bytes, Renewed]) -> int:
    now = renewed.get(base, Renewed(base, 0, 0))
    if now.digest != base:
        execute("UPDATE forklore_strand SET base_digest = %s WHERE id = %s", [now.digest, strand])
    before, changed = base, 0
    for position, kind, prompts, size, digest, body in _messages(strand):
        if bodies.chain(before, [body.encode()]) != [digest]:
            raise InvalidRedaction(
                f"Message {position} of strand {strand} is damaged, and stays as it is: run check_store."
            )
        fresh = change(body)
        if fresh is not None or now.digest != before:
            now = _rewrite_message(strand, position, (kind, prompts, size), (body, fresh), now)
            renewed[digest] = now
            changed += fresh is not None
        else:
            now = Renewed(digest, now.size, now.prompts)
        before = digest
    return changed


def _messages(strand: int) -> Iterator[tuple[int, int, int, int, bytes, str]]:
    last = -1
    while rows := execute(
        "SELECT position, kind, prompt_total, size_total, digest, body FROM forklore_message"
        " WHERE strand_id = %s AND position > %s ORDER BY position LIMIT %s",
        [strand, last, BATCH],
    ).fetchall():
        for position, kind, prompts, size, digest, body in rows:
            yield position, kind, prompts, size, bytes(digest), bodies.plain(body)
        last = rows[-1][0]


def _rewrite_message(
    strand: int, position: int, totals: tuple[int, int, int], body: tuple[str, str | None], before: Renewed
) -> Renewed:
    kind, prompts, size = totals
    old, fresh = body
    written = (old if fresh is None else fresh).encode()
    (digest,) = bodies.chain(before.digest, [written])
    new_kind = kind
    if fresh is not None:
        projection = project(bodies.decode(written))
        new_kind = int(projection.kind)
    now = Renewed(
        digest,
        before.size + len(written) - len(old.encode()),
        before.prompts + (new_kind == 1) - (kind == 1),
    )
    values = [digest, size + now.size, prompts + now.prompts]
    place = [strand, position]
    if fresh is None:
        execute(
            "UPDATE forklore_message SET digest = %s, size_total = %s, prompt_total = %s"
            " WHERE strand_id = %s AND position = %s",
            [*values, *place],
        )
    else:
        execute(
            "UPDATE forklore_message SET digest = %s, size_total = %s, prompt_total = %s, kind = %s, body = %s"
            " WHERE strand_id = %s AND position = %s",
            [*values, new_kind, fresh, *place],
        )
        search_index.replace(strand, position, projection, written)
    return now


def _save(row: SessionRow, tail: Renewed | None, retitle: Callable[[str], str]) -> bool:
    """Whether anything of a session is another by now. Its times stay."""
    title = _title(row, tail.digest) if tail and row.title_source == "derived" else retitle(row.title)
    if not tail and title == row.title:
        return False
    values: dict[str, Any] = {"title": title}
    if tail:
        values |= {
            "tail_digest": tail.digest,
            "size_bytes": row.tail.size + tail.size,
            "prompt_count": row.tail.prompts + tail.prompts,
            "version": row.version + 1,
        }
    assignments = ", ".join(f"{column} = %s" for column in values)
    execute(f"UPDATE forklore_session SET {assignments} WHERE id = %s", [*values.values(), key(row.id)])  # noqa: S608
    if title != row.title:
        search_index.set_title(key(row.id), title)
    change_log.note(key(row.id), row.project_id, "messages")
    return True


def _title(row: SessionRow, digest: bytes) -> str:
    """Derived from the first prompt as it is now; `digest` is that of all messages."""
    row.tail.digest = digest
    first = row.tail.first_prompt
    if first is None:
        return UNTITLED
    (message,) = row.messages(first, first + 1)
    return derived_title(prompt_text(message))


# What a database keeps of what it forgot


def scrub(*, whatever_the_size: bool = False) -> bool:
    """Take out of the file what was deleted or changed; False where that is left to do, or to others.

    Outside of a transaction. SQLite writes the file anew and empties its log; PostgreSQL frees the rows, and its pages,
    logs and backups are its administrator's.
    """
    if in_transaction():
        return False
    if connection().vendor != "sqlite":
        search_index.flush()
        for table in ("forklore_message", "forklore_searchdocument", "forklore_searchtitle", "forklore_session"):
            execute(f"VACUUM {table}")
        return True
    search_index.forget_deleted()
    ((pages,),) = execute("PRAGMA page_count").fetchall()
    ((size,),) = execute("PRAGMA page_size").fetchall()
    if pages * size > SCRUBBED_AT_ONCE and not whatever_the_size:
        return False
    command("VACUUM")
    ((busy, *_),) = execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return not busy
