"""Claude Code: titles, sub-agents and forks, in whatever order their files arrive."""

import json
from itertools import permutations

import pytest

from sessions_app.integrations import file_import
from sessions_app.integrations.importing import import_paths
from sessions_app.models import Session
from tests.integrations.writing import (
    ClaudeCode,
    add,
    an_id,
    everything,
    forked_by_cli,
    forked_by_sdk,
    messages,
    the_session,
    write,
)


def import_in_order(files: dict, order) -> None:
    """Write and import one file after the other."""
    for name in order:
        path, lines = files[name]
        import_paths([write(path, *lines)])


class Titles:
    @pytest.mark.parametrize(
        ("lines", "title"),
        [
            ([{"type": "custom-title", "customTitle": "Custom"}, {"type": "ai-title", "aiTitle": "AI"}], "Custom"),
            ([{"type": "ai-title", "aiTitle": "AI"}, {"type": "summary", "summary": "Sum", "leafUuid": "0"}], "AI"),
            ([{"type": "custom-title", "customTitle": "One"}, {"type": "custom-title", "customTitle": "Two"}], "Two"),
            ([{"type": "summary", "summary": "Sum", "leafUuid": "0"}], "Sum"),
            ([{"type": "summary", "summary": "Sum", "leafUuid": "of another file"}], "When is high tide?"),
            ([{"type": "custom-title", "customTitle": "  "}], "When is high tide?"),
        ],
    )
    @pytest.mark.parametrize("first", [True, False])
    def test_custom_before_ai_before_summary_of_this_file(self, the_store, tmp_path, lines, title, first):
        agent = ClaudeCode()
        prompt = agent.prompt()
        lines = [{**line, "leafUuid": prompt["uuid"]} if line.get("leafUuid") == "0" else line for line in lines]
        write(agent.path(tmp_path), *([*lines, prompt] if first else [prompt, *lines]))
        import_paths([tmp_path])
        assert the_session(agent).title == title

    def test_a_session_of_a_slash_command_is_called_by_it(self, the_store, tmp_path):
        agent = ClaudeCode()
        text = "<command-name>/review</command-name>\n<command-args>the tide tables</command-args>"
        write(agent.path(tmp_path), agent.prompt(text), agent.answer())
        import_paths([tmp_path])
        assert the_session(agent).title == "/review the tide tables"

    def test_a_command_that_only_sets_something_names_nothing(self, the_store, tmp_path):
        agent = ClaudeCode()
        clear = agent.prompt("<command-name>/clear</command-name>\n<command-args></command-args>")
        write(agent.path(tmp_path), clear, agent.prompt("One?"))
        import_paths([tmp_path])
        assert the_session(agent).title == "One?"


class SubagentsInFilesOfTheirOwn:
    @pytest.mark.parametrize("order", list(permutations(["main", "sub"])))
    @pytest.mark.parametrize("newer", [True, False])
    def test_are_children_of_their_session(self, the_store, tmp_path, order, newer):
        main, sub = ClaudeCode(), ClaudeCode(isSidechain=True, agentId="a1")
        folder = main.path(tmp_path).parent
        path = folder / main.session / "subagents" / "agent-a1.jsonl" if newer else folder / "agent-a1.jsonl"
        files = {"main": (main.path(tmp_path), [main.prompt()]), "sub": (path, [sub.prompt("Look"), sub.answer()])}
        import_in_order(files, order)
        child = the_session(main, "subagents/agent-a1")
        assert (child.parent, child.relation, child.fork_point) == (the_session(main), "subagent", 0)
        assert child.message_count == 2
        assert not child.relation_inferred

    def test_are_named_by_what_stands_beside_them(self, the_store, tmp_path):
        main, sub = ClaudeCode(), ClaudeCode(isSidechain=True, agentId="a1")
        path = main.path(tmp_path).with_suffix("") / "subagents" / "agent-a1.jsonl"
        write(path, sub.prompt("Look"))
        path.with_suffix(".meta.json").write_text(
            json.dumps({"agentType": "explore", "description": "Find the tables"})
        )
        import_paths([tmp_path])
        assert the_session(main, "subagents/agent-a1").title == "Find the tables"

    def test_of_subagents_are_their_children(self, the_store, tmp_path):
        main = ClaudeCode()
        write(main.path(tmp_path), main.prompt())
        for name, parent in (("b2", "a1"), ("a1", "")):
            sub = ClaudeCode(isSidechain=True, agentId=name)
            path = main.path(tmp_path).with_suffix("") / "subagents" / f"agent-{name}.jsonl"
            write(path, sub.prompt("Look"))
            path.with_suffix(".meta.json").write_text(json.dumps({"parentAgentId": parent} if parent else {}))
        import_paths([tmp_path])
        assert the_session(main, "subagents/agent-b2").parent == the_session(main, "subagents/agent-a1")
        assert the_session(main, "subagents/agent-a1").parent == the_session(main)

    def test_wait_for_a_session_that_never_comes(self, the_store, tmp_path):
        main, sub = ClaudeCode(), ClaudeCode(isSidechain=True, agentId="a1")
        write(main.path(tmp_path).parent / "agent-a1.jsonl", sub.prompt("Look"))
        summary = import_paths([tmp_path])
        assert (summary.new, summary.new_subagents, summary.waiting) == (1, 1, 1)
        assert the_session(main, "subagents/agent-a1").parent is None


