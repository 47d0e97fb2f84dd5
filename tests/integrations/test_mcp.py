"""The MCP server as a client of the SDK meets it, in this process and by the command."""

import asyncio
import sys

import mcp
import pytest
from mcp.client.stdio import StdioServerParameters, stdio_client

from sessions_app.integrations.mcp import server
from tests.builders import a_message, a_session, environment


@pytest.fixture
def ask(opened):
    """Call a tool; its text, and whether it failed."""

    def go(name, may_write=False, **arguments):
        async def within():
            async with opened() as store, mcp.Client(server(store, "http://f", may_write=may_write)) as client:
                if name == "":
                    return [tool.name for tool in (await client.list_tools()).tools]
                answer = await client.call_tool(name, arguments)
                return "".join(part.text for part in answer.content), bool(answer.is_error)

        return asyncio.run(within())

    return go


class Tools:
    def test_find_and_open_what_was_said(self, the_store, ask):
        session = a_session(the_store, "Mend the cart", "It is in basket.py", project="/code/shop")
        found, failed = ask("search_sessions", query="BASKET", filters="project:/code/shop")
        opened, _ = ask("open_session", id=str(session.id)[:8], start=1)

        assert not failed
        assert found.startswith(f"{str(session.id)[:8]} #1 ")
        assert f"http://f/sessions/{session.id}/m/1/" in found
        assert opened.splitlines()[1:] == ["#1 assistant: It is in basket.py"]

    def test_list_in_pages(self, the_store, ask):
        for number in range(3):
            a_session(the_store, f"number {number}")
        first, _ = ask("list_sessions", limit=2)
        further, _ = ask("list_sessions", limit=2, after=first.rpartition("after=")[2])
        latest, _ = ask("latest_session", project="demo")
        assert [("number 2" in first, "number 1" in first), "number 0" in further] == [(True, True), True]
        assert "number 2" in latest

    def test_answer_no_longer_than_asked(self, the_store, ask):
        session = the_store.create("demo", [a_message("word " * 2000)] * 30)
        text, _ = ask("open_session", id=str(session.id), max_tokens=1000)
        assert len(text) < 6000
        assert "go on with start=" in text

    def test_change_nothing_unless_they_may(self, the_store, ask):
        session = a_session(the_store, "one", "two")
        assert "fork_session" not in ask("")
        text, failed = ask("fork_session", may_write=True, id=str(session.id), position=1)
        assert not failed
        assert f"fork of {str(session.id)[:8]}" in text
        assert len(the_store.list_by_project("demo", 9)) == 2

    @pytest.mark.parametrize(
        ("name", "arguments", "says"),
        [
            ("open_session", {"id": "ffffffff"}, "There is no session"),
            ("open_session", {"id": ""}, "There is no session"),
            ("search_sessions", {"query": ""}, "at least one character"),
            ("search_sessions", {"query": "x", "filters": "colour:red"}, "colour"),
        ],
    )
    def test_say_what_was_wrong(self, the_store, ask, name, arguments, says):
        text, failed = ask(name, **arguments)
        assert failed
        assert says in text


def test_the_command_serves_on_standard_input(the_store, either_database):
    a_session(the_store, "Mend the cart")
    command = StdioServerParameters(command=sys.executable, args=["manage.py", "mcp"], env=environment(either_database))

    async def within():
        async with mcp.Client(stdio_client(command)) as client:
            return (await client.call_tool("search_sessions", {"query": "cart"})).content[0].text

    assert "Mend the cart" in asyncio.run(within())
