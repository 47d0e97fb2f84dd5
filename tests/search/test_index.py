"""Whatever was written, and while others write: a search gives what brute force gives, in the same order.

FORKLORE_LONG=1 asks some thousands of questions more.
"""

import os
import random
import threading

import pytest

from sessions_app import databases, search, search_index, search_rebuild, store_check
from sessions_app.databases import connection
from sessions_app.search import budget, postgresql, walk
from sessions_app.store import snapshot
from tests.builders import a_message, a_session

from .corpora import Reference, change, queries

LONG = os.environ.get("FORKLORE_LONG") == "1"
WRITES, QUERIES, ROUNDS = (150, 600, 8) if LONG else (60, 220, 2)


def found(hits):
    return [(hit.id, hit.position) for hit in hits]


@pytest.fixture(params=["as it is", "indexed at once", "few are many"])
def thresholds(request, monkeypatch):
    """The sizes at which the index changes its ways, as they are and so small that every way is taken."""
    from sessions_app.search import indexed, postgresql, rows, sqlite

    if request.param == "indexed at once":
        monkeypatch.setattr(search_index, "AT_ONCE", 0)
        monkeypatch.setattr(search_index, "TOO_LONG", 300)
    if request.param == "few are many":
        monkeypatch.setattr(search_index, "WAITING", 3)
        monkeypatch.setattr(sqlite, "FEW", 2)
        monkeypatch.setattr(postgresql, "WORTH_OF_ONE", 0.0)
        monkeypatch.setattr(postgresql, "LISTING", 1.0)
        monkeypatch.setattr(postgresql, "SHORT", 0)
        monkeypatch.setattr(postgresql, "SAMPLE", 3)
        monkeypatch.setattr(indexed, "LOOKED_AT", 0)
        monkeypatch.setattr(sqlite, "WORTH", (0, 0))
        monkeypatch.setattr(sqlite, "RARE", 1)
        monkeypatch.setattr(sqlite, "NEWEST", 1)
        monkeypatch.setattr(sqlite, "FIRST_READ", 5)
        monkeypatch.setattr(rows, "STEP", 5)
        monkeypatch.setattr(rows, "TOGETHER", 2)
        monkeypatch.setattr(sqlite, "SHOWING", 0)
        monkeypatch.setattr(sqlite, "MANY", 3)
        monkeypatch.setattr(postgresql, "FIRST_READ", 5)
        monkeypatch.setattr(indexed, "CHUNK", (1, 3))
        monkeypatch.setattr(indexed, "WINDOW", (2, 4))


