"""Django's admin for admins alone: it shows every session, so its staff would be a second gate beside the roles."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse


class AdminSite(admin.AdminSite):
    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        is_admin = user.is_active and user.is_superuser  # False of whoever is anonymous
        return is_admin and request.actor.may("admin")  # type: ignore[attr-defined]  # by FindActor

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if settings.FORKLORE_MODE == "team":  # a second door, at which nobody counts the tries
            raise PermissionDenied("Only admins may see this; they sign in as everybody does.")
        return super().login(request, extra_context)
