"""The sessions of people who signed in: Django's, with whose they are, an idle end and an absolute one."""

from __future__ import annotations

import hmac
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends import db
from django.utils import timezone

from sessions_app.access import secrets
from sessions_app.access.models import UserSession
from sessions_app.database_faults import UNAVAILABLE

IDLE = timedelta(hours=12)
LIFETIME = timedelta(days=7)
NOTED = timedelta(minutes=5)  # how exactly the idle end is kept: a write at every request would cost more than the rest
ABANDONED = timedelta(minutes=15)  # of somebody who went to an OpenID issuer and did not come back
BEGAN = "forklore_began"
STATES = "socialaccount_states"  # where allauth keeps what such a one began


@dataclass(frozen=True, slots=True)
class SessionOfUser:
    id: str  # by which a page may name it; the key itself would let in
    began_at: datetime
    ends_at: datetime
    current: bool


class SessionStore(db.SessionStore):
    @classmethod
    def get_model_class(cls) -> type[UserSession]:
        return UserSession

    def create_model_instance(self, data: dict[str, Any]) -> UserSession:
        row = cast(UserSession, super().create_model_instance(data))
        row.user_id = data.get(SESSION_KEY)
        row.began_at = datetime.fromisoformat(data[BEGAN]) if BEGAN in data else timezone.now()
        row.expire_date = row.began_at + ABANDONED if row.user_id is None and STATES in data else _end(row.began_at)
        return row


def begin(session: Any) -> None:
    """Count the absolute end from now, as at signing in."""
    session[BEGAN] = timezone.now().isoformat()


def forget_ended() -> None:
    """The rows of sessions that lead nowhere any more."""
    UserSession.objects.filter(expire_date__lte=timezone.now()).delete()


def user_of(key: str) -> User | None:
    """Who signed in; None once it ended, or the password is another, or the user is not active."""
    row = UserSession.objects.filter(session_key=key, expire_date__gt=timezone.now()).select_related("user").first()
    if row is None or row.user is None or not row.user.is_active:
        return None
    known = str(row.get_decoded().get(HASH_SESSION_KEY, ""))
    if not hmac.compare_digest(known, row.user.get_session_auth_hash()):
        return None
    _note_use(row)
    return row.user


def of(user_id: int, current: str | None = None) -> list[SessionOfUser]:
    """Those that have not ended, the newest first; `current` is the key of who asks."""
    return [
        SessionOfUser(_id(row.session_key), row.began_at, row.expire_date, row.session_key == current)
        for row in _live(user_id).order_by("-began_at")
    ]


def end(user_id: int, id: str) -> None:
    keys = [row.session_key for row in _live(user_id) if hmac.compare_digest(_id(row.session_key), id)]
    UserSession.objects.filter(session_key__in=keys).delete()


def end_all(user_id: int, but: str | None = None) -> None:
    """End every session of a user, except that of the key `but`."""
    UserSession.objects.filter(user=user_id).exclude(session_key=but or "").delete()


def _live(user_id: int) -> Any:
    return UserSession.objects.filter(user=user_id, expire_date__gt=timezone.now())


def _note_use(row: UserSession) -> None:
    end = _end(row.began_at)
    if end - row.expire_date > NOTED:
        with suppress(*UNAVAILABLE):  # a full disk keeps nobody from reading
            UserSession.objects.filter(pk=row.pk).update(expire_date=end)


def _end(began_at: datetime) -> datetime:
    return min(timezone.now() + IDLE, began_at + LIFETIME)


def _id(key: str) -> str:
    return secrets.keyed_digest(key)[:16]
