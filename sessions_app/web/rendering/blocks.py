"""From messages to what a template draws: blocks of text, thinking, tool cards, pictures, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from django.utils.safestring import SafeString

from sessions_app import projection, secret_rules
from sessions_app.projection import Kind, Part, Projection
from sessions_app.web.formats import size_text
from sessions_app.web.rendering import images, json_tree, markdown
from sessions_app.web.rendering.cards import NOTHING, Body, Card, Exchange, Source, card
from sessions_app.web.rendering.marks import escape_and_mark
from sessions_app.web.rendering.outcomes import codex_details
from sessions_app.web.rendering.text import cut, one_line, visible

Role = Literal["person", "agent", "system", "tool", "quiet"]
FEWEST_TOKENS = 20  # Claude Code records fewer where it wrote the line while the answer was still streaming in
SUMMARY_LENGTH = 90  # characters of a folded thought or notice
LOOKED_AT = 1_000_000  # characters of each string in which secrets are looked for
KINDS = {  # of blocks that a person may leave out; what the others say is always shown
    "transcript/_card.html": "tool",
    "transcript/_thinking.html": "thinking",
    "transcript/_notice.html": "notice",
}
DETAILS = "toolUseResult"  # where Claude Code keeps what it knows of a result beside its text


@dataclass(frozen=True, slots=True)
class Entry:
    """A message at its place, read once."""

    position: int
    message: Mapping[str, Any]
    seen: Projection

    @property
    def details(self) -> Mapping[str, Any]:
        """What the agent recorded of a result beside its text."""
        details = self.message.get(DETAILS)
        if isinstance(details, Mapping):
            return details
        payload = self.message.get("payload")
        return codex_details(payload.get("output")) if isinstance(payload, Mapping) else {}

    @property
    def is_quiet(self) -> bool:
        """Notices, wrappers and system prompts: kept and shown, but nothing that was said."""
        if self.seen.kind == Kind.UNREADABLE:
            return False
        spoken = [part for part in self.seen.parts if part.kind != "notice"]
        return self.seen.kind == Kind.NOTICE or not spoken or self._is_wrapper(spoken)

    def _is_wrapper(self, spoken: list[Part]) -> bool:
        is_text = all(part.kind == "text" for part in spoken)
        return is_text and (self.seen.role == "system" or (self.seen.role == "user" and self.seen.kind != Kind.PROMPT))


def entry(position: int, message: Mapping[str, Any]) -> Entry:
    return Entry(position, message, projection.project(dict(message)))


@dataclass(slots=True)
class Block:
    """A part of a message; `template` draws it."""

    template: str
    html: SafeString = NOTHING
    body: Body | None = None
    card: Card | None = None
    summary: str = ""
    label: str = ""
    is_open: bool = False
    subagent: Any = None  # the session that a sub-agent wrote, where it is known


@dataclass(slots=True)
class Item:
    """What stands beside one number: a message, with the results of its calls."""

    position: int
    role: Role
    blocks: list[Block]
    author: str = ""
    time: datetime | None = None
    model: str = ""
    tokens: int | None = None
    also: list[int] = field(default_factory=list)  # positions of messages that are shown in this item's cards
    label: str = ""
    is_target: bool = False
    has_secret: bool = False
    day: datetime | None = None  # set where another day begins
    forks: list[Any] = field(default_factory=list)  # sessions that leave after this item, the first of them
    fork_count: int = 0
    ends_shared: bool = False  # the last of what a fork shares with its parent
    template: str = "transcript/_item.html"

    @property
    def last(self) -> int:
        return max([self.position, *self.also])

    @property
    def kinds(self) -> str:
        """Of what the page can leave out: the kinds of its blocks, "tool thinking", or "" where it says more."""
        found = {KINDS.get(block.template, "") for block in self.blocks}
        return "" if "" in found else " ".join(sorted(found))

    @property
    def has_head(self) -> bool:
        """Whether who said it stands above it; a card or a thought speaks for itself."""
        heads = ("transcript/_prose.html", "transcript/_image.html", "transcript/_plain.html")
        return self.role in ("person", "system") or any(block.template in heads for block in self.blocks)


@dataclass(slots=True)
class Group:
    """Quiet items that follow each other, folded into one line."""

    items: list[Item]
    summary: str
    is_open: bool
    template: str = "transcript/_group.html"
    day: datetime | None = None
    forks: list[Any] = field(default_factory=list)
    fork_count: int = 0
    ends_shared: bool = False

    @property
    def position(self) -> int:
        return self.items[0].position

    @property
    def last(self) -> int:
        return self.items[-1].last


@dataclass(slots=True)
class Drawing:
    """How the items of one page are drawn: the person's query, the time that is left, where results are."""

    base: str = ""  # the directory that paths are shown from
    query: str = ""
    target: int | None = None
    results: Mapping[tuple[int, int], tuple[Entry, int]] = field(default_factory=dict)  # by the place of their call
    calls: Mapping[tuple[int, int], tuple[Entry, int]] = field(default_factory=dict)  # by the place of their result
    swallowed: frozenset[tuple[int, int]] = frozenset()  # results that are shown with their call
    is_final: bool = True  # whether results were looked for up to the end of the session
    budget: markdown.Budget = field(default_factory=markdown.Budget)

    def item(self, one: Entry, agent: str) -> Item:
        """The item of a message; without blocks where all of it is shown in the card of a call."""
        blocks = [block for number in range(len(one.seen.parts)) if (block := self._block(one, number))]
        if one.is_quiet:
            blocks = blocks or [_notice(one, Part("notice"), self.query)]
        return Item(
            one.position,
            _role(one),
            blocks,
            author={"person": "You", "system": "System"}.get(_role(one), agent),
            time=one.seen.timestamp,
            model=one_line(one.seen.model, 60),
            tokens=tokens if (tokens := one.seen.output_tokens or 0) >= FEWEST_TOKENS else None,
            label=_label(one),
            is_target=one.position == self.target,
            has_secret=bool(blocks) and self._holds_secret(one),
        )

    def _holds_secret(self, one: Entry) -> bool:
        """In itself, or in the results that are shown in its cards; not looked for once the page's time is spent."""
        if self.budget.is_spent:
            return False
        answers = [self.results[place][0] for place in self.results if place[0] == one.position]
        return any(secret_rules.holds_any(dict(each.message), LOOKED_AT) for each in [one, *answers])

    def _block(self, one: Entry, number: int) -> Block | None:
        part = one.seen.parts[number]
        if (one.position, number) in self.swallowed:
            return None
        source = Source(one.position, number)
        if part.kind in ("tool_call", "tool_result"):
            return self._card(one, number)
        if part.kind == "image":
            return (
                None if self._is_in_card(one, number) else Block("transcript/_image.html", body=_picture(one, number))
            )
        if part.kind == "thinking":
            return self._thinking(part, source, one)
        if part.kind == "json":
            return Block("transcript/_tree.html", json_tree.to_html(part.data, self.query))
        if part.kind == "unreadable":
            return _unreadable(one, part, source, self.query)
        if part.kind == "notice" or one.is_quiet:
            return _notice(one, part, self.query)
        return self._prose(one, part, source)

    def _prose(self, one: Entry, part: Part, source: Source) -> Block | None:
        if not part.text.strip():
            return None
        if not self.budget.allows(part.text):
            return Block("transcript/_plain.html", body=_plain(part.text, source, self.query))
        typed = one.seen.kind == Kind.PROMPT
        return Block("transcript/_prose.html", markdown.to_html(part.text, self.query, breaks=typed))

    def _thinking(self, part: Part, source: Source, one: Entry) -> Block:
        words = one_line(part.text.strip().partition("\n")[0], SUMMARY_LENGTH).replace("**", "")
        if not self.budget.allows(part.text):
            block = Block("transcript/_thinking.html", body=_plain(part.text, source, self.query))
        else:
            block = Block("transcript/_thinking.html", markdown.to_html(part.text, self.query))
        block.summary = words
        block.is_open = one.position == self.target and bool(words)
        return block

    def _card(self, one: Entry, number: int) -> Block:
        source = Source(one.position, number)
        if one.seen.parts[number].kind == "tool_call":
            answer, place = self.results.get((one.position, number), (None, 0))
            return self._drawn_card(one.seen.parts[number], source, answer, place)
        asked = self.calls.get((one.position, number))
        if asked is None:
            return self._drawn_card(None, source, one, number)
        return self._drawn_card(asked[0].seen.parts[asked[1]], Source(asked[0].position, asked[1]), one, number)

    def _drawn_card(self, call: Part | None, call_source: Source, answer: Entry | None, number: int) -> Block:
        is_target = self.target is not None and self.target in (call_source.position, answer and answer.position)
        drawn = card(
            Exchange(
                call,
                call_source,
                answer.seen.parts[number] if answer else None,
                Source(answer.position, number) if answer else None,
                answer.details if answer else {},
                self.query,
                self.budget,
                self.base,
                is_full=is_target and bool(self.query),
                is_final=self.is_final,
            )
        )
        drawn.is_open = drawn.is_open or is_target
        if answer:
            drawn.bodies += _pictures_of_result(answer, number)
        return Block("transcript/_card.html", card=drawn, is_open=drawn.is_open)

    def _is_in_card(self, one: Entry, number: int) -> bool:
        """Pictures behind a result belong to it."""
        before = [part for part in one.seen.parts[:number] if part.kind != "image"]
        return bool(before) and before[-1].kind == "tool_result"


