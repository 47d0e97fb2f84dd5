"""Bundles: what was exported comes back as it was, or not at all."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from sessions_app.errors import SessionExists
from sessions_app.integrations import bundle
from sessions_app.models import Session
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
        from sessions_app.models import Message

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
            call_command("export_sessions", "-", "--project", "none")
        with pytest.raises(CommandError, match="no session ffffffff"):
            call_command("export_sessions", "-", "ffffffff")
        with pytest.raises(CommandError, match="cannot be read"):
            call_command("import_bundle", str(tmp_path / "none"))
