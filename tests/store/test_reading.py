"""get, get_messages and prompts."""

from uuid import uuid4

import pytest

from sessions_app import piece_table
from sessions_app.databases import connection
from sessions_app.errors import DamagedMessage, SessionNotFound
from sessions_app.models import Message, Piece, Session
from tests.builders import a_message, a_session

from .storage import SYNC_DOOR

TEXTS = [f"text {number}" for number in range(10)]


class Getting:
    def test_gives_none_for_what_there_is_not(self, the_store):
        a_session(the_store, "one")
        assert the_store.get(uuid4()) is None

    def test_gives_the_whole_session_each_time(self, the_store):
        session = a_session(the_store, *TEXTS)
        assert the_store.get(session.id) == the_store.get(session.id) == session

    def test_gives_messages_that_the_caller_may_change(self, the_store):
        session = a_session(the_store, "one")
        the_store.get(session.id).messages[0]["content"] = "changed"
        assert the_store.get(session.id).messages == [a_message("one")]


class AWindow:
    @SYNC_DOOR
    @pytest.mark.parametrize("forked", [False, True])
    @pytest.mark.parametrize(
        ("start", "stop"),
        [(0, None), (0, 0), (0, 1), (3, 7), (9, 10), (9, None), (10, None), (5, 99), (50, 60), (7, 3)],
    )
    def test_holds_the_positions_from_start_to_stop(self, the_store, start, stop, forked):
        session = a_session(the_store, *TEXTS[:6])
        session = the_store.fork_at(session.id, 4) if forked else session
        the_store.append(session.id, [a_message(text) for text in TEXTS[4 if forked else 6 :]])
        found = the_store.get_messages(session.id, start, stop)
        assert [message["content"] for message in found] == TEXTS[start:stop]

    @SYNC_DOOR
    @pytest.mark.parametrize("most", [piece_table.JOINED_MOST, 1000])
    @pytest.mark.parametrize("odd", ["\ud800", 2**70, "\ud83d\ude00"], ids=["surrogate", "long number", "spelled pair"])
    def test_of_many_kilobytes_holds_every_message_as_it_was(self, the_store, monkeypatch, most, odd):
        monkeypatch.setattr(piece_table, "JOINED_MOST", most)
        messages = [{"at": at, "text": f'{{at}},\n {{"{at}' * 9000, "more": [None, 0.1, "~"]} for at in range(60)]
        id = the_store.create("demo", messages).id
        assert the_store.get_messages(id) == messages
        assert the_store.get_messages(id, 7, 45) == messages[7:45]
        assert the_store.get_messages(id, 60) == []
        messages[30]["odd"] = odd
        the_store.update(id, messages, 0)
        assert the_store.get_messages(id) == messages
        assert the_store.get_messages(id, 29, 31) == messages[29:31]

    def test_is_the_whole_unless_told(self, the_store):
        session = a_session(the_store, *TEXTS)
        assert the_store.get_messages(session.id) == session.messages
        assert the_store.get_messages(session.id, stop=2) == session.messages[:2]

    @pytest.mark.parametrize("where", ["nowhere", "trash"])
    def test_is_refused_for_a_missing_session(self, the_store, where):
        id = uuid4() if where == "nowhere" else a_session(the_store, "one").id
        if where == "trash":
            the_store.delete(id)
        with pytest.raises(SessionNotFound, match=str(id)):
            the_store.get_messages(id)

    @pytest.mark.parametrize(("start", "stop"), [(-1, None), (0, -1)])
    def test_is_refused_for_a_negative_position(self, the_store, start, stop):
        session = a_session(the_store, "one")
        with pytest.raises(ValueError, match="at least 0"):
            the_store.get_messages(session.id, start, stop)


class Prompts:
    def test_are_what_people_typed_with_their_positions(self, the_store):
        messages = [
            a_message("You help.", "system"),
            a_message("<environment_context>cwd</environment_context>"),
            a_message("first"),
            a_message("answer", "assistant"),
            a_message("  "),
            a_message("second " + "x" * 300),
        ]
        session = the_store.create("demo", messages)
        assert the_store.prompts(session.id) == [(2, "first"), (5, ("second " + "x" * 300)[:200])]

    def test_of_a_fork_include_those_it_shares(self, the_store):
        parent = a_session(the_store, "one", "two", "three")
        child = the_store.fork_at(parent.id, 2)
        the_store.append(child.id, [a_message("mine")])
        assert the_store.prompts(child.id) == [(0, "one"), (2, "mine")]
        assert the_store.prompts(parent.id) == [(0, "one"), (2, "three")]
        assert the_store.prompt_positions(child.id) == the_store.prompt_positions(parent.id) == [0, 2]

    def test_are_read_within_a_window(self, the_store):
        session = a_session(the_store, "one", "-", "two", "-", "three")
        assert the_store.prompts(session.id, 1, 4) == [(2, "two")]
        assert the_store.prompts(session.id, 3) == [(4, "three")]
        assert the_store.prompts(session.id, 9, 12) == []
        with pytest.raises(ValueError, match="start"):
            the_store.prompts(session.id, -1)

    def test_are_refused_where_they_are_not_as_many_as_were_counted(self, the_store, door):
        if door != "sync":
            pytest.skip("of a damaged database")
        for kind, position in ((1, 1), (3, 2), (3, 4)):
            session = a_session(the_store, "-", "one", "-", "two", "-")
            Message.objects.filter(strand=Session.objects.get(pk=session.id).strand_id, position=position).update(
                kind=kind
            )
            for start, stop in ((0, None), (position, None), (0, position + 1)):
                with pytest.raises(DamagedMessage):
                    the_store.prompts(session.id, start, stop)

    def test_are_never_those_of_another_session(self, the_store, door):
        if door != "sync" or connection().vendor != "sqlite":
            pytest.skip("of a damaged file")
        other = a_session(the_store, *"abcdefgh")
        parent = a_session(the_store, *TEXTS)
        child = the_store.fork_at(parent.id, 6)
        the_store.append(child.id, [a_message("mine"), a_message("more")])
        for session in (parent, child):
            assert len(the_store.get_messages(session.id, 1, 3)) == 2
            Piece.objects.filter(session=session.id, start=0).update(strand=Session.objects.get(pk=other.id).strand_id)
            for read in (the_store.get_messages, the_store.prompts):
                for start, stop in ((0, 2), (1, 3), (2, None)):
                    with pytest.raises(DamagedMessage):
                        read(session.id, start, stop)

    def test_around_a_position_are_as_many_as_there_are(self, the_store, door):
        if door != "sync":
            pytest.skip("of the pages alone")
        parent = a_session(the_store, *map(str, range(9)))
        child = the_store.fork_at(parent.id, 5)
        the_store.append(child.id, [a_message(f"mine {number}", "user") for number in range(4)])
        for session in (parent, child):
            every = the_store.prompts(session.id)
            for position in range(12):
                for count in range(12):
                    of = piece_table.pieces(session.id, the_store.get(session.id).message_count)
                    found, before = piece_table.prompts_around(of, position, count)
                    assert [at for at, _ in found] == [at for at, _ in every[before : before + count]]
                    assert len(found) == min(count, len(every))
                    above = sum(at <= position for at, _ in every)
                    if count and 0 < before < len(every) - count:
                        assert before == above - (count + 1) // 2

    def test_are_refused_for_a_missing_session(self, the_store):
        with pytest.raises(SessionNotFound):
            the_store.prompts(uuid4())
