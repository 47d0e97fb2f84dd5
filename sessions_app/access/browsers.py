"""Browsers that were let in: what their cookie holds, for how long, and how it ends."""

from __future__ import annotations

import secrets as random
from datetime import timedelta

from django.utils import timezone

from sessions_app.access import secrets
from sessions_app.access.models import Browser
from sessions_app.databases import execute
from sessions_app.session_rows import aware

LIFETIME = timedelta(days=30)
_FIND = "SELECT expires_at FROM forklore_access_browser WHERE digest = %s"  # by the cursor, for every request asks it


def let_in() -> str:
    """The secret for a new cookie."""
    now = timezone.now()
    Browser.objects.filter(expires_at__lte=now).delete()
    secret = random.token_urlsafe(32)
    Browser.objects.create(digest=secrets.keyed_digest(secret), created_at=now, expires_at=now + LIFETIME)
    return secret


def is_let_in(secret: str) -> bool:
    found = execute(_FIND, [secrets.keyed_digest(secret)]).fetchone()
    return found is not None and aware(found[0]) > timezone.now()


def revoke(secret: str) -> None:
    Browser.objects.filter(digest=secrets.keyed_digest(secret)).delete()


def revoke_others(secret: str) -> None:
    """All but the one with that secret."""
    Browser.objects.exclude(digest=secrets.keyed_digest(secret)).delete()


def revoke_all() -> int:
    """How many there were."""
    return Browser.objects.all().delete()[0]


def count() -> int:
    return Browser.objects.filter(expires_at__gt=timezone.now()).count()
