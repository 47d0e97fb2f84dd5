"""What docs/security.md promises is proved by tests that are there."""

import ast
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
PAGE = (CHECKOUT / "docs" / "security.md").read_text()
THREATS = [f"T{number}" for number in (*range(1, 6), *range(15, 22), 33, 34, 37, 39, 40)]
NAMED = re.compile(r"`(tests/[\w/]*(?:\.py)?)((?:::\w+)*)`(?: \(([\w, ]+)\))?")


ROW = re.compile(r"^\| (T\d+) [^|]*\| ([^|]*)\|(?: ([^|]*)\|)?$", re.M)


def threats(page: str) -> dict[str, tuple[set[str], set[str]]]:
    """Of each row that begins with a threat's number: its tests, and those with the defence switched off."""
    return {threat: (named(tests), named(controls)) for threat, tests, controls in ROW.findall(page)}


def named(text: str) -> set[str]:
    return {path + parts for path, parts, _ in NAMED.findall(text)}


def uncontrolled(page: str) -> list[str]:
    """The threats without a test, or without one of their own that switches a defence off."""
    return [threat for threat, (tests, controls) in threats(page).items() if not tests or not controls - tests]


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


def test_every_threat_has_a_test_and_one_with_the_defence_switched_off():
    assert list(threats(PAGE)) == THREATS
    assert uncontrolled(PAGE) == []


@pytest.mark.parametrize(
    "cells",
    [
        "| `tests/test_guard.py` |",
        "| `tests/test_guard.py` | |",
        "| `tests/test_guard.py` | none is needed |",
        "| `tests/test_guard.py` | `tests/test_guard.py` |",
        "| | `tests/test_guard.py` |",
    ],
)
def test_a_threat_without_either_would_be_found(cells):
    assert uncontrolled(f"{PAGE}\n| T99 Something new {cells}\n") == ["T99"]
    assert uncontrolled("| T99 Something new | `tests/test_guard.py` | `tests/test_headers.py` |") == []


CONTROLS = sorted({path for _, controls in threats(PAGE).values() for path in controls})


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_switches_something_off_or_does_without(name):
    """By its name, or by what it does: else a test of the defence itself would pass for one."""
    path, _, part = name.partition("::")
    switches = (
        "monkeypatch",
        "override_settings",
        "without",
        "would",
        "nothing_was_checked",
        "gets_all",
        "an_address_is_sent",
    )
    for found in functions(ast.parse((CHECKOUT / path).read_text()).body, part):
        assert any(word in ast.unparse(found) for word in switches), found.name


def functions(body: list[ast.stmt], part: str) -> list[ast.FunctionDef]:
    """The tests that are meant by Class, Class::test, or nothing."""
    name, _, rest = part.partition("::")
    found: list[ast.FunctionDef] = []
    for node in body:
        if name and getattr(node, "name", "") != name:
            continue
        if isinstance(node, ast.ClassDef):
            found += functions(node.body, rest)
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            found.append(node)
    return found


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
