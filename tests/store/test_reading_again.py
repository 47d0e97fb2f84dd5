"""Sessions that are read whole again and again: kept in this process, and never other than what the database holds."""

import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connections

from sessions_app import databases, opening, packing, recent_reads, redaction, session_rows
from sessions_app.access import roles
from sessions_app.actors import Actor, Role, acting
from sessions_app.databases import connection, current, execute
from sessions_app.errors import SessionNotFound
from sessions_app.models import Project
from tests.builders import a_message, a_session, environment, texts

SYNC_ONLY = pytest.mark.parametrize("door", ["sync"])
SHAPES = [
    {"role": "user", "content": "plain"},
    {"role": "assistant", "content": [{"type": "text", "text": "within a list"}], "usage": {"output_tokens": 3}},
    {"number": 2**80, "text": "beyond 64 bits"},
    {"pair": "\ud83d\ude00", "lone": "\ud800"},
    {"nothing": None, "yes": True, "half": 0.5, "": ""},
    {},
]


@pytest.fixture(autouse=True)
def nothing_is_kept(the_store):
    for alias in connections:  # which other tests have filled
        recent_reads.forget(alias)
    yield
    recent_reads.forget(current())
    assert recent_reads.held() == 0


def read_often(store, id):
    """Twice to be kept, and once more out of what is kept."""
    return [store.get_messages(id) for _ in range(3)]


def is_kept(id):
    return recent_reads.known((current(), id))[0] is not None


class ReadingAgain:
    def test_gives_every_shape_as_it_was_written(self, the_store):
        session = the_store.create("demo", SHAPES)
        assert read_often(the_store, session.id) == [SHAPES] * 3
        assert the_store.get(session.id).messages == SHAPES
        assert [list(message) for message in the_store.get_messages(session.id)] == [list(each) for each in SHAPES]

    def test_gives_what_the_caller_may_change(self, the_store):
        session = the_store.create("demo", SHAPES)
        for _ in range(4):
            for found in (the_store.get_messages(session.id), the_store.get(session.id).messages):
                found[0]["content"] = "changed"
                found[1]["content"][0]["text"] = "changed"
                found[1]["usage"].clear()
                found.clear()
        assert the_store.get_messages(session.id) == SHAPES

    def test_gives_what_was_appended_since(self, the_store):
        session = a_session(the_store, "one")
        expected = [a_message("one")]
        for turn in range(5):
            assert read_often(the_store, session.id) == [expected] * 3
            added = [a_message(f"{turn}"), SHAPES[turn]]
            the_store.append(session.id, added)
            expected = [*expected, *added]
            assert the_store.get(session.id).messages == expected

    def test_gives_what_was_written_in_its_place(self, the_store):
        session = a_session(the_store, "one", "two", "three")
        read_often(the_store, session.id)
        the_store.update(session.id, [a_message("one"), a_message("other"), a_message("three")], 1)
        assert texts(the_store.get(session.id)) == ["one", "other", "three"]
        read_often(the_store, session.id)
        the_store.truncate(session.id, 1)
        assert read_often(the_store, session.id) == [[a_message("one")]] * 3
        the_store.append(session.id, [a_message("two"), a_message("again")])
        assert texts(the_store.get(session.id)) == ["one", "two", "again"]
        the_store.truncate(session.id, 0)
        assert read_often(the_store, session.id) == [[]] * 3

    def test_ends_with_the_trash_and_goes_on_behind_it(self, the_store):
        session = a_session(the_store, "one", "two")
        read_often(the_store, session.id)
        the_store.delete(session.id)
        assert the_store.get(session.id) is None
        with pytest.raises(SessionNotFound):
            the_store.get_messages(session.id)
        the_store.restore(session.id)
        assert texts(the_store.get(session.id)) == ["one", "two"]

    def test_tells_forks_from_their_parent(self, the_store):
        parent = a_session(the_store, "one", "two")
        fork = the_store.fork_at(parent.id, 1)
        for round in range(3):
            the_store.append(fork.id, [a_message(f"mine {round}")])
            the_store.append(parent.id, [a_message(f"theirs {round}")])
            assert texts(the_store.get(parent.id)) == ["one", "two", *(f"theirs {n}" for n in range(round + 1))]
            assert texts(the_store.get(fork.id)) == ["one", *(f"mine {n}" for n in range(round + 1))]

    @pytest.mark.parametrize("seed", range(3))
    def test_is_what_reading_by_windows_is_whatever_was_written(self, the_store, seed):
        chosen = random.Random(seed)
        sessions = [a_session(the_store, "one", "two").id]
        for step in range(40):
            id = chosen.choice(sessions)
            match chosen.randrange(5):
                case 0:
                    the_store.append(id, [a_message(f"{step}"), *chosen.sample(SHAPES, 2)])
                case 1:
                    the_store.truncate(id, chosen.randrange(len(the_store.get_messages(id)) + 1))
                case 2:
                    sessions.append(the_store.fork_at(id, chosen.randrange(len(the_store.get_messages(id)) + 1)).id)
                case 3:
                    the_store.update(id, the_store.get_messages(id)[::-1], 1)
            for each in sessions:
                by_windows = the_store.get_messages(each, 0, 10_000)
                assert the_store.get_messages(each) == the_store.get(each).messages == by_windows


