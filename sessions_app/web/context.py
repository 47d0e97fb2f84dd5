"""What several pages show: the projects beside a list, addresses that change one thing, page or fragment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.functional import cached_property
from django_htmx.middleware import HtmxDetails

from sessions_app import actors, database_faults, figures, gate
from sessions_app.actors import Role
from sessions_app.figures import Figures
from sessions_app.models import Project
from sessions_app.web.formats import distinct_names

RAIL_LENGTH = 100  # projects
RAIL_ORDERS: dict[str, tuple[str, Callable[[Project], Any]]] = {
    "activity": ("Last activity", lambda project: (-seconds(project.last_activity), project.name)),
    "name": ("Name", lambda project: project.name.casefold()),
    "size": ("Size", lambda project: (-project.size_bytes, project.name)),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A link that changes the list, and whether it says what the list is like now."""

    name: str
    url: str
    current: bool


class Allowed:
    """The projects in which the actor may write, and those that they maintain: `project_id in allowed.write`.

    A page shows no control that would be refused. Asked once a request, and not at all for who may do everything.
    """

    def __init__(self) -> None:
        self.write = _Projects(Role.WRITER)
        self.purge = self.maintain = _Projects(Role.MAINTAINER)

    @property
    def write_somewhere(self) -> bool:
        return bool(self.write)

    @property
    def purge_somewhere(self) -> bool:
        return bool(self.purge)

    @property
    def cleanup(self) -> bool:
        """Whether clean-up by policies is theirs."""
        actor = actors.current()
        return actor is not None and gate.is_over_all(actor)


class _Projects:
    def __init__(self, role: Role):
        self._role = role

    def __contains__(self, project_id: object) -> bool:
        return self._known is None or project_id in self._known

    def __bool__(self) -> bool:
        return self._known is None or bool(self._known)

    @cached_property
    def _known(self) -> set[int] | None:
        if gate.projects(actors.current(), self._role) is None:
            return None
        return set(Project.objects.visible().with_role(self._role).values_list("pk", flat=True))


def allowed(request: HttpRequest) -> dict[str, Any]:
    """For every template (settings.TEMPLATES)."""
    return {"allowed": Allowed(), "fault": database_faults.refused, "disk_is_full": database_faults.is_full}


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of the page; going back and forth asks for all of it."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # by django-htmx's middleware
    return bool(htmx) and htmx.request_type != "full" and not htmx.history_restore_request


def address(request: HttpRequest, **changes: str | None) -> str:
    """This page's address with some parameters set, or left out where None; any change returns to its beginning."""
    query = request.GET.copy()
    for name, value in {"after": None, **changes}.items():
        query.pop(name, None)
        if value is not None:
            query[name] = value
    return f"{request.path}?{query.urlencode()}" if query else request.path


def rail(request: HttpRequest, current: Project | None = None) -> dict:
    """The projects beside a list, the current one always among them, archived ones not: at most RAIL_LENGTH, the totals
    of all above."""
    chosen = request.GET.get("rail", "activity")
    if chosen not in RAIL_ORDERS:
        chosen = "activity"
    projects = sorted(projects_in_sight(), key=RAIL_ORDERS[chosen][1])
    listed = [project for project in projects if project.archived_at is None]
    shown = listed[:RAIL_LENGTH]
    if current and current not in shown:
        shown.insert(0, next(project for project in projects if project == current))
    names = distinct_names(project.name for project in shown)
    return {
        "projects": [(project, names[project.name]) for project in shown],
        "project_count": len(listed),
        "totals": {
            "sessions": sum(project.session_count for project in projects),
            "size_bytes": sum(project.size_bytes for project in projects),
            "last_activity": max(
                (project.last_activity for project in projects if project.last_activity), default=None
            ),
        },
        "rail_order": RAIL_ORDERS[chosen][0],
        "rail_orders": [
            Choice(label, address(request, rail=None if name == "activity" else name), name == chosen)
            for name, (label, _) in RAIL_ORDERS.items()
        ],
    }


def projects_in_sight() -> list[Project]:
    """The projects that the actor may look into, with the figures of their live sessions; in no order.

    Their forks are those of any parent.
    """
    known = figures.by_project()
    projects = list(Project.objects.visible().standing())
    for project in projects:
        found = known.get(project.pk, Figures())
        project.session_count, project.fork_count = found.sessions, found.forks
        project.size_bytes, project.last_activity = found.size_bytes, found.last_activity
    return projects


def seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0
