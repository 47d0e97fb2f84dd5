"""Secrets on the pages: a badge where they are, copies without them, and the page that takes them out."""

import io
import json

import pytest

from sessions_app import secret_rules
from sessions_app.access.models import AuditEntry
from sessions_app.integrations import bundle
from tests.builders import a_message, a_session

CANARY = "ghp_Zq81Lm02Nx73Kv64Jt95Hr16Gp27Fn38Dd49"
MARK = "[redacted GitHub token]"


@pytest.fixture
def session(the_store):
    return a_session(the_store, "hello", f"it is {CANARY}")


class TheBadge:
    def test_stands_at_messages_with_secrets_alone(self, visitor, session):
        page = visitor.get(f"/sessions/{session.id}/").content.decode()
        assert page.count('class="secret"') == 1
        assert f'href="/sessions/{session.id}/m/1/redact/"' in page

    def test_stands_where_a_result_holds_one_and_at_what_is_folded(self, visitor, the_store):
        call = {"id": "c1", "name": "Bash", "args": {"command": "env"}}
        session = the_store.create(
            "p",
            [
                {"role": "assistant", "content": "", "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": f"TOKEN={CANARY}"},
                {"role": "system", "content": f"use {CANARY}"},
            ],
        )
        assert visitor.get(f"/sessions/{session.id}/").content.decode().count('class="secret"') == 2

    def test_is_looked_for_once_in_a_result_that_its_call_shows(self, visitor, the_store, monkeypatch):
        call = {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "name": "Bash", "args": {}}]}
        session = the_store.create("p", [call, {"role": "tool", "tool_call_id": "c1", "content": "long"}])
        looked_at, look = [], secret_rules.holds_any
        monkeypatch.setattr(secret_rules, "holds_any", lambda *of: looked_at.append(of[0]["role"]) or look(*of))

        visitor.get(f"/sessions/{session.id}/")

        assert sorted(looked_at) == ["assistant", "tool"]

    def test_lets_copies_leave_it_out_unless_that_is_chosen(self, visitor, session):
        page = visitor.get(f"/sessions/{session.id}/").content.decode()
        assert page.count("data-secrets") == 1
        raw = f"/sessions/{session.id}/m/1/raw/"
        for kind in ("text", "markdown", "json"):
            assert CANARY in visitor.get(f"{raw}?as={kind}").content.decode()
            hidden = visitor.get(f"{raw}?as={kind}&secrets=hidden").content.decode()
            assert CANARY not in hidden
            assert MARK in hidden


class ThePage:
    def test_says_what_would_go_and_shows_only_how_it_begins(self, visitor, session):
        page = visitor.get(f"/sessions/{session.id}/m/1/redact/").content.decode()
        assert "GitHub token" in page
        assert "ghp_…" in page
        assert CANARY not in page

    def test_takes_it_out_once_that_is_confirmed(self, visitor, the_store, session):
        address = f"/sessions/{session.id}/m/1/redact/"
        assert visitor.post(address).status_code == 422
        assert CANARY in the_store.get(session.id).messages[1]["content"]
        answer = visitor.post(address, {"confirm": "1"}, follow=True)
        assert the_store.get(session.id).messages[1]["content"] == f"it is {MARK}"
        assert "Took it out of 1 message in 1 session" in answer.content.decode()
        assert CANARY not in answer.content.decode()
        assert AuditEntry.objects.filter(verb="redacted", object_id=str(session.id)).count() == 1

    def test_takes_out_what_is_named(self, visitor, the_store, session):
        visitor.post(f"/sessions/{session.id}/m/0/redact/", {"confirm": "1", "text": "hello"})
        assert the_store.get(session.id).messages[0]["content"] == "[redacted text]"

    @pytest.mark.parametrize(
        ("position", "text", "words"), [(0, "", "no secret"), (0, "abc", "at least 4"), (1, "", "")]
    )
    def test_says_why_nothing_was_done(self, visitor, session, position, text, words):
        answer = visitor.post(f"/sessions/{session.id}/m/{position}/redact/", {"confirm": "1", "text": text})
        assert answer.status_code == (422 if words else 302)
        assert words in answer.content.decode()

    def test_is_missing_for_a_message_that_is_not_there(self, visitor, session):
        assert visitor.get(f"/sessions/{session.id}/m/7/redact/").status_code == 404


class Exports:
    @pytest.mark.parametrize("format", ["bundle", "markdown", "html"])
    def test_leave_secrets_out_unless_they_are_to_be_kept(self, visitor, the_store, format):
        session = the_store.create("p", [a_message(f"{CANARY} is it"), a_message("{}", "assistant")])
        of = f"/api/v1/export?session={session.id}&format={format}"
        kept = b"".join(visitor.get(f"{of}&secrets=kept").streaming_content).decode()
        hidden = b"".join(visitor.get(of).streaming_content).decode()
        assert CANARY in kept
        assert CANARY not in hidden
        assert "redacted GitHub token" in hidden

    def test_come_back_with_what_was_left_out_marked(self, visitor, the_store, session):
        text = b"".join(visitor.get(f"/api/v1/export?session={session.id}").streaming_content)
        lines = [json.loads(line) for line in text.decode().splitlines()]
        assert lines[3]["message"]["content"] == f"it is {MARK}"
        the_store.delete(session.id)
        the_store.purge(session.id)
        assert bundle.bring_in(io.BytesIO(text)).new == 1
        assert the_store.get(session.id).messages[1]["content"] == f"it is {MARK}"
