"""The session store: everything that writes, and the reads that agents need.

Every function is one transaction on the current database (databases.py), takes and returns records, and either does
all of what it says or raises a StoreError and changes nothing. async_store.py has the same functions, awaitable.

Each answers as the actor of the context may know and do (actors.acting, decision 0008): what it may not see is not
found, what it may see and yet not do raises NotAllowed. Code that opened the database by itself has no actor.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from sessions_app import (
    beginnings,
    bodies,
    change_log,
    gate,
    grammar,
    journal,
    journal_parents,
    labels,
    piece_table,
    purging,
    putting,
    quotas,
    recent_lists,
    revisions,
    search_index,
    search_rebuild,
    session_rows,
    transcript_rows,
    write_keys,
)
from sessions_app import search as searching
from sessions_app.access import audit
from sessions_app.actors import Role
from sessions_app.databases import current
from sessions_app.errors import (
    DamagedMessage,
    InvalidLineage,
    InvalidProject,
    InvalidQuery,
    NameTaken,
    SessionNotFound,
    SessionPurged,
)
from sessions_app.piece_table import key
from sessions_app.projection import prompt_text
from sessions_app.putting import TURNS_LIMIT, check_turns, in_utc, new_row
from sessions_app.querysets import PROJECT_NAMED
from sessions_app.recent_lists import KnownList
from sessions_app.records import (
    Change,
    ImportBatch,
    ImportState,
    Message,
    NamedSession,
    Origin,
    ParentLink,
    Relation,
    SearchHit,
    SessionRecord,
)
from sessions_app.search.filters import filters_of
from sessions_app.search.indexed import Distinct
from sessions_app.session_rows import SessionRow, removing, snapshot, writing
from sessions_app.titles import check_agent, check_project, clean_tag, clean_title, shortened

PROMPT_LENGTH = 200  # characters
IMPORTING = "import sessions"
BATCH = 500  # sessions asked for at once
LIMIT = 2**31 - 1  # rows; more than any list has
CHANGES = 1000  # read at once
PAUSE = 0.2  # seconds between two looks at what changed


class Before:
    """What was written under a key before: `done` is its session, None where nothing was."""

    def __init__(self, key: str | None, asked: str, session: UUID | None = None):
        """With a `session`, which is there before the write, the key is kept for it at once."""
        self._key, self._asked = key, asked
        self.done = None
        if key is not None and session:
            self.done = write_keys.claim(key, asked, session, datetime.now(UTC))
        elif key is not None:
            self.done = write_keys.find(key, asked)

    def keep(self, session: UUID) -> None:
        if self._key is not None:
            write_keys.keep(self._key, self._asked, session, datetime.now(UTC))


def now() -> datetime:
    """The clock of the store; tests put another one in its place."""
    return datetime.now(UTC)


# Writing


@contextmanager
def done_once(key: str, asked: bytes) -> Iterator[Before]:
    """A transaction for writes that take no key of their own; who finds them `done` leaves them out, others `keep`.

    `asked` is all that makes one write another. Raises KeyReused.
    """
    with writing():
        yield Before(key, write_keys.asked_for("", [asked]))


def create(project: str, messages: Sequence[Message], *, agent: str = "", once: str | None = None) -> SessionRecord:
    """A new session without a parent; its title is derived from its first prompt.

    `agent` names what wrote it, at most 40 characters. With a key in `once` the same call sent again within a week
    writes nothing and gives the session as it is by then. Raises InvalidProject, InvalidAgent, InvalidMessage,
    MessageTooLarge, and KeyReused where the key was used for another write.
    """
    check_project(project)
    check_agent(agent)
    encoded = _verified(messages, _encoded(messages))
    with _writing_once(once, "create", encoded, project, agent) as before:
        if before.done:
            return _written(before.done)
        row = _new_row(project, agent=agent)
        piece_table.append(row.tail, messages, encoded)
        quotas.check_session(row)
        row.retitle(0, messages)
        session_rows.insert(row)
        before.keep(row.id)
    return row.record(list(messages))


def fork(
    project: str, parent: UUID, messages: Sequence[Message], turns: int, *, once: str | None = None
) -> SessionRecord:
    """A child of `parent` that holds a copy of `messages`; what the two share is stored once.

    `turns` is at least 0; `once` is that of `create`. Raises SessionNotFound for the parent, ValueError for the turns,
    and what `create` raises.
    """
    check_project(project)
    check_turns(turns)
    encoded = _encoded(messages)
    digests = bodies.chain(b"", encoded)
    with _writing_once(once, "fork", encoded, project, parent, turns) as before:
        if before.done:
            return _written(before.done)
        origin = session_rows.locked(parent, share=True, needs=Role.VIEWER)
        shared = piece_table.common_prefix(origin.tail, digests)
        added = _verified(messages, encoded, shared)
        row = _child(origin, shared, "fork", project)
        row.turns = turns
        piece_table.append(row.tail, messages[shared:], added)
        quotas.check_session(row)
        row.retitle(0, messages)
        session_rows.insert(row)
        journal.note("fork", row.id, row.created_at)
        before.keep(row.id)
    return row.record(list(messages))


def fork_at(parent: UUID, position: int, project: str | None = None, *, once: str | None = None) -> SessionRecord:
    """A child that shows the parent's first `position` messages, in the parent's project unless another is given.

    Costs the same whatever the length, so the record comes without the messages. Its turns are the parent's, or the
    number of prompts that it holds where it was cut earlier. `once` is that of `create`. Raises SessionNotFound,
    InvalidProject, KeyReused, and InvalidLineage for a position that is not within the parent.
    """
    if project is not None:
        check_project(project)
    with _writing_once(once, "fork_at", (), parent, position, project) as before:
        if before.done:
            return _written(before.done, with_messages=False)
        origin = session_rows.locked(parent, share=True, needs=Role.VIEWER)
        row = _child(origin, _position_within(origin, position), "fork", project)
        session_rows.insert(row)
        journal.note("fork", row.id, row.created_at)
        before.keep(row.id)
    return row.record([])


def update(
    id: UUID, messages: Sequence[Message], turns: int, *, expected_version: int | None = None, once: str | None = None
) -> None:
    """Replace all messages and set `turns`; writes only what differs from what is there.

    With a key in `once` the same call sent again within a week does nothing. Raises SessionNotFound, InvalidMessage,
    MessageTooLarge, ValueError for negative turns, VersionConflict if the session is at another version than
    `expected_version`, and KeyReused.
    """
    check_turns(turns)
    before = recent_lists.known((current(), id), messages)
    if before and _go_on(before, id, messages, turns, expected_version, once):
        return
    encoded = _encoded(messages)
    digests = bodies.chain(b"", encoded)
    with _writing_once(once, "update", digests[-1:], id, turns, to=id) as written:
        if written.done:
            return
        row = session_rows.locked(id, expected_version)
        shared = piece_table.common_prefix(row.tail, digests)
        added = _verified(messages, encoded, shared)
        if shared < row.tail.count:
            _drop_from(row, shared)
        _extend(row, shared, messages[shared:], added, turns)
    recent_lists.remember((current(), id), row.tail.digest, [*encoded[:shared], *added])


def append(
    id: UUID,
    messages: Sequence[Message],
    turns: int | None = None,
    *,
    turns_added: int = 0,
    expected_version: int | None = None,
    once: str | None = None,
) -> None:
    """Add messages behind the last one; `turns` stays unless given, or grows by `turns_added`.

    Costs what it adds, whatever the session's length. With a key in `once` the same call sent again within a week
    adds nothing. Raises what `update` raises, and KeyReused.
    """
    if turns is not None:
        check_turns(turns)
    _check_not_negative("turns_added", turns_added)
    added = _verified(messages, _encoded(messages))
    with _writing_once(once, "append", added, id, turns, turns_added, to=id) as before:
        if before.done:
            return
        row = session_rows.locked(id, expected_version)
        turns = min(row.turns + turns_added, TURNS_LIMIT) if turns is None else turns
        _extend(row, row.tail.count, messages, added, turns)


def truncate(
    id: UUID,
    count: int,
    turns: int | None = None,
    *,
    expected_version: int | None = None,
    once: str | None = None,
) -> None:
    """Keep the first `count` messages of a session; `turns` stays unless given. `once` is that of `update`.

    Forks that show what is dropped here keep it. Raises SessionNotFound, VersionConflict, KeyReused, and InvalidLineage
    for a count that is not within the session.
    """
    if turns is not None:
        check_turns(turns)
    with _writing_once(once, "truncate", (), id, count, turns, to=id) as before:
        if before.done:
            return
        row = session_rows.locked(id, expected_version)
        if _position_within(row, count) < row.tail.count:
            _drop_from(row, count)
        _extend(row, count, [], [], turns)


def rename(id: UUID, title: str) -> None:
    """Give a session a title of 1 to 200 characters, from then on kept; outer white space is dropped.

    Raises SessionNotFound, and InvalidTitle if nothing is left of the title or too much.
    """
    cleaned = clean_title(title)
    with writing():
        row = session_rows.locked(id)
        session_rows.change_one(id, "title = %s, title_source = 'user'", [cleaned], "renamed")
        search_index.set_title(key(id), cleaned)
        if (cleaned, "user") != (row.title, row.title_source):
            journal.note("rename", id, now(), cleaned, json.dumps([row.title, row.title_source]))
        audit.append("renamed", "session", id)


def suggest_title(id: UUID, title: str) -> None:
    """Give a session a title that an agent made up, cut to 60 characters; it never replaces one that a person gave.

    Raises SessionNotFound.
    """
    with writing():
        row = session_rows.locked(id)
        found = shortened(title)
        if found and row.title_source != "user":
            session_rows.change_one(id, "title = %s, title_source = 'agent'", [found], "renamed")
            search_index.set_title(key(id), found)


def pin(id: UUID) -> None:
    """Keep a session at the top of lists, and clean-up away from it. Raises SessionNotFound."""
    _mark(id, "pin", "pinned", now())


def unpin(id: UUID) -> None:
    """Raises SessionNotFound."""
    _mark(id, "unpin", "pinned", None)


def archive(id: UUID) -> None:
    """Leave a session out of lists; search still finds it. Raises SessionNotFound."""
    _mark(id, "archive", "archived", now())


def unarchive(id: UUID) -> None:
    """Raises SessionNotFound."""
    _mark(id, "unarchive", "archived", None)


def tag(id: UUID, name: str) -> None:
    """Put a tag on a session: 1 to 50 characters without blanks and quotes; case and composition do not matter.

    A tag that is there already stays. Raises SessionNotFound and InvalidTag.
    """
    cleaned = clean_tag(name)
    with writing():
        row = session_rows.locked(id)
        if labels.tag(id, cleaned):
            journal.note("tag", id, now(), cleaned)
        change_log.note(key(id), row.project_id, "labelled")


def untag(id: UUID, name: str) -> None:
    """Take a tag off, if it is there. Raises SessionNotFound and InvalidTag."""
    cleaned = clean_tag(name)
    with writing():
        row = session_rows.locked(id)
        if labels.untag(id, cleaned):
            journal.note("untag", id, now(), cleaned)
        change_log.note(key(id), row.project_id, "labelled")


def set_tags(id: UUID, names: Sequence[str]) -> None:
    """Let these be all tags of a session. Raises SessionNotFound and InvalidTag."""
    wanted = {clean_tag(name) for name in names}
    with writing():
        row = session_rows.locked(id)
        had = set(labels.tags(id))
        for name in sorted(had - wanted):
            labels.untag(id, name)
            journal.note("untag", id, now(), name)
        for name in sorted(wanted - had):
            labels.tag(id, name)
            journal.note("tag", id, now(), name)
        if wanted != had:
            change_log.note(key(id), row.project_id, "labelled")


@removing
def delete(id: UUID) -> None:
    """Move a session to the trash, from where `restore` brings it back. Its forks live on. Raises SessionNotFound."""
    moment = now()
    with writing():
        session_rows.change_one(id, "trashed_at = %s", [session_rows.moment_for_database(moment)], "deleted")
        journal.note("trash", id, moment)
        audit.append("deleted", "session", id)


def restore(id: UUID) -> None:
    """Take a session out of the trash, as it was. Raises SessionNotFound if it is not there."""
    with writing():
        since = session_rows.trashed_at(id)
        session_rows.change_one(id, session_rows.OUT_OF_TRASH, [], "restored", where="trash")
        journal.note("restore", id, now(), before=journal.text(since))
        audit.append("restored", "session", id)


@removing
def purge(id: UUID) -> None:
    """Remove a session of the trash for good; its children go to its parent, or become roots.

    Messages that other sessions show stay. Raises SessionNotFound if it is not in the trash.
    """
    with writing():
        session_rows.one_lineage_change_at_a_time()
        row = session_rows.locked(id, where="trash", needs=Role.MAINTAINER)
        purging.purge([row.id])
        audit.append("purged", "session", id)
    purging.sweep_when_committed()


def put(record: SessionRecord, *, agent: str = "") -> bool:
    """Write a session as a record says it, with its id, times, version and place in its lineage; False if it is there.

    A parent that is not in the store is left out. What the session shares with its parent costs no second storage.
    Raises SessionExists for an id with other messages, ValueError for a time without a zone, and what `create` raises.
    """
    check_project(record.project)
    check_agent(agent)
    check_turns(record.turns)
    encoded = _verified(record.messages, _encoded(record.messages))
    digests = bodies.chain(b"", encoded)
    with writing():
        session_rows.one_lineage_change_at_a_time()
        if putting.is_there(record.id, digests):
            return False
        row = putting.row_of(record, agent, digests)
        putting.share_with_parent(row, record, digests)
        piece_table.append(row.tail, record.messages[row.tail.count :], encoded[row.tail.count :])
        quotas.check_session(row)
        session_rows.insert(row)
    return True


# Reading


def get(id: UUID) -> SessionRecord | None:
    """The whole session, or None if there is none or it is in the trash."""
    found = session_rows.live("session.id = %s", [key(id)], 1)
    if not found:
        return None
    messages = piece_table.known_messages(found[0].tail)
    if messages is None:
        read = piece_table.whole(id)
        if read is None or read[1] != found[0].tail.digest:  # written in between
            return next(iter(_records("session.id = %s", [key(id)], 1, with_messages=True)), None)
        messages = read[0]
    return found[0].record(messages)


def get_messages(id: UUID, start: int = 0, stop: int | None = None) -> list[Message]:
    """The messages at the positions [start, stop), to the end without a stop; reads no others.

    Raises SessionNotFound, ValueError for a negative position, and DamagedMessage for what is not as it was written.
    """
    _check_window(start, stop)
    found = piece_table.window(id, start, stop)
    if found is None:
        raise SessionNotFound(id)
    return found


def prompt_positions(id: UUID) -> list[int]:
    """The positions of what people typed in a session; reads no bodies. Raises SessionNotFound."""
    with snapshot():
        return piece_table.prompt_positions(_live_row(id).pieces())


def prompts(id: UUID, start: int = 0, stop: int | None = None) -> list[tuple[int, str]]:
    """Position and text, cut to 200 characters, of what people typed at the positions [start, stop) of a session.

    Raises SessionNotFound, and ValueError for a negative position.
    """
    _check_window(start, stop)
    with snapshot():
        row = _live_row(id)
        stop = row.tail.count if stop is None else stop
        of = piece_table.pieces(id, row.tail.count, max(start - 1, 0), stop)
        found = piece_table.prompts(of, start, stop)
        piece_table.check_pieces(id, of, start, stop - 1)
    return [(position, (prompt_text(_whole(position, body)) or "")[:PROMPT_LENGTH]) for position, body in found]


def list_by_project(project: str, limit: int, *, with_messages: bool = True) -> list[SessionRecord]:
    """The sessions of a project, most recently updated first, ties by id; at most `limit`.

    [] for a name that no project can have. Without messages it touches no bodies. Raises ValueError for a negative
    limit.
    """
    return list_sessions(limit, project=project, with_messages=with_messages)


def list_sessions(
    limit: int,
    *,
    project: str | None = None,
    after: tuple[datetime, UUID] | None = None,
    with_messages: bool = False,
) -> list[SessionRecord]:
    """The sessions of all projects, or of one, most recently updated first, ties by id; at most `limit`.

    `after` is updated_at and id of the last one of the page before. [] for a name that no project can have. Raises
    ValueError for a negative limit.
    """
    _check_not_negative("limit", limit)
    conditions: list[str] = ["1 = 1"]
    parameters: list[Any] = []
    if project is not None:
        try:
            check_project(project)
        except InvalidProject:
            return []
        conditions.append(f"session.project_id = ({PROJECT_NAMED})")
        parameters.append(project)
    if after is not None:
        moment, id = session_rows.moment_for_database(in_utc(after[0])), key(after[1])
        conditions.append("(session.updated_at < %s OR (session.updated_at = %s AND session.id > %s))")
        parameters += [moment, moment, id]
    return _records(" AND ".join(conditions), parameters, limit, with_messages)


def latest(project: str) -> SessionRecord | None:
    """The most recently updated session of a project, or None if it has none."""
    return next(iter(list_by_project(project, 1)), None)


def find_by_id_prefix(prefix: str, limit: int, *, with_messages: bool = True) -> list[SessionRecord]:
    """The sessions whose id starts with these hex digits, most recently updated first; [] for what is no hex.

    Hyphens and case do not matter; the empty prefix matches all. Raises ValueError for a negative limit.
    """
    _check_not_negative("limit", limit)
    digits = prefix.replace("-", "").lower()
    if len(digits) > 32 or not set(digits) <= set("0123456789abcdef"):
        return []
    bounds = [key(UUID(digits.ljust(32, filler))) for filler in "0f"]
    return _records("session.id BETWEEN %s AND %s", bounds, limit, with_messages)


def tags(id: UUID) -> list[str]:
    """The tags of a session, sorted. Raises SessionNotFound."""
    with snapshot():
        return labels.tags(_live_row(id).id)


def search(query: str, limit: int, *, filters: str = "", distinct: Distinct = "session") -> list[SearchHit]:
    """Sessions whose title or any message's text contains the query, one hit each, most recently updated first.

    The query is literal; case and Unicode composition do not matter. The hit is the first message that contains it,
    or else the title. With `distinct="message"` there is a hit for each stored message that contains it, under the
    newest session that shows it. `filters` are words of the grammar, such as `project:forklore role:user before:30d`.

    Raises InvalidQuery if the query is empty, or at the first word of the filters that means nothing; ValueError for
    a negative limit.
    """
    _check_not_negative("limit", limit)
    asked = grammar.parse(filters)
    asked.check()
    if asked.text.strip():
        raise InvalidQuery(f"The filters hold more than words of the grammar: “{asked.text.strip()}”.")
    with snapshot():
        return searching.search(query, min(limit, LIMIT), filters=filters_of(asked), distinct=distinct)


def find(id: UUID, query: str) -> list[int]:
    """The positions of all messages of a session whose text contains the query, as `search` has it, ascending.

    Raises SessionNotFound, and InvalidQuery for an empty query.
    """
    with snapshot():
        return searching.positions(_live_row(id).id, query)[0]


def tidy(written: int) -> None:
    """Make search as fast as it can be after `written` messages came in; worth it after an import, not after a turn."""
    gate.check_over_all("tidy the search index")
    search_rebuild.tidy(written)


# Sessions that an SDK knows by names of its own


def open_named(
    origin: Origin,
    project: str,
    messages: Sequence[Message] = (),
    turns: int = 0,
    *,
    agent: str = "",
    link: ParentLink | None = None,
) -> tuple[SessionRecord, bool]:
    """The live session of that name, without its messages, and whether it is new.

    A new one is in `project` and holds `messages`; one that is there stays as it is. A name whose session was moved to
    the trash or purged stands for the new one from now on. `link` says whose child a new session is; a parent that is
    not there yet is waited for. Raises what `create` raises.
    """
    check_project(project)
    check_agent(agent)
    check_turns(turns)
    if found := find_named(origin):
        return found, False
    encoded = _verified(messages, _encoded(messages))
    with writing():
        session_rows.one_lineage_change_at_a_time()
        if found := find_named(origin):
            return found, False
        _check_free(origin)
        row = _new_row(project, agent=agent)
        row.turns = turns
        piece_table.append(row.tail, messages, encoded)
        row.retitle(0, messages)
        session_rows.insert(row)
        transcript_rows.bind(origin, row.id)
        if link:
            _link(origin, link)
        _link_waiting_for(origin)
        return _live_row(row.id).record([]), True


def fork_named(origin: Origin, parent: UUID, position: int | None = None) -> SessionRecord:
    """A fork with the parent's first `position` messages, or all, of that name; without messages.

    Raises NameTaken where the name stands for a live session, and what `fork_at` raises.
    """
    with writing():
        session_rows.one_lineage_change_at_a_time()
        if find_named(origin):
            raise NameTaken(f"There is a session named “{origin.external_id}” already.")
        _check_free(origin)
        of = session_rows.locked(parent, share=True, needs=Role.VIEWER)
        row = _child(of, of.tail.count if position is None else _position_within(of, position), "fork")
        session_rows.insert(row)
        journal.note("fork", row.id, row.created_at)
        transcript_rows.bind(origin, row.id)
    return row.record([])


def find_named(origin: Origin) -> SessionRecord | None:
    """The live session that an SDK's name stands for, without its messages; None if there is none."""
    try:
        known = transcript_rows.find(origin)
    except SessionPurged:
        return None
    found = session_rows.live("session.id = %s", [key(known.session)], 1) if known else []
    return found[0].record([]) if found else None


