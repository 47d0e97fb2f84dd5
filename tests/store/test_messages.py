"""Messages come back deep-equal for ever; what JSON cannot carry is refused, naming the position."""

import enum
from datetime import UTC, datetime
from uuid import UUID

import pytest

from sessions_app.errors import InvalidMessage, MessageTooLarge, StoreError
from sessions_site import settings as site_settings
from tests.builders import a_message, a_session, texts

from .storage import SYNC_DOOR

PAIR = "\ud83d\ude00"  # two characters, a high surrogate and a low one, that UTF-16 reads as one
EMOJI = "\U0001f600"


def of_depth(depth, brackets):
    """An object of that many levels, itself counted."""
    value = [] if brackets == "arrays" else {}
    for _ in range(depth - 2):
        value = [value] if brackets == "arrays" else {"in": value}
    return {"in": value}


VALUES = {
    "NUL": "a\0b",
    "lone high surrogate": "a\ud800",
    "lone low surrogate": "\udc00b",
    "surrogates the wrong way round": "\ude00\ud83d",
    "surrogates side by side": PAIR,
    "surrogates side by side and the character": PAIR + EMOJI + PAIR + "\ud83d" + EMOJI,
    "something like a spelled surrogate": ["%ud83d", PAIR + "%ude00", "%25", "%u0025ud83d", "\\ud83d", "~", " "],
    "controls and separators": "".join(map(chr, range(0x20))) + "\x7f\x85\u2028\u2029\ufeff\ufffe\uffff",
    "composed and decomposed": ["é", "e\u0301", "ﬁ", "Å", "Å"],
    "text of many scripts": "Straße İstanbul 你好 שלום नमस्ते 👩‍👩‍👧 🏳️‍🌈",
    "empty": ["", [], {}, [[]], [{}], {"": {"": ""}}],
    "constants": [None, True, False],
    "integers": [0, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64],
    "big integers": [2**70, -(2**70), 10**4000],
    "floats": [0.0, -0.0, 1.0, 0.1, 1e308, -1.7976931348623157e308, 5e-324, 1e16, 1e22, 1e-7, 123456789.123456789],
    "numbers that are equal": [1, 1.0, True, 0, 0.0, -0.0, False],
    "key order": {"b": 1, "a": {"z": 1, "y": 2}, "": 3, "B": 4, "10": 5, "9": 6},
    "strange keys": {"\0": 1, "\ud800": 2, PAIR: 3, EMOJI: 4, "$ref": 5, "__proto__": 6, "%s": 7, 'a"b\\': 8},
    "JSON in a text": '{"role": "user", "content": "\\u0000"}',
    "a long text": "äöü\0" * 50_000,
}


class Messages:
    @pytest.mark.parametrize("name", VALUES)
    def test_come_back_deep_equal(self, the_store, name):
        messages = [{"role": "user", "content": "one", "extra": VALUES[name]}, {"extra": VALUES[name]}]
        session = the_store.create("demo", messages[:1])
        the_store.append(session.id, messages[1:])
        child = the_store.fork("demo", session.id, messages, 0)
        the_store.update(child.id, [*messages, *messages], 0)
        # repr tells what == does not: types, the sign of zero, the order of keys, composed from decomposed.
        assert repr(the_store.get(session.id).messages) == repr(messages)
        assert repr(the_store.get_messages(child.id)) == repr([*messages, *messages])

    @pytest.mark.parametrize("text", [value for value in VALUES.values() if isinstance(value, str)])
    def test_come_back_with_any_text(self, the_store, text):
        session = a_session(the_store, text)
        assert texts(the_store.get(session.id)) == [text]

    def test_may_be_any_object(self, the_store):
        messages = [{}, {"role": 5}, {"content": None}, {"": ""}, {"role": "user", "content": [1, {"type": 3}]}]
        session = the_store.create("demo", messages)
        assert the_store.get(session.id).messages == messages

    def test_are_not_changed_in_the_callers_hands(self, the_store):
        messages = [{"role": "user", "content": PAIR, "extra": [1, {"b": 2, "a": 2**70}]}]
        before = repr(messages)
        session = the_store.create("demo", messages)
        the_store.update(session.id, messages, 1)
        assert repr(messages) == before

    def test_may_be_equal_to_each_other(self, the_store):
        messages = [a_message("same")] * 5
        session = the_store.create("demo", messages)
        the_store.update(session.id, messages[:3], 1)
        the_store.append(session.id, messages[:4])
        assert the_store.get(session.id).messages == [a_message("same")] * 7

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ([1], [1.0]),
            ([1], [True]),
            ([0.0], [-0.0]),
            ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
            ("é", "e\u0301"),
            (EMOJI, PAIR),
            ([2**70, EMOJI], [2**70, PAIR]),
            ([2**70, PAIR], [2**70, EMOJI]),
            (["\ud800", EMOJI], ["\ud800", PAIR]),
            (["\ud800", {EMOJI: 1}], ["\ud800", {PAIR: 1}]),
            (["\ud800", PAIR], ["\ud800", PAIR.replace("\ud83d", "%ud83d")]),
            ("\ud800", "%ud800"),
            ([2**70], [str(2**70)]),
            ([None], ["null"]),
        ],
    )
    def test_that_differ_little_replace_each_other(self, the_store, before, after):
        session = the_store.create("demo", [{"content": before}])
        the_store.update(session.id, [{"content": after}], 1)
        child = the_store.fork("demo", session.id, [{"content": before}], 1)
        assert repr(the_store.get(session.id).messages) == repr([{"content": after}])
        assert repr(the_store.get(child.id).messages) == repr([{"content": before}])


