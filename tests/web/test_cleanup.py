"""The page of clean-up, as an admin finds it without scripts."""

import csv
import io
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from sessions_app import cleanup, projects, schedule
from tests.builders import a_session
from tests.web.reading import page as read


def page(visitor, path="/cleanup/"):
    return visitor.get(path).content.decode()


OLD = {"name": "old ones", "q": "before:90d", "action": "trash", "on": "1"}


def saved(visitor, **different):
    answer = visitor.post("/cleanup/", {**OLD, **different})
    assert answer.status_code == 302
    return answer["Location"]


def going(visitor, path):
    """The titles of what goes, as the page lists them, and of what stays."""
    lists = [read(visitor.get(path)).one("section", aria_labelledby=name) for name in ("goes", "stays")]
    return tuple([title.text for title in each.all("bdi")] for each in lists)


def asked(url):
    return dict(parse_qsl(urlsplit(url).query))


class CleaningUp:
    def test_is_previewed_done_and_taken_back(self, the_store, clock, visitor):
        clock(timedelta(days=100))
        old = [a_session(the_store, f"old {n}") for n in range(3)]
        the_store.pin(old[0].id)
        clock(timedelta(0))
        new = a_session(the_store, "new")
        path = saved(visitor)
        found = page(visitor, path)
        assert "Move 2 sessions to the trash" in found
        assert "<b>1 kept</b>" in found
        assert "3 match of 4" in found
        goes, stays = going(visitor, path)
        assert (sorted(goes), stays) == (["old 1", "old 2"], ["old 0"])
        assert 'value="before:90d"' in found  # to be changed

        visitor.post("/cleanup/run/", {"policy": "old ones"})
        assert {session.id for session in the_store.find_by_id_prefix("", 9)} == {old[0].id, new.id}
        assert "2 sessions moved to the trash" in page(visitor)
        assert "Undo the last run" in page(visitor, path)

        visitor.post("/undo/", {"number": cleanup.entries()[0].number, "back": "/cleanup/"})
        assert len(the_store.find_by_id_prefix("", 9)) == 4
        found = page(visitor, path)
        assert "undone" in found
        assert "The last run took 2" in found
        assert "2 of these are here again, 0 are new" in found

    def test_offers_beside_it_to_take_back_what_was_done_to_a_project(self, the_store, visitor):
        a_session(the_store, "one", project="shop")
        projects.rename("shop", "store")
        found = read(visitor.get("/cleanup/")).one("button", aria_label="Take back: Project renamed “store”")
        assert found.text == "Undo"

    def test_shows_the_first_policy_and_none_where_another_one_is_to_be_made(self, the_store, visitor):
        saved(visitor)
        assert "<h1>old ones</h1>" in page(visitor)
        found = page(visitor, "/cleanup/?q=")
        assert "<h1>Clean-up</h1>" in found
        assert "Which sessions?" in found

    def test_says_what_is_wrong_with_a_policy_and_keeps_what_was_typed(self, visitor):
        answer = visitor.post("/cleanup/", {"name": "x", "q": "before:soon", "action": "trash"})
        assert answer.status_code == 422
        assert "before:” wants a day" in answer.content.decode()
        assert 'value="before:soon"' in answer.content.decode()

    @pytest.mark.parametrize(
        "wrong", [{"name": " "}, {"name": "old ones"}, {"action": "burn"}, {"q": "before:90d " * 99}]
    )
    def test_saves_nothing_that_means_nothing(self, the_store, visitor, wrong):
        saved(visitor)
        known = cleanup.policies()
        answer = visitor.post("/cleanup/", {**OLD, "name": "other", **wrong})
        assert answer.status_code == 422
        assert 'role="alert"' in answer.content.decode()
        assert cleanup.policies() == known

    def test_says_where_there_is_nothing_to_run(self, visitor):
        assert visitor.post("/cleanup/run/", {"policy": "none"}).status_code == 422

    def test_tells_the_bytes_by_project_and_age_each_once(self, the_store, clock, visitor):
        clock(timedelta(days=100))
        root = a_session(the_store, "one", "two", project="shop")
        the_store.fork_at(root.id, 1)
        clock(timedelta(days=400))
        a_session(the_store, "x" * 2000, project="bank")
        clock(timedelta(0))
        found = read(visitor.get(saved(visitor)))
        titles = [each.text for each in found.all("title") if ":" in each.text]
        assert titles == [
            "bank: 2 KB",
            "shop: 67 B",
            "Last written to: 3–12 months: 67 B",
            "Last written to: older: 2 KB",
        ]
        only = found.one("a", aria_label="Only shop: 67 B")["href"]
        assert going(visitor, only)[0] == ["one", "one"]

    def test_says_for_which_forks_a_session_stays(self, the_store, clock, visitor):
        clock(timedelta(days=100))
        one, many = (a_session(the_store, name, "two") for name in ("one", "many"))
        clock(timedelta(days=1))
        the_store.pin(the_store.fork_at(one.id, 1).id)
        for _ in range(2):
            the_store.fork_at(many.id, 1)
        clock(timedelta(0))
        stays = read(visitor.get(saved(visitor))).one("section", aria_labelledby="stays")
        assert sorted(each.text for each in stays.all("span", class_="reason")) == [
            "2 forks need it",
            "a pinned fork needs it",
        ]

    def test_lists_all_that_goes_a_hundred_at_once_the_largest_first(self, the_store, clock, visitor):
        clock(timedelta(days=100))
        for n in range(103):
            a_session(the_store, f"{n:03} {'x' * n}")
        clock(timedelta(0))
        path = saved(visitor)
        assert len(going(visitor, path)[0]) == 8
        first = read(visitor.get(f"{path}&show=goes"))
        titles = [each.text for each in first.all("bdi")]
        assert (len(titles), titles[0][:3], titles[99][:3]) == (100, "102", "003")
        after = next(each["href"] for each in first.all("a") if each.text == "Smaller ones")
        assert [each.text[:3] for each in read(visitor.get(after)).all("bdi")] == ["002", "001", "000"]

    @pytest.mark.parametrize("wrong", ["show=all", "show=goes&first=-1", "show=goes&first=x"])
    def test_refuses_a_list_that_is_none(self, the_store, visitor, wrong):
        assert visitor.get(f"{saved(visitor)}&{wrong}").status_code == 400

    def test_runs_what_was_not_saved_and_says_so(self, the_store, clock, visitor):
        clock(timedelta(days=100))
        a_session(the_store, "one")
        clock(timedelta(0))
        saved(visitor)
        assert "not saved" in page(visitor, "/cleanup/?policy=old+ones&q=before:80d")
        visitor.post("/cleanup/run/", {"policy": "old ones", "q": "before:80d", "action": "archive", "on": "1"})
        entry = cleanup.entries()[0]
        assert (entry.done, entry.action, entry.policy, entry.query) == (1, "archive", "", "before:80d")

    def test_a_dry_run_writes_a_report_and_changes_nothing(self, the_store, clock, visitor):
        clock(timedelta(days=100))
        goes, stays = a_session(the_store, "=1+1"), a_session(the_store, "stays")
        the_store.pin(stays.id)
        clock(timedelta(0))
        saved(visitor)
        answer = visitor.post("/cleanup/run/", {"policy": "old ones", "dry": "1"})
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert 'filename="clean-up-old-ones-' in answer["Content-Disposition"]
        head, *rows = csv.reader(io.StringIO(answer.content.decode()))
        told = [dict(zip(head, row, strict=True)) for row in rows]
        assert [(each["becomes"], each["why it stays"], each["id"]) for each in told] == [
            ("trash", "", str(goes.id)),
            ("stays", "pinned", str(stays.id)),
        ]
        assert told[0]["title"] == "'=1+1"  # or a spreadsheet would reckon with it
        assert int(told[0]["bytes that come free"]) == int(told[0]["bytes"]) > 0
        assert len(the_store.find_by_id_prefix("", 9)) == 2
        assert [each.action for each in cleanup.entries()] == ["pin"]


