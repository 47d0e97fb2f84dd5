"""Named tokens for agents and scripts: shown once, kept as digests, revoked at once."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from sessions_app import databases
from sessions_app.access import audit, secrets
from sessions_app.access.errors import InvalidToken, TokenNotFound
from sessions_app.access.models import Token
from sessions_app.actors import EVERYTHING, ORDINARY, Actor, Scope
from sessions_app.database_faults import UNAVAILABLE
from sessions_app.databases import execute
from sessions_app.session_rows import aware

DAYS = 90  # that a token holds unless told otherwise
LONGEST = 3650  # days
# How exactly its last use is known: a write at every request would cost more than the rest.
NOTED = timedelta(minutes=1)
READ_ONLY: frozenset[Scope] = frozenset(("read",))
SCOPES = {"read": READ_ONLY, "write": ORDINARY, "admin": EVERYTHING}  # as a person chooses them

# With a row for each project, so that all of it is one question; by the cursor, for every request asks it.
_FIND = """SELECT token.id, token.name, token.scopes, token.expires_at, token.last_used_at, token.restricted,
token.user_id, auth_user.is_active, auth_user.is_superuser, chosen.project_id
FROM forklore_access_token token LEFT JOIN auth_user ON auth_user.id = token.user_id
LEFT JOIN forklore_access_token_projects chosen ON chosen.token_id = token.id WHERE token.digest = %s"""


@dataclass(frozen=True, slots=True)
class TokenRecord:
    id: int
    user_id: int | None  # None: of the machine's owner
    name: str
    scopes: frozenset[Scope]
    projects: tuple[str, ...] | None  # names, sorted; None: all that its user has a role in
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


def create(
    name: str,
    *,
    user_id: int | None = None,
    scopes: Iterable[Scope] = ORDINARY,
    projects: Iterable[int] | None = None,
    days: int = DAYS,
) -> str:
    """The token itself, which nobody can ask for again; it holds for `days`, 1 to 3650.

    It may do what its user may, within its scopes and projects. Raises InvalidToken for a name that this user has
    given already, that is blank, longer than 100 characters or not printable, and for scopes that are none.
    """
    _check(name, scopes := frozenset(scopes), days)
    token, now = secrets.new_token(), timezone.now()
    try:
        with transaction.atomic(databases.current()):
            row = Token.objects.create(
                user_id=user_id,
                name=name,
                digest=secrets.token_digest(token),
                scopes=" ".join(sorted(scopes)),
                restricted=projects is not None,
                created_at=now,
                expires_at=now + timedelta(days=days),
            )
            row.projects.set(projects or ())
            audit.append("created", "token", row.pk)
    except IntegrityError as error:
        raise InvalidToken(f"There is a token named {name} already; revoke it first.") from error
    return token


def revoke(name: str, *, user_id: int | None = None) -> None:
    """End a token of that user, or of the machine's owner. Raises TokenNotFound."""
    _revoke(Token.objects.filter(name=name, user=user_id), name)


def revoke_by_id(id: int) -> None:
    """End any token, whosever it is. Raises TokenNotFound."""
    _revoke(Token.objects.filter(pk=id), str(id))


def all_of_them() -> list[TokenRecord]:
    """Everybody's, the oldest first, expired ones too."""
    return _records(Token.objects.all())


def of(user_id: int | None) -> list[TokenRecord]:
    """Those of a user, or of the machine's owner."""
    return _records(Token.objects.filter(user=user_id))


def find(token: str) -> Actor | None:
    """Whom a token stands for; None for one that is unknown, expired or revoked, or whose user is not active."""
    found, now = execute(_FIND, [secrets.token_digest(token)]).fetchall(), timezone.now()
    if not found:
        return None
    pk, name, scopes, expires_at, last_used_at, restricted, user_id, is_active, is_admin, _ = found[0]
    if (expires_at and aware(expires_at) <= now) or (user_id and not is_active):
        return None
    if last_used_at is None or aware(last_used_at) <= now - NOTED:
        with suppress(*UNAVAILABLE):  # a full disk keeps nobody from reading
            Token.objects.filter(pk=pk).update(last_used_at=now)
    return Actor(
        "token",
        name,
        _scopes(scopes),
        bearer=True,
        user_id=user_id,
        unrestricted=user_id is None or bool(is_admin),
        projects=frozenset(row[-1] for row in found if row[-1]) if restricted else None,
    )


def _check(name: str, scopes: frozenset[Scope], days: int) -> None:
    if not (0 < len(name) <= 100 and name.isprintable() and name.strip() == name):
        raise InvalidToken("A token's name is 1 to 100 printable characters, without spaces around them.")
    if not 1 <= days <= LONGEST:
        raise InvalidToken(f"A token holds for 1 to {LONGEST} days, not {days}.")
    if "read" not in scopes or not scopes <= EVERYTHING:
        raise InvalidToken("A token's scopes are read, and besides it write and admin.")


def _revoke(found: QuerySet[Token], name: str) -> None:
    with transaction.atomic(databases.current()):
        keys = list(found.values_list("pk", flat=True))
        if not keys:
            raise TokenNotFound(name)
        for key in keys:
            audit.append("revoked", "token", key)
        Token.objects.filter(pk__in=keys).delete()


def _records(rows: QuerySet[Token]) -> list[TokenRecord]:
    return [
        TokenRecord(
            token.pk,
            token.user_id,
            token.name,
            _scopes(token.scopes),
            tuple(sorted(project.name for project in token.projects.all())) if token.restricted else None,
            token.created_at,
            token.expires_at,
            token.last_used_at,
        )
        for token in rows.order_by("created_at", "pk").prefetch_related("projects")
    ]


def _scopes(words: str) -> frozenset[Scope]:
    return EVERYTHING.intersection(words.split())
