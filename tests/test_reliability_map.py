"""What docs/reliability.md promises names tests that are there, and none of the plan's numbers is left out."""

import re

from tests.test_security_map import CHECKOUT, missing

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
