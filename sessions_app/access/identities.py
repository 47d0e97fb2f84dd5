"""Who comes by the word of an OpenID issuer: the people it is linked to, and whom it may bring in (decision 0017)."""

from __future__ import annotations

from dataclasses import dataclass

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from sessions_app import databases
from sessions_app.access import audit, people
from sessions_app.access.errors import InvalidPerson, NotLetIn
from sessions_app.access.models import Identity
from sessions_site.configuration import OpenID


@dataclass(frozen=True, slots=True)
class Word:
    """What an issuer says of somebody, in a token of which all else was checked."""

    issuer: str
    subject: str  # never given to another, which an address may be
    address: str  # of e-mail, or ""
    verified: bool  # that the address is theirs


def provider() -> OpenID | None:
    """The issuer of this team; None where nobody signs in by one, as where forklore[oidc] is not installed."""
    chosen = settings.FORKLORE_OIDC
    usable = chosen and settings.FORKLORE_MODE == "team" and not chosen.wrong()
    return chosen if usable and apps.is_installed("allauth.socialaccount") else None


def let_in(word: Word, by: OpenID) -> User:
    """Whom the word is of; they are linked, or made, where it is the first. Raises NotLetIn."""
    if by.domains and not (word.verified and word.address.rpartition("@")[2].lower() in by.domains):
        raise NotLetIn(by.name)
    known = Identity.objects.filter(issuer=word.issuer, subject=word.subject).select_related("user").first()
    try:
        user = known.user if known else _linked(word, by)
    except (IntegrityError, InvalidPerson) as error:  # another was quicker, or has that name
        raise NotLetIn(by.name) from error
    if not user.is_active:
        raise NotLetIn(by.name)
    return user


def with_links(users: QuerySet[User]) -> QuerySet[User]:
    """Each says `linked`: whether an issuer has brought them in."""
    return users.annotate(linked=Exists(Identity.objects.filter(user=OuterRef("pk"))))


def is_linked(user: User) -> bool:
    return Identity.objects.filter(user=user).exists()


def unlink(user: User) -> None:
    """They come by the issuer no more, until a verified address links them again; all sessions end."""
    with transaction.atomic(databases.current()):
        Identity.objects.filter(user=user).delete()
        people.end_sessions(user)
        audit.append("unlinked", "user", user.pk)


def _linked(word: Word, by: OpenID) -> User:
    """Only by an address that an admin wrote down and the issuer has verified: neither is for the person to choose."""
    if not (word.verified and word.address.isascii() and "@" in word.address):
        raise NotLetIn(by.name)
    with transaction.atomic(databases.current()):
        user = people.with_address(word.address) or _new(word, by)
        if not user.is_active or Identity.objects.filter(user=user, issuer=word.issuer).exists():
            raise NotLetIn(by.name)
        Identity.objects.create(user=user, issuer=word.issuer, subject=word.subject, linked_at=timezone.now())
        audit.append("linked", "user", user.pk)
    return user


def _new(word: Word, by: OpenID) -> User:
    if by.admit != "everybody":
        raise NotLetIn(by.name)
    return people.invite(word.address.lower(), word.address)
