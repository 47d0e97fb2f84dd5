"""The one place that says which projects an actor may look into, and in which it may do more (decision 0008).

A condition of SQL, so that it composes with whatever else is asked, in the same statement; whoever is over all
projects costs nothing. Both the querysets and the store's own statements take it from here.
"""

from __future__ import annotations

from typing import Any

from sessions_app import actors
from sessions_app.actors import Actor, Role
from sessions_app.databases import connection, execute
from sessions_app.errors import NotAllowed

# A grant counts beside the default of its project; that of all others counts where a project has none of its own.
_GRANTED = """SELECT project_id FROM forklore_access_grant WHERE user_id = %s AND role >= %s
UNION SELECT project_id FROM forklore_access_defaultrole WHERE project_id IS NOT NULL AND role >= %s
UNION SELECT id FROM forklore_project project
WHERE EXISTS (SELECT 1 FROM forklore_access_defaultrole WHERE project_id IS NULL AND role >= %s)
AND NOT EXISTS (SELECT 1 FROM forklore_access_defaultrole own WHERE own.project_id = project.id)"""
_NONE = "SELECT id FROM forklore_project WHERE 1 = 0"

Condition = tuple[str, list[Any]]  # SQL and its parameters


def projects(actor: Actor | None, role: Role = Role.VIEWER) -> Condition | None:
    """A SELECT of the projects in which the actor has at least that role; None where that is all of them.

    Without an actor it is all: code that opened the database by itself could read the file.
    """
    if actor is None or (actor.sees_all and role <= actor.most):
        return None
    if role > actor.most or actor.projects == frozenset():
        return _NONE, []
    chosen = ", ".join(map(str, sorted(actor.projects or ())))
    if actor.unrestricted:
        return f"SELECT id FROM forklore_project WHERE id IN ({chosen})", []  # noqa: S608 integers
    granted, parameters = _GRANTED, [actor.user_id, role, role, role]
    if actor.projects is None:
        return granted, parameters
    return f"SELECT id FROM forklore_project WHERE id IN ({chosen}) AND id IN ({granted})", parameters  # noqa: S608


def condition(column: str, role: Role = Role.VIEWER) -> Condition:
    """What to put behind a WHERE, from its AND on, so that the actor of this context sees what it may and no more.

    `column` holds the key of a project. Nothing for who may see all.
    """
    found = projects(actors.current(), role)
    if found is None:
        return "", []
    # The plus keeps a database from reading and sorting all sessions of these projects where a list wants the newest
    # few, which the list's own index gives in a tenth of the time; https://sqlite.org/optoverview.html#uplus.
    # PostgreSQL, told of an array, reads the projects once, and plans in less time than a join takes it.
    if connection().vendor == "sqlite":
        return f" AND +{column} IN ({found[0]})", found[1]
    return f" AND ({column} + 0) = ANY(ARRAY({found[0]}))", found[1]


def role_in(project_id: int) -> Role:
    """What the actor of this context is in a project."""
    for role in (Role.MAINTAINER, Role.WRITER, Role.VIEWER):
        if _has(role, project_id):
            return role
    return Role.NONE


def check_role_in(project_id: int, name: str, role: Role) -> None:
    """Raises NotAllowed, in the same words for a project that the actor may read, may not, and that is new."""
    if not _has(role, project_id):
        raise NotAllowed(f"You may not write in a project named “{name}”.")


def check_maintainer(project_id: int, name: str) -> None:
    """Raises NotAllowed, for a project that the actor may see."""
    if not _has(Role.MAINTAINER, project_id):
        raise NotAllowed(f"You may read the project “{name}”; this takes a maintainer of it.")


def is_over_all(actor: Actor) -> bool:
    """Whether they may do what concerns all projects."""
    return actor.may("admin") and actor.may("write")


def check_over_all(what: str) -> None:
    """Raises NotAllowed for whoever is not over all projects. `what` says what was asked for: "import sessions"."""
    actor = actors.current()
    if actor and not is_over_all(actor):
        raise NotAllowed(f"Only the owner of this server and its admins may {what}.")


def _has(role: Role, project_id: int) -> bool:
    found = projects(actors.current(), role)
    if found is None:
        return True
    statement = f"SELECT 1 FROM forklore_project WHERE id = %s AND id IN ({found[0]})"  # noqa: S608
    return execute(statement, [project_id, *found[1]]).fetchone() is not None