def named(source: str, project_key: str) -> list[NamedSession]:
    """The live sessions that an SDK named in one of its projects, in the order in which it named them."""
    with snapshot():
        rows = transcript_rows.named(source, project_key)
        found: dict[UUID, SessionRecord] = {}
        for start in range(0, len(rows), BATCH):
            keys = [key(id) for _, id, _ in rows[start : start + BATCH]]
            marks = ", ".join(["%s"] * len(keys))
            found |= {row.id: row.record([]) for row in session_rows.live(f"session.id IN ({marks})", keys, len(keys))}
    return [NamedSession(origin, found[id], detail) for origin, id, detail in rows if id in found]


def keep_detail(origin: Origin, detail: dict[str, Any]) -> None:
    """Keep what an SDK's adapter wants to know of a session of that name, any JSON object; does not touch the session.

    Raises NotAllowed; without such a session nothing is kept.
    """
    with writing():
        if found := find_named(origin):
            session_rows.locked(found.id, share=True)
            transcript_rows.keep(origin, detail)


# Following what changes, in whatever process


def newest_change() -> int:
    """Where to begin to follow: the number up to which everything has happened; 0 before the first change."""
    return change_log.newest()


def changes(since: int, limit: int = CHANGES) -> list[Change]:
    """What changed after a number, in order and none left out, as far as the actor may see it; at most `limit`.

    Raises ChangesForgotten for a number from which on not all changes are known any more: whoever follows reads
    anew what it needs, and goes on from `newest_change`. ValueError for a negative limit.
    """
    _check_not_negative("limit", limit)
    with snapshot():
        return change_log.since(since, limit)[0]


