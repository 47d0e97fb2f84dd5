"""The rows of sessions: locked, read, inserted and saved.

Only store.py calls this module, inside of its transactions. It speaks SQL through the cursor, for these statements
are the hot path of every agent's turn (append 1.04 ms by the ORM, 0.12 by the cursor; DESIGN.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from types import TracebackType
from typing import Any, Literal, ParamSpec, TypeVar
from uuid import UUID

from django.db import DatabaseError, transaction

from sessions_app import actors, bodies, change_log, gate, piece_table, search_index
from sessions_app.actors import Role
from sessions_app.database_faults import damaged, explained, make_room, note_written, refuse_if_read_only
from sessions_app.databases import at_once, command, connection, current, execute, in_transaction, is_watched
from sessions_app.errors import DiskFull, NotAllowed, SessionNotFound, StoreError, VersionConflict
from sessions_app.piece_table import Tail, key
from sessions_app.projection import prompt_text
from sessions_app.records import ChangeKind, KeptRelation, Message, SessionRecord, TitleSource
from sessions_app.titles import UNTITLED, derived_title

P = ParamSpec("P")
R = TypeVar("R")

TICK = timedelta(microseconds=1)  # the least that both databases tell apart
Where = Literal["store", "trash", "either"]
PLACES = {"store": " AND trashed_at IS NULL", "trash": " AND trashed_at IS NOT NULL", "either": ""}
# What a rewrite dropped is a session like others from then on.
OUT_OF_TRASH = "trashed_at = NULL, relation = CASE WHEN relation = 'revision' THEN 'compaction' ELSE relation END"
LINEAGE_LOCK = 0x466F726B  # any number that nobody else locks

_COLUMNS = (
    "session.id, session.project_id, project.name, session.parent_id, session.relation, session.relation_inferred,"
    " session.fork_point, session.title, session.title_source, session.agent, session.turns, session.version,"
    " session.created_at, session.updated_at, session.message_count, session.tail_digest, session.size_bytes,"
    " session.prompt_count, session.first_prompt, session.strand_id"
)
_FROM = " FROM forklore_session session JOIN forklore_project project ON project.id = session.project_id"


@dataclass(slots=True)
class SessionRow:
    """A session as its transaction changes it."""

    id: UUID
    project_id: int
    project: str
    created_at: datetime
    updated_at: datetime
    tail: Tail
    parent_id: UUID | None = None
    relation: KeptRelation | None = None
    relation_inferred: bool = False
    fork_point: int | None = None
    title: str = UNTITLED
    title_source: TitleSource = "derived"
    agent: str = ""
    turns: int = 0
    version: int = 1
    saved_title: str | None = None  # as it stands in the database

    def record(self, messages: list[Message]) -> SessionRecord:
        return SessionRecord(
            id=self.id,
            project=self.project,
            created_at=self.created_at,
            updated_at=self.updated_at,
            parent_id=self.parent_id,
            title=self.title,
            turns=self.turns,
            messages=messages,
            title_source=self.title_source,
            relation="compaction" if self.relation == "revision" else self.relation,
            fork_point=self.fork_point,
            message_count=self.tail.count,
            version=self.version,
        )

    def lineage(self) -> tuple[UUID | None, KeptRelation | None, bool, int | None]:
        return self.parent_id, self.relation, self.relation_inferred, self.fork_point

    def pieces(self) -> list[piece_table.Piece]:
        return piece_table.pieces(self.id, self.tail.count)

    def messages(self, start: int = 0, stop: int | None = None) -> list[Message]:
        stop = self.tail.count if stop is None else min(stop, self.tail.count)
        of = piece_table.pieces(self.id, self.tail.count, start, stop)
        end = self.tail.digest if stop == self.tail.count and start < stop else None
        return [bodies.decode(body) for body in piece_table.read_bodies(of, start, stop, end)]

    def retitle(self, kept: int, added: Sequence[Message]) -> None:
        """Derive the title anew, unless it was given; `added` are the messages behind the first `kept` ones."""
        first = self.tail.first_prompt
        if self.title_source != "derived":
            return
        if first is None:
            self.title = UNTITLED
        elif first >= kept:
            self.title = derived_title(prompt_text(added[first - kept]))

    def touch(self, moment: datetime) -> None:
        """Times never run backwards within a session, even when the clock does."""
        self.updated_at = max(moment, self.updated_at + TICK)
        self.version += 1


def writing(*, at_once: bool = False) -> AbstractContextManager[Any]:
    """One transaction, in which SQLite takes its write lock at once.

    `at_once` sends PostgreSQL its statements without waiting for the answer to each (databases.at_once).
    """
    database = connection()
    if database.in_atomic_block and database.vendor == "sqlite":
        return _Within(database)
    return _transaction(at_once)


@contextmanager
def _transaction(at_once: bool) -> Iterator[None]:
    refuse_if_read_only()
    with explained(), _around(at_once):
        yield
    note_written()


def _around(at_once: bool) -> AbstractContextManager[Any]:
    database: Any = connection()
    database.close_if_health_check_failed()
    if not database.get_autocommit() or is_watched(database):  # a savepoint, or one that Django has to tell of
        return transaction.atomic(using=current())
    return _Outermost(database) if database.vendor == "sqlite" else _OutermostOnServer(database, at_once)


class _Outermost:
    """What atomic() is around all of a transaction of SQLite, in a third of its time.

    Django knows of it, so that atomic() within is a savepoint, and what waits for on_commit() is called.
    """

    def __init__(self, database: Any):
        self._database = database

    def __enter__(self) -> None:
        database = self._database
        with database.wrap_database_errors:
            self._begin()
        database.commit_on_exit, database.needs_rollback = True, False
        database.autocommit, database.in_atomic_block = False, True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        database = self._database
        database.in_atomic_block = False
        done = False
        try:
            if kind is None and not database.needs_rollback:
                self._commit()
                done = True
            else:
                self._roll_back()
        finally:
            if database.closed_in_transaction:
                database.connection = None
            else:
                database.autocommit = True
        if done and database.run_on_commit:
            database.run_and_clear_commit_hooks()
        # What is fetched of statements that were sent at once raises the driver's own errors.
        database.wrap_database_errors.__exit__(kind, error, traceback)

    def _commit(self) -> None:
        try:
            with self._database.wrap_database_errors:
                self._end()
        except DatabaseError:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._database.closed_in_transaction:
            return
        try:
            self._database.rollback()
        except DatabaseError:  # of a connection that is good for nothing more
            self._database.close()

    def _begin(self) -> None:
        self._database.connection.execute("BEGIN IMMEDIATE")

    def _end(self) -> None:
        self._database.connection.commit()


class _OutermostOnServer(_Outermost):
    """The same for PostgreSQL, with two ways to the server and back where statements are sent at once, instead of five:
    BEGIN goes there with the first statement, and COMMIT with the last."""

    def __init__(self, database: Any, at_once: bool):
        super().__init__(database)
        self._at_once = ExitStack()
        self._is_at_once = at_once

    def _begin(self) -> None:
        with ExitStack() as stack:
            if self._is_at_once:
                stack.enter_context(at_once())
            self._command("BEGIN")
            self._at_once = stack.pop_all()

    def _end(self) -> None:
        found = self._command("COMMIT")
        self._at_once.close()
        if found.statusmessage != "COMMIT":  # what the server answers to a transaction in which something failed before
            raise DatabaseError("The transaction had failed; nothing was changed.")

    def _roll_back(self) -> None:
        with suppress(DatabaseError):  # what failed is told already
            self._at_once.close()
        super()._roll_back()

    def _command(self, statement: str) -> Any:
        return self._database.Database.Cursor(self._database.connection).execute(statement, prepare=False)


class _Within:
    """The same within a transaction: many writes of an agent share one (one_writer.py)."""

    def __init__(self, database: Any):
        self._database = database

    def __enter__(self) -> None:
        self._do("SAVEPOINT forklore")

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            if kind is not None or self._database.needs_rollback:
                self._database.needs_rollback = False
                self._do("ROLLBACK TO forklore")
            self._do("RELEASE forklore")
        except DatabaseError:
            self._database.needs_rollback = True
            if kind is None:
                raise

    def _do(self, statement: str) -> None:
        with self._database.wrap_database_errors:
            self._database.connection.execute(statement)


def removing(verb: Callable[P, R]) -> Callable[P, R]:
    """Let a verb that removes be done on a full disk too: by the room that is kept for it, if there is no other."""

    @wraps(verb)
    def done(*arguments: P.args, **options: P.kwargs) -> R:
        try:
            return verb(*arguments, **options)
        except DiskFull:
            if in_transaction() or not make_room():
                raise
            return verb(*arguments, **options)

    return done


# Transactions that only read, of one round trip to the server. SQLite's atomic() would take the write lock.
_READING = {"sqlite": "BEGIN DEFERRED", "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}


@contextmanager
def snapshot() -> Iterator[None]:
    """Let several queries see one state of the database, without keeping anybody from writing."""
    if in_transaction():
        yield
        return
    with explained():
        command(_READING[connection().vendor])
        try:
            yield
        finally:
            if in_transaction():  # which a lost connection is not
                command("ROLLBACK")


def one_lineage_change_at_a_time() -> None:
    """Hold until the end of the transaction what may change parents; SQLite has one writer anyway."""
    if connection().vendor == "postgresql":
        with connection().cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LINEAGE_LOCK])


def project_id(name: str) -> int:
    """The row of a project to write in, made when missing. Raises NotAllowed."""
    return project_of(name)[0]


def project_of(name: str) -> tuple[int, str]:
    """The same with the project's own name, for the given one may be an earlier one of it or of one merged into it."""
    id, own = _project(name)
    gate.check_role_in(id, name, Role.WRITER)  # of a new one too: if that is refused, it goes with the transaction
    return id, own


