"""Writing a session as it is said to be, with its id and times."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest

from sessions_app import databases, write_keys
from sessions_app.errors import InvalidMessage, KeyReused, SessionExists, SessionNotFound, VersionConflict
from sessions_app.models import WriteKey
from sessions_app.records import SessionRecord
from tests.builders import a_message, a_session

MOMENT = datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=UTC)


def a_record(*messages, **more):
    values = {"title": "a title", "title_source": "user", "turns": 2, "version": 7, **more}
    times = {"created_at": MOMENT, "updated_at": MOMENT + timedelta(days=1), "parent_id": None}
    return SessionRecord(uuid4(), "demo", **{**times, **values}, messages=list(messages), message_count=len(messages))


class Putting:
    def test_keeps_all_that_the_record_says(self, the_store):
        record = a_record(a_message("one"), a_message("two"))
        assert the_store.put(record)
        assert the_store.get(record.id) == record

    def test_the_same_again_changes_nothing(self, the_store):
        record = a_record(a_message("one"))
        the_store.put(record)
        the_store.rename(record.id, "renamed since")
        assert not the_store.put(record)
        assert the_store.get(record.id).title == "renamed since"

    def test_other_messages_under_its_id_are_refused(self, the_store):
        record = a_record(a_message("one"))
        the_store.put(record)
        with pytest.raises(SessionExists, match=str(record.id)):
            the_store.put(replace(record, messages=[a_message("other")]))
        assert the_store.get(record.id) == record

    def test_a_fork_finds_its_parent_or_is_a_root(self, the_store):
        parent = a_session(the_store, "one", "two")
        messages = [*the_store.get(parent.id).messages, a_message("three")]
        fork = a_record(*messages, parent_id=parent.id, relation="fork", fork_point=2)
        lost = a_record(*messages, parent_id=uuid4(), relation="fork", fork_point=2)
        the_store.put(fork)
        the_store.put(lost)
        assert the_store.get(fork.id) == fork
        assert the_store.get(lost.id) == replace(lost, parent_id=None, relation=None, fork_point=None)

    @pytest.mark.parametrize("hours", [-18, 18])
    def test_takes_times_of_any_zone_as_utc(self, the_store, hours):
        zone = timezone(timedelta(hours=hours, minutes=-3))
        record = a_record(created_at=MOMENT.astimezone(zone))
        the_store.put(record)
        assert the_store.get(record.id).created_at == MOMENT

    def test_refuses_a_time_that_is_none(self, the_store):
        for moment in (datetime.min.replace(tzinfo=timezone(timedelta(hours=9))), datetime(2024, 1, 1)):
            with pytest.raises(ValueError, match="zone"):
                the_store.put(a_record(created_at=moment))

    def test_refuses_what_is_no_message(self, the_store):
        record = a_record(a_message(), 7)
        with pytest.raises(InvalidMessage):
            the_store.put(record)
        assert the_store.get(record.id) is None


class Once:
    def test_a_call_with_a_key_is_done_once(self, the_store):
        first = the_store.create("demo", [a_message()], once="a")
        assert the_store.create("demo", [a_message()], once="a").id == first.id
        for _ in range(2):
            the_store.append(first.id, [a_message("more")], turns_added=1, once="b")
        forks = {the_store.fork_at(first.id, 1, once="c").id for _ in range(2)}
        copies = {the_store.fork("demo", first.id, [a_message("x")], 0, once="d").id for _ in range(2)}
        found = the_store.get(first.id)
        assert (found.message_count, found.turns, found.version) == (2, 1, 2)
        assert (len(forks), len(copies)) == (1, 1)

    def test_a_key_is_no_ones_where_the_write_was_refused(self, the_store):
        id = a_session(the_store, "one").id
        with pytest.raises(VersionConflict):
            the_store.append(id, [a_message("two")], expected_version=7, once="key")
        with pytest.raises(SessionNotFound):
            the_store.append(uuid4(), [a_message("two")], once="key")
        the_store.append(id, [a_message("two")], once="key")
        with pytest.raises(KeyReused):
            the_store.append(id, [a_message("three")], once="key")
        assert the_store.get(id).message_count == 2

    def test_old_keys_are_forgotten_and_the_newest_are_not(self, the_store, monkeypatch):
        monkeypatch.setattr(write_keys, "KEPT", timedelta(0))
        monkeypatch.setattr(write_keys, "ALWAYS_KEPT", 3)
        id = a_session(the_store, "one").id
        for number in range(200):
            the_store.append(id, [], once=f"key {number}")
        kept = WriteKey.objects.using(databases.current()).count()
        the_store.append(id, [a_message("again")], once="key 0")  # which was forgotten
        with pytest.raises(KeyReused):
            the_store.append(id, [a_message("again")], once="key 199")
        assert 3 < kept < 100
        assert the_store.get(id).message_count == 2


class Truncating:
    def test_keeps_the_first_messages(self, the_store):
        session = a_session(the_store, "one", "two", "three")
        fork = the_store.fork_at(session.id, 3)
        the_store.truncate(session.id, 1, turns=1)
        found = the_store.get(session.id)
        assert ([each["content"] for each in found.messages], found.turns) == (["one"], 1)
        assert the_store.get(fork.id).message_count == 3
        assert [hit.id for hit in the_store.search("three", 9)] == [fork.id]