def changes_until(since: int, limit: int = CHANGES) -> tuple[list[Change], int]:
    """What `changes` gives, and the number to ask with next, which also passes by what the actor may not see."""
    _check_not_negative("limit", limit)
    with snapshot():
        return change_log.since(since, limit)


def watch(since: int | None = None) -> Iterator[Change]:
    """Every change after a number, or from now on, as it happens, without end. Raises ChangesForgotten."""
    since = newest_change() if since is None else since
    while True:
        found, since = changes_until(since)
        yield from found
        if not found:
            time.sleep(PAUSE)


# Importing: sessions that another tool wrote, and go on growing there


def import_state(origin: Origin) -> tuple[UUID, ImportState] | None:
    """The session that a transcript became and how far it was read; None if it never was.

    Raises SessionPurged if somebody removed the session for good.
    """
    gate.check_over_all(IMPORTING)
    found = transcript_rows.find(origin)
    return (found.session, found.state) if found else None


def import_batch(origin: Origin, batch: ImportBatch, *, agent: str) -> SessionRecord:
    """Write what was read of a transcript, with how far it was read, in one transaction; the first batch creates.

    Children that waited for this session are linked to it. The record comes without messages. Raises SessionPurged,
    InvalidProject, InvalidAgent, InvalidMessage, MessageTooLarge.
    """
    gate.check_over_all(IMPORTING)
    check_project(batch.project)
    check_agent(agent)
    added = _verified(batch.messages, _encoded(batch.messages))
    with writing():
        session_rows.one_lineage_change_at_a_time()
        known = transcript_rows.find(origin)
        row = session_rows.locked(known.session, where="either") if known else _imported_row(batch, agent)
        _keep_for_import(row, known, batch)
        kept = row.tail.count
        shared = beginnings.share(row, batch.beside, added)
        piece_table.append(row.tail, batch.messages[shared:], added[shared:])
        row.retitle(kept, batch.messages)
        _apply_import(row, batch)
        (session_rows.save if known else session_rows.insert)(row)
        transcript_rows.save(origin, row.id, batch.state)
        _link_waiting_for(origin)
    return row.record([])


