"""The hits of a page by lineage: under its root, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from sessions_app.models import Session
from sessions_app.records import Role, SearchHit
from sessions_app.search.text import find_all

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
    roots = Session.objects.roots_of({hit.id for hit in hits})
    wanted = {hit.id for hit in hits} | set(roots.values())
    sessions = Session.objects.live().select_related("project").in_bulk(wanted)
    found: dict[object, Group] = {}
    for hit in hits:
        session = sessions.get(hit.id)
        if session is None:  # trashed since it was found
            continue
        root = roots.get(hit.id, hit.id)
        group = found.setdefault(root, Group(sessions.get(root, session), whole=whole))
        icon = f"icons/{ICONS[hit.role]}.html"
        group.hits.append(Hit(hit, session, highlighted(hit.snippet, text), icon, session != group.heading))
    return list(found.values())


def highlighted(text: str, query: str) -> SafeString:
    """The text, escaped, with what matches the query in <mark>; found on the original, cut before it is escaped."""
    pieces, end = [], 0
    for start, stop in find_all(text, query):
        pieces += [escape(text[end:start]), "<mark>", escape(text[start:stop]), "</mark>"]
        end = stop
    return mark_safe("".join([*pieces, escape(text[end:])]))  # noqa: S308 every piece is escaped
