"""Bundles: sessions as one JSONL file that brings them back as they were, with their ids, forks and times.

The first line says what it is; each session is a line of facts and a line for each of its messages; the last line counts
them and holds the SHA-256 of all before it, so that a file that was cut or changed is refused before anything is written.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, TextIO, get_args
from uuid import UUID

from django.conf import settings

from sessions_app import bodies, putting, secret_rules, session_rows, store
from sessions_app.access import audit
from sessions_app.errors import BrokenBundle
from sessions_app.models import Session
from sessions_app.records import Message, Relation, SessionRecord, TitleSource

FORMAT = "forklore-bundle"
VERSION = 1
WINDOW = 500  # messages read at once, and sessions
AT_ONCE = 8 * 1024 * 1024  # bytes of messages read at once, as far as the average tells, and of lines written at once
LONGER = 4  # times as long as its message a line may be, where every character is escaped
PLAIN, SPELLED = "message", "spelled"  # the second where JSON cannot tell surrogates from what they make (bodies.py)


@dataclass(slots=True)
class Outcome:
    sessions: int = 0
    messages: int = 0
    new: int = 0  # of the sessions
    redacted: int = 0  # of the messages


def export(ids: Iterable[UUID], file: TextIO, *, keep_secrets: bool = False) -> Outcome:
    """Write sessions, each after its parent where both are among them. Raises SessionNotFound.

    Secrets are left out unless they are to be kept; what has some does not come back as it was.
    """
    outcome, digest = Outcome(), hashlib.sha256()

    def write(value: Any) -> None:
        line = json.dumps(value, separators=(",", ":")) + "\n"
        digest.update(line.encode("ascii"))
        file.write(line)

    write({"format": FORMAT, "version": VERSION})
    for session in _parents_first(ids):
        outcome.sessions += 1
        outcome.messages += session.message_count
        facts = _facts(session)
        write({"session": facts if keep_secrets else facts | {"title": secret_rules.redacted(facts["title"])}})
        window = _window(session)
        for start in range(0, session.message_count, window):
            for message in store.get_messages(session.pk, start, min(start + window, session.message_count)):
                shared = message if keep_secrets else secret_rules.redacted_value(message)
                outcome.redacted += shared is not message and shared != message
                write(_line(shared))
    end = {"sessions": outcome.sessions, "messages": outcome.messages, "sha256": digest.hexdigest()}
    file.write(json.dumps({"end": end}) + "\n")
    return outcome


def lineage_of(id: UUID) -> list[UUID]:
    """The session, its ancestors, and all that descends from its root. Raises SessionNotFound."""
    root = Session.objects.visible().filter(pk=id, trashed_at=None).first()
    if root is None:
        raise store.SessionNotFound(id)
    while root.parent_id and (parent := Session.objects.visible().filter(pk=root.parent_id, trashed_at=None).first()):
        root = parent
    found, level = [root.pk], [root.pk]
    while level:
        level = list(Session.objects.visible().filter(parent__in=level, trashed_at=None).values_list("pk", flat=True))
        found += level
    return found


def bring_in(file: IO[bytes]) -> Outcome:
    """Write what is not there yet; a session that is there with the same messages stays as it is.

    `file` can be read from any place. Each session is there whole, with its labels, or not at all, and is held in memory
    a part at a time. Raises BrokenBundle, for a file that was cut or changed before anything is written; SessionExists
    for an id with other messages; and what `put` raises.
    """
    outcome = Outcome()
    for place in _checked(file):
        outcome.sessions += 1
        outcome.messages += place.messages
        outcome.new += _bring_in_one(file, place)
    return outcome


def _bring_in_one(file: IO[bytes], place: _Place) -> bool:
    facts = _facts_at(file, place)
    if place.size <= AT_ONCE and place.messages <= WINDOW:
        messages = [message for part in _parts(file, place) for message in part]
        record = _record(facts, messages, place.messages)
        with session_rows.writing():
            new = store.put(record, agent=facts.get("agent") or "")
            if new:
                _label(record.id, facts)
        return new
    digests = putting.Digests()
    for part in _parts(file, place):
        digests.extend(part)
    record = _record(facts, [], place.messages)
    then = partial(_label, record.id, facts)
    return putting.put_in_parts(record, facts.get("agent") or "", digests, _parts(file, place), then)


def _parents_first(ids: Iterable[UUID]) -> list[Session]:
    wanted = list(dict.fromkeys(ids))
    found: dict[UUID, Session] = {}
    for start in range(0, len(wanted), WINDOW):
        part = Session.objects.visible().filter(pk__in=wanted[start : start + WINDOW], trashed_at=None)
        found |= {session.pk: session for session in part.select_related("project")}
    for id in wanted:
        if id not in found:
            raise store.SessionNotFound(id)
    ordered: dict[UUID, Session] = {}
    for session in found.values():
        chain = []
        while session.pk not in ordered:
            chain.append(session)
            if not session.parent_id or session.parent_id not in found:
                break
            session = found[session.parent_id]
        ordered |= {each.pk: each for each in reversed(chain)}
    return list(ordered.values())


def _window(session: Session) -> int:
    average = session.size_bytes // max(session.message_count, 1)
    return max(1, min(WINDOW, AT_ONCE // max(average, 1)))


def _facts(session: Session) -> dict[str, Any]:
    (record,) = store.find_by_id_prefix(str(session.pk), 1, with_messages=False)
    return {
        **record.facts(),
        "agent": session.agent,
        "tags": store.tags(session.pk),
        "pinned": session.pinned_at is not None,
        "archived": session.archived_at is not None,
    }


def _line(message: Message) -> dict[str, Any]:
    if json.loads(json.dumps(message)) == message:
        return {PLAIN: message}
    return {SPELLED: bodies.spell(message)}


@dataclass(slots=True)
class _Place:
    """Where the lines of a session are."""

    start: int  # bytes before the one of its facts
    number: int  # of that line, from 1
    messages: int = 0
    size: int = 0  # bytes of their lines


def _checked(file: IO[bytes]) -> list[_Place]:
    """Read the whole file once, before anything of it is believed."""
    digest, last, at, number = hashlib.sha256(), b"", 0, 0
    places: list[_Place] = []
    file.seek(0)
    for number, line in enumerate(_lines(file), 1):
        if last:
            digest.update(last)
            if number > 2:
                _note(places, _value(last, number - 1), at - len(last), number - 1, len(last))
            elif _value(last, 1).get("format") != FORMAT or _value(last, 1).get("version") != VERSION:
                raise BrokenBundle("This is no bundle of Forklore, or one of a newer version.")
        last = line
        at += len(line)
    end = _value(last, 0).get("end") if number > 1 else None
    counts = [len(places), sum(place.messages for place in places)]
    if not isinstance(end, dict) or [end.get("sessions"), end.get("messages")] != counts:
        raise BrokenBundle("The bundle was cut off: its last line does not count what stands before it.")
    if end.get("sha256") != digest.hexdigest():
        raise BrokenBundle("The bundle was changed: its digest is not that of its lines.")
    return places


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    longest = LONGER * settings.FORKLORE_MESSAGE_LIMIT
    for number in itertools.count(1):
        line = file.readline(longest + 1)
        if len(line) > longest:
            raise BrokenBundle(f"Line {number} of the bundle is longer than any message may be.")
        if not line:
            return
        yield line


def _note(places: list[_Place], value: dict[str, Any], start: int, number: int, length: int) -> None:
    if "session" in value:
        places.append(_Place(start, number))
    elif not places:
        raise BrokenBundle("The bundle has messages that are of no session.")
    else:
        places[-1].messages += 1
        places[-1].size += length


def _facts_at(file: IO[bytes], place: _Place) -> dict[str, Any]:
    file.seek(place.start)
    facts = _value(file.readline(), place.number)["session"]
    if not isinstance(facts, dict):
        raise BrokenBundle(f"Line {place.number} of the bundle is neither a session nor a message.")
    return facts


def _parts(file: IO[bytes], place: _Place) -> Iterator[list[Message]]:
    """The messages of a session, some at a time; the file is at no other place meanwhile."""
    file.seek(place.start)
    file.readline()
    part, size = list[Message](), 0
    for number in range(place.number + 1, place.number + 1 + place.messages):
        line = file.readline()
        if part and (size + len(line) > AT_ONCE or len(part) >= WINDOW):
            yield part
            part, size = [], 0
        part.append(_message(_value(line, number), number))
        size += len(line)
    yield part


def _message(value: dict[str, Any], number: int) -> Message:
    if PLAIN not in value and SPELLED not in value:
        raise BrokenBundle(f"Line {number} of the bundle is neither a session nor a message.")
    return value[PLAIN] if PLAIN in value else _unspelled(value[SPELLED], number)


def _unspelled(value: Any, number: int) -> Any:
    try:
        return bodies.unspell(value)
    except (TypeError, ValueError, AttributeError) as error:
        raise BrokenBundle(f"Line {number} of the bundle is no message.") from error


def _value(line: bytes, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BrokenBundle(f"Line {number} of the bundle is no JSON object." if number else "The bundle was cut off.")
    return value


def _record(facts: dict[str, Any], messages: list[Message], count: int) -> SessionRecord:
    try:
        for name, kind in _KINDS.items():
            if not isinstance(facts.get(name), kind):
                raise TypeError(name)
        if facts["relation"] not in (None, *get_args(Relation)) or facts["title_source"] not in get_args(TitleSource):
            raise ValueError("relation or title_source")
        return SessionRecord.from_facts({**facts, "message_count": count}, messages)
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenBundle(f"A session of the bundle lacks what it needs: {error}.") from None


_TEXT = (str,)
_NUMBER = (int,)
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("id", "project", "created_at", "updated_at", "title", "title_source"), _TEXT),
    **dict.fromkeys(("turns", "version"), _NUMBER),
    **dict.fromkeys(("parent_id", "relation", "agent"), (str, type(None))),
    "fork_point": (int, type(None)),
    "tags": (list, type(None)),
}


def _label(id: UUID, facts: dict[str, Any]) -> None:
    if facts.get("tags"):
        store.set_tags(id, facts["tags"])
    if facts.get("pinned"):
        store.pin(id)
    if facts.get("archived"):
        store.archive(id)


def note_exported(ids: Sequence[UUID]) -> None:
    """Put into the audit log who took sessions out, in whatever form."""
    different = list(dict.fromkeys(ids))
    audit.append("exported", "session", different[0] if len(different) == 1 else "several", count=len(different))
