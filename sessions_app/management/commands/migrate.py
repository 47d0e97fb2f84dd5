"""Django's own, which does each migration and notes that it is done in one transaction.

Where a migration leaves statements to its end, Django notes it after the commit; a kill between the two left a database
that no later start could bring up to date (MigrationExecutor.apply_migration, as of 5.2 and 6.0).
"""

from typing import Any

from django.core.management.commands import migrate
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState


class Executor(MigrationExecutor):
    def apply_migration(self, state: ProjectState, migration: Migration, *args: Any, **options: Any) -> ProjectState:
        apply = migration.apply

        def apply_to_the_end(state: ProjectState, editor: BaseDatabaseSchemaEditor) -> ProjectState:
            state = apply(state, editor)
            for statement in editor.deferred_sql:
                editor.execute(statement)
            editor.deferred_sql.clear()
            return state

        migration.apply = apply_to_the_end  # type: ignore[assignment,method-assign]  # of this one, which is applied once
        try:
            return super().apply_migration(state, migration, *args, **options)
        finally:
            del migration.apply


migrate.MigrationExecutor = Executor  # type: ignore[attr-defined]  # the command takes it from there


class Command(migrate.Command):
    pass