class Words:
    def test_are_taken_out_and_put_in_without_knowing_the_grammar(self, the_store, visitor):
        a_session(the_store, "one", project="my shop")
        found = read(visitor.get("/cleanup/?q=before:90d+is:root+-is:archived&action=archive&on=1"))
        without = asked(found.one("a", aria_label="Remove is:root")["href"])
        assert without == {"q": "before:90d -is:archived", "action": "archive", "on": "1"}
        offered = {each.text.strip(): each for each in found.one("details", class_="offers").all("a")}
        assert asked(offered["half a year"]["href"])["q"] == "is:root -is:archived before:180d"
        assert asked(offered["my shop"]["href"])["q"] == 'before:90d is:root -is:archived project:"my shop"'
        never = {each.text.strip(): each for each in found.all("a", role="checkbox")}
        assert never["archived"]["aria-checked"] == "true"
        assert asked(never["archived"]["href"])["q"] == "before:90d is:root"
        assert asked(never["with forks"]["href"])["q"] == "before:90d is:root -is:archived -has:forks"

    def test_are_typed_one_at_a_time(self, the_store, visitor):
        saved(visitor)
        answer = visitor.get("/cleanup/", {"policy": "old ones", "add": "turns:<3"})
        assert asked(answer["Location"]) == {
            "policy": "old ones",
            "q": "before:90d turns:<3",
            "action": "trash",
            "on": "1",
        }

    def test_that_are_none_are_marked_with_what_was_meant(self, the_store, visitor):
        found = read(visitor.get("/cleanup/?q=bfore:90d"))
        use = next(each for each in found.all("a") if each.text == "Use before:90d")
        assert asked(use["href"])["q"] == "before:90d"
        assert not found.all("form", data_action="trash")

    def test_of_text_are_no_policy(self, the_store, visitor):
        found = read(visitor.get("/cleanup/?q=before:90d+hello"))
        assert "it searches no text" in found.text
        assert asked(found.one("a", aria_label="Remove hello")["href"])["q"] == "before:90d"


