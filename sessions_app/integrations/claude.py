"""Claude Agent SDK: a SessionStore on Forklore, so that a run's transcript is kept, searched and forked here.

    async with open_store() as store:
        options = ClaudeAgentOptions(session_store=ClaudeSessionStore(store))

The protocol is that of claude_agent_sdk.types.SessionStore; the SDK itself is imported where it is used alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sessions_app.errors import InvalidTag, InvalidTitle, SessionNotFound
from sessions_app.integrations.named import WINDOW, Known, Writer
from sessions_app.integrations.transcripts import project_name
from sessions_app.projection.values import dict_of, text_of
from sessions_app.protocol import SessionStore
from sessions_app.records import Message, NamedSession, Origin, ParentLink

SOURCE = "claude-agent-sdk"
AGENT = "claude-code"  # whose transcripts these are


class ClaudeSessionStore:
    """All six methods of the protocol. Sessions are in the project of their working directory, or in `project`.

    An entry whose uuid is there already is not written again, so an append that is tried again writes nothing twice.
    What is deleted goes to the trash. Sub-agents are children of their session, and forks by the SDK of theirs; titles
    and tags that the SDK's helpers write become those of the session.
    """

    def __init__(self, store: SessionStore, *, project: str | None = None):
        self._store = store
        self._project = project
        self._writer = Writer(store, AGENT, "uuid")

    async def append(self, key: Any, entries: Sequence[Message]) -> None:
        origin, entries = _origin(key), list(entries)
        project = self._project or _project(key, entries)
        known = await self._writer.append(origin, project, entries, _link(origin, entries))
        if known and not origin.subpath:
            await self._apply(known, entries)

    async def load(self, key: Any) -> list[Message] | None:
        found = await self._store.find_named(_origin(key))
        if found is None or not found.message_count:
            return None
        try:
            return await self._store.get_messages(found.id)
        except SessionNotFound:  # deleted since
            return None

    async def list_sessions(self, project_key: str) -> list[dict[str, Any]]:
        found = await self._store.named(SOURCE, project_key)
        return [
            {"session_id": each.origin.external_id, "mtime": _mtime(each)} for each in found if not each.origin.subpath
        ]

    async def list_session_summaries(self, project_key: str) -> list[dict[str, Any]]:
        """Folded from what came since they were last asked for, so that an append costs nothing for them."""
        found = await self._store.named(SOURCE, project_key)
        return [await self._summary(each) for each in found if not each.origin.subpath]

    async def delete(self, key: Any) -> None:
        origin = _origin(key)
        for each in await self._store.named(SOURCE, origin.project_key):
            of_it = not origin.subpath or each.origin.subpath == origin.subpath
            if each.origin.external_id == origin.external_id and of_it:
                await self._delete(each)

    async def list_subkeys(self, key: Any) -> list[str]:
        found = await self._store.named(SOURCE, key["project_key"])
        return [
            each.origin.subpath
            for each in found
            if each.origin.external_id == key["session_id"] and each.origin.subpath
        ]

    async def _delete(self, named: NamedSession) -> None:
        self._writer.forget(named.origin)
        with suppress(SessionNotFound):  # somebody else was faster
            await self._store.delete(named.session.id)

    async def _apply(self, known: Known, entries: Sequence[Message]) -> None:
        """What the SDK's helpers say of a session in entries of their own: its title and its tag."""
        for entry in entries:
            kind = entry.get("type")
            if kind == "custom-title" and (title := text_of(entry.get("customTitle")).strip()):
                try:
                    await self._store.rename(known.id, title)
                except InvalidTitle:  # longer than ours are
                    await self._store.suggest_title(known.id, title)
            elif kind == "ai-title":
                await self._store.suggest_title(known.id, text_of(entry.get("aiTitle")))
            elif kind == "tag":
                await self._set_tag(known, text_of(entry.get("tag")).strip())

    async def _set_tag(self, known: Known, name: str) -> None:
        """The SDK's sessions have one tag or none."""
        for other in await self._store.tags(known.id):
            await self._store.untag(known.id, other)
        if name:
            with suppress(InvalidTag):  # too long, or of quotes; it stands in the entry
                await self._store.tag(known.id, "-".join(name.split()))

    async def _summary(self, named: NamedSession) -> dict[str, Any]:
        from claude_agent_sdk._internal.session_summary import fold_session_summary

        session, origin = named.session, named.origin
        key = {"project_key": origin.project_key, "session_id": origin.external_id}
        folded = named.detail.get("folded", 0)
        # After messages were dropped in Forklore all is folded anew.
        begins_anew = not 0 < folded <= session.message_count
        summary = None if begins_anew else named.detail["summary"]
        done = 0 if begins_anew else folded
        for start in range(done, session.message_count, WINDOW):
            stop = min(start + WINDOW, session.message_count)
            summary = fold_session_summary(summary, key, await self._store.get_messages(session.id, start, stop))  # type: ignore[arg-type]
        if done < session.message_count:
            await self._store.keep_detail(origin, {"folded": session.message_count, "summary": summary})
        return {**dict_of(summary), "session_id": origin.external_id, "mtime": _mtime(named)}


def _origin(key: Any) -> Origin:
    return Origin(SOURCE, key["project_key"], key["session_id"], key.get("subpath") or "")


def _project(key: Any, entries: Sequence[Message]) -> str:
    cwd = next((found for entry in entries if (found := text_of(entry.get("cwd")))), "")
    return project_name(cwd, key["project_key"])


def _link(origin: Origin, entries: Sequence[Message]) -> ParentLink | None:
    if origin.subpath:
        return ParentLink(Origin(SOURCE, origin.project_key, origin.external_id), "subagent")
    parents = [text_of(dict_of(entry.get("forkedFrom")).get("sessionId")) for entry in entries]
    parent = next(filter(None, parents), "")
    if not parent or parent == origin.external_id:
        return None
    shared = max(at for at, of in enumerate(parents) if of) + 1
    return ParentLink(Origin(SOURCE, origin.project_key, parent), "fork", shared)


def _mtime(named: NamedSession) -> int:
    return int(named.session.updated_at.timestamp() * 1000)
