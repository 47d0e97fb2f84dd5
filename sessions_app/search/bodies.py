"""A first look at a message as it is stored, which is ten times as fast as decoding and projecting it."""

from __future__ import annotations

import re

from sessions_app.folding import fold

# What stands in JSON as it is, also in JSON within a string.
_AS_IT_IS = re.compile(r"[ !#-.0-\[\]-~]+")
# Escaped letters; bodies with spelled surrogates; items whose names are made of their types (projection.messages).
_OTHERWISE = re.compile(r"\\u|^~|_call\"|_approval_re|mcp_list_tools")


def may_contain(body: str, folded: str) -> bool:
    """Whether a text of the message may contain the folded query; False only where none does.

    Texts are strings of the JSON, parts of them, or several joined by new lines. Escapes put nothing between two
    letters that stand side by side in a text, so that a query that needs no escapes stands in the body, too.
    """
    if not _AS_IT_IS.fullmatch(folded):
        return True
    return folded in fold(body) or _OTHERWISE.search(body) is not None
