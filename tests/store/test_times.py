"""Times never run backwards within a session, even when the clock does."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.builders import a_message, a_session

DAY = timedelta(days=1)


class Times:
    @pytest.mark.parametrize("by", [timedelta(0), timedelta(microseconds=1), DAY, 3650 * DAY])
    def test_never_run_backwards(self, the_store, clock, by):
        session = a_session(the_store, "one")
        seen = [session.updated_at]
        for number in range(4):
            clock.stop_at(clock.moment - by)
            write = [the_store.append, the_store.update][number % 2]
            write(session.id, [a_message()], 0)
            seen.append(the_store.get(session.id).updated_at)
        assert seen == sorted(seen)
        assert the_store.get(session.id).created_at == session.created_at <= seen[-1]

    def test_follow_the_clock_again_when_it_is_right(self, the_store, clock):
        session = a_session(the_store, "one")
        clock.turn_back(DAY)
        the_store.append(session.id, [a_message()])
        clock.turn_back(-2 * DAY)
        the_store.append(session.id, [a_message()])
        assert the_store.get(session.id).updated_at == clock.moment

    def test_keep_microseconds(self, the_store, clock):
        moment = datetime(2026, 3, 29, 1, 30, 0, 123457, tzinfo=UTC)
        clock.stop_at(moment)
        session = a_session(the_store, "one")
        found = the_store.get(session.id)
        assert (found.created_at, found.updated_at) == (moment, moment)

    @pytest.mark.parametrize("moment", [datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 12, 31, 23, 59, tzinfo=UTC)])
    def test_may_be_far_away(self, the_store, clock, moment):
        clock.stop_at(moment)
        session = a_session(the_store, "one")
        assert the_store.list_by_project("demo", 1) == [session]

    def test_of_a_child_are_its_own(self, the_store, clock):
        parent = a_session(the_store, "one")
        child = the_store.fork_at(parent.id, 1)
        assert child.created_at == child.updated_at == clock.moment
        assert the_store.get(parent.id).updated_at == parent.updated_at

    def test_stay_when_nothing_is_written(self, the_store, clock):
        session = a_session(the_store, "one")
        the_store.rename(session.id, "Mine")
        the_store.get(session.id)
        the_store.search("one", 9)
        the_store.delete(session.id)
        the_store.restore(session.id)
        assert the_store.get(session.id).updated_at == session.updated_at
