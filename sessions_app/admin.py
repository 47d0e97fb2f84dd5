"""Django's admin: projects and sessions to look at, and people, with what is done to them noted.

Only the store writes. What is done to sessions here goes through cleanup.py, as one entry of the journal; the rest of
them, and all tables beneath, no form here changes.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group, User
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sessions_app import cleanup, store
from sessions_app.access import audit, people
from sessions_app.access.errors import InvalidPerson
from sessions_app.access.models import AuditEntry
from sessions_app.errors import JournalEntryNotFound, StoreError
from sessions_app.grammar import parse
from sessions_app.models import CleanupPolicy, JournalEntry, Project, Session
from sessions_app.search.filters import filters_of
from sessions_app.web.formats import agent_name, deed_text, short_name, size_text

HITS = 1000  # of a search for a text


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
        return Project.objects.standing().with_figures().recently_active_first()

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


class LabelFilter(admin.SimpleListFilter):
    title = "label"
    parameter_name = "label"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("pinned", "Pinned"), ("archived", "Archived"), ("none", "Neither")]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet:
        match self.value():
            case "pinned":
                return queryset.pinned()
            case "archived":
                return queryset.archived()
            case "none":
                return queryset.filter(pinned_at=None, archived_at=None)
        return queryset


class SessionActionForm(ActionForm):
    value = forms.CharField(
        required=False,
        label="",
        max_length=255,
        widget=forms.TextInput({"placeholder": "tag or project", "aria-label": "Tag or project"}),
    )


@admin.action(description="Move to the trash")
def trash(model_admin: SessionAdmin, request: HttpRequest, sessions: Any) -> None:
    model_admin.act(request, "trash", sessions)


@admin.action(description="Restore from the trash")
def restore(model_admin: SessionAdmin, request: HttpRequest, sessions: Any) -> None:
    model_admin.act(request, "restore", sessions)


@admin.action(description="Archive")
def archive(model_admin: SessionAdmin, request: HttpRequest, sessions: Any) -> None:
    model_admin.act(request, "archive", sessions)


@admin.action(description="Take out of the archive")
def unarchive(model_admin: SessionAdmin, request: HttpRequest, sessions: Any) -> None:
    model_admin.act(request, "unarchive", sessions)


@admin.action(description="Tag")
def tag(model_admin: SessionAdmin, request: HttpRequest, sessions: Any) -> None:
    model_admin.act(request, "tag", sessions)


@admin.action(description="Take off a tag")
def untag(model_admin: SessionAdmin, request: HttpRequest, sessions: Any) -> None:
    model_admin.act(request, "untag", sessions)


@admin.action(description="Move to a project")
def move(model_admin: SessionAdmin, request: HttpRequest, sessions: Any) -> None:
    model_admin.act(request, "move", sessions)


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    actions = (trash, restore, archive, unarchive, tag, untag, move)
    action_form = SessionActionForm
    list_display = (
        "title",
        "where",
        "updated_at",
        "size",
        "turns",
        "message_count",
        "forks",
        "relation",
        "by",
        "trashed_at",
        "page",
    )
    list_filter = (TrashedFilter, LabelFilter, "relation", "agent", "title_source", "updated_at")
    list_select_related = ("project",)
    search_fields = ("title", "project__name")
    search_help_text = "Text of messages or titles, words such as before:30d or tag:keep, or the first digits of an id"
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
        "pinned_at",
        "archived_at",
        "tagged",
        "trashed_at",
        "page",
    )
    readonly_fields = ("id", "size", "tagged", "page")
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return Session.objects.with_fork_count().newest_first()

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[QuerySet, bool]:
        """By the words of our grammar, and for the rest by title, project, id and what messages say."""
        query = parse(search_term.strip(), store.now())
        filters = filters_of(query)
        if query.problems:
            self.message_user(request, query.problems[0].sentence, messages.WARNING)
        if filters.sessions is not None:
            queryset = queryset.filter(pk__in=filters.sessions.order_by().values("pk"))
        text = query.text.strip()
        if not text:
            return queryset, False
        found = queryset.filter(Q(title__icontains=text) | Q(project__name__icontains=text))
        found |= queryset.filter(pk__in=[hit.id for hit in store.search(text, HITS)])
        return (found | queryset.with_id_prefix(text) if len(text) >= 4 else found), False

    def act(self, request: HttpRequest, deed: cleanup.Action, sessions: Any) -> None:
        ids = list(sessions.order_by().values_list("pk", flat=True))
        try:
            entry = cleanup.act(deed, ids, request.POST.get("value", ""))
        except StoreError as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        told = deed_text(entry.action, entry.done, entry.value)
        link = format_html('{}. <a href="{}">The journal</a> takes it back.', told, reverse("web:journal"))
        self.message_user(request, link, messages.SUCCESS)

    @admin.display(description="Project", ordering="project__name")
    def where(self, session: Session) -> SafeString:
        name = session.project.name
        return format_html('<span title="{}">{}</span>', name, short_name(name))

    @admin.display(description="Tags")
    def tagged(self, session: Session) -> str:
        return ", ".join(session.tag_names)

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
            return format_html('<a href="{}">In the trash</a>', reverse("web:trash"))
        return format_html('<a href="{}">Show</a>', reverse("web:session", args=[session.pk]))


@admin.action(description="Take back")
def take_back(model_admin: JournalAdmin, request: HttpRequest, entries: Any) -> None:
    for number in entries.order_by("-pk").values_list("pk", flat=True):
        try:
            entry = cleanup.undo(number)
        except JournalEntryNotFound as error:
            model_admin.message_user(request, str(error), messages.WARNING)
        else:
            told = deed_text(entry.action, entry.done, entry.value)
            model_admin.message_user(request, f"Took back: {told}.", messages.SUCCESS)


@admin.register(JournalEntry)
class JournalAdmin(ReadOnlyAdmin):
    list_display = ("what", "moment", "actor", "policy", "state", "freed", "page")
    list_filter = ("action", "state", "moment")
    search_fields = ("actor", "policy", "value")
    fields = ("what", "action", "value", "moment", "actor", "policy", "query", "state", "done", "freed", "page")
    readonly_fields = ("what", "freed", "page")
    actions = (take_back,)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return JournalEntry.objects.order_by("-pk")

    @admin.display(description="What")
    def what(self, entry: JournalEntry) -> str:
        return deed_text(entry.action, entry.done, entry.value)

    @admin.display(description="Freed", ordering="freed_bytes")
    def freed(self, entry: JournalEntry) -> str:
        return size_text(entry.freed_bytes) if entry.freed_bytes else ""

    @admin.display(description="Page")
    def page(self, entry: JournalEntry) -> SafeString:
        return format_html('<a href="{}?before={}">Show</a>', reverse("web:journal"), entry.pk + 1)


@admin.register(CleanupPolicy)
class PolicyAdmin(ReadOnlyAdmin):
    list_display = ("name", "query", "action", "enabled", "page")
    list_filter = ("action", "enabled")
    search_fields = ("name", "query")
    fields = ("name", "query", "action", "enabled", "page")
    readonly_fields = ("page",)

    @admin.display(description="Page")
    def page(self, policy: CleanupPolicy) -> SafeString:
        address = f"{reverse('web:cleanup')}?{urlencode({'policy': policy.name})}"
        return format_html('<a href="{}">Preview</a>', address)


@admin.register(AuditEntry)
class AuditAdmin(ReadOnlyAdmin):
    list_display = ("moment", "actor_name", "verb", "kind", "object_id", "count")
    list_filter = ("kind", "moment")
    search_fields = ("actor_name", "verb", "object_id")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return AuditEntry.objects.order_by("-pk")


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


admin.site.site_header = admin.site.site_title = "Forklore"
admin.site.index_title = "Administration"
admin.site.unregister((User, Group))
# allauth's tables are empty (decision 0017), and a second place to choose an issuer in would be one too many.
admin.site.unregister([model for model in admin.site._registry if model.__module__.startswith("allauth.")])


class PersonForm(UserChangeForm):
    """What people.py asks of a person: an address that is nobody else's, and an admin who is left."""

    def clean_email(self) -> str:
        address = self.cleaned_data["email"]
        try:
            people.check_address(address, User(pk=self.instance.pk))
        except InvalidPerson as error:
            raise forms.ValidationError(str(error)) from None
        return address

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not (data.get("is_superuser") and data.get("is_active")):
            try:
                people.check_admin_stays([self.instance.pk])
            except InvalidPerson as error:
                raise forms.ValidationError(str(error)) from None
        return data


@admin.register(User)
class AuditedUserAdmin(Audited, UserAdmin):
    form = PersonForm

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not obj.is_active and obj.pk != request.user.pk:  # one's own answer needs its session
            people.end_sessions(obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        *others, protected = super().get_deleted_objects(objs, request)
        try:
            people.check_admin_stays([user.pk for user in objs])
        except InvalidPerson as error:
            protected = [*protected, str(error)]
        return *others, protected


@admin.register(Group)
class AuditedGroupAdmin(Audited, GroupAdmin):
    pass
