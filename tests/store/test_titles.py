"""Derived titles: the beginning of what a person first typed."""

import pytest

from tests.builders import a_message


def title_of(store, *messages):
    session = store.create("demo", list(messages))
    assert store.get(session.id).title == session.title
    assert session.title_source == "derived"
    return session.title


class ADerivedTitle:
    @pytest.mark.parametrize(
        ("text", "title"),
        [
            ("Sort my photos", "Sort my photos"),
            ("  Sort\n\n my\t photos \u2028now\u00a0", "Sort my photos now"),
            ("x" * 60, "x" * 60),
            ("x" * 61, "x" * 60 + "…"),
            ("  " + "x " * 30 + "   ", ("x " * 30).strip()),
            ("x " * 30 + "y", "x " * 30 + "…"),
            ("🦀" * 61, "🦀" * 60 + "…"),
            ("修正错误", "修正错误"),
            ("a <b> of my own </b>", "a <b> of my own </b>"),
            ("<div>mine</div>", "<div>mine</div>"),
        ],
    )
    def test_is_the_first_text_of_a_user(self, the_store, text, title):
        assert title_of(the_store, a_message(text), a_message("second")) == title

    @pytest.mark.parametrize(
        "passed_over",
        [
            a_message("You are an agent.", "system"),
            a_message("I can help.", "assistant"),
            a_message("output", "tool"),
            a_message(""),
            a_message(" \n\t\u3000"),
            a_message("<environment_context>\n<cwd>/home</cwd>\n</environment_context>"),
            a_message("<session_context>The year is 2026.</session_context>"),
            a_message("<command-name>/clear</command-name>\n<command-message>clear</command-message>"),
            a_message("<local-command-stdout>done</local-command-stdout>"),
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a result"}]},
            {"role": "user"},
            {"role": "user", "content": None},
            {"role": "user", "content": []},
            {"something": "else"},
            {},
        ],
    )
    def test_passes_over_what_nobody_typed(self, the_store, passed_over):
        assert title_of(the_store, passed_over, passed_over, a_message("Do it")) == "Do it"

    @pytest.mark.parametrize(
        "message",
        [
            {"role": "user", "content": [{"type": "text", "text": "Do it"}]},
            {"role": "user", "content": [{"type": "input_text", "text": "Do it"}], "type": "message"},
            {
                "role": "user",
                "content": "Do it",
                "attachments": [{"type": "image", "media_type": "image/png", "data": "AA"}],
            },
            {"type": "user", "message": {"role": "user", "content": "Do it"}},
        ],
    )
    def test_is_found_in_every_shape_of_message(self, the_store, message):
        assert title_of(the_store, message) == "Do it"

    @pytest.mark.parametrize("messages", [[], [a_message("  ")], [a_message("hi", "assistant")], [{}]])
    def test_is_new_session_where_nobody_typed_anything(self, the_store, messages):
        assert title_of(the_store, *messages) == "new session"

    @pytest.mark.parametrize("text", ["a\0b", "a\ud800b", "\x1b[31mred\x1b[0m", "\u202eabc"])
    def test_is_fit_to_be_shown_whatever_was_typed(self, the_store, text):
        title = title_of(the_store, a_message(text))
        assert title.isprintable()
        assert "b" in title or "red" in title

    def test_follows_the_messages(self, the_store):
        session = the_store.create("demo", [])
        the_store.append(session.id, [a_message("answer", "assistant")])
        assert the_store.get(session.id).title == "new session"
        the_store.append(session.id, [a_message("first"), a_message("second")])
        assert the_store.get(session.id).title == "first"
        the_store.update(session.id, [a_message("other")], 1)
        assert the_store.get(session.id).title == "other"
        the_store.update(session.id, [], 1)
        assert the_store.get(session.id).title == "new session"
