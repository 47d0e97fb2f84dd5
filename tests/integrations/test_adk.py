"""Google's ADK: its own Runner on our sessions, offline, with a tool and a scripted model."""

import asyncio

import pytest
from google.adk import Agent, Runner
from google.adk.errors import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events.event import Event
from google.adk.events.event_actions import EventActions
from google.adk.sessions import InMemorySessionService
from google.adk.sessions.base_session_service import GetSessionConfig
from google.adk.tools import ToolContext
from google.genai.types import Content, Part

from sessions_app.integrations import adk
from sessions_app.integrations.adk import ForkloreSessionService
from sessions_app.models import Session
from sessions_app.projection import project
from tests.integrations.scripted import Scripted

ADA = {"app_name": "shop", "user_id": "ada"}


def price(article: str, tool_context: ToolContext) -> dict:
    """The price of an article."""
    for scope in ("", "user:", "app:", "temp:"):
        tool_context.state[f"{scope}last"] = article
    return {"result": f"{article} costs 7"}


@pytest.fixture
def run(opened_either_way):
    def go(scenario):
        async def within():
            async with opened_either_way() as store:
                return await scenario(store, ForkloreSessionService(store))

        return asyncio.run(within())

    return go


def event(text="hello", author="user", at=None, **delta):
    content = Content(role="user" if author == "user" else "model", parts=[Part(text=text)])
    given = {} if at is None else {"timestamp": at}
    return Event(author=author, invocation_id="i", content=content, actions=EventActions(state_delta=delta), **given)


def texts(session):
    return [each.content.parts[0].text for each in session.events]


async def ask(service, model, text, id="s"):
    runner = Runner(app_name="shop", agent=Agent(name="clerk", model=model, tools=[price]), session_service=service)
    message = Content(role="user", parts=[Part(text=text)])
    return [each async for each in runner.run_async(user_id="ada", session_id=id, new_message=message)]


class ARun:
    def test_with_a_tool_is_kept_whole_and_gone_on_from(self, run):
        async def scenario(store, service):
            model = Scripted([("price", {"article": "pear"}), "Seven.", "Yes, seven."])
            await service.create_session(**ADA, session_id="s")
            first = await ask(service, model, "How much is a pear?")
            await ask(ForkloreSessionService(store), model, "Sure?")
            session = await service.get_session(**ADA, session_id="s")
            records = await store.list_by_project("shop", 9)
            return first, session, records, await store.search("costs 7", 9), model.asked

        first, session, records, hits, asked = run(scenario)
        assert first[-1].content.parts[0].text == "Seven."
        assert [each.author for each in session.events] == ["user", "clerk", "clerk", "clerk", "user", "clerk"]
        assert session.events[1:4] == first
        assert asked == [1, 3, 5]  # contents of each request: what was kept came back
        record = next(each for each in records if each.title == "How much is a pear?")
        assert (record.turns, record.message_count) == (2, 6)
        assert [project(each).kind.name for each in record.messages[:4]] == [
            *("PROMPT", "TOOL_CALL", "TOOL_RESULT", "ANSWER")
        ]
        assert [hit.position for hit in hits if hit.id == record.id] == [2]
        assert session.state == {"last": "pear", "user:last": "pear", "app:last": "pear"}


class State:
    def test_is_shared_by_an_app_and_by_a_user_and_never_kept_where_it_is_temporary(self, run):
        async def scenario(_, service):
            given = {"own": 1, "user:name": "Ada", "app:open": True, "temp:x": 1}
            made = await service.create_session(**ADA, state=given, session_id="one")
            await service.append_event(made, event(**{"own": 2, "app:open": False, "temp:x": 2, "user:age": None}))
            told = dict(made.state)
            other = await service.create_session(**ADA)
            bob = await service.create_session(app_name="shop", user_id="bob")
            elsewhere = await service.create_session(app_name="bank", user_id="ada")
            again = await service.get_session(**ADA, session_id="one")
            user = await service.get_user_state(**ADA)
            return told, again, other.state, bob.state, elsewhere.state, user

        told, again, other, bob, elsewhere, user = run(scenario)
        shared = {"user:name": "Ada", "user:age": None, "app:open": False}
        assert told == {**shared, "own": 2, "temp:x": 2}
        assert again.state == {**shared, "own": 2}
        assert "temp:x" not in again.events[0].actions.state_delta
        assert (other, bob, elsewhere) == (shared, {"app:open": False}, {})
        assert user == {"name": "Ada", "age": None}

    def test_of_many_changes_stays_as_it_is_when_they_become_one(self, run, monkeypatch):
        monkeypatch.setattr(adk, "SHARED_MOST", 5)

        async def scenario(store, service):
            session = await service.create_session(**ADA)
            for number in range(12):
                await service.append_event(session, event(**{f"app:{number % 4}": number}))
            (held,) = await store.named(adk.SHARED, "shop")
            return (await service.get_session(**ADA, session_id=session.id)).state, held.session.message_count

        state, count = run(scenario)
        assert state == {"app:0": 8, "app:1": 9, "app:2": 10, "app:3": 11}
        assert count <= 6

    def test_holds_no_place_in_lists(self, run, the_store):
        async def scenario(_, service):
            session = await service.create_session(**ADA, state={"app:x": 1, "user:y": 2})
            await service.append_event(session, event("a question"))

        run(scenario)
        archived = Session.objects.filter(archived_at__isnull=False).values_list("title", flat=True)
        assert sorted(archived) == ["State of shop", "State of user ada of shop"]
        assert list(Session.objects.filter(archived_at=None).values_list("title", flat=True)) == ["a question"]


