"""The headers of every answer that keep what a transcript says from acting in the browser."""

from __future__ import annotations

from asgiref.sync import iscoroutinefunction
from django.utils.decorators import sync_and_async_middleware

# Images come from this server too: those of transcripts are addresses of their own, for a `data:` image may be larger
# than all else on a page and could not be kept by the browser.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


@sync_and_async_middleware
def content_security_policy(get_response):
    """A view that needs a stricter policy, such as a raw message, sets its own and it stays."""
    if iscoroutinefunction(get_response):

        async def answer(request):
            return _with_headers(await get_response(request))
    else:

        def answer(request):  # type: ignore[misc]  # the same middleware for both kinds of server
            return _with_headers(get_response(request))

    return answer


def _with_headers(response):
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    return response
