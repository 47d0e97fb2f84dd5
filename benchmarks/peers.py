"""What the store is measured against, in the same run and on the same connection: a JSON column, and the floor."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.db import transaction

from sessions_app.databases import connection, current

TABLES = (
    "CREATE TABLE peer_session (id CHAR(32) PRIMARY KEY, parent CHAR(32), project VARCHAR(255), title VARCHAR(200),"
    " turns INTEGER, updated_at DOUBLE PRECISION, messages TEXT)",
    "CREATE INDEX peer_newest ON peer_session (project, updated_at DESC, id)",
    "CREATE TABLE floor (id VARCHAR(40) PRIMARY KEY, body TEXT)",
)


def execute(statement: str, *parameters: Any) -> list[tuple]:
    with connection().cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def make_tables() -> None:
    for statement in TABLES:
        execute(statement)


class JsonColumn:
    """A session as one row whose messages are one JSON text: how most agents keep theirs."""

    def __init__(self) -> None:
        self.clock = 0.0

    def create(self, messages: list, project: str = "bench", parent: str | None = None) -> str:
        id = uuid4().hex
        self.clock += 1
        with transaction.atomic(using=current()):
            execute(
                "INSERT INTO peer_session VALUES (%s, %s, %s, %s, %s, %s, %s)",
                *(id, parent, project, "a title", 0, self.clock, json.dumps(messages)),
            )
        return id

    def update(self, id: str, messages: list) -> None:
        self.clock += 1
        with transaction.atomic(using=current()):
            execute(
                "UPDATE peer_session SET messages = %s, updated_at = %s WHERE id = %s",
                *(json.dumps(messages), self.clock, id),
            )

    def get(self, id: str) -> list:
        return json.loads(execute("SELECT messages FROM peer_session WHERE id = %s", id)[0][0])

    def last(self, id: str, count: int) -> list:
        return self.get(id)[-count:]

    def fork(self, id: str, messages: list) -> str:
        return self.create(messages, parent=id)

    def append(self, id: str, messages: list) -> None:
        self.update(id, self.get(id) + messages)

    def newest(self, project: str, limit: int) -> list:
        return execute(
            "SELECT id, title, turns, updated_at FROM peer_session WHERE project = %s"
            " ORDER BY updated_at DESC, id LIMIT %s",
            *(project, limit),
        )

    def by_prefix(self, prefix: str, limit: int) -> list:
        return execute("SELECT id, title, turns FROM peer_session WHERE id LIKE %s LIMIT %s", f"{prefix}%", limit)

    def delete(self, id: str) -> None:
        with transaction.atomic(using=current()):
            execute("DELETE FROM peer_session WHERE id = %s", id)


def floor(body: str) -> Callable[[], None]:
    """Two rows inserted and committed, by the driver alone: what no durable append can be faster than."""
    driver = connection().connection
    sqlite = connection().vendor == "sqlite"
    statement = "INSERT INTO floor VALUES (?, ?)" if sqlite else "INSERT INTO floor VALUES (%s, %s)"

    def insert() -> None:
        cursor = driver.cursor()
        cursor.execute("BEGIN IMMEDIATE" if sqlite else "BEGIN")
        cursor.execute(statement, (uuid4().hex, body))
        cursor.execute(statement, (uuid4().hex, "a row like that of a session"))
        cursor.execute("COMMIT")

    return insert
