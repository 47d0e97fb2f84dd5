"""Terminal colours, control characters, marks, cuts, pictures and trees of JSON."""

import base64
import json
import unicodedata
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.demo.pictures import bar_chart
from sessions_app.web.rendering import ansi, images, json_tree
from sessions_app.web.rendering.marks import escape_and_mark
from sessions_app.web.rendering.text import cut, one_line, visible
from tests.web.reading import _Reader

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"]


def text_of(html):
    reader = _Reader()
    reader.feed(html)
    return reader.open[0]._raw_text()


class ControlCharacters:
    def test_are_shown_as_symbols(self):
        assert visible("a\x00b\x1b]8;;\x07") == "a␀b␛]8;;␇"
        assert visible("a\x85\u202eb\ud800") == "a‹85›‹U+202E›b\ufffd"

    def test_do_not_hide_new_lines_and_tabs(self):
        assert visible("a\r\nb\tc\rd") == "a\nb\tc␍d"

    @pytest.mark.parametrize("first", CONTROLS)
    def test_never_reach_the_page_in_any_pair(self, first):
        for second in [*CONTROLS, "[", "m", "]"]:
            assert not set(ansi.to_html(f"x{first}{second}y")) & set(CONTROLS)


class TerminalColours:
    def test_become_classes(self):
        html = ansi.to_html("\x1b[31mred \x1b[1mbold\x1b[0m plain")
        assert html == '<span class="red">red </span><span class="red bold">bold</span> plain'

    def test_of_256_and_more_are_the_nearest_of_eight(self):
        assert ansi.to_html("\x1b[38;5;196mx\x1b[48;2;0;0;250my") == (
            '<span class="red">x</span><span class="red on-blue">y</span>'
        )

    @pytest.mark.parametrize(
        "sequence", ["\x1b[2K", "\x1b]8;;http://evil.example\x07", "\x1b[?25l", "\x1b[" + "1" * 99 + "m"]
    )
    def test_are_all_that_is_taken_from_escape_sequences(self, sequence):
        assert "<" not in ansi.to_html(sequence)
        assert ansi.to_html(sequence).startswith("␛")

    @given(st.text(st.sampled_from("\x1b[]0123456789;:mKa<&\n\"' ")))
    def test_leave_the_text_as_it_is(self, text):
        assert text_of(ansi.to_html(text)) == visible(ansi.to_text(text))

    @given(st.binary().map(lambda content: content.decode("utf-8", "surrogateescape")))
    def test_hold_for_any_bytes(self, text):
        html = ansi.to_html(text)
        html.encode()
        assert not set(html) & set(CONTROLS)


class MarksOfASearch:
    def test_follow_unicode_case_folding(self):
        assert escape_and_mark("die Straße", "STRASSE") == "die <mark>Straße</mark>"
        assert escape_and_mark("ÉCLAIR", "éclair") == "<mark>ÉCLAIR</mark>"

    def test_follow_composition(self):
        decomposed = unicodedata.normalize("NFD", "éa")
        assert escape_and_mark(decomposed, "é") == f"<mark>{decomposed[:2]}</mark>a"

    def test_are_literal_and_escaped(self):
        assert escape_and_mark("100% <b>", "<B>") == "100% <mark>&lt;b&gt;</mark>"

    @given(st.text(), st.text(max_size=3))
    def test_leave_the_text_as_it_is(self, text, query):
        html = escape_and_mark(text, query)
        assert unescape(html.replace("<mark>", "").replace("</mark>", "")) == unescape(escape_and_mark(text))


class ACut:
    def test_keeps_the_first_lines_and_counts_all(self):
        piece = cut("\n".join(map(str, range(214))))
        assert (piece.shown_lines, piece.lines, piece.is_cut) == (12, 214, True)
        assert piece.text.endswith("\n11")

    def test_leaves_a_text_alone_that_would_lose_a_line_or_two(self):
        assert not cut("\n".join("x" * 14)).is_cut

    def test_bounds_a_line_without_end(self):
        assert len(cut("x" * 100_000).text) == 4096

    def test_of_one_line_reads_only_its_beginning(self):
        assert one_line("a \n\t b" + " c" * 1000, 10) == "a b c c c…"


class Pictures:
    def test_are_told_by_their_first_bytes(self):
        encoded = base64.b64encode(bar_chart([1, 2], (9, 9, 9))).decode()
        assert images.picture(encoded).media_type == "image/png"
        assert images.is_picture(encoded)

    @pytest.mark.parametrize(
        "content", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<!doctype html>", b"%PDF-1.7", b""]
    )
    def test_are_nothing_that_could_run(self, content):
        encoded = base64.b64encode(content).decode()
        assert images.picture(encoded) is None
        assert not images.is_picture(encoded)

    def test_need_base64_of_a_bounded_size(self):
        assert images.picture("no base64!") is None
        assert not images.is_picture("iVBORw0KGgo" + "A" * (30 * 1024 * 1024))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


class ATreeOfJson:
    def test_reads_as_keys_and_values(self):
        tree = text_of(json_tree.to_html({"path": "a.py", "lines": [1, None]}))
        assert tree == "patha.pylines011null"

    def test_ends_where_it_would_be_too_large(self):
        assert "99,601 more" in text_of(json_tree.to_html(list(range(100_000))))
        deep = "x"
        for _ in range(150):
            deep = [deep]
        assert "[… 1 values]" in text_of(json_tree.to_html(deep))

    def test_names_numbers_that_python_refuses_to_write(self):
        assert "bits" in json_tree.to_html({"n": 1 << 20_000})

    @given(JSON)
    def test_is_escaped_whatever_it_holds(self, value):
        html = json_tree.to_html({"<script>": value})
        html.encode()
        assert "<script>" not in html

    @given(JSON)
    def test_as_text_is_the_same_json(self, value):
        assert json.loads(json_tree.to_text({"x": value}).encode().decode()) == {"x": value}
