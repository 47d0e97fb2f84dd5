"""A process with an async store of its own that does what it is told on its standard input; for test_live.py.

Each line is a JSON list: a method and its arguments. It answers each with a line: the id of the session, or null.
"""

import asyncio
import json
import sys
from uuid import UUID

import django

django.setup()

from sessions_app.async_store import open_store  # noqa: E402


def known(argument):
    """The id that a text is; anything else as it is."""
    try:
        return UUID(argument)
    except (AttributeError, TypeError, ValueError):
        return argument


async def main(url: str) -> None:
    async with open_store(url) as store:
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            method, *arguments = map(known, json.loads(line))
            answer = await getattr(store, method)(*arguments)
            print(json.dumps(str(answer.id) if hasattr(answer, "id") else None), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
