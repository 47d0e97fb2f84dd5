"""All that anybody wrote goes through one pipeline: nothing else makes HTML, and where HTML of content stands htmx is off.

The tests of rendering say what the pipeline lets through, tests/browser/test_corpus.py that it does nothing.
"""

import ast
import hashlib
import json
import re
from pathlib import Path

import pytest
from django.test import override_settings

from sessions_app.web.rendering import blocks, markdown
from tests.builders import a_message

CHECKOUT = Path(__file__).parent.parent
APP = CHECKOUT / "sessions_app"
TEMPLATES = sorted((CHECKOUT / "templates").rglob("*.html"))
SCRIPTS = sorted((CHECKOUT / "static" / "js").glob("*.js"))

# Who may say that a text is HTML: the pipeline, and what draws numbers, states and rows, which escapes what it is given.
MAKERS = {
    f"web/rendering/{name}.py" for name in ("ansi", "cards", "diffs", "documents", "json_tree", "markdown", "marks")
}
MAKERS |= {"templatetags/forklore.py", "templatetags/quick.py", "templatetags/rows.py"}
DRAWN = re.compile(r"\{\{ (?:block|body|line)\.html")  # what was written, as HTML
# Each puts text into a page as HTML. Those that are there are constants, and highlight.js, which escapes its text.
RISKY = re.compile(
    r"innerHTML|outerHTML\s*=|insertAdjacentHTML|document\.write|\beval\(|new Function|createContextualFragment"
)
KNOWN = {"palette.js": 1, "rich-text.js": 1}
HTMX = "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
HIGHLIGHT = "1ed8fc5256b738b8875b74e4d3f0754f60d6411fb034d618dfbc4e6e6c9999d7"


def makes_html(source: str) -> bool:
    names = {"mark_safe", "SafeString", "SafeText", "html_safe"}
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
        for node in ast.walk(ast.parse(source))
    )


def bare(template: str) -> list[str]:
    """Where HTML of content stands in no element that htmx passes over."""
    return [found[0] for found in DRAWN.finditer(template) if "hx-ignore" not in template[: found.start()]]


class OnlyThePipeline:
    def test_makes_html(self):
        found = {str(path.relative_to(APP)) for path in APP.rglob("*.py") if makes_html(path.read_text())}
        assert found <= MAKERS
        assert makes_html("def view(request):\n    return mark_safe(text)")

    def test_decides_in_templates_too(self):
        unsafe = re.compile(r"\|\s*safe\b|\|\s*safeseq\b|autoescape off|filter safe")
        assert [path.name for path in TEMPLATES if unsafe.search(path.read_text())] == []
        assert unsafe.search("{{ text|safe }}")

    def test_is_there_in_scripts(self):
        found = {path.name: len(RISKY.findall(path.read_text())) for path in SCRIPTS}
        assert {name: count for name, count in found.items() if count} == KNOWN


class Htmx:
    def test_passes_over_content(self):
        assert {path.name: bare(path.read_text()) for path in TEMPLATES if bare(path.read_text())} == {}
        assert sum(bool(DRAWN.search(path.read_text())) for path in TEMPLATES) >= 5
        assert bare('<div class="prose"><p>{{ block.html }}</p></div>')

    def test_is_the_version_that_these_tests_are_about(self):
        for name, digest in (("htmx/htmx.min.js", HTMX), ("highlight/highlight.min.js", HIGHLIGHT)):
            assert hashlib.sha256((CHECKOUT / "static" / "vendor" / name).read_bytes()).hexdigest() == digest
        assert "[hx-ignore]" in (CHECKOUT / "static" / "vendor" / "htmx" / "htmx.min.js").read_text()

    def test_asks_no_other_site_and_keeps_no_history_of_its_own(self):
        page = (CHECKOUT / "templates" / "base.html").read_text()
        config = json.loads(re.search(r"name=\"htmx-config\" content='([^']*)'", page)[1])
        assert config["history"] == "reload"
        assert config["includeIndicatorCSS"] is False
        assert config.get("mode", "same-origin") == "same-origin"  # which is what it does unless told otherwise


class TheTimeOfAPage:
    def test_ends_in_plain_text_with_all_that_was_said(self, monkeypatch):
        drawing = blocks.Drawing(budget=markdown.Budget(seconds=0))
        shown = [drawing.item(blocks.entry(n, a_message(f"**bold {n}** <b>", "assistant")), "x") for n in range(3)]
        assert [block.template for item in shown for block in item.blocks] == ["transcript/_plain.html"] * 3
        assert "**bold 1** &lt;b&gt;" in shown[1].blocks[0].body.html
        drawing = blocks.Drawing()
        (block,) = drawing.item(blocks.entry(0, a_message("**bold**", "assistant")), "x").blocks
        assert block.html.strip() == "<p><strong>bold</strong></p>"

    def test_is_not_spent_on_looking_for_secrets(self):
        drawing = blocks.Drawing(budget=markdown.Budget(seconds=0))
        secret = a_message("ghp_" + "a1B2c3D4e5F6" * 3, "assistant")
        assert not drawing.item(blocks.entry(0, secret), "x").has_secret
        assert blocks.Drawing().item(blocks.entry(0, secret), "x").has_secret


class TheRawView:
    @pytest.mark.parametrize("kind", ["json", "text", "markdown"])
    @override_settings(DEBUG=False)
    def test_is_text_in_a_sandbox(self, the_store, kind):
        from tests.web.conftest import Visitor

        visitor = Visitor(HTTP_HOST="127.0.0.1").enter()
        session = the_store.create("p", [a_message("<script>alert(1)</script>")])
        answer = visitor.get(f"/sessions/{session.id}/m/0/raw/?as={kind}")
        assert answer["Content-Type"] == "text/plain; charset=utf-8"
        assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert answer["X-Content-Type-Options"] == "nosniff"
