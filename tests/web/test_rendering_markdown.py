"""Markdown of people and models as HTML that can do nothing."""

import sys
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.web.rendering import markdown
from sessions_app.web.rendering.markdown import Budget, to_html

ATTRIBUTES = {"a": {"href", "title", "rel"}, "code": {"class"}, "ol": {"start"}, "pre": {"tabindex"}}
PIECES = st.sampled_from(
    (
        *(
            "<script>",
            "</script>",
            "<img src=x onerror=alert(1)>",
            "[a](",
            "javascript:alert(1)",
            ")",
            "```",
            "\n",
            "`",
        ),
        *(
            "<a href=",
            "hx-get=/x",
            "data:text/html,<b>",
            "![",
            "](http://a.example/",
            '"',
            "'",
            "<",
            ">",
            "&#106;",
            "\x00",
        ),
        *(
            "http://",
            "https://b.example",
            "| a |\n|-|\n",
            "- ",
            "> ",
            "# ",
            "~~~ js onload=x\n",
            "\u202e",
            "\ud800",
            "**",
        ),
    )
)


class _Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def tags(html):
    return _Tags(html).found


class TextOfAModel:
    def test_is_drawn_as_it_was_meant(self):
        html = to_html("# Plan\n\n1. *first*\n2. `second`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n~~no~~")

        assert "<h1>Plan</h1>" in html
        assert "<li><em>first</em></li>" in html
        assert "<td>1</td>" in html
        assert "<s>no</s>" in html

    def test_keeps_html_as_text(self):
        assert to_html("<b onclick=x>bold</b>") == "<p>&lt;b onclick=x&gt;bold&lt;/b&gt;</p>\n"

    def test_names_the_language_of_code_and_can_be_reached_by_keyboard(self):
        assert '<pre tabindex="0"><code class="language-python">' in to_html("```Python\nx = 1\n```")

    def test_keeps_the_new_lines_that_people_type(self):
        assert "<br>" in to_html("one\ntwo", breaks=True)
        assert "<br>" not in to_html("one\ntwo")

    @given(st.lists(PIECES, max_size=25).map("".join) | st.text())
    def test_holds_nothing_but_what_is_allowed_whatever_was_written(self, text):
        for tag, attributes in tags(to_html(text)):
            assert tag in markdown.TAGS
            assert set(attributes) <= ATTRIBUTES.get(tag, set())
            if "href" in attributes:
                assert urlsplit(attributes["href"]).scheme in ("http", "https", "mailto")
                assert attributes["rel"] == "noopener noreferrer nofollow"
            if "class" in attributes:
                assert attributes["class"].startswith("language-")

    @given(st.lists(PIECES, max_size=25).map("".join) | st.text())
    def test_can_always_be_sent(self, text):
        html = to_html(text)
        html.encode()
        assert "\x00" not in html


class Links:
    @pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd"])
    def test_of_other_schemes_stay_text(self, address):
        assert "<a" not in to_html(f"[x]({address}) <{address}> ![x]({address})")

    def test_say_their_host_where_their_words_do_not(self):
        assert "</a> <small>(evil.example)</small>" in to_html("[https://bank.example](https://evil.example/x)")
        assert "<small>" not in to_html("[good.example/docs](https://good.example/docs)")

    def test_are_made_of_bare_addresses_up_to_what_ends_the_sentence(self):
        (link,) = [attributes for tag, attributes in tags(to_html("See (https://a.example/b_(c)).")) if tag == "a"]
        assert link["href"] == "https://a.example/b_(c)"

    def test_to_files_of_the_project_are_words_with_their_path(self):
        assert to_html("[store](src/store.py:12)") == "<p>store <small>(src/store.py:12)</small></p>\n"
        assert "<a" not in to_html("[x](//evil.example/y)")

    def test_stand_in_the_place_of_pictures(self):
        html = to_html("![chart](https://t.example/pixel.png)")
        assert "<img" not in html
        assert '<a href="https://t.example/pixel.png"' in html


class Marks:
    def test_stand_around_what_was_searched_in_text_and_code(self):
        html = to_html("Rename it, `rename` it\n\n```\nrename()\n```", "RENAME")
        assert html.count("<mark>") == 3

    def test_are_no_markdown(self):
        assert "<mark>**</mark>" in to_html("\\*\\*a", "**")


def work(text):
    """How many calls a text takes to draw: the same at every run, unlike the time, whatever else the machine does."""
    count = 0

    def counted(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        to_html(text)
    finally:
        sys.setprofile(None)
    return count


class Time:
    @pytest.mark.parametrize(
        "piece",
        [
            "[",
            "![[",
            "*_",
            "`a",
            "> ",
            "a](",
            "[a](<b",
            "**a *b ",
            "<a b ",
            "http://",
            "http://)",
            "http://a ",
            "~~a",
            "&#0;",
        ],
    )
    def test_grows_with_the_length_of_the_text_and_no_faster(self, piece):
        assert work((piece * 4000)[:4000]) < 6 * work((piece * 1000)[:1000])

    def test_of_a_page_is_bounded(self):
        assert Budget().allows("x" * markdown.LIMIT)
        assert not Budget().allows("x" * (markdown.LIMIT + 1))
        assert not Budget(seconds=0).allows("x")
