"""The hits of a page by lineage: under its root, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.safestring import SafeString

from sessions_app.models import Session
from sessions_app.records import Role, SearchHit
from sessions_app.web.rendering.ansi import excerpt_to_text
from sessions_app.web.rendering.marks import escape_and_mark

SHOWN = 3  # hits of a lineage; the others unfold
ICONS: dict[Role | None, str] = {  # in templates/icons
    "user": "person",
    "assistant": "assistant",
    "thinking": "thinking",
    "tool": "terminal",
    "image": "image",
    "notice": "notice",
    None: "document",
}


@dataclass(frozen=True, slots=True)
class Hit:
    hit: SearchHit
    session: Session  # that shows it: the one in the heading where that does and may
    snippet: SafeString
    icon: str  # a template
    in_fork: bool  # whether its session is another than the one in the heading


@dataclass(slots=True)
class Group:
    heading: Session  # the root of the lineage, or where that is in the trash the session of its first hit
    hits: list[Hit] = field(default_factory=list)
    whole: bool = True  # whether there are no further hits in it

    @property
    def first(self) -> list[Hit]:
        return self.hits[:SHOWN]

    @property
    def others(self) -> list[Hit]:
        return self.hits[SHOWN:]

    @property
    def sessions(self) -> int:
        return len({each.session.pk for each in self.hits})


def groups(hits: Sequence[SearchHit], text: str, *, whole: bool, at_root: bool) -> list[Group]:
    """Lineages in the order of their newest hit; `whole` if there are no hits but these.

    A message that the root shows too stands there if `at_root`, for a search that is not for certain sessions.
    """
    roots = Session.objects.visible().roots_of({hit.id for hit in hits})
    wanted = {hit.id for hit in hits} | set(roots.values())
    sessions = Session.objects.visible().live().select_related("project").prefetch_related("pieces").in_bulk(wanted)
    found: dict[object, Group] = {}
    for hit in hits:
        session = sessions.get(hit.id)
        if session is None:  # trashed since it was found
            continue
        root = roots.get(hit.id, hit.id)
        group = found.setdefault(root, Group(sessions.get(root, session), whole=whole))
        shown_in = group.heading if at_root and _share(session, group.heading, hit) else session
        snippet = escape_and_mark(excerpt_to_text(hit.snippet), text)
        group.hits.append(Hit(hit, shown_in, snippet, f"icons/{ICONS[hit.role]}.html", shown_in != group.heading))
    return list(found.values())


def _share(session: Session, other: Session, hit: SearchHit) -> bool:
    if hit.position is None or not hit.shared_with:
        return False
    strand = _strand_at(session, hit.position)
    return strand is not None and strand == _strand_at(other, hit.position)


def _strand_at(session: Session, position: int) -> int | None:
    """Where a session has its message at a position; its pieces are prefetched."""
    for piece in session.pieces.all():
        if piece.start <= position < (session.message_count if piece.stop is None else piece.stop):
            return piece.strand_id
    return None
