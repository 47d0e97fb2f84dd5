"""Random programs against a simple model in memory: whatever is called in whatever order, through each door, both agree.

HYPOTHESIS_PROFILE=long runs many more and longer programs.
"""

import itertools
import os
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from sessions_app import bodies, figures, packing, store
from sessions_app.errors import InvalidLineage, SessionNotFound, VersionConflict
from sessions_app.records import SessionRecord

from . import storage

WORDS = [
    *("needle", "Needle", "hay", "a", "ab", "The fox", " ", "  ", "\n", "\t", "100%", "_", "\\", '"', "*", "'"),
    *("straße", "STRASSE", "ß", "ẞ", "ss", "s", "İ", "i", "ı", "ſ", "ﬁ", "Σ", "ς", "ΐ"),
    *("é", "e\u0301", "É", "e", "\u0301", "한", "\u1112\u1161\u11ab", "\u1112\u1161", "K"),
    *("你好", "世界", "好世", "ひ", "😀", "👩‍👩‍👧", "\u200d"),
    *("\0", "\ud800", "\ud83d", "\ude00", "\x1b[31m", "\u202e"),
]
DEEP: Any = "deep"
for _ in range(198):
    DEEP = [DEEP]
EXTRAS = [
    2**70,
    -(2**63) - 1,
    -0.0,
    1e308,
    "\ud83d\ude00",
    "😀",
    [1, 1.0, True, None],
    {"b": 1, "a": {}},
    DEEP,
    {"": []},
]

texts = st.lists(st.sampled_from(WORDS), max_size=6).map("".join)
plain = st.builds(lambda role, text: {"role": role, "content": text}, st.sampled_from(["user", "assistant"]), texts)
# Under an id's key, so that what search finds is told by the content alone.
unusual = st.builds(lambda message, extra: {**message, "id": extra}, plain, st.sampled_from(EXTRAS))
messages = st.one_of(plain, plain, plain, unusual)
lists = st.lists(messages, max_size=4)
projects = st.sampled_from(["one", "two", "Ⅲ"])
choices = st.integers(0, 999)  # which of the sessions that there are
turns = st.integers(0, 9)


def fold(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def derived(contents: list[Any]) -> str | None:
    """The title that the SPEC derives; None where a character in it is not fit to be shown as it is."""
    for message in contents:
        words = message["content"].split()
        if message["role"] == "user" and words:
            title = " ".join(words)
            if any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in title):
                return None
            return title if len(title) <= 60 else title[:60] + "…"
    return "new session"


@dataclass
class Kept:
    """A session as the model has it; a message is kept with a number that says which it is, also in forks."""

    record: SessionRecord
    numbers: list[int]
    trashed: bool = False

    @property
    def id(self) -> UUID:
        return self.record.id


@dataclass
class Model:
    kept: dict[UUID, Kept] = field(default_factory=dict)
    counter: Any = field(default_factory=itertools.count)

    def live(self) -> list[Kept]:
        """Most recently updated first, ties by id."""
        live = sorted((kept for kept in self.kept.values() if not kept.trashed), key=lambda kept: kept.id)
        return sorted(live, key=lambda kept: kept.record.updated_at, reverse=True)

    def trashed(self) -> list[Kept]:
        return [kept for kept in self.kept.values() if kept.trashed]

    def numbered(self, shared: list[int], count: int) -> list[int]:
        return [*shared, *itertools.islice(self.counter, count - len(shared))]


def packed_anyway(body: str) -> str | None:
    return None if body.startswith("z") else bodies.packed(body.encode())


def common_prefix(one: list[Any], other: list[Any]) -> int:
    pairs = itertools.takewhile(lambda pair: repr(pair[0]) == repr(pair[1]), zip(one, other, strict=False))
    return len(list(pairs))