class Events:
    def test_come_as_many_and_as_late_as_asked_for(self, run):
        async def scenario(_, service):
            session = await service.create_session(**ADA, session_id="s", state={"x": 1})
            for number in range(6):
                await service.append_event(session, event(str(number), at=1000.0 + number, x=number))
            configs = [
                *({"num_recent_events": 2}, {"num_recent_events": 0}, {"num_recent_events": 99}),
                *({"after_timestamp": 1004.0}, {"after_timestamp": 1001.0, "num_recent_events": 3}, {}),
            ]
            found = [
                await service.get_session(**ADA, session_id="s", config=GetSessionConfig(**config))
                for config in configs
            ]
            return [texts(each) for each in found], {each.state["x"] for each in found}

        found, states = run(scenario)
        assert found == [["4", "5"], [], list("012345"), ["4", "5"], ["3", "4", "5"], list("012345")]
        assert states == {5}  # whatever was left out

    def test_in_part_are_not_kept(self, run):
        async def scenario(_, service):
            session = await service.create_session(**ADA, session_id="s")
            part = event("par")
            part.partial = True
            await service.append_event(session, part)
            return session, await service.get_session(**ADA, session_id="s")

        assert [texts(each) for each in run(scenario)] == [[], []]

    def test_are_refused_to_who_has_not_seen_the_last_ones(self, run):
        async def scenario(_, service):
            here = await service.create_session(**ADA, session_id="s")
            there = await service.get_session(**ADA, session_id="s")
            await service.append_event(here, event("one"))
            with pytest.raises(StaleSessionError):
                await service.append_event(there, event("two", **{"app:x": 1}))
            there = await service.get_session(**ADA, session_id="s")
            await service.append_event(there, event("three"))
            return await service.get_session(**ADA, session_id="s")

        found = run(scenario)
        assert texts(found) == ["one", "three"]
        assert found.state == {}

    def test_of_many_tasks_are_all_kept(self, run):
        async def scenario(_, service):
            session = await service.create_session(**ADA, session_id="s")
            await asyncio.gather(*(service.append_event(session, event(str(n))) for n in range(20)))
            return session, await service.get_session(**ADA, session_id="s")

        session, kept = run(scenario)
        assert texts(session) == texts(kept)
        assert sorted(map(int, texts(kept))) == list(range(20))


class Sessions:
    def test_are_listed_the_latest_last_and_gone_when_deleted(self, run):
        async def scenario(store, service):
            one = await service.create_session(**ADA, session_id=" one ", state={"app:x": 1})
            await service.create_session(**ADA, session_id="two")
            await service.create_session(app_name="shop", user_id="bob", session_id="one")
            await service.append_event(one, event())
            listed = [
                await service.list_sessions(app_name="shop", user_id=user) for user in ("ada", "bob", None, "eve")
            ]
            await service.delete_session(**ADA, session_id="one")
            await service.delete_session(**ADA, session_id="nowhere")
            gone = await service.get_session(**ADA, session_id="one")
            with pytest.raises(SessionNotFoundError):
                await service.append_event(one, event())
            left = await service.list_sessions(app_name="shop")
            anew = await service.create_session(**ADA, session_id="one")
            return listed, gone, left, anew.events

        listed, gone, left, anew = run(scenario)
        names = [[(each.user_id, each.id) for each in found.sessions] for found in (*listed, left)]
        ada, bob = [("ada", "two"), ("ada", "one")], [("bob", "one")]
        assert names == [ada, bob, [ada[0], bob[0], ada[1]], [], [ada[0], bob[0]]]
        assert not any(each.events or each.state for each in listed[2].sessions)
        assert (gone, anew) == (None, [])

    def test_have_ids_of_their_own(self, run):
        async def scenario(_, service):
            await service.create_session(**ADA, session_id="s")
            with pytest.raises(AlreadyExistsError):
                await service.create_session(**ADA, session_id=" s")
            return [(await service.create_session(**ADA, session_id=given)).id for given in (None, "", "  ")]

        assert len(set(run(scenario))) == 3

    def test_read_as_those_of_the_sdk_do(self, run):
        async def one_and_the_other(_, service):
            found = []
            for each in (service, InMemorySessionService()):
                session = await each.create_session(**ADA, session_id="s", state={"a": {"b": [1]}, "user:n": 1})
                for number in range(3):
                    said = event(str(number), "user" if number % 2 else "clerk", 1000.0 + number, **{"app:k": number})
                    said.id = f"e{number}"
                    await each.append_event(session, said)
                read = await each.get_session(**ADA, session_id="s", config=GetSessionConfig(num_recent_events=2))
                found.append((session.state, read.state, [every.model_dump() for every in read.events]))
            return found

        ours, theirs = run(one_and_the_other)
        assert ours == theirs
