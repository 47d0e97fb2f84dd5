"""What people and search read from a message, in each of the shapes that agents write."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions_app.projection import UNREADABLE, Kind, Part, project, prompt_text, search_texts, texts_in

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="


def parts(message):
    return list(project(message).parts)


def kinds(message):
    return [part.kind for part in project(message).parts]


def claude(content, type="user", **line):
    return {"type": type, "sessionId": "s", "uuid": "u", "message": {"role": type, "content": content}, **line}


def codex(kind, /, **payload):
    return {"timestamp": "2026-01-02T03:04:05.000Z", "type": kind, "payload": payload}


class TheSeedsOwnMessage:
    def test_is_a_prompt_with_its_time(self):
        message = {"id": "m1", "role": "user", "content": "Fix it", "ts": "2026-01-02T03:04:05Z"}
        assert project(message).kind == Kind.PROMPT
        assert parts(message) == [Part("text", "Fix it")]
        assert project(message).timestamp == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def test_carries_images_and_tool_calls(self):
        message = {
            "role": "assistant",
            "content": "",
            "attachments": [{"type": "image", "media_type": "image/png", "data": PNG}],
            "tool_calls": [{"id": "c1", "name": "grep", "args": {"pattern": "colour"}}],
        }
        assert parts(message) == [
            Part("image", media_type="image/png", image=PNG),
            Part("tool_call", tool_name="grep", tool_id="c1", arguments={"pattern": "colour"}),
        ]
        assert search_texts(message) == ("grep", "colour")

    def test_of_a_tool_is_its_result(self):
        message = {"role": "tool", "content": "3 matches", "tool_call_id": "c1"}
        assert project(message).kind == Kind.TOOL_RESULT
        assert parts(message) == [Part("tool_result", "3 matches", tool_id="c1")]

    def test_keeps_unknown_keys_in_sight(self):
        message = {"role": "user", "content": "hello", "mood": "sunny"}
        assert kinds(message) == ["text", "json"]
        assert search_texts(message) == ("hello", "sunny")


class OpenAIChat:
    def test_arguments_are_decoded_so_that_search_sees_no_escapes(self):
        call = {
            "id": "c",
            "type": "function",
            "function": {"name": "run", "arguments": '{"cmd": "echo \\"caf\\u00e9\\""}'},
        }
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        assert project(message).kind == Kind.TOOL_CALL
        assert search_texts(message) == ("run", 'echo "café"')

    def test_arguments_that_are_no_json_stay_as_they_are(self):
        call = {"id": "c", "function": {"name": "run", "arguments": '{"cmd": "ec'}}
        assert parts({"role": "assistant", "tool_calls": [call]})[0].arguments == '{"cmd": "ec'

    def test_parts_reasoning_and_usage(self):
        message = {
            "role": "assistant",
            "model": "some-model",
            "reasoning_content": "hm",
            "content": [{"type": "text", "text": "Yes"}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 2},
        }
        projection = project(message)
        assert projection.parts == (Part("thinking", "hm"), Part("text", "Yes"))
        assert (projection.kind, projection.model) == (Kind.ANSWER, "some-model")
        assert (projection.input_tokens, projection.output_tokens) == (7, 2)

    def test_an_image_may_be_a_data_url_or_an_address(self):
        def message(url):
            return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}

        assert parts(message(f"data:image/png;base64,{PNG}")) == [Part("image", media_type="image/png", image=PNG)]
        assert parts(message("https://example.org/a.png")) == [Part("image", "https://example.org/a.png")]
        assert project(message(f"data:image/png;base64,{PNG}")).kind == Kind.IMAGE


class OpenAIResponses:
    def test_messages_have_input_and_output_text(self):
        assert (
            prompt_text({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}) == "Hi"
        )
        answer = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
        assert parts(answer) == [Part("text", "No.")]

    @pytest.mark.parametrize(
        ("item", "expected"),
        [
            (
                {"type": "function_call", "name": "f", "call_id": "c", "arguments": '{"a": "b"}'},
                Part("tool_call", tool_name="f", tool_id="c", arguments={"a": "b"}),
            ),
            (
                {"type": "custom_tool_call", "name": "exec", "call_id": "c", "input": "ls -la"},
                Part("tool_call", tool_name="exec", tool_id="c", arguments="ls -la"),
            ),
            (
                {"type": "local_shell_call", "call_id": "c", "action": {"command": ["ls"]}},
                Part("tool_call", tool_name="local_shell", tool_id="c", arguments={"command": ["ls"]}),
            ),
            (
                {"type": "web_search_call", "id": "w", "status": "completed", "action": {"query": "tides"}},
                Part("tool_call", tool_name="web_search", tool_id="w", arguments={"action": {"query": "tides"}}),
            ),
            (
                {"type": "function_call_output", "call_id": "c", "output": "done"},
                Part("tool_result", "done", tool_id="c"),
            ),
            (
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "gAAA"},
                Part("thinking", "Hm"),
            ),
            ({"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}, Part("thinking")),
        ],
    )
    def test_items(self, item, expected):
        assert parts(item) == [expected]

    def test_an_output_that_was_wrapped_in_json_is_unwrapped_with_its_exit_code(self):
        output = json.dumps({"output": "no such file\n", "metadata": {"exit_code": 2}})
        item = {"type": "function_call_output", "call_id": "c", "output": output}
        assert parts(item) == [Part("tool_result", "no such file\n", tool_id="c", is_error=True)]

    def test_an_output_may_be_blocks(self):
        item = {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "2 passed"}]}
        assert parts(item) == [Part("tool_result", "2 passed", tool_id="c")]


class AnthropicBlocks:
    def test_are_read_in_order(self):
        message = {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Let me see", "signature": "EqQB"},
                {"type": "redacted_thinking", "data": "EqQB"},
                {"type": "text", "text": "Looking."},
                {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "ls", "session_id": "s-42"}},
            ],
        }
        assert kinds(message) == ["thinking", "thinking", "text", "tool_call"]
        assert project(message).kind == Kind.ANSWER
        assert search_texts(message) == ("Let me see", "Looking.", "Bash", "ls")

    def test_a_result_may_hold_text_images_and_more(self):
        content = [
            {"type": "text", "text": "one"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            {"type": "web_search_result", "title": "Tides", "encrypted_content": "Eo8B"},
        ]
        message = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": content}]}
        result, image = parts(message)
        assert (result.text, result.tool_id, result.data) == ("one", "t", [content[2]])
        assert image.image == PNG
        assert search_texts(message) == ("one", "web_search_result", "Tides")
        assert prompt_text(message) is None

    def test_a_failed_result_says_so(self):
        content = [{"type": "tool_result", "tool_use_id": "t", "content": "boom", "is_error": True}]
        assert parts({"role": "user", "content": content})[0].is_error is True

    def test_a_document_is_its_title_and_text_but_never_its_bytes(self):
        text = {"type": "document", "title": "Notes", "source": {"type": "text", "data": "spring tide"}}
        pdf = {"type": "document", "title": "Paper", "source": {"type": "base64", "data": PNG}}
        assert search_texts({"role": "user", "content": [text]}) == ("Notes", "spring tide")
        assert PNG not in search_texts({"role": "user", "content": [pdf]})
        assert "Paper" in search_texts({"role": "user", "content": [pdf]})


class ClaudeCodeLines:
    def test_are_their_message_with_time_model_and_tokens(self):
        usage = {
            "input_tokens": 3,
            "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 20,
            "output_tokens": 8,
        }
        line = claude([{"type": "text", "text": "Done"}], "assistant", timestamp="2026-01-02T03:04:05.678Z")
        line["message"] |= {"model": "some-model", "usage": usage}
        projection = project(line)
        assert (projection.role, projection.kind) == ("assistant", Kind.ANSWER)
        assert (projection.model, projection.input_tokens, projection.output_tokens) == ("some-model", 123, 8)
        assert projection.timestamp == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)

    def test_a_message_without_role_has_that_of_its_line(self):
        assert prompt_text({"type": "user", "message": {"content": "Read it"}}) == "Read it"

    def test_the_programs_copy_of_a_result_is_not_found_twice(self):
        line = claude([{"type": "tool_result", "tool_use_id": "t", "content": "ok"}], toolUseResult={"stdout": "ok"})
        assert search_texts(line) == ("ok",)

    @pytest.mark.parametrize(
        ("line", "label", "texts"),
        [
            ({"type": "summary", "summary": "Tide tables", "leafUuid": "u"}, "summary", ("Tide tables",)),
            ({"type": "custom-title", "customTitle": "Tides", "sessionId": "s"}, "custom title", ("Tides",)),
            ({"type": "ai-title", "aiTitle": "Tides", "sessionId": "s"}, "ai title", ("Tides",)),
            ({"type": "tag", "tag": "sea", "sessionId": "s"}, "tag", ("sea",)),
            ({"type": "last-prompt", "lastPrompt": "more", "sessionId": "s"}, "last prompt", ("more",)),
            ({"type": "file-history-snapshot", "snapshot": {"a": "b"}}, "file history snapshot", ()),
            ({"type": "permission-mode", "permissionMode": "plan", "sessionId": "s"}, "permission mode: plan", ()),
            ({"type": "queue-operation", "content": "later", "sessionId": "s"}, "queue operation", ("later",)),
            (
                {"type": "system", "subtype": "compact_boundary", "content": "Compacted", "sessionId": "s"},
                "system: compact boundary",
                ("Compacted",),
            ),
            (
                {"type": "system", "subtype": "api_error", "error": {"reason": "busy"}, "sessionId": "s"},
                "system: api error",
                ("busy",),
            ),
            (
                {"type": "progress", "data": {"type": "hook", "hookName": "lint"}, "sessionId": "s"},
                "progress",
                ("hook", "lint"),
            ),
            ({"type": "attachment", "attachment": {"type": "todo", "note": "x"}}, "attachment: todo", ("x",)),
        ],
    )
    def test_metadata_lines_are_notices(self, line, label, texts):
        assert (project(line).kind, project(line).label) == (Kind.NOTICE, label)
        assert search_texts(line) == texts
        assert prompt_text(line) is None

    def test_a_prompt_that_waited_in_the_queue_is_a_prompt(self):
        line = {
            "type": "attachment",
            "attachment": {"type": "queued_command", "commandMode": "prompt", "prompt": "Stop"},
        }
        assert prompt_text(line) == "Stop"

    @pytest.mark.parametrize("flag", ["isMeta", "isCompactSummary"])
    def test_what_the_program_wrote_is_no_prompt_but_is_found(self, flag):
        line = claude("Read CLAUDE.md first", **{flag: True})
        assert (project(line).kind, prompt_text(line)) == (Kind.NOTICE, None)
        assert search_texts(line) == ("Read CLAUDE.md first",)


class CodexLines:
    def test_a_prompt_counts_once_though_two_lines_hold_it(self):
        item = codex("response_item", type="message", role="user", content=[{"type": "input_text", "text": "Go"}])
        event = codex("event_msg", type="user_message", message="Go")
        assert (project(item).kind, project(event).kind) == (Kind.PROMPT, Kind.NOTICE)
        assert search_texts(item) == search_texts(event) == ("Go",)
        assert project(event).label == "user message"

    def test_an_item_has_the_time_of_its_line(self):
        line = codex("response_item", type="function_call", name="f", call_id="c", arguments="{}")
        assert project(line).timestamp == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def test_a_message_may_lack_its_type(self):
        assert prompt_text(codex("response_item", role="user", content=[{"type": "input_text", "text": "Go"}])) == "Go"

    @pytest.mark.parametrize(
        ("line", "label", "texts"),
        [
            (codex("session_meta", cwd="/work", base_instructions={"text": "You are"}), "session meta", ()),
            (codex("turn_context", model="m"), "turn context", ()),
            (codex("compacted", message="So far"), "compacted", ("So far",)),
            (codex("event_msg", type="agent_message", message="Yes"), "agent message", ("Yes",)),
            (codex("event_msg", type="agent_reasoning", text="Hm"), "agent reasoning", ("Hm",)),
            (codex("event_msg", type="turn_aborted", reason="interrupted"), "turn aborted", ("interrupted",)),
            (
                codex("event_msg", type="item_completed", item={"type": "Reasoning", "summary_text": ["Hm"]}),
                "reasoning completed",
                ("Hm",),
            ),
            (codex("event_msg", type="ExecCommandBegin", command=["ls"], call_id="c"), "exec command begin", ("ls",)),
            (codex("response_item", type="ghost_snapshot", note="x"), "ghost snapshot", ("ghost_snapshot", "x")),
            (codex("something_new", note="x"), "something new", ("x",)),
        ],
    )
    def test_other_lines_are_notices(self, line, label, texts):
        assert (project(line).kind, project(line).label) == (Kind.NOTICE, label)
        assert search_texts(line) == texts

    def test_counts_of_tokens_are_read(self):
        line = codex(
            "event_msg", type="token_count", info={"last_token_usage": {"input_tokens": 9, "output_tokens": 4}}
        )
        assert (project(line).input_tokens, project(line).output_tokens) == (9, 4)

    def test_what_the_model_really_thought_stands_in_an_event_only(self):
        line = codex("event_msg", type="agent_reasoning_raw_content", text="Hm")
        assert project(line).kind == Kind.THINKING

    def test_instructions_of_the_developer_are_a_notice(self):
        line = codex(
            "response_item", type="message", role="developer", content=[{"type": "input_text", "text": "Be kind"}]
        )
        assert (project(line).kind, project(line).label) == (Kind.NOTICE, "developer message")


class Prompts:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            " \n\t",
            "<environment_context>\n<cwd>/work</cwd>\n</environment_context>",
            "<user_instructions>\nBe kind\n</user_instructions>",
            "<session_context>x</session_context>",
            "<system-reminder>x</system-reminder>\n<system-reminder>y</system-reminder>",
            "<command-name>/clear</command-name>\n  <command-message>clear</command-message>\n<command-args></command-args>",
            "<command-message>init is analyzing</command-message>\n<command-name>/init</command-name>",
            "<local-command-stdout></local-command-stdout>",
            "<bash-input>ls</bash-input>",
            "<bash-stdout>a.py</bash-stdout><bash-stderr></bash-stderr>",
            "<task-notification>\n<task-id>a</task-id>",
            '<teammate-message from="a">x</teammate-message>',
            "[Request interrupted by user]",
            "[Request interrupted by user for tool use]",
            "Caveat: The messages below were generated by the user while running local commands. DO NOT respond",
            "# AGENTS.md instructions for /work\n\n<INSTRUCTIONS>Be kind</INSTRUCTIONS>",
            "# Context from my IDE setup:\n\n## Open tabs:\n- a.py",
        ],
    )
    def test_pass_over_what_programs_write(self, text):
        assert prompt_text({"role": "user", "content": text}) is None
        assert project({"role": "user", "content": text}).kind in (Kind.NOTICE, Kind.OTHER)
        assert "".join(search_texts({"role": "user", "content": text})) == text

    @pytest.mark.parametrize(
        ("text", "typed"),
        [
            ("  Fix it \n", "Fix it"),
            ("<div> is not centred", "<div> is not centred"),
            ("# Plan\n1. tides", "# Plan\n1. tides"),
            ("[x] done", "[x] done"),
            ("<system-reminder>x</system-reminder>\nFix it", "Fix it"),
            ("Fix it\n<system-reminder>x</system-reminder>", "Fix it"),
            ("Why does <system-reminder> show up?", "Why does <system-reminder> show up?"),
            ("# Context from my IDE setup:\n## Open tabs:\n\n## My request for Codex:\nFix it\n", "Fix it"),
        ],
    )
    def test_keep_what_a_person_typed(self, text, typed):
        assert prompt_text({"role": "user", "content": text}) == typed
        assert "".join(search_texts({"role": "user", "content": text})) == text

    def test_of_several_blocks_are_one(self):
        content = [
            {"type": "text", "text": "<ide_opened_file>a.py</ide_opened_file>"},
            {"type": "text", "text": "Fix"},
            {"type": "text", "text": "it"},
        ]
        assert prompt_text({"role": "user", "content": content}) == "Fix\nit"

    def test_belong_to_users_only(self):
        assert prompt_text({"role": "assistant", "content": "Done"}) is None
        assert prompt_text({"role": "system", "content": "Be kind"}) is None


class SearchTexts:
    def test_of_an_unknown_shape_are_its_values_without_keys_ids_and_binary_data(self):
        message = {
            "kind": "tide",
            "uuid": "1-2-3",
            "sessionId": "s",
            "toolUseID": "t",
            "request_id": "r",
            "nested": [{"GRID": "harbour", "n": 1}],
            "picture": f"data:image/png;base64,{PNG}",
            "base64": PNG,
        }
        assert project(message).kind == Kind.OTHER
        assert search_texts(message) == ("tide", "harbour")

    def test_of_an_unreadable_line_are_the_line(self):
        line = {UNREADABLE: {"line": 3, "why": "is no JSON", "text": '{"torn'}}
        assert (project(line).kind, search_texts(line)) == (Kind.UNREADABLE, ('{"torn',))
        assert search_texts({UNREADABLE: {"line": 3, "why": "is no UTF-8", "base64": PNG}}) == ("is no UTF-8",)


class PydanticAi:
    def test_tells_a_prompt_from_what_stands_around_it(self):
        image = {"kind": "binary", "media_type": "image/png", "data": "iVBO"}
        message = {
            "kind": "request",
            "parts": [
                {"part_kind": "system-prompt", "content": "Be brief."},
                {"part_kind": "user-prompt", "content": ["How much?", image, {"kind": "image-url", "url": "http://x"}]},
            ],
            "timestamp": "2026-01-02T03:04:05Z",
            "instructions": "of every message again",
            "run_id": "r",
        }
        projection = project(message)
        assert projection.parts == (
            *(Part("notice", "Be brief."), Part("text", "How much?")),
            *(Part("image", media_type="image/png", image="iVBO"), Part("image", "http://x")),
        )
        assert (projection.kind, projection.role, prompt_text(message)) == (Kind.PROMPT, "user", "How much?")
        assert projection.timestamp == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def test_tells_answers_calls_and_results(self):
        call = {"part_kind": "tool-call", "tool_name": "price", "args": '{"article": "pear"}', "tool_call_id": "c"}
        answer = {
            "kind": "response",
            "parts": [{"part_kind": "thinking", "content": "hm"}, {"part_kind": "text", "content": "Yes"}, call],
            "model_name": "some-model",
            "usage": {"input_tokens": 7, "output_tokens": 2},
        }
        returned = {"part_kind": "tool-return", "tool_name": "price", "content": "7", "tool_call_id": "c"}
        wrong = {"part_kind": "retry-prompt", "tool_name": "price", "content": "no", "tool_call_id": "c"}
        projection = project(answer)
        assert projection.parts == (
            Part("thinking", "hm"),
            Part("text", "Yes"),
            Part("tool_call", tool_name="price", tool_id="c", arguments={"article": "pear"}),
        )
        assert (projection.kind, projection.model, projection.input_tokens) == (Kind.ANSWER, "some-model", 7)
        results = project({"kind": "request", "parts": [{**returned, "outcome": "success"}, wrong]})
        assert [(part.text, part.is_error) for part in results.parts] == [("7", False), ("no", True)]
        assert (results.kind, results.role) == (Kind.TOOL_RESULT, "tool")

    def test_keeps_what_is_not_known(self):
        message = {"kind": "response", "parts": [{"part_kind": "new", "x": "pear"}, 3, {"part_kind": "text", "content": ["plum"]}], "y": "fig"}  # fmt: skip
        assert {"pear", "plum", "fig"} <= set(search_texts(message))


class AgentFramework:
    def test_tells_what_its_contents_are(self):
        image = {"type": "data", "media_type": "image/png", "uri": "data:image/png;base64,iVBO"}
        call = {"type": "function_call", "call_id": "c", "name": "price", "arguments": {"article": "pear"}}
        result = {"type": "function_result", "call_id": "c", "result": "7", "items": [{"type": "text", "text": "7"}]}
        thought = {"type": "text_reasoning", "text": "hm"}
        asked = {"type": "message", "role": "user", "contents": [{"type": "text", "text": "How much?"}, image]}
        said = {"type": "message", "role": "assistant", "contents": [thought, call], "author_name": "clerk"}
        assert project(asked).parts == (Part("text", "How much?"), Part("image", media_type="image/png", image="iVBO"))
        assert prompt_text(asked) == "How much?"
        assert project(said).parts == (
            Part("thinking", "hm"),
            Part("tool_call", tool_name="price", tool_id="c", arguments={"article": "pear"}),
            Part("json", data={"author_name": "clerk"}),
        )
        (found,) = project({"role": "tool", "contents": [{**result, "exception": "X"}]}).parts
        assert (found.kind, found.text, found.tool_id, found.is_error) == ("tool_result", "7", "c", True)


class Times:
    @pytest.mark.parametrize("value", ["2026-01-02T03:04:05", 1767323045, 1767323045000, "2026-01-02T05:04:05+02:00"])
    def test_are_aware(self, value):
        found = project({"role": "user", "content": "x", "ts": value}).timestamp
        assert found == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        assert found.utcoffset() is not None

    @pytest.mark.parametrize("value", ["yesterday", "0001-01-01T00:00:00Z", 2**70, -1e300, True, None, {}])
    def test_that_are_none_are_none(self, value):
        assert project({"role": "user", "content": "x", "ts": value}).timestamp is None


KEYS = st.sampled_from(
    [
        "type",
        "role",
        "content",
        "message",
        "payload",
        "text",
        "thinking",
        "source",
        "data",
        "url",
        "image_url",
        "input",
        "arguments",
        "name",
        "id",
        "tool_calls",
        "function",
        "output",
        "action",
        "attachments",
        "attachment",
        "prompt",
        "summary",
        "item",
        "info",
        "usage",
        "ts",
        "timestamp",
        "isMeta",
        "subtype",
        "error",
        "parts",
        "contents",
        "kind",
        "part_kind",
    ]
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None), max_size=12)
    | st.sampled_from(["<system-reminder>", "</system-reminder>", "<goal>", "user", "text", "tool_result", "{", "[1]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
TYPES = st.sampled_from(
    [
        "user",
        "assistant",
        "system",
        "attachment",
        "progress",
        "summary",
        "response_item",
        "event_msg",
        "compacted",
        "session_meta",
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
        "mcp_call",
        "image_generation_call",
        "computer_call_output",
        "web_search_call",
        "queue-operation",
        "text",
        "image",
        "document",
        "tool_use",
        "tool_result",
        "thinking",
        "item_completed",
        "token_count",
        "queued_command",
    ]
)
ROLES = st.sampled_from(["user", "assistant", "system", "developer", "tool", "function"])
objects = st.dictionaries(KEYS | st.text(max_size=5), json_values, max_size=5)
blocks = st.builds(lambda kind, rest: {**rest, "type": kind}, TYPES, objects)
messages = st.builds(
    lambda role, content, rest: {**rest, "role": role, "content": content}, ROLES, st.lists(blocks), objects
)
lines = st.builds(
    lambda kind, key, inner, rest: {**rest, "type": kind, key: inner},
    TYPES,
    st.sampled_from(["message", "payload", "attachment", UNREADABLE]),
    messages | blocks,
    objects,
)
PARTS = st.sampled_from(["user-prompt", "system-prompt", "text", "thinking", "file", "tool-call", "tool-return", "x"])
pydantic_ai = st.builds(
    lambda kind, parts, rest: {**rest, "kind": kind, "parts": parts},
    st.sampled_from(["request", "response"]),
    st.lists(st.builds(lambda kind, rest: {**rest, "part_kind": kind}, PARTS, objects) | json_values, max_size=3),
    objects,
)
agent_framework = st.builds(
    lambda role, contents, rest: {**rest, "role": role, "contents": contents},
    *(ROLES, st.lists(blocks | json_values, max_size=3), objects),
)


@settings(max_examples=400, deadline=None)
@given(objects | blocks | messages | lines | pydantic_ai | agent_framework)
def test_every_json_object_has_a_projection(message):
    before = json.dumps(message)
    projection = project(message)
    assert isinstance(projection.kind, Kind)
    assert all(isinstance(text, str) and text for text in search_texts(message))
    assert search_texts(message) == texts_in(projection)
    assert (prompt_text(message) is not None) == (projection.kind == Kind.PROMPT)
    assert projection.timestamp is None or projection.timestamp + timedelta(days=1)
    assert json.dumps(message) == before


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"content": [inner], "type": "tool_result"}])
@pytest.mark.parametrize("shell", [lambda inner: {"role": "user", "content": inner}, lambda inner: {"x": inner}])
def test_deep_nesting_needs_no_recursion(wrap, shell):
    value = "harbour"
    for _ in range(5000):
        value = wrap(value)
    message = shell([value])
    assert "harbour" in search_texts(message)


@pytest.mark.parametrize(
    "text",
    [
        "<system-reminder>" * 60_000,
        "<goal></goal>" * 80_000,
        "</system-reminder>" * 60_000,
        " " * 1_000_000 + "x",
        "{" * 1_000_000,
        '["' * 500_000,
    ],
)
def test_hostile_text_takes_linear_time(text):
    call = {"name": "f", "arguments": text}
    started = time.perf_counter()
    search_texts({"role": "user", "content": text, "tool_calls": [call], "x": {"data": text}})
    assert time.perf_counter() - started < 20  # seconds; quadratic time would be minutes
