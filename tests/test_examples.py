"""Every example of README and docs/agents.md does what it says, as its text stands there."""

import ast
import asyncio
import os
import re
import subprocess
import sys
import types
from pathlib import Path
from uuid import uuid4

import agents
import pytest
from agent_framework import Agent, BaseChatClient, ChatResponse, Message
from agents.testing import ScriptedModel, assistant_message
from claude_agent_sdk import ClaudeAgentOptions
from google import adk as google_adk
from google.genai.types import Content
from google.genai.types import Part as AdkPart
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.models.test import TestModel as PydanticModel

from sessions_app.async_store import open_store
from tests.builders import a_session, texts
from tests.integrations.scripted import Scripted
from tests.store.storage import settled

CHECKOUT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


def block(file: str, heading: str, number: int = 0) -> str:
    """The example under a heading."""
    part = re.split(r"^## ", (CHECKOUT / file).read_text(), flags=re.M)
    (section,) = [each for each in part if each.startswith(f"{heading}\n")]
    return BLOCK.findall(section)[number]


async def run(text: str, **given: object) -> dict[str, object]:
    """Run an example, awaits and all; what it defines."""
    space = dict(given)
    code = compile(text, "example", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    made = types.FunctionType(code, space)()
    if asyncio.iscoroutine(made):
        await made
    return space


@pytest.fixture
def within(the_store):
    """Run a scenario with an open store on the test's database."""

    def go(scenario):
        async def opened():
            async with open_store() as store:
                return await asyncio.wait_for(scenario(store), 60)

        return asyncio.run(opened())

    return go


def clerk(*answers: str) -> agents.Agent:
    return agents.Agent(name="clerk", model=ScriptedModel([[assistant_message(answer)] for answer in answers]))


def test_every_example_is_run():
    asked = {("README.md", "For agents"): 2}
    asked |= {("docs/agents.md", name): 1 for name in HEADINGS}
    for file in ("README.md", "docs/agents.md"):
        count = sum(number for (of, _), number in asked.items() if of == file)
        assert len(BLOCK.findall((CHECKOUT / file).read_text())) == count


HEADINGS = ("A chat loop", "Two writers", "Following", "Claude Agent SDK", "OpenAI Agents SDK", "pydantic-ai", "agent-framework")  # fmt: skip


class ThoseOfTheReadme:
    def test_begin_with_a_program_of_its_own(self, tmp_path):
        (tmp_path / "agent.py").write_text(block("README.md", "For agents"))
        settings = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(CHECKOUT)}
        command = [sys.executable, "-W", "error", "agent.py"]
        done = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=60)
        assert (done.stderr, done.returncode) == ("", 0)
        assert "Hello! What shall we build?" in done.stdout
        assert (tmp_path / "agent.db").exists()

    def test_put_the_sessions_of_three_sdks_here(self, within):
        async def scenario(store):
            given = {"store": store, "ClaudeAgentOptions": ClaudeAgentOptions, "Runner": agents.Runner}
            given |= {"adk": google_adk, "root_agent": google_adk.Agent(name="clerk", model=Scripted(["Hi there."]))}
            space = await run(block("README.md", "For agents", 1), agent=clerk("Hello!"), **given)
            options, runner = space["options"], space["runner"]
            await runner.session_service.create_session(app_name="shop", user_id="ada", session_id="s")
            prompt = Content(role="user", parts=[AdkPart(text="good day")])
            said = [each async for each in runner.run_async(user_id="ada", session_id="s", new_message=prompt)]
            assert said[-1].content.parts[0].text == "Hi there."
            key = {"project_key": "-code-shop", "session_id": str(uuid4())}
            await options.session_store.append(key, [{"type": "user", "message": {"role": "user", "content": "hi"}}])
            return await store.list_sessions(9)

        titles = [each.title for each in within(scenario)]
        assert titles == ["hi", "good day", "hello"]


