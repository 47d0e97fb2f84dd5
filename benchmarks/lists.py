"""Many sessions without messages, for lists read no bodies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from benchmarks.measuring import size
from sessions_app.databases import connection

NAMES = UUID(int=0)  # of which the ids are made, so that they are the same at every run
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def a_project(number: int) -> str:
    return f"project {number}"


def bare_sessions(count: int, projects: int) -> list:
    """A session a minute, in turn all over the projects, whose rows it gives; one of ten is a sub-agent, one a fork."""
    from sessions_app.models import Project, Session

    rows = Project.objects.bulk_create(Project(name=a_project(number)) for number in range(projects))

    def session(number: int) -> Session:
        related = {1: "subagent", 2: "fork"}.get(number % 10)
        parent = uuid5(NAMES, str(number // 10 * 10)) if related else None
        return Session(
            id=uuid5(NAMES, str(number)),
            project=rows[number // 10 * 7919 % len(rows)],
            parent_id=parent,
            relation=related,
            fork_point=0 if related else None,
            title=f"Fix the {number * 7919 % 10007}th bug of the session list",
            agent=("claude-code", "codex", "")[number % 3],
            turns=number * 31 % 97,
            message_count=number * 17 % 509,
            size_bytes=number * 7919 % 1_000_003,
            created_at=BEGAN,
            updated_at=BEGAN + timedelta(minutes=number),
        )

    for start in range(0, count, 5000):
        Session.objects.bulk_create(session(number) for number in range(start, min(start + 5000, count)))
    size()
    with connection().cursor() as cursor:
        cursor.execute("ANALYZE")
    return rows
