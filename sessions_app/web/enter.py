"""Getting in: the page for whoever is not let in yet, and what a launch code gives."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sessions_app.access import browsers, codes
from sessions_app.access.throttle import Throttle
from sessions_app.database_faults import UNAVAILABLE
from sessions_app.web import sign_in

FILES = (
    "css/site.css",
    "css/tokens.css",
    "css/controls.css",
    "css/enter.css",
    "js/theme.js",
    "js/enter.js",
    "icon.svg",
)
LONGEST = 1000  # characters of what may be pasted as a code

wrong_codes = Throttle(most=10, seconds=60)


# There is no cookie yet that another site could misuse: the code is the secret, and the guard refuses other origins.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: HttpRequest) -> HttpResponse:
    if settings.FORKLORE_MODE == "team":
        return sign_in.sign_in(request, own_address((request.POST or request.GET).get("next", "")))
    if request.method == "POST":
        return _enter_with(request, request.POST.get("code", "")[:LONGEST])
    if request.actor and "next" in request.GET:  # type: ignore[attr-defined]  # by FindActor
        return HttpResponseRedirect(own_address(request.GET["next"]))
    return _page(request, 200, own_address(request.GET.get("next", "")))


@never_cache
@require_safe
def known(request: HttpRequest) -> HttpResponse:
    """Whether this browser is let in: 204, or the 401 that everything else gets too."""
    return HttpResponse(status=204)


@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """End this browser's stay; its cookie is worthless at once, wherever it was copied to."""
    browsers.revoke(request.COOKIES.get(settings.FORKLORE_COOKIE, ""))
    auth.logout(request)
    answer = HttpResponseRedirect(reverse("web:enter"))
    answer.delete_cookie(settings.FORKLORE_COOKIE, samesite="Strict")
    return answer


def is_open(path: str) -> bool:
    """Whether nobody in particular may ask for it: how to get in, and whether the server is well."""
    return path in _open_paths() or (settings.FORKLORE_MODE == "team" and path.startswith(_invitations()))


def refusal(request: HttpRequest) -> HttpResponse:
    """401, as the page for a person who opened one, and else in words."""
    team = settings.FORKLORE_MODE == "team"
    a_page = "text/html" in request.headers.get("Accept", "") and "HX-Request" not in request.headers
    if a_page and request.method in ("GET", "HEAD"):
        show = sign_in.page if team else _page
        answer = show(request, 401, request.get_full_path())
    else:
        how = f"Sign in at {reverse('web:enter')}." if team else f"Get in by {settings.FORKLORE_PROGRAM} open."
        answer = sentence(request, 401, f"Nobody is let in without a credential. {how}")
    answer["WWW-Authenticate"] = "Bearer"
    answer["Cache-Control"] = "no-store"
    return answer


def own_address(address: str) -> str:
    """Where to go on to: a path of this site, or its first page for anything else."""
    return address if address.startswith("/") and url_has_allowed_host_and_scheme(address, None) else "/"


def sentence(request: HttpRequest, status: int, words: str) -> HttpResponse:
    """For a script as text, and for a page that asked for a part of itself as js/errors.js tells it."""
    if request.headers.get("HX-Request"):
        return HttpResponse(format_html("<p data-sentence>{}</p>", words), status=status)
    return HttpResponse(f"{words}\n", status=status, content_type="text/plain; charset=utf-8")


def _enter_with(request: HttpRequest, code: str) -> HttpResponse:
    address = own_address(request.POST.get("next", ""))
    wait = wrong_codes.wait()
    if wait:
        answer = _page(request, 429, address, f"Too many wrong codes; try again in {wait:.0f} seconds.")
        answer["Retry-After"] = f"{wait:.0f}"
        return answer
    if not codes.use(code):
        wrong_codes.count()
        return _page(request, 403, address, "This code is wrong, used up or older than a minute.")
    if cookie := request.COOKIES.get(settings.FORKLORE_COOKIE):
        with suppress(*UNAVAILABLE):
            browsers.revoke(cookie)  # the new cookie takes its place
    answer = HttpResponseRedirect(address)
    answer.status_code = 303
    answer.set_cookie(
        settings.FORKLORE_COOKIE,
        browsers.let_in(),
        max_age=browsers.LIFETIME,
        secure=request.is_secure(),
        httponly=True,
        samesite="Strict",
    )
    return answer


def _page(request: HttpRequest, status: int, address: str, error: str = "") -> HttpResponse:
    context = {"program": settings.FORKLORE_PROGRAM, "next": address, "error": error}
    return render(request, "enter/page.html", context, status=status)


@cache
def _invitations() -> str:
    return reverse("web:invitation", args=["x", "x"]).partition("x")[0]


@cache
def _open_paths() -> frozenset[str]:
    pages = ("web:enter", "web:openid", "web:openid-callback", "web:healthz")
    return frozenset((*map(reverse, pages), *map(static, FILES)))
