"""What the templates of a transcript need: icons, days and moments in words."""

from __future__ import annotations

from datetime import UTC, datetime

from django import template

from sessions_app.models import Relation, Session
from sessions_app.web import formats
from sessions_app.web.rendering.blocks import Item

register = template.Library()

ROLE_ICONS = {"person": "person", "agent": "assistant", "system": "system", "tool": "tool", "quiet": "notice"}
STATE_ICONS = {"ok": "tick", "failed": "close", "stopped": "stopped", "waiting": "running"}
TODO_ICONS = {"done": "tick", "now": "right", "open": "plus", "dropped": "close", "asked": "person"}
RELATION_WORDS: dict[str, str] = {
    Relation.FORK: "fork of",
    Relation.SUBAGENT: "sub-agent of",
    Relation.COMPACTION: "history before the compaction of",
    Relation.CONTINUATION: "continues",
}

register.filter("moment_words", formats.moment_text)


@register.filter
def role_icon(item: Item) -> str:
    return f"icons/{ROLE_ICONS[item.role]}.html"


@register.filter
def icon_file(name: str) -> str:
    return f"icons/{name}.html"


@register.filter
def state_icon(state: str) -> str:
    return f"icons/{STATE_ICONS[state]}.html"


@register.filter
def todo_icon(state: str) -> str:
    return f"icons/{TODO_ICONS[state]}.html"


@register.filter
def relation_words(session: Session) -> str:
    return RELATION_WORDS.get(session.relation or "", "follows")


@register.filter
def day_words(moment: datetime) -> str:
    """Sunday 22 November 2026; the page puts it into the viewer's zone."""
    return f"{moment.astimezone(UTC):%A %-d %B %Y}"


@register.filter
def counted_tokens(number: int) -> str:
    return f"{number:,} token{'' if number == 1 else 's'}"
