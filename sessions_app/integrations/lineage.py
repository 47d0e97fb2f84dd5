"""Finds out which imported sessions are forks of which, where only their messages tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from sessions_app.integrations import claude_code, codex, known
from sessions_app.integrations.known import Relative
from sessions_app.integrations.transcripts import content_digest
from sessions_app.projection import Kind, project
from sessions_app.records import Origin, ParentLink

TELLING = 200  # characters that two sessions do not say alike by chance
COMPARED = 20_000  # messages of a session


def found(sources: set[str]) -> Iterator[tuple[Origin, ParentLink]]:
    """Child and link, for the agents of which something new was imported; nothing that is known already."""
    if claude_code.SOURCE in sources:
        yield from _parents_that_came_late()
        yield from _with_shared_uuids()
    if codex.SOURCE in sources:
        yield from _copies()
    for source in sorted(sources):
        yield from _that_begin_alike(source)


def _parents_that_came_late() -> Iterator[tuple[Origin, ParentLink]]:
    """Forks that were linked to a copy of their parent in another project before the one beside them arrived."""
    relatives = known.relatives(claude_code.SOURCE)
    sessions = {relative.origin: relative for relative in relatives}
    for child in relatives:
        detail = child.facts.get("detail", {})
        parent = sessions.get(replace(child.origin, external_id=detail.get("forked_from", "")))
        if parent and child.parent not in (None, parent.session):
            yield child.origin, ParentLink(parent.origin, "fork", detail["shared"])


def _with_shared_uuids() -> Iterator[tuple[Origin, ParentLink]]:
    """Sessions of Claude Code that start with the same line, and of which none says whose fork it is."""
    families = defaultdict(list)
    for relative in known.relatives(claude_code.SOURCE):
        detail = relative.facts.get("detail", {})
        if detail.get("uuid") and "forked_from" not in detail:
            families[detail["uuid"]].append(relative)
    for family in families.values():
        yield from _family_links(family)


def _family_links(family: list[Relative]) -> Iterator[tuple[Origin, ParentLink]]:
    """A fork goes on while its parent is left behind, so that the session that ended first is the parent of all.

    What has a parent keeps it: which one ended first may change when files grow.
    """
    family.sort(key=lambda relative: (relative.facts["last"], relative.origin.external_id))
    for index, child in enumerate(family):
        if child.parent is not None:
            continue
        shared = [
            (_shared(child, parent), parent) for parent in family[:index] if _may_be_parent(parent, child, family)
        ]
        most, parent = max(shared, key=lambda pair: pair[0], default=(0, child))
        if most:
            yield child.origin, ParentLink(parent.origin, "fork", most, inferred=True)


def _that_begin_alike(source: str) -> Iterator[tuple[Origin, ParentLink]]:
    """Sessions that say the same for a while, without any pointer or ids in common, by a rolling hash of what they say.

    One that names a parent is left to that, also while it has yet to arrive.
    """
    families = defaultdict(list)
    for relative in known.relatives(source):
        detail = relative.facts.get("detail", {})
        if relative.facts.get("opening") and not detail.keys() & {"forked_from", "spawned_by", "base"}:
            families[relative.facts["opening"]].append(relative)
    for family in families.values():
        if len(family) > 1:
            yield from _links_by_prefix(family)


def _links_by_prefix(family: list[Relative]) -> Iterator[tuple[Origin, ParentLink]]:
    """As in _family_links, the one that ended first is the parent; of several the one that shares most."""
    family.sort(key=lambda relative: (relative.facts["last"], relative.origin.external_id))
    if all(relative.parent is not None for relative in family[1:]):
        return
    first_with: dict[bytes, Relative] = {}
    for child in family:
        prefixes = list(_prefixes(child))
        if child.parent is None:
            for digest, count, is_telling in reversed(prefixes):
                if not is_telling:
                    break
                parent = first_with.get(digest)
                if parent and _may_be_parent(parent, child, family):
                    yield child.origin, ParentLink(parent.origin, "fork", count, inferred=True)
                    break
        for digest, _, _ in prefixes:
            first_with.setdefault(digest, child)


def _prefixes(relative: Relative) -> Iterator[tuple[bytes, int, bool]]:
    """Rolling hash of what is said up to a message, how many messages that are, and whether no other session says so.

    Lines of settings go along. To greet and be greeted happens to many: a call with its id tells, or a longer text.
    """
    digest, letters, calls = b"", 0, 0
    for position, message in enumerate(islice(known.messages_of(relative.session), COMPARED)):
        seen = project(message)
        if seen.kind in (Kind.NOTICE, Kind.OTHER, Kind.UNREADABLE) or not seen.parts:
            continue
        digest = content_digest(seen, digest)
        letters += sum(len(part.text) for part in seen.parts)
        calls += sum(bool(part.tool_id) for part in seen.parts)
        yield digest, position + 1, calls > 0 or letters >= TELLING


def _may_be_parent(parent: Relative, child: Relative, family: list[Relative]) -> bool:
    """Not a copy of the same session in another place, and none of its descendants."""
    if parent.origin.external_id == child.origin.external_id:
        return False
    parents = {relative.session: relative.parent for relative in family}
    ancestor = parents.get(parent.session)
    while ancestor and ancestor != child.session:
        ancestor = parents.get(ancestor)
    return ancestor != child.session


def _shared(child: Relative, parent: Relative) -> int:
    return claude_code.shared_lines(known.messages_of(child.session), known.messages_of(parent.session))


def _copies() -> Iterator[tuple[Origin, ParentLink]]:
    """Older forks of Codex name their parent, but not how much of it they copied."""
    relatives = known.relatives(codex.SOURCE)
    by_id = {relative.origin.external_id: relative for relative in relatives}
    for child in relatives:
        detail = child.facts.get("detail", {})
        parent = by_id.get(detail.get("forked_from", ""))
        if parent is None or "base" in detail or detail.get("metas", 0) < 2 or child.fork_point:
            continue
        copied = codex.copied_lines(known.messages_of(child.session), known.messages_of(parent.session))
        if copied:
            yield child.origin, ParentLink(parent.origin, "fork", copied)
