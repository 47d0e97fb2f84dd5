"""What docs/reliability.md promises names tests that are there, and none of the plan's numbers is left out."""

import re

import pytest

from tests import breaking
from tests.test_security_map import CHECKOUT, NAMED, missing

PAGE = (CHECKOUT / "docs" / "reliability.md").read_text()
THREATS = [*range(6, 15), 22, 23, 26, 27, *range(29, 33), 35]
FAULTS = [*range(1, 15), 16, 17, *range(19, 23), *range(24, 27)]


def test_each_number_has_its_row():
    numbers = re.findall(r"^\| ([TF]\d+) ", PAGE, re.M)
    assert numbers == [f"T{number}" for number in THREATS] + [f"F{number}" for number in FAULTS]


def test_each_test_that_is_named_is_there():
    assert missing(PAGE) == []


def test_one_that_is_not_there_is_missed():
    assert missing("`tests/test_tree.py` (Nothing)") == ["tests/test_tree.py::Nothing"]


@pytest.mark.parametrize("each", breaking.BREAKS, ids=lambda each: each.what.replace(" ", "-"))
def test_each_guard_stands_where_it_is_taken_away_to_see_its_test_fail(each):
    assert missing(f"`{each.test}`") == []
    for file, old, new in each.edits:
        assert (CHECKOUT / file).read_text().count(old) == 1
        assert new != old


def test_each_test_that_is_named_has_a_guard_that_is_taken_away():
    broken = {each.test for each in breaking.BREAKS}
    for path, parts, classes in NAMED.findall(PAGE[PAGE.index("| it fails where |") : PAGE.index("## How it holds")]):
        for name in filter(None, classes.split(", ")) if classes else [parts.strip(":")]:
            whole = f"{path}::{name}" if name else path
            assert any(each.startswith(whole) or each == path for each in broken), whole
