"""The Django application of credentials, with tables and migrations of its own."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "sessions_app.access"
    label = "forklore_access"
    verbose_name = "Access"
    default_auto_field = "django.db.models.BigAutoField"
