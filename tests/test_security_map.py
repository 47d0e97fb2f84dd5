"""What docs/security.md promises is proved by tests that are there."""

import ast
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
PAGE = (CHECKOUT / "docs" / "security.md").read_text()
THREATS = [f"T{number}" for number in (*range(1, 6), *range(15, 22), 33, 34, 37, 39, 40)]
NAMED = re.compile(r"`(tests/[\w/]*(?:\.py)?)((?:::\w+)*)`(?: \(([\w, ]+)\))?")


def threats(page: str) -> dict[str, set[str]]:
    """The tests of each row that begins with a threat's number."""
    rows = re.findall(r"^\| (T\d+) [^|]*\| ([^|]*)\|$", page, re.M)
    return {threat: {path + parts for path, parts, _ in NAMED.findall(tests)} for threat, tests in rows}


def missing(page: str) -> list[str]:
    """The tests that are named and not there: a file without tests, or a class or function that a file has not."""
    found = []
    for path, parts, classes in NAMED.findall(page):
        there = named_in(CHECKOUT / path)
        wanted = [parts.strip(":")] if parts else [each.strip() for each in classes.split(",") if each.strip()]
        found += [f"{path}::{each}" for each in wanted if each not in there]
        found += [] if there else [path]
    return found


def named_in(path: Path) -> set[str]:
    """Of tests, and of classes that have some, as pytest names them; of a directory those of all its files."""
    files = sorted(path.glob("test_*.py")) if path.is_dir() else [path] if path.is_file() else []
    return {name for file in files for name in named_by(ast.parse(file.read_text()).body)}


def named_by(body: list[ast.stmt], within: str = "") -> set[str]:
    names: set[str] = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            names.add(within + node.name)
        elif isinstance(node, ast.ClassDef) and (inner := named_by(node.body, f"{within}{node.name}::")):
            names |= {within + node.name, *inner}
    return names


def test_every_threat_has_a_test():
    rows = threats(PAGE)
    assert list(rows) == THREATS
    assert [threat for threat, tests in rows.items() if not tests] == []


def test_every_row_of_the_page_has_a_test():
    rows = re.findall(r"^\| (?!promise|threat|---)(.*)\|$", PAGE, re.M)
    assert len(rows) > 40
    assert [row for row in rows if not NAMED.search(row)] == []


def test_every_test_that_the_page_names_is_there():
    assert missing(PAGE) == []


@pytest.mark.parametrize(
    "name",
    [
        "`tests/test_nothing.py`",
        "`tests/test_guard.py::TheHostess`",
        "`tests/test_guard.py::TheHost::test_x`",
        "`tests/test_guard.py` (TheHost, TheHostess)",
        "`tests/test_guard.py::Site`",
        "`tests/nowhere/`",
    ],
)
def test_a_test_that_is_not_there_would_be_found(name):
    assert len(missing(name)) >= 1
    assert missing("`tests/test_guard.py` (TheHost), `tests/test_guard.py::TheHost`, `tests/access/`") == []
