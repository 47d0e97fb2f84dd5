"""The people of a team: who they are, how they get their first password, and how they leave."""

from __future__ import annotations

from collections.abc import Collection

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from sessions_app import databases
from sessions_app.access import audit, user_sessions
from sessions_app.access.errors import InvalidPerson

LAST_ADMIN = "Nobody else is an admin; make somebody one first."


def has_admin() -> bool:
    return User.objects.filter(is_superuser=True, is_active=True).exists()


def create_admin(name: str, password: str) -> None:
    """Raises InvalidPerson for a name or a password that cannot be."""
    _create(name, password, admin=True)


def invite(name: str, address: str = "") -> User:
    """Somebody without a password, who cannot sign in before they set one by their invitation.

    `address` is of e-mail; by it an OpenID issuer may bring them in. Raises InvalidPerson.
    """
    return _create(name, None, admin=False, address=address)


def with_address(address: str) -> User | None:
    """Who has that address of e-mail; None where several have, as only Django's admin can make it."""
    # Databases fold letters that are others to a mail server: a dotless i is an i to PostgreSQL.
    found = [user for user in User.objects.filter(email__iexact=address) if user.email.lower() == address.lower()]
    return found[0] if len(found) == 1 else None


def set_address(user: User, address: str) -> None:
    """Raises InvalidPerson for one that is none, or somebody else's."""
    check_address(address, user)
    with transaction.atomic(databases.current()):
        user.email = address
        user.save(update_fields=["email"])
        audit.append("set address", "user", user.pk)


def end_sessions(user: User) -> None:
    user_sessions.end_all(user.pk)


def invitation(user: User) -> tuple[str, str]:
    """What names the user in the link, and what makes it good: once, and for three days."""
    return urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)


def invited(name: str, secret: str) -> User | None:
    """Whom an invitation is for; None for one that is wrong, was used or is too old."""
    try:
        user = User.objects.filter(pk=int(urlsafe_base64_decode(name).decode()), is_active=True).first()
    except (ValueError, OverflowError):
        return None
    return user if user and default_token_generator.check_token(user, secret) else None


def set_password(user: User, password: str, *, keep_session: str | None = None) -> None:
    """Every session of the user but that of one key ends. Raises InvalidPerson for a password that is too weak."""
    _validate(password, user)
    with transaction.atomic(databases.current()):
        user.set_password(password)
        user.save(update_fields=["password"])
        user_sessions.end_all(user.pk, but=keep_session)
        audit.append("set password", "user", user.pk)


def reset(user: User) -> None:
    """Take the password away, so that a new invitation can be given; all sessions end."""
    with transaction.atomic(databases.current()):
        user.set_unusable_password()
        user.save(update_fields=["password"])
        user_sessions.end_all(user.pk)
        audit.append("reset password", "user", user.pk)


def set_active(user: User, active: bool) -> None:
    """Somebody who is not active is let in by nothing, tokens included. Raises InvalidPerson."""
    with transaction.atomic(databases.current()):
        if not active:
            _check_another_admin(user)
            user_sessions.end_all(user.pk)
        user.is_active = active
        user.save(update_fields=["is_active"])
        audit.append("let back in" if active else "deactivated", "user", user.pk)


def set_admin(user: User, admin: bool) -> None:
    """Raises InvalidPerson where nobody would be left."""
    with transaction.atomic(databases.current()):
        if not admin:
            _check_another_admin(user)
        user.is_superuser = user.is_staff = admin  # staff: to Django's own admin
        user.save(update_fields=["is_superuser", "is_staff"])
        audit.append("made admin" if admin else "no longer admin", "user", user.pk)


def check_admin_stays(without: Collection[int]) -> None:
    """Raises InvalidPerson where nobody but users of these keys is an admin."""
    admins = User.objects.filter(is_superuser=True, is_active=True)
    if not admins.exclude(pk__in=without).exists() and admins.exists():
        raise InvalidPerson(LAST_ADMIN)


def _create(name: str, password: str | None, *, admin: bool, address: str = "") -> User:
    user = User(username=name, email=address, is_superuser=admin, is_staff=admin)
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        raise InvalidPerson(" ".join(error.messages)) from error
    if User.objects.filter(username__iexact=name).exists():
        raise InvalidPerson(f"There is somebody named {name} already.")
    check_address(address, user)
    if password is not None:
        _validate(password, user)
        user.set_password(password)
    else:
        user.set_unusable_password()
    with transaction.atomic(databases.current()):
        user.save()
        audit.append("created admin" if admin else "invited", "user", user.pk)
    return user


def check_address(address: str, user: User) -> None:
    """ASCII alone: what looks like another address could be linked to its owner. Raises InvalidPerson."""
    user.email = address
    try:
        user.clean_fields(exclude=["password", "username"])
    except ValidationError as error:
        raise InvalidPerson(" ".join(error.messages)) from error
    if not address.isascii():
        raise InvalidPerson("An address of e-mail is written in ASCII here.")
    if address and User.objects.filter(email__iexact=address).exclude(pk=user.pk).exists():
        raise InvalidPerson("Somebody else has that address of e-mail.")


def _validate(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidPerson(" ".join(error.messages)) from error


def _check_another_admin(user: User) -> None:
    # Locked, so that two admins cannot take each other's place at once.
    admins = User.objects.select_for_update().filter(is_superuser=True, is_active=True)
    if [admin.pk for admin in admins] == [user.pk]:
        raise InvalidPerson(LAST_ADMIN)
