"""The grammar of queries: what is a word, what is text, and what is said of a word that means nothing."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.errors import InvalidQuery
from sessions_app.grammar import Query, parse, quoted

NOW = datetime(2026, 11, 23, 15, 30, tzinfo=UTC)


def understood(source: str) -> list[tuple]:
    return [(each.name, each.value) for each in parse(source, NOW).conditions]


class Words:
    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("project:forklore", ("project", "forklore")),
            ('project:"my project"', ("project", "my project")),
            ("PROJECT:Forklore", ("project", "Forklore")),
            ("agent:codex", ("agent", "codex")),
            ("role:Assistant", ("role", "assistant")),
            ("is:pinned", ("is", "pinned")),
            ("has:forks", ("has", "forks")),
            ("under:3F2A-", ("under", "3f2a")),
            ("tag:keep", ("tag", "keep")),
            ("turns:10", ("turns", ("=", 10))),
            ("turns:<=10", ("turns", ("<=", 10))),
            ("size:>1mb", ("size", (">", 1_000_000))),
            ("size:<1.5KB", ("size", ("<", 1500))),
            ("before:2026-11-20", ("before", datetime(2026, 11, 20, tzinfo=UTC))),
            ("before:2026-11", ("before", datetime(2026, 11, 1, tzinfo=UTC))),
            ("after:2026", ("after", datetime(2026, 1, 1, tzinfo=UTC))),
            ("after:2026-11-20T10:00+02:00", ("after", datetime(2026, 11, 20, 8, tzinfo=UTC))),
            ("after:7d", ("after", NOW - timedelta(days=7))),
            ("after:36h", ("after", NOW - timedelta(hours=36))),
            ("after:today", ("after", datetime(2026, 11, 23, tzinfo=UTC))),
            ("before:yesterday", ("before", datetime(2026, 11, 22, tzinfo=UTC))),
        ],
    )
    def test_say_what_else_a_hit_must_be(self, source, expected):
        assert understood(source) == [expected]
        assert parse(source).text == ""

    @pytest.mark.parametrize("source", ["tag:a\0b", "project:\ud800", 'agent:"\0"'])
    def test_hold_no_characters_that_no_database_takes(self, source):
        with pytest.raises(InvalidQuery, match="can be written"):
            parse(source).check()

    def test_are_negated_by_a_minus(self):
        (condition,) = parse("-tag:keep").conditions

        assert (condition.name, condition.value, condition.negated) == ("tag", "keep", True)

    def test_know_where_they_stand(self):
        query = parse("copy role:user on write")

        (condition,) = query.conditions
        assert query.source[condition.start : condition.stop] == "role:user"
        assert query.without(condition) == "copy on write"

    def test_begin_days_in_the_zone_of_the_reader(self):
        in_india = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))

        (condition,) = parse("before:2026-11-20", in_india).conditions

        assert condition.value == datetime(2026, 11, 19, 18, 30, tzinfo=UTC)

    @pytest.mark.parametrize("value", ["forklore", "my project", "/home/ann/x y"])
    def test_are_written_as_they_are_read(self, value):
        assert understood(quoted("project", value)) == [("project", value)]


class Text:
    @pytest.mark.parametrize(
        "source",
        [
            "copy on write",
            "  two  blanks ",
            "std::string",
            "https://example.com/a:b",
            "site:example.com",
            "page:3",
            '"role": "user"',
            "note: is: that",
            "x=project:forklore",
            "100% _ \\ * '",
            "-v",
        ],
    )
    def test_is_what_is_no_word(self, source):
        assert parse(source) == Query(source, source)

    def test_stays_as_typed_around_a_word(self):
        assert parse("role:user  def f(x):\n  pass").text == "def f(x):\n  pass"
        assert parse("a  b role:user  c  d").text == "a  b c  d"
        assert parse("a  b role:user").text == "a  b"

    def test_holds_a_word_behind_a_backslash(self):
        query = parse(r"\role:user and \bfore:x role:tool")

        assert query.text == "role:user and bfore:x"
        assert understood(query.source) == [("role", "tool")]
        assert not query.problems

    @given(st.text(max_size=60))
    def test_is_everything_where_there_is_no_colon(self, source):
        source = source.replace(":", "")

        assert parse(source) == Query(source, source)


class Problems:
    @pytest.mark.parametrize(
        ("source", "sentence"),
        [
            ("role:", "“role:” is one of user, assistant, thinking, tool, image, notice."),
            ("role:bot", "“role:” is one of user, assistant, thinking, tool, image, notice, not “bot”."),
            ("project:", "“project:” wants a name, such as project:forklore."),
            ("under:xyzt", "“under:” wants at least 4 digits of a session's id, not “xyzt”."),
            ("under:3f-2", "“under:” wants at least 4 digits of a session's id, not “3f-2”."),
            ("turns:many", "“turns:” wants a number such as turns:>10, not “many”."),
            ("turns:1.5", "“turns:” wants a number such as turns:>10, not “1.5”."),
            ("turns:>1kb", "“turns:” wants a number such as turns:>10, not “>1kb”."),
            ("size:1000000tb", "“size:” wants a number such as size:>1mb, not “1000000tb”."),
            ("before:2026-13", "“before:” wants a day such as 2026-11-20, or an age such as 30d, not “2026-13”."),
            ("after:99999y", "“after:” wants a day such as 2026-11-20, or an age such as 30d, not “99999y”."),
        ],
    )
    def test_say_in_a_sentence_what_a_word_wants(self, source, sentence):
        query = parse(f"x {source}", NOW)

        (problem,) = query.problems
        assert problem.sentence == f"{sentence} It is left out."
        assert query.source[problem.start : problem.stop] == source
        assert (query.text, query.conditions) == ("x", ())

    @pytest.mark.parametrize(
        ("source", "repaired"),
        [
            ("bfore:2026-11-20", "before:2026-11-20"),
            ("projcet:x", "project:x"),
            ("-agents:codex", "-agent:codex"),
            ("rloe:user", "role:user"),
            ("aftr:7d", "after:7d"),
        ],
    )
    def test_offer_the_word_that_was_meant(self, source, repaired):
        query = parse(f"copy {source} write")

        (problem,) = query.problems
        assert query.with_repaired(problem) == f"copy {repaired} write"
        assert parse(query.with_escaped(problem)).text == f"copy {source} write"
        assert query.text == "copy write"

    def test_are_an_error_for_a_program(self):
        with pytest.raises(InvalidQuery, match="bfore") as error:
            parse("x bfore:2026 role:bot").check()

        assert (error.value.start, error.value.stop) == (2, 12)

    @given(st.lists(st.sampled_from(["role:", "before:", "size:>", "-", '"', "\\", " ", "x", "9", "tag:", "é", "\n"])))
    def test_never_raise_or_lose_text(self, parts):
        source = "".join(parts)

        query = parse(source, NOW)

        spans = sorted((each.start, each.stop) for each in (*query.conditions, *query.problems))
        left = "".join(
            source[before:after]
            for before, after in zip([0, *(b for _, b in spans)], [*(a for a, _ in spans), len(source)], strict=True)
        )
        assert "".join(query.text.split()) == "".join(_unescaped(left).split())


def _unescaped(text: str) -> str:
    """What a backslash before a word leaves. Before a blank a colon ends no word, and the backslash is text, too."""
    return re.sub(r"(?<!\S)\\(?=-?(?:role|before|size|tag):(?:\S|\Z))", "", text)
