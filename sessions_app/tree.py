"""Pure functions of a tree of forks: in which order and lane its sessions are drawn, and which of them are folded.

Heavy-path order, as a git graph: of a session's children the one with most descendants comes last and keeps the lane
of its parent, each other one opens the next lane. So every lane left of a row's own passes it without a gap, no two
lines cross, and a tree of n sessions takes at most log2(n) + 1 lanes. Nothing here recurses: chains may be any length.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, NamedTuple, TypeVar

Id = TypeVar("Id", bound=Hashable)
RUN = 12  # forks of one session without forks of their own; where there are more, they are folded into one row

Edge = Literal["root", "along", "off"]  # how a row hangs on its parent: not at all, in its lane, off into the next


class Row(NamedTuple, Generic[Id]):  # which is made in a third of the time of a dataclass
    """A session in its lane; with `run`, the folded forks of the session `id` instead."""

    id: Id
    lane: int
    level: int  # 0 for a root
    edge: Edge
    goes_on: bool  # whether the lane goes on below
    hidden: int = 0  # descendants that are folded away
    run: tuple[Id, ...] = ()


@dataclass(slots=True)
class Tree(Generic[Id]):
    """Who descends from whom, each session once; siblings in the order in which they were given."""

    order: list[Id]  # parents before their children
    children: dict[Id, list[Id]]
    weights: dict[Id, int]  # sessions of a subtree, its root included
    parents: dict[Id, Id | None]
    roots: list[Id] = field(default_factory=list)


def tree_of(parents: Mapping[Id, Id | None]) -> Tree[Id]:
    """A session whose parent is not among them is a root. Of a cycle, which no store makes, the first one given is."""
    # By number within: to hash an id takes longer than all else that is done with it.
    ids = list(parents)
    numbers = {id: number for number, id in enumerate(ids)}
    above = [-1 if parent is None else numbers.get(parent, -1) for parent in parents.values()]
    below: list[list[int]] = [[] for _ in ids]
    roots: list[int] = []
    for number, parent in enumerate(above):
        (roots if parent < 0 else below[parent]).append(number)
    order = all_below(roots, below)
    if len(order) < len(ids):
        seen = {*order}
        for number, parent in enumerate(above):
            if number not in seen:
                if parent >= 0:
                    below[parent].remove(number)
                above[number] = -1
                roots.append(number)
                further = all_below([number], below)
                order += further
                seen.update(further)
    weights = [1] * len(ids)
    for number in reversed(order):
        if above[number] >= 0:
            weights[above[number]] += weights[number]
    return Tree(
        [ids[number] for number in order],
        {id: [ids[number] for number in each] for id, each in zip(ids, below, strict=True)},
        dict(zip(ids, weights, strict=True)),
        {id: None if parent < 0 else ids[parent] for id, parent in zip(ids, above, strict=True)},
        [ids[number] for number in roots],
    )


def rows(
    tree: Tree[Id],
    *,
    folded: Collection[Id] = (),
    opened: Collection[Id] = (),
    kept: Collection[Id] = (),
    key: Callable[[Id], Any] | None = None,
    run: int = RUN,
) -> list[Row[Id]]:
    """The rows from the top down.

    The subtrees below `folded` are left out, and so are more than `run` childless siblings beside the heaviest child,
    but for the sessions of `kept` and where the runs of their parent are `opened`. `key` sorts siblings where not the
    lighter one comes first.
    """
    found: list[Row[Id]] = []
    weights, children = tree.weights, tree.children
    # What is still to come, the next one last: id, lane, level, edge, and the sessions of a run.
    stack: list[tuple[Id, int, int, Edge, tuple[Id, ...]]] = [(id, 0, 0, "root", ()) for id in reversed(tree.roots)]
    while stack:
        id, lane, level, edge, together = stack.pop()
        if together:
            found.append(Row(id, lane, level, edge, False, len(together), together))
            continue
        below = children[id]
        if not below:
            found.append(Row(id, lane, level, edge, False))
            continue
        if id in folded:
            found.append(Row(id, lane, level, edge, False, weights[id] - 1))
            continue
        found.append(Row(id, lane, level, edge, True))
        if len(below) == 1:
            stack.append((below[0], lane, level + 1, "along", ()))
            continue
        heavy = max(below, key=weights.__getitem__)
        others = sorted((each for each in below if each != heavy), key=key or weights.__getitem__)
        stack.append((heavy, lane, level + 1, "along", ()))
        leaves = () if id in opened else _run(others, children, kept, run)
        if leaves:
            stack.append((id, lane + 1, level + 1, "off", leaves))
            hidden: set[Id] = set(leaves)
            others = [each for each in others if each not in hidden]
        stack.extend((each, lane + 1, level + 1, "off", ()) for each in reversed(others))
    return found


def all_below(roots: Sequence[Any], children: Any) -> list[Any]:
    """These sessions and all that descend from them, parents before their children."""
    found = list(roots)
    for id in found:  # grows while it is walked
        found.extend(children[id])
    return found


def ancestors(tree: Tree[Id], id: Id) -> list[Id]:
    """From the session itself up to its root."""
    found = [id]
    while (parent := tree.parents[found[-1]]) is not None:
        found.append(parent)
    return found


def with_all_above(tree: Tree[Id], ids: Iterable[Id]) -> set[Id]:
    """These sessions and all that they descend from."""
    found: set[Id] = set()
    for id in ids:
        at: Id | None = id
        while at is not None and at not in found:
            found.add(at)
            at = tree.parents[at]
    return found


def _run(others: Sequence[Id], children: Mapping[Id, Sequence[Id]], kept: Collection[Id], run: int) -> tuple[Id, ...]:
    if len(others) <= run:
        return ()
    leaves = tuple(each for each in others if not children[each] and each not in kept)
    return leaves if len(leaves) > run else ()


def union_length(ranges: Iterable[tuple[int, int, int]]) -> int:
    """How many places (strand, position) lie in any of the ranges (strand, start, stop); each is counted once."""
    total, last, end = 0, None, 0
    for strand, start, stop in sorted(ranges):
        if strand != last:
            last, end = strand, start
        if stop > end:
            total += stop - (start if start > end else end)
            end = stop
    return total
