"""Transcripts as the agents write them, with a value for everything that does not matter."""

import json
from itertools import count
from pathlib import Path
from uuid import UUID, uuid5

from sessions_app.models import Session, Transcript

_NAMESPACE = UUID("6f0e5a3e-0f1c-4c5e-9a51-3a2f6f2b7c11")


def an_id(name: str) -> str:
    return str(uuid5(_NAMESPACE, name))


def write(path: Path, *lines, end: str = "\n") -> Path:
    """Lines are JSON objects, or text that is written as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts) + end if texts else "")
    return path


def add(path: Path, *lines) -> None:
    with path.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


class ClaudeCode:
    """Lines of one session in Claude Code's words, each the child of the one before it."""

    def __init__(self, name: str = "main", cwd: str = "/home/ann/tide", **common):
        self.session, self.cwd, self.common = an_id(name), cwd, common
        self.parent = None
        self._numbers = count()

    def line(self, type: str, content, **more) -> dict:
        number = next(self._numbers)
        line = {
            "parentUuid": self.parent,
            "isSidechain": False,
            "cwd": self.cwd,
            "sessionId": self.session,
            "type": type,
            "message": {"role": type, "content": content},
            "uuid": an_id(f"{self.session} {number}"),
            "timestamp": f"2026-01-02T03:{number // 60:02}:{number % 60:02}.000Z",
            **self.common,
            **more,
        }
        self.parent = line["uuid"]
        return line

    def prompt(self, text: str = "When is high tide?", **more) -> dict:
        return self.line("user", text, **more)

    def answer(self, text: str = "At noon.", **more) -> dict:
        return self.line("assistant", [{"type": "text", "text": text}], **more)

    def talk(self, *texts: str) -> list[dict]:
        return [self.answer(text) if index % 2 else self.prompt(text) for index, text in enumerate(texts)]

    def path(self, home: Path) -> Path:
        return home / "projects" / "-home-ann-tide" / f"{self.session}.jsonl"


def forked_by_sdk(lines: list[dict], parent: ClaudeCode, child: ClaudeCode) -> list[dict]:
    """The lines as the SDK's fork_session copies them: new uuids, and a pointer each."""
    pointers = [{"sessionId": parent.session, "messageUuid": line["uuid"]} for line in lines]
    return [
        child.line(line["type"], line["message"]["content"], timestamp=line["timestamp"], forkedFrom=pointer)
        for line, pointer in zip(lines, pointers, strict=True)
    ]


def forked_by_cli(lines: list[dict], child: ClaudeCode) -> list[dict]:
    """The lines as --fork-session copies them: all as before but the session's id."""
    return [{**line, "sessionId": child.session} for line in lines]


class Codex:
    """Lines of one rollout, numbered as Codex 0.169 does; `first` is the number of the first one."""

    def __init__(self, name: str = "main", cwd: str = "/home/ann/tide", first: int = 0):
        self.id, self.cwd = an_id(name), cwd
        self.ordinal = first

    def line(self, kind: str, /, **payload) -> dict:
        line = {
            "timestamp": f"2026-01-02T03:{self.ordinal // 60:02}:{self.ordinal % 60:02}.000Z",
            "ordinal": self.ordinal,
            "type": kind,
            "payload": payload,
        }
        self.ordinal += 1
        return line

    def meta(self, **more) -> dict:
        return self.line("session_meta", id=self.id, cwd=self.cwd, source="cli", **more)

    def forked_meta(self, parent: "Codex", lines: int) -> dict:
        base = {"thread_id": parent.id, "end_ordinal_exclusive": lines, "end_byte_offset": 1}
        return self.meta(forked_from_id=parent.id, forked_from_ordinal_exclusive=lines, history_base=base)

    def prompt(self, text: str = "When is high tide?") -> dict:
        content = [{"type": "input_text", "text": text}]
        return self.line("response_item", type="message", role="user", content=content)

    def answer(self, text: str = "At noon.") -> dict:
        content = [{"type": "output_text", "text": text}]
        return self.line("response_item", type="message", role="assistant", content=content)

    def path(self, home: Path) -> Path:
        return home / "sessions" / "2026" / "01" / "02" / f"rollout-2026-01-02T03-04-05-{self.id}.jsonl"


def the_session(of: ClaudeCode | Codex | str, subpath: str = "") -> Session:
    """The live session that a transcript became."""
    id = of if isinstance(of, str) else of.session if isinstance(of, ClaudeCode) else of.id
    return Session.objects.get(transcript__external_id=id, transcript__subpath=subpath)


def messages(store, session: Session) -> list[dict]:
    return store.get_messages(session.id)


def everything() -> list[tuple]:
    """All that imports write, to be compared before and after."""
    sessions = Session.objects.order_by("id").values_list(
        "id", "parent_id", "relation", "fork_point", "title", "turns", "message_count", "version", "updated_at"
    )
    transcripts = Transcript.objects.order_by("pk").values_list(
        "session_id", "path", "size", "offset", "lines", "detail"
    )
    return [*sessions, *transcripts]
