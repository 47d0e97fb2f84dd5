"""Draws the colours of terminal output; every escape sequence but SGR is shown as the characters it is made of.

Colours become classes, for a style attribute is refused by the content security policy. The 256 and 16.7 million
colours of newer terminals are drawn as the nearest of the eight, so that every one is readable on both grounds.
SGR: https://www.ecma-international.org/publications-and-standards/standards/ecma-48/ 8.3.117.
"""

import re
from dataclasses import dataclass, replace

from django.utils.safestring import SafeString, mark_safe

from sessions_app.web.rendering.marks import escape_and_mark
from sessions_app.web.rendering.text import visible

COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
PARAMETERS_LIMIT = 64  # characters between ESC [ and m
_CUT_SEQUENCE = re.compile("\x1b\\[?[0-9;:]*(?=…$)")
RUNS_LIMIT = 20_000  # coloured runs of one output; what follows is drawn plain


@dataclass(frozen=True, slots=True)
class Style:
    colour: str = ""
    ground: str = ""
    marks: frozenset[str] = frozenset()  # of ON's names

    @property
    def classes(self) -> str:
        is_inverse = "inverse" in self.marks
        colour, ground = (self.ground, self.colour) if is_inverse else (self.colour, self.ground)
        return " ".join(filter(None, [colour, ground and f"on-{ground}", *sorted(self.marks)]))


PLAIN = Style()
ON = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "struck"}
OFF = {22: {"bold", "dim"}, 23: {"italic"}, 24: {"underline"}, 27: {"inverse"}, 29: {"struck"}}


def to_html(text: str, query: str = "") -> SafeString:
    """Terminal output as HTML; linear in the length of the text, whatever it holds."""
    html = []
    for style, run in runs(text):
        words = escape_and_mark(visible(run), query)
        html.append(f'<span class="{style.classes}">{words}</span>' if style.classes else words)
    return mark_safe("".join(html))  # noqa: S308  words are escaped, classes are constants of this module


def to_text(text: str) -> str:
    """Terminal output without its colours."""
    return "".join(run for _, run in runs(text))


def excerpt_to_text(excerpt: str) -> str:
    """An excerpt of terminal output as one line: without its colours, and the one that its end cut through."""
    return visible(_CUT_SEQUENCE.sub("", to_text(excerpt))).replace("\n", " ").replace("\t", " ")


def runs(text: str) -> list[tuple[Style, str]]:
    """The text in runs of one style; the texts of the runs are the text without its SGR sequences."""
    first, *rest = text.split("\x1b")
    result: list[tuple[Style, str]] = []
    style, plain = PLAIN, [first]
    for part in rest:
        length = _length_of_sgr(part)
        if not length or len(result) >= RUNS_LIMIT:
            plain.append("\x1b" + part if not length else part[length:])
            continue
        _close(result, style, plain)
        style, plain = _next(style, part[1 : length - 1]), [part[length:]]
    _close(result, style, plain)
    return result


def _close(result: list[tuple[Style, str]], style: Style, plain: list[str]) -> None:
    if text := "".join(plain):
        result.append((style, text))


def _length_of_sgr(part: str) -> int:
    """The length of the sequence that follows an ESC, 0 if it is no SGR."""
    if not part.startswith("["):
        return 0
    for index, character in enumerate(part[1 : PARAMETERS_LIMIT + 2], start=1):
        if character == "m":
            return index + 1
        if character not in "0123456789;:":
            return 0
    return 0


def _next(style: Style, parameters: str) -> Style:
    codes = [int(code) if code else 0 for code in parameters.replace(":", ";").split(";")]
    while codes:
        code = codes.pop(0)
        if code in (38, 48):
            colour = _extended(codes)
            style = replace(style, colour=colour) if code == 38 else replace(style, ground=colour)
        else:
            style = _with(style, code)
    return style


def _with(style: Style, code: int) -> Style:
    if code == 0:
        return PLAIN
    if code in ON:
        return replace(style, marks=style.marks | {ON[code]})
    if code in OFF:
        return replace(style, marks=style.marks - OFF[code])
    if code in (39, 49):
        return replace(style, colour="") if code == 39 else replace(style, ground="")
    tens, colour = divmod(code, 10)
    if colour > 7:
        return style
    if tens in (3, 9):
        return replace(style, colour=COLOURS[colour])
    return replace(style, ground=COLOURS[colour]) if tens in (4, 10) else style


def _extended(codes: list[int]) -> str:
    """Takes 5;n or 2;r;g;b from the front of the codes."""
    mode = codes.pop(0) if codes else 0
    if mode == 5 and codes:
        return _of_256(codes.pop(0))
    if mode == 2 and len(codes) >= 3:
        return _nearest(*(codes.pop(0) for _ in range(3)))
    return ""


def _of_256(number: int) -> str:
    if number < 16:
        return COLOURS[number % 8]
    if number >= 232:
        return "white" if number >= 244 else "black"
    red, rest = divmod(number - 16, 36)
    green, blue = divmod(rest, 6)
    return _nearest(red * 51, green * 51, blue * 51)


def _nearest(red: int, green: int, blue: int) -> str:
    middle = max(96, (max(red, green, blue) * 2) // 3)
    return COLOURS[(red >= middle) + 2 * (green >= middle) + 4 * (blue >= middle)]
