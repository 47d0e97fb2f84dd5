"""The page of clean-up, as an admin finds it without scripts."""

from datetime import timedelta

import pytest

from sessions_app import cleanup, schedule
from tests.builders import a_session


def page(visitor, path="/cleanup/"):
    return visitor.get(path).content.decode()


class CleaningUp:
    def test_is_previewed_done_and_taken_back(self, the_store, clock, visitor):
        clock(timedelta(days=100))
        old = [a_session(the_store, f"old {n}") for n in range(3)]
        the_store.pin(old[0].id)
        clock(timedelta(0))
        new = a_session(the_store, "new")
        policy = {"name": "old ones", "query": "before:90d", "action": "trash", "enabled": "1"}
        assert visitor.post("/cleanup/", policy).status_code == 302
        found = page(visitor, "/cleanup/?policy=old+ones")
        assert "Move 2 sessions to the trash" in found
        assert "Kept: 1 pinned." in found
        assert "old 1" in found
        assert "<bdi>new</bdi>" not in found
        assert found.count("<bdi>old 0</bdi>") == 1  # beside the reason
        assert '<td class="end">pinned</td>' in found
        assert 'value="before:90d"' in found  # to be changed

        visitor.post("/cleanup/run/", {"policy": "old ones"})
        assert {session.id for session in the_store.find_by_id_prefix("", 9)} == {old[0].id, new.id}
        assert "2 sessions moved to the trash" in page(visitor)

        visitor.post("/undo/", {"number": cleanup.entries()[0].number, "back": "/cleanup/"})
        assert len(the_store.find_by_id_prefix("", 9)) == 4
        assert "undone" in page(visitor)
        found = page(visitor, "/cleanup/?policy=old+ones")
        assert "The last run took 2" in found
        assert "2 of these are here again, 0 are new." in found

    def test_says_what_is_wrong_with_a_policy_and_keeps_what_was_typed(self, visitor):
        answer = visitor.post("/cleanup/", {"name": "x", "query": "before:soon", "action": "trash"})
        assert answer.status_code == 422
        assert "before:” wants a day" in answer.content.decode()
        assert 'value="before:soon"' in answer.content.decode()

    def test_says_where_there_is_nothing_to_run(self, visitor):
        assert visitor.post("/cleanup/run/", {"policy": "none"}).status_code == 422

    def test_packs_and_tells_the_ratio(self, the_store, clock, visitor):
        clock(timedelta(days=100))
        a_session(the_store, "the same words again " * 200)
        clock(timedelta(0))
        visitor.post("/cleanup/", {"name": "cold", "query": "before:90d", "action": "pack"})
        found = page(visitor, "/cleanup/?policy=cold")
        assert "Pack 1 session" in found
        assert "1 session</b> to pack, which <b>saves 4 KB</b>" in found
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
