"""A first look at a message as it is stored, which is ten times as fast as decoding and projecting it.

Where a body says what it says in other letters than its texts, the look shows nothing; the search index knows those.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# What stands in JSON as it is, also in JSON within a string, unless its writer escaped slashes.
_AS_IT_IS = re.compile(r"[ !#-\[\]-~]+")
# All that fold to something with ASCII in it: ß, long s, ligatures, the sign for Kelvin, and their like.
_FOLDING_TO_ASCII = [
    letter.encode()
    for letter in "\u00df\u0130\u0149\u017f\u01f0\u037e\u1e96\u1e97\u1e98\u1e99\u1e9a\u1e9e\u1fef\u212a\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06"
]

_NAMED_BY_TYPE = b'_call"', b"_approval_re", b"mcp_list_tools"  # items whose names are made of their types (projection)


def first_look(folded: str) -> Callable[[bytes], bool]:
    """Whether a text of a message may contain the folded query, told from its body; False only where none does.

    Texts are strings of the JSON, parts of them, or several joined by new lines. Escapes put nothing between two
    letters that stand side by side in a text, so that what of a query needs no escape stands in the body, too.
    """
    runs = [run.encode() for run in runs_in(folded)]
    if not runs:
        return lambda body: True
    first, *others = runs

    def may_contain(body: bytes) -> bool:
        written = body.lower()  # ASCII alone, which is what the runs are made of
        if first in written and (not others or all(run in written for run in others)):
            return True
        return _says_otherwise(body, written)

    return may_contain


def runs_in(folded: str) -> list[str]:
    """What of a folded query stands in a body as it is, but for the case of its letters; longest first."""
    return sorted(set(_AS_IT_IS.findall(folded)), key=len, reverse=True)


def says_otherwise(body: bytes) -> bool:
    """Whether a text of a message may hold what is not in its body as it is."""
    return _says_otherwise(body, body.lower())


def _says_otherwise(body: bytes, written: bytes) -> bool:
    return (
        b"\\u" in written  # escaped letters, and slashes
        or b"\\/" in written
        or body.startswith(b"~")  # with spelled surrogates
        or (b'"type"' in written and any(part in written for part in _NAMED_BY_TYPE))
        or (not body.isascii() and any(letter in body for letter in _FOLDING_TO_ASCII))
    )