def link_parent(child: Origin, link: ParentLink) -> bool:
    """Say whose child an imported session is; True if it is linked now, False if its parent has yet to arrive.

    What waits is linked by the batch that brings the parent, or enough of it. Saying the same again changes nothing.
    Raises InvalidLineage for a child that was not imported, or that would be its own ancestor.
    """
    gate.check_over_all(IMPORTING)
    with writing():
        session_rows.one_lineage_change_at_a_time()
        linked = _link(child, link)
        if linked and link.prefix_needed:  # by which the child has become long enough for others
            _link_waiting_for(child)
    return linked


def archive_before_rewrite(origin: Origin) -> UUID | None:
    """Keep the present messages of an imported session as a child, at no cost, before its file's new state replaces
    them; the child's id, or None if there is nothing to keep."""
    gate.check_over_all(IMPORTING)
    with writing():
        known = transcript_rows.find(origin)
        row = session_rows.locked(known.session, where="either") if known else None
        return _archive(row) if row and row.tail.count else None


# Helpers, in the order in which they are called


@contextmanager
def _writing_once(
    key: str | None, verb: str, encoded: Iterable[bytes], *arguments: object, to: UUID | None = None
) -> Iterator[Before]:
    """`to` is the session that is written to, if it is there already."""
    with writing(at_once=True):
        yield Before(key, "" if key is None else write_keys.asked_for(verb, encoded, *arguments), to)


