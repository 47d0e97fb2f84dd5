"""Who asks: every page, socket and call is somebody's, and this record is who.

The actor of a context is whom the store obeys (gate.py). Code that opened the database by itself has none: it could
read the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

Scope = Literal["read", "write", "admin"]
EVERYTHING: frozenset[Scope] = frozenset(("read", "write", "admin"))
ORDINARY: frozenset[Scope] = frozenset(("read", "write"))


class Role(IntEnum):
    """What somebody may do in a project; each includes the ones before it."""

    NONE = 0
    VIEWER = 1  # read it
    WRITER = 2  # add to it, rename, fork into it, move to the trash and back
    MAINTAINER = 3  # purge


@dataclass(frozen=True, slots=True)
class Actor:
    """The local owner, a user of a team, or a token of either; `name` is for people to read and no key."""

    kind: Literal["owner", "user", "token"]
    name: str
    scopes: frozenset[Scope] = ORDINARY
    bearer: bool = False  # whether it came as a header, which no other site can make a browser send
    user_id: int | None = None  # whose grants count; of a token that of its owner
    unrestricted: bool = False  # the owner of the machine, and admins: over all projects
    projects: frozenset[int] | None = None  # those that a token is restricted to

    def may(self, scope: Scope) -> bool:
        """Whether the credential is good for that. Only who is over all projects administers anything."""
        if scope == "admin":
            return "admin" in self.scopes and self.sees_all
        return scope in self.scopes

    @property
    def sees_all(self) -> bool:
        return self.unrestricted and self.projects is None and "read" in self.scopes

    @property
    def most(self) -> Role:
        """The highest role that its scopes let it use, whatever its user was granted."""
        if "read" not in self.scopes:
            return Role.NONE
        return Role.MAINTAINER if "write" in self.scopes else Role.VIEWER


def the_owner(*, bearer: bool = False) -> Actor:
    return Actor("owner", "owner", EVERYTHING, bearer, unrestricted=True)


NOBODY = Actor("user", "nobody", frozenset())

_actor: ContextVar[Actor | None] = ContextVar("forklore_actor", default=None)


def current() -> Actor | None:
    """The actor of this context; None for code that opened the database by itself."""
    return _actor.get()


def caller() -> str:
    """Who that is, told from everybody of the same name; "" for code that opened the database by itself."""
    actor = current()
    return "" if actor is None else f"{actor.kind} {actor.user_id} {actor.name}"


@contextmanager
def acting(actor: Actor | None) -> Iterator[None]:
    """Let the store answer as that actor may know and do."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)