@SYNC_ONLY
class WhatIsKept:
    def test_is_what_was_read_twice(self, the_store):
        session = a_session(the_store, "one", "two")
        the_store.get_messages(session.id)
        assert not is_kept(session.id)
        the_store.get_messages(session.id)
        assert is_kept(session.id)

    def test_is_asked_about_by_one_statement_alone(self, the_store, django_assert_num_queries):
        session = a_session(the_store, "one", "two")
        read_often(the_store, session.id)
        with django_assert_num_queries(1, using=current()):
            assert texts(the_store.get(session.id)) == ["one", "two"]
        the_store.append(session.id, [a_message("three")])
        with django_assert_num_queries(1, using=current()):
            assert len(the_store.get_messages(session.id)) == 3

    def test_is_shown_to_nobody_who_may_not_see_it(self, the_store):
        session = a_session(the_store, "one", project="ours")
        read_often(the_store, session.id)
        user = User.objects.create(username="anna")
        anna = Actor("user", "anna", user_id=user.pk)
        with acting(anna):
            assert the_store.get(session.id) is None
            with pytest.raises(SessionNotFound):
                the_store.get_messages(session.id)
        roles.grant(user.pk, Project.objects.get(name="ours").pk, Role.VIEWER)
        with acting(anna):
            assert the_store.get_messages(session.id) == [a_message("one")]
            assert texts(the_store.get(session.id)) == ["one"]

    def test_is_not_believed_after_a_transaction_that_was_taken_back(self, the_store):
        session = a_session(the_store, "one")
        with suppress(ZeroDivisionError), session_rows.writing():
            the_store.append(session.id, [a_message("never")])
            assert len(read_often(the_store, session.id)[2]) == 2
            raise ZeroDivisionError
        assert read_often(the_store, session.id) == [[a_message("one")]] * 3
        the_store.append(session.id, [a_message("then")])
        assert texts(the_store.get(session.id)) == ["one", "then"]

    def test_holds_no_word_that_was_redacted(self, the_store):
        secret = "ghp_Zq81Lm02Nx73Kv64Jt95Hr16Gp27Fn38Dd49"
        session = a_session(the_store, "one", f"it is {secret}")
        fork = the_store.fork_at(session.id, 2)
        read_often(the_store, session.id)
        read_often(the_store, fork.id)
        redaction.redact(session.id, 1)
        assert recent_reads.held() == 0
        assert not any(secret in text for id in (session.id, fork.id) for text in texts(the_store.get(id)))

    def test_takes_nothing_in_that_was_read_before_something_was_forgotten(self, the_store):
        session = a_session(the_store, "one")
        the_store.get_messages(session.id)
        place = current(), session.id
        _, era = recent_reads.known(place)
        recent_reads.forget(current())
        for _ in range(2):
            recent_reads.remember(place, era, b"digest", [b"{}"], [{}], None)
        assert not is_kept(session.id)

    def test_goes_with_a_purge(self, the_store):
        session, other = a_session(the_store, "one"), a_session(the_store, "two")
        read_often(the_store, session.id)
        read_often(the_store, other.id)
        the_store.delete(session.id)
        the_store.purge(session.id)
        assert (is_kept(session.id), is_kept(other.id)) == (False, True)

    def test_is_right_when_bodies_were_packed(self, the_store):
        session = a_session(the_store, "word " * 500, "two")
        before = read_often(the_store, session.id)[0]
        packing.pack(session.id)
        assert read_often(the_store, session.id) == [before] * 3
        recent_reads.forget(current())
        assert read_often(the_store, session.id) == [before] * 3

    def test_is_what_was_written_though_a_body_was_changed_beside_the_store(self, the_store):
        session = a_session(the_store, "one", "two", "three")
        read_often(the_store, session.id)
        execute("UPDATE forklore_message SET body = %s WHERE position = 0", ['{"role":"user","content":"forged"}'])
        assert texts(the_store.get(session.id)) == ["one", "two", "three"]

    def test_is_told_from_that_of_another_process_that_rewrote_it(self, the_store):
        secret = "ghp_Zq81Lm02Nx73Kv64Jt95Hr16Gp27Fn38Dd49"
        session = a_session(the_store, "one", f"it is {secret}", "three")
        program = (
            "import sys\nimport django\ndjango.setup()\nfrom sessions_app import store\nfrom uuid import UUID\n"
            "for line in sys.stdin:\n"
            f"    print([m['content'] for m in store.get_messages(UUID('{session.id}'))], flush=True)\n"
        )
        variables = environment(current(), DJANGO_SETTINGS_MODULE="sessions_site.settings")
        with subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables
        ) as other:

            def asked():
                other.stdin.write("\n")
                other.stdin.flush()
                return other.stdout.readline()

            assert [secret in asked() for _ in range(3)] == [True] * 3
            redaction.redact(session.id, 1)
            found = asked()
            assert "[redacted GitHub token]" in found
            assert secret not in found
            other.stdin.close()

    def test_is_each_database_s_own(self, the_store):
        session = a_session(the_store, "one")
        read_often(the_store, session.id)
        assert recent_reads.known(("another", session.id))[0] is None

    def test_goes_when_its_database_is_closed(self, the_store):
        id = uuid4()
        for _ in range(2):
            recent_reads.remember(("gone", id), recent_reads.known(("gone", id))[1], b"d", [b"{}"], [{}], None)
        assert recent_reads.known(("gone", id))[0] is not None
        opening.remove("gone")
        assert recent_reads.known(("gone", id))[0] is None


