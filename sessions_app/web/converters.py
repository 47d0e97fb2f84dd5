"""How names stand in addresses."""

from __future__ import annotations

import re

from django.urls.converters import StringConverter

_DOTS = re.compile(r"(?<![^/])(~*\.{1,2})(?![^/])")
_ESCAPED_DOTS = re.compile(r"(?<![^/])~(~*\.{1,2})(?![^/])")


class ProjectName(StringConverter):
    """Any project name, slashes included. A part that is `.` or `..` carries a `~`, or browsers would resolve it."""

    regex = "(?s:.+)"

    def to_python(self, value: str) -> str:
        return _ESCAPED_DOTS.sub(r"\1", value)

    def to_url(self, value: str) -> str:
        return _DOTS.sub(r"~\1", value)
