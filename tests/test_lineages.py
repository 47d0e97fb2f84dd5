"""Trees that are kept in the process: always those of the database, and for each actor what they may see."""

import math
import random

import pytest

from sessions_app import change_log, databases, lineages, tree
from sessions_app.actors import Actor, acting
from sessions_app.models import Project, Session
from tests import trees
from tests.builders import a_message, a_session


def told(found):
    """All that is known of a lineage, with moments to the millisecond, by which SQLite has them."""
    if found is None:
        return None
    nodes = {id: node._replace(created=round(node.created, 2), updated=0) for id, node in found.nodes.items()}
    return nodes, found.tree, found.trashed, lineages.stored_messages(found)


def anew(question, *arguments):
    """What a process that keeps nothing answers."""
    lineages.forget(databases.current())
    return told(question(*arguments))


def of_projects(*names):
    """Somebody who may look into these projects alone."""
    ids = frozenset(Project.objects.filter(name__in=names).values_list("pk", flat=True))
    return Actor("token", "few", frozenset({"read"}), unrestricted=True, projects=ids)


class ALineage:
    def test_is_all_that_descends_from_one_root(self, the_store):
        root = a_session(the_store, "one", "two")
        fork = the_store.fork_at(root.id, 1)
        inner = the_store.fork_at(fork.id, 1)
        a_session(the_store, "another")
        for id in (root.id, fork.id, inner.id):
            assert lineages.of(id).tree.order == [root.id, fork.id, inner.id]

    def test_is_none_of_what_is_not_there(self, the_store):
        root = a_session(the_store, "one")
        the_store.delete(root.id)
        assert lineages.of(root.id).trashed == 1
        the_store.purge(root.id)
        assert lineages.of(root.id) is None

    def test_counts_what_its_sessions_share_once(self, the_store):
        root = a_session(the_store, *map(str, range(100)))
        fork = the_store.fork_at(root.id, 100)
        the_store.append(fork.id, [a_message(f"own {index}") for index in range(50)])
        assert lineages.stored_messages(lineages.of(root.id)) == 150
        the_store.append(root.id, [a_message("more")])
        assert lineages.stored_messages(lineages.of(root.id)) == 151
        the_store.delete(fork.id)
        assert lineages.stored_messages(lineages.of(root.id)) == 101

    def test_is_read_once_while_nothing_changes(self, the_store):
        root = a_session(the_store, "one", "two")
        first = lineages.of(root.id)
        the_store.append(a_session(the_store, "elsewhere").id, [a_message()])
        assert lineages.of(root.id) is first

    def test_keeps_its_layout_while_its_sessions_only_grow(self, the_store):
        root = a_session(the_store, "one", "two")
        fork = the_store.fork_at(root.id, 1)
        before = lineages.of(root.id)
        rows = before.layout(root.id)
        the_store.append(fork.id, [a_message()])
        after = lineages.of(root.id)
        assert after.layout(root.id) is rows
        assert after.nodes[fork.id].updated > before.nodes[fork.id].updated

    def test_grows_by_a_fork_without_being_put_together_anew(self, the_store, monkeypatch):
        root = a_session(the_store, "one", "two", project="open")
        hidden = the_store.fork_at(root.id, 1, "hidden")
        with acting(of_projects("open")):
            lineages.of(root.id)
        before = lineages.of(root.id)
        fork = the_store.fork_at(root.id, 1)
        below = the_store.fork_at(fork.id, 1)
        unseen = the_store.fork_at(hidden.id, 1, "open")
        the_store.append(root.id, [a_message()])
        monkeypatch.setattr(lineages, "tree_of", None)
        after = lineages.of(root.id)
        with acting(of_projects("open")):
            seen = lineages.of(root.id)
        assert before.tree.ids == [root.id, hidden.id]
        assert after.tree.ids == [root.id, hidden.id, fork.id, below.id, unseen.id]
        assert (seen.tree.ids, seen.tree.parent_of(below.id)) == ([root.id, fork.id, below.id], fork.id)
        assert after.nodes[root.id].updated > before.nodes[root.id].updated
        assert lineages.stored_messages(after) == 3

    def test_ends_for_an_actor_where_their_sight_does(self, the_store):
        root = a_session(the_store, "one", "two", project="open")
        hidden = the_store.fork_at(root.id, 1, "hidden")
        below = the_store.fork_at(hidden.id, 1, "open")
        beside = the_store.fork_at(root.id, 2, "open")
        with acting(of_projects("open")):
            assert lineages.of(root.id).tree.order == [root.id, beside.id]
            assert lineages.of(hidden.id) is None
            assert lineages.of(below.id).tree.order == [below.id]
            assert lineages.of(below.id).tree.roots == [below.id]
        with acting(of_projects()):
            assert lineages.of(root.id) is None
        assert len(lineages.of(root.id).tree.order) == 4

    def test_was_smaller_before(self, the_store):
        root = a_session(the_store, "one", "two")
        fork = the_store.fork_at(root.id, 1)
        whole = lineages.of(root.id)
        moment = whole.nodes[fork.id].created
        assert whole.before(moment) is whole.before(moment)
        assert whole.before(moment + 1).tree.order == [root.id, fork.id]
        assert whole.before(whole.nodes[root.id].created - 1).tree.order == []

    def test_is_read_anew_where_the_log_no_longer_tells(self, the_store):
        root = a_session(the_store, "one", "two")
        lineages.of(root.id)
        fork = the_store.fork_at(root.id, 1)
        for _ in range(3):
            the_store.pin(root.id)
            the_store.unpin(root.id)
        change_log.prune(1)
        assert lineages.of(root.id).tree.order == [root.id, fork.id]

    def test_is_read_anew_where_very_much_changed(self, the_store, monkeypatch):
        monkeypatch.setattr(lineages, "CHANGES", 3)
        root = a_session(the_store, "one", "two")
        lineages.of(root.id)
        forks = [the_store.fork_at(root.id, 1).id for _ in range(8)]
        assert lineages.of(root.id).tree.order == [root.id, *forks]

    def test_goes_when_too_many_sessions_are_kept(self, the_store, monkeypatch):
        monkeypatch.setattr(lineages, "KEPT", 3)
        roots = [a_session(the_store, "one", "two") for _ in range(3)]
        for root in roots:
            the_store.fork_at(root.id, 1)
            lineages.of(root.id)
        assert [place for place in lineages._kept if place[0] == databases.current()] == [
            (databases.current(), roots[-1].id)
        ]


