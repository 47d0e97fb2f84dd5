"""What a policy would do, as its page shows it: figures, bars by project and age, what goes and what stays, and a report."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from heapq import nlargest
from uuid import UUID

from sessions_app import store
from sessions_app.cleanup import Preview
from sessions_app.grammar import quoted
from sessions_app.models import Project, Session
from sessions_app.querysets import RUNNING
from sessions_app.space import AGES
from sessions_app.web.cleanup_words import Wish
from sessions_app.web.formats import count_text, distinct_names, size_text

SHOWN = 8  # sessions of a list beside the other
PAGE_LENGTH = 100  # of one by itself
PARTS = 4  # of a bar; the last one holds what is left
AGE_WORDS = {
    "week": ("under 7 days", "after:7d"),
    "month": ("7–30 days", "before:7d after:30d"),
    "quarter": ("1–3 months", "before:30d after:90d"),
    "year": ("3–12 months", "before:90d after:365d"),
    "older": ("older", "before:365d"),
}
CHARACTER, MARGIN = 0.72, 1.8  # percent of a bar that a label takes up, on a desktop; a phone has a third of the width
STEPS = 4  # of a bar's colour
FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would reckon with


@dataclass(frozen=True, slots=True)
class Part:
    """Of a bar; `start` and `width` in percent."""

    name: str
    text: str
    title: str
    url: str
    start: float
    width: float
    step: int

    @property
    def fits(self) -> str:
        """Where its label can be read: everywhere, on wide pages, or nowhere."""
        needed = (len(self.name) + len(self.text) + 1) * CHARACTER + MARGIN
        return "all" if self.width >= 3 * needed else "wide" if self.width >= needed else ""


@dataclass(frozen=True, slots=True)
class Row:
    session: Session
    size: int
    reason: str = ""
    kind: str = ""  # of the reason: pinned, tagged keep, running, needed by a fork


@dataclass(frozen=True, slots=True)
class Listed:
    """One of the two lists, or a page of it."""

    rows: list[Row]
    total: int
    all_url: str
    first: int = 0
    before_url: str = ""
    after_url: str = ""


def told(wish: Wish, preview: Preview, show: str = "", first: int = 0) -> dict[str, object]:
    """What cleanup/_preview.html shows; one list alone, from its number `first` on, where `show` names it."""
    bytes_count = wish.action in ("trash", "purge")
    going, staying = len(preview.sessions), len(preview.kept_sessions)
    context = {
        "preview": preview,
        "going_total": going,
        "staying_total": staying,
        "fit": going + staying,
        "new": going - preview.again,
        "kept": sorted(preview.kept.items()),
        "bars": _bars(wish, preview, bytes_count) if going else [],
        "show": show,
    }
    if show != "stays":
        context["goes"] = _going(wish, preview, show, first)
    if show != "goes":
        context["stays"] = _staying(wish, preview, show, first)
    return context


def report(wish: Wish, preview: Preview) -> str:
    """All that goes and all that stays, largest first, as a table for a spreadsheet."""
    output = io.StringIO()
    table = csv.writer(output)
    table.writerow(["becomes", "why it stays", "bytes", "bytes that come free", "title", "project", "written to", "id"])
    sizes = _weights(wish, preview)
    order = sorted(range(len(preview.sessions)), key=lambda at: -sizes[at])
    frees = wish.action in ("trash", "purge")
    going = [(preview.sessions[at], "", preview.freed[at] if frees else 0) for at in order]
    kept = sorted(range(len(preview.kept_sessions)), key=lambda at: -preview.kept_sizes[at])
    staying = [(*preview.kept_sessions[at], 0) for at in kept]
    for some, becomes in ((going, wish.action), (staying, "stays")):
        for start in range(0, len(some), 500):
            rows = some[start : start + 500]
            known = _sessions([id for id, *_ in rows])
            for id, reason, freed in rows:
                if session := known.get(id):
                    about = (_plain(session.title), _plain(session.project.name), session.updated_at.isoformat(), id)
                    table.writerow([becomes, reason, session.size_bytes, freed, *about])
    return output.getvalue()


# Helpers, in the order in which they are called


def _bars(wish: Wish, preview: Preview, bytes_count: bool) -> list[tuple[str, list[Part]]]:
    weights = preview.freed if bytes_count else [1] * len(preview.sessions)
    projects, ages = dict[int, int](), dict[int, int]()
    for project, age, weight in zip(preview.projects, preview.ages, weights, strict=True):
        projects[project] = projects.get(project, 0) + weight
        ages[age] = ages.get(age, 0) + weight
    names = dict(Project.objects.visible().filter(pk__in=projects).values_list("pk", "name"))
    largest = sorted(projects, key=lambda each: (-projects[each], names.get(each, "")))
    most, others = largest[: PARTS - 1], largest[PARTS - 1 :]
    if len(others) == 1:
        most, others = largest, []
    short = distinct_names(names[each] for each in most if each in names)
    shares = [
        (short[names[each]], names[each], _narrowed(wish, names[each]), projects[each])
        for each in most
        if each in names
    ]
    if others:
        shares.append((f"{count_text(len(others))} others", "all other projects", "", sum(projects[e] for e in others)))
    by_age = [(*AGE_WORDS[word], ages[at]) for at, word in enumerate(AGES) if at in ages]
    aged = [(words, f"Last written to: {words}", wish.with_added(query), sum_) for words, query, sum_ in by_age]
    say = size_text if bytes_count else count_text
    found = [("Project", _parts(shares, say, darkest_first=True)), ("Age", _parts(aged, say, darkest_first=False))]
    return [(name, parts) for name, parts in found if parts]


def _narrowed(wish: Wish, project: str) -> str:
    """Only that project; "" where the words cannot say it."""
    if '"' in project or not project.isprintable():
        return ""
    return wish.with_added(quoted("project", project))


def _parts(
    shares: Sequence[tuple[str, str, str, int]], say: Callable[[int], str], *, darkest_first: bool
) -> list[Part]:
    whole, start, found = sum(share for *_, share in shares), 0.0, []
    for at, (name, title, url, share) in enumerate(shares):
        width = 100 * share / whole if whole else 0
        step = STEPS - at if darkest_first else STEPS - len(shares) + 1 + at
        if width:
            text = say(share)
            found.append(Part(name, text, f"{title}: {text}", url, round(start, 2), round(width, 2), max(1, step)))
        start += width
    return found


def _going(wish: Wish, preview: Preview, show: str, first: int) -> Listed:
    weights = _weights(wish, preview)
    chosen = _page(weights, show, first)
    known = _sessions([preview.sessions[at] for at in chosen])
    rows = [Row(known[preview.sessions[at]], weights[at]) for at in chosen if preview.sessions[at] in known]
    return _listed(wish, rows, len(weights), "goes", show, first)


def _staying(wish: Wish, preview: Preview, show: str, first: int) -> Listed:
    chosen = _page(preview.kept_sizes, show, first)
    kept = [preview.kept_sessions[at] for at in chosen]
    known = _sessions([id for id, _ in kept])
    needed = _needed([id for id, reason in kept if reason == "needed by a fork"], set(preview.sessions))
    rows = [
        Row(known[id], size, needed.get(id, reason), reason)
        for (id, reason), size in zip(kept, (preview.kept_sizes[at] for at in chosen), strict=True)
        if id in known
    ]
    return _listed(wish, rows, len(preview.kept_sessions), "stays", show, first)


def _weights(wish: Wish, preview: Preview) -> list[int]:
    """What counts of each session: the bytes that go with it, or where none go its size."""
    return preview.freed if wish.action in ("trash", "purge") else preview.sizes


def _page(weights: Sequence[int], show: str, first: int) -> list[int]:
    """The places of the largest, or of a page of all."""
    if not show:
        return nlargest(SHOWN, range(len(weights)), key=weights.__getitem__)
    return sorted(range(len(weights)), key=lambda at: -weights[at])[first : first + PAGE_LENGTH]


def _sessions(ids: Collection[UUID]) -> dict[UUID, Session]:
    return Session.objects.visible().select_related("project").in_bulk(ids)


def _listed(wish: Wish, rows: list[Row], total: int, name: str, show: str, first: int) -> Listed:
    def url(start: int) -> str:
        return wish.address(show=name, **({"first": str(start)} if start else {}))

    before = url(max(0, first - PAGE_LENGTH)) if show and first else ""
    after = url(first + PAGE_LENGTH) if show and first + PAGE_LENGTH < total else ""
    return Listed(rows, total, url(0), first, before, after)


def _needed(ids: list[UUID], going: Collection[UUID]) -> dict[UUID, str]:
    """Which forks each is kept for: those that do not go themselves."""
    forks: dict[UUID, list[Session]] = {}
    if ids:
        for fork in Session.objects.visible().live().filter(parent__in=ids):
            if fork.pk not in going:
                forks.setdefault(fork.parent_id, []).append(fork)  # type: ignore[arg-type]
    return {id: _needed_by(some) for id, some in forks.items()}


def _needed_by(forks: list[Session]) -> str:
    if len(forks) > 1:
        return f"{count_text(len(forks))} forks need it"
    fork = forks[0]
    state = "pinned " if fork.pinned_at else "running " if fork.updated_at > store.now() - RUNNING else ""
    return f"a {state}fork needs it"


def _plain(text: str) -> str:
    """As a spreadsheet shows it: as text, whatever it begins with."""
    return f"'{text}" if text.startswith(FORMULAS) else text