class Programs(RuleBasedStateMachine):
    def __init__(self, store: Any, clock: Any):
        super().__init__()
        storage.empty()
        clock.step = timedelta(seconds=1)
        self.store, self.clock, self.model = store, clock, Model()

    def pick(self, choice: int, among: list[Kept] | None = None) -> Kept:
        among = self.model.live() if among is None else among
        return among[choice % len(among)]

    def has_live(self) -> bool:
        return bool(self.model.live())

    def has_trashed(self) -> bool:
        return bool(self.model.trashed())

    def written(self, kept: Kept, contents: list[Any], shared: int, turns: int) -> None:
        """What a write of messages does to the model; the time is the store's to say, within what is promised."""
        before = kept.record
        found = self.store.get(before.id)
        assert found.updated_at > before.updated_at
        assert found.updated_at == self.clock.moment or self.clock.moment <= before.updated_at
        kept.numbers = self.model.numbered(kept.numbers[:shared], len(contents))
        kept.record = replace(
            before,
            messages=contents,
            message_count=len(contents),
            turns=turns,
            version=before.version + 1,
            updated_at=found.updated_at,
            title=self.title_of(found, contents) if before.title_source == "derived" else before.title,
        )
        self.agrees(kept)

    def title_of(self, found: SessionRecord, contents: list[Any]) -> str:
        expected = derived(contents)
        if expected is None:
            assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in found.title)
            return found.title
        return expected

    def agrees(self, kept: Kept) -> None:
        # repr tells what == does not: types, the sign of zero, the order of keys.
        assert repr(self.store.get(kept.id)) == repr(kept.record)
        assert repr(self.store.get(kept.id).messages) == repr(kept.record.messages)

    def added(self, record: SessionRecord, contents: list[Any], numbers: list[int], **expected: Any) -> None:
        assert record.id not in self.model.kept
        found = self.store.get(record.id)
        assert found.created_at == found.updated_at == self.clock.moment
        defaults = {"parent_id": None, "relation": None, "fork_point": None, "title_source": "derived", "version": 1}
        wanted = replace(
            found,
            messages=contents,
            message_count=len(contents),
            title=self.title_of(found, contents),
            **{**defaults, **expected},
        )
        self.model.kept[record.id] = Kept(wanted, numbers)
        self.agrees(self.model.kept[record.id])

    # Writing

    @rule(project=projects, contents=lists)
    def create(self, project, contents):
        record = self.store.create(project, contents)
        self.added(record, contents, self.model.numbered([], len(contents)), project=project, turns=0)

    @precondition(has_live)
    @rule(choice=choices, project=projects, cut=choices, more=lists, turns=turns)
    def fork(self, choice, project, cut, more, turns):
        parent = self.pick(choice)
        old = parent.record.messages
        contents = [*old[: cut % (len(old) + 1)], *more]
        shared = common_prefix(old, contents)
        record = self.store.fork(project, parent.id, contents, turns)
        self.added(
            record,
            contents,
            self.model.numbered(parent.numbers[:shared], len(contents)),
            project=project,
            parent_id=parent.id,
            relation="fork",
            fork_point=shared,
            turns=turns,
        )

    @precondition(has_live)
    @rule(choice=choices, position=choices, project=st.none() | projects)
    def fork_at(self, choice, position, project):
        parent = self.pick(choice)
        position %= parent.record.message_count + 2
        if position > parent.record.message_count:
            with pytest.raises(InvalidLineage):
                self.store.fork_at(parent.id, position, project)
            return
        record = self.store.fork_at(parent.id, position, project)
        self.added(
            record,
            parent.record.messages[:position],
            parent.numbers[:position],
            project=project or parent.record.project,
            parent_id=parent.id,
            relation="fork",
            fork_point=position,
        )

    def update(self, kept: Kept, contents: list[Any], turns: int, expected: int | None = None) -> None:
        shared = common_prefix(kept.record.messages, contents)
        if expected not in (None, kept.record.version):
            with pytest.raises(VersionConflict):
                self.store.update(kept.id, contents, turns, expected_version=expected)
            self.agrees(kept)
            return
        self.store.update(kept.id, contents, turns, expected_version=expected)
        self.written(kept, contents, shared, turns)

    @precondition(has_live)
    @rule(choice=choices, back=st.booleans())
    def pack(self, choice, back):
        """Nothing of it shows, whatever is done to the session then; here short bodies are packed, too."""
        id = self.pick(choice).id
        packing.unpack(id) if back else packing._change(id, packed_anyway)

    @precondition(has_live)
    @rule(choice=choices, more=lists, turns=turns, off=st.sampled_from([None, 0, 0, 1, -1]))
    def update_with_more(self, choice, more, turns, off):
        kept = self.pick(choice)
        expected = None if off is None else kept.record.version + off
        self.update(kept, [*kept.record.messages, *more], turns, expected)

    @precondition(has_live)
    @rule(choice=choices, cut=choices, turns=turns)
    def update_with_less(self, choice, cut, turns):
        kept = self.pick(choice)
        old = kept.record.messages
        self.update(kept, old[: cut % (len(old) + 1)], turns)

    @precondition(has_live)
    @rule(choice=choices, at=choices, message=messages, drop=st.integers(0, 2), turns=turns)
    def update_in_the_middle(self, choice, at, message, drop, turns):
        kept = self.pick(choice)
        old = kept.record.messages
        at %= len(old) + 1
        self.update(kept, [*old[:at], message, *old[at + drop :]], turns)

    @precondition(has_live)
    @rule(choice=choices, more=lists, turns=st.none() | turns, expecting=st.booleans())
    def append(self, choice, more, turns, expecting):
        kept = self.pick(choice)
        old = kept.record
        self.store.append(kept.id, more, turns, expected_version=old.version if expecting else None)
        self.written(kept, [*old.messages, *more], old.message_count, old.turns if turns is None else turns)

    @precondition(has_live)
    @rule(choice=choices, title=st.sampled_from(["Mine", " Straße ", "你好世界", "NEEDLE", "e\u0301 100%"]))
    def rename(self, choice, title):
        kept = self.pick(choice)
        self.store.rename(kept.id, title)
        kept.record = replace(kept.record, title=title.strip(), title_source="user")
        self.agrees(kept)

    @precondition(has_live)
    @rule(choice=choices)
    def delete(self, choice):
        kept = self.pick(choice)
        self.store.delete(kept.id)
        kept.trashed = True

    @precondition(has_trashed)
    @rule(choice=choices)
    def restore(self, choice):
        kept = self.pick(choice, self.model.trashed())
        self.store.restore(kept.id)
        kept.trashed = False
        self.agrees(kept)

    @precondition(has_trashed)
    @rule(choice=choices)
    def purge(self, choice):
        gone = self.pick(choice, self.model.trashed())
        self.store.purge(gone.id)
        del self.model.kept[gone.id]
        parent = gone.record.parent_id
        for child in self.model.kept.values():
            if child.record.parent_id == gone.id:
                point = None if parent is None else min(child.record.fork_point, gone.record.fork_point)
                relation = None if parent is None else child.record.relation
                child.record = replace(child.record, parent_id=parent, relation=relation, fork_point=point)
        for kept in self.model.live():
            self.agrees(kept)

    @rule(choice=choices, more=lists)
    def what_is_missing_is_refused(self, choice, more):
        missing = self.pick(choice, self.model.trashed()).id if self.has_trashed() else UUID(int=choice, version=4)
        assert self.store.get(missing) is None
        for call in (
            lambda: self.store.update(missing, more, 1),
            lambda: self.store.append(missing, more),
            lambda: self.store.fork("one", missing, more, 1),
            lambda: self.store.fork_at(missing, 0),
            lambda: self.store.rename(missing, "Mine"),
            lambda: self.store.delete(missing),
            lambda: self.store.get_messages(missing),
        ):
            with pytest.raises(SessionNotFound):
                call()

    @rule(step=st.sampled_from([1, 1, 0, 1e-6, -1, 1e6]))
    def set_the_clock(self, step):
        """Ticking, standing still, jumping, running backwards."""
        self.clock.step = timedelta(seconds=max(step, 0))
        if step < 0:
            self.clock.turn_back(timedelta(hours=1))

    # Reading

    @rule(project=projects, limit=st.integers(0, 6))
    def list_by_project(self, project, limit):
        expected = [kept.record for kept in self.model.live() if kept.record.project == project]
        assert repr(self.store.list_by_project(project, limit)) == repr(expected[:limit])
        assert self.store.latest(project) == next(iter(expected), None)
        found = self.store.list_by_project(project, limit, with_messages=False)
        assert found == [replace(record, messages=[]) for record in expected[:limit]]

    @rule(choice=choices, length=st.integers(0, 36), upper=st.booleans(), limit=st.integers(0, 9))
    def find_by_id_prefix(self, choice, length, upper, limit):
        id = str(self.pick(choice).id if self.has_live() else UUID(int=choice, version=4))
        digits = id[:length].replace("-", "")
        expected = [kept.record for kept in self.model.live() if kept.id.hex.startswith(digits)]
        found = self.store.find_by_id_prefix(id[:length].upper() if upper else id[:length], limit, with_messages=False)
        assert found == [replace(record, messages=[]) for record in expected[:limit]]

    @precondition(has_live)
    @rule(choice=choices, start=st.integers(0, 12), stop=st.none() | st.integers(0, 12))
    def get_messages(self, choice, start, stop):
        kept = self.pick(choice)
        assert repr(self.store.get_messages(kept.id, start, stop)) == repr(kept.record.messages[start:stop])

    @rule(query=st.sampled_from([*WORDS, "absent", "needleneedle", "content", "%%", "\\0"]) | texts.filter(bool))
    def search_for_words(self, query):
        self.search(query, 99)

    @precondition(has_live)
    @rule(
        choice=choices, at=choices, start=choices, length=st.integers(1, 9), swap=st.booleans(), limit=st.integers(0, 3)
    )
    def search_for_what_stands_there(self, choice, at, start, length, swap, limit):
        record = self.pick(choice).record
        contents = [record.title, *(message["content"] for message in record.messages)]
        text = contents[at % len(contents)] or "x"
        query = text[start % len(text) :][:length]
        self.search(query.swapcase() if swap else query, limit)

    def search(self, query: str, limit: int) -> None:
        expected = [hit for kept in self.model.live() if (hit := self.hit(kept, fold(query)))]
        hits = self.store.search(query, limit)
        assert [(hit.id, hit.position, hit.shared_with) for hit in hits] == expected[:limit]
        for hit in hits:
            record = self.model.kept[hit.id].record
            expected_rest = (record.project, record.title, record.updated_at, record.turns)
            assert (hit.project, hit.title, hit.updated_at, hit.turns) == expected_rest
            if hit.position is not None:
                self.check_snippet(hit.snippet, record.messages[hit.position]["content"], query)

    def hit(self, kept: Kept, query: str) -> tuple[UUID, int | None, int] | None:
        for position, message in enumerate(kept.record.messages):
            if query in fold(message["content"]):
                number = kept.numbers[position]
                return kept.id, position, sum(number in other.numbers for other in self.model.live()) - 1
        return (kept.id, None, 0) if query in fold(kept.record.title) else None

    def check_snippet(self, snippet: str, text: str, query: str) -> None:
        shown, whole, wanted = (part.replace("\n", " ").replace("\r", " ") for part in (snippet, text, query))
        inner = shown.removeprefix("…").removesuffix("…")
        assert inner in whole
        assert len(inner) <= 130
        if len(wanted) < 60:
            assert fold(wanted) in fold(inner)

    # Behind the store

    @invariant()
    def every_message_is_stored_once_and_none_in_vain(self):
        numbers = {number for kept in self.model.kept.values() for number in kept.numbers}
        storage.purge_revisions(store)
        assert storage.message_rows() == len(numbers)

    @invariant()
    def what_lists_tell_of_the_projects_is_so(self):
        assert figures.by_project() == storage.figures()

    @rule()
    def storage_holds_together(self):
        storage.check()


def test_random_programs_do_what_the_model_does(the_store, clock, door):
    profile = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))
    if door == "http":  # where a call takes ten times as long
        profile = settings(profile, max_examples=max(6, profile.max_examples // 4))
    run_state_machine_as_test(lambda: Programs(the_store, clock), settings=profile)