def known_project(name: str) -> int:
    """The row of a project that is there, whoever may write in it."""
    return _project(name)[0]


def standing_project(id: int) -> int:
    """The project itself, or the one that it was merged into."""
    return _standing(_project_row("id", id))[0]


def _project(name: str) -> tuple[int, str]:
    found = _project_row("name", name)
    if not found:
        execute(
            "INSERT INTO forklore_project (name, created_at) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING",
            [name, moment_for_database(datetime.now(UTC))],
        )
        found = _project_row("name", name)
    return _standing(found)


def _project_row(column: str, value: str | int) -> Any:
    # The lock is the one that a session's foreign key takes anyway; taken here, a merge and a new session wait for each
    # other (decision 0033).
    lock = " FOR KEY SHARE" if connection().features.has_select_for_update else ""
    statement = f"SELECT id, name, stands_for_id FROM forklore_project WHERE {column} = %s{lock}"  # noqa: S608 constants
    return execute(statement, [value]).fetchone()


def _standing(row: Any) -> tuple[int, str]:
    while row[2] is not None:
        row = _project_row("id", row[2])
    return row[0], row[1]


def locked(
    id: UUID,
    expected_version: int | None = None,
    *,
    where: Where = "store",
    share: bool = False,
    needs: Role = Role.WRITER,
) -> SessionRow:
    """The row of a session, kept from other writers until the end of the transaction.

    `share` lets other transactions share it too; `needs` is the role in its project that the deed takes.
    Raises SessionNotFound, NotAllowed and VersionConflict.
    """
    lock = f" FOR {'SHARE' if share else 'UPDATE'} OF session" if connection().features.has_select_for_update else ""
    sight, parameters = gate.condition("session.project_id", needs)
    found = _select_again(f"session.id = %s{PLACES[where]}{sight}{lock}", [key(id), *parameters])
    if not found:
        raise refusal(id, where, needs)
    if expected_version is not None and found[0].version != expected_version:
        raise VersionConflict(id, expected_version, found[0].version)
    return found[0]


