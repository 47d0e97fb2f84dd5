"""What takes up space, by project and age, and what a purge would free."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from sessions_app import space as measured
from sessions_app.databases import connection
from sessions_app.models import Project, Session
from sessions_app.session_rows import uuid_of
from sessions_app.space import AGES, Sums
from sessions_app.web.context import Choice, address
from sessions_app.web.formats import distinct_names, size_text
from sessions_app.web.settings_context import check_admin

SHOWN = 50  # projects, unless all are asked for; and sessions
GIVING_BACK = 5.0  # seconds
WORDS = {
    "week": "Last 7 days",
    "month": "7 to 30 days",
    "quarter": "30 to 90 days",
    "year": "90 days to a year",
    "older": "Older than a year",
}
QUERIES = {
    "week": "after:7d",
    "month": "before:7d after:30d",
    "quarter": "before:30d after:90d",
    "year": "before:90d after:365d",
    "older": "before:365d",
}


class SpaceForm(forms.Form):
    project = forms.CharField(required=False, max_length=255)
    age = forms.ChoiceField(required=False, choices=list(WORDS.items()))
    all = forms.BooleanField(required=False)


@dataclass(frozen=True, slots=True)
class Row:
    """A project or an age, and what it takes up; widths in percent of the largest row."""

    name: str
    title: str
    url: str
    sums: Sums
    own_width: float
    shared_width: float
    trashed_width: float

    @property
    def trashed_at(self) -> float:
        return round(self.own_width + self.shared_width, 2)


@require_http_methods(["GET", "HEAD", "POST"])
def space(request: HttpRequest) -> HttpResponse:
    """?project= and ?age= look into one; POST gives emptied pages back to the disk."""
    check_admin(request)
    if request.method == "POST":
        freed = measured.give_back(GIVING_BACK)
        messages.success(request, f"Gave {size_text(freed)} back to the disk")
        return redirect("web:space")
    form = SpaceForm(request.GET)
    if not form.is_valid():
        raise BadRequest(next(iter(form.errors.values()))[0])
    wish = form.cleaned_data
    project, age = _project(wish["project"]), wish["age"]
    now = timezone.now()
    found, largest = measured.overview(now, project=project.pk if project else None, age=age, limit=SHOWN)
    chosen = {at: sums for at, sums in found.items() if (not project or at[0] == project.pk) and age in ("", at[1])}
    projects, ages = _projects(request, chosen), _ages(request, chosen)
    context = {
        "project": project,
        "age": WORDS.get(age, ""),
        "chosen": _chosen(request, project, age),
        "sums": measured.total(chosen.values()),
        "projects": projects if wish["all"] else projects[:SHOWN],
        "project_total": len(projects),
        "all_url": address(request, all="1"),
        "ages": ages,
        "sessions": _largest(largest),
        "query": _query(project, age),
        "database": measured.database(),
        "vendor": connection().vendor,
        "program": settings.FORKLORE_PROGRAM,
        "place": "cleanup",
    }
    return render(request, "space/page.html", context)


def _project(name: str) -> Project | None:
    if not name:
        return None
    found = Project.objects.visible().named(name).first()
    if found is None:
        raise Http404(f"There is no project {name!r}.")
    return found


def _chosen(request: HttpRequest, project: Project | None, age: str) -> list[Choice]:
    """What the page is narrowed to, each with the address without it."""
    found = [Choice(project.name, address(request, project=None), current=True)] if project else []
    return [*found, Choice(WORDS[age], address(request, age=None), current=True)] if age else found


def _projects(request: HttpRequest, found: dict[tuple[int, str], Sums]) -> list[Row]:
    sums: dict[int, Sums] = {}
    for (project, _), some in found.items():
        sums[project] = sums.get(project, Sums()) + some
    names = dict(Project.objects.visible().values_list("pk", "name"))
    short = distinct_names(names[project] for project in sums if project in names)
    order = sorted(
        (project for project in sums if project in names), key=lambda each: (-sums[each].stored_bytes, names[each])
    )
    return _rows(
        [(short[names[each]], names[each], address(request, project=names[each]), sums[each]) for each in order]
    )


def _ages(request: HttpRequest, found: dict[tuple[int, str], Sums]) -> list[Row]:
    return _rows(
        [
            (
                words,
                words,
                address(request, age=age),
                measured.total(each for at, each in found.items() if at[1] == age),
            )
            for age, words in WORDS.items()
            if age in AGES
        ]
    )


def _rows(found: list[tuple[str, str, str, Sums]]) -> list[Row]:
    most = max((sums.stored_bytes for *_, sums in found), default=0) or 1
    return [
        Row(
            name,
            title,
            url,
            sums,
            *(round(100 * part / most, 2) for part in (sums.own_bytes, sums.shared_bytes, sums.trashed_bytes)),
        )
        for name, title, url, sums in found
    ]


def _largest(found: measured.Own) -> list[tuple[Session, int]]:
    """With the bytes that a purge of that one would free."""
    own: dict[UUID, int] = {uuid_of(id): size for id, size in found}
    sessions = Session.objects.visible().filter(pk__in=own).select_related("project")
    return sorted(((session, own[session.pk]) for session in sessions), key=lambda each: -each[1])


def _query(project: Project | None, age: str) -> str:
    """The words that find the same sessions; "" where they cannot say it."""
    if project and ('"' in project.name or not project.name.isprintable()):
        return ""
    name = f'"{project.name}"' if project and " " in project.name else project.name if project else ""
    words = [f"project:{name}" if project else "", QUERIES.get(age, "")]
    return " ".join(filter(None, words))
