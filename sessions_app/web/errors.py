"""How what the store refuses becomes an answer; the pages are templates/{400,403,404,500}.html."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.http import Http404, HttpRequest, HttpResponse

from sessions_app.errors import SessionNotFound


def missing_is_404(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For views whose session another page or agent may remove between the look and the deed."""

    @wraps(view)
    def answer(request: HttpRequest, *args, **kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except SessionNotFound as error:
            raise Http404(str(error)) from error

    return answer
