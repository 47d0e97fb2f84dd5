"""Codex: names, sub-agents, and forks that point into their parent's rollout or copied it."""

import json
import sqlite3
from itertools import permutations

import pytest

from sessions_app.integrations import file_import
from sessions_app.integrations.importing import import_paths
from tests.integrations.writing import Codex, add, everything, messages, the_session, write


def a_rollout(agent: Codex, *texts: str) -> list[dict]:
    return [
        agent.meta(),
        *(agent.answer(text) if index % 2 else agent.prompt(text) for index, text in enumerate(texts)),
    ]


def a_pointing_fork(parent: Codex, name: str, at: int, *texts: str) -> tuple[Codex, list[dict]]:
    fork = Codex(name, first=at)
    return fork, [fork.forked_meta(parent, at), *(fork.prompt(text) for text in texts)]


class Names:
    def write_database(self, home, *threads, name="state_5.sqlite"):
        connection = sqlite3.connect(home / name)
        connection.execute("CREATE TABLE threads (id TEXT, name TEXT, title TEXT, first_user_message TEXT)")
        connection.executemany("INSERT INTO threads VALUES (?, ?, ?, ?)", threads)
        connection.commit()
        connection.close()

    @pytest.mark.parametrize(
        ("thread", "title"),
        [
            (("Tides", "Long title", "When is high tide?"), "Tides"),
            ((None, "Long title", "When is high tide?"), "Long title"),
            ((None, "When is high tide?", "When is high tide?"), "When is high tide?"),
            ((None, "", ""), "Indexed"),
        ],
    )
    def test_come_from_codexs_database_and_then_its_index(self, the_store, tmp_path, thread, title):
        agent = Codex()
        write(agent.path(tmp_path), *a_rollout(agent, "When is high tide?"))
        self.write_database(tmp_path, (agent.id, *thread))
        if title == "Indexed":
            names = [{"id": agent.id, "thread_name": name} for name in ("Old", "Indexed")]
            write(tmp_path / "session_index.jsonl", *names, "{torn")
        import_paths([tmp_path])
        assert the_session(agent).title == title

    def test_come_from_the_newest_database(self, the_store, tmp_path):
        agent = Codex()
        write(agent.path(tmp_path), *a_rollout(agent, "Hi"))
        self.write_database(tmp_path, (agent.id, "Old", "", ""), name="state_9.sqlite")
        self.write_database(tmp_path, (agent.id, "New", "", ""), name="state_10.sqlite")
        import_paths([tmp_path])
        assert the_session(agent).title == "New"

    def test_are_derived_where_the_database_is_none(self, the_store, tmp_path):
        agent = Codex()
        write(agent.path(tmp_path), *a_rollout(agent, "Hi"))
        (tmp_path / "state_5.sqlite").write_text("no database")
        assert not import_paths([tmp_path]).has_problems
        assert the_session(agent).title == "Hi"

    def test_may_stand_in_the_rollout(self, the_store, tmp_path):
        agent = Codex()
        named = agent.line("event_msg", type="thread_name_updated", thread_name="Tides")
        write(agent.path(tmp_path), *a_rollout(agent, "Hi"), named)
        import_paths([tmp_path])
        assert the_session(agent).title == "Tides"


class Rollouts:
    def test_are_sessions_of_the_recorded_directory(self, the_store, tmp_path):
        agent = Codex(cwd="/home/ann/tide")
        lines = a_rollout(agent, "One?", "Yes.", "Two?")
        write(agent.path(tmp_path), *lines)
        import_paths([tmp_path])
        session = the_session(agent)
        assert (session.project.name, session.agent, session.turns) == ("/home/ann/tide", "codex", 2)
        assert messages(the_store, session) == lines

    def test_count_a_prompt_once_though_two_lines_hold_it(self, the_store, tmp_path):
        agent = Codex()
        event = agent.line("event_msg", type="user_message", message="One?")
        write(agent.path(tmp_path), *a_rollout(agent, "One?"), event)
        import_paths([tmp_path])
        assert the_session(agent).turns == 1

    def test_without_meta_are_called_by_their_file(self, the_store, tmp_path):
        write(tmp_path / "alpha" / "s.jsonl", Codex().prompt("Hi"))
        import_paths([tmp_path])
        assert the_session("s").project.name == "alpha"


