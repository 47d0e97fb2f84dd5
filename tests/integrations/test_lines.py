"""Whatever a line holds, it is kept, and the lines after it are read."""

import base64
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.integrations import lines
from sessions_app.integrations.lines import read_lines
from sessions_app.projection import UNREADABLE


def read(data: bytes, **more):
    return list(read_lines(io.BytesIO(data), 0, len(data), **more))


def reason(raw: bytes) -> str:
    (line,) = read(raw + b"\n")
    assert not line.readable
    return line.messages[0][UNREADABLE]["why"]


def kept(message: dict) -> bytes:
    """The bytes of a line out of what is kept of it."""
    entry = message[UNREADABLE]
    return entry["text"].encode() if "text" in entry else base64.b64decode(entry["base64"])


class ReadableLines:
    def test_are_their_object(self):
        one, two = read('{"a": "é", "n": 1180591620717411303424}\n{"b": "\\ud800\\u0000"}\n'.encode())
        assert one.messages == [{"a": "é", "n": 2**70}]
        assert two.messages == [{"b": "\ud800\0"}]
        assert (one.number, two.number) == (1, 2)
        assert (one.start, one.stop) == (0, two.start)

    def test_may_end_like_windows_and_begin_with_a_byte_order_mark(self):
        assert [line.messages for line in read(b'\xef\xbb\xbf{"a": 1}\r\n{"b": 2}\r\n')] == [[{"a": 1}], [{"b": 2}]]

    def test_may_be_blank_which_is_no_message(self):
        lines = read(b'\n \t\r\n{"a": 1}\n')
        assert [line.messages for line in lines] == [[], [], [{"a": 1}]]
        assert all(line.readable for line in lines)

    def test_nest_200_levels(self):
        (line,) = read(b'{"a":' * 199 + b"{}" + b"}" * 199 + b"\n")
        assert line.readable

    def test_of_many_shallow_brackets_are_not_deep(self):
        (line,) = read(json.dumps({"a": [[]] * 300, "b": "[" * 300}).encode() + b"\n")
        assert line.readable


class UnreadableLines:
    @pytest.mark.parametrize(
        ("raw", "why"),
        [
            (b'{"a"', "The line is no JSON at character 4: Expecting ':' delimiter."),
            (b'{"a": 1} {"b": 2}', "The line is no JSON at character 9: Extra data."),
            (b"[1]", "The line is JSON, but no object."),
            (b"42", "The line is JSON, but no object."),
            (b"null", "The line is JSON, but no object."),
            (b'{"a": 1, "a": 2}', "The line has a key twice in one object."),
            (b'{"a": NaN}', "The line has NaN, which is no JSON."),
            (b'{"a": -Infinity}', "The line has -Infinity, which is no JSON."),
            (b'{"a": 1e999}', "The line has a number that is too large."),
            (b'{"a": ' + b"9" * 5000 + b"}", "The line has an integer of too many digits."),
            (b'{"a":' * 200 + b"{}" + b"}" * 200, "The line nests deeper than 200 levels."),
            (b'{"a":' + b"[" * 100_000, "The line nests deeper than 200 levels."),
            (b'{"a": "\xff"}', "The line is no UTF-8 at byte 7."),
            (b"\0" * 10, "The line is no JSON at character 0: Expecting value."),
        ],
    )
    def test_say_why_and_are_kept(self, raw, why):
        assert reason(raw) == why
        (line,) = read(raw + b"\n")
        assert kept(line.messages[0]) == raw

    def test_do_not_stop_the_file(self):
        assert [line.readable for line in read(b'{"a": 1}\n{torn\n{"b": 2}\n')] == [True, False, True]

    def test_have_their_number(self):
        assert read(b"\n\n{torn\n")[2].messages[0][UNREADABLE]["line"] == 3

    def test_at_the_end_without_newline_are_incomplete(self):
        *_, last = read(b'{"a": 1}\n{"to')
        assert (last.complete, last.readable) == (False, False)
        assert last.messages[0][UNREADABLE]["why"].endswith("; the file ends within it.")


class LongLines:
    def test_are_kept_in_pieces_that_split_no_character(self, monkeypatch):
        monkeypatch.setattr(lines, "PIECE", 50)
        raw = ("é" * 300).encode()
        found = read(raw + b'\n{"a": 1}\n', limit=100)
        pieces = [message for line in found[:-1] for message in line.messages]
        assert b"".join(kept(piece) for piece in pieces) == raw
        assert all("text" in piece[UNREADABLE] for piece in pieces)
        assert [piece[UNREADABLE]["why"][-2:] for piece in pieces[:2]] == ["1.", "2."]
        assert sum(line.first for line in found) == 2
        assert found[-1].messages == [{"a": 1}]

    def test_are_never_held_as_a_whole(self):
        class Endless(io.RawIOBase):
            def read(self, size=-1):
                return b"x" * size

        limit, size = 3 * 1024 * 1024, 40 * 1024 * 1024
        held = [sum(map(len, line.raw)) for line in read_lines(Endless(), 0, size, limit=limit)]
        assert sum(held) == size
        assert max(held) <= limit + lines.READ_SIZE

    def test_that_would_be_too_long_in_the_store_are_kept_in_pieces(self):
        # 60 characters of two bytes are 360 in the ASCII that the store keeps.
        raw = json.dumps({"a": "é" * 60}, ensure_ascii=False).encode()
        (line,) = read(raw + b"\n", limit=200)
        assert (line.readable, kept(line.messages[0])) == (False, raw)


def test_a_file_that_is_shorter_than_it_was_ends_where_it_ends():
    assert [line.messages for line in read_lines(io.BytesIO(b'{"a": 1}\n'), 0, 1000)] == [[{"a": 1}]]


@given(st.binary(max_size=300), st.integers(5, 60))
def test_every_byte_is_in_exactly_one_line(data, limit):
    found = read(data, limit=limit)
    assert b"".join(part for line in found for part in line.raw) == data
    assert sum(line.first for line in found) == len(data.splitlines(keepends=True)) if b"\r" not in data else True
    for line in found:
        if not line.readable:
            assert b"".join(kept(message) for message in line.messages) == b"".join(line.raw).rstrip(b"\r\n")
