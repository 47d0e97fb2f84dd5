"""The hits of a page by lineage: under its root, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.safestring import SafeString

from sessions_app.models import Session
from sessions_app.records import Role, SearchHit
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
    session: Session
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


def groups(hits: Sequence[SearchHit], text: str, *, whole: bool) -> list[Group]:
    """Lineages in the order of their newest hit; `whole` if there are no hits but these."""
    roots = Session.objects.visible().roots_of({hit.id for hit in hits})
    wanted = {hit.id for hit in hits} | set(roots.values())
    sessions = Session.objects.visible().live().select_related("project").in_bulk(wanted)
    found: dict[object, Group] = {}
    for hit in hits:
        session = sessions.get(hit.id)
        if session is None:  # trashed since it was found
            continue
        root = roots.get(hit.id, hit.id)
        group = found.setdefault(root, Group(sessions.get(root, session), whole=whole))
        icon = f"icons/{ICONS[hit.role]}.html"
        group.hits.append(Hit(hit, session, escape_and_mark(hit.snippet, text), icon, session != group.heading))
    return list(found.values())
