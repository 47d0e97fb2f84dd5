"""Clean-up by itself: off at first, one process at a time, taken over after a kill."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from sessions_app import actors, cleanup, schedule
from sessions_app.actors import Actor
from sessions_app.errors import InvalidPolicy, NotAllowed
from sessions_app.models import CleanupSchedule, JournalEntry, Session
from tests.builders import a_session
from tests.store.test_cleanup import months_later

pytestmark = pytest.mark.parametrize("door", ["sync"])


def an_old_session(the_store, clock):
    session = a_session(the_store, "old")
    months_later(clock)
    return session


@pytest.fixture(autouse=True)
def trusted_clock(monkeypatch):
    """These tests let months pass in which nothing happens."""
    monkeypatch.setattr(schedule, "SILENCE", timedelta.max)


class Schedule:
    def test_is_off_until_it_is_switched_on(self, the_store, clock):
        session = an_old_session(the_store, clock)
        cleanup.save_policy("old", "before:90d", "trash", enabled=True)
        assert schedule.run_if_due("one") == []
        schedule.set_schedule(enabled=True)
        assert [(entry.policy, entry.done) for entry in schedule.run_if_due("one")] == [("old", 1)]
        assert the_store.get(session.id) is None

    def test_runs_again_after_its_time_only(self, the_store, clock):
        cleanup.save_policy("old", "before:90d", "trash", enabled=True)
        schedule.set_schedule(enabled=True, every_hours=24)
        schedule.run_if_due("one")
        an_old_session(the_store, clock)
        due = CleanupSchedule.objects.get().due_at
        clock.stop_at(due - timedelta(seconds=1))
        assert schedule.run_if_due("one") == []
        clock.stop_at(datetime.max.replace(tzinfo=UTC) - timedelta(days=400))
        assert len(schedule.run_if_due("two")) == 1

    def test_is_one_processes_alone_until_its_lease_ends(self, the_store, clock, monkeypatch):
        an_old_session(the_store, clock)
        cleanup.save_policy("old", "before:90d", "trash", enabled=True)
        schedule.set_schedule(enabled=True)
        with monkeypatch.context() as context:
            context.setattr(schedule, "run_all", lambda renew: 1 / 0)  # a kill: its lease is left behind
            with pytest.raises(ZeroDivisionError):
                schedule.run_if_due("one")
        assert CleanupSchedule.objects.get().holder == "one"
        assert schedule.run_if_due("two") == []
        clock.moment += schedule.LEASE
        assert len(schedule.run_if_due("two")) == 1
        assert CleanupSchedule.objects.get().holder == ""

    def test_leaves_out_policies_that_are_off_and_runs_that_would_do_nothing(self, the_store, clock):
        an_old_session(the_store, clock)
        cleanup.save_policy("off", "before:90d", "trash")
        cleanup.save_policy("nothing", "before:900d", "trash", enabled=True)
        schedule.set_schedule(enabled=True)
        assert schedule.run_if_due("one") == []
        assert JournalEntry.objects.count() == 0

    @pytest.mark.parametrize("days", [30, None])
    def test_purges_the_trash_after_its_time_unless_it_is_kept(self, the_store, clock, days):
        old, new = a_session(the_store, "old"), a_session(the_store, "new")
        the_store.delete(old.id)
        clock.moment += timedelta(days=31)
        the_store.delete(new.id)
        schedule.set_schedule(enabled=True, trash_days=days)
        schedule.run_if_due("one")
        left = set(Session.objects.values_list("pk", flat=True))
        assert left == ({new.id} if days else {old.id, new.id})

    def test_forgets_the_journal_with_what_it_could_bring_back(self, the_store, clock):
        session = a_session(the_store, "one")
        the_store.rename(session.id, "old title")
        clock.moment += timedelta(days=31)
        the_store.pin(session.id)
        schedule.set_schedule(enabled=True)
        schedule.run_if_due("one")
        assert [entry.action for entry in cleanup.entries()] == ["pin"]

    def test_is_for_admins(self, the_store):
        with actors.acting(Actor("user", "guest", user_id=1)), pytest.raises(NotAllowed):
            schedule.set_schedule(enabled=True)

    @pytest.mark.parametrize("wrong", [{"every_hours": 0}, {"trash_days": 0}, {"trash_days": 10**6}])
    def test_refuses_times_that_mean_nothing(self, the_store, wrong):
        with pytest.raises(InvalidPolicy):
            schedule.set_schedule(enabled=True, **wrong)


class Command:
    def test_switches_it_on_and_does_all_at_once_for_cron(self, the_store, clock, capsys):
        old = a_session(the_store, "old")
        the_store.delete(old.id)
        clock.moment += timedelta(days=31)
        call_command("cleanup", schedule="on")
        call_command("cleanup", dry_run=True)
        assert Session.objects.count() == 1
        call_command("cleanup")
        call_command("cleanup")
        call_command("cleanup", schedule="off")
        assert Session.objects.count() == 0
        out = capsys.readouterr().out
        assert "every 24 hours" in out
        assert "trash: 1 session to purge" in out
        assert "1 session removed for good" in out
        assert "nothing to clean up" in out
        assert "does not run by itself" in out

    def test_does_something_to_sessions_with_all_their_forks(self, the_store, capsys):
        root, other = a_session(the_store, "one", "two"), a_session(the_store, "other")
        leaf = the_store.fork_at(the_store.fork_at(root.id, 2).id, 1)
        call_command("cleanup", do="trash", session=[str(root.id)], with_forks=True)
        assert {row.pk for row in Session.objects.live()} == {other.id}
        call_command("cleanup", do="restore", session=[str(leaf.id)])
        call_command("cleanup", do="tag", matching="is:fork", value="kept")
        call_command("cleanup", do="move", session=[str(leaf.id)], value="elsewhere")
        assert (the_store.tags(leaf.id), the_store.get(leaf.id).project) == (["kept"], "elsewhere")

    def test_takes_a_session_by_the_beginning_of_its_id_also_out_of_the_trash(self, the_store):
        chosen = a_session(the_store, "one")
        call_command("cleanup", do="trash", session=[str(chosen.id)[:13]])
        call_command("cleanup", do="restore", session=[chosen.id.hex[:13]])
        assert Session.objects.live().get().pk == chosen.id

    @pytest.mark.parametrize("beginning", ["no id", "", "0" * 32])
    def test_says_which_session_it_does_not_know(self, the_store, beginning):
        a_session(the_store, "one")
        with pytest.raises(CommandError, match=f"No session has an id that begins with “{beginning}”"):
            call_command("cleanup", do="trash", session=[beginning])

    def test_takes_no_beginning_that_several_have(self, the_store):
        for _ in range(17):
            a_session(the_store, "one")
        shared = Counter(f"{id}"[0] for id in Session.objects.values_list("pk", flat=True)).most_common(1)[0][0]
        with pytest.raises(CommandError, match="Several sessions"):
            call_command("cleanup", do="trash", session=[shared])
