"""The line of a tool card, what unfolds under it, and differences."""

import json

import pytest

from sessions_app.projection import Part
from sessions_app.web.rendering import diffs
from sessions_app.web.rendering.cards import Exchange, Source, card, full_output
from tests.web.test_rendering_text import text_of


def drawn(name, arguments, text="", is_error=None, details=None, **more):
    call = Part("tool_call", tool_name=name, tool_id="1", arguments=arguments)
    result = Part("tool_result", text, tool_id="1", is_error=is_error)
    return card(Exchange(call, Source(4, 0), result, Source(5, 0), details or {}, **more))


def line(made):
    """The line of the card, as it is read."""
    end = [made.state, made.state_words] if made.state != made.state_words else [made.state]
    return " ".join(filter(None, [made.label, text_of(made.what), *made.facts, *end]))


class TheLineOfACard:
    @pytest.mark.parametrize(
        ("made", "expected"),
        [
            (drawn("Bash", {"command": "ls  -la"}, "a\nb", False), "Shell ls -la ok"),
            (drawn("Bash", {"command": "make"}, "Exit code 2\nno rule", True), "Shell make failed exit 2"),
            (drawn("shell", {"command": ["bash", "-lc", "ls src"]}, "Exit code: 0\nWall time: 1.2 seconds\nOutput:\nx"),
             "Shell ls src 1.2 s ok exit 0"),
            (drawn("exec_command", {"cmd": "ls"}, "Chunk ID: 1f\nWall time: 0.3 seconds\nProcess exited with code 0\nOutput:\nx"),
             "Shell ls 0.3 s ok exit 0"),
            (drawn("Read", {"file_path": "/p/a.py", "offset": 40, "limit": 49}, "x" * 2000, base="/p"),
             "Read a.py lines 40–88 2 KB"),
            (drawn("Grep", {"pattern": "def", "path": "src"}, "a\nb\nc"), "Search def in src 3 lines"),
            (drawn("Glob", {"pattern": "*.md"}, "No files found"), "Search *.md nothing found"),
            (drawn("Write", {"file_path": "a.txt", "content": "1\n2"}, "ok"), "Write a.txt 2 lines 3 B ok written"),
            (drawn("WebSearch", {"query": "sqlite wal"}, "…", details={"durationSeconds": 0.8}), "Web search sqlite wal 0.8 s"),
            (drawn("Task", {"description": "Check callers", "prompt": "…"}, "done"), "Sub-agent Check callers ok done"),
            (drawn("TodoWrite", {"todos": [{"content": "a", "status": "completed"}, {"content": "b", "status": "in_progress"}]}, "ok"),
             "To do b 1 of 2 done ok noted"),
            (drawn("update_plan", {"plan": [{"step": "a", "status": "pending"}]}, "ok"), "To do 0 of 1 done ok noted"),
            (drawn("mcp__github__get_issue", {"repo": "x/y"}, "ok"), "github: get_issue x/y ok"),
            (drawn("Frobnicate", {"n": 1, "what": "that"}, "ok"), "Frobnicate that ok"),
            (drawn("Edit", {"file_path": "a", "old_string": "x", "new_string": "y"},
                   "The user doesn't want to proceed with this tool use. …", True), "Edit a stopped refused"),
        ],
        ids=lambda value: value.label if hasattr(value, "label") else "",
    )  # fmt: skip
    def test_says_what_was_done(self, made, expected):
        assert line(made) == expected

    def test_says_when_there_is_no_result(self):
        made = card(Exchange(Part("tool_call", tool_name="Bash", arguments={"command": "sleep 9"}), Source(0, 0)))
        assert (made.state, made.state_words) == ("waiting", "no result")

    @pytest.mark.parametrize(
        "arguments", [None, "text", [1], {"command": 7}, {"edits": "no"}, {"todos": {"a": 1}}, {"x": None}]
    )
    @pytest.mark.parametrize(
        "name", ["Bash", "Edit", "TodoWrite", "Task", "apply_patch", "AskUserQuestion", "", "mcp__", "x"]
    )
    def test_holds_whatever_the_arguments_are(self, name, arguments):
        assert drawn(name, arguments, "result").label

    def test_is_opened_for_what_failed(self):
        assert drawn("Bash", {"command": "make"}, "Exit code 2\nno", True).is_open
        assert not drawn("Bash", {"command": "make"}, "fine", False).is_open


class AnOutput:
    def test_is_cut_and_says_how_much_there_is(self):
        (body,) = drawn("Bash", {"command": "ls"}, "\n".join(["word"] * 214), False).bodies
        assert (body.more, body.shown) == ("Show all 214 lines (1 KB)", "first 12 shown")
        assert text_of(body.html).count("\n") == 11

    def test_is_whole_where_it_was_asked_for(self):
        assert text_of(full_output(Part("tool_result", "x\n" * 214)).html).count("x") == 214

    def test_keeps_what_looks_like_a_header_but_is_none(self):
        (body,) = drawn("Bash", {"command": "cat"}, "Wall time: 3 hours of it", False).bodies
        assert text_of(body.html) == "Wall time: 3 hours of it"


class ADifference:
    def between(self, old, new):
        return [(each.kind, each.text) for each in diffs.between(old, new)]

    def test_shows_what_was_cut_and_added_with_a_little_around_it(self):
        old = "\n".join("abcdefgh")
        assert self.between(old, old.replace("e", "E")) == [
            *(("same", each) for each in "bcd"), ("cut", "e"), ("add", "E"), *(("same", each) for each in "fgh"),
        ]  # fmt: skip

    def test_marks_the_words_that_changed(self):
        cut, added = diffs.draw(diffs.between("total = net(line)", "total = gross(line)"))
        assert (cut.html, added.html) == ("total = <del>net</del>(line)", "total = <ins>gross</ins>(line)")

    def test_takes_the_line_numbers_that_the_agent_recorded(self):
        patch = [{"oldStart": 48, "newStart": 48, "lines": [" a", "-b", "+c", "+d"]}]
        made = drawn("Edit", {"file_path": "x"}, "ok", details={"structuredPatch": patch})
        assert [(each.old, each.new) for each in made.bodies[0].lines] == [(48, 48), (49, None), (None, 49), (None, 50)]
        assert (made.added, made.cut) == (2, 1)

    def test_reads_the_patches_of_codex_file_by_file(self):
        patch = "*** Begin Patch\n*** Update File: a.rs\n@@\n-x\n+y\n*** Add File: b.rs\n+z\n*** End Patch"
        made = drawn("shell", {"command": ["apply_patch", patch]}, "Success")
        assert [body.heading for body in made.bodies] == ["a.rs", "b.rs"]
        assert text_of(made.what) == "a.rs, b.rs"

    def test_is_escaped(self):
        assert "<script>" not in "".join(each.html for each in diffs.draw(diffs.between("<script>a", "<script>b")))

    def test_of_long_texts_takes_no_comparison(self):
        old, new = "\n".join(f"{n} a" for n in range(3000)), "\n".join(f"{n} b" for n in range(3000))
        assert diffs.counts(diffs.between(old, new)) == (3000, 3000)


class ArgumentsOfAnyTool:
    def test_are_shown_as_a_tree(self):
        (body, _) = drawn("Frobnicate", json.loads('{"deep": {"er": "<b>"}}'), "out").bodies
        assert text_of(body.html) == "deeper<b>"
