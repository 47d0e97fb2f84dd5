"""The one place that finds out who asks, for pages, sockets and whatever comes later."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings
from django.contrib.auth.models import AbstractUser

from sessions_app.access import browsers, secrets, token_file, tokens, user_sessions
from sessions_app.actors import EVERYTHING, ORDINARY, Actor, the_owner


def find(cookies: Mapping[str, str], authorization: str | None) -> Actor | None:
    """Whose the request is, by its cookies and the Authorization header; None for nobody's.

    A token that is not good is not made up for by a cookie. At most one question to the database.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return _of_token(token.strip())
    return _of_person(cookies) if settings.FORKLORE_MODE == "team" else _of_browser(cookies)


def of_user(user: AbstractUser) -> Actor:
    """A person who signed in."""
    scopes = EVERYTHING if user.is_superuser else ORDINARY
    return Actor("user", user.get_username(), scopes, user_id=user.pk, unrestricted=user.is_superuser)


def _of_browser(cookies: Mapping[str, str]) -> Actor | None:
    cookie = cookies.get(settings.FORKLORE_COOKIE)
    return the_owner() if cookie and browsers.is_let_in(cookie) else None


def _of_person(cookies: Mapping[str, str]) -> Actor | None:
    key = cookies.get(settings.SESSION_COOKIE_NAME)
    user = user_sessions.user_of(key) if key else None
    return of_user(user) if user else None


def _of_token(token: str) -> Actor | None:
    if not secrets.is_token(token):
        return None
    if token_file.holds(settings.DATA_DIR, token):
        return the_owner(bearer=True)
    return tokens.find(token)