class TheTreesOfAProject:
    def test_stand_with_the_newest_first(self, the_store):
        old = a_session(the_store, "one", "two")
        new = a_session(the_store, "three", "four")
        fork = the_store.fork_at(old.id, 1)
        a_session(the_store, "elsewhere", project="other")
        found = lineages.of_project(Project.objects.get(name="demo").pk)
        assert found.tree.roots == [new.id, old.id]
        assert found.tree.children[old.id] == [fork.id]

    def test_stand_so_without_what_has_no_relatives_too(self, the_store):
        roots = [a_session(the_store, "one", "two") for _ in range(4)]
        forks = [the_store.fork_at(root.id, 1) for root in (roots[0], roots[2], roots[3])]
        found = lineages.of_project(Project.objects.get(name="demo").pk).related()
        assert found.tree.roots == [roots[3].id, roots[2].id, roots[0].id]
        assert len(found.nodes) == 6
        assert found.before(found.nodes[forks[0].id].created).tree.roots == [
            root.id for root in reversed(roots) if root != roots[1]
        ]
        assert found.only({roots[2].id, forks[0].id}).tree.roots == [roots[2].id, forks[0].id]

    def test_are_cut_from_what_is_in_other_projects(self, the_store):
        root = a_session(the_store, "one", "two", project="other")
        fork = the_store.fork_at(root.id, 1, "demo")
        inner = the_store.fork_at(fork.id, 1)
        found = lineages.of_project(Project.objects.get(name="demo").pk)
        assert found.tree.order == [fork.id, inner.id]

    def test_are_those_of_its_newest_sessions_where_it_has_very_many(self, the_store, monkeypatch):
        monkeypatch.setattr(lineages, "MOST_OF_PROJECT", 3)
        ids = [a_session(the_store, "one").id for _ in range(4)]
        project = Project.objects.get(name="demo").pk
        assert (lineages.of_project(project).tree.roots, lineages.of_project(project).is_cut) == (ids[:0:-1], True)
        ids.append(a_session(the_store, "one").id)
        assert lineages.of_project(project).tree.roots == ids[:1:-1]


