"""The page that compares two sessions."""

import random
import re

import pytest

from sessions_app.actors import Role
from sessions_app.models import Session
from sessions_app.web.compare import shared_by
from sessions_app.web.compare_words import differing
from tests.builders import a_message, a_session
from tests.web import reading
from tests.web.test_controls import somebody


def two_forks(store):
    root = a_session(store, "plan", "yes")
    left, right = store.fork_at(root.id, 2), store.fork_at(root.id, 2)
    store.append(left.id, [a_message("put it in the store please"), a_message("done so", "assistant")])
    store.append(right.id, [a_message("put it in the loop please")])
    return root, left, right


def page(visitor, one, two, query="") -> str:
    answer = visitor.get(f"/compare/{one.id}/{two.id}/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


class TheComparison:
    def test_begins_at_the_last_common_message(self, the_store, visitor):
        _, left, right = two_forks(the_store)
        text = page(visitor, left, right)
        assert "Since their last common message, #1" in text
        assert "<b>2 messages</b> shared by both, #0 to #1" in text
        assert f'href="/sessions/{left.id}/m/2/">#2' in text
        assert f'href="/sessions/{right.id}/m/2/">#2' in text

    def test_marks_the_words_that_differ(self, the_store, visitor):
        _, left, right = two_forks(the_store)
        assert re.findall("<mark>(.*?)</mark>", page(visitor, left, right)) == ["store", "loop"]

    def test_says_what_each_came_to(self, the_store, visitor):
        root = a_session(the_store, "plan", "yes")
        left, right = the_store.fork_at(root.id, 2), the_store.fork_at(root.id, 2)
        call = {"type": "tool_use", "id": "1", "name": "Edit", "input": {"file_path": "a.py"}}
        failed = {"type": "tool_result", "tool_use_id": "1", "content": "no", "is_error": True}
        the_store.append(left.id, [{"role": "assistant", "content": [call]}, {"role": "user", "content": [failed]}])
        the_store.append(right.id, [a_message("again")])
        rows = re.findall(r"<tr data-side.*?</tr>", page(visitor, left, right), re.S)
        figures = [[re.sub("<[^>]+>|lower: ", "", cell).strip() for cell in re.findall("<td.*?</td>", row, re.S)][:7] for row in rows]  # fmt: skip
        assert figures[0] == ["0", "2", "not recorded", "1", "1", "1", "not recorded"]
        assert figures[1] == ["1", "1", "not recorded", "0", "0", "0", "not recorded"]

    def test_of_a_session_with_its_parent_says_who_ended(self, the_store, visitor):
        root, left, _ = two_forks(the_store)
        assert "A has no such turn" in page(visitor, root, left)
        assert "They do not differ" in page(visitor, root, root)

    def test_is_shown_in_windows(self, the_store, visitor):
        _, left, right = two_forks(the_store)
        for index in range(20):
            the_store.append(left.id, [a_message(f"turn {index}")])
        assert page(visitor, left, right).count('class="compare-turn"') == 8
        assert "turns 18 to 22; 21 differ" in page(visitor, left, right, "?turn=16")

    def test_shows_markup_as_text(self, the_store, visitor):
        _, left, right = two_forks(the_store)
        the_store.append(right.id, [a_message("<script>alert(1)</script>")])
        text = page(visitor, left, right)
        assert "<script>alert" not in text
        assert "alert(1)&lt;/script&gt;" in text

    def test_keeps_one_and_archives_the_other_until_undone(self, the_store, visitor):
        _, left, right = two_forks(the_store)
        path = f"/compare/{left.id}/{right.id}/keep/"
        answer = visitor.post(path, follow=True).content.decode()
        archived = lambda: set(Session.objects.archived().values_list("pk", flat=True))  # noqa: E731
        assert archived() == {right.id}
        assert f'action="{path}"' in answer.partition('id="toasts"')[2]
        visitor.post(path, {"undo": "1"})
        assert archived() == set()

    def test_offers_a_viewer_nothing_that_would_be_refused(self, the_store, visitor):
        _, left, right = two_forks(the_store)
        shown = somebody(Role.VIEWER).get(f"/compare/{left.id}/{right.id}/")
        assert shown.status_code == 200
        assert "Keep this one</button>" not in shown.content.decode()
        assert page(visitor, left, right).count("Keep this one</button>") == 2

    def test_is_linked_from_the_lineage_and_the_reader(self, the_store, visitor):
        root, left, _ = two_forks(the_store)
        link = f'href="/compare/{root.id}/{left.id}/"'
        assert link in visitor.get(f"/sessions/{root.id}/lineage/").content.decode()
        assert link in visitor.get(f"/sessions/{root.id}/").content.decode()


def test_the_common_prefix_is_that_of_the_messages(the_store):
    """Against brute force, with forks of forks, cut parents and histories written anew."""
    dice = random.Random(7)
    fresh = lambda: [a_message(f"m{dice.randrange(4)}") for _ in range(dice.randrange(1, 5))]  # noqa: E731
    ids = [the_store.create("demo", fresh()).id]
    for _ in range(40):
        id = dice.choice(ids)
        messages = the_store.get(id).messages
        cut = dice.randrange(len(messages) + 1)
        if dice.random() < 0.6:
            ids.append(the_store.fork_at(id, cut).id)
        else:
            the_store.update(id, messages[:cut] + fresh(), 1)
    for _ in range(150):
        one, two = dice.choice(ids), dice.choice(ids)
        a, b = the_store.get(one).messages, the_store.get(two).messages
        expected = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
        assert shared_by(Session.objects.get(pk=one), Session.objects.get(pk=two)) == expected


@pytest.mark.parametrize(
    ("left", "right", "marked"),
    [("a b c d", "a x c d", (["b"], ["x"])), ("same", "same", ([], [])), ("one two", "quite other", ([], []))],
)
def test_words_that_differ_are_marked_and_no_text_is_lost(left, right, marked):
    runs = differing(left, right)
    assert tuple("".join(text for text, _ in each) for each in runs) == (left, right)
    assert tuple([text for text, differs in each if differs] for each in runs) == marked


class WhatIsSaid:
    def test_is_told_by_who_said_it_without_colours(self, visitor, the_store):
        call = {"id": "c", "name": "Bash", "args": {"command": "pytest -q"}}
        told = [
            {"role": "user", "content": "begin"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "\x1b[31m7 failed\x1b[0m, 34 passed"},
        ]
        one = the_store.create("demo", told)
        other = the_store.fork_at(one.id, 1)

        cells = [cell.text for cell in reading.page(visitor.get(f"/compare/{one.id}/{other.id}/")).all("article")]

        assert cells == ["AAgent #1Shell pytest -q", "ATool #27 failed, 34 passed"]


class KeepingASession:
    def test_against_itself_is_refused(self, visitor, the_store):
        session = a_session(the_store, "one")
        assert visitor.post(f"/compare/{session.id}/{session.id}/keep/").status_code == 400
        assert Session.objects.get(pk=session.id).archived_at is None
