"""The server's log: a line of JSON for each event, free of content.

What went wrong is told by the kind of the error and the places that it came through, never by its words, for those may
quote a message, a query or a credential; a request by its route, never by its path. Only our own loggers say sentences,
which are made for the log.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from datetime import UTC, datetime
from typing import Any

OWN = ("sessions_app", "sessions_site")
EVERY = 1.0  # seconds
MOST_PLACES = 40  # of a traceback, from where it was raised


class ContentFree(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        event: dict[str, Any] = {"time": moment, "level": record.levelname.lower(), "logger": record.name}
        # Of other loggers only the words that stand in their programs, without what is put into them.
        is_own = record.name.partition(".")[0] in OWN
        event["event"] = record.getMessage() if is_own else _words(record)
        event |= _request(getattr(record, "request", None))
        if isinstance(status := getattr(record, "status_code", None), int):
            event["status"] = status
        if record.exc_info and record.exc_info[0]:
            event["error"] = record.exc_info[0].__name__
            event["places"] = _places(record.exc_info[2])
        return json.dumps(event)


class Seldom(logging.Filter):
    """Lets what comes again and again from one place of a program through once a second.

    Without a descriptor left asyncio tells of each connection that it could not take, and to write that down takes
    longer than to serve those that are there.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        place, now = (record.pathname, record.lineno), time.monotonic()
        is_due = now - self._told.get(place, -EVERY) >= EVERY
        if is_due:
            self._told[place] = now
        return is_due


def settings(*, debug: bool) -> dict[str, Any]:
    """Of LOGGING; with `debug` Django itself tells all on the console."""
    handlers = {"stderr": {"class": "logging.StreamHandler", "formatter": "content_free"}}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"content_free": {"()": "sessions_site.logs.ContentFree"}},
        "filters": {"seldom": {"()": "sessions_site.logs.Seldom"}},
        "handlers": handlers,
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "django": {"handlers": ["console"] if debug else [], "level": "INFO" if debug else "WARNING"},
            "asyncio": {"filters": ["seldom"]},
            "django.request": {"level": "WARNING" if debug else "ERROR"},  # what is not there is no event
        },
    }


def _words(record: logging.LogRecord) -> str:
    return record.msg if isinstance(record.msg, str) and (record.args or "%" in record.msg) else "event"


def _request(request: Any) -> dict[str, Any]:
    if request is None or not hasattr(request, "method"):
        return {}
    match = getattr(request, "resolver_match", None)
    return {"method": str(request.method), "route": match.route if match else None}


def _places(trace: Any) -> list[str]:
    frames = traceback.extract_tb(trace)[-MOST_PLACES:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
