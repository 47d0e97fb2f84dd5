"""How a tree of forks is laid out."""

import math
import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions_app import tree

# The first draw loads Hypothesis's own tables, which on a busy machine takes a second.
patient = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


@st.composite
def forests(draw) -> dict[int, int | None]:
    """A parent or None for each number; parents are not always given before their children."""
    size = draw(st.integers(1, 60))
    parents = {id: draw(st.one_of(st.none(), st.integers(0, id - 1))) if id else None for id in range(size)}
    names = draw(st.permutations(range(size)))
    return {id: parents[id] for id in names}


def drawn(parents, **options):
    return tree.rows(tree.tree_of(parents), **options)


class ALayout:
    @patient
    @given(forests())
    def test_has_every_session_once(self, parents):
        rows = drawn(parents, run=1000)
        assert sorted(row.id for row in rows) == sorted(parents)

    @patient
    @given(forests())
    def test_has_parents_above_children_and_whole_subtrees_together(self, parents):
        rows = drawn(parents, run=1000)
        at = {row.id: index for index, row in enumerate(rows)}
        whole = tree.tree_of(parents)
        for row in rows:
            if (parent := parents[row.id]) is not None:
                assert at[parent] < at[row.id] <= at[parent] + whole.weight_of(parent) - 1
                assert row.level == rows[at[parent]].level + 1

    @patient
    @given(forests())
    def test_takes_at_most_log2_n_plus_one_lanes(self, parents):
        weights = tree.tree_of(parents).weights
        for row in drawn(parents, run=1000):
            assert row.lane <= math.log2(max(weights))

    @patient
    @given(forests())
    def test_has_no_line_that_crosses_another_or_runs_through_a_session(self, parents):
        """A line goes down the parent's lane to the child's row, and there at most one lane to the right."""
        rows = drawn(parents, run=1000)
        at = {row.id: index for index, row in enumerate(rows)}
        for child in rows:
            if (above := parents[child.id]) is None:
                assert (child.lane, child.edge) == (0, "root")
                continue
            parent = rows[at[above]]
            assert child.lane == parent.lane + (child.edge == "off")
            between = rows[at[above] + 1 : at[child.id]]
            assert all(row.lane > parent.lane for row in between)

    @patient
    @given(forests())
    def test_draws_a_lane_left_of_a_row_only_where_it_goes_on(self, parents):
        """Every row stands by itself: what passes it is known from its own lane."""
        rows = drawn(parents, run=1000)
        for index, row in enumerate(rows):
            for lane in range(row.lane):
                above = next(each for each in reversed(rows[:index]) if each.lane == lane)
                below = next(each for each in rows[index:] if each.lane == lane)
                assert above.goes_on
                assert below.edge == "along"

    @patient
    @given(forests())
    def test_says_where_a_lane_goes_on(self, parents):
        rows = drawn(parents, run=1000)
        for row in rows:
            assert row.goes_on == (row.id in parents.values())

    def test_keeps_the_lane_for_the_heaviest_child(self):
        rows = drawn({"root": None, "heavy": "root", "light": "root", "below": "heavy"})
        assert [(row.id, row.lane) for row in rows] == [("root", 0), ("light", 1), ("heavy", 0), ("below", 0)]

    def test_sorts_siblings_as_asked(self):
        parents = {"root": None, "a": "root", "b": "root", "heavy": "root", "below": "heavy"}
        ages = {"a": 2, "b": 1, "heavy": 3, "below": 4, "root": 5}
        assert [row.id for row in drawn(parents, key=ages.get)] == ["root", "b", "a", "heavy", "below"]

    def test_of_a_chain_of_ten_thousand_is_one_lane(self):
        rows = drawn({id: id - 1 if id else None for id in range(10_000)})
        assert [(row.id, row.lane, row.level) for row in rows] == [(id, 0, id) for id in range(10_000)]

    def test_of_ten_thousand_children_is_two_lanes(self):
        rows = drawn({id: 0 if id else None for id in range(10_001)}, run=20_000)
        assert len(rows) == 10_001
        assert {row.lane for row in rows} == {0, 1}

    def test_of_ten_thousand_at_random_takes_few_lanes(self):
        dice = random.Random(6)
        rows = drawn({id: dice.randrange(id) if id else None for id in range(10_000)}, run=20_000)
        assert len(rows) == 10_000
        assert max(row.lane for row in rows) <= math.log2(10_000)

    def test_ends_where_parents_are_a_cycle(self):
        assert sorted(row.id for row in drawn({1: 3, 2: 1, 3: 2, 4: None})) == [1, 2, 3, 4]

    def test_takes_a_session_whose_parent_is_not_there_for_a_root(self):
        assert [row.edge for row in drawn({1: None, 2: 7})] == ["root", "root"]


