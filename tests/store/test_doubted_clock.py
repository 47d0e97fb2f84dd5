"""A clock that was put forward before the server's start, or before cron runs clean-up, does not empty the trash."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from sessions_app import cleanup, schedule
from sessions_app.models import CleanupSchedule, Session
from tests.builders import a_session

pytestmark = pytest.mark.parametrize("door", ["sync"])
YEAR, DAY = timedelta(days=365), timedelta(days=1)


@pytest.fixture
def trashed(the_store, clock):
    """A session in the trash, and clean-up by itself that has run today."""
    session = a_session(the_store, "one")
    the_store.delete(session.id)
    schedule.set_schedule(enabled=True)
    assert schedule.run_if_due("one") == []
    return session


def is_there(session):
    return Session.objects.filter(pk=session.id).exists()


def look():
    """As the server does once a minute, and so after any of its starts."""
    return schedule.run_if_due("one")


class AJump:
    def test_does_not_purge_the_trash_at_once_but_a_day_later(self, the_store, clock, trashed):
        clock.moment += YEAR
        assert look() == []
        clock.moment += DAY - timedelta(minutes=5)
        assert look() == []
        assert is_there(trashed)
        clock.moment += timedelta(minutes=10)
        assert [entry.done for entry in look()] == [1]

    def test_is_known_by_its_gap_when_agents_have_written_since(self, the_store, clock, trashed):
        clock.moment += YEAR
        a_session(the_store, "written a year ahead")
        assert look() == []
        assert is_there(trashed)

    def test_that_is_put_right_leaves_no_doubt_behind(self, the_store, clock, trashed):
        clock.moment += YEAR
        look()
        clock.moment -= YEAR
        assert look() == []
        assert CleanupSchedule.objects.get().doubted_at is None
        done = []
        for _ in range(31):
            clock.moment += DAY
            done += look()
        assert [entry.done for entry in done] == [1]

    def test_is_known_to_the_first_run_of_cron_too(self, the_store, clock, capsys):
        session = a_session(the_store, "one")
        the_store.delete(session.id)
        clock.moment += YEAR
        with pytest.raises(SystemExit):
            call_command("cleanup")
        said = capsys.readouterr().err
        assert "Nothing happened here for more than a week before 1 January 2027" in said
        assert "until 2 January, 00:00 UTC; if it is right, add --trust-clock." in said
        assert is_there(session)
        call_command("cleanup", dry_run=True)
        assert "or with --trust-clock" in capsys.readouterr().out
        call_command("cleanup", trust_clock=True)
        assert not is_there(session)

    def test_keeps_a_policy_by_name_from_purging_but_not_from_what_can_be_taken_back(self, the_store, clock, capsys):
        session = a_session(the_store, "one")
        the_store.delete(session.id)
        other = a_session(the_store, "other")
        cleanup.save_policy("empty", "before:90d", "purge")
        cleanup.save_policy("old", "before:90d", "trash")
        clock.moment += YEAR
        with pytest.raises(SystemExit):
            call_command("cleanup", "empty")
        assert is_there(session)
        call_command("cleanup", "old")
        assert the_store.get(other.id) is None
        call_command("cleanup", "empty", trust_clock=True)
        assert not is_there(session)


class ALife:
    @pytest.mark.parametrize("pause", [1, 3, 7])
    def test_with_pauses_of_days_is_not_doubted(self, the_store, clock, trashed, pause):
        done = []
        for _ in range(0, 32, pause):
            clock.moment += pause * DAY - timedelta(minutes=1)
            done += look()
        assert [entry.done for entry in done] == [1]

    def test_of_agents_alone_is_one_too(self, the_store, clock, trashed):
        """The server was off for a month, in which sessions were written without it."""
        for _ in range(8):
            clock.moment += 4 * DAY
            a_session(the_store, "written")
        assert [entry.done for entry in look()] == [1]

    def test_after_a_holiday_goes_on_a_day_later_or_when_somebody_says_so(self, the_store, clock, trashed):
        clock.moment += timedelta(days=60)
        assert look() == []
        schedule.trust_clock()
        assert [entry.done for entry in look()] == [1]

    @pytest.mark.parametrize("pause", [9, 31])
    def test_with_long_pauses_waits_only_every_other_time(self, the_store, clock, trashed, pause):
        clock.moment += timedelta(days=31)
        assert look() == []
        clock.moment += pause * DAY
        assert [entry.done for entry in look()] == [1]

    def test_with_old_sessions_that_were_just_brought_in_is_cleaned_up_at_once(self, the_store, clock, capsys):
        a_session(the_store, "one")
        clock.moment += YEAR
        cleanup.save_policy("old", "before:90d", "trash", enabled=True)
        call_command("cleanup")
        assert "1 session moved to the trash" in capsys.readouterr().out

    def test_that_has_just_begun_is_not_doubted(self, the_store, clock, capsys):
        call_command("cleanup")
        assert "nothing to clean up" in capsys.readouterr().out
