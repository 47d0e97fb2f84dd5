"""The Django application."""

from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "sessions_app"
    label = "forklore"
    verbose_name = "Forklore"
    default_auto_field = "django.db.models.BigAutoField"
