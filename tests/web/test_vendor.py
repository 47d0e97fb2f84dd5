"""What others wrote and every page runs: the very file that was read, and set so that it evaluates nothing."""

import hashlib
import json
from pathlib import Path

from tests.web.reading import page

VENDOR = Path(__file__).parent.parent.parent / "static" / "vendor"


def test_htmx_is_version_4_0_1_as_published():
    digest = hashlib.sha256((VENDOR / "htmx" / "htmx.min.js").read_bytes()).hexdigest()
    assert digest == "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"


def test_htmx_reads_no_second_prefix_and_swaps_no_error_page(visitor):
    settings = json.loads(page(visitor.get("/trash/")).one("meta", name="htmx-config")["content"])
    assert settings["prefix"] == ""
    assert settings["includeIndicatorCSS"] is False
    assert {"4xx", "5xx"} <= set(settings["noSwap"])


def test_no_template_holds_code_for_htmx_to_evaluate():
    templates = VENDOR.parent.parent / "templates"
    texts = [path.read_text() for path in templates.rglob("*.html")]
    assert texts
    for word in ("hx-on", "hx-vals='js:", 'hx-vals="js:', "javascript:", "hx-live"):
        assert not [text for text in texts if word in text], word
