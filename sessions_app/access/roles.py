"""Who is what in which project: the grants of users, and the roles that everybody has."""

from __future__ import annotations

from django.db import transaction

from sessions_app import databases
from sessions_app.access import audit
from sessions_app.access.errors import InvalidRole
from sessions_app.access.models import DefaultRole, Grant
from sessions_app.actors import Role


def grant(user_id: int, project_id: int, role: Role) -> None:
    """Give a user a role in a project, in place of any other; Role.NONE withdraws it."""
    with transaction.atomic(databases.current()):
        if role == Role.NONE:
            Grant.objects.filter(user=user_id, project=project_id).delete()
        else:
            Grant.objects.update_or_create(user_id=user_id, project_id=project_id, defaults={"role": role})
        verb = f"granted {role.name.lower()}" if role else "withdrew a role"
        audit.append(verb, "role", f"user {user_id}, project {project_id}")


def set_default(role: Role, project_id: int | None = None) -> None:
    """What every user is in a project, or without one in all that have no default of their own, new ones too.

    At most a writer: nobody is a maintainer by default. Raises InvalidRole.
    """
    _check_default(role)
    with transaction.atomic(databases.current()):
        # Not update_or_create: two NULLs are two values to a database, so a second row could come to be.
        DefaultRole.objects.select_for_update().filter(project=project_id).delete()
        DefaultRole.objects.create(project_id=project_id, role=role)
        audit.append(f"set default {role.name.lower()}", "project", project_id or "new ones")


def forget_default(project_id: int) -> None:
    """Let a project have the default of all again."""
    with transaction.atomic(databases.current()):
        DefaultRole.objects.filter(project=project_id).delete()
        audit.append("took default back", "project", project_id)


def default(project_id: int | None = None) -> Role | None:
    """The default of a project, None where it has none of its own; without one, the default of all."""
    found = DefaultRole.objects.filter(project=project_id).values_list("role", flat=True).first()
    if found is None:
        return None if project_id else Role.NONE
    return Role(found)


def _check_default(role: Role) -> None:
    if role > Role.WRITER:
        raise InvalidRole("A default role is none, viewer or writer.")
