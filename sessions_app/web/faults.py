"""What the database cannot do, as a page for a person and a sentence for a script."""

from __future__ import annotations

import errno
import logging

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from sessions_app import database_faults
from sessions_app.errors import DamagedMessage, DatabaseFault, DiskFull
from sessions_app.web import enter

AGAIN = "The database cannot be reached just now; ask again."
EXHAUSTED = "The server has too much open just now; ask again."

_logger = logging.getLogger(__name__)


def answer(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """None for what is no fault of the database."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        response = enter.sentence(request, 503, EXHAUSTED)
        response["Retry-After"] = "1"
        return response
    found = error if isinstance(error, DatabaseFault) else database_faults.fault(error)
    if found is None and not isinstance(error, database_faults.UNAVAILABLE):
        return None
    if found is None and isinstance(error, database_faults.UNFIT):
        return enter.sentence(request, 400, database_faults.NOTHING_LIKE_IT)
    status, words = _told(found)
    _logger.error("%s: %s", request.method, words)  # no address: searches stand in it
    if "text/html" in request.headers.get("Accept", "") and "HX-Request" not in request.headers:
        # Without the request, for what pages tell of it is asked of the database.
        response = HttpResponse(render_to_string("fault.html", {"sentence": words}), status=status)
    else:
        response = enter.sentence(request, status, words)
    response["Cache-Control"] = "no-store"
    if status == 503:
        response["Retry-After"] = "1"
    return response


def _told(fault: DatabaseFault | None) -> tuple[int, str]:
    if fault is None:
        return 503, AGAIN
    return 507 if isinstance(fault, DiskFull) else 500 if isinstance(fault, DamagedMessage) else 503, str(fault)
