"""The OpenAI Agents SDK's own Runner on our sessions, offline, with a tool and a scripted model."""

import asyncio

import pytest
from agents import Agent, Runner, function_tool
from agents.memory import Session, SessionSettings
from agents.testing import ScriptedModel, assistant_message, function_call

from sessions_app.errors import InvalidLineage, NameTaken
from sessions_app.integrations.openai import OpenAISession


@function_tool
def price(article: str) -> str:
    """The price of an article."""
    return f"{article} costs 7"


def agent(*steps):
    return Agent(name="clerk", model=ScriptedModel(steps), tools=[price])


@pytest.fixture
def run(opened_either_way):
    def go(scenario):
        async def within():
            async with opened_either_way() as store:
                return await scenario(store)

        return asyncio.run(within())

    return go


def said(text, role="user"):
    return {"role": role, "content": text}


class ARun:
    def test_with_a_tool_is_kept_whole_and_gone_on_from(self, run):
        async def scenario(store):
            session = OpenAISession("support-17", store, project="shop")
            model = agent(
                [function_call("price", {"article": "pear"}, call_id="call_1")],
                [assistant_message("Seven.")],
                [assistant_message("Yes, seven.")],
            )
            first = await Runner.run(model, "How much is a pear?", session=session)
            await Runner.run(model, "Sure?", session=OpenAISession("support-17", store, project="shop"))
            (record,) = await store.list_by_project("shop", 9)
            hits = await store.search("costs 7", 9)
            return first.final_output, await session.get_items(), record, hits, model.model.calls

        output, items, record, hits, calls = run(scenario)
        assert output == "Seven."
        assert [item.get("type") or item["role"] for item in items] == [
            *("user", "function_call", "function_call_output", "message"),
            *("user", "message"),
        ]
        assert (record.title, record.turns, record.messages) == ("How much is a pear?", 2, items)
        assert [hit.position for hit in hits] == [2]
        assert len(calls) == 3

    def test_finds_our_sessions_to_be_sessions(self, run):
        async def scenario(store):
            return isinstance(OpenAISession("s", store, project="shop"), Session)

        assert run(scenario)


class Items:
    def test_come_the_latest_first_where_they_are_limited(self, run):
        async def scenario(store):
            session = OpenAISession("s", store, project="shop")
            before = await session.get_items(), await session.pop_item()
            await session.add_items([said(str(number)) for number in range(9)])
            limited = OpenAISession("s", store, project="shop", session_settings=SessionSettings(limit=2))
            texts = [
                [item["content"] for item in items]
                for items in (await session.get_items(3), await limited.get_items(), await session.get_items(0))
            ]
            return before, texts

        assert run(scenario) == (([], None), [["6", "7", "8"], ["7", "8"], []])

    def test_are_taken_back_one_by_one_and_all_at_once(self, run):
        async def scenario(store):
            session = OpenAISession("s", store, project="shop")
            await session.add_items([said("a"), said("b", "assistant"), said("c")])
            taken = await session.pop_item()
            await session.add_items([said("d")])
            left = await session.get_items()
            await session.clear_session()
            await session.add_items([said("e")])
            return taken, left, await session.get_items(), (await session.record()).turns

        assert run(scenario) == (said("c"), [said("a"), said("b", "assistant"), said("d")], [said("e")], 1)

    def test_of_many_tasks_are_all_kept(self, run):
        async def scenario(store):
            sessions = [OpenAISession("s", store, project="shop") for _ in range(4)]
            await asyncio.gather(*(sessions[n % 4].add_items([said(str(n))]) for n in range(40)))
            return sorted(int(item["content"]) for item in await sessions[0].get_items())

        assert run(scenario) == list(range(40))


class AName:
    def test_whose_session_was_deleted_elsewhere_stands_for_the_next_one(self, run):
        async def scenario(store):
            here, there = (OpenAISession("s", store, project="shop") for _ in range(2))
            await here.add_items([said("a")])
            before = await here.get_items(), await there.get_items()
            await store.delete((await there.record()).id)
            gone = await there.get_items()
            await there.add_items([said("b")])
            return before, gone, await here.get_items()

        assert run(scenario) == (([said("a")], [said("a")]), [], [said("b")])


class Branches:
    def test_are_forks_that_cost_nothing_and_go_their_own_ways(self, run):
        async def scenario(store):
            session = OpenAISession("s", store, project="shop")
            await session.add_items([said(str(n)) for n in range(6)])
            branch = await session.fork(4, "s-2")
            await branch.add_items([said("other")])
            await session.pop_item()
            records = await session.record(), await branch.record()
            return [len(await each.get_items()) for each in (session, branch)], records

        counts, (root, fork) = run(scenario)
        assert counts == [5, 5]
        assert (fork.parent_id, fork.fork_point, fork.relation) == (root.id, 4, "fork")

    def test_have_names_of_their_own(self, run):
        async def scenario(store):
            session = OpenAISession("s", store, project="shop")
            await session.add_items([said("a")])
            await session.fork(session_id="t")
            with pytest.raises(NameTaken):
                await session.fork(session_id="t")
            with pytest.raises(InvalidLineage):
                await session.fork(2)
            return len(await store.list_by_project("shop", 9))

        assert run(scenario) == 2