@SYNC_DOOR
class Nesting:
    @pytest.mark.parametrize("brackets", ["arrays", "objects"])
    @pytest.mark.parametrize("innermost", ["x", "\ud800"])
    def test_is_kept_up_to_200_levels(self, the_store, brackets, innermost):
        message = {"deep": of_depth(199, brackets), "x": innermost}
        session = the_store.create("demo", [message])
        assert repr(the_store.get(session.id).messages) == repr([message])

    @pytest.mark.parametrize("brackets", ["arrays", "objects"])
    @pytest.mark.parametrize("depth", [201, 255, 300, 1_100, 5_000, 100_000])
    def test_is_refused_beyond(self, the_store, depth, brackets):
        with pytest.raises(InvalidMessage, match="Message 1 ") as caught:
            the_store.create("demo", [a_message(), {"deep": of_depth(depth - 1, brackets)}])
        assert caught.value.position == 1

    def test_is_not_confused_by_brackets_in_texts(self, the_store):
        message = {"content": "[{" * 500, "list": [[]] * 300}
        session = the_store.create("demo", [message])
        assert the_store.get(session.id).messages == [message]


class Colour(enum.Enum):
    RED = "red"


CYCLE: list = []
CYCLE.append(CYCLE)

REFUSED = {
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": [float("-inf")],
    "tuple": (1, 2),
    "tuple far in": {"a": [{"b": ("x",)}]},
    "empty tuple": [()],
    "number as key": {1: "one"},
    "None as key": {None: 1},
    "True as key": [{True: 1}],
    "set": {1},
    "bytes": b"bytes",
    "5,000 digits": 10**4999,
    "minus 5,000 digits": [-(10**4999)],
    "datetime": datetime(2026, 1, 1, tzinfo=UTC),
    "UUID": UUID(int=1),
    "enumeration": Colour.RED,
    "object": object(),
    "cycle": CYCLE,
}


@SYNC_DOOR
class WhatJsonCannotCarry:
    @pytest.mark.parametrize("name", REFUSED)
    @pytest.mark.parametrize("beside", ["plain", "\ud800", 2**70], ids=["plain", "beside a surrogate", "beside 2^70"])
    def test_is_refused_naming_the_position(self, the_store, name, beside):
        bad = [a_message("one"), a_message("two"), {"beside": beside, "extra": REFUSED[name]}]
        session = a_session(the_store, "one")
        for call in (
            lambda: the_store.create("demo", bad),
            lambda: the_store.fork("demo", session.id, bad, 0),
            lambda: the_store.update(session.id, bad, 0),
            lambda: the_store.append(session.id, bad),
        ):
            with pytest.raises(InvalidMessage, match="Message 2 ") as caught:
                call()
            assert caught.value.position == 2
            assert isinstance(caught.value, StoreError)
        assert the_store.find_by_id_prefix("", 9) == [session]

    @pytest.mark.parametrize("bad", [None, "text", 5, ["role", "user"], [("role", "user")], True])
    def test_is_refused_where_no_object_stands(self, the_store, bad):
        with pytest.raises(InvalidMessage) as caught:
            the_store.create("demo", [a_message(), bad])
        assert caught.value.position == 1

    @pytest.mark.parametrize("beside", ["plain", "\ud800", 2**70], ids=["plain", "beside a surrogate", "beside 2^70"])
    @pytest.mark.parametrize(("stored", "given"), [([None], [float("nan")]), ({"1": "x"}, {1: "x"})])
    def test_is_refused_where_its_like_is_in_the_store_already(self, the_store, stored, given, beside):
        session = the_store.create("demo", [{"beside": beside, "extra": stored}])
        for call in (the_store.update, lambda *arguments: the_store.fork("demo", *arguments)):
            with pytest.raises(InvalidMessage) as caught:
                call(session.id, [{"beside": beside, "extra": given}], 0)
            assert caught.value.position == 0
        assert repr(the_store.get(session.id).messages) == repr([{"beside": beside, "extra": stored}])


class TheSizeLimit:
    def test_is_64_mib_unless_set_otherwise(self):
        assert site_settings.FORKLORE_MESSAGE_LIMIT == 64 * 1024 * 1024

    @pytest.mark.parametrize("text", ["x" * 1200, "é" * 600, "🦀" * 300, "\ud800" * 400, "\0" * 200])
    def test_is_in_bytes_of_json(self, the_store, settings, text):
        settings.FORKLORE_MESSAGE_LIMIT = 1000
        session = a_session(the_store, "x" * 900)
        for call in (
            lambda: the_store.create("demo", [a_message(), a_message(text)]),
            lambda: the_store.update(session.id, [a_message(), a_message(text)], 0),
            lambda: the_store.append(session.id, [a_message(), a_message(text)]),
        ):
            with pytest.raises(MessageTooLarge, match="Message 1 ") as caught:
                call()
            assert caught.value.position == 1
        assert the_store.get(session.id) == session

    def test_is_for_each_message_and_not_for_all(self, the_store, settings):
        settings.FORKLORE_MESSAGE_LIMIT = 1000
        session = a_session(the_store, *["x" * 900] * 20)
        assert the_store.get(session.id).message_count == 20

    @SYNC_DOOR
    def test_leaves_room_for_a_message_of_some_megabytes(self, the_store):
        session = a_session(the_store, "ä" * 2_000_000)
        assert texts(the_store.get(session.id)) == ["ä" * 2_000_000]
