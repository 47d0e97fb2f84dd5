"""The page that compares two sessions."""

import random
import re

import pytest

from sessions_app.actors import Role
from sessions_app.models import Session
from sessions_app.web.compare_beginning import shared_by
from sessions_app.web.compare_figures import figures_of, shortened
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
        (undo,) = re.findall(f'action="({path}[^"]*)"', answer.partition('id="toasts"')[2])
        visitor.post(undo, {"undo": "1"})
        assert archived() == set()

    def test_takes_back_only_what_it_archived(self, the_store, visitor):
        _, left, right = two_forks(the_store)
        the_store.archive(right.id)
        path = f"/compare/{left.id}/{right.id}/keep/"
        answer = visitor.post(path, follow=True).content.decode()
        (undo,) = re.findall(f'action="({path}[^"]*)"', answer.partition('id="toasts"')[2])
        visitor.post(undo, {"undo": "1"})
        assert Session.objects.get(pk=right.id).archived_at is not None
        assert visitor.post(path, {"undo": "1"}).status_code == 400
        assert visitor.post(f"{path}?entry=99999", {"undo": "1"}).status_code == 404

    def test_unfolds_what_they_share_in_its_place(self, the_store, visitor):
        root = a_session(the_store, *(f"message {number}" for number in range(50)))
        left, right = the_store.fork_at(root.id, 45), the_store.fork_at(root.id, 45)
        path = f"/compare/{left.id}/{right.id}/"
        (link,) = reading.page(visitor.get(path)).one("section", id="shared").all("a")
        assert link["aria-expanded"] == "false"
        shown = reading.page(visitor.get(link["href"].partition("#")[0])).one("section", id="shared")
        assert [cell.text for cell in shown.all("article")] == [
            f"{('You', 'Agent')[number % 2]} #{number}message {number}" for number in range(15, 45)
        ]
        earlier = next(each for each in shown.all("a") if "Messages before" in each.text)
        assert earlier["href"] == f"{path}?shared=0#shared"
        assert "Messages after #29" in visitor.get(f"{path}?shared=0").content.decode()
        assert visitor.get(f"{path}?shared=9999").status_code == 200

    def test_offers_a_viewer_nothing_that_would_be_refused(self, the_store, visitor):
        _, left, right = two_forks(the_store)
        shown = somebody(Role.VIEWER).get(f"/compare/{left.id}/{right.id}/")
        assert shown.status_code == 200
        assert "Keep this one</button>" not in shown.content.decode()
        assert page(visitor, left, right).count("Keep this one</button>") == 2

    def test_is_reached_from_the_lineage_and_the_reader(self, the_store, visitor):
        root, left, _ = two_forks(the_store)
        assert f'href="/compare/{root.id}/{left.id}/"' in visitor.get(f"/sessions/{root.id}/").content.decode()
        shown = reading.page(visitor.get(f"/sessions/{root.id}/lineage/"))
        assert {str(root.id), str(left.id)} <= {box["value"] for box in shown.all("input", form="choice")}
        assert shown.one("form", id="choice")["action"] == "/compare/"


def test_copies_that_an_agent_made_of_a_session_have_in_common_what_they_say(the_store, visitor):
    def line(number, name, text=None):
        role = ("user", "assistant")[number % 2]
        said = {"role": role, "content": [{"type": "text", "text": text or f"step {number}"}]}
        return {"type": role, "uuid": f"{name}{number}", "sessionId": name, "message": said}

    one = the_store.create("demo", [line(number, "a") for number in range(250)])
    other = the_store.create("demo", [line(number, "b") for number in range(230)])
    assert "Since their last common message, #229" in page(visitor, one, other)
    the_store.append(other.id, [line(230, "b"), line(231, "b", "another way")])
    shown = page(visitor, one, other)
    assert "Since their last common message, #230" in shown
    assert f'href="/sessions/{other.id}/m/231/">#231' in shown


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
    ("times", "words"),
    [(["10:00", "10:40"], "40 min"), (["10:40", "10:00"], "40 min"), (["10:00", "12:05", "11:00"], "2 h 5 min")],
)
def test_the_duration_is_never_negative_whatever_the_clock_did(the_store, times, words):
    said = [a_message(time) | {"timestamp": f"2026-03-01T{time}:00Z"} for time in times]
    session = Session.objects.get(pk=the_store.create("shop", said).id)
    assert figures_of(session, 0, 1).minutes == words


@pytest.mark.parametrize(
    ("left", "right", "marked"),
    [("a b c d", "a x c d", (["b"], ["x"])), ("same", "same", ([], [])), ("one two", "quite other", ([], []))],
)
def test_words_that_differ_are_marked_and_no_text_is_lost(left, right, marked):
    runs = differing(left, right)
    assert tuple("".join(text for text, _ in each) for each in runs) == (left, right)
    assert tuple([text for text, differs in each if differs] for each in runs) == marked


