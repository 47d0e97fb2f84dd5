"""Tokens of who asks, and the audit log."""

from __future__ import annotations

from contextlib import suppress

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sessions_app.access import tokens as store_of_tokens
from sessions_app.access.errors import InvalidToken, TokenNotFound
from sessions_app.access.models import AuditEntry
from sessions_app.errors import NotAllowed
from sessions_app.models import Project
from sessions_app.web.context import wants_fragment
from sessions_app.web.settings_context import actor_of, check_admin, projects_to_choose, settings_page

PAGE = 50  # entries of the audit log


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """One's own; POST makes one, which this answer alone shows."""
    _check_may_make(request)
    if request.method != "POST":
        return _tokens_page(request)
    form = request.POST
    try:
        token = store_of_tokens.create(
            form.get("name", ""),
            user_id=actor_of(request).user_id,
            scopes=_scopes(request),
            projects=_projects(form.getlist("project")),
            days=_number(form.get("days", "")),
        )
    except InvalidToken as error:
        return _tokens_page(request, 422, error=str(error), wanted=form)
    return _tokens_page(request, token=token)


@require_POST
def revoke_token(request: HttpRequest, id: int) -> HttpResponse:
    _check_may_make(request)
    if not any(token.id == id for token in _own_tokens(request)):
        raise Http404("You have no such token.")  # in the same words, whether somebody else has it or nobody
    with suppress(TokenNotFound):  # another page of theirs was faster
        store_of_tokens.revoke_by_id(id)
    messages.success(request, "Revoked the token; what used it is cut off")
    return redirect("web:tokens")


@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """The newest first, fifty at a time, by verb and by actor."""
    check_admin(request)
    verb, actor, before = (request.GET.get(name, "") for name in ("verb", "actor", "before"))
    entries = AuditEntry.objects.newest_first()
    if verb:
        entries = entries.filter(verb=verb)
    if actor:
        entries = entries.filter(actor_name=actor)
    if before.isdecimal() and len(before) < 19:
        entries = entries.filter(pk__lt=int(before))
    shown = list(entries[: PAGE + 1])
    more = {"verb": verb, "actor": actor, "before": str(shown[PAGE - 1].pk)} if len(shown) > PAGE else None
    context = {
        "entries": shown[:PAGE],
        "more_url": f"{request.path}?{urlencode(more)}" if more else "",
        "verb": verb,
        "actor_name": actor,
        "verbs": AuditEntry.objects.order_by("verb").values_list("verb", flat=True).distinct(),
    }
    if wants_fragment(request):
        return render(request, "settings/audit_rows.html", context)
    return render(request, "settings/audit.html", settings_page(request, "audit") | context)


def _tokens_page(request: HttpRequest, status: int = 200, **more: object) -> HttpResponse:
    scopes = {"read": "Read", "write": "Read and write"}
    if actor_of(request).may("admin"):
        scopes["admin"] = "Administer too"
    context = {
        "tokens": _own_tokens(request),
        **projects_to_choose(request, Project.objects.visible().standing()),
        "scopes": scopes,
        "days": store_of_tokens.DAYS,
        "most_days": store_of_tokens.LONGEST,
        **more,
    }
    return render(request, "settings/tokens.html", settings_page(request, "tokens") | context, status=status)


def _check_may_make(request: HttpRequest) -> None:
    """A token makes no other: one that leaked could be made to outlive its end."""
    if actor_of(request).kind == "token":
        raise NotAllowed("A token can neither make nor see tokens.")


def _own_tokens(request: HttpRequest) -> list[store_of_tokens.TokenRecord]:
    return store_of_tokens.of(actor_of(request).user_id)


def _scopes(request: HttpRequest) -> frozenset:
    chosen = request.POST.get("scope", "")
    if chosen == "admin" and not actor_of(request).may("admin"):
        raise InvalidToken("Only an admin's token can administer.")
    return store_of_tokens.SCOPES.get(chosen, frozenset())


def _projects(chosen: list[str]) -> list[int] | None:
    keys = {_number(each) for each in chosen if each}
    if not keys:
        return None
    found = list(Project.objects.visible().filter(pk__in=keys).values_list("pk", flat=True))
    if len(found) != len(keys):
        raise InvalidToken("There is no such project.")
    return found


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