def _mark(id: UUID, action: str, what: labels.Mark, moment: datetime | None) -> None:
    with writing():
        had = labels.mark(id, what, moment)
        if (had is None) != (moment is None):
            journal.note(action, id, moment or now(), before=journal.text(had))


def _written(id: UUID, *, with_messages: bool = True) -> SessionRecord:
    """A session that was written before. Raises SessionNotFound if it is gone by now."""
    row = session_rows.locked(id, share=True, needs=Role.VIEWER)
    return row.record(row.messages() if with_messages else [])


def _encoded(messages: Sequence[Message], first: int = 0) -> list[bytes]:
    return bodies.encode_all(messages, settings.FORKLORE_MESSAGE_LIMIT, first)


def _verified(messages: Sequence[Message], encoded: Sequence[bytes], first: int = 0) -> list[bytes]:
    """The bodies from `first` on; what stands before is in the store already, and was verified on its way in.

    All but NaN, which is encoded as the null that may stand in the store in its place.
    """
    for position in range(first):
        if b"null" in encoded[position]:
            bodies.verify(position, messages[position], encoded[position])
    return [bodies.verify(position, messages[position], encoded[position]) for position in range(first, len(messages))]


def _drop_from(row: SessionRow, position: int) -> None:
    """Drop messages of a session, and keep what it was."""
    moment = now()
    kept = revisions.keep(row, position, moment)
    journal.note("rewrite", row.id, moment, f"{row.version + 1} {kept.hex}")
    piece_table.truncate(row.tail, position)


