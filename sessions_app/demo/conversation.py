"""Writes a session as an agent would have recorded it: one method for each thing that people and agents do."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import Any

Message = dict[str, Any]


class Conversation:
    """A session of Claude Code, one line for each block. Times go on by what each step takes."""

    agent = "claude-code"
    model = "claude-opus-4-5"

    def __init__(self, cwd: str, title: str = "", *, days: float, hour: float = 9.5):
        """Begins `days` days ago at `hour`, by the clock that `begin` is given later; see `starting`."""
        self.cwd, self.title = cwd, title
        self.days, self.hour = days, hour
        self.messages: list[Message] = []
        self.prompts: list[int] = []  # positions
        self._elapsed = timedelta()
        self._start: datetime | None = None
        self._calls = 0

    def starting(self, now: datetime) -> Conversation:
        """Sets the times of all messages; never later than a minute ago."""
        day = (now - timedelta(days=self.days)).replace(hour=0, minute=0, second=0, microsecond=0)
        start = min(day + timedelta(hours=self.hour), now - timedelta(minutes=1) - self._elapsed)
        for message in self.messages:
            message["timestamp"] = _iso(start + timedelta(seconds=message["timestamp"]))
        self._start = start
        return self

    @property
    def begun(self) -> datetime:
        assert self._start is not None
        return self._start

    @property
    def ended(self) -> datetime:
        return self.begun + self._elapsed

    # What happens

    def asks(self, text: str, *, after: float = 90, image: bytes | None = None) -> Conversation:
        """A person types; `after` seconds after what was before."""
        self.prompts.append(len(self.messages))
        blocks: list[Message] = [{"type": "text", "text": text}]
        if image:
            data = base64.b64encode(image).decode()
            blocks.append({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}})
        return self._line("user", blocks if image else text, after)

    def thinks(self, text: str) -> Conversation:
        return self._line("assistant", [{"type": "thinking", "thinking": text}], 7, tokens=len(text) // 3)

    def says(self, text: str) -> Conversation:
        return self._line("assistant", [{"type": "text", "text": text}], 5 + len(text) / 90, tokens=len(text) // 4)

    def uses(
        self, tool: str, arguments: Message, result: str | list[Message], *, failed: bool = False, seconds: float = 0.4,
        details: Message | None = None,
    ) -> Conversation:  # fmt: skip
        """A tool is called and answers; `details` is what the agent records beside the text."""
        self._calls += 1
        id = f"toolu_{self._calls:04d}"
        self._line("assistant", [{"type": "tool_use", "id": id, "name": tool, "input": arguments}], 3, tokens=64)
        block = {"type": "tool_result", "tool_use_id": id, "content": result, "is_error": failed}
        self._line("user", [block], seconds)
        self.messages[-1]["toolUseResult"] = {"durationMs": round(seconds * 1000), **(details or {})}
        return self

    def runs(self, command: str, output: str, *, code: int = 0, seconds: float = 0.4) -> Conversation:
        text = f"Exit code {code}\n{output}" if code else output
        details = {"stdout": output, "stderr": "", "exitCode": code}
        return self.uses("Bash", {"command": command}, text, failed=bool(code), seconds=seconds, details=details)

    def reads(self, path: str, text: str, *, first: int = 1) -> Conversation:
        lines = text.rstrip("\n").splitlines()
        numbered = "\n".join(f"{number:>6}\t{line}" for number, line in enumerate(lines, first))
        arguments = {"file_path": path} if first == 1 else {"file_path": path, "offset": first, "limit": len(lines)}
        return self.uses("Read", arguments, numbered, seconds=0.05)

    def edits(self, path: str, old: str, new: str, *, first: int = 1) -> Conversation:
        arguments = {"file_path": path, "old_string": old, "new_string": new}
        patch = [{"oldStart": first, "newStart": first, "lines": _signed(old, new)}]
        return self.uses("Edit", arguments, f"The file {path} has been updated.", details={"structuredPatch": patch})

    def writes(self, path: str, content: str) -> Conversation:
        return self.uses("Write", {"file_path": path, "content": content}, f"File created successfully at: {path}")

    def searches(self, pattern: str, found: str, *, path: str = ".") -> Conversation:
        return self.uses("Grep", {"pattern": pattern, "path": path}, found, seconds=0.1)

    def looks_up(self, query: str, found: str, *, seconds: float = 1.4) -> Conversation:
        return self.uses("WebSearch", {"query": query}, found, seconds=seconds)

    def plans(self, *tasks: tuple[str, str]) -> Conversation:
        """Tasks as (words, "pending" | "in_progress" | "completed")."""
        todos = [{"content": words, "status": status, "activeForm": words} for words, status in tasks]
        return self.uses("TodoWrite", {"todos": todos}, "Todos have been modified successfully.", seconds=0.02)

    def delegates(self, description: str, prompt: str, answer: str, *, agent_id: str, seconds: float) -> Conversation:
        arguments = {"description": description, "prompt": prompt, "subagent_type": "general-purpose"}
        content = [{"type": "text", "text": answer}]
        return self.uses(
            "Task", arguments, content, seconds=seconds, details={"agentId": agent_id, "status": "completed"}
        )

    def notes(self, kind: str, **values: Any) -> Conversation:
        """A line of the program itself, such as a snapshot of files."""
        self.messages.append({"type": kind, "timestamp": self._elapsed.total_seconds(), **values})
        return self

    def goes_on_from(self, summary: str) -> Conversation:
        """What the program puts in the place of a history that had become too long."""
        self.notes("system", subtype="compact_boundary", content="Conversation compacted")
        self._line("user", summary, 1)
        self.messages[-1]["isCompactSummary"] = True
        return self

    def _line(self, role: str, content: Any, seconds: float, tokens: int = 0) -> Conversation:
        self._elapsed += timedelta(seconds=seconds)
        message: Message = {"role": role, "content": content}
        if role == "assistant":
            message |= {
                "model": self.model,
                "usage": {"input_tokens": 2000 + 40 * len(self.messages), "output_tokens": tokens},
            }
        line = {"type": role, "cwd": self.cwd, "uuid": f"line-{len(self.messages):05d}", "message": message}
        self.messages.append(line | {"timestamp": self._elapsed.total_seconds()})
        return self


class CodexConversation(Conversation):
    """The same as Codex CLI records it."""

    agent = "codex"
    model = "gpt-5.1-codex"

    def uses(
        self, tool: str, arguments: Message, result: str | list[Message], *, failed: bool = False, seconds: float = 0.4,
        details: Message | None = None,
    ) -> Conversation:  # fmt: skip
        self._calls += 1
        id = f"call_{self._calls:04d}"
        call = {"type": "function_call", "name": tool, "arguments": json.dumps(arguments), "call_id": id}
        self._payload(call, 3)
        return self._payload({"type": "function_call_output", "call_id": id, "output": result}, seconds)

    def runs(self, command: str, output: str, *, code: int = 0, seconds: float = 0.4) -> Conversation:
        text = f"Exit code: {code}\nWall time: {seconds} seconds\nOutput:\n{output}"
        return self.uses("shell", {"command": ["bash", "-lc", command]}, text, seconds=seconds)

    def edits(self, path: str, old: str, new: str, *, first: int = 1) -> Conversation:
        patch = "\n".join(["*** Begin Patch", f"*** Update File: {path}", "@@", *_signed(old, new), "*** End Patch"])
        return self.uses("apply_patch", {"input": patch}, "Success. Updated the following files:\nM " + path)

    def thinks(self, text: str) -> Conversation:
        return self._payload({"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}, 6)

    def _line(self, role: str, content: Any, seconds: float, tokens: int = 0) -> Conversation:
        kind = "input_text" if role == "user" else "output_text"
        texts = content if isinstance(content, str) else "\n".join(block.get("text", "") for block in content)
        return self._payload({"type": "message", "role": role, "content": [{"type": kind, "text": texts}]}, seconds)

    def _payload(self, payload: Message, seconds: float) -> Conversation:
        self._elapsed += timedelta(seconds=seconds)
        line = {"timestamp": self._elapsed.total_seconds(), "type": "response_item", "payload": payload}
        self.messages.append(line)
        return self


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _signed(old: str, new: str) -> list[str]:
    """The lines of a hunk: what both share at their ends is context."""
    before, after = old.splitlines(), new.splitlines()
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    return [
        *(f" {line}" for line in before[:head]),
        *(f"-{line}" for line in before[head : len(before) - tail]),
        *(f"+{line}" for line in after[head : len(after) - tail]),
        *(f" {line}" for line in before[len(before) - tail :]),
    ]
