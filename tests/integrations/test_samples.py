"""Real transcripts, where there are any: every line is accounted for, and importing again changes nothing."""

import json
import os
from pathlib import Path

import pytest

from sessions_app.integrations.importing import import_paths
from sessions_app.models import Session, Transcript
from sessions_app.projection import UNREADABLE, project
from tests.integrations.writing import everything

SAMPLES = Path(os.environ.get("FORKLORE_SAMPLES") or Path(__file__).parents[3] / "shared" / "samples")
ROOTS = [SAMPLES / "claude-code", SAMPLES / "codex"]

pytestmark = pytest.mark.skipif(not all(root.is_dir() for root in ROOTS), reason="there are no sample transcripts")


def lines_of(path: Path) -> list[bytes]:
    return [line for line in path.read_bytes().split(b"\n") if line.strip()]


def without_unreadable(store, transcript: Transcript) -> list[str]:
    own = store.get_messages(transcript.session_id, transcript.prefix)
    return [json.dumps(message) for message in own if UNREADABLE not in message]


def test_every_line_is_one_message_of_one_session(the_store):
    summary = import_paths(ROOTS)
    assert summary.lines == summary.messages + summary.unreadable + summary.blank
    by_path: dict[str, list[str]] = {}
    unreadable: dict[str, int] = {}
    for transcript in Transcript.objects.all():
        path = json.loads(transcript.path)
        by_path.setdefault(path, []).extend(without_unreadable(the_store, transcript))
        unreadable[path] = unreadable.get(path, 0) + transcript.unreadable
    assert len(by_path) == summary.files > 100
    for path, bodies in by_path.items():
        objects = [json.dumps(value) for value in map(parsed, lines_of(Path(path))) if isinstance(value, dict)]
        assert sorted(bodies) == sorted(objects)
        assert len(bodies) + unreadable[path] == len(lines_of(Path(path)))


def parsed(line: bytes):
    try:
        return json.loads(line)
    except ValueError:
        return None


def test_importing_again_changes_nothing(the_store):
    import_paths(ROOTS)
    before = everything()
    summary = import_paths(ROOTS)
    assert everything() == before
    assert (summary.lines, summary.new, summary.unchanged) == (0, 0, summary.files)


def test_the_order_of_the_files_does_not_matter(the_store):
    import_paths(ROOTS)
    family = shape()
    for session in Session.objects.all():
        the_store.delete(session.id)
    Transcript.objects.all().delete()
    files = sorted((path for root in ROOTS for path in root.rglob("*.jsonl")), reverse=True)
    for path in files:
        import_paths([path])
    assert shape() == family


def shape() -> list[tuple]:
    """Which session of which file descends from which, and how."""
    rows = Transcript.objects.filter(session__trashed_at=None).values_list(
        "path", "subpath", "session__parent__transcript__path", "session__relation", "session__fork_point"
    )
    return sorted(map(repr, rows))


def test_what_is_inferred_was_said_by_both(the_store):
    import_paths(ROOTS)

    for child in Session.objects.filter(relation_inferred=True):
        last = project(the_store.get_messages(child.pk, child.fork_point - 1, child.fork_point)[0])
        said = [project(message).parts for message in the_store.get_messages(child.parent_id)]
        assert last.parts in said
