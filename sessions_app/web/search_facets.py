"""Beside the hits of a search: how many there are of each project, role, agent, age and relation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from sessions_app.grammar import Condition, Query, parse, quoted
from sessions_app.models import Session
from sessions_app.records import SearchHit
from sessions_app.search import search_page
from sessions_app.search.filters import agent_is, filters_of, project_is
from sessions_app.web.formats import agent_name, distinct_names

COUNTED = 1000  # hits
SECONDS = 0.5  # for each way of counting
SHOWN = 8  # values of a facet
RELATIONS = {"root": "Root", "fork": "Fork", "subagent": "Sub-agent", "compaction": "Compaction"}
AGES = {"after:today": "Today", "after:7d": "Last 7 days", "after:30d": "Last 30 days", "before:30d": "Older"}


@dataclass(frozen=True, slots=True)
class Value:
    name: str
    count: int
    url: str  # of the page with this value, or without it where it is chosen
    chosen: bool
    share: int  # of the facet's largest count, in percent


@dataclass(frozen=True, slots=True)
class Facet:
    name: str
    values: list[Value]
    partial: bool  # whether only the newest hits were counted


@dataclass(frozen=True, slots=True)
class _Dimension:
    """What is counted; a value is a word of the grammar."""

    name: str
    owns: Callable[[Condition], bool]
    words: Callable[[SearchHit, Session], Iterable[str]]
    label: Callable[[str], str]
    several: bool  # whether several values can be chosen, as alternatives


def facets(query: Query) -> list[Facet]:
    """A facet is counted as if none of its own values were chosen, so that one sees what else there is.

    Where nothing else is asked for, there is nothing else to count.
    """
    counted: dict[str, tuple[list[SearchHit], bool]] = {}
    found = []
    for dimension in _DIMENSIONS:
        own = [condition for condition in query.conditions if dimension.owns(condition)]
        source = _without(query, own).strip() or query.source
        if source not in counted:
            counted[source] = _hits(source)
        facet = _facet(query, dimension, own, *counted[source])
        if facet.values:
            found.append(facet)
    return found


def _hits(source: str) -> tuple[list[SearchHit], bool]:
    """The newest hits, and whether there are more."""
    query = parse(source, timezone.localtime())
    filters = filters_of(query)
    text = query.text if query.text.strip() else ""
    if not text and filters.sessions is None:
        return [], False
    page = search_page(text, COUNTED, filters=filters, distinct="message", seconds=SECONDS)
    return page.hits, page.next is not None or not page.complete


def _facet(query: Query, dimension: _Dimension, own: list[Condition], hits: list[SearchHit], partial: bool) -> Facet:
    sessions = Session.objects.visible().select_related("project").in_bulk({hit.id for hit in hits})
    counts = Counter(
        _as_chosen(query, own, word)
        for hit in hits
        if (session := sessions.get(hit.id))
        for word in dimension.words(hit, session)
    )
    chosen = {query.source[condition.start : condition.stop] for condition in own}
    order = [word for word in AGES if word in counts] or [word for word, _ in counts.most_common()]
    words = [*order[:SHOWN], *(word for word in chosen if word not in order[:SHOWN])]
    largest = max(counts.values(), default=1)
    labels = dimension.label
    names = distinct_names([labels(word) for word in words]) if dimension.name == "Project" else {}
    values = [
        Value(
            names.get(labels(word), labels(word)),
            counts[word],
            _url(query, dimension, own, word),
            word in chosen,
            round(counts[word] * 100 / largest),
        )
        for word in words
    ]
    return Facet(dimension.name, values, partial)


def _as_chosen(query: Query, own: list[Condition], word: str) -> str:
    """The word as it stands in the query, where it says the same in other letters: `project:forklore` of a path."""
    says = {"project": project_is, "agent": agent_is}.get(word.split(":", 1)[0], lambda one, other: one == other)
    same = (condition for condition in own if isinstance(condition.value, str) and says(_value(word), condition.value))
    condition = next(same, None)
    return query.source[condition.start : condition.stop] if condition else word


def _url(query: Query, dimension: _Dimension, own: list[Condition], word: str) -> str:
    here = [condition for condition in own if query.source[condition.start : condition.stop] == word]
    if here:
        source = _without(query, here)
    else:
        source = f"{word} {query.source if dimension.several else _without(query, own)}".strip()
    return f"{reverse('web:search')}?{urlencode({'q': source})}"


def _without(query: Query, conditions: list[Condition]) -> str:
    source = query.source
    for condition in sorted(conditions, key=lambda each: each.start, reverse=True):
        source = Query(source, "").without(condition)
    return source


def _positive(*names: str) -> Callable[[Condition], bool]:
    return lambda condition: condition.name in names and not condition.negated


def _value(word: str) -> str:
    return word.split(":", 1)[1].strip('"')


def _ages(hit: SearchHit, session: Session) -> Iterable[str]:
    now = timezone.localtime()
    for word in AGES:
        (condition,) = parse(word, now).conditions
        if (hit.updated_at >= condition.value) == (condition.name == "after"):
            yield word


_DIMENSIONS = (
    _Dimension("Project", _positive("project"), lambda hit, session: [quoted("project", hit.project)], _value, True),
    _Dimension("Role", _positive("role"), lambda hit, session: [f"role:{hit.role}"] if hit.role else [], _value, True),
    _Dimension(
        "Agent",
        _positive("agent"),
        lambda hit, session: [quoted("agent", session.agent)] if session.agent else [],
        lambda word: agent_name(_value(word)),
        True,
    ),
    _Dimension("When", _positive("before", "after"), _ages, lambda word: AGES.get(word, word), False),
    _Dimension(
        "Relation",
        lambda condition: condition.name == "is" and not condition.negated and condition.value in RELATIONS,
        lambda hit, session: [f"is:{session.relation or 'root'}"],
        lambda word: RELATIONS.get(_value(word), _value(word).capitalize()),
        False,
    ),
)
