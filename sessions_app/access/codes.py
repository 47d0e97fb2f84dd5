"""Launch codes: each lets one browser in, once, within a minute."""

from __future__ import annotations

import hmac
from datetime import timedelta

from django.utils import timezone

from sessions_app.access import secrets
from sessions_app.access.models import LaunchCode

LIFETIME = timedelta(seconds=60)


def make() -> str:
    now = timezone.now()
    LaunchCode.objects.filter(expires_at__lte=now).delete()
    code = secrets.new_code()
    LaunchCode.objects.create(digest=secrets.keyed_digest(code), expires_at=now + LIFETIME)
    return code


def use(typed: str) -> bool:
    """Whether it was good; from now on it is not. A person may type it in capitals, with spaces, or as the whole link."""
    digest = secrets.keyed_digest("".join(typed.rpartition("#")[2].split()).lower())
    live = LaunchCode.objects.filter(expires_at__gt=timezone.now()).values_list("pk", "digest")
    found = [pk for pk, known in live if hmac.compare_digest(known, digest)]
    # Of two that come at once only one deletes the row.
    return bool(LaunchCode.objects.filter(pk__in=found).delete()[0])
