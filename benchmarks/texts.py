"""Realistic sessions out of text that is on the machine: source code and documentation, the same at every run."""

from __future__ import annotations

import random
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SOURCES = (
    (Path(sysconfig.get_paths()["stdlib"]), "*.py"),
    (Path("/usr/share/doc"), "*"),
    (Path("/usr/share/perl"), "*.p[lm]"),
    (Path("/usr/include"), "*.h"),
)
SOURCE_LIMIT = 40_000_000  # bytes of text read in all
FILE_LIMIT = 400_000  # bytes of one file
LINES = {"user": (1, 4), "assistant": (3, 25), "tool": (2, 40)}  # of a message
SESSION = (4, 12, 30, 60, 120, 300)  # messages of a session, chosen with
WEIGHTS = (2, 3, 4, 4, 2, 1)
FORKS = 0.15  # of the sessions


class Texts:
    def __init__(self) -> None:
        self.lines = [line for path in _files() for line in path.read_text(errors="replace").splitlines() if line]
        self._number = 0

    def messages(self, choose: random.Random, count: int) -> list[dict[str, Any]]:
        return [self._message(choose) for _ in range(count)]

    def _message(self, choose: random.Random) -> dict[str, Any]:
        self._number += 1
        role = ("user", "assistant", "tool")[self._number % 3]
        count = choose.randint(*LINES[role])
        start = choose.randrange(len(self.lines) - count)
        message: dict[str, Any] = {"role": role, "content": "\n".join(self.lines[start : start + count])}
        if role == "assistant":
            args = {"command": f"sed -n {choose.randint(1, 999)}p file{choose.randrange(10**6):06}.py"}
            message["tool_calls"] = [{"id": f"call_{self._number}", "name": "shell", "args": args}]
        if role == "tool":
            message["tool_call_id"] = f"call_{self._number - 1}"
        return message

    def sessions(self, count: int) -> Iterator[tuple[bool, list[dict[str, Any]]]]:
        """Messages by session until there are `count`, and whether the session is to be a fork that goes on with them.

        Fewer are the beginning of more, so that the same queries are asked of all sizes from 100,000 on.
        """
        choose = random.Random(4)
        while count > 0:
            length = min(count, choose.choices(SESSION, WEIGHTS)[0])
            yield choose.random() < FORKS, self.messages(choose, length)
            count -= length


def _files() -> Iterator[Path]:
    left = SOURCE_LIMIT
    for root, pattern in SOURCES:
        for path in sorted(root.rglob(pattern)) if root.is_dir() else ():
            if not path.is_file() or path.suffix == ".gz":
                continue
            size = path.stat().st_size
            if size > FILE_LIMIT or b"\0" in path.read_bytes()[:1000]:
                continue
            left -= size
            if left < 0:
                return
            yield path


def queries(texts: list[str], count: int) -> list[str]:
    """What people look for: words, phrases, parts of lines and of identifiers, names of files, things that are nowhere."""
    choose, found = random.Random(1), []
    while len(found) < count:
        text = choose.choice(texts)
        words = text.split()
        if len(words) < 6:
            continue
        at = choose.randrange(len(words) - 3)
        query = choose.choice(
            (
                words[at],
                max(words, key=len)[:40],
                " ".join(words[at : at + 2]),
                " ".join(words[at : at + 3]),
                text[len(text) // 2 :][:12],
                max(words, key=len)[2:14].upper(),
                f"file{choose.randrange(10**6):06}",
                "".join(reversed(words[at])),
            )
        ).strip()
        if len(query) >= 3:
            found.append(query)
    return found


ADVERSARIAL = (
    "the thing is that the self is not in the return of the import",  # absent, of common trigrams
    "return the import self the",
    "the the the the the",
    "e e e e e",
    "    \n        \n    return",
    "--------------------------------------------------------------------------------#",
    "()()()()",
    "...",
    "!?",
    "=",
    "zq",
    "\u2603",
    "def the_function_that_is_nowhere(self, and, its, arguments) -> None: return None" * 3,
)
