"""Large trees of forks, put into the database at once; their sessions have no messages."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sessions_app import databases, lineages
from sessions_app.models import Project, Session

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SHAPES: dict[
    str, Callable[[random.Random, int], int]
] = {  # which one before it the session of that number is a fork of
    "at random": lambda dice, number: dice.randrange(number),
    "one chain": lambda dice, number: number - 1,
    "children of one": lambda dice, number: 0,
}


def a_tree(count: int, shape: str, project: str = "demo") -> dict[UUID, UUID | None]:
    """Who descends from whom, the root first; a second lies between two sessions."""
    dice, of = random.Random(count), Project.objects.get_or_create(name=project)[0]
    ids = [UUID(int=dice.getrandbits(128)) for _ in range(count)]
    parents = {id: ids[SHAPES[shape](dice, number)] if number else None for number, id in enumerate(ids)}
    rows = [
        Session(
            id=id,
            project=of,
            parent_id=parent,
            relation="fork" if parent else None,
            fork_point=0 if parent else None,
            title=f"session {number}",
            created_at=BEGAN + timedelta(seconds=number),
            updated_at=BEGAN + timedelta(seconds=number),
        )
        for number, (id, parent) in enumerate(parents.items())
    ]
    Session.objects.bulk_create(rows, batch_size=2000)
    lineages.forget(databases.current())  # the change log knows nothing of them
    return parents
