"""Django's admin: projects and sessions to look at, for only the store writes; people, with what is done to them noted."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sessions_app.access import audit
from sessions_app.models import Project, Session
from sessions_app.web.formats import agent_name, size_text


class ReadOnlyAdmin(admin.ModelAdmin):
    show_full_result_count = False  # counts the whole table a second time

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class TrashedFilter(admin.SimpleListFilter):
    title = "place"
    parameter_name = "place"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("live", "Live"), ("trash", "In the trash")]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet:
        if self.value() == "live":
            return queryset.live()
        return queryset.trashed() if self.value() == "trash" else queryset


@admin.register(Project)
class ProjectAdmin(ReadOnlyAdmin):
    list_display = ("name", "sessions", "forks", "size", "active", "page")
    search_fields = ("name",)
    fields = ("name", "created_at", "page")
    readonly_fields = ("page",)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return Project.objects.with_figures().recently_active_first()

    @admin.display(ordering="session_count")
    def sessions(self, project: Project) -> int:
        return project.session_count

    @admin.display(ordering="fork_count")
    def forks(self, project: Project) -> int:
        return project.fork_count

    @admin.display(ordering="size_bytes")
    def size(self, project: Project) -> str:
        return size_text(project.size_bytes)

    @admin.display(description="Last activity", ordering="last_activity")
    def active(self, project: Project):
        return project.last_activity

    @admin.display(description="Page")
    def page(self, project: Project) -> SafeString:
        return format_html('<a href="{}">Show sessions</a>', reverse("web:project", args=[project.name]))


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    list_display = (
        "title",
        "project",
        "by",
        "relation",
        "forks",
        "turns",
        "message_count",
        "size",
        "updated_at",
        "trashed_at",
        "page",
    )
    list_filter = (TrashedFilter, "relation", "agent", "title_source", "updated_at")
    list_select_related = ("project",)
    search_fields = ("title", "project__name")
    search_help_text = "Part of a title or of a project's name, or the first digits of an id"
    fields = (
        "id",
        "title",
        "title_source",
        "project",
        "agent",
        "parent",
        "relation",
        "relation_inferred",
        "fork_point",
        "turns",
        "message_count",
        "size",
        "version",
        "created_at",
        "updated_at",
        "trashed_at",
        "page",
    )
    readonly_fields = ("id", "size", "page")
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return Session.objects.with_fork_count().newest_first()

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[QuerySet, bool]:
        found, duplicates = super().get_search_results(request, queryset, search_term)
        term = search_term.strip()
        return (found | queryset.with_id_prefix(term) if len(term) >= 4 else found), duplicates

    @admin.display(description="Agent", ordering="agent")
    def by(self, session: Session) -> str:
        return agent_name(session.agent)

    @admin.display(ordering="fork_count")
    def forks(self, session: Session) -> int:
        return session.fork_count

    @admin.display(ordering="size_bytes")
    def size(self, session: Session) -> str:
        return size_text(session.size_bytes)

    @admin.display(description="Page")
    def page(self, session: Session) -> SafeString | str:
        if session.trashed_at:
            return "in the trash"
        return format_html('<a href="{}">Show</a>', reverse("web:session", args=[session.pk]))


class Audited(admin.ModelAdmin):
    """What is changed here is in the audit log too, within the same transaction."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        self._note("added in Django's admin", obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        self._note("changed in Django's admin", obj)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for each in queryset:
            self._note("deleted in Django's admin", each)
        return super().log_deletions(request, queryset)

    def _note(self, verb: str, of: Model) -> None:
        audit.append(verb, str(self.opts.model_name), of.pk)


admin.site.unregister((User, Group))
# allauth's tables are empty (decision 0017), and a second place to choose an issuer in would be one too many.
admin.site.unregister([model for model in admin.site._registry if model.__module__.startswith("allauth.")])


@admin.register(User)
class AuditedUserAdmin(Audited, UserAdmin):
    pass


@admin.register(Group)
class AuditedGroupAdmin(Audited, GroupAdmin):
    pass
