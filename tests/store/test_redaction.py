"""Redaction: a secret leaves messages, forks, titles, the index and the database's files, and all else stays."""

import subprocess

import pytest

from sessions_app import actors, backups, packing, redaction, store_check
from sessions_app.access.models import AuditEntry
from sessions_app.actors import Actor
from sessions_app.databases import connection, current, execute
from sessions_app.errors import InvalidRedaction, NotAllowed, SessionNotFound, VersionConflict
from sessions_app.models import Session
from tests.builders import a_message, a_session, texts

from . import storage

pytestmark = pytest.mark.parametrize("door", ["sync"])
CANARY = "ghp_Zq81Lm02Nx73Kv64Jt95Hr16Gp27Fn38Dd49"
MARK = "[redacted GitHub token]"


def is_whole():
    assert list(store_check.problems()) == []


def tables_with(text):
    """The tables in which any column holds a text, folded or not."""
    return [
        table
        for table in connection().introspection.table_names()
        if text.lower() in str(execute(f'SELECT * FROM "{table}"').fetchall()).lower()
    ]


class Redacting:
    def test_takes_a_secret_out_of_a_message_and_leaves_the_rest(self, the_store):
        session = a_session(the_store, "hello", f"the token is {CANARY}, so", "thanks", "bye")
        done = redaction.redact(session.id, 1)
        assert texts(the_store.get(session.id)) == ["hello", f"the token is {MARK}, so", "thanks", "bye"]
        assert (done.messages, done.sessions) == (1, 1)
        assert the_store.search(CANARY, 5) == []
        assert [hit.id for hit in the_store.search(MARK, 5)] == [session.id]
        assert tables_with(CANARY) == []
        is_whole()

    def test_takes_it_out_of_every_fork_and_copy_in_the_tree(self, the_store):
        root = a_session(the_store, "hello", f"it is {CANARY}", "third", "fourth")
        early = the_store.fork_at(root.id, 1)
        shares = the_store.fork_at(root.id, 2)
        the_store.append(shares.id, [a_message(f"again {CANARY}")])
        later = the_store.fork_at(shares.id, 3)
        the_store.append(later.id, [a_message("more")])
        copy = the_store.fork("other", root.id, [a_message("other"), a_message(f"copied {CANARY}")], 1)
        trashed = the_store.fork_at(root.id, 4)
        the_store.delete(trashed.id)
        redaction.redact(later.id, 1)
        assert tables_with(CANARY) == []
        assert texts(the_store.get(later.id)) == ["hello", f"it is {MARK}", f"again {MARK}", "more"]
        assert texts(the_store.get(copy.id)) == ["other", f"copied {MARK}"]
        assert texts(the_store.get(early.id)) == ["hello"]
        assert the_store.get(early.id).version == 1
        the_store.restore(trashed.id)
        assert texts(the_store.get(trashed.id)) == ["hello", f"it is {MARK}", "third", "fourth"]
        is_whole()

    def test_lets_sessions_go_on_from_what_is_there_now(self, the_store):
        session = a_session(the_store, f"use {CANARY}", "done")
        fork = the_store.fork_at(session.id, 1)
        redaction.redact(session.id, 0)
        for id in (session.id, fork.id):
            record = the_store.get(id)
            the_store.update(id, [*record.messages, a_message("and then")], 2)
            the_store.append(id, [a_message("further")])
        assert texts(the_store.get(fork.id)) == [f"use {MARK}", "and then", "further"]
        is_whole()

    def test_takes_it_out_of_titles(self, the_store):
        derived = a_session(the_store, f"{CANARY} is the token")
        named = the_store.fork_at(derived.id, 1)
        the_store.rename(named.id, f"about {CANARY}")
        redaction.redact(derived.id, 0)
        assert the_store.get(derived.id).title == f"{MARK} is the token"
        assert the_store.get(named.id).title == f"about {MARK}"
        assert the_store.search(CANARY, 5) == []
        is_whole()

    def test_leaves_other_sessions_alone(self, the_store):
        session, other = a_session(the_store, f"use {CANARY}"), a_session(the_store, "hello", f"mine is {CANARY}")
        before = the_store.get(other.id)
        redaction.redact(session.id, 0)
        assert the_store.get(other.id) == before

    def test_goes_through_all_messages_of_a_session(self, the_store):
        others = ["npm_a1B2c3D4e5F6a1B2c3D4e5F6a1B2c3D4e5F6", "postgres://ann:hunter2x9@db/shop"]
        session = a_session(the_store, CANARY, "hello", *others)
        assert redaction.redact(session.id).messages == 3
        whole = " ".join(texts(the_store.get(session.id)))
        assert not any(part in whole for part in (CANARY, "npm_a1B2", "hunter2x9"))

    def test_takes_a_text_that_is_named_in_whatever_form_it_stands(self, the_store):
        secret = 'pl"over\n%é'
        inner = '{"password": "pl\\"over\\n%\\u00e9"}'
        message = {"role": "assistant", "tool_calls": [{"arguments": inner}], "content": f"it is {secret}", secret: 1}
        session = the_store.create("p", [message])
        redaction.redact(session.id, 0, texts=[secret])
        assert the_store.get(session.id).messages == [
            {
                "role": "assistant",
                "tool_calls": [{"arguments": '{"password": "[redacted text]"}'}],
                "content": "it is [redacted text]",
                "[redacted text]": 1,
            }
        ]
        is_whole()

    def test_keeps_times_and_moves_the_version_on(self, the_store):
        session = a_session(the_store, CANARY, "hello")
        before = the_store.get(session.id)
        redaction.redact(session.id, 0)
        after = the_store.get(session.id)
        assert (after.created_at, after.updated_at) == (before.created_at, before.updated_at)
        assert after.version == before.version + 1
        with pytest.raises(VersionConflict):
            the_store.append(session.id, [a_message("x")], expected_version=before.version)

    def test_is_told_to_who_follows_and_noted_without_content(self, the_store):
        session = a_session(the_store, CANARY)
        since = storage.newest(the_store)
        redaction.redact(session.id, 0)
        assert [(change.session, change.kind) for change in storage.changes(the_store, since)] == [
            (session.id, "messages")
        ]
        entry = AuditEntry.objects.using(current()).order_by("-pk").first()
        assert (entry.verb, entry.object_id, entry.count) == ("redacted", str(session.id), 1)

    def test_takes_a_maintainer(self, the_store):
        session = a_session(the_store, CANARY)
        writer = Actor("user", "ann", scopes=frozenset({"read", "write"}), projects=frozenset({_project(session)}))
        with actors.acting(writer), pytest.raises((NotAllowed, SessionNotFound)):
            redaction.redact(session.id, 0)
        assert texts(the_store.get(session.id)) == [CANARY]

    def test_says_where_there_is_nothing_to_take_out(self, the_store):
        session = a_session(the_store, "hello", CANARY)
        for arguments, named in (((session.id, 0), ()), ((session.id, 5), ()), ((session.id, 0), ("no",))):
            with pytest.raises(InvalidRedaction):
                redaction.redact(*arguments, texts=named)
        with pytest.raises(InvalidRedaction):
            redaction.redact(session.id, 0, texts=["plover"])
        assert the_store.get(session.id).version == 1

    def test_does_not_make_what_is_damaged_look_whole(self, the_store):
        session = a_session(the_store, "hello", f"it is {CANARY}", "bye")
        execute("UPDATE forklore_message SET body = %s WHERE position = 0", ['{"role":"user","content":"jello"}'])
        with pytest.raises(InvalidRedaction, match="damaged"):
            redaction.redact(session.id, 1)
        assert [problem for problem in store_check.problems() if "digest" in problem]

    def test_reaches_what_is_packed(self, the_store):
        session = a_session(the_store, "hello " * 2000, f"it is {CANARY} " + "and so on " * 2000, "bye " * 2000)
        assert packing.pack(session.id).after > 0
        assert redaction.redact(session.id, 1).messages == 1
        assert texts(the_store.get(session.id))[1].startswith(f"it is {MARK} and so on")
        assert the_store.get(session.id).messages[2] == session.messages[2]
        is_whole()

    def test_goes_through_long_sessions_and_many_pieces(self, the_store):
        root = the_store.create("p", [a_message(f"number {n}" + f" {CANARY}" * (n in (3, 350))) for n in range(700)])
        forks = [the_store.fork_at(root.id, at) for at in (2, 200, 351, 700)]
        for fork in forks:
            the_store.append(fork.id, [a_message("own")])
        done = redaction.redact(forks[2].id, 3)
        assert (done.messages, done.sessions) == (2, 4)
        assert tables_with(CANARY) == []
        is_whole()


