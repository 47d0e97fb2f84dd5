"""What the promises cost: rows written by a fork and a turn, rows dropped, bodies read."""

import pytest
from django.test.utils import CaptureQueriesContext

from sessions_app.databases import connection
from sessions_app.models import Message, Project, Session, Strand
from tests.builders import a_message, a_session, texts

from .storage import SYNC_DOOR, check, content, message_rows, purge_revisions

pytestmark = SYNC_DOOR
LONG = [f"text {number}" for number in range(40)]


def rows():
    return set(Message.objects.values_list("strand_id", "position", "body"))


class AFork:
    def test_stores_no_message_a_second_time(self, the_store):
        parent = a_session(the_store, *LONG)
        the_store.fork("demo", parent.id, parent.messages, 1)
        for position in range(0, 41, 10):
            the_store.fork_at(parent.id, position)
        assert message_rows() == 40
        check()

    def test_stores_what_it_adds(self, the_store):
        parent = a_session(the_store, *LONG)
        before = rows()
        child = the_store.fork("demo", parent.id, [*parent.messages[:20], a_message("new"), a_message("newer")], 1)
        the_store.append(child.id, [a_message("newest")])
        assert len(rows() - before) == 3
        check()


class AnUpdate:
    def test_with_one_more_message_writes_one(self, the_store):
        session = a_session(the_store, *LONG)
        before = rows()
        the_store.update(session.id, [*session.messages, a_message("new")], 1)
        assert before < rows()
        assert message_rows() == 41
        check()

    def test_with_the_same_messages_writes_none(self, the_store):
        session = a_session(the_store, *LONG)
        before = rows()
        the_store.update(session.id, session.messages, 1)
        assert rows() == before

    @pytest.mark.parametrize("extra", ["\ud800", 2**70, "\ud83d\ude00", -0.0, "%"])
    def test_knows_unusual_messages_again(self, the_store, extra):
        messages = [{"content": "one", "extra": extra}, {"content": "two", "extra": extra}]
        session = the_store.create("demo", messages)
        before = rows()
        the_store.update(session.id, [*messages, a_message("new")], 1)
        assert before < rows()
        check()

    def test_of_the_middle_keeps_what_stands_before(self, the_store):
        session = a_session(the_store, *LONG)
        before = rows()
        the_store.update(session.id, [*session.messages[:30], a_message("new")], 1)
        assert len(rows() & before) == 30
        purge_revisions(the_store)
        assert message_rows() == 31
        check()

    def test_of_a_fork_writes_what_the_fork_does_not_share(self, the_store):
        parent = a_session(the_store, *LONG)
        child = the_store.fork_at(parent.id, 20)
        the_store.update(child.id, [*parent.messages[:20], a_message("new")], 1)
        assert message_rows() == 41
        the_store.update(child.id, [*parent.messages[:10], a_message("other")], 1)
        purge_revisions(the_store)
        assert message_rows() == 41
        check()


class MessagesThatNobodyNeeds:  # nor a revision, which tests/store/test_revisions.py has
    @pytest.mark.parametrize("left", [0, 1, 20])
    def test_are_dropped_by_a_truncating_update(self, the_store, left):
        session = a_session(the_store, *LONG)
        the_store.update(session.id, session.messages[:left], 1)
        purge_revisions(the_store)
        assert message_rows() == left
        check()

    def test_are_not_those_that_a_fork_shows(self, the_store):
        parent = a_session(the_store, *LONG)
        child = the_store.fork_at(parent.id, 25)
        the_store.update(parent.id, parent.messages[:5], 1)
        purge_revisions(the_store)
        assert message_rows() == 25
        the_store.append(parent.id, [a_message("on")])
        assert message_rows() == 26
        check()
        the_store.delete(child.id)
        assert message_rows() == 26
        the_store.purge(child.id)
        assert message_rows() == 6
        check()

    def test_are_dropped_with_the_last_session_that_shows_them(self, the_store):
        parent = a_session(the_store, *LONG)
        children = [the_store.fork_at(parent.id, position) for position in (10, 20, 30)]
        left = []
        for session in [parent, children[1], children[2], children[0]]:
            the_store.delete(session.id)
            the_store.purge(session.id)
            left.append(message_rows())
            check()
        assert left == [30, 30, 10, 0]
        assert not Session.objects.exists()
        assert not Strand.objects.exists()

    def test_are_dropped_when_what_a_fork_shared_is_rewritten_from_both_sides(self, the_store):
        parent = a_session(the_store, *LONG)
        child = the_store.fork_at(parent.id, 40)
        the_store.update(parent.id, [a_message("parent's")], 1)
        the_store.update(child.id, [a_message("child's")], 1)
        purge_revisions(the_store)
        assert message_rows() == 2
        check()

    def test_are_none_of_a_session_in_the_trash(self, the_store):
        session = a_session(the_store, *LONG)
        the_store.delete(session.id)
        assert message_rows() == 40
        the_store.restore(session.id)
        assert texts(the_store.get(session.id)) == LONG


class ALongLineOfForks:
    def test_holds_together_and_shares_all_that_it_can(self, the_store):
        session = a_session(the_store, "0")
        for number in range(1, 120):
            session = the_store.fork_at(session.id, number)
            the_store.append(session.id, [a_message(str(number), ("user", "assistant")[number % 2])])
        check()
        assert message_rows() < 3 * 120  # pieces become one strand now and then; copied by each fork, they were 7,260
        found = the_store.get(session.id)
        assert texts(found) == [str(number) for number in range(120)]
        the_store.update(session.id, found.messages[:60], 1)
        check()


class Reading:
    def break_bodies(self, keep):
        for row in Message.objects.exclude(position__in=list(keep)):
            Message.objects.filter(strand_id=row.strand_id, position=row.position).update(body="broken")

    def test_of_a_list_without_messages_touches_no_bodies(self, the_store):
        session = a_session(the_store, *LONG)
        with CaptureQueriesContext(connection()) as queries:
            the_store.list_by_project("demo", 9, with_messages=False)
            the_store.find_by_id_prefix(session.id.hex[:8], 9, with_messages=False)
        assert not [query for query in queries if "forklore_message" in query["sql"]]
        assert len(queries) <= 6

    def test_of_a_window_reads_nothing_else(self, the_store):
        session = a_session(the_store, *LONG)
        self.break_bodies(range(10, 15))
        assert [message["content"] for message in the_store.get_messages(session.id, 10, 15)] == LONG[10:15]

    def test_leaves_no_trace(self, the_store):
        session = a_session(the_store, *LONG)
        before = content()
        the_store.get(session.id)
        the_store.get_messages(session.id, 1, 5)
        the_store.prompts(session.id)
        the_store.list_by_project("nobody's", 9)
        the_store.find_by_id_prefix("", 9)
        the_store.search("text", 9)
        assert content() == before


class ATurn:
    @pytest.mark.parametrize("length", [10, 1000])
    def test_asks_as_many_questions_whatever_the_length(self, the_store, length):
        session = a_session(the_store, *["text"] * length)
        for call in (
            lambda: the_store.append(session.id, [a_message()]),
            lambda: the_store.fork_at(session.id, length),
        ):
            with CaptureQueriesContext(connection()) as queries:
                call()
            assert len(queries) < 20
            assert sum(len(query["sql"]) for query in queries) < 8_000


def test_a_project_stands_once(the_store):
    for _ in range(3):
        a_session(the_store, "one", project="demo")
    assert Project.objects.count() == 1
