"""Slows the guessing of passwords down: counts tries by account and by address, in the database for all processes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from sessions_app.access import secrets
from sessions_app.access.models import Fault

WITHIN = timedelta(minutes=15)
OF_BOTH = 10  # tries of one account from one address
OF_EITHER = 50  # of an account from everywhere, and from an address for all accounts


def wait(account: str, address: str) -> float:
    """Seconds until the next try; 0 when it may be now."""
    now = timezone.now()
    waits = [0.0]
    for key, most in _keys(account, address):
        # The oldest of the last `most`: when it is out of the window, there is room for one.
        newest = Fault.objects.filter(key=key, moment__gt=now - WITHIN).order_by("-moment")
        oldest = newest.values_list("moment", flat=True)[most - 1 : most].first()
        if oldest:
            waits.append((oldest + WITHIN - now).total_seconds())
    return max(waits)


def count(account: str, address: str) -> None:
    """Note a try before it is made, so that many at once are not all let through."""
    now = timezone.now()
    Fault.objects.filter(moment__lte=now - WITHIN).delete()
    Fault.objects.bulk_create([Fault(key=key, moment=now) for key, _ in _keys(account, address)])


def forget(account: str, address: str) -> None:
    """The last try was good, so those of this account from this address are its owner's."""
    (key, _), *_ = _keys(account, address)
    Fault.objects.filter(key=key).delete()


def _keys(account: str, address: str) -> Iterator[tuple[str, int]]:
    yield secrets.keyed_digest(f"both {account.casefold()} {address}"), OF_BOTH
    yield secrets.keyed_digest(f"account {account.casefold()}"), OF_EITHER
    yield secrets.keyed_digest(f"address {address}"), OF_EITHER
