"""Sessions that are written as they are elsewhere, with their ids, times and places in a lineage: whole, or in parts.

What comes in parts waits in the trash under another id, and is the session it is to be when it is whole (decision 0024).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import overload
from uuid import UUID, uuid4

from django.conf import settings

from sessions_app import bodies, piece_table, purging, quotas, session_rows
from sessions_app.actors import Role
from sessions_app.errors import SessionExists, SessionNotFound, StoreError
from sessions_app.piece_table import Tail
from sessions_app.records import Message, SessionRecord
from sessions_app.session_rows import SessionRow, writing
from sessions_app.titles import TITLE_LIMIT, check_agent, check_project, clean_title

COMING = "Coming in: "
TURNS_LIMIT = 2**31 - 1  # what both databases keep


class Digests(Sequence[bytes]):
    """The chained digests of any number of messages, in little memory."""

    def __init__(self) -> None:
        self._joined = bytearray()

    def extend(self, messages: Sequence[Message]) -> None:
        """Raises InvalidMessage and MessageTooLarge."""
        last = bytes(self._joined[-bodies.DIGEST_SIZE :])
        encoded = bodies.encode_all(messages, settings.FORKLORE_MESSAGE_LIMIT, len(self))
        self._joined += b"".join(bodies.chain(last, encoded))

    def __len__(self) -> int:
        return len(self._joined) // bodies.DIGEST_SIZE

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        at = range(len(self))[place] * bodies.DIGEST_SIZE
        return bytes(self._joined[at : at + bodies.DIGEST_SIZE])


def new_row(project: str, agent: str, moment: datetime, id: UUID | None = None) -> SessionRow:
    """One more session of a project, yet to be inserted. Raises NotAllowed and QuotaExceeded."""
    id = id or uuid4()
    project_id, project = session_rows.project_of(project)
    quotas.check_project(project_id, project, new_sessions=1)
    return SessionRow(id, project_id, project, moment, moment, Tail(id), agent=agent)


def in_utc(moment: datetime) -> datetime:
    """Raises ValueError for a time without a zone, and for one that UTC has no year for."""
    try:
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except OverflowError:
        pass
    raise ValueError(f"A time of a session is one with a zone, within the years 1 to 9999, not {moment.isoformat()}.")


def check_turns(turns: int) -> None:
    if not 0 <= turns <= TURNS_LIMIT:
        raise ValueError(f"turns is from 0 to {TURNS_LIMIT:,}, not {turns}.")


def is_there(id: UUID, digests: Sequence[bytes]) -> bool:
    """Whether there is a session with that id and those messages, in the trash or not.

    Raises SessionExists for one with others, and for one that the actor may not see.
    """
    if not session_rows.is_taken(id):
        return False
    try:
        found = session_rows.locked(id, where="either", share=True, needs=Role.VIEWER)
    except SessionNotFound:
        raise SessionExists(id) from None
    if found.tail.digest != _last(digests):
        raise SessionExists(id)
    return True


def row_of(record: SessionRecord, agent: str, digests: Sequence[bytes]) -> SessionRow:
    """The row of a session as a record says it, yet to be inserted, and without messages."""
    row = new_row(record.project, agent, in_utc(record.created_at), record.id)
    row.updated_at = max(row.created_at, in_utc(record.updated_at))
    row.title, row.title_source = clean_title(record.title), record.title_source
    row.turns, row.version = record.turns, max(record.version, 1)
    if origin := _parent(record):
        row.parent_id, row.relation = origin.id, record.relation or "fork"
        row.fork_point = min(record.fork_point or 0, len(digests))
    return row


def share_with_parent(row: SessionRow, record: SessionRecord, digests: Sequence[bytes]) -> None:
    """Let a session without messages show those of its parent that it has too."""
    if origin := _parent(record):
        shared = piece_table.common_prefix(origin.tail, digests)
        of = piece_table.pieces(origin.id, origin.tail.count, 0, shared)
        row.tail = piece_table.tail_at(of, row.id, shared, origin.tail.first_prompt)
        piece_table.share(row.tail, of, shared)


def put_in_parts(
    record: SessionRecord, agent: str, digests: Digests, parts: Iterable[list[Message]], then: Callable[[], None]
) -> bool:
    """Write a session whose messages come some at a time; False if it is there.

    Each part is a transaction of its own, and the session is there, with what `then` does to it, when the last one is.
    If that fails nothing stays. Raises what store.put raises.
    """
    check_project(record.project)
    check_agent(agent)
    check_turns(record.turns)
    with writing():
        if is_there(record.id, digests):
            return False
        waiting = _begun(record, agent, digests)
    try:
        position = 0
        for part in parts:
            _go_on(waiting, position, part)
            position += len(part)
        return _finish(waiting, record, agent, digests, then)
    except BaseException:
        with suppress(StoreError), writing():
            purging.purge([session_rows.locked(waiting, where="trash").id])
            purging.sweep_when_committed()
        raise


def _last(digests: Sequence[bytes]) -> bytes:
    return digests[-1] if digests else b""


def _parent(record: SessionRecord) -> SessionRow | None:
    if record.parent_id is None:
        return None
    with suppress(SessionNotFound):
        return session_rows.locked(record.parent_id, where="either", share=True, needs=Role.VIEWER)
    return None


def _begun(record: SessionRecord, agent: str, digests: Digests) -> UUID:
    row = row_of(record, agent, digests)  # which raises what there is to say against it
    waiting = new_row(record.project, agent, row.created_at)
    waiting.title, waiting.title_source = (COMING + row.title)[:TITLE_LIMIT], "user"
    share_with_parent(waiting, record, digests)
    session_rows.insert(waiting, trashed_at=datetime.now(UTC))
    return waiting.id


def _go_on(waiting: UUID, position: int, part: list[Message]) -> None:
    encoded = bodies.encode_all(part, settings.FORKLORE_MESSAGE_LIMIT, position)
    with writing():
        row = session_rows.locked(waiting, where="trash")
        shown = max(row.tail.count - position, 0)  # of this part, by the parent
        added = [bodies.verify(position + at, part[at], encoded[at]) for at in range(shown, len(part))]
        piece_table.append(row.tail, part[shown:], added)
        quotas.check_session(row)
        session_rows.save_revision(row, datetime.now(UTC))


def _finish(waiting: UUID, record: SessionRecord, agent: str, digests: Digests, then: Callable[[], None]) -> bool:
    with writing():
        session_rows.one_lineage_change_at_a_time()
        held = session_rows.locked(waiting, where="trash")
        new = not is_there(record.id, digests)
        if new:
            if held.tail.digest != _last(digests):
                raise SessionExists(record.id)
            row = row_of(record, agent, digests)
            row.tail = held.tail
            row.tail.session = row.id
            session_rows.insert(row)
            piece_table.hand_over(waiting, row.id)
            then()
        purging.purge([waiting])
        purging.sweep_when_committed()
    return new