def locked_rows(ids: Sequence[UUID]) -> list[SessionRow]:
    """The rows of sessions in the order of their ids, whoever may see them, kept from other writers."""
    lock = " FOR UPDATE OF session" if connection().features.has_select_for_update else ""
    return [row for id in sorted(ids) for row in _select_again(f"session.id = %s{lock}", [key(id)])]


def refusal(id: UUID, where: Where, needs: Role) -> StoreError:
    """Why nothing was done to a session: it is not there, or cannot be seen, or may only be read."""
    sight, parameters = gate.condition("session.project_id")
    statement = f"SELECT 1 FROM forklore_session session WHERE id = %s{PLACES[where]}{sight}"  # noqa: S608
    limited = gate.projects(actors.current(), needs) is not None
    if limited and execute(statement, [key(id), *parameters]).fetchone():
        return NotAllowed(f"You may read session {id}; this takes a {needs.name.lower()} of its project.")
    return SessionNotFound(id, "trash" if where == "trash" else "store")


def is_taken(id: UUID) -> bool:
    """Whether any session has that id, seen or not."""
    return execute("SELECT 1 FROM forklore_session WHERE id = %s", [key(id)]).fetchone() is not None


def is_live(id: UUID) -> bool:
    """Whether a session is there and not in the trash, seen or not."""
    statement = "SELECT 1 FROM forklore_session WHERE id = %s AND trashed_at IS NULL"
    return execute(statement, [key(id)]).fetchone() is not None