class SubagentsWithinTheirSessionsFile:
    def lines(self):
        """A session with two sub-agents that write in turns, as Claude Code did until 2.0.27."""
        main = ClaudeCode()
        first = [main.prompt("Do both"), main.answer("On it.")]
        one, two = ClaudeCode(isSidechain=True), ClaudeCode(isSidechain=True)
        asides = [one.prompt("One"), two.prompt("Two", uuid=an_id("two")), one.answer("1")]
        two.parent = an_id("two")
        asides += [two.answer("2", uuid=an_id("two b")), one.answer("11", uuid=an_id("one c"))]
        return main, first, asides, [main.answer("Both done.")]

    def texts(self, store, session):
        contents = [message["message"]["content"] for message in messages(store, session)]
        return [content if isinstance(content, str) else content[0]["text"] for content in contents]

    @pytest.mark.parametrize("batch", [1, 2, 500])
    def test_become_children_and_every_line_stands_once(self, the_store, tmp_path, monkeypatch, batch):
        monkeypatch.setattr(file_import, "BATCH_MESSAGES", batch)
        main, first, asides, last = self.lines()
        write(main.path(tmp_path), *first, *asides, *last)
        summary = import_paths([tmp_path])
        session = the_session(main)
        assert self.texts(the_store, session) == ["Do both", "On it.", "Both done."]
        children = {tuple(self.texts(the_store, child)) for child in session.children.all()}
        assert children == {("One", "1", "11"), ("Two", "2")}
        assert {child.relation for child in session.children.all()} == {"subagent"}
        assert (summary.new, summary.new_subagents, summary.subagents_linked) == (3, 2, 2)
        assert summary.messages == sum(Session.objects.values_list("message_count", flat=True)) == 8

    @pytest.mark.parametrize("stop", range(1, 8))
    def test_grow_with_their_file(self, the_store, tmp_path, stop):
        main, first, asides, last = self.lines()
        lines = [*first, *asides, *last]
        path = write(main.path(tmp_path), *lines[:stop])
        import_paths([tmp_path])
        add(path, *lines[stop:])
        import_paths([tmp_path])
        session = the_session(main)
        assert self.texts(the_store, session) == ["Do both", "On it.", "Both done."]
        children = {tuple(self.texts(the_store, child)) for child in session.children.all()}
        assert children == {("One", "1", "11"), ("Two", "2")}

    def test_are_not_written_twice_when_an_import_ended_between_two_sessions(self, the_store, tmp_path, monkeypatch):
        main, first, asides, last = self.lines()
        write(main.path(tmp_path), *first, *asides, *last)
        written = the_store.import_batch

        def fail_at_main(origin, batch, **more):
            if not origin.subpath:
                raise KeyboardInterrupt
            return written(origin, batch, **more)

        monkeypatch.setattr(the_store, "import_batch", fail_at_main)
        with pytest.raises(KeyboardInterrupt):
            import_paths([tmp_path])
        monkeypatch.undo()
        assert Session.objects.count() == 2
        import_paths([tmp_path])
        assert sum(Session.objects.values_list("message_count", flat=True)) == 8

    def test_belong_to_their_sessions_project(self, the_store, tmp_path):
        main, sub = ClaudeCode(cwd="/home/ann/tide"), ClaudeCode(cwd="/home/ann/tide/tables", isSidechain=True)
        write(main.path(tmp_path), main.prompt(), sub.prompt("Look"))
        import_paths([tmp_path])
        assert {session.project.name for session in Session.objects.all()} == {"/home/ann/tide"}

    def test_of_a_rewritten_file_stay(self, the_store, tmp_path):
        main, first, asides, last = self.lines()
        path = write(main.path(tmp_path), *first, *asides, *last)
        import_paths([tmp_path])
        write(path, {"type": "tag", "tag": "new"}, *first, *asides, *last)
        summary = import_paths([tmp_path])
        assert (summary.rewritten, summary.new) == (1, 0)
        assert the_session(main).children.filter(relation="subagent").count() == 2
        assert sum(one.message_count for one in the_session(main).children.filter(relation="subagent")) == 5


