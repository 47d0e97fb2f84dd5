"""What several pages show: the projects beside a list, addresses that change one thing, page or fragment."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from sessions_app.models import Project, Session
from sessions_app.querysets import ProjectQuerySet
from sessions_app.web.formats import distinct_names

RAIL_LENGTH = 100  # projects
RAIL_ORDERS = {
    "activity": ("Last activity", ProjectQuerySet.recently_active_first),
    "name": ("Name", ProjectQuerySet.by_name),
    "size": ("Size", ProjectQuerySet.largest_first),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A link that changes the list, and whether it says what the list is like now."""

    name: str
    url: str
    current: bool


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of the page; going back and forth asks for all of it."""
    htmx = request.htmx
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
    """The projects beside a list, the current one always among them: at most RAIL_LENGTH, the totals of all above."""
    chosen = request.GET.get("rail", "activity")
    if chosen not in RAIL_ORDERS:
        chosen = "activity"
    order = RAIL_ORDERS[chosen][1]
    projects = list(order(Project.objects.with_figures())[:RAIL_LENGTH])
    if current and current not in projects:
        projects.insert(0, Project.objects.with_figures().get(pk=current.pk))
    names = distinct_names(project.name for project in projects)
    return {
        "projects": [(project, names[project.name]) for project in projects],
        "project_count": Project.objects.count(),
        "totals": Session.objects.live().figures(),
        "rail_order": RAIL_ORDERS[chosen][0],
        "rail_orders": [
            Choice(label, address(request, rail=None if name == "activity" else name), name == chosen)
            for name, (label, _) in RAIL_ORDERS.items()
        ],
    }
