"""Errors as problem details (RFC 9457), each with the sentence and the name of the store's own error."""

from __future__ import annotations

import sqlite3
from typing import Any

from django.db.utils import Error
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from sessions_app import database_faults, errors
from sessions_app.api import schemas, wire

# What an operation may answer besides, for the description.
PROBLEMS = dict.fromkeys((400, 403, 404, 422), schemas.Problem)
WRITING = {**PROBLEMS, 409: schemas.Problem, 412: schemas.Problem, 413: schemas.Problem}

_STATUSES: dict[type[Exception], int] = {
    errors.SessionNotFound: 404,
    errors.NotAllowed: 403,
    errors.VersionConflict: 412,
    errors.MessageTooLarge: 413,
    errors.SessionTooLarge: 413,
    errors.QuotaExceeded: 413,
    errors.SessionExists: 409,
    errors.NameTaken: 409,
    errors.KeyReused: 422,
    errors.SessionPurged: 410,
    errors.ChangesForgotten: 410,
    errors.DiskFull: 507,
    errors.DamagedMessage: 500,
    errors.DatabaseFault: 503,
    errors.StoreError: 422,
    ValueError: 422,
}
_FIELDS = ("id", "position", "expected", "actual", "start", "stop", "since")  # of errors, told along


def attach(api: NinjaAPI) -> None:
    for kind, status in _STATUSES.items():
        api.add_exception_handler(kind, _handler(status))
    further: dict[type[Exception], Any] = {
        ValidationError: _of_validation,
        HttpError: lambda request, error: problem(request, error.status_code, str(error)),
        Http404: lambda request, error: problem(request, 404, "There is no such address."),
        **dict.fromkeys((Error, sqlite3.Error), _of_database),
    }
    for kind, handler in further.items():
        api.add_exception_handler(kind, handler)


def problem(request: HttpRequest, status: int, detail: str, kind: str = "about:blank", **more: Any) -> HttpResponse:
    value = {"type": kind, "title": kind.rpartition("/")[2], "status": status, "detail": detail, **more}
    if kind == "about:blank":
        value["title"] = "Refused"
    return wire.answer(request, value, status, content_type=wire.PROBLEM)


def status_of(error: Exception) -> int:
    """Of an error of the store, by the nearest of its classes."""
    return next(_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES)


def _handler(status: int) -> Any:
    def handle(request: HttpRequest, error: Exception) -> HttpResponse:
        told = {name: getattr(error, name) for name in _FIELDS if getattr(error, name, None) is not None}
        kind = f"urn:forklore:{type(error).__name__}"
        more = {name: value if isinstance(value, int) else str(value) for name, value in told.items()}
        return problem(request, status, str(error), kind, error=type(error).__name__, **more)

    return handle


def _of_validation(request: HttpRequest, error: ValidationError) -> HttpResponse:
    first = error.errors[0]
    where = " ".join(str(part) for part in first.get("loc", ())[1:])
    return problem(request, 422, f"{where}: {first.get('msg')}.".removeprefix(": "), error="ValueError")


def _of_database(request: HttpRequest, error: Exception) -> HttpResponse:
    if found := database_faults.fault(error):
        return _handler(status_of(found))(request, found)
    if isinstance(error, database_faults.UNFIT):
        return problem(request, 422, database_faults.NOTHING_LIKE_IT, error="ValueError")
    response = problem(request, 503, "The database cannot be reached just now; ask again.")
    response["Retry-After"] = "1"
    return response
