"""A page of a session that is open is told whether what it shows was rewritten since, wherever in the session."""

import pytest

from tests.builders import a_message
from tests.web.reading import page

COUNT = 200


def numbered(count=COUNT, changed=()):
    words = [f"changed {n}" if n in changed else f"message {n}" for n in range(count)]
    return [a_message(text, ("user", "assistant")[n % 2]) for n, text in enumerate(words)]


def stream(answer):
    return page(answer).one("transcript-stream")


def is_rewritten(visitor, session, proof, query="from=170"):
    return "data-rewritten" in stream(visitor.get(f"/sessions/{session.id}/?{query}&held={proof}")).attributes


@pytest.fixture
def session(the_store):
    return the_store.create("demo", numbered())


@pytest.fixture
def proof(visitor, session):
    return stream(visitor.get(f"/sessions/{session.id}/?from=end"))["data-proof"]


class AnOpenPage:
    def test_is_not_told_so_while_nothing_changed(self, visitor, session, proof):
        assert not is_rewritten(visitor, session, proof)

    def test_is_not_told_so_of_a_message_that_was_added(self, the_store, visitor, session, proof):
        the_store.append(session.id, [a_message("one more")])
        assert not is_rewritten(visitor, session, proof)

    @pytest.mark.parametrize("at", [0, 3, 150, COUNT - 1])
    def test_is_told_of_a_rewrite_wherever_it_was(self, the_store, visitor, session, proof, at):
        the_store.update(session.id, numbered(COUNT + 5, changed={at}), 1)
        assert is_rewritten(visitor, session, proof)

    def test_is_told_of_a_session_that_was_cut(self, the_store, visitor, session, proof):
        the_store.update(session.id, numbered(COUNT - 1), 1)
        assert is_rewritten(visitor, session, proof)

    def test_of_a_fork_is_told_of_what_was_shared_too(self, the_store, visitor, session):
        fork = the_store.fork_at(session.id, 120)
        the_store.append(fork.id, [a_message("of the fork")])
        proof = stream(visitor.get(f"/sessions/{fork.id}/"))["data-proof"]
        the_store.append(fork.id, [a_message("more of it")])
        assert not is_rewritten(visitor, fork, proof)
        the_store.update(fork.id, numbered(130, changed={2}), 1)
        assert is_rewritten(visitor, fork, proof)

    def test_of_an_empty_session_is_told_of_nothing_but_messages(self, the_store, visitor):
        session = the_store.create("demo", [])
        proof = stream(visitor.get(f"/sessions/{session.id}/"))["data-proof"]
        the_store.append(session.id, [a_message("the first")])
        assert not is_rewritten(visitor, session, proof, "from=0")

    @pytest.mark.parametrize("proof", ["x", "1", "-", "7-abc", f"7-{'g' * 32}", f"1234567890-{'0' * 32}", "7-%0A"])
    def test_cannot_say_what_is_no_proof(self, visitor, session, proof):
        assert visitor.get(f"/sessions/{session.id}/?held={proof}").status_code == 404

    def test_may_have_seen_what_never_was(self, visitor, session):
        assert is_rewritten(visitor, session, f"7-{'0' * 32}")
        assert is_rewritten(visitor, session, f"999999-{'0' * 32}")
        assert is_rewritten(visitor, session, "7-")
