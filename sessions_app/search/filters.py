"""What else a hit must be, and how the words of a query say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import and_, or_

from sessions_app.folding import fold
from sessions_app.grammar import Condition, Query
from sessions_app.models import Project, Session
from sessions_app.projection import Kind
from sessions_app.querysets import SessionQuerySet
from sessions_app.records import Role

KINDS: dict[Role, frozenset[Kind]] = {
    "user": frozenset({Kind.PROMPT}),
    "assistant": frozenset({Kind.ANSWER}),
    "thinking": frozenset({Kind.THINKING}),
    "tool": frozenset({Kind.TOOL_CALL, Kind.TOOL_RESULT}),
    "image": frozenset({Kind.IMAGE}),
    "notice": frozenset({Kind.NOTICE, Kind.UNREADABLE, Kind.OTHER}),
}
ROLES: dict[int, Role] = {int(kind): role for role, kinds in KINDS.items() for kind in kinds}
ALTERNATIVES = ("project", "agent", "role", "under")  # a session has one of each, so that two of them mean either


@dataclass(frozen=True, slots=True)
class Filters:
    """What else a hit must be: in one of these sessions, a message of one of these kinds. None for any.

    A title is no message, so that with `kinds` there is no hit in a title.
    """

    sessions: SessionQuerySet | None = None
    kinds: frozenset[int] | None = None


def filters_of(query: Query, now: datetime | None = None) -> Filters:
    """The conditions of a query. Words of one name that exclude each other mean either, all others mean both."""
    now = now or datetime.now(UTC)
    kinds: frozenset[int] | None = None
    sessions: SessionQuerySet | None = None
    for conditions in _together(query.conditions):
        if conditions[0].name == "role":
            kinds = (kinds if kinds is not None else frozenset(Kind)) & _kinds(conditions)
        else:
            found = reduce(or_, (_sessions(condition, now) for condition in conditions))
            sessions = found if sessions is None else and_(sessions, found)
    return Filters(sessions, kinds)


def project_is(project: str, name: str) -> bool:
    """Whether a project has that name, or is a path that ends with it."""
    return f"/{_as_path(project)}".endswith(f"/{_as_path(name)}")


def agent_is(agent: str, name: str) -> bool:
    """Whether an agent has that name, as it is or as its first word: `claude` is claude-code."""
    return f"{fold(agent)}-".startswith(f"{fold(name).replace(' ', '-')}-")


def _as_path(name: str) -> str:
    return fold(name).replace("\\", "/").strip("/")


def _together(conditions: Sequence[Condition]) -> list[list[Condition]]:
    """The conditions, those in one list that are alternatives."""
    groups: dict[object, list[Condition]] = {}
    for at, condition in enumerate(conditions):
        either = condition.name in ALTERNATIVES and not condition.negated
        groups.setdefault(condition.name if either else at, []).append(condition)
    return list(groups.values())


def _kinds(conditions: Sequence[Condition]) -> frozenset[int]:
    wanted = frozenset[int]().union(*(KINDS[condition.value] for condition in conditions))
    return frozenset(Kind) - wanted if conditions[0].negated else wanted


def _sessions(condition: Condition, now: datetime) -> SessionQuerySet:
    everything = Session.objects.all()
    if condition.negated:
        wanted = _wanted(everything, condition, now)
        return everything.exclude(pk__in=wanted.values("pk"))
    return _wanted(everything, condition, now)


def _wanted(sessions: SessionQuerySet, condition: Condition, now: datetime) -> SessionQuerySet:
    match condition.name:
        case "project":
            return sessions.of_projects(_projects_named(condition.value))
        case "agent":
            return sessions.by_agents(_agents_named(condition.value))
        case "is":
            return _in_state(sessions, condition.value, now)
        case "has":
            return sessions.with_forks()
        case "under":
            return sessions.under(condition.value)
        case "before":
            return sessions.filter(updated_at__lt=condition.value)
        case "after":
            return sessions.filter(updated_at__gte=condition.value)
        case "tag":
            return sessions.tagged(fold(condition.value))
        case "turns" | "size" as name:
            return _compared(sessions, {"turns": "turns", "size": "size_bytes"}[name], *condition.value)
    raise AssertionError(f"{condition.name} is a word of the grammar without a meaning")


def _in_state(sessions: SessionQuerySet, state: str, now: datetime) -> SessionQuerySet:
    match state:
        case "pinned":
            return sessions.pinned()
        case "archived":
            return sessions.archived()
        case "running":
            return sessions.running(now)
        case "root":
            return sessions.roots()
    return sessions.related_as(state)


def _compared(sessions: SessionQuerySet, field: str, sign: str, number: int) -> SessionQuerySet:
    lookup = {"<": "lt", "<=": "lte", "=": "exact", ">=": "gte", ">": "gt"}[sign]
    return sessions.filter(**{f"{field}__{lookup}": number})


def _projects_named(name: str) -> list[int]:
    # Compared here, for the databases fold case differently.
    known = {id: (full, stands_for) for id, full, stands_for in Project.objects.values_list("pk", "name", "stands_for")}
    found: set[int] = set()
    for id, (full, stands_for) in known.items():
        if project_is(full, name):
            while stands_for is not None:  # an earlier name means what the project holds now
                id, stands_for = stands_for, known[stands_for][1]
            found.add(id)
    return sorted(found)


def _agents_named(name: str) -> list[str]:
    return [agent for agent in Session.objects.agents() if agent_is(agent, name)]
