"""An MCP server: any agent can search its own past, open what it finds in pieces, and fork it where that is allowed.

Answers are texts of bounded length with links to the pages, for what an agent reads costs it tokens.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from functools import wraps
from typing import Any
from uuid import UUID

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from sessions_app.errors import StoreError
from sessions_app.projection import project, search_texts
from sessions_app.protocol import SessionStore
from sessions_app.records import Message, SessionRecord
from sessions_app.search.filters import ROLES

MOST = 50  # sessions or hits in one answer
BUDGET = 4_000  # tokens of one answer to open_session, unless asked for another
MOST_BUDGET = 20_000
PER_TOKEN = 4  # characters, about
LONGEST = 2_000  # characters of one message, where it is not the only one
INSTRUCTIONS = """Sessions of AI agents that were kept by Forklore. search_sessions finds any part of a text, as it stands,
whatever its case; open_session reads from the position of a hit on. A session is named by its id or the first eight
characters of it. Cite the links."""


Url = str | Callable[[], str]


def server(store: SessionStore, url: Url, *, may_write: bool = False) -> MCPServer:
    """Tools on an open store; `url` is where its pages are. Without `may_write` none of them changes anything."""
    app: MCPServer = MCPServer("forklore", instructions=INSTRUCTIONS, log_level="WARNING")

    @app.tool()
    @_in_one_sentence
    async def search_sessions(query: str, filters: str = "", limit: int = 10) -> str:
        """Find messages and titles that contain a text, newest sessions first.

        filters: words such as project:/code/shop role:user after:30d is:fork tag:keep, each with - for its opposite.
        """
        hits = await store.search(query, _bounded(limit), filters=filters)
        if not hits:
            return f"Nothing contains “{query}”."
        return "\n".join(
            f"{str(hit.id)[:8]} {_at(hit.position)}{hit.updated_at:%Y-%m-%d} “{hit.title}” in {hit.project}: {hit.snippet}"
            f" {_link(url, hit.id, hit.position)}"
            for hit in hits
        )

    @app.tool()
    @_in_one_sentence
    async def list_sessions(project: str = "", limit: int = 20, after: str = "") -> str:
        """The latest sessions, of one project or of all. after: what the answer before said to go on with."""
        found = await store.list_sessions(_bounded(limit), project=project or None, after=_key(after))
        if not found:
            return "There are no further sessions."
        lines = [_told(each, url) for each in found]
        if len(found) == _bounded(limit):
            lines.append(f"Go on with after={found[-1].updated_at.isoformat()}~{found[-1].id}")
        return "\n".join(lines)

    @app.tool()
    @_in_one_sentence
    async def open_session(id: str, start: int = 0, max_tokens: int = BUDGET) -> str:
        """Read a session from a position on, as much as fits; says where to go on."""
        record = await _one(store, id)
        budget = max(200, min(max_tokens, MOST_BUDGET)) * PER_TOKEN
        lines, position = [_told(record, url)], max(0, start)
        while position < record.message_count and budget > 0:
            window = await store.get_messages(record.id, position, position + 20)
            for message in window:
                text = _text(message, position, min(LONGEST, budget) if len(lines) > 1 else budget)
                budget -= len(text)
                lines.append(text)
                position += 1
                if budget <= 0:
                    break
        if position < record.message_count:
            lines.append(f"{record.message_count - position} more messages: go on with start={position}.")
        return "\n".join(lines)

    @app.tool()
    @_in_one_sentence
    async def latest_session(project: str) -> str:
        """The session of a project that was written last."""
        found = await store.list_sessions(1, project=project)
        return _told(found[0], url) if found else f"There is no session in {project}."

    if may_write:

        @app.tool()
        @_in_one_sentence
        async def fork_session(id: str, position: int, project: str = "") -> str:
            """Make a session that starts with the first `position` messages of another; the other stays as it is.

            It is in the same project unless another is named.
            """
            record = await _one(store, id)
            return _told(await store.fork_at(record.id, position, project or None), url)

    return app


def _in_one_sentence(tool: Callable[..., Awaitable[str]]) -> Callable[..., Awaitable[str]]:
    """Let the agent read what was wrong; of other errors it hears no more than that there was one."""

    @wraps(tool)
    async def told(*arguments: Any, **named: Any) -> str:
        try:
            return await tool(*arguments, **named)
        except (StoreError, ValueError) as error:
            raise ToolError(str(error)) from error

    return told


async def _one(store: SessionStore, id: str) -> SessionRecord:
    found = await store.find_by_id_prefix(id, 11, with_messages=False) if id.strip() else []
    if len(found) == 1:
        return found[0]
    if not found:
        raise StoreError(f"There is no session {id}.")
    ids = ", ".join(str(each.id) for each in found[:10])
    raise StoreError(f"{id} may be any of these; give more of the id: {ids}")


def _told(record: SessionRecord, url: Url) -> str:
    parent = f", {record.relation} of {str(record.parent_id)[:8]}" if record.parent_id else ""
    return (
        f"{str(record.id)[:8]} {record.updated_at:%Y-%m-%d %H:%M} “{record.title}” in {record.project}:"
        f" {record.message_count} messages, {record.turns} turns{parent} {_link(url, record.id, None)}"
    )


def _text(message: Message, position: int, longest: int) -> str:
    role = ROLES.get(project(message).kind, "notice")
    text = "\n".join(_texts(search_texts(message)))
    cut = f" … ({len(text) - longest:,} more characters)" if len(text) > longest else ""
    return f"#{position} {role}: {text[:longest]}{cut}"


def _texts(texts: Iterable[str]) -> Iterable[str]:
    # A lone surrogate cannot be sent; here it is read by a model, and nothing is kept of it.
    return (text.encode("utf-8", "replace").decode() for text in texts if text.strip())


def _at(position: int | None) -> str:
    return "" if position is None else f"#{position} "


def _link(url: Url, id: Any, position: int | None) -> str:
    return f"{url() if callable(url) else url}/sessions/{id}/" + ("" if position is None else f"m/{position}/")


def _bounded(limit: int) -> int:
    return max(1, min(limit, MOST))


def _key(after: str) -> Any:
    """Raises ValueError for what no answer said."""
    if not after:
        return None
    moment, _, id = after.partition("~")
    return datetime.fromisoformat(moment), UUID(id)
