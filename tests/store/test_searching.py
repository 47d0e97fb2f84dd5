"""search: every live session whose title or any message's text contains the query, and no other."""

import unicodedata

import pytest

from sessions_app.errors import InvalidQuery
from sessions_app.records import SearchHit
from tests.builders import a_message, a_session

from .storage import SYNC_DOOR

TEXTS = [
    "The quick brown fox jumps over the lazy dog",
    "straße und STRASSE, Maße, ẞ",
    "caf\u00e9 cre\u0300me \u00c9CLAIR",
    "cafe\u0301 cr\u00e8me e\u0301clair",
    "İstanbul ıIiİ",
    "ſoft ﬁﬂﬀ Ångström Å K",
    "你好世界，修正搜索错误",
    "日本語のテキスト ひらがな",
    "한국어 \u1112\u1161\u11ab 한",
    "100% of a_b \\ \"quoted\" 'single' * ? ( ) [ ] ^ $ NEAR OR AND -x",
    "50 percent of axb",
    "first line\nsecond line\r\nthird\tline",
    "nul \0 inside",
    "lone \ud800 surrogate \udc00",
    "👩‍👩‍👧 🏳️‍🌈 😀",
    "ΣΊΣΥΦΟΣ σίσυφος",
    "ß",
    "s",
    "ΐ \u0390 \u03b9\u0308\u0301 ᾳ ᾼ",
    "repeat repeat repeat",
]
QUERIES = [
    "the", "THE", "quick brown", "e q", "x", "X", "ss", "SS", "ß", "ẞ", "straße", "STRASSE", "strasse", "ase", "aße",
    "é", "e\u0301", "É", "\u0301", "e", "éclair", "ÉCLAIR", "eclair", "crème", "i", "I", "İ", "ı", "i\u0307", "istanbul",
    "İSTANBUL", "soft", "SOFT", "ſ", "fi", "ﬁ", "FF", "ångström", "Å", "k", "你", "世界", "搜索", "错", "日本語", "ひ", "한", "ㅎ",
    "\u1112\u1161", "\u1112\u1161\u11ab", "국어", "%", "_", "a_b", "a%b", "100%", "\\", '"', '"quoted"', "'", "*", "?", "(",
    "[", "^", "$", "OR", "NEAR", "-x", "line\nsecond", "line\r\nthird", "\n", "\t", "line second", " ", "\0", "nul \0 in",
    "\ud800", "\udc00", "\ud83d", "\ude00", "😀", "👩", "\u200d", "Σ", "ς", "σίσυφος", "ΐ", "ι\u0308\u0301", "ᾳ", "αι",
    "repeat repeat", "repeat repeat repeat repeat", "absent", "zzz", "role", "content", "user", "{", "\\u0000", "\\n",
]  # fmt: skip


def fold(text):
    return unicodedata.normalize("NFC", text).casefold()


