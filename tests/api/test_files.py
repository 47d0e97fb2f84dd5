"""Sessions as files over HTTP, and as they are read there: bundles, documents, windows and trees."""

import gzip
import html.parser
import json
import tracemalloc

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from sessions_app.access import roles, tokens
from sessions_app.access.models import AuditEntry
from sessions_app.actors import Role
from sessions_app.api import wire
from sessions_app.models import Project, Session
from tests.api.test_api import CODINGS
from tests.builders import a_message, a_session
from tests.web.conftest import Visitor
from tests.web.test_rendering_inert import loaded

ROOT = "/api/v1"
LINES = "application/x-ndjson"
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
HOSTILE = [
    a_message("<script>alert(1)</script> ![x](http://evil/p.png) <img src=http://evil/q.png> \ud800 \0"),
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "</details><script>alert(2)</script>"},
            {"type": "text", "text": "**bold** and `code`\n\n```\n</pre><script>alert(3)</script>\n```"},
            {"type": "tool_use", "id": "c", "name": "<b>run</b>", "input": {"a": "```\n````"}},
        ],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "</pre><iframe src=//evil>"}]},
    {"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/svg+xml", "data": "PHN2Zy8+"}}]},
    {"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "text/html", "data": PICTURE}}]},
]  # fmt: skip


@pytest.fixture
def client(the_store):
    return Visitor(HTTP_HOST="127.0.0.1", HTTP_AUTHORIZATION=f"Bearer {tokens.create('agent')}")


@pytest.fixture
def family(the_store):
    root = the_store.create("shop", HOSTILE)
    fork = the_store.fork_at(root.id, 2)
    the_store.append(fork.id, [a_message("another way")])
    other = a_session(the_store, "apart", project="shop")
    return root, fork, other


def export(client, **asked):
    answer = client.get(f"{ROOT}/export", asked)
    assert answer.status_code == 200
    return answer, answer.getvalue()


def bring_in(client, content, **headers):
    return client.generic("POST", f"{ROOT}/import", content, LINES, headers=headers)


def purge(the_store, *sessions):
    for session in sessions:
        the_store.delete(session.id)
        the_store.purge(session.id)


class AnExport:
    def test_is_noted_with_who_took_it_out(self, client, the_store, family):
        one, two, _ = family
        export(client, session=str(one.id))
        export(client, session=[str(one.id), str(two.id), str(one.id)], format="html")
        several, single = AuditEntry.objects.newest_first().filter(verb="exported")
        assert (single.actor_kind, single.actor_name, single.object_id, single.count) == (
            "token",
            "agent",
            str(one.id),
            1,
        )
        assert (several.object_id, several.count) == ("several", 2)


