"""Writes that are done once, however often they are sent: an agent that heard no answer may ask again.

Only store.py calls this module, inside of its transactions, so that a key is there exactly when its write is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any
from uuid import UUID

from sessions_app import actors, session_rows
from sessions_app.databases import connection, execute
from sessions_app.errors import KeyReused
from sessions_app.piece_table import key as session_key

KEPT = timedelta(days=7)
ALWAYS_KEPT = 1000  # of the newest keys, for a clock that jumps makes all of them old
FORGOTTEN_AT_ONCE = 100  # keys of the oldest, at most
FORGETS = "0"  # what the digest of a key begins with whose write looks for old ones, as one of sixteen does


_INSERT = "INSERT INTO forklore_writekey (digest, asked, session_id, created_at) VALUES (%s, %s, %s, %s)"


def find(key: str, asked: str) -> UUID | None:
    """The session that was written under that key; None where nothing was. Raises KeyReused for another write.

    Nobody else writes under the key until the end of the transaction.
    """
    digest = _digest([actors.caller(), key])
    if connection().vendor == "postgresql":
        execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [digest])
    found = execute("SELECT asked, session_id FROM forklore_writekey WHERE digest = %s", [digest]).fetchone()
    if found is None:
        return None
    if found[0] != asked:
        raise KeyReused("That idempotency key was used for another write.")
    return session_rows.uuid_of(found[1])


def claim(key: str, asked: str, session: UUID, now: datetime) -> UUID | None:
    """What `find` says; where nothing was written it keeps the key for this write, in one statement instead of three.

    Another transaction that has the key is waited for by the index that keeps keys apart.
    """
    digest = _digest([actors.caller(), key])
    if execute(f"{_INSERT} ON CONFLICT (digest) DO NOTHING RETURNING 1", _row(digest, asked, session, now)).fetchall():
        _forget_old(digest, now)
        return None
    return find(key, asked)


def keep(key: str, asked: str, session: UUID, now: datetime) -> None:
    digest = _digest([actors.caller(), key])
    execute(_INSERT, _row(digest, asked, session, now))
    _forget_old(digest, now)


def _row(digest: str, asked: str, session: UUID, now: datetime) -> list[Any]:
    return [digest, asked, session_key(session), session_rows.moment_for_database(now)]


def _forget_old(digest: str, now: datetime) -> None:
    if not digest.startswith(FORGETS):
        return
    execute(
        "DELETE FROM forklore_writekey WHERE digest IN (SELECT digest FROM forklore_writekey"
        " WHERE created_at < %s AND created_at < (SELECT created_at FROM forklore_writekey"
        " ORDER BY created_at DESC LIMIT 1 OFFSET %s) ORDER BY created_at LIMIT %s)",
        [session_rows.moment_for_database(now - KEPT), ALWAYS_KEPT, FORGOTTEN_AT_ONCE],
    )


def asked_for(verb: str, bodies: Iterable[bytes], *arguments: object) -> str:
    """What a write asks for, by which it is told from another one under the same key."""
    digest = blake2b(repr((verb, *arguments)).encode(errors="backslashreplace"), digest_size=32)
    for body in bodies:
        digest.update(len(body).to_bytes(8, "big"))
        digest.update(body)
    return digest.hexdigest()


def _digest(texts: Iterable[str]) -> str:
    digest = blake2b(digest_size=32)
    for text in texts:
        digest.update(repr(text).encode(errors="backslashreplace"))
    return digest.hexdigest()