class Exactness:
    @pytest.mark.parametrize("seed", range(ROUNDS))
    def test_every_answer_is_that_of_brute_force(self, the_store, thresholds, seed):
        choose, ids = random.Random(seed), []
        for _ in range(WRITES):
            change(the_store, choose, ids)
        reference = Reference(the_store)

        for query in queries(choose, reference.sessions, QUERIES):
            limit = choose.choice((1, 3, 1000))
            assert found(the_store.search(query, limit)) == reference.answer(query, limit), ascii(query)

    def test_hits_tell_what_the_walk_tells(self, the_store):
        choose, ids = random.Random(7), []
        for _ in range(WRITES):
            change(the_store, choose, ids)

        for query in queries(choose, Reference(the_store).sessions, QUERIES // 2):
            with snapshot():
                assert the_store.search(query, 9) == walk.search(query, 9), ascii(query)

    def test_holds_while_others_write(self, the_store, either_database):
        ids, choose = [], random.Random(11)
        for _ in range(WRITES // 2):
            change(the_store, choose, ids)
        errors = []

        def write(seed):
            own, mine = random.Random(seed), []
            with databases.using(either_database):
                try:
                    for _ in range(WRITES):
                        change(the_store, own, mine)
                except Exception as error:  # whatever it is, the test must tell
                    errors.append(error)
                finally:
                    databases.close(either_database)

        writers = [threading.Thread(target=write, args=[seed]) for seed in (1, 2)]
        for writer in writers:
            writer.start()
        for _ in range(ROUNDS * 5):
            with snapshot():  # both look at one state of the database
                reference = Reference(the_store)
                for query in queries(choose, reference.sessions, 6):
                    assert found(the_store.search(query, 9)) == reference.answer(query, 9), ascii(query)
        for writer in writers:
            writer.join()
        assert errors == []
        assert list(store_check.problems()) == []


class Pages:
    def test_follow_each_other_without_gap_or_double(self, the_store):
        choose, ids = random.Random(3), []
        for _ in range(WRITES):
            change(the_store, choose, ids)

        for query in ("e", "the", "import", "self", "ß", "the import", "database"):
            for distinct in ("session", "message"):
                whole = search.search_page(query, 10_000, distinct=distinct)
                hits, after = [], None
                while True:
                    page = search.search_page(query, 3, distinct=distinct, after=after)
                    hits += page.hits
                    after = page.next
                    if after is None:
                        break
                assert found(hits) == found(whole.hits)
                assert whole.complete
                assert whole.next is None

    def test_by_message_list_every_message_once_under_its_newest_session(self, the_store):
        parent = a_session(the_store, "needle one", "hay", "needle two")
        fork = the_store.fork_at(parent.id, 2)
        the_store.append(fork.id, [a_message("needle three")])

        hits = search.search_page("needle", 9, distinct="message").hits

        assert [(hit.id, hit.position, hit.shared_with) for hit in hits] == [
            (fork.id, 0, 1),
            (fork.id, 2, 0),
            (parent.id, 2, 0),
        ]

    def test_say_when_the_time_was_up(self, the_store):
        a_session(the_store, *["hay"] * 100)

        page = search.search_page("hay", 9, seconds=0)

        assert (page.hits, page.complete, page.next) == ([], False, None)
        assert search.search_page("hay", 9).complete

    @pytest.mark.parametrize("milliseconds", range(0, 30, 2))
    def test_never_fail_for_want_of_time(self, the_store, milliseconds, monkeypatch):
        monkeypatch.setattr(budget, "_STEPS", 10)
        session = a_session(the_store, *["hay"] * 300, "needle")
        whole = search.search_page("needle", 9).hits

        page = search.search_page("needle", 9, seconds=milliseconds / 1000)

        assert page.hits in ([], whole)
        assert page.complete or page.hits == []
        assert the_store.search("needle", 9)[0].id == session.id

    def test_keep_to_the_filters(self, the_store):
        from sessions_app.models import Kind, Session

        old = a_session(the_store, "needle", "needle and hay", project="old")
        new = a_session(the_store, "needle", project="new")
        in_old = search.Filters(sessions=Session.objects.filter(project__name="old"))
        answers = search.Filters(kinds=frozenset({Kind.ANSWER}))
        nowhere = search.Filters(sessions=Session.objects.none())

        assert found(search.search_page("needle", 9, filters=in_old).hits) == [(old.id, 0)]
        assert found(search.search_page("needle", 9, filters=answers).hits) == [(old.id, 1)]
        assert found(search.search_page("needle", 9).hits) == [(new.id, 0), (old.id, 0)]
        assert search.search_page("needle", 9, filters=nowhere).hits == []


class DamagedMessages:
    def test_are_no_hits_and_hide_none(self, the_store):
        if connection().vendor != "sqlite":
            pytest.skip("PostgreSQL checks its pages")
        whole, first_damaged, damaged = [a_session(the_store, "hay", "a needle", f"needle {n}") for n in range(3)]
        fork = the_store.fork_at(first_damaged.id, 2)
        for session, positions in ((first_damaged, (1,)), (damaged, (1, 2))):
            for position in positions:
                damage(session.id, position)

        hits = the_store.search("needle", 2)

        assert found(hits) == [(first_damaged.id, 2), (whole.id, 1)]
        assert found(search.search_page("needle", 9, distinct="message").hits) == [
            (first_damaged.id, 2),
            (whole.id, 1),
            (whole.id, 2),
        ]
        assert search.positions(first_damaged.id, "needle") == ([2], True)
        assert search.positions(fork.id, "needle") == ([], True)

    def test_leave_the_title_to_be_found(self, the_store):
        if connection().vendor != "sqlite":
            pytest.skip("PostgreSQL checks its pages")
        session = a_session(the_store, "needle", "hay")
        the_store.rename(session.id, "thread")
        assert [(hit.position, hit.snippet) for hit in the_store.search("thread", 2)] == [(None, "needle")]
        damage(session.id, 0)

        assert [(hit.position, hit.snippet) for hit in the_store.search("thread", 2)] == [(None, "")]


def damage(id, position):
    """Change a message of a session behind the store's back, so that it still holds what it is found by."""
    with connection().cursor() as cursor:
        cursor.execute(
            "UPDATE forklore_message SET body = replace(body, 'needle', 'a needle') WHERE position = %s AND strand_id ="
            " (SELECT strand_id FROM forklore_piece WHERE session_id = %s AND start <= %s ORDER BY start DESC LIMIT 1)",
            [position, id.hex, position],
        )


class Rebuilding:
    def test_brings_the_same_index_back(self, the_store):
        choose, ids = random.Random(5), []
        for _ in range(WRITES):
            change(the_store, choose, ids)
        reference = Reference(the_store)

        assert search_rebuild.rebuild() > 0

        assert search_index.complete()
        assert list(store_check.problems()) == []
        for query in queries(choose, reference.sessions, QUERIES // 4):
            assert found(the_store.search(query, 99)) == reference.answer(query, 99), ascii(query)


class PostgresqlsIndex:
    @pytest.mark.parametrize("query", ["()", "=>{", "中文", "é", "_re", "!?"])
    def test_knows_every_character_and_not_words_alone(self, the_store, query, monkeypatch):
        if connection().vendor != "postgresql":
            pytest.skip("of pg_trgm")
        session = a_session(the_store, "hay", "foo() => {}", "f(x)=>{", "这是中文", "café _read !?")
        a_session(the_store, "hay")
        monkeypatch.setattr(postgresql.TrigramFinder, "in_strands", None)  # with which sessions would be read

        (hit,) = the_store.search(query, 9)

        assert hit.id == session.id


class Tidying:
    def test_joins_what_an_import_left_and_loses_nothing(self, the_store):
        sessions = [a_session(the_store, *(f"{n} {part} needle" for part in range(200))) for n in range(6)]

        the_store.tidy(1200)

        assert connection().vendor != "sqlite" or len(segments()) == 1
        assert [hit.id for hit in the_store.search("needle", 9)] == [session.id for session in reversed(sessions)]
        assert [hit.id for hit in the_store.search("3 77 needle", 9)] == [sessions[3].id]

    def test_is_not_worth_it_after_a_turn(self, the_store):
        if connection().vendor != "sqlite":
            pytest.skip("of FTS5")
        for n in range(3):
            a_session(the_store, *(f"{n} {part} needle" for part in range(200)))
        before = segments()

        the_store.tidy(2)

        assert segments() == before


class Purging:
    def test_leaves_the_merging_of_the_index_to_later_writes(self, the_store):
        if connection().vendor != "sqlite":
            pytest.skip("of FTS5")
        sessions = [a_session(the_store, *(f"{n} {part} needle" for part in range(600))) for n in range(3)]
        with connection().cursor() as cursor:
            cursor.execute("INSERT INTO forklore_search (forklore_search) VALUES ('optimize')")
        before = segments()
        for session in sessions[:2]:
            the_store.delete(session.id)
            the_store.purge(session.id)

        assert segments() == before  # a merge writes another one
        assert [hit.id for hit in the_store.search("needle", 9)] == [sessions[2].id]
        assert not the_store.search("1 5 needle", 9)


def segments() -> set[int]:
    with connection().cursor() as cursor:
        cursor.execute("SELECT DISTINCT segid FROM forklore_search_idx")
        return {segment for (segment,) in cursor.fetchall()}
