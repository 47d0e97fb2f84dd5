"""Google's Agent Development Kit: a session service on Forklore, whose sessions are searched, read and forked here.

    async with open_store() as store:
        runner = Runner(app_name="shop", agent=agent, session_service=ForkloreSessionService(store))

Only this module imports the SDK, of which it needs the base class.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from uuid import uuid4

from google.adk.errors import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events.event import Event
from google.adk.sessions import BaseSessionService, Session
from google.adk.sessions.base_session_service import GetSessionConfig, ListSessionsResponse
from google.adk.sessions.state import State
from pydantic_core import to_jsonable_python

from sessions_app import errors
from sessions_app.projection import Kind, project
from sessions_app.projection.values import dict_of, text_of
from sessions_app.protocol import SessionStore
from sessions_app.records import Message, Origin, SessionRecord

SOURCE = "google-adk"
SHARED = "google-adk-state"  # of sessions that hold the state of an app or of a user
SHARED_MOST = 256  # changes that such a session holds before they become one
REMEMBERED = 256  # locks


class ForkloreSessionService(BaseSessionService):
    """Each event is a message; what it changes in the state is read from the events themselves.

    Sessions are in the project of their app's name, or in `project`, and a deleted one goes to the trash. The state of
    an app (`app:`) and of a user (`user:`) is kept in an archived session of each, and written before the event that
    changes it. A session that was written elsewhere since it was read is refused with StaleSessionError.
    """

    def __init__(self, store: SessionStore, *, project: str | None = None):
        self._store = store
        self._project = project
        self._locks: dict[Origin, asyncio.Lock] = {}

    async def create_session(
        self, *, app_name: str, user_id: str, state: dict[str, Any] | None = None, session_id: str | None = None
    ) -> Session:
        id = (session_id or "").strip() or str(uuid4())
        given = dict_of(to_jsonable_python(state or {}, fallback=str))
        own = {key: value for key, value in given.items() if not key.startswith(_PREFIXES)}
        # A message that is no event: with it the session and its first state are there at once.
        begin = [_changed(own)] if own else []
        record, created = await self._store.open_named(
            _origin(app_name, user_id, id), self._project_of(app_name), begin, agent=SOURCE
        )
        if not created:
            raise AlreadyExistsError(f"Session with id {id} already exists.")
        await self._share(app_name, user_id, given)
        return await self._session(app_name, user_id, id, record, [], own)

    async def get_session(
        self, *, app_name: str, user_id: str, session_id: str, config: GetSessionConfig | None = None
    ) -> Session | None:
        for id in dict.fromkeys((session_id, session_id.strip())):
            record = await self._store.find_named(_origin(app_name, user_id, id))
            if record is None:
                continue
            try:
                messages = await self._store.get_messages(record.id, 0, record.message_count)
            except errors.SessionNotFound:  # deleted since
                return None
            events = _events(messages, config)
            return await self._session(app_name, user_id, id, record, events, _state(messages))
        return None

    async def list_sessions(self, *, app_name: str, user_id: str | None = None) -> ListSessionsResponse:
        """The one that was written last comes last; without events and states, as the SDK has it."""
        found = await self._store.named(SOURCE, app_name)
        chosen = [each for each in found if user_id is None or each.origin.subpath == user_id]
        chosen.sort(key=lambda each: (each.session.updated_at, each.origin.subpath, each.origin.external_id))
        sessions = [
            Session(
                app_name=app_name,
                user_id=each.origin.subpath,
                id=each.origin.external_id,
                last_update_time=each.session.updated_at.timestamp(),
            )
            for each in chosen
        ]
        return ListSessionsResponse(sessions=sessions)

    async def delete_session(self, *, app_name: str, user_id: str, session_id: str) -> None:
        for id in dict.fromkeys((session_id, session_id.strip())):
            if found := await self._store.find_named(_origin(app_name, user_id, id)):
                with suppress(errors.SessionNotFound):  # somebody else was faster
                    await self._store.delete(found.id)
                return

    async def get_user_state(self, *, app_name: str, user_id: str) -> dict[str, Any]:
        return await self._shared(_of_user(app_name, user_id))

    async def append_event(self, session: Session, event: Event) -> Event:
        if event.partial:
            return event
        self._apply_temp_state(session, event)
        event = self._trim_temp_delta_state(event)
        origin = _origin(session.app_name, session.user_id, session.id)
        async with self._lock(origin):
            record = await self._store.find_named(origin)
            if record is None:
                raise SessionNotFoundError(f"Session {session.id} not found.")
            await self._append(session, event, record)
        return self._commit_event_to_session(session, event)

    async def _append(self, session: Session, event: Event, record: SessionRecord) -> None:
        version = _version(session) or record.version
        message = _message(event)
        if version != record.version:
            raise StaleSessionError(f"Session {session.id} was written since it was read; read it anew.")
        await self._share(session.app_name, session.user_id, _delta(message))
        turns = int(project(message).kind == Kind.PROMPT)
        try:
            await self._store.append(record.id, [message], turns_added=turns, expected_version=version)
        except errors.VersionConflict as error:
            raise StaleSessionError(str(error)) from error
        except errors.SessionNotFound as error:
            raise SessionNotFoundError(f"Session {session.id} not found.") from error
        session.last_update_time = event.timestamp
        session._storage_update_marker = str(version + 1)

    async def _session(
        self,
        app_name: str,
        user_id: str,
        id: str,
        record: SessionRecord,
        events: list[Event],
        state: dict[str, Any],
    ) -> Session:
        of_app, of_user = await self._shared(_of_app(app_name)), await self._shared(_of_user(app_name, user_id))
        session = Session(
            app_name=app_name,
            user_id=user_id,
            id=id,
            state={
                **state,
                **{State.APP_PREFIX + key: value for key, value in of_app.items()},
                **{State.USER_PREFIX + key: value for key, value in of_user.items()},
            },
            events=events,
            last_update_time=record.updated_at.timestamp(),
        )
        session._storage_update_marker = str(record.version)
        return session

    # What an app, or a user of it, shares between sessions

    async def _share(self, app_name: str, user_id: str, delta: dict[str, Any]) -> None:
        for prefix, origin in ((State.APP_PREFIX, _of_app(app_name)), (State.USER_PREFIX, _of_user(app_name, user_id))):
            changed = {key.removeprefix(prefix): value for key, value in delta.items() if key.startswith(prefix)}
            if changed:
                await self._change(origin, app_name, changed)

    async def _change(self, origin: Origin, app_name: str, changed: dict[str, Any]) -> None:
        record, created = await self._store.open_named(
            origin, self._project_of(app_name), [_changed(changed)], agent=SOURCE
        )
        if created:
            of = f"user {origin.subpath} of {app_name}" if origin.subpath else app_name
            await self._store.suggest_title(record.id, f"State of {of}")
            await self._store.archive(record.id)
            return
        await self._store.append(record.id, [_changed(changed)])
        if record.message_count >= SHARED_MOST:
            await self._make_one(origin)

    async def _make_one(self, origin: Origin) -> None:
        """Put all changes together, so that reading them stays quick; whoever writes meanwhile has the last word."""
        if record := await self._store.find_named(origin):
            whole = _folded(await self._store.get_messages(record.id, 0, record.message_count))
            with suppress(errors.VersionConflict, errors.SessionNotFound):
                await self._store.update(record.id, [_changed(whole)], 0, expected_version=record.version)

    async def _shared(self, origin: Origin) -> dict[str, Any]:
        record = await self._store.find_named(origin)
        try:
            return _folded(await self._store.get_messages(record.id)) if record else {}
        except errors.SessionNotFound:
            return {}

    def _project_of(self, app_name: str) -> str:
        return self._project or app_name

    def _lock(self, origin: Origin) -> asyncio.Lock:
        if len(self._locks) > REMEMBERED:
            self._locks = {of: lock for of, lock in self._locks.items() if lock.locked()}
        return self._locks.setdefault(origin, asyncio.Lock())


_PREFIXES = (State.APP_PREFIX, State.USER_PREFIX, State.TEMP_PREFIX)


def _origin(app_name: str, user_id: str, id: str) -> Origin:
    return Origin(SOURCE, app_name, id, user_id)


def _of_app(app_name: str) -> Origin:
    return Origin(SHARED, app_name, "app")


def _of_user(app_name: str, user_id: str) -> Origin:
    return Origin(SHARED, app_name, "user", user_id)


def _message(event: Event) -> Message:
    return event.model_dump(mode="json", by_alias=True, exclude_none=True, fallback=str)


def _changed(state: dict[str, Any]) -> Message:
    """In the form of an event's own, but no event: it has no author."""
    return {"actions": {"stateDelta": state}}


def _delta(message: Message) -> dict[str, Any]:
    return dict_of(dict_of(message.get("actions")).get("stateDelta"))


def _state(messages: Iterable[Message]) -> dict[str, Any]:
    """Of a session alone, without what others share with it."""
    return {key: value for key, value in _folded(messages).items() if not key.startswith(_PREFIXES)}


def _folded(messages: Iterable[Message]) -> dict[str, Any]:
    """What all changes came to."""
    state: dict[str, Any] = {}
    for message in messages:
        state |= _delta(message)
    return state


def _events(messages: list[Message], config: GetSessionConfig | None) -> list[Event]:
    found = [message for message in messages if text_of(message.get("author"))]
    if config and config.num_recent_events is not None:
        found = found[len(found) - min(config.num_recent_events, len(found)) :]
    events = [Event.model_validate(message) for message in found]
    if config and config.after_timestamp is not None:
        events = [event for event in events if event.timestamp >= config.after_timestamp]
    return events


def _version(session: Session) -> int | None:
    """At which the session was read; None for one that the caller made."""
    marker = session._storage_update_marker
    return int(marker) if marker and marker.isdigit() else None
