"""Search with the words of the grammar: each says what else a hit must be."""

from datetime import UTC, datetime

import pytest

from sessions_app.errors import InvalidQuery
from tests.builders import a_message, a_session


def ids(hits):
    return [hit.id for hit in hits]


class Filtering:
    def test_keeps_to_projects_by_name_or_the_end_of_their_path(self, the_store):
        whole = a_session(the_store, "needle", project="/home/ann/code/Forklore")
        short = a_session(the_store, "needle", project="forklore")
        other = a_session(the_store, "needle", project="not-forklore")

        def found(filters):
            return ids(the_store.search("needle", 9, filters=filters))

        assert found("project:forklore") == [short.id, whole.id]
        assert found("project:code/forklore") == [whole.id]
        assert found("-project:forklore") == [other.id]
        assert found("project:forklore project:not-forklore") == [other.id, short.id, whole.id]
        assert found("project:nowhere") == []

    def test_keeps_to_agents(self, the_store):
        claude = the_store.create("demo", [a_message("needle")], agent="claude-code")
        codex = the_store.create("demo", [a_message("needle")], agent="codex")

        assert ids(the_store.search("needle", 9, filters="agent:codex")) == [codex.id]
        assert ids(the_store.search("needle", 9, filters="agent:Claude")) == [claude.id]
        assert ids(the_store.search("needle", 9, filters="-agent:codex")) == [claude.id]

    def test_keeps_to_roles_and_then_finds_no_title(self, the_store):
        session = a_session(the_store, "needle of the user", "needle of the assistant")
        a_session(the_store, "titled needle", "nothing")

        def found(filters):
            return [(hit.id, hit.position) for hit in the_store.search("needle of", 9, filters=filters)]

        assert found("role:user") == [(session.id, 0)]
        assert found("role:assistant") == [(session.id, 1)]
        assert found("role:user role:assistant") == [(session.id, 0)]
        assert found("-role:user") == [(session.id, 1)]
        assert found("role:tool") == []

    def test_tells_the_role_of_a_hit(self, the_store):
        session = a_session(the_store, "a question", "the answer")
        the_store.rename(session.id, "A title")

        assert [hit.role for hit in the_store.search("question", 9)] == ["user"]
        assert [hit.role for hit in the_store.search("answer", 9)] == ["assistant"]
        assert [hit.role for hit in the_store.search("title", 9)] == [None]

    def test_knows_roots_forks_and_what_is_under_a_session(self, the_store):
        root = a_session(the_store, "needle")
        fork = the_store.fork_at(root.id, 1)
        of_fork = the_store.fork_at(fork.id, 1)
        other = a_session(the_store, "needle")

        def found(filters):
            return set(ids(the_store.search("needle", 9, filters=filters)))

        assert found("is:root") == {root.id, other.id}
        assert found("is:fork") == {fork.id, of_fork.id}
        assert found("has:forks") == {root.id, fork.id}
        assert found(f"under:{root.id}") == {root.id, fork.id, of_fork.id}
        assert found(f"under:{str(fork.id)[:13]}") == {fork.id, of_fork.id}
        assert found(f"-under:{fork.id}") == {root.id, other.id}
        assert found(f"under:{root.id} is:fork -under:{of_fork.id}") == {fork.id}

    def test_compares_times_turns_and_sizes(self, the_store, clock):
        clock.stop_at(datetime(2026, 3, 1, tzinfo=UTC))
        old = a_session(the_store, "needle " * 1000)
        clock.stop_at(datetime(2026, 5, 1, tzinfo=UTC))
        new = a_session(the_store, "needle")
        the_store.append(new.id, [a_message("more")], 7)

        def found(filters):
            return ids(the_store.search("needle", 9, filters=filters))

        assert found("before:2026-05") == [old.id]
        assert found("after:2026-05") == [new.id]
        assert found("after:2026-03-01 before:2026-03-02") == [old.id]
        assert found("turns:>6") == [new.id]
        assert found("turns:7") == [new.id]
        assert found("turns:<7") == [old.id]
        assert found("size:>=1kb") == [old.id]
        assert found("size:<1kb") == [new.id]
        assert found("is:running") == []

    def test_says_that_a_session_is_running_for_two_minutes_after_a_write(self, the_store):
        session = a_session(the_store, "needle")

        assert ids(the_store.search("needle", 9, filters="is:running")) == [session.id]

    def test_knows_pins_the_archive_and_tags(self, the_store):
        plain, marked = a_session(the_store, "needle"), a_session(the_store, "needle")
        the_store.pin(marked.id)
        the_store.archive(marked.id)
        the_store.tag(marked.id, "Keep")
        the_store.tag(marked.id, "later")

        for word in ("is:pinned", "is:archived", "tag:keep", "tag:KEEP tag:later"):
            assert ids(the_store.search("needle", 9, filters=word)) == [marked.id], word
        for word in ("-is:pinned", "-is:archived", "-tag:keep"):
            assert ids(the_store.search("needle", 9, filters=word)) == [plain.id], word
        assert the_store.search("needle", 9, filters="tag:keep tag:other") == []

    def test_finds_every_message_where_that_is_asked_for(self, the_store):
        session = a_session(the_store, "needle one", "hay", "needle two")
        the_store.fork_at(session.id, 1)

        hits = the_store.search("needle", 9, filters="project:demo", distinct="message")

        assert [(hit.position, hit.shared_with) for hit in hits] == [(0, 1), (2, 0)]

    @pytest.mark.parametrize("filters", ["role:bot", "x bfore:2026", "plain text"])
    def test_refuses_what_is_no_filter(self, the_store, filters):
        with pytest.raises(InvalidQuery):
            the_store.search("needle", 9, filters=filters)


class Finding:
    def test_gives_the_positions_of_one_session(self, the_store):
        session = a_session(the_store, "Needle", "hay", "a NEEDLE", "hay")
        fork = the_store.fork_at(session.id, 2)
        the_store.append(fork.id, [a_message("hay"), a_message("needle again")])

        assert the_store.find(session.id, "needle") == [0, 2]
        assert the_store.find(fork.id, "needle") == [0, 3]
        assert the_store.find(fork.id, "nowhere") == []

    def test_is_exact_in_a_long_session_among_many(self, the_store):
        for _ in range(5):
            a_session(the_store, *["needle"] * 50)
        session = a_session(the_store, *(f"message {n}" + " needle" * (n % 7 == 0) for n in range(700)))

        assert the_store.find(session.id, "needle") == list(range(0, 700, 7))
        assert the_store.find(session.id, "needl e") == []
