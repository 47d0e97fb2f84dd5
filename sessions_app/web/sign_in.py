"""Getting in to a team's Forklore: by name and password, and at first by an invitation."""

from __future__ import annotations

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from sessions_app.access import audit, faults, identities, people, user_sessions
from sessions_app.access.errors import InvalidPerson

LONGEST = 1000  # characters of a name or a password


def sign_in(request: HttpRequest, address: str) -> HttpResponse:
    if request.method == "POST":
        return _sign_in(request, address)
    if request.actor:  # type: ignore[attr-defined]  # by FindActor
        return HttpResponseRedirect(address)
    return page(request, 200, address)


def page(request: HttpRequest, status: int, address: str, error: str = "", openid_error: str = "") -> HttpResponse:
    context = {"next": address, "error": error, "openid_error": openid_error, "by": identities.provider()}
    return render(request, "enter/sign_in.html", context, status=status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, name: str, secret: str) -> HttpResponse:
    """Where somebody who was invited chooses a password; the address is good until they have."""
    user = people.invited(name, secret) if settings.FORKLORE_MODE == "team" else None
    if user is None:
        return render(request, "enter/invitation.html", status=404)
    error, status = "", 200
    if request.method == "POST":
        try:
            people.set_password(user, request.POST.get("password", "")[:LONGEST])
            return HttpResponseRedirect(reverse("web:enter"))
        except InvalidPerson as wrong:
            error, status = str(wrong), 422
    return render(request, "enter/invitation.html", {"user_name": user.get_username(), "error": error}, status=status)


def address_of(request: HttpRequest) -> str:
    """Of the other side; behind a proxy that of the last entry, which the proxy wrote."""
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.FORKLORE_PROXY else ""
    return forwarded.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR", "")


def _sign_in(request: HttpRequest, address: str) -> HttpResponse:
    name, password = (request.POST.get(field, "")[:LONGEST] for field in ("name", "password"))
    origin = address_of(request)
    wait = faults.wait(name, origin)
    if wait:
        answer = page(request, 429, address, f"Too many tries; wait {wait / 60 + 1:.0f} minutes.")
        answer["Retry-After"] = f"{wait:.0f}"
        return answer
    faults.count(name, origin)
    user = auth.authenticate(request, username=name, password=password)
    if user is None:
        audit.append("failed to sign in", "address", origin)  # not the name: people type passwords there
        return page(request, 403, address, "The name or the password is wrong.")
    faults.forget(name, origin)
    auth.login(request, user)  # under a new key, so that one that was planted is worthless
    user_sessions.begin(request.session)
    answer = HttpResponseRedirect(address)
    answer.status_code = 303
    return answer
