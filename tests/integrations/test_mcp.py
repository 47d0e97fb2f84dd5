"""The MCP server as a client of the SDK meets it, in this process and by the command."""

import asyncio
import sys
from pathlib import Path

import httpx
import httpx2
import mcp
import pytest
from django.contrib.auth.models import User
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from sessions_app import integrations
from sessions_app.access import roles, tokens
from sessions_app.actors import Role
from sessions_app.integrations.mcp import server
from sessions_app.integrations.mcp_mounted import Mounted
from sessions_app.models import Project
from tests.builders import a_message, a_session, environment
from tests.servers import Server

CHECKOUT = Path(__file__).parents[2]


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


@pytest.fixture
def served(the_store, either_database, tmp_path):
    """The address of the command's server."""
    settings = environment(
        either_database, FORKLORE_DATA=str(tmp_path), DJANGO_SETTINGS_MODULE="sessions_site.settings"
    )
    command = [sys.executable, "manage.py", "mcp", "--http", "--port", "0", "--write"]
    with Server(command, CHECKOUT, settings) as server:
        yield server.url


@pytest.fixture
def site(the_store, either_database, tmp_path):
    """The address of the whole site, whose server has MCP too."""
    settings = environment(
        either_database, FORKLORE_DATA=str(tmp_path), DJANGO_SETTINGS_MODULE="sessions_site.settings"
    )
    command = [sys.executable, "manage.py", "up", "--port=0", "--no-browser"]
    with Server(command, CHECKOUT, settings) as server:
        yield server.url


def over_http(url, token, name, **arguments):
    """Call a tool with a token; its text, and whether it failed."""

    async def within():
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            mcp.Client(streamable_http_client(url, http_client=http)) as client,
        ):
            answer = await client.call_tool(name, arguments)
            return "".join(part.text for part in answer.content), bool(answer.is_error)

    return asyncio.run(within())


class OverHttp:
    def test_each_token_finds_what_it_may_see(self, the_store, served):
        seen, hidden = (
            a_session(the_store, "the cart", project="open"),
            a_session(the_store, "the cart", project="closed"),
        )
        ada = User.objects.create(username="ada")
        roles.grant(ada.pk, Project.objects.get(name="open").pk, Role.VIEWER)
        mine, hers = tokens.create("mine"), tokens.create("hers", user_id=ada.pk)

        everything, _ = over_http(served, mine, "search_sessions", query="CART")
        found, _ = over_http(served, hers, "search_sessions", query="CART")
        opened = over_http(served, hers, "open_session", id=str(hidden.id))
        refused = over_http(served, hers, "fork_session", id=str(seen.id), position=1)
        forked = over_http(served, mine, "fork_session", id=str(seen.id), position=1)

        assert [str(each.id) in everything for each in (seen, hidden)] == [True, True]
        assert [str(each.id) in found for each in (seen, hidden)] == [True, False]
        assert opened[0].endswith(f"There is no session {hidden.id}.")
        assert (opened[1], refused[1], forked[1]) == (True, True, False)
        assert "You may not write" in refused[0]
        assert len(the_store.list_by_project("open", 9)) == 2

    def test_nobody_and_no_other_site_is_let_in(self, the_store, served):
        token = tokens.create("agent")
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
        ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}

        def status(**more):
            return httpx.post(served, json=ask, headers={**headers, **more}).status_code

        assert status(Authorization="Bearer x") == status(Authorization="") == 401
        assert status(Origin="http://evil") == 403
        assert status(Host="evil:80") == 421
        assert httpx.get(served, headers=headers).status_code == 405
        assert httpx.post(served + "/other", json=ask, headers=headers).status_code == 404
        assert httpx.post(served, content=b" " * 2**20 + b"{}", headers=headers).status_code == 413
        before = status()
        tokens.revoke("agent")
        assert (before != 401, status()) == (True, 401)


class TheRunningServer:
    def test_shows_each_token_what_it_may_see_and_do(self, the_store, site):
        seen, hidden = (a_session(the_store, "the cart", project=name) for name in ("open", "closed"))
        project = Project.objects.get(name="open").pk
        mine = tokens.create("mine", projects=[project])
        reads = tokens.create("reads", scopes=["read"])

        found, _ = over_http(f"{site}/mcp", mine, "search_sessions", query="CART")
        forked = over_http(f"{site}/mcp", mine, "fork_session", id=str(seen.id), position=1)
        refused = over_http(f"{site}/mcp", reads, "fork_session", id=str(seen.id), position=1)
        everything, _ = over_http(f"{site}/mcp", reads, "search_sessions", query="CART")

        assert f"{site}/sessions/{seen.id}/m/0/" in found
        assert [str(each.id) in found for each in (seen, hidden)] == [True, False]
        assert [str(each.id) in everything for each in (seen, hidden)] == [True, True]
        assert (forked[1], refused[1]) == (False, True)
        assert (len(the_store.list_by_project("open", 9)), len(the_store.list_by_project("closed", 9))) == (2, 1)

    def test_lets_nobody_in_without_a_token_or_from_another_site(self, the_store, site, tmp_path):
        token = (tmp_path / "token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
        ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}

        def status(**more):
            return httpx.post(f"{site}/mcp", json=ask, headers={**headers, **more}).status_code

        assert status() not in (401, 403, 404, 421)
        assert status(Authorization="Bearer x") == status(Authorization="") == 401
        assert status(Origin="http://evil") == 403
        assert status(Host="evil:80") == 421
        assert httpx.get(f"{site}/mcp", headers=headers).status_code == 405

    def test_says_what_it_lacks_where_the_package_is_not_installed(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "sessions_app.integrations.mcp_http", None)  # which makes its import fail
        monkeypatch.delattr(integrations, "mcp_http", raising=False)
        sent = []

        async def within():
            async def send(message):
                sent.append(message)

            scope = {"type": "http", "path": "/mcp", "method": "POST", "headers": []}
            await Mounted(None)(scope, None, send)

        asyncio.run(within())
        assert sent[0]["status"] == 501
        assert b"forklore[mcp]" in sent[1]["body"]


def test_the_command_serves_on_standard_input(the_store, either_database):
    a_session(the_store, "Mend the cart")
    command = StdioServerParameters(command=sys.executable, args=["manage.py", "mcp"], env=environment(either_database))

    async def within():
        async with mcp.Client(stdio_client(command)) as client:
            return (await client.call_tool("search_sessions", {"query": "cart"})).content[0].text

    assert "Mend the cart" in asyncio.run(within())
