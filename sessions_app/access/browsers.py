"""Browsers that were let in: what their cookie holds, for how long, and how it ends."""

from __future__ import annotations

import secrets as random
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from sessions_app.access import audit, secrets
from sessions_app.access.models import Browser
from sessions_app.database_faults import UNAVAILABLE
from sessions_app.databases import execute
from sessions_app.session_rows import aware

LIFETIME = timedelta(days=30)
NOTED = timedelta(minutes=1)  # how exactly the last use is kept
_FIND = "SELECT id, expires_at, last_used_at FROM forklore_access_browser WHERE digest = %s"  # by the cursor, for every request asks it

# What the database could not take: a full disk or a damaged file keeps nobody from reading. Good in this process only.
_kept_here: dict[str, datetime] = {}


@dataclass(frozen=True, slots=True)
class BrowserRecord:
    id: int
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime
    current: bool


def let_in() -> str:
    """The secret for a new cookie."""
    now = timezone.now()
    secret = random.token_urlsafe(32)
    digest = secrets.keyed_digest(secret)
    try:
        Browser.objects.filter(expires_at__lte=now).delete()
        Browser.objects.create(digest=digest, created_at=now, expires_at=now + LIFETIME, last_used_at=now)
    except UNAVAILABLE:
        _kept_here[digest] = now + LIFETIME
    return secret


def is_let_in(secret: str) -> bool:
    digest, now = secrets.keyed_digest(secret), timezone.now()
    if _kept_here and _kept_here.get(digest, now) > now:
        return True
    found = execute(_FIND, [digest]).fetchone()
    if found is None or aware(found[1]) <= now:
        return False
    if found[2] is None or aware(found[2]) <= now - NOTED:
        with suppress(*UNAVAILABLE):  # a full disk keeps nobody from reading
            Browser.objects.filter(pk=found[0]).update(last_used_at=now)
    return True


def listed(secret: str, most: int) -> list[BrowserRecord]:
    """Those that are let in, the last used first; `secret` is that of who asks."""
    here = secrets.keyed_digest(secret)
    rows = Browser.objects.filter(expires_at__gt=timezone.now()).order_by(
        F("last_used_at").desc(nulls_last=True), "-pk"
    )
    return [
        BrowserRecord(row.pk, row.created_at, row.last_used_at, row.expires_at, row.digest == here)
        for row in rows[:most]
    ]


def revoke_one(id: int) -> bool:
    """Whether there was such a one."""
    return bool(Browser.objects.filter(pk=id).delete()[0])


def revoke(secret: str) -> None:
    _kept_here.pop(secrets.keyed_digest(secret), None)
    Browser.objects.filter(digest=secrets.keyed_digest(secret)).delete()


def revoke_others(secret: str) -> None:
    """All but the one with that secret."""
    here = secrets.keyed_digest(secret)
    for digest in [*_kept_here]:
        if digest != here:
            del _kept_here[digest]
    Browser.objects.exclude(digest=secrets.keyed_digest(secret)).delete()


def revoke_all() -> int:
    """How many there were."""
    _kept_here.clear()
    ended = Browser.objects.all().delete()[0]
    audit.append("ended", "browser", "all", count=ended)
    return ended


def count() -> int:
    return Browser.objects.filter(expires_at__gt=timezone.now()).count()
