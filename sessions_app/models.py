"""The tables: projects, sessions with their fork tree, and messages as a piece table over append-only strands.

A `Strand` is an append-only run of messages. A `Piece` says which range of a strand a session shows. A fork copies
pieces, so it costs no second storage. Positions are those of the session everywhere: every session that shows a
message of a strand shows the same messages before it, so a message has one position and one chained digest, whoever
shows it. Decision 0001 has the reasons and figures.
"""

import uuid
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.functional import cached_property

from sessions_app.projection import Kind
from sessions_app.querysets import ProjectQuerySet, SessionQuerySet

KINDS = [(kind.value, kind.name.replace("_", " ").title()) for kind in Kind]
UNCONSTRAINED: dict[str, Any] = {"db_constraint": False, "db_index": False}


class Project(models.Model):
    name = models.CharField(max_length=255, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True)  # left out of the projects that pages list
    # The project that this name stands for, since one was renamed or this one was merged into it (decision 0033). A row
    # that stands for another holds no sessions.
    stands_for = models.ForeignKey("self", models.PROTECT, null=True, related_name="names")

    objects = ProjectQuerySet.as_manager()

    session_count: int  # this and the next three only after with_figures()
    fork_count: int
    size_bytes: int
    last_activity: datetime | None

    def __str__(self) -> str:
        return self.name


class Relation(models.TextChoices):
    FORK = "fork"
    SUBAGENT = "subagent", "sub-agent"
    COMPACTION = "compaction"
    CONTINUATION = "continuation"
    REVISION = "revision"  # what a rewrite dropped; always in the trash, and a compaction once it is restored


class TitleSource(models.TextChoices):
    DERIVED = "derived"
    AGENT = "agent"
    USER = "user"


ORDERS: dict[str, Any] = {  # what lists are sorted by from an index besides their age, by its name
    "session_titles": Lower("title"),
    "session_sizes": models.F("size_bytes"),
}


