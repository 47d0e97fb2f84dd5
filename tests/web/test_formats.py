"""How numbers, sizes, ages and names are said."""

from datetime import UTC, datetime, timedelta

import pytest

from sessions_app.web import formats

NOW = datetime(2026, 11, 22, 18, 3, tzinfo=UTC)  # a Sunday


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 KB"),
        (38_400, "38 KB"),
        (820_000, "820 KB"),
        (999_499, "999 KB"),
        (999_500, "1.0 MB"),
        (4_100_000, "4.1 MB"),
        (48_000_000, "48 MB"),
        (2_910_000_000, "2.91 GB"),
        (64_000_000_000, "64.0 GB"),
        (3 * 10**15, "3000.0 TB"),
    ],
)
def test_a_size_has_two_or_three_digits(size, text):
    assert formats.size_text(size) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=-5), "now"),
        (timedelta(seconds=59), "now"),
        (timedelta(minutes=2), "2 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(hours=18), "18 h"),
        (timedelta(hours=20), "yesterday"),
        (timedelta(days=1, hours=18), "yesterday"),
        (timedelta(days=6), "Mon"),
        (timedelta(days=10), "12 Nov"),
        (timedelta(days=400), "18 Oct 2025"),
    ],
)
def test_an_age_is_short(ago, text):
    assert formats.age_text(NOW - ago, NOW) == text


def test_an_hour_before_midnight_is_not_yet_yesterday():
    assert formats.age_text(datetime(2026, 11, 21, 23, tzinfo=UTC), datetime(2026, 11, 22, 1, tzinfo=UTC)) == "2 h"


def test_a_moment_says_its_zone():
    assert formats.moment_text(NOW) == "22 Nov 2026, 18:03 UTC"


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        (timedelta(0), 30),
        (timedelta(hours=1), 30),
        (timedelta(days=1), 29),
        (timedelta(days=30), 0),
        (timedelta(days=99), 0),
    ],
)
def test_days_left_count_begun_ones(gone, left):
    assert formats.days_left(NOW - gone, 30, NOW) == left


@pytest.mark.parametrize(
    ("project", "short"),
    [
        ("/home/ann/code/forklore", "forklore"),
        ("/home/ann/code/forklore/", "forklore"),
        ("C:\\work\\shop", "shop"),
        ("~/notes", "notes"),
        ("team/shop", "team/shop"),
        ("/", "/"),
        ("plain", "plain"),
    ],
)
def test_a_path_is_called_by_its_last_part(project, short):
    assert formats.short_name(project) == short


def test_an_unknown_agent_keeps_its_name():
    assert (formats.agent_name("my-agent"), formats.agent_letter("my-agent")) == ("my-agent", "M")
    assert (formats.agent_name("codex"), formats.agent_letter("codex")) == ("Codex", "X")


def test_projects_that_would_be_called_alike_keep_the_part_before():
    names = formats.distinct_names(["/a/shop", "/b/shop", "/b/blog", "C:\\x\\blog"])
    assert list(names.values()) == ["a/shop", "b/shop", "b/blog", "x/blog"]
