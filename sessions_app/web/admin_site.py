"""Django's admin for admins alone: it shows every session, so its staff would be a second gate beside the roles."""

from django.contrib import admin
from django.http import HttpRequest


class AdminSite(admin.AdminSite):
    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        is_admin = user.is_active and user.is_superuser  # False of whoever is anonymous
        return is_admin and request.actor.may("admin")  # type: ignore[attr-defined]  # by FindActor
