"""Importing from the browser, and what a visitor of an empty Forklore sees."""

import json
import threading

import pytest

from sessions_app.web import import_run
from tests.builders import a_session
from tests.web.reading import page, titles


def a_transcript(home, name="aaaaaaaa-0000-4000-8000-000000000001", text="hello from a file"):
    folder = home / ".claude" / "projects" / "-code-shop"
    folder.mkdir(parents=True, exist_ok=True)
    line = {
        "type": "user",
        "uuid": "u1",
        "parentUuid": None,
        "sessionId": name,
        "cwd": "/code/shop",
        "timestamp": "2026-11-20T10:00:00.000Z",
        "version": "2.1.0",
        "message": {"role": "user", "content": text},
    }
    (folder / f"{name}.jsonl").write_text(json.dumps(line) + "\n")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(import_run, "_current", None)
    return tmp_path


@pytest.fixture
def finished(visitor):
    """Starts the import as the page does and waits for its end."""

    def finished():
        answer = visitor.post("/import/")
        assert (answer.status_code, answer["Location"]) == (302, "/import/")
        import_run.current().wait(20)  # seconds
        return visitor.get("/import/")

    return finished


class AnEmptyForklore:
    def test_says_what_it_found_and_offers_to_import_it(self, visitor, home):
        a_transcript(home)

        shown = page(visitor.get("/")).one("main")

        assert "Found 1 session (" in shown.text
        assert str(home / ".claude" / "projects") in shown.text
        assert [form["action"] for form in shown.all("form")] == ["/import/", "/import/demo/"]

    def test_offers_the_demo_alone_where_there_is_nothing(self, visitor, home):
        shown = page(visitor.get("/")).one("main")
        assert "No sessions of Claude Code or Codex were found" in shown.text
        assert [form["action"] for form in shown.all("form")] == ["/import/demo/"]

    def test_never_imports_unasked(self, visitor, the_store, home):
        a_transcript(home)
        for path in ("/", "/import/", "/projects/"):
            visitor.get(path)
        assert the_store.find_by_id_prefix("", 10) == []

    def test_is_filled_by_the_demo(self, visitor, home):
        answer = visitor.post("/import/demo/", follow=True)
        assert answer.redirect_chain == [("/", 302)]
        assert len(titles(answer)) > 10

    def test_is_not_what_a_full_trash_looks_like(self, visitor, the_store, home):
        the_store.delete(a_session(the_store, "x").id)
        shown = page(visitor.get("/")).one("main").text
        assert "Welcome" not in shown
        assert "trash" in shown


class Importing:
    def test_brings_the_sessions_and_tells_how_many(self, visitor, home, finished):
        a_transcript(home)

        told = page(finished()).one(id="run")

        assert "Imported" in told.text
        assert told.one("dl").all("dd")[0].text == "1"
        assert titles(visitor.get("/projects//code/shop/")) == ["hello from a file"]

    def test_again_changes_nothing(self, home, finished):
        a_transcript(home)
        finished()
        told = page(finished()).one(id="run").text
        assert "new sessions0" in told
        assert "unchanged files1" in told

    def test_says_why_it_failed(self, home, finished, monkeypatch):
        a_transcript(home)

        def fail(*arguments, **named):
            raise PermissionError(13, "Permission denied", "/somewhere")

        monkeypatch.setattr(import_run, "import_paths", fail)

        assert "Permission denied" in page(finished()).one(id="run").text

    def test_starts_nothing_where_nothing_is_found(self, visitor, home):
        visitor.post("/import/")
        assert import_run.current() is None

    def test_does_not_add_the_demo_to_what_is_there(self, visitor, the_store, home):
        a_session(the_store, "mine")
        answer = visitor.post("/import/demo/", follow=True)
        assert "There is 1 session already" in page(answer).one(id="toasts").text


class ARunningImport:
    @pytest.fixture
    def running(self, visitor, home, monkeypatch):
        """An import that has written half and waits until it is cancelled."""
        a_transcript(home)
        reached = threading.Event()

        def import_paths(paths, *, progress, cancelled):
            progress(import_run.Progress(1, 2, 500_000, 1_000_000, 40, paths[0] / "a.jsonl"))
            reached.set()
            while not cancelled():
                threading.Event().wait(0.01)
            return import_run.Summary(new=1, cancelled=True)

        monkeypatch.setattr(import_run, "import_paths", import_paths)
        visitor.post("/import/")
        reached.wait(10)  # seconds
        yield import_run.current()
        import_run.current().cancel()
        import_run.current().wait(10)

    def test_shows_how_far_it_is_and_asks_again(self, visitor, running):
        shown = page(visitor.fragment("/import/")).one(id="run")

        assert "1 of 2 files" in shown.text
        assert "500 KB of 1.0 MB" in shown.text
        assert shown.one("progress")["value"] == "500000"
        assert shown["hx-get"] == "/import/"

    def test_is_not_started_twice(self, visitor, running):
        visitor.post("/import/")
        assert import_run.current() is running

    def test_can_be_cancelled_and_then_tells_what_it_did(self, visitor, running):
        visitor.post("/import/cancel/")
        running.wait(10)

        answer = visitor.fragment("/import/")

        assert answer["HX-Retarget"] == "#import"
        shown = page(answer).one(id="run")
        assert "Cancelled; import again to go on" in shown.text
        assert "hx-get" not in shown.attributes
