"""Signing in by the word of an OpenID issuer: to it and back. Without forklore[oidc] and an issuer there is neither."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from sessions_app.access import audit, identities
from sessions_app.access.throttle import ThrottleOfEach
from sessions_app.web import enter, sign_in
from sessions_site.configuration import OpenID

beginnings = ThrottleOfEach(most=30, seconds=60)  # of an address; each leaves a session without a user behind


# As at signing in by a password, the guard refuses other origins; what comes back is bound to the browser that began.
@csrf_exempt
@never_cache
@require_http_methods(["POST"])
def begin(request: HttpRequest) -> HttpResponse:
    """A page that leads on to the issuer: a form may send nobody there itself, says the content policy."""
    by = identities.provider()
    if by is None:
        return _nothing_here(request)
    address, origin = enter.own_address(request.POST.get("next", "")), sign_in.address_of(request)
    if wait := beginnings.wait(origin):
        answer = sign_in.page(request, 429, address, openid_error=f"Too many tries; wait {wait:.0f} seconds.")
        answer["Retry-After"] = f"{wait:.0f}"
        return answer
    beginnings.count(origin)
    from sessions_app.web import openid_flow  # what it imports is there only with forklore[oidc]

    answer = openid_flow.begin(request, by, address)
    if not isinstance(answer, HttpResponseRedirect):
        return answer
    return render(request, "enter/openid.html", {"issuer": by.name, "url": answer.url})


@never_cache
@require_http_methods(["GET"])
def callback(request: HttpRequest) -> HttpResponse:
    by = identities.provider()
    if by is None:
        return _nothing_here(request)
    from sessions_app.web import openid_flow

    return openid_flow.finish(request, by)


def refused(request: HttpRequest, status: int, sentence: str, *, noted: bool) -> HttpResponse:
    """The page to sign in at. Noted is what a stranger could not do as often as they like."""
    if noted:
        audit.append("failed to sign in", "address", sign_in.address_of(request))
    return sign_in.page(request, status, "/", openid_error=sentence)


def did_not_work(by: OpenID) -> str:
    return f"Signing in with {by.name} did not work; try again."


def _nothing_here(request: HttpRequest) -> HttpResponse:
    how = "" if settings.FORKLORE_MODE == "team" else " This is no team."
    return enter.sentence(request, 404, f"Nobody signs in by OpenID here.{how}")
