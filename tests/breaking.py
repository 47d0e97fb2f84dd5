"""Takes one guard away at a time, in a copy of the checkout, and looks whether the test that proves it fails.

    python -m tests.breaking [WORDS …]

Of docs/reliability.md each test by each number; with WORDS only the breaks whose test has one of them. Ends with 1 where
a test passes although its guard is gone. A break is a place of a file and what stands there instead; that each place is
there still is looked at by test_reliability_map.py in every run.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).parent.parent
HANGS = 900  # seconds, after which a test that waits for what a guard would have ended is one that failed
LEFT_OUT = (".git", ".venv", ".hypothesis", ".*_cache", "__pycache__", "screenshots")


class Break(NamedTuple):
    test: str  # as docs/reliability.md has it; `only` chooses of its tests
    what: str
    edits: tuple[tuple[str, str, str], ...]  # file, what stands there, what is to
    only: str = ""


def one(test: str, what: str, file: str, old: str, new: str, only: str = "") -> Break:
    return Break(test, what, ((file, old, new),), only)


RENDERING = "sessions_app/web/rendering"
RAW_HTML = (
    (
        f"{RENDERING}/markdown.py",
        "return mark_safe(_CLEANER.clean(html))  # noqa: S308  cleaned last, against the allow-list",
        "return mark_safe(html)",
    ),
    (f"{RENDERING}/markdown.py", '{"html": False, "breaks": breaks}', '{"html": True, "breaks": breaks}'),
)
NO_DIGESTS = one(
    "", "", "sessions_app/piece_table.py", "if row[0] != place or row[1] != proof:", "if row[0] != place:"
).edits
NO_TRANSACTION = one(
    "",
    "",
    "sessions_app/session_rows.py",
    "with explained(), _around(at_once):",
    "with explained():",
).edits

BREAKS = [
    Break("tests/browser/test_corpus.py::Corpus", "HTML is let through, unsanitised", RAW_HTML, "in_a_transcript"),
    Break(
        "tests/browser/test_hostile.py::HostileText", "HTML is let through, unsanitised", RAW_HTML, "does_nothing_in"
    ),
    one(
        "tests/browser/test_hostile.py::HostileText",
        "the box of content holds nothing back",
        "static/css/markdown.css",
        "display: block; contain: content;",
        "display: block;",
        "whatever_its_style",
    ),
    one(
        "tests/test_one_pipeline.py::Htmx",
        "htmx looks at content",
        "templates/transcript/_prose.html",
        " hx-ignore",
        "",
    ),
    one(
        "tests/test_one_pipeline.py::OnlyThePipeline",
        "a template takes text for HTML",
        "templates/transcript/_prose.html",
        "{{ body.html }}",
        "{{ body.text|safe }}",
    ),
    one(
        "tests/test_one_pipeline.py::TheTimeOfAPage",
        "the time of a page has no end",
        f"{RENDERING}/markdown.py",
        "return monotonic() >= self._deadline",
        "return False",
    ),
    one(
        "tests/test_one_pipeline.py::TheRawView",
        "the raw view has no sandbox",
        "sessions_app/web/transcript_parts.py",
        '    response["Content-Security-Policy"] = SANDBOX\n',
        "",
    ),
    Break(
        "tests/web/test_rendering_inert.py::AnImage",
        "images stay images, and what stays active does not become code",
        (
            (f"{RENDERING}/inert.py", r"(!\[|<(?=[A-Za-z/!?]))", r"(<(?=[A-Za-z/!?]))"),
            (
                f"{RENDERING}/inert.py",
                "return found if ends and not any(token.type in _ACTIVE for token in _all(tokens)) else fenced(text)",
                "return found",
            ),
        ),
    ),
    one(
        "tests/web/test_rendering_inert.py::Text",
        "what stays active does not become code",
        f"{RENDERING}/inert.py",
        "return found if ends and not any(token.type in _ACTIVE for token in _all(tokens)) else fenced(text)",
        "return found",
    ),
    one(
        "tests/web/test_rendering_text.py::ControlCharacters",
        "control characters come through",
        f"{RENDERING}/text.py",
        'return text.replace("\\r\\n", "\\n").translate(SYMBOLS)',
        "return text",
    ),
    one(
        "tests/web/test_rendering_text.py::TerminalColours",
        "other escape sequences than colours are taken",
        f"{RENDERING}/ansi.py",
        'if character == "m":',
        "if character.isalpha():",
    ),
    one(
        "tests/store/test_titles.py",
        "marks of direction stay in titles",
        "sessions_app/titles.py",
        "if character in _BIDI:",
        "if False:",
    ),
    Break("tests/web/test_rendering_markdown.py", "HTML is let through, unsanitised", RAW_HTML),
    one(
        "tests/web/test_rendering_markdown.py::Time",
        "bare addresses are looked for in time of the square",
        f"{RENDERING}/markdown.py",
        "            last = end\n",
        "            last = end\n        [ord(character) for character in text]\n",
    ),
    one(
        "tests/test_projection.py::test_hostile_text_takes_linear_time",
        "wrappers are passed over in time of the square",
        "sessions_app/projection/wrappers.py",
        "        name = name or _TAGS[tag]\n",
        "        name = name or _TAGS[tag]\n        text[start:].lower()\n",
    ),
    one(
        "tests/test_canary.py",
        "the log says what an error says",
        "sessions_site/logs.py",
        'event["error"] = record.exc_info[0].__name__',
        'event["error"] = repr(record.exc_info[1])',
    ),
    one(
        "tests/test_backups.py",
        "a backup is not looked at before it is put back",
        "sessions_app/backups.py",
        "    check(file)\n    place = Path(name)\n",
        "    place = Path(name)\n",
    ),
    one(
        "tests/test_backups.py",
        "a newer database is written",
        "sessions_app/opening.py",
        "    if unknown:\n",
        "    if False:\n",
        "newer",
    ),
    one(
        "tests/test_private_files.py",
        "rights of others stay",
        "sessions_site/private_files.py",
        "        path.chmod(mode)\n",
        "        pass\n",
    ),
    one(
        "tests/integrations/test_lines.py",
        "a line that cannot be read is dropped",
        "sessions_app/integrations/lines.py",
        "        line.messages = [unreadable(number, why, whole)]\n",
        "        line.messages = []\n",
    ),
    one(
        "tests/test_fuzzing.py::Lines",
        "a line that nests too deep ends the file",
        "sessions_app/integrations/lines.py",
        "    except RecursionError:\n",
        "    except ZeroDivisionError:\n",
    ),
    one(
        "tests/store/test_putting.py",
        "an id that is taken is taken again",
        "sessions_app/putting.py",
        "    if found.tail.digest != _last(digests):\n        raise SessionExists(id)\n",
        "",
    ),
    one(
        "tests/store/test_parents.py",
        "parents may be a circle",
        "sessions_app/parents.py",
        "if row.id in session_rows.ancestors(parent):",
        "if False:",
    ),
    one(
        "tests/access/test_limits.py",
        "a session may hold anything",
        "sessions_app/quotas.py",
        "    if row.tail.size > most_bytes:\n",
        "    if False:\n",
    ),
    one(
        "tests/access/test_limits.py",
        "who asks too often is served",
        "sessions_app/access/rates.py",
        "            if left < wanted:\n",
        "            if False:\n",
        "OverHttp",
    ),
    one(
        "tests/store/test_storage.py::AnUpdate",
        "an update writes all anew",
        "sessions_app/piece_table.py",
        "    if tail.count and digests[tail.count - 1 : tail.count] == [tail.digest]:\n        return tail.count\n",
        "    if tail.count:\n        return 0\n",
    ),
    one(
        "tests/store/test_storage.py::ALongLineOfForks",
        "a fork copies what it shows",
        "sessions_app/piece_table.py",
        '    """Let a session without messages show the first `stop` messages that the pieces of another one hold."""\n',
        "    strand = _new_strand(tail.session, 0, b'')\n"
        "    _copy([Piece(each.start, min(each.stop, stop), each.strand) for each in of if each.start < stop], strand)\n"
        "    of = [Piece(0, stop, strand)]\n",
    ),
    one(
        "tests/store/test_processes.py::WritersThatAreKilled",
        "writes are no transactions",
        *NO_TRANSACTION[0],
        "every_acknowledged",
    ),
    one(
        "tests/store/test_power.py::APowerCut",
        "an append is acknowledged before it is committed",
        "tests/store/power.py",
        '            store.append(log.id, [{"number": number, "text": text}] * 2)\n            disk.log.append(("ack", "append", number))\n',
        '            disk.log.append(("ack", "append", number))\n            store.append(log.id, [{"number": number, "text": text}] * 2)\n',
        "loses_nothing",
    ),
    one(
        "tests/store/test_committing_together.py::AProcessThatIsKilled",
        "a call is told before its transaction is committed",
        "sessions_app/one_writer.py",
        "                    call.do()\n                    if self._is_lost",
        "                    call.do()\n                    _tell([call])\n                    if self._is_lost",
    ),
    one(
        "tests/test_migrating.py",
        "a migration that was done and not noted is done again",
        "sessions_app/migrations/0018_sorted_lists.py",
        "class Migration(migrations.Migration):\n",
        "class Migration(migrations.Migration):\n    atomic = False\n",
        "killed",
    ),
    one(
        "tests/test_migrating.py",
        "a migration is no transaction",
        "sessions_app/migrations/0010_journal.py",
        "class Migration(migrations.Migration):\n",
        "class Migration(migrations.Migration):\n    atomic = False\n",
        "full_disk",
    ),
    one(
        "tests/store/test_full_disk.py::AFullDisk",
        "a full disk is an error like any other",
        "sessions_app/database_faults.py",
        "            return _out_of_room(alias)\n        case 10",
        "            return None\n        case 10",
        "sentence",
    ),
    one(
        "tests/store/test_full_disk.py::AFullDisk",
        "no room is kept for clean-up",
        "sessions_app/database_faults.py",
        'return database.vendor == "sqlite" and ballast.release(str(database.settings_dict["NAME"]))',
        "return False",
        "leaves_room",
    ),
    one(
        "tests/store/test_full_disk.py::ADiskThatFails",
        "an error of the disk is one like any other",
        "sessions_app/database_faults.py",
        "case 10 | 14:",
        "case 99:",
        "sentence",
    ),
    Break(
        "tests/store/test_processes.py::EightWriters",
        "SQLite takes its lock when it writes, and waits for nobody",
        (
            ("sessions_site/configuration.py", '"transaction_mode": "IMMEDIATE"', '"transaction_mode": "DEFERRED"'),
            ("sessions_site/configuration.py", '"timeout": PATIENCE', '"timeout": 0'),
        ),
        "sqlite",
    ),
    one(
        "tests/store/test_processes.py::EightWriters",
        "PostgreSQL locks no row",
        "sessions_app/session_rows.py",
        """ FOR {'SHARE' if share else 'UPDATE'} OF session" if connection().features.has_select_for_update else \"\"""",
        '" if share is None else ""',
        "postgresql",
    ),
    one(
        "tests/store/test_patience.py::AStuckClient",
        "a wait for a lock has no end",
        "sessions_app/database_faults.py",
        "        _bound_waits(connection, patience)\n",
        "        pass\n",
        "append and postgresql",
    ),
    one(
        "tests/test_sqlite.py",
        "a SQLite that can damage a database is not warned of",
        "sessions_site/sqlite.py",
        "    if sqlite3.sqlite_version_info >= SAFE_VERSION:\n        return None\n",
        "    return None\n",
    ),
    one(
        "tests/test_postgresql_restarts.py",
        "PostgreSQL acknowledges before it has written",
        "tests/test_postgresql_restarts.py",
        "-c max_connections=60",
        "-c max_connections=60 -c synchronous_commit=off -c wal_writer_delay=10s",
    ),
    one(
        "tests/store/test_http_store.py",
        "a key is not kept with its write",
        "sessions_app/write_keys.py",
        "    digest = _digest([actors.caller(), key])\n    if execute(f",
        "    return None\n    digest = _digest([actors.caller(), key])\n    if execute(f",
        "done_once",
    ),
    one(
        "tests/store/test_http_store.py",
        "what was not answered is not sent again",
        "sessions_app/http_store.py",
        "TRIES = 5",
        "TRIES = 1",
        "done_once or went_away",
    ),
    one(
        "tests/store/test_processes.py::FullUpdatesAtOnce",
        "a version that is expected is not looked at",
        "sessions_app/session_rows.py",
        "if expected_version is not None and found[0].version != expected_version:",
        "if False:",
        "exactly_one",
    ),
    Break(
        "tests/store/test_processes.py::FullUpdatesAtOnce", "writes are no transactions", NO_TRANSACTION, "interleave"
    ),
    one(
        "tests/store/test_revisions.py",
        "a rewrite keeps nothing",
        "sessions_app/store.py",
        '    kept = revisions.keep(row, position, moment)\n    journal.note("rewrite", row.id, moment, f"{row.version + 1} {kept.hex}")\n',
        "",
    ),
    one(
        "tests/store/test_times.py",
        "times follow a clock that runs backwards",
        "sessions_app/session_rows.py",
        "self.updated_at = max(moment, self.updated_at + TICK)",
        "self.updated_at = moment",
    ),
    one(
        "tests/test_clean_up_clock.py",
        "a clock that was put forward is trusted",
        "sessions_app/schedule.py",
        "        return passed >= self._waits_until",
        "        return True",
    ),
    Break("tests/store/test_damage.py::ADamagedFile", "no digest is proved", NO_DIGESTS, "rightly"),
    one(
        "tests/test_damaged_start.py",
        "nobody looks whether a database is sound",
        "sessions_app/opening.py",
        "        if not _is_sound(alias):\n            return False\n",
        "",
    ),
    one(
        "tests/store/test_repair.py",
        "check_store proves no digest",
        "sessions_app/store_check.py",
        "        whole = digest == message.digest\n",
        "        whole = True\n",
    ),
    one(
        "tests/browser/test_live.py::ACutConnection",
        "a page that was cut off does not catch up",
        "static/js/live.js",
        "tree: tree ?? null, since: this.since }",
        "tree: tree ?? null, since: null }",
        "catches_up",
    ),
    one(
        "tests/store/test_changes.py",
        "changes are told before all below them have happened",
        "sessions_app/change_log.py",
        "pg_snapshot_xmin(pg_current_snapshot())",
        "pg_snapshot_xmax(pg_current_snapshot())",
        "ASlowWriter or WritersInOther",
    ),
    one(
        "tests/store/test_cleanup.py::Many",
        "an undo takes back what was done since, too",
        "sessions_app/journal.py",
        "    condition = FITS_UNDO[entry.action]\n",
        '    condition = "1 = 1"\n',
    ),
    one(
        "tests/store/test_cleanup.py::Killed",
        "what was cut off is not gone on with",
        "sessions_app/cleanup.py",
        "    return [_go_on(row) for row in journal.under_way()]",
        "    return []",
    ),
    one(
        "tests/store/test_cleanup.py::TheFilesOfAgents",
        "a purge does not remember the file, which is imported again",
        "sessions_app/purging.py",
        "    transcript_rows.leave_tombstones(ids)\n",
        "",
    ),
    one(
        "tests/store/test_cleanup_machine.py",
        "what was cut off is not gone on with",
        "sessions_app/cleanup.py",
        "    return [_go_on(row) for row in journal.under_way()]",
        "    return []",
    ),
    one(
        "tests/store/test_memory.py",
        "an export reads all at once",
        "sessions_app/web/rendering/documents.py",
        "range(0, record.message_count, WINDOW)",
        "range(0, record.message_count, WINDOW := 10**9)",
        "large_session and html",
    ),
    Break(
        "tests/test_stopping.py::Stopping",
        "who follows the changes keeps the server from stopping",
        (
            (
                "sessions_site/serving.py",
                "        timeout_graceful_shutdown=10,",
                "        timeout_graceful_shutdown=None,",
            ),
            ("sessions_site/serving.py", "        stopping.tell()\n", ""),
        ),
    ),
    one(
        "tests/test_stopping.py::Stopping",
        "a server that is told to stop is killed by it",
        "sessions_site/serving.py",
        "    signal.signal(signal.SIGTERM, _leave)\n    _server(application, when_ready).run(sockets=[listener])",
        "    import threading; threading.Thread(target=lambda: [__import__('time').sleep(0.05) for _ in iter(stopping.is_set, True)] and os._exit(0) or os._exit(0), daemon=True).start()\n    _server(application, when_ready).run(sockets=[listener])",
    ),
    one(
        "tests/test_stopping.py::ASecondServer",
        "nobody looks who serves the database already",
        "sessions_site/running.py",
        "        if not _lock(descriptor):\n            yield os.read",
        "        if False:\n            yield os.read",
    ),
    one(
        "tests/test_stopping.py::AFarFileSystem",
        "all file systems are near",
        "sessions_site/running.py",
        "    return kind if kind in _FAR else None",
        "    return None",
    ),
    one(
        "tests/store/test_processes.py::AWriterThatIsStopped",
        "a busy database is an error like any other",
        "sessions_app/database_faults.py",
        "        case 5 | 6:  # BUSY, LOCKED\n            return DatabaseBusy(BUSY)\n",
        "",
        "sqlite",
    ),
    one(
        "tests/browser/test_settings.py",
        "a button needs scripts",
        "templates/settings/tokens.html",
        '<button class="button" data-kind="main">Make the token</button>',
        '<button class="button" data-kind="main" type="button">Make the token</button>',
        "without_scripts",
    ),
    one(
        "tests/browser/test_lineage.py",
        "rows are ticked for scripts alone",
        "templates/lineage/_row.html",
        'name="session" value=',
        "value=",
        "works_without_scripts",
    ),
    one(
        "tests/web/test_redact.py",
        "secrets stay in exports",
        "sessions_app/web/rendering/documents.py",
        "project(message if keep_secrets else secret_rules.redacted_value(message))",
        "project(message)",
        "Exports",
    ),
    one(
        "tests/test_tree.py",
        "what is in a circle of parents is left out",
        "sessions_app/tree.py",
        "    if len(order) == len(above):\n        return order\n    seen",
        "    return order\n    seen",
    ),
    one(
        "tests/test_lineages.py",
        "a tree ends after a hundred sessions",
        "sessions_app/lineages.py",
        'ORDER BY session.created_at, session.id"""\n_OF_PROJECT',
        'ORDER BY session.created_at, session.id LIMIT 100"""\n_OF_PROJECT',
    ),
    one(
        "tests/test_fuzzing.py::Queries",
        "a query that is not understood is an error",
        "sessions_app/grammar.py",
        "        (conditions if isinstance(read, Condition) else problems).append(read)",
        "        read.value\n        (conditions if isinstance(read, Condition) else problems).append(read)",
        "sqlite",
    ),
    one(
        "tests/search/test_index.py::Pages",
        "a search has no end",
        "sessions_app/search/budget.py",
        "        return self._end is not None and monotonic() >= self._end",
        "        return False",
    ),
    one(
        "tests/store/test_storage.py::ATurn",
        "a turn asks as many questions as there are messages",
        "sessions_app/store.py",
        "        row = session_rows.locked(id, expected_version)\n        turns = min(",
        "        row = session_rows.locked(id, expected_version)\n        [row.pieces() for _ in range(row.tail.count)]\n        turns = min(",
    ),
    one(
        "tests/test_exhaustion.py::Connections",
        "there are as many threads as requests",
        "sessions_site/workers.py",
        "for number in range(workers):",
        "for number in range(4 * workers):",
        "than_a_server",
    ),
    one(
        "tests/test_exhaustion.py::Threads",
        "who takes an export slowly keeps a thread",
        "sessions_site/workers.py",
        'if event.get("more_body"):',
        "if False:",
    ),
    one(
        "tests/test_exhaustion.py::Descriptors",
        "asyncio tells of each connection",
        "sessions_site/logs.py",
        '            "asyncio": {"filters": ["seldom"]},\n',
        "",
    ),
    Break(
        "tests/store/test_long_work.py::AWriteThatLasts",
        "a purge is one transaction",
        (
            ("sessions_app/purging.py", "AT_ONCE = 200  #", "AT_ONCE = 10**9  #"),
            ("sessions_app/purging.py", "HELD = 0.05", "HELD = 1e9"),
        ),
        "sqlite and purge_one",
    ),
    one(
        "tests/store/test_long_work.py::AReaderThatStays",
        "an export holds its moment to the end",
        "sessions_app/integrations/bundle.py",
        "    for session in _parents_first(ids):\n",
        "    held = session_rows.snapshot()\n    held.__enter__()\n    for session in _parents_first(ids):\n",
        "sqlite and slowly",
    ),
]


