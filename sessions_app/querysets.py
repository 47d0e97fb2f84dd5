"""The named questions that pages and the store ask of the database; adjectives, without requests or words for people."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import models
from django.db.models import Count, Exists, F, Max, OuterRef, Q, Sum, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Lower

from sessions_app import actors, gate
from sessions_app.actors import NOBODY, Actor, Role
from sessions_app.databases import connection

if TYPE_CHECKING:
    from sessions_app.models import Project, Session  # noqa: F401

LIVE = Q(trashed_at__isnull=True)
RUNNING = timedelta(minutes=2)  # since the last write; an agent that says nothing for longer counts as idle

# The key of the project that has a name, or for which that stands since it was renamed or merged (decision 0033).
PROJECT_NAMED = """WITH RECURSIVE standing(id, stands_for) AS (
    SELECT id, stands_for_id FROM forklore_project WHERE name = %s
    UNION ALL SELECT project.id, project.stands_for_id FROM standing JOIN forklore_project project
    ON project.id = standing.stands_for
) SELECT id FROM standing WHERE stands_for IS NULL"""
_ROOTS = """WITH RECURSIVE up(id, ancestor, parent) AS (
    SELECT id, id, parent_id FROM forklore_session WHERE id IN ({})
    UNION ALL
    SELECT up.id, session.id, session.parent_id FROM up JOIN forklore_session session ON session.id = up.parent{}
) SELECT id, ancestor FROM up WHERE parent IS NULL{}"""
_OR_HIDDEN = " OR NOT EXISTS (SELECT 1 FROM forklore_session above WHERE above.id = up.parent{})"
_UNDER = """WITH RECURSIVE under(id) AS (
    SELECT id FROM forklore_session WHERE id >= %s AND id <= %s{}
    UNION SELECT child.id FROM forklore_session child JOIN under ON child.parent_id = under.id{}
) SELECT id FROM under"""


class ProjectQuerySet(models.QuerySet["Project"]):
    def named(self, name: str) -> ProjectQuerySet:
        """The one that has a name or had it once, or into which the one that had it was merged; none for a name with
        NUL, which no database takes."""
        if "\0" in name:
            return self.none()
        return self.filter(pk__in=RawSQL(PROJECT_NAMED, [name]))  # noqa: S611 a constant

    def standing(self) -> ProjectQuerySet:
        """Those that are more than a name of another."""
        return self.filter(stands_for=None)

    def visible_to(self, actor: Actor | None) -> ProjectQuerySet:
        """Those that somebody may look into; nobody may look into any."""
        found = gate.projects(actor or NOBODY)
        return self.filter(pk__in=RawSQL(*found)) if found else self  # noqa: S611 constants and integers

    def visible(self) -> ProjectQuerySet:
        """Those that the actor of this context may look into, and without one all."""
        return self.visible_to(actor) if (actor := actors.current()) else self

    def with_role(self, role: Role) -> ProjectQuerySet:
        """Those in which the actor of this context has at least that role."""
        found = gate.projects(actors.current(), role)
        return self.filter(pk__in=RawSQL(*found)) if found else self  # noqa: S611 constants and integers

    def with_figures(self) -> ProjectQuerySet:
        """Adds session_count, fork_count, size_bytes and last_activity (None for an empty project) of live sessions."""
        live = Q(sessions__trashed_at__isnull=True)
        forks = Q(sessions__relation="fork")
        if found := gate.projects(actors.current()):  # a fork of what is out of sight is shown as a root
            forks &= Q(sessions__parent__project__in=RawSQL(*found))  # noqa: S611 constants and integers
        return self.annotate(
            session_count=Count("sessions", filter=live),
            fork_count=Count("sessions", filter=live & forks),
            size_bytes=Coalesce(Sum("sessions__size_bytes", filter=live), Value(0)),
            last_activity=Max("sessions__updated_at", filter=live),
        )

    def recently_active_first(self) -> ProjectQuerySet:
        """Only after with_figures()."""
        return self.order_by(F("last_activity").desc(nulls_last=True), "name")


class SessionQuerySet(models.QuerySet["Session"]):
    """What a question asks of other sessions, such as a count of forks, it asks of those that the actor may see."""

    def visible_to(self, actor: Actor | None) -> SessionQuerySet:
        """Those that somebody may look into, each without its parent if that is not one of them."""
        found = gate.projects(actor or NOBODY)
        if found is None:
            return self
        visible = self._of(found)
        parents = SessionQuerySet(self.model)._of(found).filter(pk=OuterRef("parent"))
        hidden = Q(parent__isnull=False) & ~Exists(parents)
        return visible.annotate(parent_hidden=hidden)  # type: ignore[no-redef]  # the model takes note of it

    def visible(self) -> SessionQuerySet:
        """Those that the actor of this context may look into, and without one all."""
        return self.visible_to(actor) if (actor := actors.current()) else self

    def _of(self, projects: gate.Condition) -> SessionQuerySet:
        return self.filter(project__in=RawSQL(*projects))  # noqa: S611 constants and integers

    def _in_sight(self) -> SessionQuerySet:
        found = gate.projects(actors.current())
        return self if found is None else self._of(found)

    def live(self) -> SessionQuerySet:
        return self.filter(LIVE)

    def trashed(self) -> SessionQuerySet:
        return self.filter(trashed_at__isnull=False)  # as their index has it; it knows no NOT (... IS NULL)

    def newest_first(self) -> SessionQuerySet:
        return self.order_by("-updated_at", "id")

    def older_than(self, updated_at, id: UUID) -> SessionQuerySet:
        """What follows a row of newest_first(): the next page by key, steady while rows arrive above.

        The first condition says what the second implies: in it an index finds where to begin, in an OR it does not.
        """
        beyond = Q(updated_at__lt=updated_at) | Q(updated_at=updated_at, id__gt=id)
        return self.filter(Q(updated_at__lte=updated_at), beyond)

    def next_older(self, session: Session) -> Session | None:
        """What follows a session in newest_first()."""
        return self.older_than(session.updated_at, session.pk).newest_first().first()

    def next_newer(self, session: Session) -> Session | None:
        """What stands before a session in newest_first()."""
        before = Q(updated_at__gt=session.updated_at) | Q(updated_at=session.updated_at, id__lt=session.pk)
        return self.filter(Q(updated_at__gte=session.updated_at), before).order_by("updated_at", "-id").first()

    def among(self, others: SessionQuerySet | None) -> SessionQuerySet:
        """Those that are in another query, too; None is one that lets all through."""
        return self if others is None else self.filter(pk__in=others.order_by().values("pk"))

    def with_id_prefix(self, prefix: str) -> SessionQuerySet:
        """Sessions whose id starts with the hex digits; hyphens and case do not matter; none if it is no hex.

        A range over the ids, which the primary key answers; Django's id__startswith reads every row.
        """
        digits = prefix.replace("-", "").lower()
        if len(digits) > 32 or not set(digits) <= set("0123456789abcdef"):
            return self.none()
        first, last = _range_of(digits)
        return self.filter(id__gte=first, id__lte=last)

    def under(self, prefix: str) -> SessionQuerySet:
        """Sessions whose id starts with the hex digits, and all that descend from them."""
        native = connection().features.has_native_uuid_field
        bounds = [id if native else id.hex for id in _range_of(prefix)]
        first, parameters = gate.condition("project_id")
        below, _ = gate.condition("child.project_id")
        return self.filter(pk__in=RawSQL(_UNDER.format(first, below), [*bounds, *parameters, *parameters]))  # noqa: S611

    def roots_of(self, ids: Iterable[UUID]) -> dict[UUID, UUID]:
        """The first session in the lineage of each of these that leads to it in plain sight, trashed ones too."""
        keys = [id if connection().features.has_native_uuid_field else id.hex for id in ids]
        if not keys:
            return {}
        up, parameters = gate.condition("session.project_id")
        hidden = _OR_HIDDEN.format(gate.condition("above.project_id")[0]) if up else ""
        statement = _ROOTS.format(", ".join(["%s"] * len(keys)), up, hidden)
        with connection().cursor() as cursor:
            cursor.execute(statement, [*keys, *parameters, *parameters])
            return {_uuid(id): _uuid(root) for id, root in cursor.fetchall()}

    def shown_ranges(self) -> list[tuple[int, int, int]]:
        """Strand, start and stop of what they show of the piece table; what two of them share is in it twice."""
        stop = Coalesce("pieces__stop", "message_count")
        rows = self.order_by().filter(pieces__isnull=False)
        return list(rows.values_list("pieces__strand", "pieces__start", stop))

    def pinned(self) -> SessionQuerySet:
        return self.filter(pinned_at__isnull=False)

    def archived(self) -> SessionQuerySet:
        return self.filter(archived_at__isnull=False)

    def running(self, now: datetime) -> SessionQuerySet:
        return self.filter(updated_at__gt=now - RUNNING)

    def roots(self) -> SessionQuerySet:
        """Those without a parent that can be seen."""
        parents = SessionQuerySet(self.model)._in_sight().filter(pk=OuterRef("parent"))
        return self.filter(parent__isnull=True) if _sees_all() else self.exclude(Exists(parents))

    def related_as(self, relation: str) -> SessionQuerySet:
        """To a parent that can be seen."""
        parents = SessionQuerySet(self.model)._in_sight().filter(pk=OuterRef("parent"))
        related = self.filter(relation=relation)
        return related if _sees_all() else related.filter(Exists(parents))

    def with_forks(self) -> SessionQuerySet:
        """Those that a live session was forked from; sub-agents are no forks."""
        forks = (
            SessionQuerySet(self.model)._in_sight().live().filter(parent=OuterRef("pk")).exclude(relation="subagent")
        )
        return self.filter(Exists(forks))

    def descending_from(self, ids: Collection[UUID]) -> set[UUID]:
        """Of these sessions the ones below any of those, in the trash or not between them, and none of those itself."""
        children: dict[UUID | None, list[UUID]] = {}
        for id, parent in self.model.objects.visible().filter(parent__isnull=False).values_list("pk", "parent"):
            children.setdefault(parent, []).append(id)
        found, waiting = set[UUID](), list(ids)
        while waiting:
            below = [id for id in children.get(waiting.pop(), ()) if id not in found]
            found.update(below)
            waiting += below
        found -= set(ids)
        return found & set(self.filter(parent__isnull=False).values_list("pk", flat=True)) if found else found

    def tagged(self, name: str) -> SessionQuerySet:
        # Not tags__name=, a join in which a condition on a second tag would have to be another one.
        return self.filter(pk__in=self.model.objects.filter(tags__name=name).values("pk"))

    def of_projects(self, ids: Iterable[int]) -> SessionQuerySet:
        return self.filter(project__in=list(ids))

    def of_large_project(self, id: int) -> SessionQuerySet:
        """As of_projects(), for one that has so many that an order is walked until enough of them were met.

        PostgreSQL knows by itself when to do so. The sum keeps SQLite from an index of the project, by which it would read
        all of them to sort them.
        """
        if connection().vendor == "postgresql":
            return self.of_projects([id])
        return self.alias(project_number=F("project_id") + Value(0)).filter(project_number=id)

    def by_agents(self, names: Iterable[str]) -> SessionQuerySet:
        return self.filter(agent__in=list(names))

    def with_fork_count(self) -> SessionQuerySet:
        """Adds fork_count: live children of any relation but sub-agents."""
        forks = (
            SessionQuerySet(self.model)
            ._in_sight()
            .live()
            .filter(parent=models.OuterRef("pk"))
            .exclude(relation="subagent")
        )
        count = forks.order_by().values("parent").annotate(number=Count("*")).values("number")
        return self.annotate(fork_count=Coalesce(models.Subquery(count), Value(0)))

    def without_subagents(self) -> SessionQuerySet:
        return self.exclude(relation="subagent")

    def unarchived(self) -> SessionQuerySet:
        return self.filter(archived_at__isnull=True)

    def subagents(self) -> SessionQuerySet:
        return self.filter(relation="subagent")

    def children_of(self, id: UUID) -> SessionQuerySet:
        return self.filter(parent=id)

    def sorted_by(self, column: str, descending: bool) -> SessionQuerySet:
        """By a field, titles without regard to case, ties by id; adds sort_key, where the next page begins.

        The order of following(). By "updated_at", descending, it is that of newest_first(); ascending is the same from the
        end on, so that one index serves both (decision 0032).
        """
        rows = self.annotate(sort_key=Lower(column) if column == "title" else F(column))
        return rows.order_by(F("sort_key").desc(), "id") if descending else rows.order_by(F("sort_key").asc(), "-id")

    def following(self, sort_key, id: UUID, descending: bool) -> SessionQuerySet:
        """What stands behind a row of sorted_by(), steady while rows arrive before it."""
        if descending:
            return self.filter(Q(sort_key__lte=sort_key), Q(sort_key__lt=sort_key) | Q(sort_key=sort_key, id__gt=id))
        return self.filter(Q(sort_key__gte=sort_key), Q(sort_key__gt=sort_key) | Q(sort_key=sort_key, id__lt=id))

    def forks_by_project(self) -> dict[int, int]:
        """How many of them are forks of what can be seen, by the key of their project."""
        return dict(self.related_as("fork").order_by().values_list("project").annotate(Count("pk")))

    def agents(self) -> list[str]:
        """The agents that wrote any of them; "" where one is not known."""
        return list(self.order_by("agent").values_list("agent", flat=True).distinct())

    def message_total(self) -> int:
        """What they show; what several share counts as often."""
        return self.aggregate(total=Coalesce(Sum("message_count"), Value(0)))["total"]

    def figures(self) -> dict:
        """sessions, subagents, archived, archived_subagents, size_bytes and last_activity (None without any) at once."""
        archived = Q(archived_at__isnull=False)
        return self.aggregate(
            sessions=Count("pk"),
            subagents=Count("pk", filter=Q(relation="subagent")),
            archived=Count("pk", filter=archived),
            archived_subagents=Count("pk", filter=archived & Q(relation="subagent")),
            size_bytes=Coalesce(Sum("size_bytes"), Value(0)),
            last_activity=Max("updated_at"),
        )


def _sees_all() -> bool:
    return gate.projects(actors.current()) is None


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _range_of(digits: str) -> tuple[UUID, UUID]:
    """The first and the last id that begin with these hex digits, at most 32."""
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
