"""The tables of credentials and roles. None holds anything that lets somebody in: only digests do they keep."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

from sessions_app.actors import Role

ROLES = [(role.value, role.name.lower()) for role in Role]


class Token(models.Model):
    # None: made on the server's own machine, by who may read its database.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 as hex; 256 random bits need no salt
    scopes = models.CharField(max_length=100)  # words of actors.Scope
    # Kept beside its projects, so that it does not become good for all when the last of them goes.
    restricted = models.BooleanField(default=False)
    projects = models.ManyToManyField("forklore.Project", related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="token_name_of_user"),
            models.UniqueConstraint(fields=["name"], condition=models.Q(user__isnull=True), name="token_name_of_owner"),
        ]

    def __str__(self) -> str:
        return self.name


class Browser(models.Model):
    """A browser that a launch code let in."""

    digest = models.CharField(max_length=64, unique=True)  # keyed by Django's secret, so that a new secret revokes all
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)


class LaunchCode(models.Model):
    digest = models.CharField(max_length=64)  # keyed like a browser's
    expires_at = models.DateTimeField()


class Grant(models.Model):
    """The role of a user in a project; where the project's default role is higher, that one counts."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="grants", db_index=False)
    project = models.ForeignKey("forklore.Project", models.CASCADE, related_name="grants")
    role = models.PositiveSmallIntegerField(choices=ROLES)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "project"], name="grant_of_user")]


class DefaultRole(models.Model):
    """What every user is in a project; the row without one is for projects that have none, as new ones do."""

    project = models.OneToOneField("forklore.Project", models.CASCADE, null=True, related_name="default_role")
    role = models.PositiveSmallIntegerField(choices=ROLES)


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Entries are added and read."""

    def update(self, **values: Any) -> int:
        raise TypeError("The audit log is append-only.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("The audit log is append-only.")

    def newest_first(self) -> AuditQuerySet:
        return self.order_by("-pk")


class AuditEntry(models.Model):
    """Who did what to which object and when, and nothing of what it contains."""

    moment = models.DateTimeField()
    actor_kind = models.CharField(max_length=10)
    actor_name = models.CharField(max_length=150)
    verb = models.CharField(max_length=30)
    kind = models.CharField(max_length=30)  # of the object: session, project, user, token, …
    object_id = models.CharField(max_length=255)
    count = models.PositiveIntegerField(default=1)  # objects

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "audit entries"

    def save_base(self, *args: Any, **options: Any) -> None:  # by which every way of saving goes
        if self.pk is not None:
            raise TypeError("The audit log is append-only.")
        super().save_base(*args, **options)

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("The audit log is append-only.")


class UserSession(AbstractBaseSession):
    """A browser in which somebody of a team signed in; Django's table does not know whose a session is."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    began_at = models.DateTimeField()

    @classmethod
    def get_session_store_class(cls) -> type:
        from sessions_app.access.user_sessions import SessionStore

        return SessionStore


class Identity(models.Model):
    """As whom an OpenID issuer knows a user (decision 0017): by its own word for them, which is never given to another."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    linked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="identity_of_issuer"),
            models.UniqueConstraint(fields=["user", "issuer"], name="identity_of_user"),
        ]


class Fault(models.Model):
    """A try to sign in that failed or is under way."""

    key = models.CharField(max_length=64, db_index=True)  # a digest of the account, the address or both
    moment = models.DateTimeField()
