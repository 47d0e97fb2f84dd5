"""Pure functions of a tree of forks: in which order and lane its sessions are drawn, and which of them are folded.

Heavy-path order, as a git graph: of a session's children the one with most descendants comes last and keeps the lane
of its parent, each other one opens the next lane. So every lane left of a row's own passes it without a gap, no two
lines cross, and a tree of n sessions takes at most log2(n) + 1 lanes. Nothing here recurses: chains may be any length.

All is done with the numbers of the sessions, in lists of numbers. To hash an id takes longer than what is done with it,
and of ten thousand small objects that come and go with every look the collector of garbage would go through all that
the process holds, which takes longer than the look (decision 0025).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, NamedTuple, TypeVar, overload

Id = TypeVar("Id", bound=Hashable)
RUN = 12  # forks of one session without forks of their own; where there are more, they are folded into one row

Edge = Literal["root", "along", "off"]  # how a row hangs on its parent: not at all, in its lane, off into the next


class Row(NamedTuple, Generic[Id]):
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
    """Who descends from whom, each session once, by numbers: siblings in the order in which they were given."""

    ids: list[Id]
    above: list[int]  # the parent; -1 for a root
    tops: list[int]  # the roots, as they are drawn
    numbers: dict[Id, int] = field(compare=False)  # of all of `ids`; those from len(ids) on are of a later tree
    sequence: Sequence[int] = field(compare=False)  # parents before their children
    weights: list[int] = field(compare=False)  # sessions of a subtree, its root included
    heavy: list[int] = field(compare=False)  # the child with most descendants, the first given of several; -1 for none
    _places: tuple[list[int], list[int]] | None = field(default=None, compare=False)

    def __contains__(self, id: Id) -> bool:
        return self.numbers.get(id, len(self.ids)) < len(self.ids)

    @property
    def order(self) -> list[Id]:
        """Parents before their children."""
        return [self.ids[number] for number in self.sequence]

    @property
    def roots(self) -> list[Id]:
        return [self.ids[number] for number in self.tops]

    @property
    def parents(self) -> dict[Id, Id | None]:
        return {id: None if above < 0 else self.ids[above] for id, above in zip(self.ids, self.above, strict=True)}

    @property
    def children(self) -> dict[Id, list[Id]]:
        found: dict[Id, list[Id]] = {id: [] for id in self.ids}
        for id, above in zip(self.ids, self.above, strict=True):
            if above >= 0:
                found[self.ids[above]].append(id)
        return found

    def stand_as(self, order: Iterable[Id]) -> None:
        """Put the roots into this order, those that are not in it behind the others."""
        places = {id: place for place, id in enumerate(order)}
        self.tops.sort(key=lambda number: places.get(self.ids[number], len(places)))

    def parent_of(self, id: Id) -> Id | None:
        above = self.above[self.numbers[id]]
        return None if above < 0 else self.ids[above]

    def weight_of(self, id: Id) -> int:
        return self.weights[self.numbers[id]]

    def lanes_and_levels(self) -> tuple[list[int], list[int]]:
        """Of each session, by number; what is folded moves nothing aside."""
        if self._places is None:
            lanes, levels = [0] * len(self.ids), [0] * len(self.ids)
            above, heavy = self.above, self.heavy
            for number in self.sequence:
                parent = above[number]
                if parent >= 0:
                    levels[number] = levels[parent] + 1
                    lanes[number] = lanes[parent] + (heavy[parent] != number)
            self._places = lanes, levels
        return self._places


def tree_of(parents: Mapping[Id, Id | None]) -> Tree[Id]:
    """A session whose parent is not among them is a root. Of a cycle, which no store makes, the first one given is."""
    ids = list(parents)
    numbers = {id: number for number, id in enumerate(ids)}
    return _tree(ids, numbers, [-1 if parent is None else numbers.get(parent, -1) for parent in parents.values()])


def beginning_of(tree: Tree[Id], count: int) -> Tree[Id]:
    """What the first `count` of its sessions come to, the roots in the order in which the sessions stood."""
    ids, above = tree.ids[:count], [each if each < count else -1 for each in tree.above[:count]]
    found = _tree(ids, tree.numbers, above)
    places = {number: place for place, number in enumerate(tree.tops)}
    found.tops.sort(key=lambda number: places.get(number, len(places)))
    return found


def grown(tree: Tree[Id], parents: Mapping[Id, Id | None]) -> Tree[Id]:
    """With these behind the others, none of which they are parents of."""
    ids, numbers = tree.ids + list(parents), dict(tree.numbers)
    if len(numbers) > len(tree.ids):
        numbers = {id: number for id, number in numbers.items() if number < len(tree.ids)}
    numbers.update(zip(parents, range(len(tree.ids), len(ids)), strict=True))
    further = [-1 if parent is None else numbers.get(parent, -1) for parent in parents.values()]
    found = _tree(ids, numbers, tree.above + further)
    known = set(tree.tops)
    found.tops = tree.tops + [number for number in found.tops if number not in known]
    return found


class Layout(Sequence[Row[Id]]):
    """The rows from the top down, each of which is made when it is looked at."""

    __slots__ = ("_lines", "_places", "_runs", "hidden", "tree")

    def __init__(self, tree: Tree[Id], lines: list[int], runs: dict[int, list[int]]):
        self.tree = tree
        self._lines = lines  # the number of a session, or ~number of the one whose run it is
        self._runs = runs
        self._places: list[int] | None = None
        self.hidden = len(tree.ids) - len(lines) + len(runs)  # sessions without a row of their own

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Row[Id]]:
        for place in range(len(self._lines)):
            yield self._row(place)

    @overload
    def __getitem__(self, place: int) -> Row[Id]: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row[Id]]: ...
    def __getitem__(self, place: int | slice) -> Row[Id] | list[Row[Id]]:
        if isinstance(place, slice):
            return [self._row(each) for each in range(*place.indices(len(self._lines)))]
        return self._row(range(len(self._lines))[place])

    def place_of(self, id: Id) -> int | None:
        """At which row a session stands; None where it is folded away, or not in the tree."""
        if self._places is None:
            places = [-1] * len(self.tree.ids)
            for place, number in enumerate(self._lines):
                if number >= 0:
                    places[number] = place
            self._places = places
        found = self._places[self.tree.numbers[id]] if id in self.tree else -1
        return None if found < 0 else found

    def _row(self, place: int) -> Row[Id]:
        tree, number = self.tree, self._lines[place]
        lanes, levels = tree.lanes_and_levels()
        if number < 0:
            run = tuple(tree.ids[each] for each in self._runs[~number])
            return Row(tree.ids[~number], lanes[~number] + 1, levels[~number] + 1, "off", False, len(run), run)
        above = tree.above[number]
        edge: Edge = "root" if above < 0 else "along" if tree.heavy[above] == number else "off"
        goes_on = tree.heavy[number] >= 0 and not self._is_folded(place)
        hidden = 0 if goes_on else tree.weights[number] - 1
        return Row(tree.ids[number], lanes[number], levels[number], edge, goes_on, hidden)

    def _is_folded(self, place: int) -> bool:
        """Of a session with children: whether the row below is of none of them, nor their run."""
        number, after = self._lines[place], self._lines[place + 1] if place + 1 < len(self._lines) else -1
        if place + 1 == len(self._lines):
            return True
        return after != ~number if after < 0 else self.tree.above[after] != number


def rows(
    tree: Tree[Id],
    *,
    folded: Collection[Id] = (),
    opened: Collection[Id] = (),
    kept: Collection[Id] = (),
    key: Callable[[Id], Any] | None = None,
    run: int = RUN,
) -> Layout[Id]:
    """The rows from the top down.

    The subtrees below `folded` are left out, and so are more than `run` childless siblings beside the heaviest child,
    but for the sessions of `kept` and where the runs of their parent are `opened`. `key` sorts siblings where not the
    lighter one comes first.
    """
    first, following = _siblings(tree, key)
    closed, open_ones, apart = (_numbers(tree, each) for each in (folded, opened, kept))
    lines: list[int] = []
    runs: dict[int, list[int]] = {}
    stack = tree.tops[::-1]  # what is still to come, the next one last
    while stack:
        number = stack.pop()
        lines.append(number)
        child = first[number] if number >= 0 else -1
        if child < 0 or number in closed:
            continue
        start = len(stack)
        while child >= 0:
            stack.append(child)
            child = following[child]
        if len(stack) - start > run + 1 and number not in open_ones:
            _fold_run(stack, start, number, tree, apart, run, runs)
    return Layout(tree, lines, runs)


def all_below(roots: Sequence[Any], children: Any) -> list[Any]:
    """These sessions and all that descend from them, parents before their children."""
    found = list(roots)
    for id in found:  # grows while it is walked
        found.extend(children[id])
    return found


def ancestors(tree: Tree[Id], id: Id) -> list[Id]:
    """From the session itself up to its root."""
    found = [id]
    while (parent := tree.parent_of(found[-1])) is not None:
        found.append(parent)
    return found


def with_all_above(tree: Tree[Id], ids: Iterable[Id]) -> set[Id]:
    """These sessions and all that they descend from."""
    found: set[int] = set()
    for id in ids:
        number = tree.numbers[id]
        while number >= 0 and number not in found:
            found.add(number)
            number = tree.above[number]
    return {tree.ids[number] for number in found}


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


# Helpers, in the order in which they are called


def _tree(ids: list[Id], numbers: dict[Id, int], above: list[int]) -> Tree[Id]:
    """Changes `above` where there is a cycle."""
    tops = [number for number, parent in enumerate(above) if parent < 0]
    sequence: Sequence[int] = range(len(ids))
    if any(map(int.__ge__, above, sequence)):  # a child before its parent, as an import may bring them
        sequence = _parents_first(above, tops)
    weights, heavy, most = [1] * len(ids), [-1] * len(ids), [0] * len(ids)
    for number in reversed(sequence):
        if (parent := above[number]) >= 0:
            weights[parent] += weights[number]
    for number, parent in enumerate(above):
        if parent >= 0 and weights[number] > most[parent]:
            most[parent], heavy[parent] = weights[number], number
    return Tree(ids, above, tops, numbers, sequence, weights, heavy)


def _parents_first(above: list[int], tops: list[int]) -> list[int]:
    below: list[list[int]] = [[] for _ in above]
    for number, parent in enumerate(above):
        if parent >= 0:
            below[parent].append(number)
    order = all_below(tops, below)
    if len(order) == len(above):
        return order
    seen = {*order}
    for number, parent in enumerate(above):
        if number not in seen:
            if parent >= 0:
                below[parent].remove(number)
            above[number] = -1
            tops.append(number)
            further = all_below([number], below)
            order += further
            seen.update(further)
    return order


def _siblings(tree: Tree[Id], key: Callable[[Id], Any] | None) -> tuple[list[int], list[int]]:
    """The last child of each session, which is the heaviest, and of each child the one that comes before it."""
    ids, above, heavy, weights = tree.ids, tree.above, tree.heavy, tree.weights
    ranks = weights if key is None else [key(id) for id in ids]
    last, before = [-1] * len(ids), [-1] * len(ids)
    for number in sorted(range(len(ids)), key=ranks.__getitem__):
        parent = above[number]
        if parent >= 0 and heavy[parent] != number:
            before[number], last[parent] = last[parent], number
    for parent, number in enumerate(heavy):
        if number >= 0:
            before[number], last[parent] = last[parent], number
    return last, before


def _numbers(tree: Tree[Id], ids: Iterable[Id]) -> set[int]:
    return {tree.numbers[id] for id in ids if id in tree}


def _fold_run(
    stack: list[int],
    start: int,
    number: int,
    tree: Tree[Id],
    apart: Collection[int],
    run: int,
    runs: dict[int, list[int]],
) -> None:
    """Put one row in the place of the childless ones among the children that lie on the stack, the heaviest first."""
    others = stack[start + 1 :]
    leaves = [each for each in reversed(others) if tree.weights[each] == 1 and each not in apart]
    if len(leaves) > run:
        hidden = {*leaves}
        runs[number] = leaves
        stack[start + 1 :] = [~number, *(each for each in others if each not in hidden)]