class Folding:
    @patient
    @given(forests(), st.data())
    def test_leaves_out_what_it_counts(self, parents, data):
        folded = data.draw(st.sets(st.sampled_from(sorted(parents))))
        rows = drawn(parents, folded=folded, run=2)
        assert sum(row.hidden if row.run else 1 + row.hidden for row in rows) == len(parents)
        shown = {row.id for row in rows if not row.run}
        assert not [row for row in rows if not row.run and parents[row.id] is not None and parents[row.id] not in shown]

    @patient
    @given(forests(), st.data())
    def test_keeps_what_is_asked_for(self, parents, data):
        kept = data.draw(st.sets(st.sampled_from(sorted(parents))))
        assert kept <= {row.id for row in drawn(parents, kept=kept, run=1) if not row.run}

    def test_makes_one_row_of_a_run_of_forks(self):
        parents = {"root": None, "heavy": "root", "below": "heavy", **dict.fromkeys(range(128), "root")}
        rows = drawn(parents)
        assert [(row.id, row.hidden, row.lane) for row in rows] == [
            ("root", 0, 0), ("root", 128, 1), ("heavy", 0, 0), ("below", 0, 0),
        ]  # fmt: skip
        assert set(rows[1].run) == set(range(128))

    def test_ends_where_it_is_opened(self):
        parents = {"root": None, **dict.fromkeys(range(128), "root")}
        assert len(drawn(parents, opened={"root"})) == 129


def simply_drawn(parents, folded, kept, opened, run):
    """The same rows by the words of the docstrings, for trees that are not deep."""
    children = {id: [each for each in parents if parents[each] == id] for id in parents}
    weight = {}

    def weigh(id):
        weight[id] = 1 + sum(weigh(each) for each in children[id])
        return weight[id]

    def draw(id, lane, level, edge):
        if not children[id] or id in folded:
            return [tree.Row(id, lane, level, edge, False, weight[id] - 1)]
        heavy = max(children[id], key=weight.get)
        others = sorted((each for each in children[id] if each != heavy), key=weight.get)
        leaves = tuple(each for each in others if not children[each] and each not in kept)
        found = [tree.Row(id, lane, level, edge, True)]
        if id in opened or len(others) <= run or len(leaves) <= run:
            leaves = ()
        for each in others:
            found += draw(each, lane + 1, level + 1, "off") if each not in leaves else []
        if leaves:
            found.append(tree.Row(id, lane + 1, level + 1, "off", False, len(leaves), leaves))
        return found + draw(heavy, lane, level + 1, "along")

    roots = [id for id in parents if parents[id] is None]
    assert sum(map(weigh, roots)) == len(parents)
    return [row for root in roots for row in draw(root, 0, 0, "root")]


class Numbers:
    """What the lists of numbers come to is what the words say."""

    @patient
    @given(forests(), st.data())
    def test_draw_the_rows_that_the_words_describe(self, parents, data):
        some = st.sets(st.sampled_from(sorted(parents)))
        folded, kept, opened = data.draw(some), data.draw(some), data.draw(some)
        rows = drawn(parents, folded=folded, kept=kept, opened=opened, run=2)
        expected = simply_drawn(parents, folded, kept, opened, 2)
        assert list(rows) == expected
        assert (len(rows), rows[1:4], rows[-1]) == (len(expected), expected[1:4], expected[-1])
        assert rows.hidden == sum(row.hidden for row in expected)
        places = {row.id: place for place, row in enumerate(expected) if not row.run}
        assert {id: rows.place_of(id) for id in parents} == {id: places.get(id) for id in parents}

    @patient
    @given(forests(), st.data())
    def test_of_the_first_sessions_are_those_of_a_tree_of_them(self, parents, data):
        count = data.draw(st.integers(0, len(parents)))
        found = tree.beginning_of(tree.tree_of(parents), count)
        first = dict(list(parents.items())[:count])
        alone = tree.tree_of(first)
        assert {id for id in parents if id in found} == first.keys()
        assert (found.parents, found.children, found.weights) == (alone.parents, alone.children, alone.weights)
        found.stand_as(alone.roots)
        assert list(tree.rows(found)) == list(tree.rows(alone))

    @patient
    @given(forests(), st.data())
    def test_of_a_tree_that_grew_are_those_of_the_whole(self, parents, data):
        """Also where what it grew from had been taken from a larger one."""
        whole = tree.tree_of(parents)
        found = tree.tree_of({})
        names = list(parents)
        while len(found.ids) < len(parents):
            count = data.draw(st.integers(len(found.ids) + 1, len(parents)))
            found = tree.grown(found, {id: parents[id] for id in names[len(found.ids) : count]})
            if data.draw(st.booleans()) and len(found.ids) > 1:
                found = tree.beginning_of(found, len(found.ids) - 1)
        expected = tree.tree_of({id: found.parents[id] for id in names})
        assert found.numbers == whole.numbers
        assert (found.parents, found.weights) == (expected.parents, expected.weights)
        found.stand_as(expected.roots)
        assert list(tree.rows(found)) == list(tree.rows(expected))


def test_all_above_are_those_that_a_session_descends_from():
    found = tree.tree_of({1: None, 2: 1, 3: 2, 4: 1})
    assert tree.with_all_above(found, [3]) == {1, 2, 3}
    assert tree.ancestors(found, 3) == [3, 2, 1]
