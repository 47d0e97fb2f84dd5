"""Puts right what can be derived: counters, totals, kinds, digests that others prove, ends of pieces, and the index.

Bodies, titles, times, lineage and everything else that somebody wrote are never touched, nor is anything removed. Where
two of body, digest and counter could be the wrong one and nothing tells which, it is left, and store_check names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

from sessions_app import bodies, change_log, figures, search_index, search_rebuild, store_check, token_rows
from sessions_app.databases import connection, current, execute
from sessions_app.errors import StoreError
from sessions_app.projection import prompt_text
from sessions_app.session_rows import writing
from sessions_app.store_check import BATCH, JOURNALLED, UNREADABLE, Base, Progress, Stored, octets

Key = UUID | str

_INDEX_OF_SQLITE = ("missing from index", "wrong # of entries in index", "non-unique entry in index")


def repair(progress: Progress | None = None) -> Iterator[str]:
    """Mend all that can be derived, each session and strand in a transaction of its own; a sentence for each."""
    yield from _tried(_mend_indexes)
    yield from _tried(_mend_journal)
    yield from _tried(_mend_changes)
    for session in _sessions():
        yield from _tried(_mend_pieces, session)
    strands = store_check.strand_numbers()
    for done, strand in enumerate(strands, 1):
        if _is_wrong(strand):
            yield from _tried(_mend_strand, strand)
        if progress and not done % BATCH:
            progress(done, len(strands))
    for strand, session in store_check.shown_strands():
        yield from _tried(_mend_tokens, strand, session)
    for session in _sessions():
        yield from _tried(_mend_end, session)
    yield from _mend_search(progress)
    figures.forget(current())


def _tried(mend: Callable[..., Iterator[str]], *arguments: Any) -> Iterator[str]:
    """What was mended, once it is committed; a part that cannot be read or written keeps nobody from the others."""
    try:
        with writing():
            done = list(mend(*arguments))
    except (*UNREADABLE, StoreError) as error:
        yield f"Not mended: {error}."
    else:
        yield from done


def _mend_tokens(strand: int, session: Key) -> Iterator[str]:
    if token_rows.is_wrong(session, strand):
        token_rows.rebuild(session, strand)
        yield f"Counted the tokens of strand {strand}."


# What stands beside the sessions


def _mend_indexes() -> Iterator[str]:
    if connection().vendor == "sqlite":
        found = [line for (line,) in _fetch("PRAGMA integrity_check(100)")]
        if any(words in line for line in found for words in _INDEX_OF_SQLITE):
            execute("REINDEX")
            yield "Made the indexes of SQLite anew."


def _mend_journal() -> Iterator[str]:
    rows = _fetch(
        "SELECT entry.id, entry.done, COUNT(item.entry_id) FROM forklore_journalentry entry LEFT JOIN"  # noqa: S608
        f" forklore_journalitem item ON item.entry_id = entry.id AND item.state IN {JOURNALLED}"
        " GROUP BY entry.id, entry.done HAVING entry.done <> COUNT(item.entry_id)"
    )
    for entry, _, count in rows:
        execute("UPDATE forklore_journalentry SET done = %s WHERE id = %s", [count, entry])
        yield f"Counted the sessions of entry {entry} of the journal: {count}."


def _mend_changes() -> Iterator[str]:
    if list(store_check.change_problems()):
        change_log.renumber()
        yield "Let the numbers of changes go on behind the last one."


# Pieces


def _mend_pieces(session: Key) -> Iterator[str]:
    count, digest, strand = _locked(session)
    rows = _pieces(session)
    opened = [of for _, stop, of in rows if stop is None]
    if not opened and strand is not None:
        yield from _mend_claim_without_piece(session, strand, rows)
    elif len(opened) == 1 and strand != opened[0] and _claims(opened[0]) == 1:
        execute("UPDATE forklore_session SET strand_id = %s WHERE id = %s", [opened[0], session])
        yield f"Session {session} appends to strand {opened[0]} again."
    for start, _, of in rows:
        first = _first_of(of)
        if first is not None and start != first and _shows_before(rows, first):
            execute(
                "UPDATE forklore_piece SET start = %s WHERE session_id = %s AND start = %s", [first, session, start]
            )
            yield f"The piece of session {session} at {start} starts at {first}, as its strand does."
    rows = _pieces(session)
    for (start, stop, of), following in zip(rows, [*rows[1:], None], strict=True):
        right = following[0] if following else count
        proof = _base_digest(following[2]) if following else digest
        if stop is not None and stop != right and proof is not None and _digest_at(of, right - 1) == proof:
            execute("UPDATE forklore_piece SET stop = %s WHERE session_id = %s AND start = %s", [right, session, start])
            yield f"The piece of session {session} at {start} ends at {right}, not at {stop}."


def _mend_claim_without_piece(session: Key, strand: int, rows: Sequence[tuple]) -> Iterator[str]:
    """A session that appends to a strand has a piece on it; without one it lost the piece, or may not append."""
    start = next((first for (first,) in _fetch("SELECT start FROM forklore_strand WHERE id = %s", [strand])), None)
    end = rows[-1][1] if rows else 0
    if any(of == strand for _, _, of in rows) or start is None or start != end or _claims(strand):
        execute("UPDATE forklore_session SET strand_id = NULL WHERE id = %s", [session])
        yield f"Session {session} no longer appends to strand {strand}, on which it has no open piece."
        return
    execute(
        "INSERT INTO forklore_piece (session_id, start, stop, strand_id) VALUES (%s, %s, NULL, %s)",
        [session, start, strand],
    )
    yield f"Session {session} shows strand {strand} again."


def _shows_before(rows: Sequence[tuple], first: int) -> bool:
    """Whether a piece that starts there would follow another, or be the first."""
    return not first or any(stop == first for _, stop, _ in rows)


# Strands


def _is_wrong(strand: int) -> bool:
    try:
        return next(store_check.strand_problems(strand), None) is not None
    except (*UNREADABLE, StoreError):
        return True


def _mend_strand(strand: int) -> Iterator[str]:
    _lock_writers(strand)
    ((start, digest),) = _fetch("SELECT start, base_digest FROM forklore_strand WHERE id = %s", [strand])
    first = _first_of(strand)
    if first is not None and first != start and all(at == first for at in _starts(strand)):
        execute("UPDATE forklore_strand SET start = %s WHERE id = %s", [first, strand])
        yield f"Strand {strand} starts at {first}, not at {start}."
        start = first
    base = store_check.base_of(strand, start)
    if base and base.digest != octets(digest) and _begins_behind(strand, base):
        execute("UPDATE forklore_strand SET base_digest = %s WHERE id = %s", [base.digest, strand])
        yield f"Strand {strand} goes on from what stands before it."
        digest = base.digest
    changed = sum(
        _mend_message(strand, message, right)
        for message, right in _rightly(strand, start, octets(digest), base)
        if right is not None
    )
    if changed:
        yield f"Mended {changed} messages of strand {strand}: kinds, totals or digests; no body."


def _rightly(strand: int, start: int, digest: bytes, base: Base | None) -> Iterator[tuple[Stored, Stored | None]]:
    """Each message, and what it should be but for its body; None where nothing proves that the body is right."""
    totals = (base.size, base.prompts) if base else None
    position = start
    messages = store_check.messages_of(strand)
    message = next(messages, None)
    while message is not None:
        following = next(messages, None)
        (computed,) = bodies.chain(digest, [message.body])
        if message.position != position or not (
            computed == message.digest or _is_proved(strand, message.position, computed, following)
        ):
            yield message, None
            digest, totals = message.digest, None  # what the totals were from here on, only they themselves say
        else:
            kind = store_check.kind_of(message.body)
            if totals is not None:
                totals = totals[0] + len(message.body), totals[1] + (kind == 1)
            yield message, Stored(message.position, kind, computed, *(totals or message.totals), message.body)
            digest = computed
        position, message = message.position + 1, following


def _is_proved(strand: int, position: int, digest: bytes, following: Stored | None) -> bool:
    """Whether a digest that is not the stored one is the one with which somebody went on."""
    if following is not None and following.position == position + 1:
        return bodies.chain(digest, [following.body]) == [following.digest]
    ended = _fetch(
        "SELECT session.tail_digest FROM forklore_session session JOIN forklore_piece piece"
        " ON piece.session_id = session.id WHERE piece.strand_id = %s AND session.message_count = %s"
        " UNION SELECT strand.base_digest FROM forklore_piece piece JOIN forklore_piece further"
        " ON further.session_id = piece.session_id AND further.start = piece.stop"
        " JOIN forklore_strand strand ON strand.id = further.strand_id"
        " WHERE piece.strand_id = %s AND piece.stop = %s",
        [strand, position + 1, strand, position + 1],
    )
    return any(octets(found) == digest for (found,) in ended)


def _mend_message(strand: int, stored: Stored, right: Stored) -> bool:
    if stored == right:
        return False
    execute(
        "UPDATE forklore_message SET kind = %s, size_total = %s, prompt_total = %s, digest = %s"
        " WHERE strand_id = %s AND position = %s",
        [right.kind, right.size, right.prompts, right.digest, strand, right.position],
    )
    return True


def _begins_behind(strand: int, base: Base) -> bool:
    first = next(store_check.messages_of(strand), None)
    return first is None or bodies.chain(base.digest, [first.body]) == [first.digest]


# Ends of sessions


def _mend_end(session: Key) -> Iterator[str]:
    end = store_check.end_of(session)
    rows = _pieces(session)
    if end is None or (store_check.is_sound(end) and end.count == _shown(rows)):
        return
    _locked(session)
    count = end.count
    if count != _shown(rows) and rows and _digest_at(rows[-1][2], _shown(rows) - 1) == end.said[0]:
        count = _shown(rows)
        execute("UPDATE forklore_session SET message_count = %s WHERE id = %s", [count, session])
        yield f"Session {session} has {count} messages, not {end.count}."
        end = store_check.end_of(session)
    if end is None or end.found is None or not _joins_up(rows, count) or not _is_whole(rows, count):
        return
    if end.said != end.found:
        execute(
            "UPDATE forklore_session SET tail_digest = %s, size_bytes = %s, prompt_count = %s WHERE id = %s",
            [*end.found, session],
        )
        yield f"Session {session} ends as its last message says."
    if not end.first_prompt_fits:
        execute("UPDATE forklore_session SET first_prompt = %s WHERE id = %s", [_first_prompt(rows, count), session])
        yield f"Found the first prompt of session {session} anew."


def _shown(rows: Sequence[tuple]) -> int:
    """Up to where the pieces of a session show messages."""
    if not rows:
        return 0
    start, stop, strand = rows[-1]
    if stop is not None:
        return stop
    ((end,),) = _fetch("SELECT MAX(position) + 1 FROM forklore_message WHERE strand_id = %s", [strand])
    return start if end is None else end


def _joins_up(rows: Sequence[tuple], count: int) -> bool:
    """Whether the pieces show all of so many messages."""
    starts = [start for start, _, _ in rows]
    return [*starts, count] == [0, *(stop for _, stop, _ in rows[:-1]), _shown(rows)]


def _is_whole(rows: Sequence[tuple], count: int) -> bool:
    """Whether the last message is proved by the digest before it, and so may say how the session ends."""
    if not count:
        return True
    last = rows[-1][2]
    found = _fetch("SELECT digest FROM forklore_message WHERE strand_id = %s AND position = %s", [last, count - 2])
    before = octets(found[0][0]) if found else _base_digest(last)
    body = "CAST(body AS BLOB)" if connection().vendor == "sqlite" else "convert_to(body, 'UTF8')"
    stored = _fetch(
        f"SELECT digest, {body} FROM forklore_message WHERE strand_id = %s AND position = %s",  # noqa: S608
        [last, count - 1],
    )
    if not stored:
        return False
    written, whole = map(octets, stored[0])
    return bodies.chain(before or b"", [bodies.plain_bytes(whole)]) == [written]


def _first_prompt(rows: Sequence[tuple], count: int) -> int | None:
    for start, stop, strand in rows:
        for message in store_check.messages_of(strand):
            shown = start <= message.position < (count if stop is None else stop)
            if shown and message.kind == 1 and prompt_text(bodies.decode(message.body.decode())):
                return message.position
    return None


# The index


def _mend_search(progress: Progress | None) -> Iterator[str]:
    if not search_index.supported():
        return
    if search_index.damage() is None and search_index.complete() and next(_index_problems(), None) is None:
        return
    try:
        search_rebuild.start_anew()
        count = search_rebuild.rebuild(progress)
    except (*UNREADABLE, StoreError) as error:
        yield f"Not mended: the search index ({error})."
    else:
        yield f"Built the search index anew, of {count:,} messages."


def _index_problems() -> Iterator[str]:
    try:
        yield from store_check.index_problems(None)
    except (*UNREADABLE, StoreError) as error:
        yield str(error)


# Helpers


def _sessions() -> Iterator[Key]:
    last: Key | None = None
    while rows := _fetch(
        f"SELECT id FROM forklore_session{'' if last is None else ' WHERE id > %s'} ORDER BY id LIMIT {BATCH}",  # noqa: S608
        [] if last is None else [last],
    ):
        for (last,) in rows:
            yield last


def _locked(session: Key) -> tuple[int, bytes, int | None]:
    lock = " FOR UPDATE" if connection().features.has_select_for_update else ""
    ((count, digest, strand),) = _fetch(
        f"SELECT message_count, tail_digest, strand_id FROM forklore_session WHERE id = %s{lock}",  # noqa: S608
        [session],
    )
    return count, octets(digest), strand


def _lock_writers(strand: int) -> None:
    """Keep whoever may append to a strand from it until the end of the transaction; SQLite has one writer anyway."""
    if connection().features.has_select_for_update:
        _fetch("SELECT id FROM forklore_session WHERE strand_id = %s ORDER BY id FOR UPDATE", [strand])


def _pieces(session: Key) -> list[tuple]:
    return _fetch("SELECT start, stop, strand_id FROM forklore_piece WHERE session_id = %s ORDER BY start", [session])


def _claims(strand: int) -> int:
    return _fetch("SELECT COUNT(*) FROM forklore_piece WHERE strand_id = %s AND stop IS NULL", [strand])[0][0]


def _starts(strand: int) -> list[int]:
    return [start for (start,) in _fetch("SELECT DISTINCT start FROM forklore_piece WHERE strand_id = %s", [strand])]


def _first_of(strand: int) -> int | None:
    return _fetch("SELECT MIN(position) FROM forklore_message WHERE strand_id = %s", [strand])[0][0]


def _base_digest(strand: int) -> bytes | None:
    found = _fetch("SELECT base_digest FROM forklore_strand WHERE id = %s", [strand])
    return octets(found[0][0]) if found else None


def _digest_at(strand: int, position: int) -> bytes | None:
    found = _fetch("SELECT digest FROM forklore_message WHERE strand_id = %s AND position = %s", [strand, position])
    return octets(found[0][0]) if found else (b"" if position < 0 else None)


def _fetch(statement: str, parameters: Sequence[Any] = ()) -> list[tuple]:
    return execute(statement, parameters).fetchall()
