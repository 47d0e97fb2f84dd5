"""Measures turns of concurrent agents, beside the stores of OpenAI's SDK and of LangGraph, in one run on one machine.

    python3 run.py benchmark agents [--database sqlite|postgresql] [--seconds 3] [--messages 1000] [--agents 1,8,50]

A turn is what the OpenAI SDK's Runner does with a tool call: read all items, add the prompt, add the call with its
result, add the answer. A turn of LangGraph's savers is what its own loop asks of them for the same graph of an agent and
its tools, each step durable before the next: read the last checkpoint, write one of the input, of the prompt, of the call,
of its result and of the answer, and beside all but the first the writes that made it (decision 0031). It is told of them,
too, what they take for three checkpoints alone, which is less than LangGraph needs. A turn is measured
whole, and without the reading, as an agent that holds its list takes it. Every store keeps
its sessions in a database of the same kind with the same durability: SQLite with synchronous=FULL, PostgreSQL with
fsync. Agents go round their share of SESSIONS sessions, so that none grows far beyond its first messages, however fast
its store is. Prints a table for each database and the bars of issue 8, each met or missed, and ends with 1 if one is
missed. It takes three to eight minutes for each database.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.measuring import database
from sessions_app.async_store import open_store
from sessions_app.integrations.openai import OpenAISession

CHECKOUT = Path(__file__).parents[1]
OURS = "Forklore, async"
HTTP = "Forklore, HTTP"
LANGGRAPH_TIMES = 5.0  # as many turns a second as LangGraph's savers, at least
THREE_ALONE = ", 3 puts"  # of LangGraph's savers, the checkpoints that hold what is new; told, and no bar
APPEND_MOST = 5.0  # milliseconds over HTTP, p50
APPENDS = 300
SESSIONS = 50  # of each store; as many as the agents, if those are more
BLOCKED_MOST = 5.0  # milliseconds for which the event loop may stand still
LOOK = 0.001  # seconds between two looks of the watchdog

Turn = Callable[[int, int, bool], Awaitable[None]]  # of an agent: its number, that of the turn, whether it reads first
Store = Callable[[AsyncExitStack, int, int], Awaitable[Turn]]  # opened in a stack, with sessions of so many messages


def main() -> int:
    options = _options()
    missed: list[str] = []
    for kind in options.database or ["sqlite", "postgresql"]:
        with database(kind) as url, tempfile.TemporaryDirectory(prefix="forklore-agents-") as directory:
            missed += [f"{kind}: {name}" for name in asyncio.run(_measure(kind, url, Path(directory), options))]
    for name in missed:
        print(f"missed: {name}")
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", action="append", choices=["sqlite", "postgresql"])
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--messages", type=int, default=1000, help="of each session at first")
    parser.add_argument("--agents", default="1,8,50", type=lambda text: [int(each) for each in text.split(",")])
    return parser.parse_args()


async def _measure(kind: str, url: str, directory: Path, options: argparse.Namespace) -> list[str]:
    stores = _stores(kind, url, directory)
    cases = [(count, reads) for reads in (True, False) for count in options.agents]
    heads = "".join(f"{count if reads else f'{count} w':>8}" for count, reads in cases)
    print(f"\n{kind}, turns a second (w: writes alone){heads:>{8 * len(cases)}}", flush=True)
    rates: dict[str, list[float]] = {}
    blocked = 0.0
    for name, store in stores.items():
        rates[name] = []
        print(f"  {name:{len(kind) + 36}}", end="", flush=True)
        async with AsyncExitStack() as stack:
            most = max(SESSIONS, *options.agents)
            turn = await store(stack, most, options.messages)
            for number in 2 * [*range(most)]:  # what stores keep of a session that is in use is there
                await turn(number, -1, True)
            for count, reads in cases:
                rate, worst = await _rate(turn, most, count, reads, options.seconds)
                rates[name].append(rate)
                blocked = worst if name == OURS and (count, reads) == cases[0] else blocked
                print(f"{rate:8.1f}", end="", flush=True)
        print(flush=True)
    append = await _append_over_http(url, directory)
    return _bars(rates, append, blocked, [f"{count} agents{'' if reads else ', writing'}" for count, reads in cases])


def _bars(rates: dict[str, list[float]], append: float, blocked: float, cases: list[str]) -> list[str]:
    """Tell each, and give those that are missed."""
    peers = [name for name in rates if name not in (OURS, HTTP)]
    missed = []

    def tell(bar: str, found: str, met: bool) -> None:
        print(f"  {'met   ' if met else 'MISSED'}  {bar}: {found}", flush=True)
        if not met:
            missed.append(bar)

    for place, case in enumerate(cases):
        for peer in peers:
            times = rates[OURS][place] / rates[peer][place]
            if THREE_ALONE in peer:
                print(f"  -       {case} to {peer}: {times:.2f}", flush=True)
                continue
            least = LANGGRAPH_TIMES if "LangGraph" in peer else 1.0
            tell(f"{case} to {peer}, at least {least:g} times", f"{times:.2f}", times >= least)
    tell(f"append over HTTP, p50 at most {APPEND_MOST:g} ms", f"{append:.2f}", append <= APPEND_MOST)
    standing = f"the event loop of one agent stands still for at most {BLOCKED_MOST:g} ms"
    tell(standing, f"{blocked:.1f}", blocked <= BLOCKED_MOST)
    return missed


async def _rate(turn: Turn, most: int, count: int, reads: bool, seconds: float) -> tuple[float, float]:
    """Turns a second of that many agents, and for how many milliseconds the event loop stood still at most."""
    done = 0
    until = 0.0

    async def agent(number: int) -> None:
        nonlocal done
        own = range(number, most, count)
        at = 0
        while time.perf_counter() < until:
            await turn(own[at % len(own)], at, reads)
            at += 1
            done += 1

    watchdog = _Watchdog()
    began = time.perf_counter()
    until = began + seconds
    async with watchdog:
        await asyncio.gather(*(agent(number) for number in range(count)))
    return done / (time.perf_counter() - began), watchdog.worst


class _Watchdog:
    """How much later than asked for the event loop came back, at most."""

    worst = 0.0  # milliseconds

    async def __aenter__(self) -> _Watchdog:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(LOOK)
            self.worst = max(self.worst, (time.perf_counter() - before - LOOK) * 1000)


# What a turn writes


def _history(count: int) -> list[dict[str, Any]]:
    return [_said(number, "user" if number % 2 == 0 else "assistant") for number in range(count)]


def _said(number: int, role: str) -> dict[str, Any]:
    return {"role": role, "content": f"message {number}: " + "some words of an answer " * 20}


def _steps(number: int, at: int) -> list[list[dict[str, Any]]]:
    call = {"type": "function_call", "call_id": f"c{at}", "name": "price", "arguments": f'{{"article": "{number}"}}'}
    output = {"type": "function_call_output", "call_id": f"c{at}", "output": "costs seven " * 20}
    return [[_said(at, "user")], [call, output], [_said(at, "assistant")]]


async def _turn_of(session: Any, number: int, at: int, reads: bool) -> None:
    """As the OpenAI SDK's Runner takes it."""
    if reads:
        await session.get_items()
    for items in _steps(number, at):
        await session.add_items(items)


