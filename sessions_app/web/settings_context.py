"""What the pages of settings share: their navigation, and who may see which."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from sessions_app.actors import Actor
from sessions_app.errors import NotAllowed
from sessions_app.web.context import Choice


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
