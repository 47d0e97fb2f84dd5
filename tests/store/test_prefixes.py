"""find_by_id_prefix: sessions by the beginning of their id."""

from uuid import UUID, uuid4

import pytest

from sessions_app import putting
from tests.builders import a_message, a_session


@pytest.fixture
def ids_to_come(monkeypatch):
    """Ids for the next sessions, so that some begin alike."""
    ids = []
    monkeypatch.setattr(putting, "uuid4", lambda: ids.pop(0) if ids else uuid4())
    return ids


def found_ids(sessions):
    return [session.id for session in sessions]


class Prefixes:
    def test_of_any_length_find_the_session(self, the_store):
        session = a_session(the_store, "one")
        for length in range(37):
            assert the_store.find_by_id_prefix(str(session.id)[:length], 9) == [session]

    def test_need_neither_hyphens_nor_lower_case(self, the_store):
        session = a_session(the_store, "one")
        for prefix in (session.id.hex, session.id.hex.upper(), session.id.hex[:11], "-".join(session.id.hex[:9])):
            assert found_ids(the_store.find_by_id_prefix(prefix, 9)) == [session.id]

    def test_find_all_that_begin_alike_and_no_others(self, the_store, clock, ids_to_come):
        tails = ["-0000-4000-8000-000000000000", "-ffff-4fff-bfff-ffffffffffff"]
        ids_to_come += [
            UUID(start + tail) for start in ("abcdef00", "abcdefff", "abcdf000", "abcdeeff") for tail in tails
        ]
        made = [a_session(the_store, str(number)).id for number in range(8)]
        assert found_ids(the_store.find_by_id_prefix("abcdef", 9)) == made[3::-1]
        assert found_ids(the_store.find_by_id_prefix("ABCDE", 9)) == [made[7], made[6], *made[3::-1]]
        assert found_ids(the_store.find_by_id_prefix("abcdf", 9)) == [made[5], made[4]]

    def test_give_the_most_recently_updated_first_and_no_more_than_the_limit(self, the_store, clock):
        made = [a_session(the_store, str(number), project=str(number)) for number in range(4)]
        the_store.append(made[1].id, [a_message()])
        order = [made[number].id for number in (1, 3, 2, 0)]
        assert found_ids(the_store.find_by_id_prefix("", 9)) == order
        assert found_ids(the_store.find_by_id_prefix("", 2)) == order[:2]

    @pytest.mark.parametrize(
        "prefix", ["g", "%", "_", "*", "?", "x'; --", "ab%", "a_", "\\", " ", "\0", "\ud800", "٣", "ａ", "0" * 33, "é"]
    )
    def test_that_are_no_hex_find_nothing(self, the_store, ids_to_come, prefix):
        ids_to_come += [UUID("abcdef00-0000-4000-8000-000000000000"), UUID(int=0, version=4)]
        a_session(the_store, "one")
        a_session(the_store, "two")
        assert the_store.find_by_id_prefix(prefix, 9) == []

    def test_of_nobody_find_nothing(self, the_store, ids_to_come):
        ids_to_come.append(UUID("abcdef00-0000-4000-8000-000000000000"))
        a_session(the_store, "one")
        assert the_store.find_by_id_prefix("abcdee", 9) == []

    def test_can_leave_the_messages_out(self, the_store):
        session = a_session(the_store, "one")
        (found,) = the_store.find_by_id_prefix(session.id.hex[:8], 9, with_messages=False)
        assert (found.id, found.messages, found.message_count) == (session.id, [], 1)

    def test_give_nothing_for_the_limit_0(self, the_store):
        a_session(the_store, "one")
        assert the_store.find_by_id_prefix("", 0) == []

    @pytest.mark.parametrize("prefix", ["", "no hex"])
    def test_refuse_a_negative_limit(self, the_store, prefix):
        with pytest.raises(ValueError, match="limit"):
            the_store.find_by_id_prefix(prefix, -1)