def _go_on(
    before: KnownList,
    id: UUID,
    messages: Sequence[Message],
    turns: int,
    expected_version: int | None,
    once: str | None,
) -> bool:
    """Update a session with a list that begins with all that it holds; False, and nothing done, if it holds other."""
    for position in before.nulls:
        _encoded_and_verified(messages[position : position + 1], position)
    further = messages[before.count :]
    added = _encoded_and_verified(further, before.count)
    digests = [before.tail, *(bodies.chain(before.tail, added) if once else ())]
    with _writing_once(once, "update", digests[-1:], id, turns) as written:
        if written.done:
            return True
        row = session_rows.locked(id, expected_version)
        if (row.tail.count, row.tail.digest) != (before.count, before.tail):
            return False
        written.keep(id)
        _extend(row, before.count, further, added, turns)
    recent_lists.remember((current(), id), row.tail.digest, added, before)
    return True


def _encoded_and_verified(messages: Sequence[Message], first: int) -> list[bytes]:
    """The bodies of messages that stand at the positions from `first` on."""
    encoded = enumerate(_encoded(messages, first), first)
    return [bodies.verify(position, message, body) for message, (position, body) in zip(messages, encoded, strict=True)]


def _new_row(project: str, agent: str = "", moment: datetime | None = None) -> SessionRow:
    return new_row(project, agent, moment or now())


