"""Launch codes: each lets one browser in, once, within a minute."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta

from django.utils import timezone

from sessions_app.access import secrets
from sessions_app.access.models import LaunchCode
from sessions_app.database_faults import UNAVAILABLE

LIFETIME = timedelta(seconds=60)


# What the database could not take: a full disk or a damaged file keeps nobody from reading. Good in this process only.
_kept_here: dict[str, datetime] = {}


def make() -> str:
    now = timezone.now()
    code = secrets.new_code()
    digest = secrets.keyed_digest(code)
    try:
        LaunchCode.objects.filter(expires_at__lte=now).delete()
        LaunchCode.objects.create(digest=digest, expires_at=now + LIFETIME)
    except UNAVAILABLE:
        _kept_here[digest] = now + LIFETIME
    return code


def use(typed: str) -> bool:
    """Whether it was good; from now on it is not. A person may type it in capitals, with spaces, or as the whole link."""
    digest = secrets.keyed_digest("".join(typed.rpartition("#")[2].split()).lower())
    if _kept_here.pop(digest, timezone.now()) > timezone.now():
        return True
    live = LaunchCode.objects.filter(expires_at__gt=timezone.now()).values_list("pk", "digest")
    found = [pk for pk, known in live if hmac.compare_digest(known, digest)]
    # Of two that come at once only one deletes the row.
    return bool(LaunchCode.objects.filter(pk__in=found).delete()[0])
