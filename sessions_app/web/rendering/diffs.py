"""Line differences of what an edit took away and put in, with the changed words of a line marked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any, Literal

from django.utils.safestring import SafeString, mark_safe

from sessions_app.web.rendering.marks import escape_and_mark
from sessions_app.web.rendering.text import visible

CONTEXT = 3  # unchanged lines around a change
COMPARED_LINES = 400  # matching lines costs the product of both sides, so longer ones are shown as cut and added
COMPARED_CHARACTERS = 400  # of one line, for its words
COMPARED_PAIRS = 60  # lines of one difference whose words are compared
ALIKE = 0.6  # lines less alike than this are shown without marked words

LineKind = Literal["same", "cut", "add", "gap"]


@dataclass(frozen=True, slots=True)
class Line:
    kind: LineKind
    html: SafeString  # empty for a gap
    old: int | None = None  # line number before and after, where known
    new: int | None = None

    @property
    def sign(self) -> str:
        return {"same": " ", "cut": "−", "add": "+", "gap": "⋯"}[self.kind]


@dataclass(frozen=True, slots=True)
class Raw:
    """A line of a difference before it is drawn."""

    kind: LineKind
    text: str
    old: int | None = None
    new: int | None = None


def between(old: str, new: str, first_line: int | None = None) -> list[Raw]:
    """The difference of two texts; numbers are given only where the line that both start at is known."""
    before, after = old.splitlines(), new.splitlines()
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    middle_old, middle_new = before[head : len(before) - tail], after[head : len(after) - tail]
    raw = [
        *(Raw("same", text) for text in before[:head]),
        *_middle(middle_old, middle_new),
        *(Raw("same", text) for text in before[len(before) - tail :]),
    ]
    return _with_context(list(_numbered(raw, first_line, first_line)))


def of_hunks(hunks: Iterable[Mapping[str, Any]]) -> list[Raw]:
    """The difference that Claude Code records: [{oldStart, newStart, lines: ["-was", "+is", " same"]}]."""
    result: list[Raw] = []
    for hunk in hunks:
        lines = [line for line in hunk.get("lines") or [] if isinstance(line, str)]
        result += [Raw("gap", "")] if result else []
        result += _numbered(_signed(lines), _number(hunk.get("oldStart")), _number(hunk.get("newStart")))
    return result


def of_patch(lines: list[str]) -> list[Raw]:
    """The body of a unified difference, or of one file of an apply_patch text; @@ lines become gaps."""
    result: list[Raw] = []
    for is_header, group in groupby(lines, key=lambda line: line.startswith("@@")):
        if is_header:
            result += [Raw("gap", "")] if result else []
        else:
            result += _signed(list(group))
    return result


def counts(raw: Iterable[Raw]) -> tuple[int, int]:
    """How many lines were added, and how many cut."""
    kinds = [line.kind for line in raw]
    return kinds.count("add"), kinds.count("cut")


def draw(raw: list[Raw], query: str = "") -> list[Line]:
    """The lines as HTML, the words that changed between a cut line and the added one in its place marked."""
    lines: list[Line] = []
    pairs = COMPARED_PAIRS
    for change, group in groupby(raw, key=lambda line: line.kind in ("cut", "add")):
        run = list(group)
        if change:
            lines += _draw_change(run, query, pairs)
            pairs -= len(run) // 2
        else:
            lines += [Line(line.kind, _html(line.text, query), line.old, line.new) for line in run]
    return lines


def _common(one: list[str], other: list[str]) -> int:
    length = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        length += 1
    return length


def _middle(old: list[str], new: list[str]) -> Iterator[Raw]:
    if len(old) > COMPARED_LINES or len(new) > COMPARED_LINES:
        yield from (Raw("cut", text) for text in old)
        yield from (Raw("add", text) for text in new)
        return
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (Raw("same", text) for text in old[i:j])
        else:
            yield from (Raw("cut", text) for text in old[i:j])
            yield from (Raw("add", text) for text in new[k:m])


def _signed(lines: list[str]) -> list[Raw]:
    kinds: dict[str, LineKind] = {"-": "cut", "+": "add"}
    return [Raw(kinds.get(line[:1], "same"), line[1:]) for line in lines if not line.startswith("\\")]


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _numbered(raw: Iterable[Raw], old: int | None, new: int | None) -> Iterator[Raw]:
    for line in raw:
        at_old = None if line.kind == "add" else old
        at_new = None if line.kind == "cut" else new
        yield Raw(line.kind, line.text, at_old, at_new)
        old = old + 1 if old is not None and line.kind != "add" else old
        new = new + 1 if new is not None and line.kind != "cut" else new


def _with_context(raw: list[Raw]) -> list[Raw]:
    """Leaves out what stands more than a few lines from a change."""
    near: set[int] = set()
    for index, line in enumerate(raw):
        if line.kind != "same":
            near.update(range(index - CONTEXT, index + CONTEXT + 1))
    if not near:
        return raw
    result: list[Raw] = []
    for is_near, group in groupby(range(len(raw)), key=near.__contains__):
        lines = [raw[index] for index in group]
        result += lines if is_near else [Raw("gap", "")]
    first, last = result[0].kind == "gap", result[-1].kind == "gap"
    return result[first : len(result) - last]


def _draw_change(run: list[Raw], query: str, pairs: int) -> Iterator[Line]:
    cut = [line for line in run if line.kind == "cut"]
    added = [line for line in run if line.kind == "add"]
    marked: dict[int, SafeString] = {}
    for old, new in zip(cut[: max(pairs, 0)], added, strict=False):
        if query or len(old.text) > COMPARED_CHARACTERS or len(new.text) > COMPARED_CHARACTERS:
            continue
        marked |= _words(old, new)
    for line in [*cut, *added]:
        yield Line(line.kind, marked.get(id(line)) or _html(line.text, query), line.old, line.new)


def _words(old: Raw, new: Raw) -> dict[int, SafeString]:
    before, after = _tokens(old.text), _tokens(new.text)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < ALIKE:
        return {}
    left, right = [], []
    for tag, i, j, k, m in matcher.get_opcodes():
        left.append(_wrapped("del", before[i:j], tag != "equal"))
        right.append(_wrapped("ins", after[k:m], tag != "equal"))
    return {id(old): mark_safe("".join(left)), id(new): mark_safe("".join(right))}  # noqa: S308  escaped in _wrapped


def _tokens(text: str) -> list[str]:
    return ["".join(group) for _, group in groupby(text, key=_token_class)]


def _token_class(character: str) -> str:
    return "word" if character.isalnum() or character == "_" else character


def _wrapped(tag: str, tokens: list[str], is_changed: bool) -> str:
    html = _html("".join(tokens))
    return f"<{tag}>{html}</{tag}>" if is_changed and html else html


def _html(text: str, query: str = "") -> SafeString:
    return escape_and_mark(visible(text), query)