def _check_not_negative(name: str, value: int) -> None:
    if value < 0:
        raise ValueError(f"{name} is at least 0, not {value}.")


def _check_window(start: int, stop: int | None) -> None:
    _check_not_negative("start", start)
    _check_not_negative("stop", stop or 0)


def _child(parent: SessionRow, shared: int, relation: Relation, project: str | None = None) -> SessionRow:
    """A session, yet to be inserted, that shows the first `shared` messages of its parent."""
    row = _new_row(project or parent.project, parent.agent)
    row.parent_id, row.relation, row.fork_point = parent.id, relation, shared
    of = piece_table.pieces(parent.id, parent.tail.count, 0, shared)
    row.tail = piece_table.tail_at(of, row.id, shared, parent.tail.first_prompt)
    piece_table.share(row.tail, of, shared)
    row.turns = parent.turns if shared == parent.tail.count else min(parent.turns, row.tail.prompts)
    if row.tail.first_prompt is not None:
        row.retitle(row.tail.first_prompt, parent.messages(row.tail.first_prompt, row.tail.first_prompt + 1))
    return row


def _position_within(row: SessionRow, position: int) -> int:
    if not 0 <= position <= row.tail.count:
        raise InvalidLineage(f"Session {row.id} has {row.tail.count} messages; it cannot be forked at {position}.")
    return position


def _extend(row: SessionRow, kept: int, messages: Sequence[Message], added: Sequence[bytes], turns: int | None) -> None:
    if messages:
        quotas.check_project(row.project_id, row.project)
    piece_table.append(row.tail, messages, added)
    quotas.check_session(row)
    row.retitle(kept, messages)
    row.turns = row.turns if turns is None else turns
    row.touch(now())
    session_rows.save(row)


def _records(condition: str, parameters: Sequence[Any], limit: int, with_messages: bool) -> list[SessionRecord]:
    _check_not_negative("limit", limit)
    if not with_messages:
        return [row.record([]) for row in session_rows.live(condition, parameters, min(limit, LIMIT))]
    with snapshot():
        return [row.record(row.messages()) for row in session_rows.live(condition, parameters, min(limit, LIMIT))]


def _whole(position: int, body: bytes | None) -> Message:
    if body is None:
        raise DamagedMessage(position)
    return bodies.decode(body)