@pytest.mark.parametrize("shape", trees.SHAPES)
@pytest.mark.parametrize("count", [10, 1_000, 10_000])
def test_a_tree_of_any_size_and_shape_is_read_and_laid_out_whole(the_store, either_database, count, shape):
    if count == 10_000 and either_database == "postgresql" and shape != "at random":
        pytest.skip("its shape is laid out without the database, which reads rows of any")
    parents = trees.a_tree(count, shape)
    first, *_, last = parents
    found = lineages.of(last)
    assert found.tree.parents == parents
    assert found.tree.roots == [first]
    rows = found.layout(last, without_runs=True)
    assert sorted(row.id for row in rows) == sorted(parents)
    assert max(row.lane for row in rows) <= math.log2(count)
    assert sum(row.hidden if row.run else 1 for row in found.layout(last)) == count
    fork = the_store.fork_at(last, 0)
    assert lineages.of(first).tree.parents == parents | {fork.id: last}


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_is_what_is_there_whatever_was_done(the_store, seed):
    dice = random.Random(seed)
    ids = [a_session(the_store, "one", "two", project=dice.choice("ab")).id for _ in range(2)]
    a_session(the_store, "c", project="b")
    projects = list(Project.objects.values_list("pk", flat=True))
    for _ in range(60):
        if not ids:
            ids.append(a_session(the_store, "one", "two", project="a").id)
        id, verb = dice.choice(ids), dice.randrange(12)
        row = Session.objects.get(pk=id)
        if verb < 5 and not row.trashed_at:
            ids.append(the_store.fork_at(id, dice.randrange(row.message_count + 1), dice.choice("ab")).id)
        elif verb < 7 and not row.trashed_at:
            the_store.append(id, [a_message("more")])
        elif verb < 8 and not row.trashed_at:
            the_store.update(id, [a_message(str(dice.random()))], 1)
        elif verb < 9:
            (the_store.restore if row.trashed_at else the_store.delete)(id)
        elif verb < 10 and row.trashed_at:
            the_store.purge(id)
            ids.remove(id)
        elif verb < 11 and not row.trashed_at:
            (the_store.unpin if row.pinned_at else the_store.pin)(id)
        if dice.random() < 0.5:
            continue  # so that several things happen between two looks
        asked, project = dice.choice(ids) if ids else id, dice.choice(projects)
        kept = told(lineages.of(asked)), told(lineages.of_project(project))
        assert kept == (anew(lineages.of, asked), anew(lineages.of_project, project))
        for actor in (of_projects("a"), of_projects("b")):
            with acting(actor):
                assert told(lineages.of(asked)) == anew(lineages.of, asked)
        for each in ids:
            lineages.of(each)
        for each in projects:
            lineages.of_project(each)


def test_the_tree_is_that_of_the_rows(the_store):
    """As the database's own recursion tells it."""
    dice, ids = random.Random(6), [a_session(the_store, "one").id]
    for _ in range(40):
        ids.append(the_store.fork_at(dice.choice(ids), 1).id)
    rows = Session.objects.under(ids[0].hex).order_by("created_at", "id").values_list("pk", "parent_id")
    assert lineages.of(ids[0]).tree == tree.tree_of(dict(rows))