def live(condition: str, parameters: Sequence[Any], limit: int) -> list[SessionRow]:
    """Sessions that are not in the trash, most recently updated first, ties by id. `condition` is a constant.

    Those that the actor may see, each without its parent if that is not one of them.
    """
    sight, projects = gate.condition("session.project_id")
    end = "ORDER BY session.updated_at DESC, session.id LIMIT %s"
    statement = f"session.trashed_at IS NULL AND {condition}{sight} {end}"
    found = _select(statement, [*parameters, *projects, limit])
    if sight:
        _hide_parents(found)
    return found


def _hide_parents(rows: Sequence[SessionRow]) -> None:
    """Let a session whose parent is out of sight be a root."""
    parents = {key(row.parent_id) for row in rows if row.parent_id}
    if not parents:
        return
    sight, projects = gate.condition("project_id")
    marks = ", ".join(["%s"] * len(parents))
    statement = f"SELECT id FROM forklore_session WHERE id IN ({marks}){sight}"  # noqa: S608
    seen = {uuid_of(id) for (id,) in execute(statement, [*parents, *projects]).fetchall()}
    for row in rows:
        if row.parent_id not in seen:
            row.parent_id = row.relation = row.fork_point = None


def trashed_at(id: UUID) -> datetime | None:
    found = execute("SELECT trashed_at FROM forklore_session WHERE id = %s", [key(id)]).fetchone()
    return found and found[0]


def ancestors(id: UUID) -> list[UUID]:
    """The session itself, its parent, and so on to the root; trashed ones too."""
    found: list[UUID] = []
    following: UUID | None = id
    with connection().cursor() as cursor:
        while following and following not in found:
            found.append(following)
            cursor.execute("SELECT parent_id FROM forklore_session WHERE id = %s", [key(following)])
            (parent,) = cursor.fetchone()
            following = parent and uuid_of(parent)
    return found


def insert(row: SessionRow, trashed_at: datetime | None = None) -> None:
    """One that is in the trash from the beginning is told to nobody."""
    values = {
        "id": key(row.id),
        "project_id": row.project_id,
        "parent_id": row.parent_id and key(row.parent_id),
        "relation": row.relation,
        "relation_inferred": row.relation_inferred,
        "fork_point": row.fork_point,
        "agent": row.agent,
        "created_at": moment_for_database(row.created_at),
        "trashed_at": trashed_at and moment_for_database(trashed_at),
        **_changing(row),
    }
    columns, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    with connection().cursor() as cursor:
        cursor.execute(f"INSERT INTO forklore_session ({columns}) VALUES ({marks})", [*values.values()])  # noqa: S608
    search_index.set_title(key(row.id), row.title, new=True)
    if not trashed_at:
        change_log.note(key(row.id), row.project_id, "created")