class ForksByTheSDK:
    def files(self, tmp_path):
        main, child, grandchild = ClaudeCode("main"), ClaudeCode("child"), ClaudeCode("grandchild")
        lines = main.talk("One?", "Yes.", "Two?", "No.")
        taken = forked_by_sdk(lines[:2], main, child)
        again = forked_by_sdk(taken, child, grandchild)
        title = {"type": "custom-title", "customTitle": "One (fork)", "sessionId": child.session}
        return {
            main: (main.path(tmp_path), lines),
            child: (child.path(tmp_path), [*taken, title, child.prompt("Three?")]),
            grandchild: (grandchild.path(tmp_path), [*again, grandchild.prompt("Four?")]),
        }

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_are_linked_in_any_order(self, the_store, tmp_path, order):
        files = self.files(tmp_path)
        main, child, grandchild = files
        import_in_order(files, [list(files)[index] for index in order])
        assert (the_session(child).parent, the_session(child).relation) == (the_session(main), "fork")
        assert the_session(grandchild).parent == the_session(child)
        assert [the_session(one).fork_point for one in files] == [None, 2, 2]
        assert the_session(child).title == "One (fork)"
        assert not the_session(child).relation_inferred

    def test_share_what_they_took_over_however_long_it_is(self, the_store, tmp_path, monkeypatch):
        monkeypatch.setattr(file_import, "BATCH_MESSAGES", 3)
        main, child = ClaudeCode("main"), ClaudeCode("child")
        lines = main.talk(*map(str, range(10)))
        write(main.path(tmp_path), *lines)
        write(child.path(tmp_path), *forked_by_sdk(lines, main, child), child.prompt("More?"))
        summary = import_paths([tmp_path])
        assert the_session(child).fork_point == 10
        assert (summary.forks_linked, summary.waiting) == (1, 0)

    def test_that_point_at_each_other_are_refused_in_a_sentence(self, the_store, tmp_path):
        one, two = ClaudeCode("one"), ClaudeCode("two")
        write(one.path(tmp_path), *forked_by_sdk([two.prompt()], two, one))
        write(two.path(tmp_path), *forked_by_sdk([one.prompt()], one, two))
        summary = import_paths([tmp_path])
        assert summary.has_problems
        assert "descends from it" in summary.skipped[0].why
        assert Session.objects.exclude(parent=None).count() == 1


