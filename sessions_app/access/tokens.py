"""Named tokens for agents and scripts: shown once, kept as digests, revoked at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from sessions_app import databases
from sessions_app.access import secrets
from sessions_app.access.errors import InvalidToken, TokenNotFound
from sessions_app.access.models import Token
from sessions_app.actors import EVERYTHING, Actor, Scope

LONGEST = 3650  # days
NOTED = timedelta(
    minutes=1
)  # how exactly its last use is known: a write at every request would cost more than the rest
READ: Scope = "read"
WRITE: Scope = "write"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


def create(name: str, *, read_only: bool = False, days: int | None = None) -> str:
    """The token itself, which nobody can ask for again; without `days`, 1 to 3650, it holds until it is revoked.

    Raises InvalidToken for a name that is taken, blank, longer than 100 characters or not printable.
    """
    if not (0 < len(name) <= 100 and name.isprintable() and name.strip() == name):
        raise InvalidToken("A token's name is 1 to 100 printable characters, without spaces around them.")
    if days is not None and not 1 <= days <= LONGEST:
        raise InvalidToken(f"A token holds for 1 to {LONGEST} days, not {days}.")
    token, now = secrets.new_token(), timezone.now()
    try:
        with transaction.atomic(databases.current()):
            Token.objects.create(
                name=name,
                digest=secrets.token_digest(token),
                scopes=READ if read_only else f"{READ} {WRITE}",
                created_at=now,
                expires_at=None if days is None else now + timedelta(days=days),
            )
    except IntegrityError as error:
        raise InvalidToken(f"There is a token named {name} already; revoke it first.") from error
    return token


def revoke(name: str) -> None:
    """Raises TokenNotFound."""
    if not Token.objects.filter(name=name).delete()[0]:
        raise TokenNotFound(name)


def all_of_them() -> list[TokenRecord]:
    """The oldest first, expired ones too."""
    return [
        TokenRecord(token.name, _scopes(token), token.created_at, token.expires_at, token.last_used_at)
        for token in Token.objects.order_by("created_at", "pk")
    ]


def find(token: str) -> Actor | None:
    """Whom a token stands for; None for one that is unknown, expired or revoked."""
    found = Token.objects.filter(digest=secrets.token_digest(token)).first()
    now = timezone.now()
    if found is None or (found.expires_at and found.expires_at <= now):
        return None
    if found.last_used_at is None or found.last_used_at <= now - NOTED:
        Token.objects.filter(pk=found.pk).update(last_used_at=now)
    return Actor("token", found.name, _scopes(found), bearer=True)


def _scopes(token: Token) -> frozenset[Scope]:
    return EVERYTHING.intersection(token.scopes.split())