class Session(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Without an index of its own, for session_of_project begins with it.
    project = models.ForeignKey(Project, models.PROTECT, related_name="sessions", db_index=False)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    relation = models.CharField(max_length=12, choices=Relation, null=True, blank=True)  # noqa: DJ001 (None: a root)
    relation_inferred = models.BooleanField(default=False)
    fork_point = models.PositiveIntegerField(null=True, blank=True)

    title = models.CharField(max_length=200)
    title_source = models.CharField(max_length=7, choices=TitleSource, default=TitleSource.DERIVED)
    first_prompt = models.PositiveIntegerField(null=True)  # position of the first text of a user; derives the title
    agent = models.CharField(max_length=40, blank=True)  # "claude-code", "codex"; "" where none is known

    turns = models.PositiveIntegerField(default=0)
    message_count = models.PositiveIntegerField(default=0)
    prompt_count = models.PositiveIntegerField(default=0)
    size_bytes = models.PositiveBigIntegerField(default=0)  # bodies of all messages shown, shared ones included
    version = models.PositiveBigIntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    pinned_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    trashed_at = models.DateTimeField(null=True, blank=True)

    # The strand that it may append to; its piece without a stop says the same, and an append reads only this row.
    strand = models.ForeignKey("Strand", models.DO_NOTHING, null=True, related_name="+", **UNCONSTRAINED)
    tail_digest = models.BinaryField(default=b"")  # chained digest of all its messages

    objects = SessionQuerySet.as_manager()

    fork_count: int  # only after with_fork_count()
    sort_key: Any  # only after sorted_by()

    class Meta:
        indexes = [
            # In the order of a project's list; what follows is there so that figures.py reads no row.
            models.Index(
                "project",
                models.F("updated_at").desc(),
                "id",
                "trashed_at",
                "relation",
                "archived_at",
                "size_bytes",
                name="session_of_project",
            ),
            # So are project and trash here, by which a viewer of few projects passes over the sessions of the others.
            models.Index(models.F("updated_at").desc(), "id", "project", "trashed_at", name="session_newest"),
            # Orders that lists can be sorted in, with what lists leave out, so that they read no row (decision 0032).
            *(
                models.Index(
                    models.OrderBy(column, descending=True),
                    "id",
                    "project",
                    "relation",
                    "archived_at",
                    condition=models.Q(trashed_at__isnull=True),
                    name=name,
                )
                for name, column in ORDERS.items()
            ),
            models.Index("trashed_at", condition=models.Q(trashed_at__isnull=False), name="session_trashed"),
            models.Index("parent", condition=models.Q(relation="revision"), name="session_revision"),
            models.Index("pinned_at", condition=models.Q(pinned_at__isnull=False), name="session_pinned"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def parent_hidden(self) -> bool:
        """Only after visible_to(): whether it has a parent that may not be seen, and so is shown as a root."""
        return self._parent_hidden

    @parent_hidden.setter
    def parent_hidden(self, hidden: bool) -> None:
        self._parent_hidden = hidden
        if hidden:
            self.parent = self.relation = self.fork_point = None

    @cached_property
    def tag_names(self) -> list[str]:
        """Sorted; without a question after prefetch_related("tags")."""
        return sorted(tag.name for tag in self.tags.all())

    @property
    def is_unnamed_fork(self) -> bool:
        """Whether it has its parent's title for want of one of its own; pages say so behind it."""
        return self.relation == Relation.FORK and self.title_source == TitleSource.DERIVED

    @property
    def shown_title(self) -> str:
        return f"{self.title} (fork)" if self.is_unnamed_fork else self.title

    @property
    def own_message_count(self) -> int:
        return self.message_count - (self.fork_point or 0)


class Tag(models.Model):
    """A word that somebody put on a session."""

    pk = models.CompositePrimaryKey("session_id", "name")
    session = models.ForeignKey(Session, models.CASCADE, related_name="tags", db_index=False)
    name = models.CharField(max_length=50)

    class Meta:
        indexes = [models.Index("name", "session", name="tag_name")]

    def __str__(self) -> str:
        return self.name


class Strand(models.Model):
    start = models.PositiveIntegerField()  # position of its first message
    base_digest = models.BinaryField(default=b"")  # chained digest of the messages before its first


class Leftover(models.Model):
    """A strand that may hold messages which no session shows any more: a purge has yet to remove them (purging.py)."""

    strand = models.OneToOneField(Strand, models.DO_NOTHING, primary_key=True, related_name="+", db_constraint=False)


class Piece(models.Model):
    """The messages [start, stop) of a session stand in a strand; without a stop the session may append to it."""

    pk = models.CompositePrimaryKey("session_id", "start")
    session = models.ForeignKey(
        Session, models.CASCADE, related_name="pieces", db_index=False
    )  # the key begins with it
    strand = models.ForeignKey(Strand, models.PROTECT, related_name="pieces", db_index=False)
    start = models.PositiveIntegerField()
    stop = models.PositiveIntegerField(null=True)

    class Meta:
        # All that search asks of the pieces on a strand, so that it reads no row.
        indexes = [models.Index("strand", "session", "start", "stop", name="piece_on_strand")]


class Message(models.Model):
    # Keyed by strand with no constraint to or from it, so that it can be distributed by strand (DESIGN.md).
    pk = models.CompositePrimaryKey("strand_id", "position")
    strand = models.ForeignKey(Strand, models.DO_NOTHING, related_name="+", **UNCONSTRAINED)
    position = models.PositiveIntegerField()
    # What it mostly is, so that a list of prompts reads no bodies.
    kind = models.PositiveSmallIntegerField(choices=KINDS, default=Kind.OTHER)
    # The next three tell of this message and all before it, so that a fork at any position reads one row.
    size_total = models.PositiveBigIntegerField()  # bytes of bodies
    prompt_total = models.PositiveIntegerField()
    digest = models.BinaryField()
    body = models.TextField()  # see bodies.py

    class Meta:
        indexes = [
            models.Index("strand", "position", condition=models.Q(kind=Kind.PROMPT), name="message_prompts"),
        ]


class TokenTotal(models.Model):
    """Of a message in which tokens were recorded: how many its strand holds up to it (token_rows.py)."""

    pk = models.CompositePrimaryKey("strand_id", "position")
    strand = models.ForeignKey(Strand, models.DO_NOTHING, related_name="+", **UNCONSTRAINED)
    position = models.PositiveIntegerField()
    total = models.PositiveBigIntegerField()  # output tokens in the strand, this message's included
    of_response = models.PositiveBigIntegerField()  # what was recorded of its response so far
    response = models.BigIntegerField(null=True)  # a number for the response; None where it has no name


class Transcript(models.Model):
    """Where an imported session came from, and how far its file has been read."""

    # None when the session was purged: the row stays, so that its file is not imported again.
    session = models.OneToOneField(Session, models.SET_NULL, null=True, related_name="transcript")
    source = models.CharField(max_length=40)
    project_key = models.CharField(max_length=500)
    external_id = models.CharField(max_length=255)
    subpath = models.CharField(max_length=500, blank=True)

    path = models.TextField(default='""')  # as JSON: bytes that are no characters may stand in it
    size = models.PositiveBigIntegerField(default=0)  # bytes
    mtime_ns = models.BigIntegerField(default=0)
    offset = models.PositiveBigIntegerField(default=0)  # bytes
    digest = models.CharField(max_length=64, blank=True)
    lines = models.PositiveIntegerField(default=0)
    unreadable = models.PositiveIntegerField(default=0)
    detail = models.TextField(default="{}")  # ASCII JSON: jsonb refuses NUL and lone surrogates

    prefix = models.PositiveIntegerField(default=0)  # leading messages that stand in the parent's file, not in this one

    wanted_parent = models.CharField(max_length=255, blank=True)  # external id of a parent that has not arrived yet
    wanted_link = models.TextField(blank=True)  # what was said of it: a ParentLink as JSON

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "project_key", "external_id", "subpath"], name="transcript_identity"
            ),
        ]
        indexes = [
            models.Index("source", "wanted_parent", condition=~models.Q(wanted_parent=""), name="transcript_wanting"),
            models.Index("source", "external_id", name="transcript_external"),
        ]


