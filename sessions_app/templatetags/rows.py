"""Rows of the list of sessions, drawn once and remembered: to draw fifty takes longer than all else of a page."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django import template
from django.template.context import Context
from django.template.loader import get_template
from django.urls import get_script_prefix
from django.utils import timezone
from django.utils.safestring import SafeString

from sessions_app.models import Session
from sessions_app.templatetags.forklore import ago
from sessions_app.web import formats

register = template.Library()

REMEMBERED = 2000  # rows, of about 3 KB
# What is another one in each answer, and put in at the end. No text of a person can be one of these: they are escaped.
TOKEN, AGE = "<token>", "<age>"


class Written:
    """Stands in for context.Allowed in a row: what may be written is one of the row's facts."""

    def __init__(self, project: int | None):
        self.write = () if project is None else (project,)


@register.simple_tag(takes_context=True)
def session_row(context: Context, session: Session) -> SafeString:
    """A session's row; its forks are counted, and its project, parent and tags read."""
    row = _row(_facts(context, session), get_script_prefix(), _Unhashed(session))
    return SafeString(row.replace(AGE, ago(session.updated_at)).replace(TOKEN, str(context.get("csrf_token", ""))))


def _facts(context: Context, session: Session) -> tuple[Any, ...]:
    """All that a row shows but its age: two sessions with equal facts have equal rows."""
    parent = session.parent
    related = parent and (session.relation, session.fork_point, session.relation_inferred, parent.pk, parent.trashed_at)
    return (
        session.pk,
        session.title,
        session.project_id in context["allowed"].write,
        formats.status(session.updated_at, timezone.now()),
        session.pinned_at is None,
        session.archived_at is None,
        related or (session.relation, session.fork_point, session.relation_inferred),
        session.fork_count,
        tuple(session.tag_names),
        session.project_id,
        session.project.name,
        session.agent,
        session.turns,
        session.message_count,
        session.size_bytes,
    )


class _Unhashed:
    """Carries a session past the memory, which knows rows by their facts alone."""

    def __init__(self, session: Session):
        self.session = session

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=REMEMBERED)
def _row(facts: tuple[Any, ...], prefix: str, of: _Unhashed) -> str:
    allowed = Written(of.session.project_id if facts[2] else None)
    drawn = {"session": of.session, "allowed": allowed, "csrf_token": SafeString(TOKEN), "age": SafeString(AGE)}
    return get_template("sessions/_row.html").render(drawn)