def _project(session):
    return Session.objects.get(pk=session.id).project_id


class TheFiles:
    def holds(self, text):
        """Whether the bytes of the database's files hold a text; looked into by another process, for SQLite's locks."""
        name = str(connection().settings_dict["NAME"])
        command = ["grep", "-l", "-a", "-i", "-F", text, name, f"{name}-wal", f"{name}-shm"]
        return subprocess.run(command, capture_output=True, text=True).stdout.split()

    def test_hold_nothing_of_it_afterwards(self, the_store, tmp_path):
        if connection().vendor != "sqlite" or "memory" in str(connection().settings_dict["NAME"]):
            pytest.skip("files of SQLite")
        session = a_session(the_store, "hello", f"it is {CANARY}", "bye")
        for number in range(200):  # so that pages split, and what waited for the index was written into it
            other = a_session(the_store, f"text {number} " * 50, f"mine {number}")
            the_store.delete(other.id)
        the_store.update(session.id, [a_message("hello"), a_message(f"it was {CANARY}")], 1)
        assert self.holds(CANARY) != []  # else what follows would show nothing
        done = redaction.redact(session.id, 1)
        assert done.scrubbed
        assert self.holds(CANARY) == []
        backups.write(current(), tmp_path / "copy")
        assert CANARY.encode() not in (tmp_path / "copy").read_bytes()
        assert CANARY.lower().encode() not in (tmp_path / "copy").read_bytes()
        is_whole()