# The stores


def _stores(kind: str, url: str, directory: Path) -> dict[str, Store]:
    ours = {OURS: _forklore(url), HTTP: _forklore_over_http(url, directory)}
    if kind == "sqlite":
        peers = {
            "OpenAI SDK, SQLiteSession": _sqlite_session(directory),
            "OpenAI SDK, SQLAlchemySession": _sqlalchemy_session(f"sqlite+aiosqlite:///{directory}/alchemy.db"),
            "LangGraph, AsyncSqliteSaver": _langgraph_sqlite(directory, whole=True),
            f"LangGraph, AsyncSqliteSaver{THREE_ALONE}": _langgraph_sqlite(directory, whole=False),
        }
    else:
        peers = {
            "OpenAI SDK, SQLAlchemySession": _sqlalchemy_session(_for_asyncpg(url)),
            "LangGraph, AsyncPostgresSaver": _langgraph_postgresql(url, whole=True),
            f"LangGraph, AsyncPostgresSaver{THREE_ALONE}": _langgraph_postgresql(url, whole=False),
        }
    return {**ours, **peers}


def _forklore(url: str) -> Store:
    async def opened(stack: AsyncExitStack, count: int, messages: int) -> Turn:
        return await _sessions_of(await stack.enter_async_context(open_store(url)), count, messages)

    return opened


def _forklore_over_http(url: str, directory: Path) -> Store:
    async def opened(stack: AsyncExitStack, count: int, messages: int) -> Turn:
        return await _sessions_of(await stack.enter_async_context(_served(url, directory)), count, messages)

    return opened


async def _sessions_of(store: Any, count: int, messages: int) -> Turn:
    names = f"{time.time_ns()}"
    sessions = [OpenAISession(f"{names} {number}", store, project="bench") for number in range(count)]
    for session in sessions:
        await session.add_items(_history(messages))

    async def turn(number: int, at: int, reads: bool) -> None:
        await _turn_of(sessions[number], number, at, reads)

    return turn


@asynccontextmanager
async def _served(url: str, directory: Path) -> AsyncIterator[Any]:
    """The store of a server in a process of its own on that database."""
    from tests.servers import Server

    settings = {**os.environ, "DATABASE_URL": url, "FORKLORE_DATA": str(directory / "data")}
    command = [sys.executable, "manage.py", "up", "--port=0", "--no-browser"]
    server = await asyncio.to_thread(Server, command, CHECKOUT, settings)
    try:
        token = (directory / "data" / "token").read_text().strip()
        async with open_store(server.url, token=token) as store:
            yield store
    finally:
        await asyncio.to_thread(server.stop)


