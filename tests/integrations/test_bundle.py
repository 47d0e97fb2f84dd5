"""Bundles: what was exported comes back as it was, or not at all."""

import io
import json

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from sessions_app import putting, store_check
from sessions_app.errors import SessionExists, SessionTooLarge
from sessions_app.integrations import bundle
from sessions_app.models import Message, Piece, Session, Strand
from tests.builders import a_message, a_session

HARD = {"role": "user", "content": "\ud83d\ude00 \ud800 \0 😀", "big": 2**70, "z": {"a": 1.5, "b": None}}


@pytest.fixture
def family(the_store):
    """A root with a message that JSON hardly carries, its fork with more, and a fork of that in another project."""
    root = the_store.create("shop", [HARD, a_message("one"), a_message("two")], agent="codex")
    fork = the_store.fork_at(root.id, 2)
    the_store.append(fork.id, [a_message("other")], turns=3)
    the_store.rename(fork.id, "another way")
    the_store.set_tags(fork.id, ["keep"])
    the_store.pin(fork.id)
    grandchild = the_store.fork_at(fork.id, 3, "elsewhere")
    return [root.id, fork.id, grandchild.id]


def exported(ids):
    file = io.StringIO()
    bundle.export(ids, file)
    return file.getvalue().encode()


def empty(the_store, ids):
    for id in reversed(ids):
        the_store.delete(id)
        the_store.purge(id)


class ABundle:
    def test_brings_back_what_was_purged(self, the_store, family):
        before = [the_store.get(id) for id in family]
        file = exported(reversed(family))
        empty(the_store, family)

        outcome = bundle.bring_in(io.BytesIO(file))

        assert [the_store.get(id) for id in family] == before
        assert (outcome.sessions, outcome.new) == (3, 3)
        fork = Session.objects.get(pk=family[1])
        assert (the_store.tags(fork.pk), bool(fork.pinned_at)) == (["keep"], True)
        assert Session.objects.get(pk=family[0]).agent == "codex"
        assert {hit.id for hit in the_store.search("one", 9)} == set(family)
        assert exported(family) == file

    def test_shares_what_forks_share(self, the_store, family):
        stored = Message.objects.count()
        file = exported(family)
        empty(the_store, family)
        bundle.bring_in(io.BytesIO(file))
        assert Message.objects.count() == stored

    def test_leaves_what_is_there_and_refuses_what_says_otherwise(self, the_store, family):
        file = exported(family)
        assert bundle.bring_in(io.BytesIO(file)).new == 0
        the_store.append(family[2], [a_message("more")])
        with pytest.raises(SessionExists):
            bundle.bring_in(io.BytesIO(file))

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda lines: lines[:-1],
            lambda lines: lines[:3] + lines[4:],
            lambda lines: [lines[0], lines[1].replace(b"shop", b"ship"), *lines[2:]],
            lambda lines: lines[1:],
            lambda lines: [b"{}\n"],
            lambda lines: [],
            lambda lines: [*lines[:2], b"no json\n", *lines[2:]],
            lambda lines: [*lines[:-1], lines[-1][:-9]],
        ],
    )
    def test_that_was_cut_or_changed_writes_nothing(self, the_store, family, spoil):
        lines = exported(family).splitlines(keepends=True)
        empty(the_store, family)
        with pytest.raises(bundle.BrokenBundle):
            bundle.bring_in(io.BytesIO(b"".join(spoil(lines))))
        assert Session.objects.count() == 0

    def test_without_the_parent_is_of_a_root(self, the_store, family):
        file = exported(family[1:2])
        empty(the_store, family)
        bundle.bring_in(io.BytesIO(file))
        fork = the_store.get(family[1])
        assert (fork.parent_id, fork.message_count) == (None, 3)