class APolicy:
    def test_is_given_another_name(self, the_store, visitor):
        saved(visitor)
        saved(visitor, was="old ones", name="older ones")
        assert [each.name for each in cleanup.policies()] == ["older ones"]

    def test_does_not_take_the_name_of_another(self, the_store, visitor):
        saved(visitor)
        saved(visitor, name="other")
        answer = visitor.post("/cleanup/", {**OLD, "was": "old ones", "name": "other"})
        assert answer.status_code == 422
        assert {each.name for each in cleanup.policies()} == {"old ones", "other"}

    def test_is_removed_and_brought_back(self, the_store, visitor):
        path = saved(visitor)
        known = cleanup.policies()
        answer = visitor.post(path, {"remove": "1"}, follow=True)
        assert cleanup.policies() == []
        undo = next(each for each in read(answer).all("form") if each["action"].startswith("/cleanup/?name="))
        visitor.post(undo["action"], {"undo": "1"})
        assert cleanup.policies() == known


class Packing:
    def test_packs_and_tells_the_ratio(self, the_store, clock, visitor):
        clock(timedelta(days=100))
        a_session(the_store, "the same words again " * 200)
        clock(timedelta(0))
        visitor.post("/cleanup/", {"name": "cold", "q": "before:90d", "action": "pack"})
        found = page(visitor, "/cleanup/?policy=cold")
        assert "Pack 1 session" in found
        assert "saves 4 KB" in found
        assert "come free" not in found
        visitor.post("/cleanup/run/", {"policy": "cold"})
        assert "1 session packed: 4 KB as" in page(visitor)
        assert "times smaller" in page(visitor)


class ByItself:
    def test_is_switched_on_and_off(self, the_store, visitor):
        form = {"by_itself": "1", "every_hours": "12", "trash_days": "0"}
        assert visitor.post("/cleanup/schedule/", form).status_code == 302
        found = schedule.schedule()
        assert (found.enabled, found.every_hours, found.trash_days) == (True, 12, None)
        assert "It is on, and due" in page(visitor)
        visitor.post("/cleanup/schedule/", {**form, "by_itself": "0", "trash_days": "40"})
        assert not schedule.schedule().enabled
        assert 'value="40"' in page(visitor)

    @pytest.mark.parametrize("wrong", [{"every_hours": "soon"}, {"every_hours": "0"}, {"trash_days": "-1"}])
    def test_refuses_times_that_mean_nothing(self, visitor, wrong):
        answer = visitor.post("/cleanup/schedule/", {"every_hours": "24", "trash_days": "30", **wrong})
        assert answer.status_code == 422
        assert 'role="alert"' in answer.content.decode()

    def test_waits_after_a_long_silence_until_somebody_trusts_the_clock(self, the_store, clock, visitor):
        clock(timedelta(days=60))
        session = a_session(the_store, "one")
        the_store.delete(session.id)
        schedule.set_schedule(enabled=True)
        clock(timedelta(0))
        assert schedule.run_if_due("one") == []
        assert "Nothing happened here for more than a week" in page(visitor)
        visitor.post("/cleanup/schedule/", {"trust": "1"})
        assert "Nothing happened here" not in page(visitor)
        assert [entry.done for entry in schedule.run_if_due("one")] == [1]