class ForksByTheCommandLine:
    def files(self, tmp_path, shared=2):
        main, child = ClaudeCode("main"), ClaudeCode("child")
        lines = main.talk("One?", "Yes.", "Two?", "No.")
        taken = forked_by_cli(lines[:shared], child)
        own = child.prompt("Three?", timestamp="2026-01-02T09:00:00Z")
        snapshot = {"type": "file-history-snapshot", "messageId": "m", "snapshot": {}}
        return {
            main: (main.path(tmp_path), [snapshot, *lines]),
            child: (child.path(tmp_path), [*taken[:1], snapshot, *taken[1:], own]),
        }

    @pytest.mark.parametrize("order", list(permutations(range(2))))
    def test_are_found_by_the_uuids_that_they_share(self, the_store, tmp_path, order):
        files = self.files(tmp_path)
        main, child = files
        import_in_order(files, [list(files)[index] for index in order])
        session = the_session(child)
        assert (session.parent, session.relation, session.relation_inferred) == (the_session(main), "fork", True)
        assert session.fork_point == 3
        assert the_session(main).parent is None

    def test_stay_children_when_their_parent_goes_on(self, the_store, tmp_path):
        files = self.files(tmp_path)
        main, child = files
        import_in_order(files, files)
        add(main.path(tmp_path), main.prompt("Later?", timestamp="2026-01-03T00:00:00Z"))
        import_paths([tmp_path])
        assert the_session(child).parent == the_session(main)
        assert the_session(main).parent is None

    def test_of_a_fork_are_children_of_the_one_they_share_most_with(self, the_store, tmp_path):
        main, child, grandchild = ClaudeCode("main"), ClaudeCode("child"), ClaudeCode("grandchild")
        lines = main.talk("One?", "Yes.", "Two?", "No.")
        own = child.prompt("Three?", timestamp="2026-01-02T09:00:00Z")
        second = [*forked_by_cli(lines[:2], child), own]
        third = [*forked_by_cli(second, grandchild), grandchild.prompt("Four?", timestamp="2026-01-02T10:00:00Z")]
        for agent, content in ((main, lines), (child, second), (grandchild, third)):
            write(agent.path(tmp_path), *content)
        summary = import_paths([tmp_path])
        assert the_session(grandchild).parent == the_session(child)
        assert the_session(grandchild).fork_point == 3
        assert summary.forks_linked == 2

    def test_are_not_found_where_ids_are_no_uuids(self, the_store, tmp_path):
        for name in ("one", "two"):
            write(
                tmp_path / f"{name}.jsonl", ClaudeCode(name).prompt(uuid="msg-1"), ClaudeCode(name).answer(uuid="msg-2")
            )
        assert import_paths([tmp_path]).forks_linked == 0


def test_rewinds_and_compactions_stay_in_the_one_session(the_store, tmp_path):
    agent = ClaudeCode()
    one, two = agent.talk("One?", "Yes.")
    rewound = agent.prompt("Two?", parentUuid=one["uuid"])
    boundary = {"type": "system", "subtype": "compact_boundary", "parentUuid": None, "content": "", "uuid": an_id("b")}
    summary = agent.prompt("What was said", isCompactSummary=True)
    lines = [one, two, rewound, boundary, summary]
    write(agent.path(tmp_path), *lines)
    import_paths([tmp_path])
    assert messages(the_store, the_session(agent)) == lines
    assert (Session.objects.count(), the_session(agent).turns) == (1, 2)


def test_importing_a_family_again_changes_nothing(the_store, tmp_path):
    for files in (ForksByTheSDK().files(tmp_path / "a"), ForksByTheCommandLine().files(tmp_path / "b")):
        for path, lines in files.values():
            write(path, *lines)
    import_paths([tmp_path])
    before = everything()
    import_paths([tmp_path])
    assert everything() == before


def test_a_fork_belongs_to_the_parent_beside_it_though_a_copy_elsewhere_came_first(the_store, tmp_path):
    main, child = ClaudeCode("main"), ClaudeCode("child")
    lines = main.talk("One?", "Yes.")
    fork = forked_by_sdk(lines, main, child)
    elsewhere = tmp_path / "projects" / "-home-bob" / f"{main.session}.jsonl"
    files = {
        "copy": (elsewhere, lines[:1]),
        "fork": (child.path(tmp_path), fork),
        "main": (main.path(tmp_path), [{"type": "tag", "tag": "x"}, *lines]),
    }
    import_in_order(files, ["copy", "fork", "main"])
    assert the_session(child).parent.transcript.project_key == "-home-ann-tide"
