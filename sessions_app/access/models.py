"""The tables of credentials. None holds anything that lets somebody in: only digests do they keep."""

from django.db import models


class Token(models.Model):
    name = models.CharField(max_length=100, unique=True)
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 as hex; 256 random bits need no salt
    scopes = models.CharField(max_length=100)  # words of actors.Scope
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class Browser(models.Model):
    """A browser that a launch code let in."""

    digest = models.CharField(max_length=64, unique=True)  # keyed by Django's secret, so that a new secret revokes all
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()


class LaunchCode(models.Model):
    digest = models.CharField(max_length=64)  # keyed like a browser's
    expires_at = models.DateTimeField()