class WriteKey(models.Model):
    """A write that was done, by the key that its caller gave it, so that it is not done again when it is sent again."""

    digest = models.CharField(primary_key=True, max_length=64)  # of the caller and its key, in hex
    asked = models.CharField(max_length=64)  # of what was asked for: another write under the same key is refused
    session_id = models.UUIDField()
    created_at = models.DateTimeField(db_index=True)


class SearchDocument(models.Model):
    """Folded text of a message: on SQLite of one that waits to be indexed, on PostgreSQL of each, under an index."""

    pk = models.CompositePrimaryKey("strand_id", "position")
    strand = models.ForeignKey(Strand, models.DO_NOTHING, related_name="+", **UNCONSTRAINED)
    position = models.PositiveIntegerField()
    text = models.TextField()


class SearchLong(models.Model):
    """A message that is too long to be indexed; every search looks into it."""

    pk = models.CompositePrimaryKey("strand_id", "position")
    strand = models.ForeignKey(Strand, models.DO_NOTHING, related_name="+", **UNCONSTRAINED)
    position = models.PositiveIntegerField()


class SearchBlock(models.Model):
    """Numbers for the messages at the positions [16 * number, 16 * number + 16) of a strand in SQLite's index."""

    strand = models.ForeignKey(Strand, models.DO_NOTHING, related_name="+", **UNCONSTRAINED)
    number = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["strand", "number"], name="search_block_place")]


class SearchTitle(models.Model):
    """A session's title, folded."""

    session = models.OneToOneField(Session, models.DO_NOTHING, related_name="+", db_constraint=False)
    text = models.TextField()
    waiting = models.BooleanField()  # on SQLite: whether it has yet to be put into the index

    class Meta:
        indexes = [models.Index("id", condition=models.Q(waiting=True), name="search_title_waiting")]


