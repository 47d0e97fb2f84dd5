"""Finds out who asks, before any view and any file, and lets nobody else in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, HttpResponseForbidden
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.deprecation import MiddlewareMixin

from sessions_app.access import finding
from sessions_app.web import enter

READING = ("GET", "HEAD", "OPTIONS")


class FindActor(MiddlewareMixin):
    """Sets request.actor: an Actor for every view but those few that let somebody in, which may find None."""

    def process_request(self, request: Any) -> HttpResponse | None:
        request.actor = finding.find(
            request.COOKIES.get(settings.FORKLORE_COOKIE), request.headers.get("Authorization")
        )
        if request.actor is None:
            return None if enter.is_open(request.path_info) else enter.refusal(request)
        if request.method not in READING and not request.actor.may("write"):
            return enter.sentence(request, 403, "This token may read only.")
        return None


class CsrfOfCookies(CsrfViewMiddleware):
    """Asks for Django's token where a cookie let the request in; a header is sent by no other site's page."""

    def process_view(
        self,
        request: HttpRequest,
        callback: Callable[..., HttpResponseBase],
        callback_args: tuple[Any, ...],
        callback_kwargs: dict[str, Any],
    ) -> HttpResponseForbidden | None:
        actor = request.actor  # type: ignore[attr-defined]  # by FindActor
        if actor and actor.bearer:
            return None
        return super().process_view(request, callback, callback_args, callback_kwargs)