class FourSiblings:
    @pytest.fixture
    def siblings(self, the_store):
        root = a_session(the_store, "plan", "yes")
        found = [the_store.fork_at(root.id, 2) for _ in range(4)]
        for number, fork in enumerate(found):
            the_store.append(fork.id, [a_message(f"put it in place number {number} please")] * (4 - number))
        return found

    def path(self, siblings):
        return "/compare/" + "".join(f"{each.id}/" for each in siblings)

    def test_stand_side_by_side_by_turns(self, the_store, visitor, siblings):
        shown = visitor.get(self.path(siblings)).content.decode()
        assert "Compare 4 sessions" in shown
        assert "<b>2 messages</b> shared by all" in shown
        assert re.findall("<mark>(.*?)</mark>", shown)[:3] == ["1", "2", "3"]
        assert "C and D have no such turn." in shown
        assert shown.count('class="compare-row" data-sides="4"') == 5  # four turns, and tools and files

    def test_tick_the_lowest_figure_of_all(self, visitor, siblings):
        row = re.findall(r"<tr data-side.*?</tr>", visitor.get(self.path(siblings)).content.decode(), re.S)
        assert ["lower: " in each for each in row] == [False, False, False, True]

    def test_are_kept_one_against_the_others_in_one_step(self, the_store, visitor, siblings):
        second = [siblings[1], siblings[0], *siblings[2:]]
        answer = visitor.post(f"{self.path(second)}keep/", follow=True).content.decode()
        archived = lambda: set(Session.objects.archived().values_list("pk", flat=True))  # noqa: E731
        assert archived() == {siblings[0].id, siblings[2].id, siblings[3].id}
        assert "Archived 3 sessions" in answer
        (undo,) = re.findall('action="([^"]*entry=[^"]*)"', answer)
        visitor.post(undo, {"undo": "1"})
        assert archived() == set()

    def test_are_added_and_left_out(self, visitor, siblings):
        two = visitor.get(self.path(siblings[:2])).content.decode()
        assert f'href="{self.path(siblings[:3])}"' in two
        three = visitor.get(self.path(siblings[:3])).content.decode()
        assert f'href="{self.path(siblings[1:3])}" aria-label="Leave out A"' in three
        assert "Add another" not in visitor.get(self.path(siblings)).content.decode()

    def test_of_which_one_is_out_of_sight_are_not_found(self, the_store, visitor, siblings):
        hidden = a_session(the_store, "plan", project="hidden")
        assert somebody(Role.VIEWER).get(self.path([*siblings[:2], hidden])).status_code == 404
        assert visitor.get(self.path([*siblings[:2], hidden])).status_code == 200

    def test_are_shown_one_at_a_time_on_a_phone(self, visitor, siblings):
        shown = visitor.get(f"{self.path(siblings)}?side=C").content.decode()
        assert 'data-only="C"' in shown
        assert len(re.findall('class="compare-cell" data-side="[ABD]" data-shown', shown)) == 0
        assert 'class="compare-cell" data-side="C" data-shown' in shown
        assert "data-only" not in visitor.get(f"{self.path(siblings)}?side=X").content.decode()


class ToolsAndFiles:
    def test_are_named_and_counted_and_paths_begin_at_the_project(self, the_store, visitor):
        def call(name, **arguments):
            return {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "name": name, "args": arguments}]}

        root = a_session(the_store, "plan", project="/code/shop")
        left, right = the_store.fork_at(root.id, 1), the_store.fork_at(root.id, 1)
        patch = "*** Begin Patch\n*** Update File: src/cart.py\n*** Add File: new.py\n*** End Patch"
        the_store.append(left.id, [call("Edit", file_path="/code/shop/src/cart.py"), call("Edit", path="/etc/hosts")])
        the_store.append(right.id, [call("apply_patch", input=patch), call("Bash", command="ls")])

        shown = reading.page(visitor.get(f"/compare/{left.id}/{right.id}/"))
        lists = [
            [item.text for item in section.all("li")]
            for section in shown.one("details", class_="compare-touched").all("section")
        ]

        assert lists == [
            ["Edit 2", "/etc/hosts", "src/cart.py others too"],
            ["apply_patch 1", "Bash 1", "new.py", "src/cart.py others too"],
        ]


@pytest.mark.parametrize(
    ("path", "base", "shown"),
    [
        ("/code/shop/a.py", "/code/shop", "a.py"),
        ("/code/shopping/a.py", "/code/shop", "/code/shopping/a.py"),
        ("./a.py", "demo", "a.py"),
        ("C:\\code\\shop\\a.py", "C:\\code\\shop", "a.py"),
        ("./", "", "./"),
    ],
)
def test_paths_begin_at_the_project(path, base, shown):
    assert shortened(path, base) == shown


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
