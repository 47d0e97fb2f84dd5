"""The page of a lineage."""

import random
import re
from datetime import timedelta
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from sessions_app import tree
from sessions_app.models import Session
from sessions_app.records import ImportBatch, ImportState, Origin, ParentLink
from tests import trees
from tests.builders import a_message, a_session
from tests.web import reading

ROW = r'<tr id="r([^"]+)"'  # with the first digits of a session's id


def nodes(answer) -> list[str]:
    return re.findall(ROW, answer.content.decode())


def short(*sessions) -> list[str]:
    """As a page marks the rows of sessions."""
    return [each.id.hex[:10] for each in sessions]


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
        assert re.findall(ROW, text) == short(root, fork, deep)
        assert f'href="/sessions/{root.id}/m/1/">from #2' in text
        assert f'id="r{short(fork)[0]}" data-parent="r{short(root)[0]}" aria-current="true"' in text

    def test_shows_a_trashed_parent_in_its_place(self, the_store, visitor):
        root = a_session(the_store, "one", "two")
        middle = the_store.fork_at(root.id, 2)
        leaf = the_store.fork_at(middle.id, 2)
        the_store.delete(middle.id)
        text = page(visitor, leaf)
        ids = short(root, middle, leaf)
        assert f'id="r{ids[1]}" data-parent="r{ids[0]}" data-state="ghost"' in text
        assert f'id="r{ids[2]}" data-parent="r{ids[1]}"' in text
        assert f'action="/sessions/{middle.id}/restore/"' in text

    def test_folds_many_forks_into_one_row_and_opens_it(self, the_store, visitor):
        root = a_session(the_store, "one", "two")
        for _ in range(20):
            the_store.fork_at(root.id, 1)
        text = page(visitor, root)
        assert "+19 forks" in text
        opened = page(visitor, root, f"?open={root.id}")
        assert len(re.findall(ROW, opened)) == 21

    def test_folds_a_subtree_on_demand(self, the_store, visitor):
        root = a_session(the_store, "one", "two")
        the_store.fork_at(root.id, 1)
        text = page(visitor, root, f"?fold={root.id}")
        assert len(re.findall(ROW, text)) == 1
        assert "1 folded" in text
        assert len(re.findall(ROW, page(visitor, root, re.search(r'id="f\w+" href="([^"]+)"', text)[1]))) == 2

    def test_marks_where_a_word_occurs(self, the_store, visitor):
        root = a_session(the_store, "one", "two")
        fork, other = the_store.fork_at(root.id, 2), the_store.fork_at(root.id, 2)
        the_store.append(fork.id, [a_message("quince")])
        text = page(visitor, other, "?q=quince")
        assert re.search(rf'id="r{short(fork)[0]}"[^>]*data-state="found"', text)
        assert text.count('data-state="found"') == 1

    def test_shows_the_tree_as_it_was(self, the_store, visitor, clock):
        clock(timedelta(days=3))
        root = a_session(the_store, "one", "two")
        clock(timedelta(0))
        fork = the_store.fork_at(root.id, 1)
        then = (timezone.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
        text = page(visitor, root, f"?at={then}")
        assert re.findall(ROW, text) == short(root)
        assert fork.id.hex[:10] not in text

    def test_is_shown_in_windows(self, the_store, visitor):
        root = a_session(the_store, "one", "two")
        for _ in range(120):
            the_store.fork_at(root.id, 1)
        answer = visitor.get(f"/sessions/{root.id}/lineage/?open={root.id}&from=60")
        assert len(nodes(answer)) == 30
        assert len(answer.content) < 60_000
        assert "61 to 90 of 121 rows" in answer.content.decode()

    def test_counts_what_is_shared_once(self, the_store, visitor):
        root = a_session(the_store, *[f"message {index}" for index in range(100)])
        fork = the_store.fork_at(root.id, 100)
        the_store.append(fork.id, [a_message(f"own {index}") for index in range(50)])
        assert "<b>150 messages</b>, shared ones counted once" in page(visitor, fork)
        assert ">50 / 100<" in page(visitor, fork)

    def test_is_there_as_text(self, the_store, visitor):
        root = a_session(the_store, "plan", "two")
        the_store.rename(the_store.fork_at(root.id, 1).id, "branch \x1b[31m")
        lines = page(visitor, root, "?as=text").splitlines()
        assert lines[0].startswith("plan  [")
        assert lines[0].endswith("<-- this one")
        assert re.fullmatch(
            r"  branch .*\[\w{8}, fork from #1, 1 message, 1 of them shared, 0 turns, 0 B of its own, running\]",
            lines[1],
        )

    def test_shows_what_an_agent_only_guessed_as_inferred(self, the_store, visitor):
        root, fork = an_import(the_store, "a"), an_import(the_store, "b")
        the_store.link_parent(the_origin("b"), ParentLink(the_origin("a"), "continuation", 1, inferred=True))
        text = page(visitor, root)
        assert re.findall(ROW, text) == short(root, fork)
        assert "continuation?" in text
        assert 'data-edge="inferred"' in text
        assert "continuation from #1 (inferred), 1 message, 1 of them shared" in page(visitor, root, "?as=text")

    def test_shows_a_ghost_for_a_parent_that_never_arrived(self, the_store, visitor):
        child = an_import(the_store, "b")
        the_store.link_parent(the_origin("b"), ParentLink(the_origin("gone"), "fork", 1))
        text = page(visitor, child)
        assert "codex gone" in text
        assert "which is not in the store" in text
        lines = page(visitor, child, "?as=text").splitlines()
        assert lines[0] == "(codex gone, which is not in the store)"
        assert lines[1].startswith("  hello  [")

    def test_shows_only_where_a_word_occurs_and_what_leads_there(self, the_store, visitor):
        root = a_session(the_store, "one", "two")
        forks = [the_store.fork_at(root.id, 2) for _ in range(3)]
        deep = the_store.fork_at(forks[1].id, 2)
        the_store.append(deep.id, [a_message("quince")])
        answer = visitor.get(f"/sessions/{root.id}/lineage/?q=quince&only=found")
        assert nodes(answer) == short(root, forks[1], deep)

    def test_understands_the_words_of_queries(self, the_store, visitor):
        root = a_session(the_store, "one", "quince")
        fork = the_store.fork_at(root.id, 1)
        the_store.append(fork.id, [a_message("quince")])
        assert page(visitor, root, "?q=quince+role:user").count('data-state="found"') == 1
        assert 'id="lineage-problem"' in page(visitor, root, "?q=quince+role:usr")

    def test_makes_one_row_of_opened_forks_again(self, the_store, visitor):
        root = a_session(the_store, "one", "two")
        for _ in range(20):
            the_store.fork_at(root.id, 1)
        text = page(visitor, root, f"?open={short(root)[0]}")
        assert len(re.findall(ROW, page(visitor, root, re.search(r'id="o\w+" href="([^"]+)"', text)[1]))) == 2
        assert len(re.findall(ROW, page(visitor, root, "?runs=all"))) == 21

    def test_goes_to_a_step_of_the_slider(self, the_store, visitor, clock):
        clock(timedelta(days=10))
        root = a_session(the_store, "one", "two")
        clock(timedelta(days=2))
        fork = the_store.fork_at(root.id, 1)
        answer = visitor.get(f"/sessions/{root.id}/lineage/?step=100&sort=newest")
        assert re.search(r"\?sort=newest&at=20\d\d-", answer["Location"])
        assert nodes(visitor.get(answer["Location"])) == short(root)
        now = visitor.get(f"/sessions/{root.id}/lineage/?step=200&at=2026-01-01")
        assert now["Location"].endswith("/lineage/")
        assert nodes(visitor.get(now["Location"])) == short(root, fork)

    def test_draws_what_came_later_faintly_over_time(self, the_store, visitor, clock):
        clock(timedelta(days=3))
        root = a_session(the_store, "one", "two")
        clock(timedelta(0))
        the_store.fork_at(root.id, 1)
        then = (timezone.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
        strip = reading.page(visitor.get(f"/sessions/{root.id}/lineage/?at={then}")).one("section", class_="strip")
        assert [bar.attributes.get("data-state") for bar in strip.all("rect")] == [None, "later"]

    def test_leads_to_the_windows_of_parents_and_children(self, the_store, visitor):
        root = a_session(the_store, "one", "two")
        for _ in range(90):
            the_store.fork_at(root.id, 1)
        first = page(visitor, root, "?runs=all")
        assert "data-up" not in first
        ups = re.findall(r'data-up="([^"]+)"', page(visitor, root, "?runs=all&from=60"))
        assert len(ups) == 30
        assert {*ups} == {f"0#r{short(root)[0]}"}

    def test_takes_no_more_than_60_kilobytes_a_window(self, the_store, visitor):
        """With titles of ordinary length, in the most lanes that so many sessions take."""
        root = a_session(the_store, "Mend the " + "long title of this session " * 2, "two")
        ids = [root.id]
        for number in range(127):  # a binomial tree: each lane opens another
            ids.append(the_store.fork_at(ids[number & (number + 1) - 1 if number & 1 else number // 2], 1).id)
        folds = "&fold=" + ".".join(id.hex[:10] for id in ids[60:66])
        for start in (0, 30, 60):
            answer = visitor.get(f"/sessions/{root.id}/lineage/?runs=all&from={start}{folds}")
            assert len(answer.content) < 60_000

    @pytest.mark.parametrize("query", ["?fold=x", "?at=never", "?sort=odd", "?step=201", "?only=x", "?open=abc"])
    def test_refuses_what_no_page_wrote(self, the_store, visitor, query):
        assert visitor.get(f"/sessions/{a_session(the_store, 'one').id}/lineage/{query}").status_code == 400


@pytest.mark.parametrize("shape", trees.SHAPES)
def test_of_ten_thousand_sessions_is_shown_window_by_window(the_store, either_database, visitor, shape):
    if either_database == "postgresql" and shape != "at random":
        pytest.skip("its shape is laid out without the database, which reads rows of any")
    first, *_, last = trees.a_tree(10_000, shape)
    seen = set()
    for start in (0, 30, 4980, 9990):
        answer = visitor.get(f"/sessions/{first}/lineage/?runs=all&from={start}")
        assert len(answer.content) < 60_000
        seen |= {*nodes(answer)}
    assert len(seen) == 3 * 30 + 10
    assert last.hex[:10] in nodes(visitor.get(f"/sessions/{last}/lineage/"))
    assert len(visitor.get(f"/sessions/{first}/lineage/?as=text&runs=all").content.splitlines()) == 10_000


class TheLineageOfAProject:
    def test_shows_its_trees_the_newest_first(self, the_store, visitor):
        old, new = a_session(the_store, "one", "two"), a_session(the_store, "three", "four")
        forks = [the_store.fork_at(old.id, 1), the_store.fork_at(new.id, 1)]
        a_session(the_store, "elsewhere", project="other")
        answer = visitor.get("/projects/demo/lineage/")
        assert nodes(answer) == short(new, forks[1], old, forks[0])
        assert "4 sessions</b> in <b>2 trees" in answer.content.decode()

    def test_hides_what_has_no_forks_until_it_is_asked_for(self, the_store, visitor):
        alone, root = a_session(the_store, "alone"), a_session(the_store, "one", "two")
        fork = the_store.fork_at(root.id, 1)
        answer = visitor.get("/projects/demo/lineage/")
        assert nodes(answer) == short(root, fork)
        assert (
            '<a data-part href="/projects/demo/lineage/?alone=1">1 without forks</a> hidden' in answer.content.decode()
        )
        assert nodes(visitor.get("/projects/demo/lineage/?alone=1")) == short(root, fork, alone)

    def test_says_so_where_nothing_was_forked(self, the_store, visitor):
        a_session(the_store, "alone")
        assert "Nothing was forked here" in visitor.get("/projects/demo/lineage/").content.decode()

    def test_shows_where_a_fork_of_another_projects_session_came_from(self, the_store, visitor):
        root = a_session(the_store, "one", "two", project="other")
        fork = the_store.fork_at(root.id, 1, "demo")
        the_store.fork_at(fork.id, 1)
        assert f'href="/sessions/{root.id}/m/0/">from #1' in visitor.get("/projects/demo/lineage/").content.decode()

    def test_marks_where_a_word_occurs(self, the_store, visitor):
        root = a_session(the_store, "one", "two", project="my project")
        fork = the_store.fork_at(root.id, 1)
        the_store.append(fork.id, [a_message("quince")])
        a_session(the_store, "quince", project="other")
        text = visitor.get("/projects/my%20project/lineage/?q=quince").content.decode()
        assert "is in <b>1</b>" in text
        assert text.count('data-state="found"') == 1

    def test_is_there_as_text(self, the_store, visitor):
        old, new = a_session(the_store, "old", "two"), a_session(the_store, "new", "two")
        for each in (old, new):
            the_store.fork_at(each.id, 1)
        lines = visitor.get("/projects/demo/lineage/?as=text").content.decode().splitlines()
        assert [line.split("  [")[0] for line in lines] == ["new", "  new (fork)", "old", "  old (fork)"]

    @pytest.mark.parametrize("name", ["/code/lineage", "lineage", "~lineage", "/lineage/x", "a/lineage/lineage"])
    def test_leaves_projects_of_that_name_their_pages(self, the_store, visitor, name):
        a_session(the_store, "one", project=name)
        own = visitor.get(reverse("web:project", args=[name])).content.decode()
        assert "<h1>Lineage</h1>" not in own
        assert f'title="{name}"' in own
        lineage = visitor.get(reverse("web:project-lineage", args=[name])).content.decode()
        assert "<h1>Lineage</h1>" in lineage

    def test_lets_old_addresses_of_such_projects_be(self, the_store, visitor):
        a_session(the_store, "one", project="/code/lineage")
        assert 'title="/code/lineage"' in visitor.get("/projects//code/lineage/").content.decode()


class TickedSessions:
    def test_are_led_to_their_comparison(self, the_store, visitor):
        one, two = a_session(the_store, "one"), a_session(the_store, "two")
        answer = visitor.get(f"/compare/?session={one.id}&session={two.id}")
        assert answer["Location"] == f"/compare/{one.id}/{two.id}/"

    @pytest.mark.parametrize("query", ["", "?session=x", f"?session={UUID(int=4)}"])
    def test_are_two_at_least(self, the_store, visitor, query):
        assert visitor.get(f"/compare/{query}").status_code == 400

    def test_are_four_at_most(self, the_store, visitor):
        query = "&".join(f"session={UUID(int=number)}" for number in range(5))
        assert visitor.get(f"/compare/?{query}").status_code == 400


class ManyForks:
    def test_are_made_at_once_and_shown(self, the_store, visitor):
        root = a_session(the_store, "one", "two")
        answer = visitor.post(f"/sessions/{root.id}/forks/", {"position": 1, "count": 20}, follow=True)
        text = answer.content.decode()
        assert "Made 20 forks at #1" in text
        assert "+19 forks" in text

    @pytest.mark.parametrize(
        "form", [{}, {"position": 1, "count": 0}, {"position": 1, "count": 1001}, {"position": 9, "count": 2}]
    )
    def test_are_refused_where_they_make_no_sense(self, the_store, visitor, form):
        root = a_session(the_store, "one", "two")
        assert visitor.post(f"/sessions/{root.id}/forks/", form).status_code == 400
        assert Session.objects.count() == 1


def the_origin(name):
    return Origin("codex", "demo", name)


def an_import(the_store, name):
    batch = ImportBatch("demo", [a_message()], ImportState(path=f"/{name}"))
    return the_store.import_batch(the_origin(name), batch, agent="codex")


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
        assert " (fork)  [" in out.getvalue()

    def test_prints_the_trees_of_a_project(self, the_store):
        root = a_session(the_store, "plan", "two")
        the_store.fork_at(root.id, 1)
        a_session(the_store, "alone")
        out = StringIO()
        call_command("lineage", project="demo", stdout=out)
        lines = out.getvalue().splitlines()
        assert [line.split("  [")[0] for line in lines] == ["plan", "  plan (fork)", "and 1 without forks"]
        with pytest.raises(CommandError, match="no project"):
            call_command("lineage", project="elsewhere")

    def test_says_when_there_is_none(self, the_store):
        with pytest.raises(CommandError, match="No session"):
            call_command("lineage", "zz")


class TheChosenSession:
    def test_is_that_of_the_page_until_another_is_asked_for(self, the_store, visitor):
        root = a_session(the_store, "Mend the cart", "done", "and the till")
        fork = the_store.fork_at(root.id, 2)
        the_store.append(fork.id, [a_message("another way")])
        told = beside(page(visitor, root))
        assert "<h2><bdi>Mend the cart</bdi></h2>" in told
        assert "3 own, 0 shared" in told
        assert f"/compare/{root.id}/" not in told

        told = beside(page(visitor, root, f"?about={fork.id}"))
        assert '<blockquote class="words">another way</blockquote>' in told
        assert "1 own, 2 shared" in told
        assert f'href="/sessions/{root.id}/m/1/">its parent, #2</a>' in told
        assert f'href="/compare/{root.id}/{fork.id}/"' in told
        alone = visitor.get(f"/sessions/{root.id}/lineage/?about={fork.id}&as=about").content.decode()
        assert beside(alone) == told

    def test_is_told_of_in_the_trash_too(self, the_store, visitor):
        root = a_session(the_store, "one", "two")
        fork = the_store.fork_at(root.id, 2)
        the_store.delete(fork.id)
        told = beside(page(visitor, root, f"?about={fork.id}"))
        assert f'action="/sessions/{fork.id}/restore/"' in told
        assert "/compare/" not in told

    def test_is_none_of_what_there_is_not(self, the_store, visitor):
        root = a_session(the_store, "one")
        nobody = UUID(int=7)
        assert "hidden" in beside(page(visitor, root, f"?about={nobody}"))
        assert visitor.get(f"/sessions/{root.id}/lineage/?about={nobody}&as=about").status_code == 404
        assert visitor.get(f"/sessions/{root.id}/lineage/?about=x").status_code == 400


def beside(text: str) -> str:
    """What is told beside the tree; the form's secret differs each time."""
    (told,) = re.findall(r"<aside.*?</aside>", text, re.DOTALL)
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", told)