class ThoseOfTheDocs:
    def test_chat(self, within):
        async def scenario(store):
            async def model(messages):
                return f"answer {len(messages)}"

            chat = (await run(block("docs/agents.md", "A chat loop")))["chat"]
            return await store.get(await chat(store, model, ["one", "two"]))

        record = within(scenario)
        assert (record.turns, record.title, texts(record)) == (2, "one", ["one", "answer 1", "two", "answer 3"])

    def test_write_beside_others(self, within):
        async def scenario(store):
            add = (await run(block("docs/agents.md", "Two writers")))["add"]
            session = await store.create("demo", [])
            messages = [{"role": "user", "content": "x", "id": str(number)} for number in range(10)]
            await asyncio.gather(*(add(store, session.id, each) for each in messages * 2))
            return await store.get_messages(session.id)

        assert sorted(int(each["id"]) for each in within(scenario)) == list(range(10))

    def test_follow(self, within, the_store):
        session = a_session(the_store, "one")
        settled()

        async def scenario(store):
            following = asyncio.ensure_future((await run(block("docs/agents.md", "Following")))["titles"](store, 1))
            while not following.done():  # it follows from a moment on that it does not tell
                await store.rename(session.id, "a title")
                await asyncio.wait([following], timeout=0.3)
            return following.result()

        assert within(scenario) == ["a title"]

    def test_are_the_claude_sdks(self, within):
        async def scenario(store):
            text = block("docs/agents.md", "Claude Agent SDK")
            options = (await run(text, store=store, ClaudeAgentOptions=ClaudeAgentOptions))["options"]
            key = {"project_key": "-code-shop", "session_id": "s"}
            await options.session_store.append(key, [{"type": "user", "uuid": "1"}])
            return await options.session_store.load(key)

        assert within(scenario) == [{"type": "user", "uuid": "1"}]

    def test_branch_in_the_openai_sdk(self, within):
        async def scenario(store):
            given = {"store": store, "Runner": agents.Runner, "agent": clerk("Seven.", "Fourteen.")}
            space = await run(block("docs/agents.md", "OpenAI Agents SDK"), **given)
            fork = await space["branch"].record()
            return fork, await space["session"].record(), space["second"].final_output

        fork, root, output = within(scenario)
        assert (fork.parent_id, fork.fork_point, output) == (root.id, 1, "Fourteen.")
        assert (root.message_count, fork.message_count) == (2, 3)

    def test_go_on_in_pydantic_ai(self, within):
        async def scenario(store):
            ask = (await run(block("docs/agents.md", "pydantic-ai")))["ask"]
            model = PydanticModel(custom_output_text="Seven.")
            clerk = PydanticAgent(model)
            session = await store.create("shop", [])
            await ask(clerk, store, session.id, "How much is a pear?")
            output = await ask(clerk, store, session.id, "Sure?")
            return output, await store.get(session.id), await store.search("SEVEN", 9, distinct="message")

        output, record, hits = within(scenario)
        assert output == "Seven."
        assert (record.title, record.turns, record.message_count) == ("How much is a pear?", 2, 4)
        assert [hit.role for hit in hits] == ["assistant", "assistant"]

    def test_go_on_in_agent_framework(self, within):
        async def scenario(store):
            provider = (await run(block("docs/agents.md", "agent-framework")))["Forklore"](store, "shop")
            client = Echo()
            clerk = Agent(client, context_providers=[provider])
            session = clerk.create_session(session_id="support-17")
            await clerk.run("How much is a pear?", session=session)
            await clerk.run("Sure?", session=session)
            return client.seen, (await store.list_by_project("shop", 9))

        seen, (record,) = within(scenario)
        assert seen == [1, 3]  # messages before each answer: what was kept came back
        assert (record.title, record.turns, record.message_count) == ("How much is a pear?", 2, 4)


class Echo(BaseChatClient):
    """A model that counts what it is given."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def _inner_get_response(self, *, messages, stream=False, **further):
        self.seen.append(len(messages))

        async def answer():
            return ChatResponse(messages=[Message("assistant", ["Seven."])])

        return answer()
