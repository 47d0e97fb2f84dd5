"""What the pages of settings share: their navigation, and who may see which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from sessions_app.actors import Actor
from sessions_app.errors import NotAllowed
from sessions_app.web.context import Choice, address


def actor_of(request: HttpRequest) -> Actor:
    return request.actor  # type: ignore[attr-defined]  # by FindActor, and None only where anybody may come


def settings_page(request: HttpRequest, current: str) -> dict:
    admin, team = actor_of(request).may("admin"), settings.FORKLORE_MODE == "team"
    pages = [
        ("account", "Account" if team else "This machine", "web:settings", True),
        ("tokens", "Tokens", "web:tokens", True),
    ]
    pages += [
        ("people", "People", "web:people", admin and team),
        ("roles", "Default roles", "web:roles", admin and team),
    ]
    pages += [("audit", "Audit log", "web:audit", admin)]
    tabs = [Choice(label, reverse(view), name == current) for name, label, view, shown in pages if shown]
    return {"place": "settings", "tabs": tabs}


def check_admin(request: HttpRequest) -> None:
    """Raises NotAllowed."""
    if not actor_of(request).may("admin"):
        raise NotAllowed("Only admins may see this.")


LISTED = 200  # rows, or choices, at once


@dataclass(frozen=True, slots=True)
class Paged:
    """Rows of a table by name, some at a time: none is left out without saying so."""

    rows: list[Any]
    total: int
    more_url: str  # of what follows; "" at the end


def paged(request: HttpRequest, rows: QuerySet, name: str) -> Paged:
    """The rows behind the one whose unique `name` is in ?after=, in the order of their names."""
    after = request.GET.get("after", "").replace("\0", "")
    found = list(rows.filter(**{f"{name}__gt": after}).order_by(name)[: LISTED + 1])
    more = address(request, after=getattr(found[LISTED - 1], name)) if len(found) > LISTED else ""
    return Paged(found[:LISTED], rows.count(), more)


def projects_to_choose(request: HttpRequest, projects: QuerySet) -> dict[str, Any]:
    """The first of them by name, narrowed by ?project_like=, and how many there are."""
    wanted = request.GET.get("project_like", "").replace("\0", "")
    found = projects.filter(name__icontains=wanted)
    return {"projects": found.order_by("name")[:LISTED], "projects_total": projects.count(), "project_like": wanted}
