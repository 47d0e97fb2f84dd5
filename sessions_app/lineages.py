"""Trees of forks, kept in the process as light rows, of which those are read again that the change log names.

To read ten thousand sessions takes longer than to draw the fifty of a window, so who sits and every page that follows
a growing tree would read all of them for the sake of one. What is kept is of all projects and the same for everybody;
what an actor may see is cut out of it anew for each set of projects (decision 0018).
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from sessions_app import actors, change_log, gate
from sessions_app.databases import connection, current, execute
from sessions_app.piece_table import key
from sessions_app.records import ChangeKind
from sessions_app.session_rows import snapshot, uuid_of
from sessions_app.tree import (
    RUN,
    Layout,
    Tree,
    all_below,
    beginning_of,
    grown,
    rows,
    tree_of,
    union_length,
    with_all_above,
)

MOST_OF_PROJECT = 20_000  # sessions; of a project with more, the newest ones are drawn
KEPT = 100_000  # sessions in all trees that are kept
KEPT_VIEWS, KEPT_LAYOUTS, KEPT_MOMENTS = 8, 8, 4
CHANGES = 2000  # sessions that changed; where there are more, a tree is read anew
BATCH = 2000  # keys of one statement

ALL = "all"  # the view of a project

Range = tuple[int, int, int]  # strand, start and stop

# Moments as numbers: to make thirty thousand datetimes takes as long as all else. What SQLite itself makes of a text has
# milliseconds, in which several sessions may begin; so the digits behind the point are read as they stand.
_SECONDS = {
    "sqlite": "round((julianday(substr({0}, 1, 19)) - 2440587.5) * 86400.0) + CAST('0' || substr({0}, 20) AS REAL)",
    "postgresql": "extract(epoch FROM {})::float8",
}
_UP = """WITH RECURSIVE up(id, parent) AS (
    SELECT id, parent_id FROM forklore_session WHERE id = %s
    UNION SELECT above.id, above.parent_id FROM up JOIN forklore_session above ON above.id = up.parent
) SELECT id FROM up WHERE parent IS NULL"""
_DOWN = """WITH RECURSIVE under(id) AS (
    SELECT id FROM forklore_session WHERE id = %s
    UNION SELECT child.id FROM forklore_session child JOIN under ON child.parent_id = under.id
    AND COALESCE(child.relation, '') <> 'revision'
) SELECT {} FROM under JOIN forklore_session session ON session.id = under.id
ORDER BY session.created_at, session.id"""
_OF_PROJECT = """SELECT {} FROM forklore_session session WHERE session.project_id = %s AND COALESCE(session.relation, '') <> 'revision'
ORDER BY session.created_at DESC, session.id LIMIT %s"""
_RANGES = """SELECT piece.session_id, piece.strand_id, piece.start, COALESCE(piece.stop, session.message_count)
FROM forklore_piece piece JOIN forklore_session session ON session.id = piece.session_id WHERE piece.session_id IN ({})"""


class Node(NamedTuple):
    """What the drawing of a tree needs of each session of it."""

    parent: UUID | None
    project: int
    created: float  # seconds since 1970
    updated: float
    is_live: bool  # not in the trash


@dataclass(slots=True)
class Lineage:
    """A tree, or all those of a project, as far as somebody may see them; what is in the trash is in it too."""

    nodes: dict[UUID, Node]  # the older ones first
    tree: Tree[UUID]  # with the same numbers
    is_cut: bool = False  # whether only the newest MOST_OF_PROJECT are in it
    _layouts: dict[Any, Layout[UUID]] = field(default_factory=dict)
    _moments: dict[float, Lineage] = field(default_factory=dict)
    _related: Lineage | None = None
    _stored: tuple[dict[UUID, list[Range]], int] | None = None  # the ranges of which it was counted

    @property
    def trashed(self) -> int:
        return sum(not node.is_live for node in self.nodes.values())

    def layout(
        self,
        current: UUID | None,
        *,
        folded: Collection[UUID] = (),
        opened: Collection[UUID] = (),
        found: Collection[UUID] = (),
        newest: bool = False,
        without_runs: bool = False,
    ) -> Layout[UUID]:
        """The rows from the top down; `current` and `found` are in no run, and are folded away by nothing above them."""
        asked = (current, frozenset(folded), frozenset(opened), frozenset(found), newest, without_runs)
        known = self._layouts.get(asked)
        if known is None:
            kept = with_all_above(self.tree, [id for id in (current, *found) if id in self.nodes])
            known = rows(
                self.tree,
                folded={*folded} - (kept - {current}),
                opened=opened,
                kept=kept,
                key=(lambda one: -self.nodes[one].created) if newest else None,
                run=len(self.nodes) if without_runs else RUN,
            )
            _add(self._layouts, asked, known, KEPT_LAYOUTS)
        return known

    def before(self, moment: float) -> Lineage:
        """What there was at a moment, in seconds since 1970."""
        known = self._moments.get(moment)
        if known is None:
            count = bisect_right([node.created for node in self.nodes.values()], moment)
            nodes = dict(islice(self.nodes.items(), count))
            known = Lineage(nodes, beginning_of(self.tree, count), self.is_cut)
            _add(self._moments, moment, known, KEPT_MOMENTS)
        return known

    def only(self, ids: Collection[UUID]) -> Lineage:
        """What these of its sessions come to, the trees in the order in which they stood."""
        found = _lineage({id: node for id, node in self.nodes.items() if id in ids}, self.is_cut)
        found.tree.stand_as(self.tree.roots)
        return found

    def related(self) -> Lineage:
        """Without the sessions that have neither parent nor child in it."""
        if self._related is None:
            alone = {self.tree.ids[number] for number in self.tree.tops if self.tree.weights[number] == 1}
            self._related = self.only(self.nodes.keys() - alone) if alone else self
        return self._related

    def with_nodes(self, fresh: dict[UUID, Node]) -> Lineage:
        """The same trees and layouts, for the nodes differ in nothing by which they are laid out."""
        return Lineage(fresh, self.tree, self.is_cut, self._layouts)

    def with_more(self, further: dict[UUID, Node]) -> Lineage:
        """With sessions that began behind all others, none before its parent."""
        tree = grown(self.tree, {id: node.parent for id, node in further.items()})
        return Lineage(self.nodes | further, tree, self.is_cut)


@dataclass(slots=True)
class _Kept:
    mark: change_log.Mark
    nodes: dict[UUID, Node]  # of all projects, the older ones first
    ranges: dict[UUID, list[Range]] | None = None  # that they show, once they were asked for
    views: dict[Any, Lineage] = field(default_factory=dict)


_kept: OrderedDict[tuple[str, UUID | int], _Kept] = OrderedDict()  # by alias, and by root or project; last used last
_lock = threading.Lock()


def of(id: UUID) -> Lineage | None:
    """The tree that a session belongs to, from the first one that leads to it in plain sight; None if it is not seen."""
    with snapshot():
        kept = _of(id)
        seen = _seen()
        if kept is None or (seen is not None and kept.nodes[id].project not in seen):
            return None
        return _view(kept, seen, id)


def of_project(project: int) -> Lineage:
    """The trees of the sessions of a project, which the actor is to have been found to see; the newest tree first."""
    with snapshot():
        kept = _refreshed((current(), project))
        if kept is None:
            kept = _keep((current(), project), _Kept(change_log.mark(), _nodes_of_project(project)))
        if ALL not in kept.views:
            nodes = dict(islice(kept.nodes.items(), max(0, len(kept.nodes) - MOST_OF_PROJECT), None))
            kept.views[ALL] = found = _newest_first(_lineage(nodes, is_cut=len(kept.nodes) > MOST_OF_PROJECT))
            return found
        return kept.views[ALL]


def stored_messages(lineage: Lineage) -> int:
    """How many messages its live sessions hold, each counted once however many show it."""
    if not lineage.nodes:
        return 0
    with snapshot():
        kept = _of(lineage.tree.ids[0])
        if kept is None:
            return 0
        if kept.ranges is None:
            kept.ranges = _ranges(kept.nodes)
        known = kept.ranges
    if lineage._stored is None or lineage._stored[0] is not known:
        live = (id for id, node in lineage.nodes.items() if node.is_live)
        # Most of them show the beginning of the root, which is looked at once.
        lineage._stored = known, union_length({one for id in live for one in known.get(id, ())})
    return lineage._stored[1]


def forget(alias: str) -> None:
    """Read everything anew when that database is asked for again, as after it was changed past the store."""
    with _lock:
        for place in [place for place in _kept if place[0] == alias]:
            del _kept[place]


def _of(id: UUID) -> _Kept | None:
    with _lock:
        places = [place for place, kept in _kept.items() if place[0] == current() and isinstance(place[1], UUID)]
    for place in places:
        known = _kept.get(place)
        if known and id in known.nodes and (kept := _refreshed(place)) and id in kept.nodes:
            return kept
    mark = change_log.mark()
    root = execute(_UP, [key(id)]).fetchone()
    if root is None:
        return None
    place = (current(), uuid_of(root[0]))
    return _keep(place, _Kept(mark, _nodes(_DOWN.format(_columns()), [root[0]])))


def _view(kept: _Kept, seen: frozenset[int] | None, id: UUID) -> Lineage:
    """What can be seen of a tree from a session in it."""
    hidden = set() if seen is None else {node.project for node in kept.nodes.values()} - seen
    root = id
    while (above := kept.nodes[root].parent) in kept.nodes and kept.nodes[above].project not in hidden:
        root = above
    asked = (root, frozenset(hidden))
    known = kept.views.get(asked)
    if known is None:
        nodes = kept.nodes
        if hidden:
            nodes = {one: node for one, node in nodes.items() if node.project not in hidden}
        whole = _lineage(nodes)
        if len(whole.tree.roots) > 1:
            below = {*all_below([root], whole.tree.children)}
            whole = _lineage({one: node for one, node in nodes.items() if one in below})
        _add(kept.views, asked, whole, KEPT_VIEWS)
        return whole
    return known


def _lineage(nodes: dict[UUID, Node], is_cut: bool = False) -> Lineage:
    return Lineage(nodes, tree_of({id: node.parent for id, node in nodes.items()}), is_cut)


def _refreshed(place: tuple[str, UUID | int]) -> _Kept | None:
    """What is kept there as the database has it now; None where it is to be read anew."""
    kept = _kept.get(place)
    if kept is None:
        return None
    mark = change_log.mark()
    # On PostgreSQL something may have happened behind what has happened for sure.
    is_current = mark == kept.mark and connection().vendor == "sqlite"
    changed = {} if is_current else change_log.sessions_since(kept.mark, CHANGES)
    fresh = None if changed is None else _with_changes(kept, mark, changed, place[1])
    if fresh is None:
        with _lock:
            _kept.pop(place, None)
        return None
    return _keep(place, fresh)


def _with_changes(
    kept: _Kept, mark: change_log.Mark, changed: dict[UUID, set[ChangeKind]], scope: UUID | int
) -> _Kept | None:
    """None where sessions went, or came with descendants of their own."""
    now = _some_nodes(changed)
    new = {id for id in now if id not in kept.nodes and _belongs(id, now, kept.nodes, scope)}
    known = changed.keys() & kept.nodes.keys()
    if not new and all(now.get(id) == kept.nodes[id] for id in known):
        ranges = kept.ranges if kept.ranges is None or not known else kept.ranges | _ranges([*known])
        return _Kept(mark, kept.nodes, ranges, kept.views)
    if any(id not in now or "moved" in changed[id] or now[id].project != kept.nodes[id].project for id in known):
        return None
    if any("created" not in changed[id] or "moved" in changed[id] for id in new):
        return None
    newest_last = sorted(new, key=lambda one: (now[one].created, one.hex))
    seen_again = {id: now[id] for id in known}
    fresh = kept.nodes | seen_again | {id: now[id] for id in newest_last}
    ranges = None if kept.ranges is None else kept.ranges | _ranges([*known, *new])
    last = next(reversed(kept.nodes.values()), None)
    if last and any(now[id].created <= last.created for id in new):  # an import, most likely
        fresh = dict(sorted(fresh.items(), key=lambda one: (one[1].created, one[0].hex)))
    elif all(kept.nodes[id].parent == now[id].parent for id in known):
        further = {id: now[id] for id in newest_last}
        return _Kept(mark, fresh, ranges, _carried_over(kept.views, seen_again, further))
    return _Kept(mark, fresh, ranges)


def _belongs(id: UUID, now: dict[UUID, Node], nodes: dict[UUID, Node], scope: UUID | int) -> bool:
    if isinstance(scope, int):
        return now[id].project == scope
    above, steps = now[id].parent, 0
    while above in now and above not in nodes and steps <= len(now):
        above, steps = now[above].parent, steps + 1
    return above in nodes


def _carried_over(
    views: dict[Any, Lineage], seen_again: dict[UUID, Node], further: dict[UUID, Node]
) -> dict[Any, Lineage]:
    """What each shows, with what is known of its sessions now, and with those that began behind all of them."""
    found = {}
    for asked, view in [*views.items()]:  # which another thread may add to
        here = {id: node for id, node in seen_again.items() if id in view.nodes}
        now = view.with_nodes(view.nodes | here) if here else view
        more = further if asked == ALL else _of_view(view, asked[1], further)
        if not more:
            found[asked] = now
        elif asked != ALL:
            found[asked] = now.with_more(more)
        elif not view.is_cut and len(view.nodes) + len(more) <= MOST_OF_PROJECT:
            found[asked] = _newest_first(now.with_more(more))
    return found


def _of_view(view: Lineage, hidden: Collection[int], further: dict[UUID, Node]) -> dict[UUID, Node]:
    found: dict[UUID, Node] = {}
    for id, node in further.items():
        if node.project not in hidden and (node.parent in view.nodes or node.parent in found):
            found[id] = node
    return found


def _newest_first(trees: Lineage) -> Lineage:
    created = [node.created for node in trees.nodes.values()]
    trees.tree.tops.sort(key=lambda number: -created[number])
    return trees


def _add(kept: dict[Any, Any], key: Any, value: Any, most: int) -> None:
    """Beside other threads that do the same; the oldest go."""
    kept[key] = value
    for old in [*kept][:-most]:
        kept.pop(old, None)


def _keep(place: tuple[str, UUID | int], kept: _Kept) -> _Kept:
    with _lock:
        _kept[place] = kept
        _kept.move_to_end(place)
        while len(_kept) > 1 and sum(len(each.nodes) for each in _kept.values()) > KEPT:
            _kept.popitem(last=False)
    return kept


def _seen() -> frozenset[int] | None:
    """The projects that the actor of this context may look into; None for all."""
    found = gate.projects(actors.current())
    return None if found is None else frozenset(row[0] for row in execute(*found).fetchall())


def _nodes_of_project(project: int) -> dict[UUID, Node]:
    found = _nodes(_OF_PROJECT.format(_columns()), [project, MOST_OF_PROJECT + 1])
    return dict(reversed(found.items()))


def _some_nodes(ids: Collection[UUID]) -> dict[UUID, Node]:
    statement = f"SELECT {_columns()} FROM forklore_session session WHERE session.id IN ({{}})"  # noqa: S608
    statement += " AND COALESCE(session.relation, '') <> 'revision'"
    return {id: node for part in _parts(ids) for id, node in _nodes(statement.format(part[0]), part[1]).items()}


def _nodes(statement: str, parameters: list[Any]) -> dict[UUID, Node]:
    ids: dict[Any, UUID] = {}  # each is made once, though most are parents too

    def id_of(value: Any) -> UUID:
        return ids.get(value) or ids.setdefault(value, uuid_of(value))

    return {
        id_of(id): Node(id_of(parent) if parent else None, project, created, updated, bool(is_live))
        for id, parent, project, created, updated, is_live in execute(statement, parameters).fetchall()
    }


def _columns() -> str:
    seconds = _SECONDS[connection().vendor]
    created, updated = seconds.format("session.created_at"), seconds.format("session.updated_at")
    return f"session.id, session.parent_id, session.project_id, {created}, {updated}, session.trashed_at IS NULL"


def _ranges(ids: Collection[UUID]) -> dict[UUID, list[Range]]:
    found: dict[UUID, list[Range]] = {id: [] for id in ids}
    by_key = {key(id): ranges for id, ranges in found.items()}
    for placeholders, keys in _parts(ids):
        for id, strand, start, stop in execute(_RANGES.format(placeholders), keys).fetchall():
            by_key[id].append((strand, start, stop))
    return found


def _parts(ids: Collection[UUID]) -> Iterable[tuple[str, list[Any]]]:
    keys = [key(id) for id in ids]
    for start in range(0, len(keys), BATCH):
        part = keys[start : start + BATCH]
        yield ", ".join(["%s"] * len(part)), part
