"""People and their roles, for the admins of a team."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from sessions_app.access import identities, roles
from sessions_app.access import people as people_of_team
from sessions_app.access.errors import InvalidPerson, InvalidRole
from sessions_app.access.models import DefaultRole, Grant
from sessions_app.actors import Role
from sessions_app.models import Project
from sessions_app.web.settings_context import check_admin, paged, projects_to_choose, settings_page

CHOICES = [(role.value, role.name.capitalize()) for role in Role if role]
DEFAULTS = [(role.value, role.name.capitalize()) for role in Role if role <= Role.WRITER]

Done = HttpResponse | None


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def people(request: HttpRequest) -> HttpResponse:
    """All of them; POST invites somebody, by a link that this answer alone shows."""
    _check(request)
    if request.method != "POST":
        return _people_page(request)
    try:
        user = people_of_team.invite(request.POST.get("name", "").strip(), _address(request))
    except InvalidPerson as error:
        wanted = {"wanted": request.POST.get("name", ""), "wanted_address": request.POST.get("address", "")}
        return _people_page(request, 422, error=str(error), **wanted)
    return _people_page(request, invited=user, link=_link(request, user))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def person(request: HttpRequest, id: int) -> HttpResponse:
    """What somebody is in which project; POST changes one thing of it, named by `do`."""
    _check(request)
    user = get_object_or_404(User, pk=id)
    if request.method != "POST":
        return _person_page(request, user)
    do = CHANGES.get(request.POST.get("do", ""))
    if do is None:
        raise Http404("There is no such change.")
    try:
        return do(request, user) or redirect("web:person", id)
    except InvalidPerson as error:
        return _person_page(request, user, 422, error=str(error))


@require_http_methods(["GET", "HEAD", "POST"])
def defaults(request: HttpRequest) -> HttpResponse:
    """What everybody is in a project, and in those that have no default of their own."""
    _check(request)
    error, status = "", 200
    if request.method == "POST":
        try:
            _set_default(request)
            messages.success(request, "Saved")
            return redirect("web:roles")
        except InvalidRole as wrong:
            error, status = str(wrong), 422
    wanted = request.GET.get("q", "")
    own = dict(DefaultRole.objects.exclude(project=None).values_list("project", "role"))
    found = paged(request, Project.objects.visible().standing().filter(name__icontains=wanted), "name")
    context = {
        "error": error,
        "q": wanted,
        "paged": found,
        "projects": [(project, own.get(project.pk)) for project in found.rows],
        "default": roles.default(),
        "choices": DEFAULTS,
    }
    return render(request, "settings/roles.html", settings_page(request, "roles") | context, status=status)


def _set_default(request: HttpRequest) -> None:
    project = _project(request) if request.POST.get("project") else None
    if project and request.POST.get("role") == "":
        roles.forget_default(project.pk)
    else:
        roles.set_default(_role(request), project.pk if project else None)


def _grant(request: HttpRequest, user: User) -> Done:
    roles.grant(user.pk, _project(request).pk, _role(request))
    return None


def _activate(request: HttpRequest, user: User) -> Done:
    people_of_team.set_active(user, True)
    return None


def _deactivate(request: HttpRequest, user: User) -> Done:
    people_of_team.set_active(user, False)
    return None


def _make_admin(request: HttpRequest, user: User) -> Done:
    people_of_team.set_admin(user, True)
    return None


def _no_admin(request: HttpRequest, user: User) -> Done:
    people_of_team.set_admin(user, False)
    return None


def _set_address(request: HttpRequest, user: User) -> Done:
    people_of_team.set_address(user, _address(request))
    return None


def _unlink(request: HttpRequest, user: User) -> Done:
    identities.unlink(user)
    return None


def _invite_again(request: HttpRequest, user: User) -> Done:
    people_of_team.reset(user)
    return _person_page(request, user, link=_link(request, user))


CHANGES: dict[str, Callable[[HttpRequest, User], Done]] = {
    "grant": _grant,
    "activate": _activate,
    "deactivate": _deactivate,
    "admin": _make_admin,
    "no-admin": _no_admin,
    "invite": _invite_again,
    "address": _set_address,
    "unlink": _unlink,
}


def _people_page(request: HttpRequest, status: int = 200, **more: object) -> HttpResponse:
    users = identities.with_links(User.objects.all())
    if wanted := request.GET.get("q", ""):
        users = users.filter(username__icontains=wanted)
    context = {"paged": paged(request, users, "username"), "q": wanted, "by": identities.provider(), **more}
    return render(request, "settings/people.html", settings_page(request, "people") | context, status=status)


def _person_page(request: HttpRequest, user: User, status: int = 200, **more: object) -> HttpResponse:
    grants = Grant.objects.filter(user=user).select_related("project").order_by("project__name")
    context = {
        "person": user,
        "by": identities.provider(),
        "linked": identities.is_linked(user),
        "grants": [(grant.project, grant.role) for grant in grants],
        **projects_to_choose(request, Project.objects.visible().standing().exclude(grants__user=user)),
        "choices": CHOICES,
        **more,
    }
    return render(request, "settings/person.html", settings_page(request, "people") | context, status=status)


def _link(request: HttpRequest, user: User) -> str:
    return request.build_absolute_uri(reverse("web:invitation", args=people_of_team.invitation(user)))


def _address(request: HttpRequest) -> str:
    return request.POST.get("address", "").strip()


def _project(request: HttpRequest) -> Project:
    key = request.POST.get("project", "")
    return get_object_or_404(
        Project.objects.visible(), pk=key if key.isascii() and key.isdecimal() and len(key) < 10 else 0
    )


def _role(request: HttpRequest) -> Role:
    text = request.POST.get("role", "")
    if text not in {str(role.value) for role in Role}:
        raise Http404("There is no such role.")
    return Role(int(text))


def _check(request: HttpRequest) -> None:
    """Admins of a team; alone there is nobody else. Raises NotAllowed and Http404."""
    check_admin(request)
    if settings.FORKLORE_MODE != "team":
        raise Http404("Only a team has people: start Forklore with FORKLORE_MODE=team.")
