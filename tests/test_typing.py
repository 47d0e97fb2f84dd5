"""What a type checker tells an agent's author, by the types that come with the package."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]

AGENT = """
from uuid import UUID
from sessions_app.async_store import AsyncStore, open_store
from sessions_app.http_store import HttpStore
from sessions_app.protocol import SessionStore
from sessions_app.records import SessionRecord

stores: list[SessionStore] = [AsyncStore("sqlite:///x"), HttpStore("http://x"), open_store("postgresql://x")]

async def main() -> None:
    for each in stores:
        async with each as store:
            made: SessionRecord = await store.create("shop", [{"role": "user"}])
            async for change in store.watch():
                id: UUID = change.session
"""


@pytest.fixture
def check(tmp_path):
    """What mypy says of a program."""

    def go(text):
        program = tmp_path / "agent.py"
        program.write_text(text)
        command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(program)]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300)
        return [line.partition("error: ")[2] for line in done.stdout.splitlines() if "error: " in line]

    return go


@pytest.mark.once
def test_the_stores_are_session_stores_and_a_wrong_call_is_found(check):
    wrong = AGENT + "            await store.rename(made.id)\n            await store.creat('shop', [])\n"
    assert check(AGENT) == []
    assert [error.split("  ")[0] for error in check(wrong)] == [
        'Missing positional argument "title" in call to "rename" of "SessionStore"',
        '"SessionStore" has no attribute "creat"; maybe "create"?',
    ]