class Searching:
    @SYNC_DOOR
    def test_finds_what_contains_the_query_after_folding_and_nothing_else(self, the_store, clock):
        session_of = {the_store.create("demo", [a_message(text)]).id: text for text in TEXTS}
        titles = {session.id: session.title for session in the_store.list_by_project("demo", 99)}
        for query in QUERIES:
            expected = [
                (id, 0 if fold(query) in fold(text) else None)
                for id, text in reversed(session_of.items())
                if fold(query) in fold(text) or fold(query) in fold(titles[id])
            ]
            found = [(hit.id, hit.position) for hit in the_store.search(query, 99)]
            assert found == expected, query

    def test_tells_all_about_a_hit(self, the_store, clock):
        session = a_session(the_store, "hello", "a needle", "another needle")
        the_store.update(session.id, session.messages, 5)
        session = the_store.get(session.id)
        expected = SearchHit(session.id, "demo", "hello", session.updated_at, 5, "a needle", 1, 0, "assistant")
        assert the_store.search("needle", 9) == [expected]

    def test_gives_one_hit_a_session_most_recently_updated_first(self, the_store, clock):
        made = [a_session(the_store, "needle", "needle", project=str(number)) for number in range(4)]
        the_store.append(made[1].id, [a_message("needle")])
        the_store.rename(made[0].id, "needle")
        assert [hit.id for hit in the_store.search("needle", 9)] == [made[number].id for number in (1, 3, 2, 0)]

    def test_puts_ties_in_the_order_of_ids(self, the_store, clock):
        clock.stop_at(clock.moment)
        made = [a_session(the_store, "needle").id for _ in range(8)]
        assert [hit.id for hit in the_store.search("needle", 9)] == sorted(made)

    def test_gives_no_more_than_the_limit(self, the_store, clock):
        made = [a_session(the_store, "needle").id for _ in range(4)]
        assert [hit.id for hit in the_store.search("needle", 3)] == made[:0:-1]
        assert the_store.search("needle", 0) == []

    def test_refuses_an_empty_query_and_a_negative_limit(self, the_store):
        with pytest.raises(InvalidQuery):
            the_store.search("", 9)
        with pytest.raises(ValueError, match="limit"):
            the_store.search("needle", -1)

    def test_finds_a_title_whatever_the_messages_say(self, the_store):
        session = a_session(the_store, "what was typed", "answer")
        the_store.rename(session.id, "Größe")
        (hit,) = the_store.search("GRÖSSE", 9)
        assert (hit.id, hit.position, hit.title, hit.snippet) == (session.id, None, "Größe", "what was typed")

    def test_forgets_a_title_and_messages_that_are_gone(self, the_store):
        session = a_session(the_store, "needle one", "needle two")
        the_store.update(session.id, [a_message("hay")], 1)
        assert the_store.search("needle", 9) == []
        the_store.rename(session.id, "needle")
        the_store.rename(session.id, "hay")
        assert the_store.search("needle", 9) == []

    def test_finds_each_fork_that_shows_the_message(self, the_store, clock):
        parent = a_session(the_store, "hay", "needle", "more")
        before, behind = the_store.fork_at(parent.id, 1), the_store.fork_at(parent.id, 3)
        the_store.update(parent.id, parent.messages[:1], 0)
        assert [hit.id for hit in the_store.search("needle", 9)] == [behind.id]
        the_store.append(before.id, [a_message("needle of its own")])
        assert [(hit.id, hit.position) for hit in the_store.search("needle", 9)] == [(before.id, 1), (behind.id, 1)]

    def test_finds_a_message_far_behind(self, the_store):
        session = a_session(the_store, *["hay"] * 700, "needle", *["hay"] * 20)
        (hit,) = the_store.search("needle", 9)
        assert (hit.id, hit.position) == (session.id, 700)

    @SYNC_DOOR
    def test_finds_what_stands_far_behind_in_a_text(self, the_store):
        session = a_session(the_store, "hay " * 50_000 + "Straße")
        (hit,) = the_store.search("STRASSE", 9)
        assert hit.id == session.id


class SharedWith:
    def test_counts_the_other_live_sessions_that_hold_that_very_message(self, the_store, clock):
        parent = a_session(the_store, "needle", "second")
        forks = [the_store.fork_at(parent.id, position) for position in (1, 2, 0)]
        a_session(the_store, "needle")
        found = {hit.id: hit.shared_with for hit in the_store.search("needle", 9)}
        assert [found[id] for id in (parent.id, forks[0].id, forks[1].id)] == [2, 2, 2]
        assert forks[2].id not in found
        the_store.delete(forks[0].id)
        assert the_store.search("second", 9)[0].shared_with == 1
        assert {hit.id: hit.shared_with for hit in the_store.search("needle", 9)}[parent.id] == 1


class WhatIsSearched:
    @pytest.mark.parametrize(
        "message",
        [
            {"role": "user", "content": [{"type": "text", "text": "a needle"}]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "a needle", "signature": "c2ln"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Bash", "input": {"a": {"b": ["a needle"]}}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "a needle"}]},
            {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "a needle"}]}]},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "name": "run", "args": {"cmd": "a needle"}}]},
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "run", "arguments": '{"cmd": "a needle"}'}}]},
            {"type": "function_call", "name": "run", "arguments": '{"cmd": "a \\u006eeedle"}', "call_id": "c"},
            {"type": "function_call_output", "call_id": "c", "output": "a needle"},
            {"role": "tool", "content": "a needle", "tool_call_id": "c"},
            {"strange": {"deep": [1, {"er": "a needle"}]}},
            {"role": "user", "content": "hay", "unknown": ["a needle"]},
        ],
    )  # fmt: skip
    def test_are_the_texts_of_every_shape_of_message(self, the_store, message):
        session = the_store.create("demo", [a_message("hay"), message])
        (hit,) = the_store.search("A NEEDLE", 9)
        assert (hit.id, hit.position) == (session.id, 1)
        assert "a needle" in hit.snippet

    @pytest.mark.parametrize(
        "message",
        [
            {"needle": 1},
            {"role": "user", "content": "hay", "needle": "hay"},
            {"role": "user", "content": [{"type": "text", "text": "hay", "needle": {"needle": 2}}]},
            {"id": "needle", "role": "user", "content": "hay"},
            {"role": "assistant", "tool_calls": [{"id": "needle", "name": "run", "args": {"needle": 1}}]},
            {"role": "tool", "content": "hay", "tool_call_id": "needle"},
            {
                "role": "user",
                "attachments": [{"type": "image", "media_type": "image/png", "data": "needle" + "A1b2" * 20}],
            },
            {"role": "user", "content": "nee", "more": "dle"},
        ],
    )
    def test_are_no_keys_no_ids_and_no_binary_data(self, the_store, message):
        the_store.create("demo", [a_message("hay"), message])
        assert the_store.search("needle", 9) == []

    def test_is_no_json(self, the_store):
        the_store.create("demo", [a_message('line one\nline "two"\\'), {"n": 12345, "b": True}])
        for query in ("\\n", "\\\\", '\\"', "12345", "true", "role", "user", "content", '":', "{", "\\u"):
            assert the_store.search(query, 9) == [], query
        assert len(the_store.search('one\nline "two"\\', 9)) == 1