async def _append_over_http(url: str, directory: Path) -> float:
    taken = []
    async with _served(url, directory) as store:
        session = await store.create("bench", _history(1000))
        for number in range(APPENDS):
            began = time.perf_counter()
            await store.append(session.id, [_said(number, "user")])
            taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)[APPENDS // 2]


def _sqlite_session(directory: Path) -> Store:
    async def opened(stack: AsyncExitStack, count: int, messages: int) -> Turn:
        from agents.memory import SQLiteSession

        path = directory / f"openai-{count}.db"
        sessions = [SQLiteSession(str(number), path) for number in range(count)]
        for session in sessions:
            stack.callback(session.close)
            await session.add_items(_history(messages))  # type: ignore[arg-type]

        async def turn(number: int, at: int, reads: bool) -> None:
            await _turn_of(sessions[number], number, at, reads)

        return turn

    return opened


def _sqlalchemy_session(url: str) -> Store:
    async def opened(stack: AsyncExitStack, count: int, messages: int) -> Turn:
        from agents.extensions.memory import SQLAlchemySession
        from sqlalchemy.ext.asyncio import create_async_engine

        engine = create_async_engine(url)
        stack.push_async_callback(engine.dispose)
        sessions = [
            SQLAlchemySession(f"{count} {number}", engine=engine, create_tables=True) for number in range(count)
        ]
        for session in sessions:
            await session.add_items(_history(messages))  # type: ignore[arg-type]

        async def turn(number: int, at: int, reads: bool) -> None:
            await _turn_of(sessions[number], number, at, reads)

        return turn

    return opened


def _langgraph_sqlite(directory: Path, whole: bool) -> Store:
    async def opened(stack: AsyncExitStack, count: int, messages: int) -> Turn:
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        path = str(directory / f"langgraph-{count}-{whole}.db")
        saver = await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(path))
        await saver.setup()
        return await _threads_of(saver, count, messages, whole)

    return opened


def _langgraph_postgresql(url: str, whole: bool) -> Store:
    async def opened(stack: AsyncExitStack, count: int, messages: int) -> Turn:
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
        from psycopg.rows import dict_row
        from psycopg_pool import AsyncConnectionPool

        options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
        pool: Any = AsyncConnectionPool(url, max_size=8, open=False, kwargs=options)
        await stack.enter_async_context(pool)
        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        return await _threads_of(saver, count, messages, whole)

    return opened


async def _threads_of(saver: Any, count: int, messages: int, whole: bool) -> Turn:
    names = f"{time.time_ns()}"
    threads = [_Thread(saver, f"{names} {number}") for number in range(count)]
    for thread in threads:
        thread.said = _history(messages)
        await thread.put("messages")

    async def turn(number: int, at: int, reads: bool) -> None:
        thread = threads[number]
        if reads:
            await thread.read()
        prompt, made, answer = _steps(number, at)
        if whole:
            await _loop(thread, prompt, made, answer)
            return
        for items in (prompt, made, answer):
            thread.said = [*thread.said, *items]
            await thread.put("messages")

    return turn


async def _loop(thread: _Thread, prompt: list[Any], made: list[Any], answer: list[Any]) -> None:
    """What langgraph 1.2 calls for a turn of MessagesState with a node of the agent and one of its tools, in the order
    and with the channels that it has. It hands over a checkpoint and the writes that led to it at once."""
    await thread.put("__start__", input={"messages": prompt})
    steps = ((prompt, "branch:to:agent"), (made[:1], "branch:to:tools"), (made[1:], "branch:to:agent"), (answer, None))
    for items, following in steps:
        writes = [("messages", items), *([(following, None)] if following else [])]
        before = thread.config
        thread.said = [*thread.said, *items]
        await asyncio.gather(
            thread.saver.aput_writes(before, writes, str(uuid4()), "~__pregel_pull"),
            thread.put("messages", *([following] if following else [])),
        )


class _Thread:
    """A conversation as LangGraph goes on from it. A checkpoint holds the whole list; the version of a channel says that
    it is new."""

    def __init__(self, saver: Any, name: str):
        self.saver = saver
        self.said: list[Any] = []
        self.version: Any = None
        self.versions: dict[str, Any] = {}
        self._first = {"configurable": {"thread_id": name, "checkpoint_ns": ""}}
        self.config: Any = self._first

    async def read(self) -> None:
        found = await self.saver.aget_tuple(self._first)
        self.said = list(found.checkpoint["channel_values"]["messages"])
        self.versions = dict(found.checkpoint["channel_versions"])
        self.config = found.config

    async def put(self, *channels: str, input: Any = None) -> None:
        from langgraph.checkpoint.base import empty_checkpoint

        self.version = self.saver.get_next_version(self.version, None)
        new = dict.fromkeys(channels, self.version)
        self.versions |= new
        checkpoint = {**empty_checkpoint(), "channel_versions": dict(self.versions)}
        checkpoint["channel_values"] = {"messages": self.said, **{name: None for name in channels if ":" in name}}
        if input:
            checkpoint["channel_values"]["__start__"] = input
        metadata = {"source": "input" if input else "loop", "step": len(self.said), "parents": {}}
        self.config = await self.saver.aput(self.config, checkpoint, metadata, new)


def _for_asyncpg(url: str) -> str:
    """The same server as SQLAlchemy names it: by a Unix socket's directory, if that is where it listens."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


if __name__ == "__main__":
    sys.exit(main())
