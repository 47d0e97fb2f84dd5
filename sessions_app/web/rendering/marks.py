"""Marks what a search found, by the rules of the search: literal, after NFC and Unicode case folding."""

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from sessions_app.search.text import find_all

QUERY_LIMIT = 256  # characters


def escape_and_mark(text: str, query: str = "") -> SafeString:
    """The text as HTML with <mark> around every place where the query stands; an empty query marks nothing."""
    html, last = [], 0
    for start, stop in find_all(text, query[:QUERY_LIMIT]):
        html += [escape(text[last:start]), "<mark>", escape(text[start:stop]), "</mark>"]
        last = stop
    return mark_safe("".join([*html, escape(text[last:])]))  # noqa: S308  every piece is escaped above