def save(row: SessionRow) -> None:
    """Write what a write of messages changes."""
    values = _changing(row)
    if row.title == row.saved_title:
        del values["title"]  # SQLite writes the index of a column that is set, whether to another value or not
    _update(row, values)
    if row.title != row.saved_title:
        search_index.set_title(key(row.id), row.title)
    change_log.note(key(row.id), row.project_id, "messages")


def save_revision(row: SessionRow, trashed_at: datetime) -> None:
    _update(row, _changing(row) | {"trashed_at": moment_for_database(trashed_at)})


def change_one(id: UUID, values: str, parameters: Sequence[Any], kind: ChangeKind, *, where: Where = "store") -> None:
    """Change columns of a session without reading it, by a writer. Raises SessionNotFound and NotAllowed."""
    sight, projects = gate.condition("project_id", Role.WRITER)
    statement = f"UPDATE forklore_session SET {values} WHERE id = %s{PLACES[where]}{sight}"  # noqa: S608 constants
    if not execute(statement, [*parameters, key(id), *projects]).rowcount:
        raise refusal(id, where, Role.WRITER)
    change_log.note_where("id = %s", [key(id)], kind)


def save_parent(row: SessionRow) -> None:
    _update(
        row,
        {
            "parent_id": row.parent_id and key(row.parent_id),
            "relation": row.relation,
            "relation_inferred": row.relation_inferred,
            "fork_point": row.fork_point,
        },
    )
    change_log.note(key(row.id), row.project_id, "moved")


def moment_for_database(moment: datetime) -> Any:
    return connection().ops.adapt_datetimefield_value(moment)


def _update(row: SessionRow, values: dict[str, Any]) -> None:
    assignments = ", ".join(f"{column} = %s" for column in values)
    execute(f"UPDATE forklore_session SET {assignments} WHERE id = %s", [*values.values(), key(row.id)])  # noqa: S608


def _changing(row: SessionRow) -> dict[str, Any]:
    return {
        "title": row.title,
        "title_source": row.title_source,
        "turns": row.turns,
        "version": row.version,
        "updated_at": moment_for_database(row.updated_at),
        "message_count": row.tail.count,
        "tail_digest": row.tail.digest,
        "size_bytes": row.tail.size,
        "prompt_count": row.tail.prompts,
        "first_prompt": row.tail.first_prompt,
        "strand_id": row.tail.strand,
    }


def _select_again(condition: str, parameters: Sequence[Any]) -> list[SessionRow]:
    """One that is locked: PostgreSQL does not find it where it waited for who moved it to another project, for it then joins
    the session as it is with the project as it was."""
    return _select(condition, parameters) or _select(condition, parameters)


def _select(condition: str, parameters: Sequence[Any]) -> list[SessionRow]:
    with explained():
        found = execute(f"SELECT {_COLUMNS}{_FROM} WHERE {condition}", parameters)
        try:
            return [_row(values) for values in found.fetchall()]
        except (AttributeError, OverflowError, TypeError, ValueError) as error:
            raise damaged(current(), f"the row of a session: {error}") from error


def _row(values: Sequence[Any]) -> SessionRow:
    (id, project_id, project, parent_id, relation, inferred, fork_point, title, title_source, agent, turns, version,
     created_at, updated_at, count, digest, size, prompts, first_prompt, strand) = values  # fmt: skip
    id = uuid_of(id)
    return SessionRow(
        id=id,
        project_id=project_id,
        project=project,
        created_at=aware(created_at),
        updated_at=aware(updated_at),
        tail=Tail(id, count, bytes(digest), size, prompts, first_prompt, strand),
        parent_id=parent_id and uuid_of(parent_id),
        relation=relation,
        relation_inferred=bool(inferred),
        fork_point=fork_point,
        title=title,
        title_source=title_source,
        agent=agent,
        turns=turns,
        version=version,
        saved_title=title,
    )


def uuid_of(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