def _live_row(id: UUID) -> SessionRow:
    found = session_rows.live("session.id = %s", [key(id)], 1)
    if not found:
        raise SessionNotFound(id)
    return found[0]


def _check_free(origin: Origin) -> None:
    """Keep a name from being taken from a session that the actor does not see. Raises NameTaken."""
    try:
        known = transcript_rows.find(origin)
    except SessionPurged:
        return
    if known and session_rows.is_live(known.session):
        raise NameTaken(f"The name “{origin.external_id}” is in use.")


def _imported_row(batch: ImportBatch, agent: str) -> SessionRow:
    row = _new_row(batch.project, agent, batch.created_at)
    row.updated_at = max(row.created_at, batch.updated_at or row.created_at)
    row.version = 0
    return row


def _keep_for_import(row: SessionRow, known: transcript_rows.Known | None, batch: ImportBatch) -> None:
    """Take from the session what the file has otherwise by now, and keep it as a child if it was not the file's."""
    if not known or batch.keep is None:
        return
    position = known.prefix + batch.keep
    if position >= row.tail.count:
        return
    if row.tail.count != known.prefix + known.state.lines:
        _archive(row)
    piece_table.truncate(row.tail, position)


def _apply_import(row: SessionRow, batch: ImportBatch) -> None:
    title = shortened(batch.title or "")
    if title and row.title_source != "user":
        row.title, row.title_source = title, "agent"
    if batch.turns is not None:
        row.turns = batch.turns
    row.updated_at = max(row.updated_at, batch.updated_at or row.updated_at)
    row.version += 1


def _archive(row: SessionRow) -> UUID:
    child = _child(row, row.tail.count, "compaction")
    child.title, child.title_source = row.title, row.title_source
    child.created_at = child.updated_at = row.updated_at
    session_rows.insert(child)
    return child.id


def _link_waiting_for(origin: Origin) -> None:
    """Link what waits for a session, and what waits for that, where its parent holds enough by now."""
    arrived = [origin]
    while arrived:
        for child, link in transcript_rows.waiting_for(arrived.pop()):
            try:
                if _link(child, link) and link.prefix_needed:
                    arrived.append(child)
            except InvalidLineage:  # a cycle, made up by somebody; it must not keep the parent's messages out
                transcript_rows.stop_waiting_for(child)


def _link(child: Origin, link: ParentLink) -> bool:
    known = transcript_rows.find(child)
    if not known:
        raise InvalidLineage(f"There is no imported session {child.external_id} to link to its parent.")
    parent = transcript_rows.find_parent(link.parent)
    row = session_rows.locked(known.session, where="either")
    if parent is None or parent.session is None:
        transcript_rows.wait(known, link)
        return False
    origin = session_rows.locked(parent.session, where="either")
    if link.prefix_needed and (parent.waits_for_prefix or origin.tail.count < link.fork_point):
        transcript_rows.wait(known, link)
        return False
    settled = journal_parents.is_settled(row.id)  # by an admin, whatever the file says
    if not settled:
        _check_no_cycle(row, origin)
    if link.prefix_needed and not known.prefix:
        _put_prefix_before(row, origin, link.fork_point)
        transcript_rows.set_prefix(known, link.fork_point)
    before = row.lineage()
    if not settled:
        row.parent_id, row.relation, row.relation_inferred = origin.id, link.relation, link.inferred
        row.fork_point = min(link.fork_point, row.tail.count)
    if row.lineage() != before:
        session_rows.save_parent(row)
    transcript_rows.stop_waiting(known)
    return True


def _check_no_cycle(row: SessionRow, parent: SessionRow) -> None:
    if row.id in session_rows.ancestors(parent.id):
        raise InvalidLineage(f"Session {row.id} cannot descend from session {parent.id}, which descends from it.")


def _put_prefix_before(row: SessionRow, parent: SessionRow, count: int) -> None:
    """Let a session start with its parent's first messages; its own are written anew, for their positions change."""
    shown, own = row.pieces(), row.tail.count
    piece_table.forget(row.id)
    of = piece_table.pieces(parent.id, parent.tail.count, 0, count)
    row.tail = piece_table.tail_at(of, row.id, count, parent.tail.first_prompt)
    piece_table.share(row.tail, of, count)
    for start in range(0, own, piece_table.BATCH):
        encoded = list(piece_table.read_bodies(shown, start, start + piece_table.BATCH))
        piece_table.append(row.tail, [bodies.decode(body) for body in encoded], encoded)
    piece_table.drop_unneeded(shown)
    if row.tail.first_prompt is not None:
        row.retitle(row.tail.first_prompt, row.messages(row.tail.first_prompt, row.tail.first_prompt + 1))
    row.version += 1
    session_rows.save(row)
