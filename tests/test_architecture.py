"""Rules that no import contract can hold: who writes, and what every door to the store offers."""

import ast
import inspect
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sessions_app import store
from sessions_app.async_store import AsyncStore
from sessions_app.http_store import HttpStore
from sessions_app.protocol import SessionStore

CHECKOUT = Path(__file__).parent.parent
APP = CHECKOUT / "sessions_app"

# store.py says what is written and when; these hold its SQL, and nobody else may call them (see the contract).
WRITERS = {"store.py", "piece_table.py", "session_rows.py", "transcript_rows.py"}
WRITERS |= {
    "search_index.py",
    "search_rebuild.py",
    "store_repair.py",
    "labels.py",
    "change_log.py",
    "write_keys.py",
    "journal.py",
    "journal_labels.py",
    "packing.py",
    "cleanup_rows.py",
    "redaction_rows.py",
    "fork_rows.py",
    "token_rows.py",
    "purging.py",
    "revisions.py",
    "journal_parents.py",
    "project_rows.py",
}
# Credentials are no sessions, and nothing of theirs is shared with a verb of the store: each kind has its own writer.
WRITERS |= {"access/browsers.py", "access/codes.py", "access/tokens.py"}
WRITERS |= {"access/audit.py", "access/roles.py", "access/people.py", "access/user_sessions.py", "access/faults.py"}
WRITERS |= {"access/identities.py"}
MANAGER_WRITES = {"create", "bulk_create", "bulk_update", "get_or_create", "update_or_create", "update", "delete"}
MANAGER_WRITES |= {f"a{name}" for name in MANAGER_WRITES}
SQL_WRITE = re.compile(
    r"\s*(INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|REPLACE\s+INTO|TRUNCATE|DROP|ALTER)\s", re.I
)


def modules() -> list[Path]:
    paths = sorted(path.relative_to(APP) for path in APP.rglob("*.py"))
    return [path for path in paths if "migrations" not in path.parts and str(path) not in WRITERS]


def writes(tree: ast.AST) -> Iterator[str]:
    """The lines that write by the ORM or by SQL: a .save() of anything, a manager's or queryset's writing method."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name, source = node.func.attr, ast.unparse(node.func.value)
            if name in ("save", "asave") or (
                name in MANAGER_WRITES and re.search(r"\.(objects|_default_manager)\b", source)
            ):
                yield f"line {node.lineno}: {ast.unparse(node)[:80]}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL_WRITE.match(node.value):
            yield f"line {node.lineno}: {node.value.strip()[:80]}"


@pytest.mark.parametrize("path", modules(), ids=str)
def test_only_the_store_writes(path):
    assert list(writes(ast.parse((APP / path).read_text()))) == []


@pytest.mark.parametrize(
    "line",
    [
        "session.save()",
        "Session.objects.create(title='x')",
        "Session.objects.live().filter(id=1).delete()",
        "await Session.objects.filter(id=1).aupdate(title='x')",
        "cursor.execute('UPDATE forklore_session SET title = %s', ['x'])",
        "cursor.execute(f'DELETE FROM {table} WHERE id = %s', [1])",
    ],
)
def test_a_write_is_recognised(line):
    tree = ast.parse(f"async def view():\n    {line}")
    assert list(writes(tree))


DOORS = [
    path.relative_to(APP) for name in ("web", "api", "templatetags") for path in sorted((APP / name).rglob("*.py"))
]


def unguarded(tree: ast.AST) -> Iterator[str]:
    """Questions about sessions or projects that do not say who asks; those of an instance's relations cannot."""
    guarded = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and "visible" in node.attr}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in guarded:
            of_all = node.attr in ("objects", "_default_manager", "_base_manager")
            named = of_all and ast.unparse(node.value).rpartition(".")[2] in ("Session", "Project")
            if named or (node.attr in ("sessions", "children") and node in asked(tree)):
                yield f"line {node.lineno}: {ast.unparse(node)}"


def asked(tree: ast.AST) -> list[ast.expr]:
    """What is used as a manager: found.sessions in found.sessions.live()."""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [function.value for function in calls if isinstance(function, ast.Attribute)]


@pytest.mark.parametrize("path", DOORS, ids=str)
def test_every_door_says_who_asks(path):
    assert list(unguarded(ast.parse((APP / path).read_text()))) == []


@pytest.mark.parametrize(
    "line",
    [
        "Session.objects.all()",
        "Session.objects.live().visible()",
        "models.Project.objects.filter(name=name)",
        "get_object_or_404(Session.objects.live(), pk=id)",
        "found.sessions.live()",
        "session.children.count()",
        "list(Session._default_manager.all())",
    ],
)
def test_a_door_that_does_not_say_who_asks_is_recognised(line):
    assert list(unguarded(ast.parse(line)))
    assert not list(unguarded(ast.parse("Session.objects.visible_to(request.actor).live()")))


def test_no_template_asks_for_sessions():
    templates = (CHECKOUT / "templates").rglob("*.html")
    assert [
        path for path in templates if re.search(r"\.(sessions|children)\.(all|count|first)", path.read_text())
    ] == []


NO_OPERATION = {"now", "done_once"}  # the clock, which tests set; and what keeps keys for the API


def operations() -> list[str]:
    functions = inspect.getmembers(store, inspect.isfunction)
    own = {name for name, function in functions if function.__module__ == store.__name__}
    return sorted(name for name in own - NO_OPERATION if not name.startswith("_"))


def parameters(function: Callable) -> list[tuple[str, object, object, object]]:
    every = inspect.signature(function).parameters.values()
    return [(each.name, each.kind, each.default, each.annotation) for each in every if each.name != "self"]


def answer(function: Callable) -> str:
    """What it is annotated to give, once it was waited for."""
    found = inspect.signature(function).return_annotation
    return re.sub(r"(Async)?(Iterator|Generator)\[(\w+).*\]", r"\3, one after the other", found)


@pytest.mark.parametrize("name", operations())
def test_the_asynchronous_store_offers_what_the_store_offers(name):
    twin = getattr(AsyncStore, name, None)

    assert inspect.iscoroutinefunction(twin) or inspect.isasyncgenfunction(twin)
    assert parameters(twin) == parameters(getattr(store, name))
    assert answer(twin) == answer(getattr(store, name))


def test_the_asynchronous_store_offers_nothing_else():
    assert {name for name in vars(AsyncStore) if not name.startswith("_")} == set(operations())


NOT_OVER_HTTP = {"import_state", "import_batch", "link_parent", "archive_before_rewrite"}  # of files where the store is


@pytest.mark.parametrize("name", sorted(set(operations()) - NOT_OVER_HTTP))
def test_the_protocol_and_the_store_of_a_server_offer_what_the_asynchronous_store_offers(name):
    for twin in (getattr(SessionStore, name), getattr(HttpStore, name)):
        assert parameters(twin) == parameters(getattr(AsyncStore, name))
        assert answer(twin) == answer(getattr(AsyncStore, name))


@pytest.mark.parametrize("kind", [SessionStore, HttpStore])
def test_they_offer_nothing_else(kind):
    assert {name for name in vars(kind) if not name.startswith("_")} == set(operations()) - NOT_OVER_HTTP


def test_the_import_contract_names_every_module():
    contract = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    named = set(re.findall(r"[\w.]+", " ".join(contract["layers"])))

    for package in (APP, CHECKOUT / "sessions_site"):
        children = {path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
        assert {f"{package.name}.{child}" for child in children - {"__init__", "migrations"}} <= named
