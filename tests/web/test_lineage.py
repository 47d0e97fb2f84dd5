"""The page of a lineage."""

import random
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from sessions_app import tree
from sessions_app.models import Session
from tests.builders import a_message, a_session


def nodes(answer) -> list[str]:
    return re.findall(r'data-node="([^"]+)"', answer.content.decode())


def page(visitor, session, query="") -> str:
    answer = visitor.get(f"/sessions/{session.id}/lineage/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


class TheLineage:
    def test_shows_root_forks_and_where_they_left(self, the_store, visitor):
        root = a_session(the_store, "root", "two", "three")
        fork = the_store.fork_at(root.id, 2)
        deep = the_store.fork_at(fork.id, 1)
        text = page(visitor, fork)
        assert re.findall(r'data-node="([^"]+)"', text) == [str(each.id) for each in (root, fork, deep)]
        assert f'href="/sessions/{root.id}/m/1/">from #2' in text
        assert f'data-node="{fork.id}" data-parent="{root.id}" aria-current="true"' in text

    def test_shows_a_trashed_parent_in_its_place(self, the_store, visitor):
        root = a_session(the_store, "one", "two")
        middle = the_store.fork_at(root.id, 2)
        leaf = the_store.fork_at(middle.id, 2)
        the_store.delete(middle.id)
        text = page(visitor, leaf)
        assert f'data-node="{middle.id}" data-parent="{root.id}" data-state="ghost"' in text
        assert f'data-node="{leaf.id}" data-parent="{middle.id}"' in text

    def test_folds_many_forks_into_one_row_and_opens_it(self, the_store, visitor):
        root = a_session(the_store, "one", "two")
        for _ in range(30):
            the_store.fork_at(root.id, 1)
        text = page(visitor, root)
        assert "+29 forks" in text
        opened = page(visitor, root, f"?open={root.id}")
        assert len(re.findall("data-node=", opened)) == 31

    def test_folds_a_subtree_on_demand(self, the_store, visitor):
        root = a_session(the_store, "one", "two")
        the_store.fork_at(root.id, 1)
        text = page(visitor, root, f"?fold={root.id}")
        assert len(re.findall("data-node=", text)) == 1
        assert "1 folded" in text

    def test_marks_where_a_word_occurs(self, the_store, visitor):
        root = a_session(the_store, "one", "two")
        fork, other = the_store.fork_at(root.id, 2), the_store.fork_at(root.id, 2)
        the_store.append(fork.id, [a_message("quince")])
        text = page(visitor, other, "?q=quince")
        assert re.search(rf'data-node="{fork.id}"[^>]*data-state="found"', text)
        assert text.count('data-state="found"') == 1

    def test_shows_the_tree_as_it_was(self, the_store, visitor, clock):
        clock(timedelta(days=3))
        root = a_session(the_store, "one", "two")
        clock(timedelta(0))
        fork = the_store.fork_at(root.id, 1)
        then = (timezone.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
        text = page(visitor, root, f"?at={then}")
        assert f'data-node="{root.id}"' in text
        assert str(fork.id) not in text

    def test_is_shown_in_windows(self, the_store, visitor):
        root = a_session(the_store, "one", "two")
        for _ in range(120):
            the_store.fork_at(root.id, 1)
        answer = visitor.get(f"/sessions/{root.id}/lineage/?open={root.id}&from=100")
        assert len(nodes(answer)) == 21
        assert len(answer.content) < 60_000
        assert "101 to 121 of 121 rows" in answer.content.decode()

    def test_counts_what_is_shared_once(self, the_store, visitor):
        root = a_session(the_store, *[f"message {index}" for index in range(100)])
        fork = the_store.fork_at(root.id, 100)
        the_store.append(fork.id, [a_message(f"own {index}") for index in range(50)])
        assert "<b>150 messages</b>, shared ones counted once" in page(visitor, fork)
        assert '<span aria-hidden="true">50 / 100</span>' in page(visitor, fork)

    def test_is_there_as_text(self, the_store, visitor):
        root = a_session(the_store, "plan", "two")
        the_store.rename(the_store.fork_at(root.id, 1).id, "branch \x1b[31m")
        lines = page(visitor, root, "?as=text").splitlines()
        assert lines[0].startswith("plan  [")
        assert lines[0].endswith("<-- this one")
        assert re.fullmatch(r"  branch .*\[\w{8}, fork from #1, 1 message\]", lines[1])

    @pytest.mark.parametrize("query", ["?fold=x", "?at=never", "?sort=odd"])
    def test_refuses_what_no_page_wrote(self, the_store, visitor, query):
        assert visitor.get(f"/sessions/{a_session(the_store, 'one').id}/lineage/{query}").status_code == 400


def test_the_ledger_counts_as_brute_force_does(the_store):
    """Messages are told apart by a number each; forks share, diverge, and parents are cut."""
    dice, number = random.Random(6), iter(range(10_000))
    fresh = lambda: [a_message(f"m{next(number)}") for _ in range(dice.randrange(1, 6))]  # noqa: E731
    ids = [the_store.create("demo", fresh()).id]
    root = ids[0]
    for _ in range(60):
        id = dice.choice(ids)
        messages = the_store.get(id).messages
        cut = dice.randrange(len(messages) + 1)
        if dice.random() < 0.5:
            ids.append(the_store.fork_at(id, cut).id)
        else:
            the_store.update(id, messages[:cut] + fresh(), 1)
    distinct = {message["content"] for id in ids for message in the_store.get(id).messages}
    assert tree.union_length(Session.objects.live().under(root.hex).shown_ranges()) == len(distinct)


class TheCommand:
    def test_prints_the_tree(self, the_store):
        root = a_session(the_store, "plan", "two")
        fork = the_store.fork_at(root.id, 1)
        out = StringIO()
        call_command("lineage", str(fork.id)[:8], stdout=out)
        assert [line[:6] for line in out.getvalue().splitlines()] == ["plan  ", "  plan"]

    def test_says_when_there_is_none(self, the_store):
        with pytest.raises(CommandError, match="No session"):
            call_command("lineage", "zz")
