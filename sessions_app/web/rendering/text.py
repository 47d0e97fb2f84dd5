"""Plain text made safe and short: visible control characters, cuts, one line."""

from dataclasses import dataclass

FIRST_LINES = 12
FIRST_CHARACTERS = 4096
EMBEDDINGS = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]  # they make text read in another order than it is stored


def _symbols() -> dict[int, str]:
    symbols = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"}
    symbols[0x7F] = "\u2421"
    symbols |= {code: f"‹{code:02X}›" for code in range(0x80, 0xA0)}
    symbols |= {code: f"‹U+{code:04X}›" for code in EMBEDDINGS}
    return symbols | dict.fromkeys(range(55296, 57344), "�")  # a lone surrogate has no UTF-8


SYMBOLS = _symbols()


def visible(text: str) -> str:
    """The text with a symbol for every control character but tab and new line, and none that cannot be encoded."""
    return text.replace("\r\n", "\n").translate(SYMBOLS)


@dataclass(frozen=True, slots=True)
class Cut:
    """The beginning of a text, and how much there is."""

    text: str
    is_cut: bool
    lines: int  # of the whole text
    shown_lines: int
    size: int  # characters of the whole text


def cut(text: str, lines: int = FIRST_LINES, characters: int = FIRST_CHARACTERS) -> Cut:
    """The first lines of a text; all of it where only a line or two would be left out."""
    total = text.count("\n") + 1 if text else 0
    shown = text
    if total > lines + 2:
        shown = text[: _end_of_line(text, lines)]
    if len(shown) > characters:
        shown = shown[:characters]
    return Cut(shown, len(shown) < len(text), total, shown.count("\n") + 1 if shown else 0, len(text))


def _end_of_line(text: str, number: int) -> int:
    end = -1
    for _ in range(number):
        end = text.find("\n", end + 1)
    return end


def one_line(text: str, limit: int = 200) -> str:
    """White space folded to single spaces, at most `limit` characters; only the beginning of a long text is read."""
    words = visible(" ".join(text[: limit * 4].split()))
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"


def seconds_words(seconds: float) -> str:
    """A duration for people: 0.4 s, 41 s, 3 min, 2 h."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
