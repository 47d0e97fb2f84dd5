"""Reads from the result of a tool whether it went well, its exit code and duration, and what it printed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["ok", "failed", "stopped", "waiting", ""]
HEADER_LINES = 8
HEADER_LINE_LIMIT = 120  # characters
JSON_LIMIT = 2_000_000  # characters of an output that is itself JSON
REFUSED = "The user doesn't want to proceed with this tool use"


@dataclass(frozen=True, slots=True)
class Outcome:
    text: str
    is_error: bool | None = None  # None where nothing was recorded
    exit_code: int | None = None
    seconds: float | None = None
    is_refused: bool = False  # the person said no

    @property
    def state(self) -> State:
        if self.is_refused:
            return "stopped"
        if self.exit_code is not None:
            return "failed" if self.exit_code else "ok"
        return "failed" if self.is_error else "ok"


def outcome(text: str, is_error: bool | None, details: Mapping[str, Any]) -> Outcome:
    """`details` is what the agent recorded beside the text: Claude Code's toolUseResult, or nothing."""
    text = text.removeprefix("<tool_use_error>").removesuffix("</tool_use_error>")
    exit_code = _whole(details.get("exitCode"))
    seconds = _seconds(details)
    text, found_exit, found_seconds = _without_header(text)
    exit_code = found_exit if found_exit is not None else exit_code
    seconds = found_seconds if found_seconds is not None else seconds
    return Outcome(text, is_error, exit_code, seconds, text.startswith(REFUSED))


def codex_details(output: Any) -> Mapping[str, Any]:
    """What older Codex wrote around an output: {"output": …, "metadata": {"exit_code", "duration_seconds"}} as text."""
    if not isinstance(output, str) or not output.startswith('{"output":') or len(output) > JSON_LIMIT:
        return {}
    try:
        metadata = json.loads(output).get("metadata")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(metadata, dict):
        return {}
    return {"exitCode": metadata.get("exit_code"), "durationSeconds": metadata.get("duration_seconds")}


def _seconds(details: Mapping[str, Any]) -> float | None:
    milliseconds = _number(details.get("durationMs")) or _number(details.get("totalDurationMs"))
    return milliseconds / 1000 if milliseconds is not None else _number(details.get("durationSeconds"))


def _without_header(text: str) -> tuple[str, int | None, float | None]:
    """Newer Codex heads an output with "Exit code: 1", "Wall time: 0.2 seconds" and "Output:"; Claude Code with the first.

    What is no whole header is text, whatever it looks like.
    """
    exit_code = seconds = None
    start = 0
    for _ in range(HEADER_LINES):
        end = text.find("\n", start, start + HEADER_LINE_LIMIT)
        line = text[start : end if end >= 0 else start + HEADER_LINE_LIMIT].strip()
        start = end + 1 if end >= 0 else len(text)
        if line == "Output:":
            return text[start:], exit_code, seconds
        if line.startswith(("Exit code: ", "Exit code ", "Process exited with code ")):
            exit_code = _whole(line.rsplit(" ", 1)[-1])
            rest = text[start:]
        elif line.startswith("Wall time: ") and line.endswith(" seconds"):
            seconds = _number(line.split()[2])
        elif not line.startswith(("Chunk ID: ", "Original token count: ", "Total output lines: ")):
            break
        if end < 0:
            break
    return (text, None, None) if exit_code is None else (rest, exit_code, None)


def _whole(value: Any) -> int | None:
    try:
        return int(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
    except ValueError:
        return None


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