def by_hand(text, start):
    """The 120 characters around a match that starts there."""
    first = max(0, start - 30)
    cut = text[first : first + 120].replace("\n", " ").replace("\r", " ")
    return f"{'…' if first else ''}{cut}{'…' if first + 120 < len(text) else ''}"


class Snippets:
    @pytest.mark.parametrize("before", [0, 1, 29, 30, 31, 500])
    @pytest.mark.parametrize("after", [0, 1, 80, 500])
    def test_start_up_to_30_characters_before_the_match(self, the_store, before, after):
        text = "b" * before + "needle" + "a" * after
        a_session(the_store, text)
        (hit,) = the_store.search("NEEDLE", 9)
        assert hit.snippet == by_hand(text, before)

    @pytest.mark.parametrize(
        ("text", "query", "start"),
        [
            ("Die Straße ist lang. " + "ß" * 200 + " Ende", "STRASSE IST", 4),
            ("ß" * 200 + "needle" + "ﬁ" * 200, "needle", 200),
            ("e\u0301" * 100 + "needle" + "x" * 200, "needle", 200),
            ("İ" * 100 + "needle", "NEEDLE", 100),
            ("x" * 100 + "cafe\u0301!", "CAF\u00c9", 100),
            ("👩‍👩‍👧" * 40 + "needle", "needle", 200),
            ("x" * 50 + "groß", "os", 52),
            ("needle and needle " * 20, "needle", 0),
            ("你" * 100 + "世界" + "好" * 100, "世界", 100),
        ],
    )
    def test_are_cut_from_the_original_text(self, the_store, text, query, start):
        a_session(the_store, "hay", text)
        (hit,) = the_store.search(query, 9)
        assert hit.snippet == by_hand(text, start)

    def test_show_new_lines_as_spaces(self, the_store):
        a_session(the_store, "hay", "one\ntwo\r\nneedle\n\nthree")
        (hit,) = the_store.search("needle", 9)
        assert hit.snippet.split() == ["one", "two", "needle", "three"]
        assert not {"\n", "\r"} & set(hit.snippet)

    def test_of_a_long_query_begin_with_it(self, the_store):
        text = "x" * 100 + "needle " * 60 + "y" * 100
        a_session(the_store, text)
        (hit,) = the_store.search("NEEDLE " * 60, 9)
        assert hit.snippet.startswith("…" + "x" * 30 + "needle needle")

    def test_of_a_title_are_the_first_text_of_a_user(self, the_store):
        session = the_store.create("demo", [a_message("I help", "assistant"), a_message(" "), a_message("x\n" * 100)])
        the_store.rename(session.id, "needle")
        (hit,) = the_store.search("needle", 9)
        assert hit.snippet == by_hand("x\n" * 100, 0)

    def test_of_a_title_are_empty_where_nobody_typed(self, the_store):
        the_store.create("demo", [a_message("I help", "assistant")])
        (hit,) = the_store.search("new session", 9)
        assert (hit.position, hit.snippet) == (None, "")


@SYNC_DOOR
class ManySessions:
    def test_are_found_in_order_beyond_one_batch(self, the_store, clock):
        made = [
            the_store.create("demo", [a_message("needle" if number % 7 == 0 else "hay")]).id for number in range(450)
        ]
        assert [hit.id for hit in the_store.search("needle", 500)] == made[::7][::-1]
        assert len(the_store.search("hay", 500)) == 450 - len(made[::7])
