"""A first look at a message as it is stored, which is ten times as fast as decoding and projecting it."""

from __future__ import annotations

import re
from collections.abc import Callable

from sessions_app.folding import fold

# What stands in JSON as it is, also in JSON within a string.
_AS_IT_IS = re.compile(r"[ !#-.0-\[\]-~]+")


def first_look(folded: str) -> Callable[[str], bool]:
    """Whether a text of a message may contain the folded query, told from its body; False only where none does.

    Texts are strings of the JSON, parts of them, or several joined by new lines. Escapes put nothing between two
    letters that stand side by side in a text, so that what of a query needs no escape stands in the body, too.
    """
    runs = _AS_IT_IS.findall(folded)
    if not runs:
        return lambda body: True
    needle = max(runs, key=len)
    return lambda body: needle in fold(body) or _says_otherwise(body)


def _says_otherwise(body: str) -> bool:
    """Escaped letters; a body with spelled surrogates; items whose names are made of their types (projection)."""
    return (
        "\\u" in body or '_call"' in body or body.startswith("~") or "_approval_re" in body or "mcp_list_tools" in body
    )
