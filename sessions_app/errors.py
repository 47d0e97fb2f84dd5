"""What the store refuses, each in one sentence that names the id or the position."""

from uuid import UUID


class StoreError(Exception):
    """The base of all errors that the store raises on purpose; a call that raised one changed nothing."""


class SessionNotFound(StoreError):
    def __init__(self, id: UUID, where: str = "store"):
        super().__init__(f"There is no session {id} in the {where}.")
        self.id = id


class ProjectNotFound(StoreError):
    def __init__(self, name: str):
        super().__init__(f"There is no project {name!r}.")
        self.name = name


class NotAllowed(StoreError):
    """What the actor may see, and yet not do. What it may not see is not found."""


class VersionConflict(StoreError):
    """Somebody else wrote the session since the version that the caller expected."""

    def __init__(self, id: UUID, expected: int, actual: int):
        super().__init__(f"Session {id} is at version {actual}, not at the expected version {expected}.")
        self.id, self.expected, self.actual = id, expected, actual


class SessionExists(StoreError):
    """A session with that id is there already, and says something else."""

    def __init__(self, id: UUID):
        super().__init__(f"Session {id} is in the store already, with other messages.")
        self.id = id


class NameTaken(StoreError):
    """An SDK's name that stands for a session already."""


class KeyReused(StoreError):
    """An idempotency key under which something else was written."""


class InvalidTitle(StoreError):
    pass


class InvalidProject(StoreError):
    pass


class InvalidAgent(StoreError):
    pass


class InvalidTag(StoreError):
    pass


class InvalidQuery(StoreError):
    """A query that asks for nothing, or a word of it that means nothing: where it stands, if it is one word."""

    def __init__(self, sentence: str, start: int | None = None, stop: int | None = None):
        super().__init__(sentence)
        self.start, self.stop = start, stop


class InvalidLineage(StoreError):
    """A parent that would make a session its own ancestor, or a fork point outside of the parent."""


class InvalidMessage(StoreError):
    """A message that is no JSON object, or that JSON cannot carry; `position` counts from 0 in the list given."""

    def __init__(self, position: int, why: str):
        super().__init__(f"Message {position} {why}.")
        self.position = position


class MessageTooLarge(InvalidMessage):
    pass


class SessionPurged(StoreError):
    """A transcript whose session was removed for good is not imported again."""


class BrokenBundle(StoreError):
    """A file that is no bundle, or not a whole one."""


class ChangesForgotten(StoreError):
    """Of the changes after a number not all are known any more; whoever follows them reads anew what it needs."""

    def __init__(self, since: int):
        super().__init__(f"Not all changes after number {since} are known any more; go on from newest_change().")
        self.since = since


class DatabaseTooNew(StoreError):
    """The database was written by a newer Forklore than this one."""


class SessionTooLarge(StoreError):
    """A session would hold more than a session may."""


class QuotaExceeded(StoreError):
    """A project holds all that it may."""


class InvalidRedaction(StoreError):
    """There is nothing to take out of a session, or the text that is to go is too short."""


class MigrationFailed(StoreError):
    """The tables of a database could not be brought to those of this version."""


class BackupFailed(StoreError):
    """A backup could not be written, or what was to be restored is no whole one."""


class InvalidPolicy(StoreError):
    """A policy that says nothing that clean-up could do, or that is not there."""


class JournalEntryNotFound(StoreError):
    def __init__(self, number: int | None):
        super().__init__(
            "There is nothing to take back." if number is None else f"Entry {number} cannot be taken back."
        )
        self.number = number


class AlreadyChanged(JournalEntryNotFound):
    """Nothing stands any more as an entry of the journal left it, so that there is nothing to take back."""

    def __init__(self, number: int):
        super().__init__(number)
        self.args = (f"What entry {number} did was changed since, and is left as it is.",)


class DatabaseFault(StoreError):
    """The database could not do what was asked, for a reason that is not the caller's; nothing was changed."""


class DatabaseDamaged(DatabaseFault):
    """What the database file holds is not what was written."""


class DamagedMessage(DatabaseDamaged):
    """A message that is not the one that was written, as its digest tells; the others can be read."""

    def __init__(self, position: int):
        super().__init__(
            f"Message {position} is not as it was written, or not there: the database is damaged. "
            "See what is wrong by check_store."
        )
        self.position = position


class DatabaseReadOnly(DatabaseFault):
    """The database may be read only, by its permissions or because it is damaged."""


class DiskFull(DatabaseFault):
    """There is no room left to write in. What is there can be read, and clean-up makes room."""


class DiskFailed(DatabaseFault):
    """The disk could not be read or written."""


class DatabaseBusy(DatabaseFault):
    """Others write for so long that it was not worth the wait."""