@SYNC_ONLY
class TheMemoryOfIt:
    def test_is_bounded_and_gives_up_what_was_read_longest_ago(self, the_store, monkeypatch):
        monkeypatch.setattr(recent_reads, "MOST", 100_000)
        sessions = [a_session(the_store, "x" * 20_000) for _ in range(8)]
        for session in sessions:
            read_often(the_store, session.id)
            the_store.get_messages(sessions[0].id)
            assert recent_reads.held() <= 100_000
        kept = [is_kept(session.id) for session in sessions]
        assert kept[0]
        assert kept[-1]
        assert not all(kept)
        assert [texts(the_store.get(session.id)) for session in sessions] == [["x" * 20_000]] * 8

    def test_is_not_spent_on_a_very_large_session(self, the_store, monkeypatch):
        monkeypatch.setattr(recent_reads, "MOST_OF_ONE", 10_000)
        session = a_session(the_store, "x" * 20_000)
        assert read_often(the_store, session.id) == [session.messages] * 3
        assert recent_reads.held() == 0

    def test_counts_what_a_session_gains(self, the_store, monkeypatch):
        monkeypatch.setattr(recent_reads, "MOST_OF_ONE", 50_000)
        session = a_session(the_store, "begin")
        for _ in range(5):
            read_often(the_store, session.id)
            the_store.append(session.id, [a_message("y" * 20_000)])
        assert len(read_often(the_store, session.id)[2]) == 6
        assert recent_reads.held() == 0

    def test_remembers_so_many_sessions_and_no_more(self, the_store, monkeypatch):
        monkeypatch.setattr(recent_reads, "SESSIONS", 3)
        sessions = [a_session(the_store, f"{number}") for number in range(6)]
        for session in sessions:
            the_store.get_messages(session.id)
        assert len(recent_reads._reads) == 3


@SYNC_ONLY
class ManyThreads:
    def test_read_what_one_of_them_goes_on_writing(self, the_store):
        session = a_session(the_store, "0")
        alias, ended = current(), threading.Event()

        def reads():
            with databases.using(alias):
                last = 0
                try:
                    while not ended.is_set():
                        found = [int(message["content"]) for message in the_store.get_messages(session.id)]
                        assert found == list(range(len(found)))
                        assert len(found) >= last
                        last = len(found)
                    return last
                finally:
                    connection().close()

        with ThreadPoolExecutor(3) as pool:
            readers = [pool.submit(reads) for _ in range(3)]
            try:
                for number in range(1, 60):
                    the_store.append(session.id, [a_message(str(number))])
            finally:
                ended.set()
            for each in readers:
                assert each.result() >= 1
        assert len(the_store.get_messages(session.id)) == 60
