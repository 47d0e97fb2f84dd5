"""What takes up space, compared with what is stored message by message; and a file that shrinks after a purge."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command

from sessions_app import actors, cleanup, cleanup_rows, space
from sessions_app.actors import Actor
from sessions_app.databases import connection
from sessions_app.errors import NotAllowed
from sessions_app.models import Message, Piece, Session
from sessions_app.session_rows import uuid_of
from sessions_app.space import AGES, Sums
from tests.builders import a_message, a_session

pytestmark = pytest.mark.parametrize("door", ["sync"])
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def by_hand():
    """Own, shared and trashed bytes of the whole store, message by message."""
    shown = {}
    for piece in Piece.objects.select_related("session"):
        stop = piece.session.message_count if piece.stop is None else piece.stop
        for position in range(piece.start, stop):
            shown.setdefault((piece.strand_id, position), []).append(piece.session.trashed_at is None)
    own = shared = trashed = 0
    for strand, position, body in Message.objects.values_list("strand_id", "position", "body"):
        size, live = len(body.encode()), sum(shown[strand, position])
        own += size * (live == 1)
        shared += size * (live > 1)
        trashed += size * (live == 0)
    return own, shared, trashed


def totals():
    found = space.total(space.overview(NOW)[0].values())
    return found.own_bytes, found.shared_bytes, found.trashed_bytes


def a_forest(store, seed):
    """Sessions of two projects with forks of forks, some rewritten, some in the trash."""
    chance = random.Random(seed)
    ids = [a_session(store, *(f"text {n} ä {'x' * n * 7}" for n in range(9)), project="one").id]
    for number in range(30):
        id = chance.choice(ids)
        record = store.get(id)
        match chance.randrange(4):
            case 0:
                ids.append(a_session(store, f"another {number}", project="two").id)
            case 1 | 2:
                position = chance.randint(0, record.message_count)
                child = store.fork_at(id, position, project=chance.choice(["one", "two"]))
                store.append(child.id, [a_message(f"in fork {number}" * chance.randint(1, 9))])
                ids.append(child.id)
            case 3:
                store.truncate(id, record.message_count // 2)
    for id in chance.sample(ids, len(ids) // 3):
        store.delete(id)
    return ids


class Sizes:
    @pytest.mark.parametrize("seed", range(6))
    def test_are_those_of_the_messages_each_counted_once(self, the_store, seed):
        a_forest(the_store, seed)
        assert totals() == by_hand()

    @pytest.mark.parametrize("seed", range(6))
    def test_of_the_trash_are_what_emptying_it_frees(self, the_store, seed):
        a_forest(the_store, seed)
        trashed = list(Session.objects.trashed().values_list("pk", flat=True))
        told = totals()[2]
        assert told == cleanup_rows.bytes_freed(trashed)
        assert told == cleanup.act("purge", trashed).freed_bytes
        assert totals() == by_hand()
        assert totals()[2] == 0

    def test_are_told_by_project_and_age(self, the_store):
        old, new = a_session(the_store, "old", project="a"), a_session(the_store, "new one", project="b")
        Session.objects.filter(pk=old.id).update(updated_at=NOW - timedelta(days=100))
        Session.objects.filter(pk=new.id).update(updated_at=NOW - timedelta(days=8))
        sizes = dict(Session.objects.values_list("pk", "size_bytes"))
        projects = dict(Session.objects.values_list("pk", "project"))
        assert space.overview(NOW)[0] == {
            (projects[old.id], "year"): Sums(sessions=1, messages=1, own_bytes=sizes[old.id]),
            (projects[new.id], "month"): Sums(sessions=1, messages=1, own_bytes=sizes[new.id]),
        }
        assert [size for _, size in space.overview(NOW, age="year")[1]] == [sizes[old.id]]
        assert [size for _, size in space.overview(NOW, project=projects[new.id])[1]] == [sizes[new.id]]

    def test_of_the_largest_are_what_a_purge_of_each_frees(self, the_store):
        a_forest(the_store, 3)
        cleanup.act("purge", Session.objects.trashed().values_list("pk", flat=True))
        _, found = space.overview(NOW, limit=999)
        assert sum(size for _, size in found) == totals()[0]
        for key, size in found:
            assert cleanup_rows.bytes_freed([uuid_of(key)]) == size

    def test_reach_over_every_age(self, the_store):
        session = a_session(the_store, "text")
        for days in (0, 6.9, 7, 29, 30, 89, 91, 364, 366, 4000):
            moment = NOW - timedelta(days=days)
            Session.objects.filter(pk=session.id).update(updated_at=moment)
            ((_, age),) = space.overview(NOW)[0]
            newest, oldest = AGES[age]
            assert days >= newest
            assert oldest is None or days <= oldest
            assert len(space.overview(NOW, age=age)[1]) == 1

    def test_count_what_is_live_and_what_is_in_the_trash(self, the_store):
        a_session(the_store, "live")
        the_store.delete(a_session(the_store, "gone").id)
        (sums,) = space.overview(NOW)[0].values()
        assert (sums.sessions, sums.trashed_sessions) == (1, 1)

    def test_of_an_empty_store_are_nothing(self, the_store):
        assert space.overview(NOW)[0] == {}
        assert space.database().total_bytes > 0

    def test_are_told_to_nobody_who_is_not_over_all(self, the_store):
        with actors.acting(Actor("user", "Ann")):
            for look in (lambda: space.overview(NOW), space.database):
                with pytest.raises(NotAllowed):
                    look()

    def test_of_the_index_grow_with_it(self, the_store):
        if connection().vendor == "postgresql":  # what earlier tests wrote is room that would be filled first
            with connection().cursor() as cursor:
                for table in [name for name in connection().introspection.table_names() if "_search" in name]:
                    cursor.execute(f"VACUUM FULL {table}")
        before = space.database().index_bytes
        for number in range(50):
            a_session(the_store, " ".join(f"word{number}x{n}" for n in range(400)))
        call_command("rebuild_search")
        assert space.database().index_bytes > before


class AServer:
    def test_is_told_how_to_give_back(self, the_store, capsys):
        call_command("shrink_database")
        told = capsys.readouterr().out
        assert ("VACUUM (FULL, ANALYZE)" in told) == (connection().vendor == "postgresql")