def main(words: list[str]) -> int:
    unnoticed = []
    for each in BREAKS:
        if words and not any(word in each.test or word in each.what for word in words):
            continue
        code, said = run(each)
        verdict = {0: "NOT NOTICED", 1: "noticed"}.get(code, "not run")
        print(f"{verdict}: {each.test} {each.only}: {each.what}\n    {said}", flush=True)
        unnoticed += [each] * (code != 1)
    print(f"{len(unnoticed)} not noticed")
    return bool(unnoticed)


def run(each: Break) -> tuple[int, str]:
    """0 where all tests passed, 1 where one failed, 2 where they could not be run; and by what it failed."""
    with tempfile.TemporaryDirectory(prefix="forklore-broken-") as directory:
        copy = Path(directory) / "checkout"
        shutil.copytree(CHECKOUT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
        for file, old, new in each.edits:
            text = (copy / file).read_text()
            assert text.count(old) >= 1, (file, old)
            (copy / file).write_text(text.replace(old, new, 1))
        command = [sys.executable, "-m", "pytest", "-q", "-n0", "-x", "-p", "no:cacheprovider", each.test]
        try:
            done = subprocess.run(
                [*command, *(["-k", each.only] if each.only else [])],
                cwd=copy,
                env={name: value for name, value in os.environ.items() if name != "FORKLORE_TEST_RUN"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=HANGS,
            )
        except subprocess.TimeoutExpired:
            return 1, "it never ends"
    lines = done.stdout.splitlines()
    failed = next((line for line in lines if line.startswith("E  ")), lines[-1] if lines else done.stderr[-300:])
    has_failed = bool(lines) and " failed" in lines[-1]
    return 0 if not done.returncode else 1 if has_failed else 2, failed.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