class ForksByPointer:
    def files(self, tmp_path):
        main = Codex("main")
        lines = a_rollout(main, "One?", "Yes.", "Two?", "No.")
        child, taken = a_pointing_fork(main, "child", 3, *map(str, range(9)))
        grandchild, again = a_pointing_fork(child, "grandchild", 5, "Four?")
        files = {main: lines, child: taken, grandchild: again}
        expected = {main: lines, child: lines[:3] + taken, grandchild: lines[:3] + taken[:2] + again}
        return files, expected

    @pytest.mark.parametrize("batch", [1, 500])
    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_start_with_their_parents_messages_in_any_order(self, the_store, tmp_path, monkeypatch, order, batch):
        monkeypatch.setattr(file_import, "BATCH_MESSAGES", batch)
        files, expected = self.files(tmp_path)
        main, child, grandchild = files
        for agent in [list(files)[index] for index in order]:
            import_paths([write(agent.path(tmp_path), *files[agent])])
        for agent in files:
            assert messages(the_store, the_session(agent)) == expected[agent]
        assert the_session(child).parent == the_session(main)
        assert the_session(grandchild).parent == the_session(child)
        assert [the_session(agent).fork_point for agent in files] == [None, 3, 5]

    def test_arrive_alone_with_their_gap(self, the_store, tmp_path):
        files, _ = self.files(tmp_path)
        _, child, grandchild = files
        for agent in (child, grandchild):
            import_paths([write(agent.path(tmp_path), *files[agent])])
        assert messages(the_store, the_session(child)) == files[child]
        assert messages(the_store, the_session(grandchild)) == files[grandchild]

    def test_wait_for_a_parent_that_has_not_got_so_far(self, the_store, tmp_path):
        files, expected = self.files(tmp_path)
        main, child, _ = files
        path = write(main.path(tmp_path), *files[main][:2])
        write(child.path(tmp_path), *files[child])
        assert import_paths([tmp_path]).waiting == 1
        add(path, *files[main][2:])
        assert import_paths([tmp_path]).grown == 1
        assert messages(the_store, the_session(child)) == expected[child]

    def test_grow_after_they_were_linked(self, the_store, tmp_path):
        files, expected = self.files(tmp_path)
        for agent, lines in files.items():
            write(agent.path(tmp_path), *lines)
        import_paths([tmp_path])
        _, child, _ = files
        more = child.answer("Done.")
        add(child.path(tmp_path), more)
        import_paths([tmp_path])
        assert messages(the_store, the_session(child)) == [*expected[child], more]

    def test_that_are_rewritten_keep_what_is_their_parents(self, the_store, tmp_path):
        files, expected = self.files(tmp_path)
        for agent, lines in files.items():
            write(agent.path(tmp_path), *lines)
        import_paths([tmp_path])
        _, child, _ = files
        changed = [*files[child][:2], child.prompt("Otherwise?")]
        write(child.path(tmp_path), *changed)
        assert import_paths([tmp_path]).rewritten == 1
        session = the_session(child)
        assert messages(the_store, session) == expected[child][:3] + changed
        assert messages(the_store, session.children.get(relation="compaction")) == expected[child]


class OlderForks:
    @pytest.mark.parametrize("order", list(permutations(range(2))))
    def test_copied_their_parents_lines(self, the_store, tmp_path, order):
        main, child = Codex("main"), Codex("child")
        lines = a_rollout(main, "One?", "Yes.", "Two?")
        copied = [{**line, "timestamp": "2026-01-02T09:00:00Z"} for line in lines[:3]]
        taken = [child.meta(forked_from_id=main.id), *copied, child.prompt("Three?")]
        files = [(main, lines), (child, taken)]
        for index in order:
            agent, content = files[index]
            import_paths([write(agent.path(tmp_path), *content)])
        session = the_session(child)
        assert (session.parent, session.relation, session.fork_point) == (the_session(main), "fork", 4)
        assert messages(the_store, session) == taken
        before = everything()
        import_paths([tmp_path])
        assert everything() == before


class Subagents:
    @pytest.mark.parametrize("order", list(permutations(range(2))))
    def test_are_children_of_the_thread_that_spawned_them(self, the_store, tmp_path, order):
        main, sub = Codex("main"), Codex("sub")
        spawn = {"subagent": {"thread_spawn": {"parent_thread_id": main.id, "depth": 1}}}
        meta = sub.line("session_meta", id=sub.id, cwd="/x", source=spawn)
        files = [(main, a_rollout(main, "One?")), (sub, [meta, sub.prompt("Look")])]
        for index in order:
            agent, content = files[index]
            import_paths([write(agent.path(tmp_path), *content)])
        session = the_session(sub)
        assert (session.parent, session.relation, session.fork_point) == (the_session(main), "subagent", 0)


def test_a_database_that_codex_is_using_is_not_touched(the_store, tmp_path):
    agent = Codex()
    write(agent.path(tmp_path), *a_rollout(agent, "Hi"))
    Names().write_database(tmp_path, (agent.id, "Tides", "", ""))
    before = sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.glob("state_*"))
    import_paths([tmp_path])
    assert sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.glob("state_*")) == before
    assert json.dumps(the_session(agent).title) == '"Tides"'
