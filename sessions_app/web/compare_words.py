"""Pure functions of two texts: the words in which they differ."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

WORDS = 600  # words and gaps of a text that are compared; a longer one is drawn without marks
WORD = re.compile(r"\w+|\s+|[^\w\s]")

Run = tuple[str, bool]  # a text, and whether the other one lacks it


def differing(left: str, right: str) -> tuple[list[Run], list[Run]]:
    """Both texts in runs. Texts with little in common are no version of each other, and neither is marked."""
    a, b = WORD.findall(left), WORD.findall(right)
    if left == right or len(a) > WORDS or len(b) > WORDS:
        return [(left, False)], [(right, False)]
    # A match begins with a word: that blanks are the same says little, and to try each with each takes longest.
    matcher = SequenceMatcher(str.isspace, a, b, autojunk=False)
    codes = matcher.get_opcodes()
    alike = sum(_words(a[i1:i2]) for kind, i1, i2, _, _ in codes if kind == "equal")
    if alike * 4 < max(_words(a), _words(b)):
        return [(left, False)], [(right, False)]
    return _runs(a, [(i1, i2, kind) for kind, i1, i2, _, _ in codes]), _runs(
        b, [(j1, j2, kind) for kind, _, _, j1, j2 in codes]
    )


def _words(pieces: list[str]) -> int:
    return sum(not piece.isspace() for piece in pieces)


def _runs(pieces: list[str], spans: list[tuple[int, int, str]]) -> list[Run]:
    return [("".join(pieces[start:stop]), kind != "equal") for start, stop, kind in spans if start < stop]
