"""Who asks: every page, socket and call is somebody's, and this record is who."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scope = Literal["read", "write"]
EVERYTHING: frozenset[Scope] = frozenset(("read", "write"))


@dataclass(frozen=True, slots=True)
class Actor:
    """The local owner, a user of a team, or a token; `name` is for people to read and no key."""

    kind: Literal["owner", "user", "token"]
    name: str
    scopes: frozenset[Scope] = EVERYTHING
    bearer: bool = False  # whether it came as a header, which no other site can make a browser send

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes
