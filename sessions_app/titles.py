"""Titles of sessions and names of projects: what is allowed, what is cleaned, what is derived from a message."""

from __future__ import annotations

import unicodedata

from sessions_app.errors import InvalidAgent, InvalidProject, InvalidTag, InvalidTitle
from sessions_app.folding import fold

UNTITLED = "new session"
TITLE_LIMIT = 200  # characters
DERIVED_LIMIT = 60  # characters, before the mark of a cut
PROJECT_LIMIT = 255  # characters
AGENT_LIMIT = 40  # characters
TAG_LIMIT = 50  # characters

# Marks that turn the direction of text around and let a title dress up as another one.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean_title(title: str) -> str:
    """A title without outer white space, control and bidi-override characters.

    Raises InvalidTitle unless 1 to 200 characters remain.
    """
    cleaned = _printable(title).strip()
    if not cleaned:
        raise InvalidTitle("A title needs at least one visible character.")
    if len(cleaned) > TITLE_LIMIT:
        raise InvalidTitle(f"A title has at most {TITLE_LIMIT} characters, not {len(cleaned)}.")
    return cleaned


def shortened(title: str) -> str:
    """A title that a machine gave: cleaned, on one line and cut to 200 characters; "" if nothing is left of it."""
    return " ".join(_printable(title, instead=" ").split())[:TITLE_LIMIT].strip()


def derived_title(prompt: str | None) -> str:
    """The title that a session has until it is given one: the beginning of its first prompt on one line."""
    folded = " ".join(_printable(prompt or "", instead=" ").split())
    if not folded:
        return UNTITLED
    return folded if len(folded) <= DERIVED_LIMIT else folded[:DERIVED_LIMIT] + "…"


def check_project(name: str) -> None:
    """Raises InvalidProject unless the name has 1 to 255 characters, none of them a control character."""
    if not isinstance(name, str) or not 1 <= len(name) <= PROJECT_LIMIT:
        raise InvalidProject(f"A project's name has 1 to {PROJECT_LIMIT} characters.")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise InvalidProject("A project's name has no control characters.")


def clean_tag(name: str) -> str:
    """The tag as it is kept, folded: 1 to 50 characters, none of them a blank, a quote or a control character."""
    cleaned = fold(name.strip()) if isinstance(name, str) else ""
    if not 1 <= len(cleaned) <= TAG_LIMIT or not cleaned.isprintable() or set(cleaned) & set(' "'):
        raise InvalidTag(f"A tag has 1 to {TAG_LIMIT} characters, none of them a blank or a quote.")
    return cleaned


def check_agent(name: str) -> None:
    """Raises InvalidAgent unless the name has at most 40 characters, none of them a control character."""
    if len(name) > AGENT_LIMIT or any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise InvalidAgent(f"An agent's name has at most {AGENT_LIMIT} characters, none of them a control character.")


def _printable(text: str, instead: str = "") -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character, instead) for character in text)


def _shown(character: str, instead: str) -> str:
    # A surrogate is no character, and no database takes one.
    if character in _BIDI:
        return ""
    category = unicodedata.category(character)
    if category == "Cc":
        return instead
    return "\ufffd" if category == "Cs" else character
