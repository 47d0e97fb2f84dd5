"""Searches from a terminal, as grep does: hits by session, with what was found in colour."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from sessions_app import search, store
from sessions_app.errors import InvalidQuery
from sessions_app.grammar import parse
from sessions_app.records import SearchHit
from sessions_app.search.filters import filters_of
from sessions_app.search.text import find_all
from sessions_app.web.formats import age_text, short_name
from sessions_app.web.rendering.ansi import excerpt_to_text
from sessions_app.web.rendering.text import visible

FOUND, NOTHING, WRONG = 0, 1, 2  # as grep has them
LIMIT = 50  # hits
BOLD, DIM, RED, GREEN = "1", "2", "1;31", "32"  # codes of colours; grep's are the same


class Command(BaseCommand):
    help = (
        "Search all titles and messages: any part of a text, and words such as project:NAME, role:user, after:7d that "
        "narrow it; put -- before one that begins with a hyphen. Newest sessions first. Exit code 0: found; 1: nothing found; 2: the query means nothing."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("query", nargs="+", metavar="QUERY", help="what to look for; several words are one text")
        parser.add_argument("--limit", type=_limit, default=LIMIT, help=f"hits at most (default: {LIMIT})")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")
        parser.add_argument("--color", choices=("auto", "always", "never"), default="auto")

    def handle(self, *args: Any, query: list[str], limit: int, json: bool, color: str, **options: Any) -> None:
        try:
            text, hits = _search(" ".join(query), limit)
        except InvalidQuery as error:
            self.stderr.write(str(error))
            sys.exit(WRONG)
        paint = _Paint(_wants_color(color))
        try:
            for line in map(_as_json, hits) if json else _told(hits, text, paint):
                self.stdout.write(line)
            self.stdout.flush()
        except BrokenPipeError:  # whoever read has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if len(hits) == limit and not json:
            self.stderr.write(f"The first {limit} hits; more by --limit.")
        sys.exit(FOUND if hits else NOTHING)


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= store.LIMIT:
        raise ArgumentTypeError(f"a number of hits from 1 on, not {text}.")
    return int(text)


def _search(source: str, limit: int) -> tuple[str, list[SearchHit]]:
    """The text of the query, and its hits. Raises InvalidQuery, which shows the word that means nothing."""
    query = parse(source, timezone.localtime())
    try:
        query.check()
    except InvalidQuery as error:
        start, stop = error.start or 0, error.stop or 0
        raise InvalidQuery(f"{error}\n  {visible(source)}\n  {' ' * start}{'^' * (stop - start)}") from None
    text = query.text if query.text.strip() else ""
    filters = filters_of(query)
    if not text and filters.sessions is None:
        raise InvalidQuery("A search needs at least one character, or a word such as project:NAME.")
    return text, search.search_page(text, limit, filters=filters, distinct="message", seconds=None).hits


def _wants_color(wish: str) -> bool:
    """https://no-color.org, and no colour where nobody looks."""
    if wish == "auto":
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wish == "always"


class _Paint:
    def __init__(self, on: bool):
        self._on = on

    def __call__(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._on and text else text


def _as_json(hit: SearchHit) -> str:
    return json.dumps(asdict(hit) | {"id": str(hit.id), "updated_at": hit.updated_at.isoformat()})


def _told(hits: Sequence[SearchHit], text: str, paint: _Paint) -> Iterator[str]:
    """A heading for each session, and its hits below; nothing of what they hold moves the terminal."""
    now = timezone.now()
    for number, (_, together) in enumerate(groupby(hits, key=lambda hit: hit.id)):
        of_session = list(together)
        first = of_session[0]
        facts = f"{str(first.id)[:8]}  {visible(short_name(first.project))}  {age_text(first.updated_at, now)}"
        yield ("\n" if number else "") + f"{paint(excerpt_to_text(first.title), BOLD)}  {paint(facts, DIM)}"
        for hit in of_session:
            place = "title" if hit.position is None else f"{hit.position}:{hit.role}"
            shared = f"  (also in {hit.shared_with} more)" if hit.shared_with else ""
            yield f"  {paint(place, GREEN)}: {_marked(hit.snippet, text, paint)}{paint(shared, DIM)}"


def _marked(snippet: str, text: str, paint: _Paint) -> str:
    line = excerpt_to_text(snippet)
    pieces, end = [], 0
    for start, stop in find_all(line, text):
        pieces += [line[end:start], paint(line[start:stop], RED)]
        end = stop
    return "".join([*pieces, line[end:]])
