"""Finds out who asks, before any view and any file, and lets nobody else in; and keeps pages from their fragments."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, HttpResponseForbidden
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin
from django.views.defaults import permission_denied

from sessions_app.access import finding, rates
from sessions_app.actors import NOBODY, acting
from sessions_app.database_faults import UNAVAILABLE
from sessions_app.errors import NotAllowed, QuotaExceeded
from sessions_app.web import enter, faults

READING = ("GET", "HEAD", "OPTIONS")


class FindActor(MiddlewareMixin):
    """Sets request.actor, whom the store obeys while the request is served.

    It is an Actor for every view but those few that let somebody in, which may find None; to the store that is nobody.
    """

    def __call__(self, request: Any) -> Any:
        if iscoroutinefunction(self):
            return self.__acall__(request)
        refusal = self.process_request(request)
        with acting(request.actor or NOBODY):
            return refusal or self.get_response(request)

    async def __acall__(self, request: Any) -> HttpResponseBase:
        refusal = await sync_to_async(self.process_request, thread_sensitive=True)(request)
        with acting(request.actor or NOBODY):
            return refusal or await self.get_response(request)  # type: ignore[misc]  # async where this is

    def process_exception(self, request: Any, error: Exception) -> HttpResponseBase | None:
        """What somebody may see and yet not do is refused in the store's own sentence, and so is what nobody can do."""
        if isinstance(error, NotAllowed):
            return permission_denied(request, error)
        if isinstance(error, QuotaExceeded):
            return enter.sentence(request, 413, str(error))
        return faults.answer(request, error)

    def process_request(self, request: Any) -> HttpResponse | None:
        try:
            request.actor = finding.find(request.COOKIES, request.headers.get("Authorization"))
        except UNAVAILABLE as error:
            request.actor = None
            return faults.answer(request, error)
        if request.actor is None:
            return None if enter.is_open(request.path_info) else enter.refusal(request)
        if request.method not in READING and not request.actor.may("write"):
            return enter.sentence(request, 403, "This token may read only.")
        return _refusal_of_floods(request)


def _refusal_of_floods(request: Any) -> HttpResponse | None:
    """429 for who asks for more in a minute than they may; a page's own files do not count."""
    if request.path_info.startswith(settings.STATIC_URL):
        return None
    length = request.headers.get("Content-Length", "")
    wait = rates.wait(request.actor, int(length) if length.isdecimal() else 0)
    if not wait:
        return None
    seconds = ceil(wait)
    answer = enter.sentence(request, 429, f"Too much in too short a time; go on in {seconds} seconds.")
    answer["Retry-After"] = str(seconds)
    return answer


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


class PageOrFragment(MiddlewareMixin):
    """A page and its fragment share a URL: without this, going back shows the fragment that the browser kept."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.headers.get("Content-Type", "").startswith("text/html"):
            patch_vary_headers(response, ("HX-Request", "HX-Request-Type", "HX-History-Restore-Request"))
        return response