class SearchRebuild(models.Model):
    """At most one row, and only while the index lacks messages: up to where it has been rebuilt."""

    strand_id = models.BigIntegerField()
    position = models.BigIntegerField()


class Change(models.Model):
    """That a session changed, in the order of the changes; the newest of them are kept (change_log.py)."""

    number = models.BigAutoField(primary_key=True)
    session = models.ForeignKey(Session, models.DO_NOTHING, related_name="+", **UNCONSTRAINED)
    project = models.ForeignKey(Project, models.DO_NOTHING, related_name="+", **UNCONSTRAINED)
    kind = models.PositiveSmallIntegerField()


class JournalEntry(models.Model):
    """Something that was done to a session, to many at once or to a project, and can be taken back but for a purge."""

    class State(models.TextChoices):
        PLANNING = "planning"  # nothing has been done yet; one that was cut off is dropped
        RUNNING = "running"
        DONE = "done"
        UNDOING = "undoing"
        UNDONE = "undone"
        KEPT = "kept"  # could not be taken back any more, for nothing stood as it had left it

    action = models.CharField(max_length=12)
    moment = models.DateTimeField()  # that of every change it made
    actor = models.CharField(max_length=150, blank=True)  # "" for a program
    actor_key = models.CharField(max_length=200, blank=True, default="")  # who that is; two may have one name
    policy = models.CharField(max_length=50, blank=True)
    query = models.CharField(max_length=1000, blank=True)
    value = models.CharField(max_length=255, blank=True, default="")  # the tag, the project, or the title
    project = models.ForeignKey(Project, models.DO_NOTHING, null=True, related_name="+", **UNCONSTRAINED)  # done to it
    name_before = models.CharField(max_length=255, null=True)  # noqa: DJ001 (None but for a project that was renamed)
    state = models.CharField(max_length=8, choices=State)
    done = models.PositiveIntegerField(default=0)  # sessions
    freed_bytes = models.PositiveBigIntegerField(default=0)  # by a purge

    class Meta:
        verbose_name_plural = "journal entries"
        indexes = [models.Index("actor_key", "id", name="journal_entry_of_actor")]

    def __str__(self) -> str:
        return f"{self.action} {self.policy}".rstrip()


class JournalItem(models.Model):
    class State(models.IntegerChoices):
        PLANNED = 0
        DONE = 1
        PASSED_OVER = 2
        UNDONE = 3

    pk = models.CompositePrimaryKey("entry_id", "session_id")
    entry = models.ForeignKey(JournalEntry, models.CASCADE, related_name="items", db_index=False)
    session = models.ForeignKey(Session, models.DO_NOTHING, related_name="+", **UNCONSTRAINED)
    state = models.PositiveSmallIntegerField(choices=State)
    before = models.TextField(blank=True)  # what the action took the place of, as text

    class Meta:
        indexes = [
            models.Index("entry", "state", name="journal_item_state"),
            models.Index("session", name="journal_item_session"),
        ]


class CleanupPolicy(models.Model):
    """What goes without being asked for again: sessions that fit a query, off until somebody switches it on."""

    name = models.CharField(max_length=50, unique=True)
    query = models.CharField(max_length=1000)
    action = models.CharField(max_length=12)
    enabled = models.BooleanField(default=False)

    class Meta:
        verbose_name = "clean-up policy"
        verbose_name_plural = "clean-up policies"

    def __str__(self) -> str:
        return self.name


class CleanupSchedule(models.Model):
    """The one row that says whether clean-up runs by itself, when next, and which process is at it."""

    enabled = models.BooleanField(default=False)
    every_hours = models.PositiveIntegerField(default=24)
    trash_days = models.PositiveIntegerField(null=True, default=30)  # after which the trash is purged; None: never
    due_at = models.DateTimeField(null=True)
    holder = models.CharField(max_length=32, blank=True)  # of the lease
    held_until = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)  # when clean-up last looked at the clock, give or take an hour
    doubted_at = models.DateTimeField(null=True)  # since when it waits, for the clock may be wrong
