"""A small store full of what is hard to find, the queries to find it by, and the right answers by brute force."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sessions_app.projection import search_texts
from tests.builders import a_message

ALPHABETS = (
    "etaoin shrdlu",
    "etaoin shrdlu, THE The the import self.return() == != -> // ::",
    "abcXYZ_0123456789-./\\%_*?\"'[](){}<>|&$#@!~`^",
    "straße STRASSE ẞ ſ ﬁ ﬂ İıIi ÉéÈè e\u0301 E\u0301 Åå Å K ΐ ᾳ Σσς",
    "你好世界修正搜索错误日本語テキストひらがな한국어각ᄒ\u1161\u11ab",
    "👩\u200d👩\u200d👧🏳\ufe0f\u200d🌈😀\U0001f1e9\U0001f1ea",
    "\0\x01\x1f\ud800\udfff\ufffe\uffff\ufffd\n\r\t\u2028 ab",
)
WORDS = "the import return self session fork message database transaction assertEqual ZipFile tuple".split()


def a_text(choose: random.Random) -> str:
    parts = []
    for _ in range(choose.choice((0, 1, 1, 2, 4, 8))):
        if choose.random() < 0.5:
            parts.append(" ".join(choose.choices(WORDS, k=choose.randint(1, 12))))
        else:
            parts.append("".join(choose.choices(choose.choice(ALPHABETS), k=choose.randint(1, 60))))
    return choose.choice(("\n", " ", "")).join(parts)


def messages(choose: random.Random, count: int) -> list[dict[str, Any]]:
    return [_message(choose) for _ in range(count)]


def _message(choose: random.Random) -> dict[str, Any]:
    message = a_message(a_text(choose), choose.choice(("user", "assistant", "tool")))
    if choose.random() < 0.2:
        message["tool_calls"] = [{"id": "c", "name": choose.choice(WORDS), "args": {"text": [a_text(choose)]}}]
    return message


def change(store: Any, choose: random.Random, ids: list[UUID]) -> None:
    """One write of any kind to a store of sessions, which `ids` lists, trashed ones no longer."""
    id = choose.choice(ids) if ids else None
    act = choose.choice(
        ("create", "append", "append", "append", "fork", "fork", "update", "rename", "cut", "trash", "long")
    )
    if id is None or act == "create":
        ids.append(store.create("demo", messages(choose, choose.randint(0, 12))).id)
    elif act == "append":
        store.append(id, messages(choose, choose.randint(1, 3)))
    elif act == "long":
        store.append(id, messages(choose, 40))
    elif act == "fork":
        ids.append(store.fork_at(id, choose.randint(0, store.get(id).message_count)).id)
    elif act == "rename":
        store.rename(id, choose.choice(WORDS) + " ⁂ " + "".join(choose.choices("straßeé你好", k=4)))
    elif act == "trash":
        store.delete(id)
        (store.purge if choose.random() < 0.5 else store.restore)(id)
        if store.get(id) is None:
            ids.remove(id)
    else:
        kept = store.get(id).messages
        kept = kept[: choose.randint(0, len(kept))]
        store.update(id, kept + (messages(choose, 3) if act == "update" else []), 1)


def queries(choose: random.Random, sessions: list[Any], count: int) -> Iterator[str]:
    """Pieces of what is there, changed so that they still match or just do not, and what is nowhere."""
    texts = [text for session in sessions for message in session.messages for text in search_texts(message)]
    texts += [session.title for session in sessions]
    for _ in range(count):
        text = choose.choice(texts)
        start = choose.randrange(len(text) or 1)
        query = text[start : start + choose.choice((1, 2, 3, 3, 4, 6, 12, 30, 256))] or "e"
        yield choose.choice(_CHANGES)(query, choose)


_CHANGES = (
    *[lambda query, choose: query] * 4,
    lambda query, choose: query.swapcase(),
    lambda query, choose: query.upper(),
    lambda query, choose: unicodedata.normalize("NFD", query),
    lambda query, choose: query[::-1],
    lambda query, choose: query + choose.choice("e ßX\n\0%"),
    lambda query, choose: query.replace(" ", "\n"),
    lambda query, choose: "".join(choose.choices("%_\\\"'*?.()[]-", k=choose.randint(1, 4))),
    lambda query, choose: choose.choice(WORDS) + " " + choose.choice(WORDS),
    lambda query, choose: choose.choice("etß你👩\u0301\u200d\ud800\0☃"),
)


def fold(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


class Reference:
    """Every session with all its texts folded, newest first: what a search is compared with."""

    def __init__(self, store: Any):
        sessions = sorted(store.list_by_project("demo", 10**6), key=lambda session: session.id)
        self.sessions = sorted(sessions, key=lambda session: session.updated_at, reverse=True)
        self._folded: dict[int, list[str]] = {}
        self._texts = [[self._of(message) for message in session.messages] for session in self.sessions]

    def answer(self, query: str, limit: int) -> list[tuple[UUID, int | None]]:
        needle, found = fold(query), []
        for session, texts in zip(self.sessions, self._texts, strict=True):
            position = next((at for at, folded in enumerate(texts) if any(needle in text for text in folded)), None)
            if position is not None or needle in fold(session.title):
                found.append((session.id, position))
        return found[:limit]

    def _of(self, message: dict[str, Any]) -> list[str]:
        return [fold(text) for text in search_texts(message)]
