"""A clock that is put forward does not make a running server clean up what only looks old."""

from datetime import UTC, datetime, timedelta

import pytest

from sessions_app import schedule


class AClock:
    """Seen once a minute, by a process that counts seconds by itself."""

    @pytest.fixture
    def looks(self):
        passed = [1000.0]
        seen = schedule.Clock(lambda: passed[0])
        now = datetime(2026, 11, 28, tzinfo=UTC)

        def look(after, put_forward=timedelta(0)):
            nonlocal now
            passed[0] += after.total_seconds()
            now += after + put_forward
            return seen.can_be_trusted(now)

        assert look(timedelta(0))
        return look

    def test_that_was_put_forward_is_not_trusted_for_a_day(self, looks):
        assert not looks(timedelta(minutes=1), put_forward=timedelta(days=2000))
        assert not looks(timedelta(hours=23))
        assert looks(timedelta(hours=1))

    def test_that_is_put_right_again_is_trusted_a_day_after_its_jump(self, looks):
        assert not looks(timedelta(minutes=1), put_forward=timedelta(days=40))
        assert not looks(timedelta(minutes=1), put_forward=timedelta(days=-40))
        assert looks(timedelta(days=1))

    @pytest.mark.parametrize("days", [0.9, -500])
    def test_that_is_corrected_a_little_or_put_back_is_trusted(self, looks, days):
        assert looks(timedelta(minutes=1), put_forward=timedelta(days=days))

    def test_of_a_machine_that_slept_for_long_is_trusted(self, looks):
        assert looks(timedelta(days=90))
