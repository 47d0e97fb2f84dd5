"""What belongs to who asks: their password and the browsers that were let in for them."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from sessions_app.access import audit, browsers, faults, identities, people, user_sessions
from sessions_app.access.errors import InvalidPerson
from sessions_app.actors import Actor
from sessions_app.errors import NotAllowed
from sessions_app.web.settings_context import actor_of, settings_page
from sessions_app.web.sign_in import LONGEST

MOST_BROWSERS = 100  # listed; all others can be shut out at once


@require_safe
def account(request: HttpRequest) -> HttpResponse:
    return _page(request)


@require_POST
def password(request: HttpRequest) -> HttpResponse:
    """Change one's own, knowing the one of now; all other sessions end."""
    user = _user(request)
    name, address = user.get_username(), f"password of {user.pk}"
    if faults.wait(name, address):
        return _page(request, 429, "Too many tries; wait a quarter of an hour.")
    faults.count(name, address)
    if not user.check_password(request.POST.get("current", "")[:LONGEST]):
        return _page(request, 422, "The current password is another.")
    faults.forget(name, address)
    try:
        people.set_password(user, request.POST.get("password", "")[:LONGEST], keep_session=request.session.session_key)
    except InvalidPerson as error:
        return _page(request, 422, str(error))
    update_session_auth_hash(request, user)
    messages.success(request, "Changed the password; you are signed out everywhere else")
    return redirect("web:settings")


@require_POST
def end_browsers(request: HttpRequest) -> HttpResponse:
    """End one session or browser of one's own, or all but this one."""
    actor = _person(request)
    if actor.kind == "owner" and "id" in request.POST:
        _end_browser(request.POST["id"])
    elif actor.kind == "owner":
        browsers.revoke_others(request.COOKIES.get(settings.FORKLORE_COOKIE, ""))
        audit.append("ended", "browser", "all others")
    elif "id" in request.POST:
        user_sessions.end(_user(request).pk, request.POST["id"])
        audit.append("ended", "browser", "one of their own")
    else:
        user_sessions.end_all(_user(request).pk, but=request.session.session_key)
        audit.append("ended", "browser", "all others")
    messages.success(request, "Ended")
    return redirect("web:settings")


def _end_browser(id: str) -> None:
    if id.isascii() and id.isdigit() and len(id) < 19 and browsers.revoke_one(int(id)):
        audit.append("ended", "browser", id)


def _page(request: HttpRequest, status: int = 200, error: str = "") -> HttpResponse:
    actor = _person(request)
    context = {"error": error, "team": settings.FORKLORE_MODE == "team", "actor": actor}
    if actor.kind == "owner":
        here = request.COOKIES.get(settings.FORKLORE_COOKIE, "")
        context |= {"browser_count": browsers.count(), "browsers": browsers.listed(here, MOST_BROWSERS)}
        context |= {"data_directory": settings.DATA_DIR}
    else:
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        context |= {"by": identities.provider(), "has_password": _user(request).has_usable_password()}
        context |= {"sessions": user_sessions.of(_user(request).pk, key)}
    return render(request, "settings/account.html", settings_page(request, "account") | context, status=status)


def _person(request: HttpRequest) -> Actor:
    """A token has no account: with one that leaked nobody may lock its owner out."""
    actor = actor_of(request)
    if actor.kind == "token":
        raise NotAllowed("A token has no account of its own.")
    return actor


def _user(request: HttpRequest) -> User:
    """As Django knows them too, who would hold a session for stolen if it looked only after the password is another."""
    actor = _person(request)
    if actor.user_id is None or request.user.pk != actor.user_id:
        raise Http404("The owner of this machine has no password here.")
    return request.user
