"""Takes secrets out of messages for good: the one exception to messages that stay as they are (decision 0023).

What is taken out goes from the whole tree of forks and from whatever else shows the same messages, from titles and from
the search index; digests, sizes and versions follow, so that nobody goes on from what was there. In its place stands
what it was. Files that sessions were imported from, and backups that were made before, are not touched.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.db import transaction

from sessions_app import bodies, purging, recent_reads, redaction_rows, secret_rules, session_rows
from sessions_app.access import audit
from sessions_app.actors import Role
from sessions_app.databases import current, in_transaction
from sessions_app.errors import InvalidRedaction
from sessions_app.records import Message
from sessions_app.secret_rules import mark
from sessions_app.session_rows import writing

SHORTEST = 4  # characters of a text that is named; a shorter one stands everywhere
SHOWN = 4  # characters of a secret by which a person knows it again
MESSAGES = 500  # read at once


@dataclass(frozen=True, slots=True)
class Found:
    """A secret of a message: what it is, how it begins."""

    kind: str
    begins: str


@dataclass(frozen=True, slots=True)
class Redaction:
    messages: int  # that are other ones by now
    sessions: int  # that showed one of them, or had it in the title
    scrubbed: bool  # whether the database's files hold nothing of it any more


def preview(message: Message) -> list[Found]:
    """What would be taken out of a message, each once."""
    found = secret_rules.kinds(message)
    return [Found(kind, text[:SHOWN] if len(text) >= 3 * SHOWN else "") for text, kind in found.items()]


def redact(id: UUID, position: int | None = None, *, texts: Sequence[str] = ()) -> Redaction:
    """Take the secrets of a message, or of all messages of a session, and the texts that are named, out of the store.

    By a maintainer of its project. Raises SessionNotFound, NotAllowed, and InvalidRedaction for a named text of fewer
    than 4 characters and where there is nothing to take out.
    """
    _check(texts)
    if not in_transaction():
        purging.sweep()  # what nobody shows any more may hold it, too
    with writing():
        session_rows.one_lineage_change_at_a_time()
        row = session_rows.locked(id, where="either", needs=Role.MAINTAINER)
        found = dict.fromkeys(texts, "text") | _secrets_of(row, position)
        if not found:
            raise InvalidRedaction(f"There is no secret in session {id} at that place.")
        replacing = _Replacing(found)
        outcome = redaction_rows.rewrite(redaction_rows.family(id), replacing.body, replacing.title)
        if not outcome.messages and not outcome.sessions:
            raise InvalidRedaction("That text stands nowhere in the session, nor in its forks.")
        audit.append("redacted", "session", id, count=outcome.messages)
        # After the commit, for until then others read what was there.
        transaction.on_commit(partial(recent_reads.forget, current()), using=current())
    return Redaction(outcome.messages, len(outcome.sessions), redaction_rows.scrub())


def _check(texts: Sequence[str]) -> None:
    for text in texts:
        if len(text.strip()) < SHORTEST:
            raise InvalidRedaction(f"A text to take out has at least {SHORTEST} characters.")


def _secrets_of(row: session_rows.SessionRow, position: int | None) -> dict[str, str]:
    if position is not None:
        return _merged(row.messages(position, position + 1))
    found: dict[str, str] = {}
    for start in range(0, row.tail.count, MESSAGES):
        found |= _merged(row.messages(start, start + MESSAGES))
    return found


def _merged(messages: Sequence[Message]) -> dict[str, str]:
    return {text: kind for message in messages for text, kind in secret_rules.kinds(message).items()}


class _Replacing:
    """Texts, each in every form in which a string may hold it, and what stands in their places."""

    def __init__(self, found: dict[str, str]):
        forms = {form: mark(kind) for text, kind in found.items() for form in _forms(text)}
        # The longest first, for one may stand in another.
        self._forms = sorted(forms.items(), key=lambda item: -len(item[0]))
        self._is_plain = all(_is_plain(form) for form in forms)

    def body(self, body: str) -> str | None:
        if self._is_plain and not any(form in body for form, _ in self._forms):
            return None
        message = bodies.decode(body)
        changed = self._value(message)
        if changed == message:
            return None
        (encoded,) = bodies.encode_all([changed], len(body.encode()) + 2 * len(body) + 1024)
        return bodies.verify(0, changed, encoded).decode()

    def title(self, title: str) -> str:
        return self._text(title)[:200]

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {self._text(name): self._value(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._value(item) for item in value]
        return value

    def _text(self, text: str) -> str:
        for form, word in self._forms:
            text = text.replace(form, word)
        return text


def _forms(text: str) -> set[str]:
    """As it is, within JSON that is itself a string, and within an address."""
    inner = [json.dumps(text, ensure_ascii=ascii)[1:-1] for ascii in (False, True)]
    twice = [json.dumps(each)[1:-1] for each in inner]
    return {text, *inner, *twice, quote(text.encode("utf-8", "replace"), safe="")}


def _is_plain(text: str) -> bool:
    """Whether it stands in the text of a body as it stands in the message."""
    return text.isascii() and text.isprintable() and not set(text) & set('"\\%/')
