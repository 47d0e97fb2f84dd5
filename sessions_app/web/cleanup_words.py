"""The words of a policy as its page shows them: each can be taken out, others are offered, by links and without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import cast, get_args
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from sessions_app.cleanup import Policy, PolicyAction
from sessions_app.grammar import Query, parse, quoted
from sessions_app.web.context import Choice, projects_in_sight
from sessions_app.web.formats import AGENTS, distinct_names
from sessions_app.web.query_words import Mistake

ACTIONS: dict[PolicyAction, str] = {
    "trash": "Move to the trash",
    "archive": "Archive",
    "purge": "Purge",
    "pack": "Pack",
}
NEVER = {  # words of the grammar that keep sessions out
    "-is:archived": "archived",
    "-is:subagent": "sub-agents",
    "-has:forks": "with forks",
    "before:7d": "newer than 7 days",
}
OFFERED: dict[str, dict[str, str]] = {  # of the words of one list a query has one
    "Not written to for": {"before:30d": "a month", "before:90d": "3 months", "before:180d": "half a year"}
    | {"before:365d": "a year"},
    "Larger than": {"size:>100kb": "100 KB", "size:>1mb": "1 MB", "size:>10mb": "10 MB"},
    "Fewer turns than": {"turns:<3": "3", "turns:<10": "10", "turns:<40": "40"},
    "Kind": {"is:root": "root", "is:fork": "fork", "is:subagent": "sub-agent", "is:compaction": "compaction"}
    | {"is:continuation": "continuation"},
    "State": {"is:archived": "archived"},
}
PROJECTS = 12  # offered, the largest ones
EXAMPLES: tuple[tuple[str, str, PolicyAction], ...] = (
    ("Finished a month ago", "before:30d is:root", "trash"),
    ("Sub-agents older than 30 days", "before:30d is:subagent", "trash"),
    ("Short and old", "before:90d turns:<3", "archive"),
    ("Large and cold", "before:60d size:>1mb", "pack"),
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the page shows: a policy as it is saved, or as it was changed on the page since; its query string says all."""

    saved: Policy | None
    name: str  # as it was typed where it could not be saved
    query: str
    action: PolicyAction
    enabled: bool

    @property
    def policy(self) -> Policy:
        """By the saved one's name, whose last run it is compared with."""
        return Policy(self.saved.name if self.saved else "", self.query, self.action, self.enabled)

    @property
    def as_run(self) -> Policy:
        """By its name only as it is saved, for the journal has what was done under it."""
        return Policy("", self.query, self.action) if self.is_changed else self.policy

    @property
    def is_changed(self) -> bool:
        return self.saved != self.policy

    def address(self, **changes: str) -> str:
        state = self.state | changes
        return f"{reverse('web:cleanup')}?{urlencode(state)}"

    @property
    def state(self) -> dict[str, str]:
        """Parameters of the page: of a policy that was not changed its name says all."""
        named = {"policy": self.saved.name} if self.saved else {"name": self.name} if self.name else {}
        changed = {"q": self.query, "action": self.action, "on": "1" if self.enabled else "0"}
        return named | changed if self.is_changed else named

    def with_query(self, query: str) -> str:
        return replace(self, query=query).address()

    def with_added(self, words: str) -> str:
        return self.with_query(f"{self.query} {words}".strip())


@dataclass(frozen=True, slots=True)
class Chip:
    key: str
    value: str
    word: str
    without: str


def wish_of(given: QueryDict, policies: list[Policy], name: str = "policy", query: str = "q") -> Wish:
    """What a page was asked for, or a form holds: without any word the first of the policies."""
    saved = next((each for each in policies if each.name == given.get(name, "")), None)
    if not given and policies:
        saved = policies[0]
    base = saved or Policy("", "", "trash")
    action = given.get("action", base.action)
    return Wish(
        saved,
        given.get("name", base.name),
        given.get(query, base.query).strip(),
        cast(PolicyAction, action) if action in get_args(PolicyAction) else base.action,
        given["on"] == "1" if "on" in given else base.enabled,
    )


def words(wish: Wish) -> dict[str, object]:
    """What cleanup/_words.html shows."""
    query = parse(wish.query)
    known = [query.source[each.start : each.stop] for each in query.conditions]
    return {
        "chips": list(_chips(wish, query)),
        "text": Choice(query.text.strip(), wish.with_query(" ".join(known)), current=False) if query.text else None,
        "mistakes": [
            Mistake(
                problem,
                query.source[problem.start : problem.stop],
                wish.with_query(query.without(problem)),
                wish.with_query(query.with_repaired(problem)) if problem.repaired else "",
                "",
            )
            for problem in query.problems
        ],
        "never": [_toggled(wish, known, word, words) for word, words in NEVER.items()],
        "offers": [(name, list(choices)) for name, choices in _offers(wish, query)],
        "actions": [
            Choice(label, replace(wish, action=action).address(), action == wish.action)
            for action, label in ACTIONS.items()
        ],
        "times": [
            Choice(label, replace(wish, enabled=enabled).address(), enabled == wish.enabled)
            for enabled, label in ((False, "By hand"), (True, "By itself"))
        ],
    }


def examples() -> list[Choice]:
    return [
        Choice(name, Wish(None, "", query, action, enabled=False).address(name=name), current=False)
        for name, query, action in EXAMPLES
    ]


# Helpers, in the order in which they are called


def _chips(wish: Wish, query: Query) -> Iterator[Chip]:
    for part in query.conditions:
        word = query.source[part.start : part.stop]
        if word not in NEVER:
            key, _, value = word.partition(":")
            yield Chip(key, value, word, wish.with_query(query.without(part)))


def _toggled(wish: Wish, known: list[str], word: str, words: str) -> Choice:
    if word not in known:
        return Choice(words, wish.with_added(word), current=False)
    return Choice(words, wish.with_query(_without(wish.query, [word])), current=True)


def _offers(wish: Wish, query: Query) -> Iterator[tuple[str, Iterable[Choice]]]:
    known = {query.source[each.start : each.stop] for each in query.conditions}
    for name, choices in OFFERED.items():
        others = replace(wish, query=_without(wish.query, choices))
        yield name, [Choice(words, others.with_added(word), word in known) for word, words in choices.items()]
    largest = sorted(projects_in_sight(), key=lambda each: -each.size_bytes)[:PROJECTS]
    yield "Project", _named(wish, known, "project", distinct_names(project.name for project in largest))
    yield "Agent", _named(wish, known, "agent", {agent: name for agent, (name, _) in AGENTS.items()})


def _named(wish: Wish, known: set[str], key: str, names: dict[str, str]) -> Iterator[Choice]:
    """Of what a query may have several: either."""
    for value, label in names.items():
        if '"' not in value and value.isprintable():
            word = quoted(key, value)
            yield Choice(label, wish.address() if word in known else wish.with_added(word), word in known)


def _without(source: str, words: Iterable[str]) -> str:
    """The query without these words, wherever they stand."""
    dropped = set(words)
    while True:
        query = parse(source)
        found = next((each for each in query.conditions if source[each.start : each.stop] in dropped), None)
        if found is None:
            return source
        source = query.without(found)
