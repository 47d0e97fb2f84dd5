"""The grammar of queries: words such as `project:` and `before:` narrow a search, the rest is the text.

One grammar for the page, the commands, Python and HTTP. Nothing is guessed: a word that is not understood becomes a
problem that says where it stands, and is left out. A backslash before a word makes it text: `\\role:user`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from sessions_app.errors import InvalidQuery
from sessions_app.records import Role

Sign = Literal["<", "<=", "=", ">=", ">"]
State = Literal["pinned", "archived", "running", "root", "fork", "subagent", "compaction", "continuation"]

QUERY_LIMIT = 1000  # characters, its words included
SHORTENED_ID = 4  # hex digits that a shortened id has at least
_LARGEST = 2**53  # of what is compared; beyond every size

# A word begins where the text does or after white space; its value may be quoted, and then holds spaces.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")  # what no database takes in a text
_WORD = re.compile(r'(?<!\S)(?P<escape>\\?)(?P<minus>-?)(?P<name>[A-Za-z]{2,12}):(?P<value>"[^"]*"(?!\S)|\S*)')
_NUMBER = re.compile(r"(?P<sign><=|>=|<|>|=)?(?P<number>\d{1,15}(?:\.\d{1,3})?)(?P<unit>[a-z]*)")
_AGO = re.compile(r"(\d{1,5})([hdwmy])")
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "m": 30 * 24, "y": 365 * 24}


@dataclass(frozen=True, slots=True)
class Condition:
    """A word that was understood. What `value` is, depends on the word:

    - project, agent, tag: the name; under: the hex digits that an id begins with
    - role: a Role; is: a State; has: "forks"
    - before, after: an aware moment
    - turns, size: a tuple of Sign and number (bytes)
    """

    name: str
    value: Any
    negated: bool
    start: int  # where it stands in the query, as positions of characters
    stop: int


@dataclass(frozen=True, slots=True)
class Problem:
    """A word that was not understood, and is left out."""

    start: int
    stop: int
    sentence: str
    repaired: str = ""  # what the word may have been meant to be; "" where nothing is near


@dataclass(frozen=True, slots=True)
class Query:
    source: str
    text: str  # what is searched for, as it was typed; "" where there are words alone
    conditions: tuple[Condition, ...] = ()
    problems: tuple[Problem, ...] = ()

    def without(self, part: Condition | Problem) -> str:
        """The query as it would be typed without one of its words."""
        return _joined(self.source[: part.start], self.source[part.stop :])

    def with_repaired(self, problem: Problem) -> str:
        return self.source[: problem.start] + problem.repaired + self.source[problem.stop :]

    def with_escaped(self, problem: Problem) -> str:
        """The query in which a word that was not understood is text."""
        return f"{self.source[: problem.start]}\\{self.source[problem.start :]}"

    def check(self) -> None:
        """Raises InvalidQuery at the first problem."""
        if self.problems:
            first = self.problems[0]
            raise InvalidQuery(first.sentence, first.start, first.stop)


def parse(source: str, now: datetime | None = None) -> Query:
    """Read a query as a person typed it; `now` is what `before:30d` counts from. Never raises."""
    conditions: list[Condition] = []
    problems: list[Problem] = []
    segments, end = [""], 0  # of text, between words
    for match in _words(source):
        segments[-1] += source[end : match.start()]
        if match["escape"]:
            end = match.start() + 1
            continue
        read = _read(match, now or datetime.now(UTC))
        (conditions if isinstance(read, Condition) else problems).append(read)  # type: ignore[arg-type]
        segments.append("")
        end = match.end()
    segments[-1] += source[end:]
    return Query(source, _text(segments), tuple(conditions), tuple(problems))


def quoted(name: str, value: str) -> str:
    """The word that a person would type for a value: `project:"my project"`."""
    return f'{name}:"{value}"' if not value or any(character.isspace() for character in value) else f"{name}:{value}"


def _words(source: str) -> Iterator[re.Match[str]]:
    """What is meant as a word of the grammar. With a blank behind its colon it is prose, and text."""
    for match in _WORD.finditer(source):
        name = match["name"].lower()
        if (match["value"] or match.end() == len(source)) and (name in _READERS or _near(name)):
            yield match


def _read(match: re.Match[str], now: datetime) -> Condition | Problem:
    name, (start, stop) = match["name"].lower(), match.span()
    if name not in _READERS:
        repaired = f"{match['minus']}{_near(name)}:{match['value']}"
        return Problem(start, stop, f"“{match['name']}:” is not a known word; it is left out.", repaired)
    try:
        return Condition(name, _READERS[name](match["value"].strip('"'), now), bool(match["minus"]), start, stop)
    except ValueError as error:
        return Problem(start, stop, f"{error} It is left out.")


def _text(segments: list[str]) -> str:
    """The text between the words, as it was typed, but for the blanks beside a word."""
    if len(segments) == 1:
        return segments[0]
    first, *inner, last = segments
    return " ".join(part for part in (first.rstrip(), *(part.strip() for part in inner), last.lstrip()) if part)


def _joined(before: str, after: str) -> str:
    """Two sides of a word that is taken out, without the blanks that stood beside it."""
    before, after = before.rstrip(), after.lstrip()
    return f"{before} {after}" if before and after else before or after


def _near(name: str) -> str:
    """The word that was mistyped by one letter too many, too few, or two in the wrong order; "" if there is none.

    One letter for another counts in words of five letters and more: `site:` is not `size:`.
    """
    return next((word for word in _READERS if len(word) >= 4 and _is_slip(name, word)), "")


def _is_slip(name: str, word: str) -> bool:
    if len(name) == len(word):
        wrong = [at for at in range(len(word)) if name[at] != word[at]]
        swapped = len(wrong) == 2 and wrong[1] == wrong[0] + 1 and sorted(name) == sorted(word)
        return swapped or (len(wrong) == 1 and len(word) >= 5)
    longer, shorter = (name, word) if len(name) > len(word) else (word, name)
    return len(longer) == len(shorter) + 1 and any(
        longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer))
    )


# What stands behind the colon. Each raises ValueError with the sentence that a person reads.


def _name(word: str, example: str) -> Callable[[str, datetime], str]:
    def read(value: str, now: datetime) -> str:
        if not value:
            raise ValueError(f"“{word}:” wants a name, such as {word}:{example}.")
        if _NO_TEXT.search(value):
            raise ValueError(f"“{word}:” wants a name of characters that can be written.")
        return value

    return read


def _one_of(word: str, choices: tuple[str, ...]) -> Callable[[str, datetime], str]:
    def read(value: str, now: datetime) -> str:
        if value.lower() not in choices:
            instead = f", not “{value}”" if value else ""
            raise ValueError(f"“{word}:” is one of {', '.join(choices)}{instead}.")
        return value.lower()

    return read


def _id(value: str, now: datetime) -> str:
    digits = value.replace("-", "").lower()
    if not SHORTENED_ID <= len(digits) <= 32 or not set(digits) <= set("0123456789abcdef"):
        raise ValueError(f"“under:” wants at least {SHORTENED_ID} digits of a session's id, not “{value}”.")
    return digits


def _moment(word: str) -> Callable[[str, datetime], datetime]:
    def read(value: str, now: datetime) -> datetime:
        try:
            return _moment_of(value.lower(), now)
        except (ValueError, OverflowError):
            said = f"“{word}:” wants a day such as 2026-11-20, or an age such as 30d, not “{value}”."
            raise ValueError(said) from None

    return read


def _moment_of(value: str, now: datetime) -> datetime:
    """The beginning of a year, month or day, a moment, or so long before now; days begin as in the zone of `now`."""
    if value in ("today", "yesterday"):
        return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=value == "yesterday")
    if ago := _AGO.fullmatch(value):
        return now - timedelta(hours=int(ago[1]) * _HOURS[ago[2]])
    if date := _DATE.fullmatch(value):
        year, month, day = (int(part or 1) for part in date.groups())
        moment = datetime(year, month, day, tzinfo=now.tzinfo)
    else:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)
    return moment.astimezone(UTC)


def _number(word: str, units: dict[str, int], example: str) -> Callable[[str, datetime], tuple[Sign, int]]:
    def read(value: str, now: datetime) -> tuple[Sign, int]:
        match = _NUMBER.fullmatch(value.lower())
        number = float(match["number"]) * units.get(match["unit"], -1) if match else -1
        if match is None or not 0 <= number <= _LARGEST or number != int(number):
            raise ValueError(f"“{word}:” wants a number such as {word}:{example}, not “{value}”.")
        return match["sign"] or "=", int(number)  # type: ignore[return-value]  # one of the signs of _NUMBER

    return read


_READERS: dict[str, Callable[[str, datetime], Any]] = {
    "project": _name("project", "forklore"),
    "agent": _name("agent", "codex"),
    "role": _one_of("role", get_args(Role)),
    "is": _one_of("is", get_args(State)),
    "has": _one_of("has", ("forks",)),
    "under": _id,
    "before": _moment("before"),
    "after": _moment("after"),
    "turns": _number("turns", {"": 1}, ">10"),
    "size": _number("size", _UNITS, ">1mb"),
    "tag": _name("tag", "keep"),
}
