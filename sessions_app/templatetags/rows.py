"""Rows of the list of sessions, drawn once and remembered: to draw fifty takes longer than all else of a page."""

from __future__ import annotations

import threading
from collections import OrderedDict
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

_drawn: OrderedDict[tuple[Any, ...], str] = OrderedDict()
_lock = threading.Lock()


class Written:
    """Stands in for context.Allowed in a row: what may be written is one of the row's facts."""

    def __init__(self, project: int | None):
        self.write = () if project is None else (project,)


@register.simple_tag(takes_context=True)
def session_row(context: Context, session: Session) -> SafeString:
    """A session's row; its forks are counted, and its project, parent and tags read."""
    may_write = session.project_id in context["allowed"].write
    facts = (get_script_prefix(), may_write, *_facts(session))
    with _lock:
        row = _drawn.get(facts)
        if row is not None:
            _drawn.move_to_end(facts)
    if row is None:
        row = _draw(session, may_write)
        with _lock:
            _drawn[facts] = row
            if len(_drawn) > REMEMBERED:
                _drawn.popitem(last=False)
    return SafeString(row.replace(AGE, ago(session.updated_at)).replace(TOKEN, str(context.get("csrf_token", ""))))


def _facts(session: Session) -> tuple[Any, ...]:
    """All that a row shows but its age: two sessions with equal facts have equal rows."""
    parent = session.parent
    return (
        session.pk,
        session.title,
        formats.status(session.updated_at, timezone.now()),
        session.pinned_at is None,
        session.archived_at is None,
        (session.relation, session.fork_point, session.relation_inferred),
        (parent.pk, parent.trashed_at is None) if parent else None,
        session.fork_count,
        tuple(session.tag_names),
        session.project_id,
        session.project.name,
        session.agent,
        session.turns,
        session.message_count,
        session.size_bytes,
    )


def _draw(session: Session, may_write: bool) -> str:
    allowed = Written(session.project_id if may_write else None)
    marks = {"csrf_token": SafeString(TOKEN), "age": SafeString(AGE)}
    return get_template("sessions/_row.html").render({"session": session, "allowed": allowed, **marks})
