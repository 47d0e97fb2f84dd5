"""The process that benchmarks/live.py is told of: appends to a session by an async store, and prints when it was done.

Run as `python -m benchmarks.live_writer URL SESSION COMMITS`; the times are those of the clock that all processes share.
"""

from __future__ import annotations

import asyncio
import sys
import time
from uuid import UUID

from sessions_app.async_store import open_store

APART = 0.93  # seconds, not a multiple of the time between two looks


async def append(url: str, session: UUID, times: int) -> None:
    async with open_store(url) as agent:
        print("begins", flush=True)
        for number in range(times):
            await asyncio.sleep(APART)
            await agent.append(session, [{"role": "assistant", "content": f"message {number}"}])
            print(time.monotonic(), flush=True)


if __name__ == "__main__":
    asyncio.run(append(sys.argv[1], UUID(sys.argv[2]), int(sys.argv[3])))
