"""Clean-up by itself: the policies that are switched on, and the trash after its time. Off until somebody switches it on.

Each server looks once a minute whether clean-up is due; one of them takes the lease and runs it, and another one takes
over what a kill cut off once the lease has ended. Two that run at once would do no harm: a run holds its entry of the
journal while it does a batch, and what is done by then is not done again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from django.db import connections

from sessions_app import cleanup, cleanup_rows, gate, store
from sessions_app.access import audit
from sessions_app.cleanup import CLEANING, Entry
from sessions_app.databases import current
from sessions_app.errors import InvalidPolicy
from sessions_app.models import CleanupSchedule
from sessions_app.session_rows import writing
from sessions_site import stopping

LOOK_EVERY = 60  # seconds
LEASE = timedelta(minutes=2)  # renewed before each policy
JUMP = timedelta(days=1)  # by which the clock may be put forward before clean-up waits, and for how long it does
SILENCE = timedelta(days=7)  # in which nothing happened: a holiday, or a clock that was put forward
WAITED = timedelta(days=62)  # after a run that waited no other does
LOOKED = timedelta(hours=1)  # after which it is kept again that somebody looked
HOURS = range(1, 24 * 31 + 1)
DAYS = range(1, 3651)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    enabled: bool = False
    every_hours: int = 24
    trash_days: int | None = 30  # after which the trash is purged; None: never
    due_at: datetime | None = None


def schedule() -> Schedule:
    gate.check_over_all(CLEANING)
    row = CleanupSchedule.objects.filter(pk=1).first()
    return Schedule(row.enabled, row.every_hours, row.trash_days, row.due_at) if row else Schedule()


def set_schedule(*, enabled: bool, every_hours: int = 24, trash_days: int | None = 30) -> Schedule:
    """Switch clean-up by itself on or off; it is due at once. Raises InvalidPolicy and NotAllowed."""
    gate.check_over_all(CLEANING)
    if every_hours not in HOURS:
        raise InvalidPolicy(f"Clean-up runs every {HOURS[0]} to {HOURS[-1]} hours, not every {every_hours}.")
    if trash_days is not None and trash_days not in DAYS:
        raise InvalidPolicy(f"The trash is kept for {DAYS[0]} to {DAYS[-1]} days, or for ever, not {trash_days} days.")
    with writing():
        cleanup_rows.keep_schedule(enabled, every_hours, trash_days, store.now())
        cleanup_rows.keep_first_look(store.now())
        audit.append("set schedule", "clean-up", "on" if enabled else "off")
    return schedule()


def doubted_until(now: datetime) -> datetime | None:
    """Until when nothing is cleaned up by its age, for the clock may have been put forward; None where it is trusted.

    A clock that is a year ahead makes all look old. From within it looks like a long holiday: the next sign of life is
    weeks behind the last. So after a week without any, clean-up by itself waits for a day, in which somebody may notice.
    """
    doubted = _doubted_at(CleanupSchedule.objects.filter(pk=1).first(), now)
    return doubted and doubted + JUMP


def trust_clock() -> None:
    """Somebody says that the clock is right: nothing waits. Raises NotAllowed."""
    gate.check_over_all(CLEANING)
    with writing():
        cleanup_rows.keep_clock(store.now(), None)


def look_at_clock() -> datetime | None:
    """What `doubted_until` says now; a doubt begins with it, or ends."""
    now = store.now()
    row = CleanupSchedule.objects.filter(pk=1).first()
    doubted = _doubted_at(row, now)
    if doubted is None and row and row.doubted_at is None and row.seen_at and now - LOOKED < row.seen_at <= now:
        return None
    if doubted is None or row is None or doubted != row.doubted_at:
        with writing():
            cleanup_rows.keep_clock((row.seen_at if row else None) if doubted else now, doubted)
    return doubted and doubted + JUMP


def doubt_text(until: datetime) -> str:
    return (
        f"Nothing happened here for more than a week before {until - JUMP:%-d %B %Y}, so in case the clock was put forward "
        f"by mistake, nothing is cleaned up by its age until {until:%-d %B, %H:%M} UTC"
    )


def run_if_due(holder: str) -> list[Entry]:
    """Run all of clean-up if it is on and due, and nobody else is at it. `holder` is the name of this process."""
    if not CleanupSchedule.objects.filter(pk=1, enabled=True).exists() or look_at_clock():
        return []
    with writing():
        taken = cleanup_rows.take_lease(holder, store.now(), LEASE)
    if not taken:
        return []

    def renew() -> None:
        with writing():
            cleanup_rows.take_lease(holder, store.now(), LEASE)

    done = run_all(renew)
    with writing():
        cleanup_rows.end_lease(holder, store.now())
    return done


def run_all(before_each: Callable[[], None] = lambda: None) -> list[Entry]:
    """Finish what was cut off, purge what was in the trash for its time, run the policies that are on, and forget the
    journal of before; only runs that had something to do are given. Raises NotAllowed."""
    done = cleanup.resume()
    days = schedule().trash_days
    before_each()
    if days is not None:
        done += cleanup.empty_trash(timedelta(days=days))
        cleanup.forget_journal(timedelta(days=days))
    for policy in cleanup.policies():
        before_each()
        if policy.enabled and cleanup.preview(policy).sessions:
            done.append(cleanup.run(policy))
    return done


def _doubted_at(row: CleanupSchedule | None, now: datetime) -> datetime | None:
    """Since when the clock is doubted."""
    seen = row.seen_at if row else None
    if row and row.doubted_at and row.doubted_at <= now < row.doubted_at + WAITED:
        return row.doubted_at if now < row.doubted_at + JUMP else None
    if seen and seen > now:  # it was put back
        return None
    return now if cleanup_rows.longest_silence(seen, now) > SILENCE else None


class Clock:
    """Tells whether the clock can be trusted with what goes by age.

    One that was put forward, by mistake or by a battery that ended, makes all look old; what it goes by in truth is how
    long this process has run. Of a jump before its start `look_at_clock` may know.
    """

    def __init__(self, passed: Callable[[], float]) -> None:
        self._passed = passed  # seconds, whatever the clock says
        self._seen: tuple[datetime, float] | None = None
        self._waits_until = 0.0

    def can_be_trusted(self, now: datetime) -> bool:
        """Not for a day after a jump; what is wanted before that is done by hand."""
        passed = self._passed()
        if self._seen and now - self._seen[0] > timedelta(seconds=passed - self._seen[1]) + JUMP:
            self._waits_until = passed + JUMP.total_seconds()
            _logger.warning("The clock was put forward; clean-up by itself waits for a day. Run it by hand to go on.")
        self._seen = now, passed
        return passed >= self._waits_until


def keep_running() -> threading.Thread:
    """Look in the background for what is due, for as long as the server runs."""
    thread = threading.Thread(target=_look_again_and_again, args=(uuid4().hex,), daemon=True, name="clean-up")
    thread.start()
    return thread


def _look_again_and_again(holder: str) -> None:
    _attempt(cleanup.resume)  # what a kill cut off, whoever began it
    clock = Clock(_seconds_passed)
    while not stopping.is_set():
        if clock.can_be_trusted(store.now()):
            _attempt(lambda: run_if_due(holder))
        _PAUSE.wait(LOOK_EVERY)


def _seconds_passed() -> float:
    """Also while the machine slept, where it tells."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


_PAUSE = threading.Event()  # never set; a daemon ends with its process


def _attempt(call: Callable[[], object]) -> None:
    try:
        call()
    except Exception:
        _logger.exception("Clean-up failed; it will be tried again.")
    finally:
        connections[current()].close()
