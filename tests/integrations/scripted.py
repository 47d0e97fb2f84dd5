"""A model of Google's ADK that answers what it was told to, without a network."""

from collections.abc import AsyncIterator
from typing import Any

from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.genai.types import Content, FunctionCall, GenerateContentResponseUsageMetadata, Part


class Scripted(BaseLlm):
    """Each step is a text, or the name of a tool with its arguments; what it was asked stands in `asked`."""

    model: str = "scripted"
    steps: list[Any] = []
    asked: list[int] = []  # how many contents each call had

    def __init__(self, steps: list[Any]):
        super().__init__(model="scripted", steps=list(steps), asked=[])

    async def generate_content_async(self, llm_request: LlmRequest, stream: bool = False) -> AsyncIterator[LlmResponse]:
        self.asked.append(len(llm_request.contents))
        step = self.steps.pop(0)
        part = (
            Part(text=step) if isinstance(step, str) else Part(function_call=FunctionCall(name=step[0], args=step[1]))
        )
        usage = GenerateContentResponseUsageMetadata(prompt_token_count=5, candidates_token_count=2)
        yield LlmResponse(content=Content(role="model", parts=[part]), usage_metadata=usage)
