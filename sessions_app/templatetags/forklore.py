"""What every page needs: sizes, counts, ages, agents and project names in the words of web/formats.py."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from uuid import UUID

from django import template
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sessions_app.models import Relation, Session
from sessions_app.web import formats

register = template.Library()
register.filter("agent_name", formats.agent_name)
register.filter("agent_letter", formats.agent_letter)
register.filter("short_name", formats.short_name)


@register.filter("bytes")
def size(count: int) -> SafeString:
    return SafeString(formats.size_text(count))


@register.filter
def number(count: int) -> SafeString:
    return SafeString(formats.count_text(count))


@register.filter
def counted(number: int, noun: str) -> str:
    """1318|counted:"session" is "1,318 sessions"."""
    return f"{formats.count_text(number)} {noun}{'' if number == 1 else 's'}"


@register.filter
def ago(moment: datetime | None) -> SafeString:
    """A moment as its age, with the absolute time as title; nothing for None."""
    if moment is None:
        return SafeString("")
    return format_html(
        '<relative-time><time datetime="{}" title="{}">{}</time></relative-time>',
        moment.isoformat(),
        formats.moment_text(moment),
        formats.age_text(moment, timezone.now()),
    )


STATES = {  # icon, word, and what it means
    "running": ("icons/running.html", "Running", "written to in the last two minutes"),
    "idle": ("icons/idle.html", "Idle", "written to in the last half hour"),
    "ended": ("icons/done.html", "Ended", "not written to for half an hour"),
}


@register.filter
def state(session: Session) -> SafeString:
    """How it stands with a session's agent, told from its last write."""
    return _drawn_state(formats.status(session.updated_at, timezone.now()))


@cache
def _drawn_state(name: str) -> SafeString:
    icon, word, meaning = STATES[name]
    return render_to_string("fragments/state.html", {"name": name, "icon": icon, "word": word, "meaning": meaning})


@register.filter
def id_prefix(id: UUID) -> str:
    """The eight digits by which people and commands name a session."""
    return id.hex[:8]


@register.filter
def parent_address(session: Session) -> str:
    """Where its parent shows the last message that the two share; the parent's beginning if they share none."""
    if not session.fork_point:
        return reverse("web:session", args=[session.parent_id])
    return reverse("web:message", args=[session.parent_id, session.fork_point - 1])


@register.filter
def relation_icon(session: Session) -> str:
    return f"icons/{session.relation}.html"


@register.filter
def relation_text(session: Session) -> str:
    return f"#{session.fork_point}" if session.relation == Relation.FORK else session.get_relation_display()


@register.filter
def relation_title(session: Session) -> str:
    """What the chip beside a title says in full."""
    shared = counted(session.fork_point or 0, "message")
    known = " (inferred)" if session.relation_inferred else ""
    if session.relation == Relation.SUBAGENT:
        return f"Sub-agent of its parent{known}"
    return f"{session.get_relation_display().capitalize()}: shares the first {shared} with its parent{known}"