class ABundle:
    def test_goes_out_and_comes_back_as_it_was(self, client, the_store, family):
        before = [the_store.get(each.id) for each in family]
        answer, content = export(client, project="shop")
        purge(the_store, *reversed(family))
        first = bring_in(client, gzip.compress(content), **{"Content-Encoding": "gzip"})
        again = bring_in(client, content)

        assert answer["Content-Disposition"] == 'attachment; filename="sessions.jsonl"'
        assert first.json() == {"sessions": 3, "messages": 9, "new": 3}
        assert again.json()["new"] == 0
        assert [the_store.get(each.id) for each in family] == before

    @pytest.mark.parametrize("coding", CODINGS)
    @pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 250_000])
    def test_comes_compressed_whatever_its_pieces(self, client, the_store, monkeypatch, coding, size):
        monkeypatch.setattr(wire, "PIECE", 1000)
        session = a_session(the_store, "x" * size)
        _, content = export(client, session=str(session.id))
        purge(the_store, session)
        packed = CODINGS[coding].compress(content)
        assert bring_in(client, packed, **{"Content-Encoding": coding}).json()["new"] == 1
        assert the_store.get(session.id) == session
        for cut in (packed[: len(packed) // 2], packed[:-3]):
            assert bring_in(client, cut, **{"Content-Encoding": coding}).status_code == 400

    @pytest.mark.parametrize("coding", CODINGS)
    def test_that_grows_too_large_is_refused_before_it_has(self, client, the_store, settings, coding):
        settings.FORKLORE_BUNDLE_LIMIT = 3_000_000
        bomb = CODINGS[coding].compress(b" " * 300_000_000)
        tracemalloc.start()
        answer = bring_in(client, bomb, **{"Content-Encoding": coding})
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert answer.status_code == 413
        assert most < 20_000_000

    def test_holds_a_lineage_or_what_was_named(self, client, family):
        _, fork, other = family
        _, lineage = export(client, session=str(fork.id), lineage="true")
        _, one = export(client, session=[str(other.id), str(other.id)])
        assert [str(each.id).encode() in lineage for each in family] == [True, True, False]
        assert json.loads(one.splitlines()[-1])["end"]["sessions"] == 1

    @pytest.mark.parametrize(
        "asked", [{}, {"project": "none"}, {"session": "00000000-0000-4000-8000-000000000000"}, {"format": "pdf"}]
    )
    def test_of_nothing_is_refused(self, client, the_store, asked):
        assert client.get(f"{ROOT}/export", asked).status_code in (404, 422)

    def test_comes_in_only_where_its_sender_may_write(self, client, the_store, family):
        _, content = export(client, project="shop")
        purge(the_store, *reversed(family))
        user = User.objects.create(username="ada")
        roles.grant(user.pk, Project.objects.get(name="shop").pk, Role.VIEWER)
        ada = Visitor(HTTP_HOST="127.0.0.1", HTTP_AUTHORIZATION=f"Bearer {tokens.create('t', user_id=user.pk)}")
        assert bring_in(ada, content).status_code == 403
        assert Session.objects.count() == 0

    @pytest.mark.parametrize(
        "key", ["id", "project", "title", "turns", "created_at", "tags", "agent", "relation", None]
    )
    @pytest.mark.parametrize("value", [None, 3, [], {}, "x", "\ud800", -(2**70), [{}]], ids=repr)
    def test_that_lies_is_refused_in_words(self, client, the_store, family, key, value):
        _, content = export(client, session=str(family[2].id))
        lines = content.splitlines(keepends=True)
        session = json.loads(lines[1])
        if key:
            session["session"][key] = value
        else:
            session["session"] = value
        answer = bring_in(client, signed([lines[0], json.dumps(session).encode() + b"\n", *lines[2:-1]]))
        assert answer.status_code in (200, 409, 422)
        assert answer.status_code == 200 or answer.json()["detail"]
        assert key in ("project", "title", "tags", "agent", "relation", "turns") or answer.status_code != 200

    @pytest.mark.parametrize(("content", "kind", "status"), [(b"{}", "application/json", 415), (b"\n", LINES, 422), (b"{", LINES, 422)])  # fmt: skip
    def test_is_nothing_else(self, client, content, kind, status):
        assert client.generic("POST", f"{ROOT}/import", content, kind).status_code == status


def signed(lines):
    """A bundle whose last line is right, whatever the others say."""
    from hashlib import sha256

    sessions = sum(line.startswith(b'{"session"') for line in lines)
    end = {"sessions": sessions, "messages": len(lines) - 1 - sessions, "sha256": sha256(b"".join(lines)).hexdigest()}
    return b"".join(lines) + json.dumps({"end": end}).encode() + b"\n"


class Elements(html.parser.HTMLParser):
    """Every element with its attributes, and the texts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)


class ADocument:
    def test_of_html_holds_all_that_was_said_and_nothing_that_runs_or_loads(self, client, family):
        answer, content = export(client, session=str(family[0].id), format="html")
        found = Elements(content.decode())
        tags = [tag for tag, _ in found.elements]
        sources = [attributes["src"] for _, attributes in found.elements if "src" in attributes]
        text = "".join(found.texts)

        assert answer["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        assert not {"script", "iframe", "object", "link", "base", "form", "svg"} & set(tags)
        assert sources == [f"data:image/png;base64,{PICTURE}"]
        assert [tag for tag, attributes in found.elements if any(name.startswith("on") for name in attributes)] == []
        assert "default-src 'none'" in next(each["content"] for _, each in found.elements if "http-equiv" in each)
        for said in ("alert(1)", "alert(2)", "alert(3)", "bold", "<b>run</b>", "</pre><iframe src=//evil>"):
            assert said in text
        assert "strong" in tags

    def test_of_markdown_keeps_what_tools_said_in_fences(self, client, family):
        _, content = export(client, session=str(family[0].id), format="markdown")
        text = content.decode()
        assert text.startswith(r"# \<script\>alert(1)")
        assert "\n## #1 assistant\n" in text
        assert "**bold** and `code`" in text
        assert '`````\n{\n  "a": "```' in text

    def test_of_markdown_makes_no_viewer_load_anything(self, client, the_store):
        image = "![x](https://evil.example/?secret)"
        said = [f"```\n{image}", f"see {image} <img src=//evil>", image]
        id = the_store.create(image, [{"role": "user", "content": text} for text in said]).id
        _, content = export(client, session=str(id), format="markdown")
        assert loaded("\n\n".join(said[1:]))
        assert loaded(content.decode()) == []
        assert "https://evil.example/?secret" in content.decode()

    def test_is_the_same_from_the_command(self, client, the_store, family, tmp_path):
        for format in ("markdown", "html"):
            _, content = export(client, session=str(family[0].id), lineage="true", format=format)
            path = tmp_path / format
            call_command("export_sessions", str(path), str(family[0].id), "--lineage", "--format", format)
            assert path.read_bytes() == content


class ATranscript:
    def test_comes_in_windows_that_are_understood(self, client, the_store, family):
        id = family[0].id
        first = client.get(f"{ROOT}/sessions/{id}/transcript", {"limit": 3}).json()
        last = client.get(f"{ROOT}/sessions/{id}/transcript", {"start": first["next"]}).json()

        assert [each["position"] for each in first["shown"] + last["shown"]] == [0, 1, 2, 3, 4]
        assert [each["role"] for each in first["shown"]] == ["user", "assistant", "tool"]
        assert [part["kind"] for part in first["shown"][1]["parts"]] == ["thinking", "text", "tool_call"]
        assert (first["next"], last["next"], last["message_count"]) == (3, None, 5)
        assert PICTURE not in json.dumps(last)


class AComparison:
    def test_tells_what_is_common_and_what_each_came_to(self, client, the_store):
        begin = [{"role": "user", "content": "How much?"}, {"role": "assistant", "content": "Seven pears."}]
        root = the_store.create("shop", [*begin, {"role": "user", "content": "Sure?"}])
        fork = the_store.fork_at(root.id, 2)
        call = {"role": "assistant", "tool_calls": [{"function": {"name": "read", "arguments": '{"path": "a.txt"}'}}]}
        the_store.append(fork.id, [{"role": "user", "content": "And two?"}, call])
        found = client.get(f"{ROOT}/sessions/{root.id}/compare/{fork.id}").json()

        assert (found["shared"], found["shared_turns"], found["next"]) == (2, 1, None)
        told = [(each["id"], each["own_messages"], each["tool_calls"], each["files"]) for each in found["sessions"]]
        assert told == [(str(root.id), 1, 0, []), (str(fork.id), 2, 1, ["a.txt"])]
        (turn,) = found["turns"]
        assert turn["number"] == 2
        assert [[cell and (cell["position"], cell["role"]) for cell in row] for row in turn["rows"]] == [
            [(2, "You"), (2, "You")],
            [None, (3, "Agent")],
        ]
        assert [cell["text"] for cell in turn["rows"][0]] == ["Sure?", "And two?"]

    def test_comes_in_windows_of_turns(self, client, the_store):
        root = the_store.create("shop", [{"role": "user", "content": str(number)} for number in range(20)])
        fork = the_store.fork_at(root.id, 1)
        first = client.get(f"{ROOT}/sessions/{root.id}/compare/{fork.id}").json()
        last = client.get(f"{ROOT}/sessions/{root.id}/compare/{fork.id}", {"start": 16}).json()
        assert [turn["number"] for turn in first["turns"]] == list(range(2, 10))
        assert (first["next"], last["next"], last["turns"][-1]["number"]) == (8, None, 20)

    def test_is_of_two_that_are_there(self, client, the_store, family):
        the_store.delete(family[1].id)
        for one, two in (family[:2], family[1::-1]):
            refused = client.get(f"{ROOT}/sessions/{one.id}/compare/{two.id}")
            assert (refused.status_code, refused.json()["error"]) == (404, "SessionNotFound")


class ALineage:
    def test_is_told_from_any_of_its_sessions_in_pages(self, client, the_store, family):
        root, fork, _ = family
        the_store.delete(fork.id)
        grandchild = the_store.fork_at(root.id, 1)
        whole = client.get(f"{ROOT}/sessions/{grandchild.id}/lineage").json()
        page = client.get(f"{ROOT}/sessions/{root.id}/lineage", {"start": 1, "limit": 1}).json()

        assert (whole["root"], whole["count"]) == (str(root.id), 3)
        assert whole["sessions"][0]["id"] == str(root.id)
        told = {each["id"]: (each["parent_id"], each["fork_point"], each["trashed"]) for each in whole["sessions"]}
        assert told == {
            str(root.id): (None, None, False),
            str(fork.id): (str(root.id), 2, True),
            str(grandchild.id): (str(root.id), 1, False),
        }
        assert page["sessions"] == whole["sessions"][1:2]
