"""How names stand in addresses."""

from __future__ import annotations

import re

from django.urls.converters import StringConverter

_TAKEN = re.compile(r"(?<![^/])(~*(?:\.{1,2}|lineage))(?![^/])")
_ESCAPED = re.compile(r"(?<![^/])~(~*(?:\.{1,2}|lineage))(?![^/])")


class ProjectName(StringConverter):
    """Any project name, slashes included. A part that is `.`, `..` or `lineage` carries a `~`.

    Browsers would resolve the former, and the latter ends the address of a project's lineage.
    """

    regex = "(?s:.+)"

    def to_python(self, value: str) -> str:
        return _ESCAPED.sub(r"\1", value)

    def to_url(self, value: str) -> str:
        return _TAKEN.sub(r"~\1", value)
