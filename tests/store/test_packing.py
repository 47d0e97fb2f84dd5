"""Sessions that lie still are packed: smaller, and yet read, searched, forked and written to as before."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command

from sessions_app import bodies, cleanup, cleanup_rows, packing, space, store_check
from sessions_app.cleanup import Policy
from sessions_app.databases import connection, execute
from sessions_app.models import JournalEntry, Message, Session, TokenTotal
from tests.builders import a_message, a_session
from tests.store.test_cleanup import stored_bytes

pytestmark = pytest.mark.parametrize("door", ["sync"])
COLD = Policy("cold", "before:30d", "pack")
LONG = "the quick brown fox " * 200
HOSTILE = [
    a_message(f"nul \0 and {LONG}"),
    {"role": "user", "content": f"lone \ud800 {LONG}", "n": 2**80},
    {"role": "assistant", "content": f"pair \ud83d\ude00 {LONG} Straße ÉCLAIR 中文"},
    {"role": "user", "content": f"spelled \ud83d\ude00 {LONG}", "%ud83d": "\ude00\ud83d"},
    {"z": LONG, "a": [1.5, None, True, {"k": LONG}], "role": "tool"},
    a_message("short"),
]


def raw():
    return list(Message.objects.order_by("strand", "position").values_list("strand", "position", "body"))


def packed_count():
    return sum(body.startswith("z") for *_, body in raw())


@pytest.fixture
def session(the_store):
    return the_store.create("demo", HOSTILE)


class Bodies:
    @pytest.mark.parametrize("message", HOSTILE)
    def test_come_back_to_the_letter(self, the_store, message):
        (body,) = bodies.encode_all([message], 10**9)
        packed = bodies.pack(body.decode())
        if packed is None:
            assert len(body) < 300
            return
        assert len(packed) < len(body) / 3
        assert bodies.plain(packed).encode() == bodies.plain_bytes(packed.encode()) == body
        assert bodies.decode(bodies.plain(packed)) == message
        assert bodies.pack(packed) is None

    def test_that_would_not_be_shorter_stay(self, the_store):
        noise = random.Random(1).randbytes(2000).hex()
        assert bodies.pack("{" + "x" * 200) is None
        packed = bodies.pack('{"a":"' + noise + '"}')
        assert packed is None or len(packed) < len(noise)

    @pytest.mark.parametrize("body", ["z", "z0000000010", "z0000000010!!", "z0000000010aGVsbG8="])
    def test_that_are_damaged_stay_what_they_are(self, the_store, body):
        assert bodies.plain(body) == body


class APackedSession:
    def test_is_smaller_and_reads_the_same_in_every_way(self, the_store, session):
        before = raw()
        done = packing.pack(session.id)
        assert packed_count() == 5
        assert done.before > 3 * done.after > 0
        stored = sum(len(body.encode()) for *_, body in raw())
        assert sum(len(body.encode()) for *_, body in before) - stored == done.before - done.after
        assert the_store.get(session.id).messages == HOSTILE
        assert the_store.get_messages(session.id, 2, 4) == HOSTILE[2:4]
        assert [position for position, _ in the_store.prompts(session.id)] == the_store.prompt_positions(session.id)
        assert the_store.prompts(session.id)[0][1].startswith("nul")
        assert packing.pack(session.id) == packing.Packed()
        assert list(store_check.problems()) == []
        packing.unpack(session.id)
        assert raw() == before

    @pytest.mark.parametrize(
        "query", ["quick brown", "straße", "STRASSE", "éclair", "中文", "文", "pair", "ox the", "no"]
    )
    def test_is_found_as_before(self, the_store, session, query):
        a_session(the_store, f"another {LONG}", "answer")
        before = the_store.search(query, 99, distinct="message"), the_store.find(session.id, query)
        packing.pack(session.id)
        assert (the_store.search(query, 99, distinct="message"), the_store.find(session.id, query)) == before
        call_command("rebuild_search")
        assert (the_store.search(query, 99, distinct="message"), the_store.find(session.id, query)) == before
        assert list(store_check.problems()) == []

    def test_has_the_tokens_that_it_had(self, the_store):
        usage = {"usage": {"output_tokens": 7}}
        session = the_store.create("demo", [a_message(LONG), {"role": "assistant", "content": LONG} | usage])
        the_store.append(session.id, [a_message(LONG), {"role": "assistant", "content": f"short {LONG}"} | usage])
        counted = list(TokenTotal.objects.order_by("position").values_list("position", "total"))
        packing.pack(session.id)
        assert packed_count() == 4
        assert list(store_check.problems()) == []
        call_command("check_store", repair=True)
        assert (
            list(TokenTotal.objects.order_by("position").values_list("position", "total"))
            == counted
            == [(1, 7), (3, 14)]
        )

    def test_is_forked_written_to_and_cut_as_before(self, the_store, session):
        packing.pack(session.id)
        fork = the_store.fork_at(session.id, 3)
        the_store.append(session.id, [a_message("more")])
        assert the_store.get(session.id).messages == [*HOSTILE, a_message("more")]
        assert the_store.get(fork.id).messages == HOSTILE[:3]
        the_store.update(session.id, [*HOSTILE[:2], a_message("other")], 2)
        assert the_store.get(session.id).messages == [*HOSTILE[:2], a_message("other")]
        the_store.update(fork.id, HOSTILE, 3)
        the_store.truncate(fork.id, 1)
        assert the_store.get(fork.id).messages == HOSTILE[:1]
        assert list(store_check.problems()) == []

    def test_is_copied_into_one_strand_as_before(self, the_store, session):
        id = session.id
        for number in range(60):  # more pieces than a session may have
            packing.pack(id)
            id = the_store.fork_at(id, len(HOSTILE) + number).id
            the_store.append(id, [a_message(f"in fork {number} {LONG}")])
        packing.pack(id)
        assert the_store.get(id).messages[: len(HOSTILE)] == HOSTILE
        assert the_store.get(id).messages[-1] == a_message(f"in fork 59 {LONG}")
        assert list(store_check.problems()) == []

    def test_frees_what_is_told_when_it_is_purged(self, the_store, session, clock):
        fork = the_store.fork_at(session.id, 2)
        the_store.append(fork.id, [a_message(LONG)])
        packing.pack(session.id)
        packing.pack(fork.id)
        the_store.delete(fork.id)
        told = space.total(space.overview(clock.moment)[0].values()).trashed_bytes
        assert told == cleanup_rows.bytes_freed([fork.id]) == len(bodies.encode_all([a_message(LONG)], 10**9)[0])
        the_store.purge(fork.id)
        assert the_store.get(session.id).messages == HOSTILE

    def test_that_is_damaged_is_named_by_the_check(self, the_store, session):
        packing.pack(session.id)
        statement = "UPDATE forklore_message SET body = 'z0000000010' WHERE body LIKE 'z%%' AND position = 2"
        with connection().cursor() as cursor:
            cursor.execute(statement, [])
        assert any("Message 2" in problem for problem in store_check.problems())

    def test_never_puts_a_body_where_another_message_came_to_stand(self, the_store, session, monkeypatch):
        def meanwhile(waiting):
            the_store.update(session.id, [*HOSTILE[:1], a_message(f"another {LONG}")], 1)
            put(waiting)

        put = packing._put
        monkeypatch.setattr(packing, "_put", meanwhile)
        packing.pack(session.id)
        assert the_store.get(session.id).messages == [HOSTILE[0], a_message(f"another {LONG}")]
        assert list(store_check.problems()) == []


class APolicy:
    @pytest.fixture
    def sessions(self, the_store, clock):
        made = [the_store.create("demo", [a_message(f"{n} {LONG}")]) for n in range(5)]
        the_store.pin(made[0].id)
        clock.moment += timedelta(days=40)
        made.append(the_store.create("demo", [a_message(f"new {LONG}")]))
        return made

    def test_packs_what_lies_still_and_is_taken_back(self, the_store, sessions):
        before = raw()
        assert len(cleanup.preview(COLD).sessions) == 4
        entry = cleanup.run(COLD)
        assert (entry.done, entry.state, packed_count()) == (4, "done", 4)
        assert int(entry.value) > 3 * (int(entry.value) - entry.freed_bytes)
        assert list(store_check.problems()) == []
        assert cleanup.undo(entry.number).state == "undone"
        assert raw() == before

    def test_packs_what_forks_descend_from_too(self, the_store, sessions):
        the_store.fork_at(sessions[1].id, 1)
        assert cleanup.run(COLD).done == 4

    def test_leaves_alone_what_it_packed_until_it_was_written_to(self, the_store, sessions, clock):
        cleanup.run(COLD)
        assert cleanup.preview(COLD).sessions == []
        the_store.append(sessions[1].id, [a_message(f"again {LONG}")])
        clock.moment += timedelta(days=40)
        assert set(cleanup.preview(COLD).sessions) == {sessions[1].id, sessions[5].id}
        assert cleanup.run(COLD).done == 2
        cleanup.undo()
        assert cleanup.preview(COLD).sessions

    def test_goes_on_where_it_was_cut_off(self, the_store, sessions):
        entry = cleanup.run(COLD)
        JournalEntry.objects.filter(pk=entry.number).update(state="running", done=2)
        ids = cleanup.preview(Policy("all", "before:1d", "archive")).sessions
        marks = ", ".join(["%s"] * 2)
        keys = [id if connection().features.has_native_uuid_field else id.hex for id in ids[:2]]
        execute(
            f"UPDATE forklore_journalitem SET state = 0 WHERE entry_id = %s AND session_id IN ({marks})",
            [entry.number, *keys],
        )
        (again,) = cleanup.resume()
        assert (again.done, again.state) == (4, "done")
        cleanup.undo()
        assert packed_count() == 0

    def test_is_told_with_its_ratio_by_the_command(self, the_store, sessions, capsys):
        call_command("cleanup", "cold", set="before:30d", action="pack")
        call_command("cleanup", "cold", dry_run=True)
        call_command("cleanup", "cold")
        told = capsys.readouterr().out
        assert "cold: 4 sessions to pack, which saves 16 KB\n" in told
        assert "4 sessions packed: 16 KB as" in told
        assert "times smaller" in told

    def test_tells_beforehand_what_is_then_saved(self, the_store, sessions):
        fork = the_store.fork_at(sessions[1].id, 1)  # shares what it shows
        the_store.append(fork.id, [a_message(f"of its own {LONG}"), a_message("short")])
        deeper = the_store.fork_at(fork.id, 3)
        the_store.append(deeper.id, [a_message(f"deeper {LONG}")])
        packing.pack(sessions[2].id)  # already; nothing is to be had of it
        Session.objects.update(updated_at=datetime(2020, 1, 1, tzinfo=UTC))
        found, before = cleanup.preview(COLD), stored_bytes()
        assert len(found.sessions) == 7
        assert found.measured_bytes is None
        assert cleanup.run(COLD).freed_bytes == found.freed_bytes == before - stored_bytes() > 0

    def test_estimates_what_is_saved_of_much(self, the_store, sessions, monkeypatch):
        chance = random.Random(5)
        for size in (5, 50, 200):
            noise = [chance.randbytes(chance.randrange(2000)).hex() for _ in range(size)]
            the_store.create("demo", [a_message(LONG[: 40 * at % 3000] + text) for at, text in enumerate(noise)])
        Session.objects.update(updated_at=datetime(2020, 1, 1, tzinfo=UTC))
        monkeypatch.setattr(packing, "MEASURED", 200_000)
        monkeypatch.setattr(packing, "MEASURING", 60)
        found = cleanup.preview(COLD)
        assert 200_000 <= found.measured_bytes < 220_000 < stored_bytes() / 2
        assert cleanup.run(COLD).freed_bytes == pytest.approx(found.freed_bytes, rel=0.2)

    def test_touches_no_session_but_its_bodies(self, the_store, sessions):
        before = list(Session.objects.order_by("pk").values())
        cleanup.run(COLD)
        assert list(Session.objects.order_by("pk").values()) == before