def _pictures_of_result(answer: Entry, number: int) -> Iterator[Body]:
    for index in range(number + 1, len(answer.seen.parts)):
        if answer.seen.parts[index].kind != "image":
            return
        yield _picture(answer, index)


def _picture(one: Entry, number: int) -> Body:
    """A picture of the message, or words that say why it is not shown: a remote one is never loaded."""
    part = one.seen.parts[number]
    is_shown = bool(part.image) and images.is_picture(part.image)
    size = size_text(images.size_of(part.image)) if part.image else ""
    why = one_line(part.text) or one_line(part.media_type) or "an unknown kind"
    return Body(
        "transcript/_image.html", heading=why, size=size, is_shown=is_shown, source=Source(one.position, number)
    )


def _plain(text: str, source: Source, query: str) -> Body:
    piece = cut(text, lines=40)
    more = f"Show all {piece.lines:,} lines ({size_text(piece.size)})" if piece.is_cut else ""
    html = escape_and_mark(visible(piece.text), query)
    return Body("transcript/_terminal.html", html, more=more, shown="shown as plain text", source=source)


def _unreadable(one: Entry, part: Part, source: Source, query: str) -> Block:
    what = one.message.get(projection.UNREADABLE)
    what = what if isinstance(what, Mapping) else {}
    words = f"Line {what['line']:,}" if isinstance(what.get("line"), int) else "A line"
    if what.get("damaged") is True:
        words = f"Message {one.position:,}"
    why = one_line(str(what.get("why") or "it is no JSON object"))
    text = part.text or str(what.get("text") or what.get("base64") or "")
    body = _plain(text, source, query)
    return Block("transcript/_unreadable.html", body=body, label=f"{words} could not be read", summary=why)


def _notice(one: Entry, part: Part, query: str) -> Block:
    label = _label(one)
    source = Source(one.position, 0)
    body = _plain(part.text, source, query) if part.text.strip() else None
    html = json_tree.to_html(one.message, query) if body is None else NOTHING
    return Block("transcript/_notice.html", html, body=body, label=label, summary=one_line(part.text, SUMMARY_LENGTH))


def _label(one: Entry) -> str:
    if one.seen.label:
        return one_line(one.seen.label, 60)
    return {"system": "system prompt", "user": "added by the agent"}.get(one.seen.role, "notice")


def _role(one: Entry) -> Role:
    if one.is_quiet:
        return "quiet"
    if one.seen.kind == Kind.PROMPT:
        return "person"
    kinds = {part.kind for part in one.seen.parts}
    if one.seen.role == "assistant":
        return "agent"
    if kinds <= {"tool_result", "image", "unreadable"}:
        return "tool"
    return "person" if one.seen.role == "user" else "system" if one.seen.role == "system" else "agent"