class ALongSession:
    """One of more messages than are written at once comes in parts."""

    @pytest.fixture(autouse=True)
    def short_parts(self, monkeypatch):
        monkeypatch.setattr(bundle, "WINDOW", 2)

    @pytest.fixture
    def long(self, the_store, family):
        """A fork that shares seven messages with its parent, and has five of its own."""
        root = family[0]
        the_store.append(root, [a_message(f"said {number}") for number in range(6)])
        long = the_store.fork_at(root, 7)
        the_store.append(long.id, [HARD, *(a_message(f"own {number}") for number in range(4))], turns=5)
        the_store.rename(long.id, "a long way")
        the_store.tag(long.id, "keep")
        return [*family, long.id]

    def test_comes_back_as_it_was_and_shares_what_it_shared(self, the_store, long):
        before = [the_store.get(id) for id in long]
        counted = [model.objects.count() for model in (Session, Message, Strand, Piece)]
        file = exported(long)
        empty(the_store, long)

        outcome = bundle.bring_in(io.BytesIO(file))

        assert (outcome.new, [the_store.get(id) for id in long]) == (4, before)
        assert [model.objects.count() for model in (Session, Message, Strand, Piece)] == counted
        assert the_store.tags(long[3]) == ["keep"]
        assert {hit.id for hit in the_store.search("own 3", 9)} == {long[3]}
        assert bundle.bring_in(io.BytesIO(file)).new == 0
        assert list(store_check.problems()) == []
        the_store.append(long[3], [a_message("and on")])
        assert the_store.get(long[3]).message_count == 13

    def test_is_seen_by_nobody_until_it_is_whole(self, the_store, long, monkeypatch):
        file, parts, seen = exported(long[:1]), bundle._parts, []
        empty(the_store, long)

        def looked_at(*arguments):
            for part in parts(*arguments):
                yield part
                seen.append((the_store.get(long[0]), the_store.search("said 1", 9), the_store.list_sessions(9)))

        monkeypatch.setattr(bundle, "_parts", looked_at)
        bundle.bring_in(io.BytesIO(file))
        assert len(seen) == 10  # five parts, read twice
        assert set(map(str, seen)) == {"(None, [], [])"}
        assert the_store.search("said 1", 9)

    def test_leaves_nothing_where_it_is_not_brought_to_its_end(self, the_store, long, monkeypatch):
        file = exported(long[:1])
        empty(the_store, long)
        monkeypatch.setattr(settings, "FORKLORE_SESSION_MESSAGES", 5)
        with pytest.raises(SessionTooLarge):
            bundle.bring_in(io.BytesIO(file))
        assert [model.objects.count() for model in (Session, Message, Strand, Piece)] == [0, 0, 0, 0]

    def test_waits_in_the_trash_where_its_process_was_killed(self, the_store, long, monkeypatch):
        file = exported(long[:1])
        empty(the_store, long)
        with monkeypatch.context() as killed:
            killed.setattr(putting, "_finish", lambda *_: 1 / 0)
            killed.setattr(putting.purging, "purge", lambda _: None)  # as by a kill, after which nothing is done
            with pytest.raises(ZeroDivisionError):
                bundle.bring_in(io.BytesIO(file))

        (left,) = Session.objects.all()
        assert left.title.startswith("Coming in: ")
        assert (left.message_count, the_store.get(left.pk)) == (9, None)
        assert bundle.bring_in(io.BytesIO(file)).new == 1
        the_store.purge(left.pk)
        assert the_store.get(long[0]).message_count == 9
        assert list(store_check.problems()) == []

    def test_is_not_written_over_another_one(self, the_store, long):
        file = exported(long[3:])
        the_store.append(long[3], [a_message("since")])
        counted = Session.objects.count()
        with pytest.raises(SessionExists):
            bundle.bring_in(io.BytesIO(file))
        assert Session.objects.count() == counted

    def test_may_come_in_beside_itself(self, the_store, long, monkeypatch):
        """Two at once, of which the second ends first."""
        file, parts = exported(long[:1]), bundle._parts
        empty(the_store, long)

        def meanwhile(*arguments):
            yield from parts(*arguments)
            if Session.objects.filter(trashed_at__isnull=False).count() == 1:
                monkeypatch.setattr(bundle, "_parts", parts)
                assert bundle.bring_in(io.BytesIO(file)).new == 1

        monkeypatch.setattr(bundle, "_parts", meanwhile)
        assert bundle.bring_in(io.BytesIO(file)).new == 0
        assert Session.objects.count() == 1
        assert list(store_check.problems()) == []


def test_a_line_longer_than_any_message_is_refused(the_store, monkeypatch):
    monkeypatch.setattr(settings, "FORKLORE_MESSAGE_LIMIT", 1000)
    first = json.dumps({"format": bundle.FORMAT, "version": bundle.VERSION}).encode()
    with pytest.raises(bundle.BrokenBundle, match="Line 2 of the bundle is longer"):
        bundle.bring_in(io.BytesIO(first + b"\n" + b"x" * 5000))


def test_a_session_whose_labels_are_refused_is_not_there(the_store, family, monkeypatch):
    file = exported(family)
    empty(the_store, family)
    monkeypatch.setattr(bundle, "_label", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bundle.bring_in(io.BytesIO(file))
    assert Session.objects.count() == 0


class TheCommands:
    def test_carry_a_lineage_from_one_store_to_another(self, the_store, family, tmp_path, capsys):
        other = a_session(the_store, "not of it")
        path = tmp_path / "family.jsonl"
        call_command("export_sessions", str(path), str(family[2])[:13], "--lineage")
        empty(the_store, family)
        call_command("import_bundle", str(path))

        assert "3 sessions brought in; 0 were there already." in capsys.readouterr().out
        assert str(other.id) not in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o600
        assert json.loads(path.read_text().splitlines()[-1])["end"]["sessions"] == 3

    def test_write_no_file_where_there_is_one(self, the_store, family, tmp_path):
        path = tmp_path / "bundle.jsonl"
        path.write_text("mine")
        with pytest.raises(CommandError, match="there already"):
            call_command("export_sessions", str(path), "--project", "shop")
        assert path.read_text() == "mine"
        assert list(tmp_path.iterdir()) == [path]

    def test_say_what_there_is_not(self, the_store, tmp_path):
        with pytest.raises(CommandError, match="Name sessions"):
            call_command("export_sessions", "-")
        with pytest.raises(CommandError, match="The project “none” has no sessions"):
            call_command("export_sessions", "-", "--project", "none")
        with pytest.raises(CommandError, match="No session has an id that begins with “ffffffff”"):
            call_command("export_sessions", "-", "ffffffff")
        with pytest.raises(CommandError, match="cannot be read"):
            call_command("import_bundle", str(tmp_path / "none"))
