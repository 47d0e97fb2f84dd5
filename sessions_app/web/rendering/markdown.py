"""Markdown of people and models as HTML: parsed without HTML, then sanitised, last, against an allow-list."""

from time import monotonic
from urllib.parse import urlsplit

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from sessions_app.web.rendering.marks import escape_and_mark
from sessions_app.web.rendering.text import visible

LIMIT = 50_000  # characters; longer text is shown plain, for the worst takes 20 microseconds a character
SECONDS_A_PAGE = 2.0
SCHEMES = ("http", "https", "mailto")
TAGS = {
    *("a", "b", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "mark", "ol"),
    *("p", "pre", "s", "small", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
LANGUAGE_CHARACTERS = set("abcdefghijklmnopqrstuvwxyz0123456789+#-_")
ADDRESS_ENDS = set(' \t\n\r<>"`{}|\\^　。，、；：！？「」（）【】《》')
TRAILING = ".,;:!?'*_~"


class Budget:
    """The time that one page may spend on Markdown; what comes after it is shown plain."""

    def __init__(self, seconds: float = SECONDS_A_PAGE):
        self._deadline = monotonic() + seconds

    def allows(self, text: str) -> bool:
        return len(text) <= LIMIT and not self.is_spent

    @property
    def is_spent(self) -> bool:
        return monotonic() >= self._deadline


def to_html(text: str, query: str = "", *, breaks: bool = False) -> SafeString:
    """Markdown as HTML that holds nothing but the tags and attributes listed here.

    `breaks` keeps single new lines, as people type them. Links lead to http, https and mailto only; images are links,
    never loaded; a link whose words do not say where it leads is followed by its host.
    """
    html = _PARSERS[breaks].render(visible(text), {"query": query})
    return mark_safe(_CLEANER.clean(html))  # noqa: S308  cleaned last, against the allow-list


def _allowed_attribute(tag: str, attribute: str, value: str) -> str | None:
    if tag == "code" and attribute == "class":
        name = value.removeprefix("language-")
        return value if name != value and set(name) <= LANGUAGE_CHARACTERS and len(name) <= 30 else None
    if tag == "a" and attribute == "href":
        return value if value.partition(":")[0].lower() in SCHEMES else None
    return value


_CLEANER = nh3.Cleaner(
    tags=TAGS,
    attributes={"a": {"href", "title"}, "code": {"class"}, "ol": {"start"}},
    attribute_filter=_allowed_attribute,
    url_schemes=set(SCHEMES),
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"pre": {"tabindex": "0"}},  # a block that scrolls must be reachable by keyboard
)


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802  the parser's own name
        """Refused ones stay in the text as they were typed; relative ones are handled by `_tell_where_links_lead`."""
        scheme, colon, _ = url.partition(":")
        return not colon or any(mark in scheme for mark in "/?#") or scheme.lower() in SCHEMES


def _is_outside(address: str) -> bool:
    return address.partition(":")[0].lower() in SCHEMES


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return address


def _tell_where_links_lead(state) -> None:
    for token in state.tokens:
        if token.type == "inline":
            token.children = _with_honest_links(_with_bare_addresses(token.children))


def _turn_empty_headings_of_tables_into_cells(state) -> None:
    """Screen readers announce a heading, and models like to leave the one over the first column empty."""
    for opening, inline, closing in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        if opening.type == "th_open" and not inline.content.strip():
            opening.tag = closing.tag = "td"


def _with_bare_addresses(tokens: list[Token]) -> list[Token]:
    result, depth = [], 0
    for token in tokens:
        depth += (token.type == "link_open") - (token.type == "link_close")
        result += _linked(token.content) if token.type == "text" and not depth else [token]
    return result


def _linked(text: str) -> list[Token]:
    """Text tokens, with links where an http address stands in the text; one pass over it."""
    result, last, at = [], 0, text.find("http")
    while at >= 0:
        end = _end_of_address(text, at)
        if end:
            address = text[at:end]
            result += [_text(text[last:at]), *_link(address, address)]
            last = end
        at = text.find("http", max(end, at + 4))
    return [*result, _text(text[last:])]


def _end_of_address(text: str, start: int) -> int:
    """Where the address that starts here ends; 0 if none does."""
    body = next((start + len(lead) for lead in ("http://", "https://") if text.startswith(lead, start)), 0)
    if not body or (start and text[start - 1].isalnum()):
        return 0
    end = body
    while end < len(text) and text[end] not in ADDRESS_ENDS:
        end += 1
    unopened = text.count(")", body, end) - text.count("(", body, end)
    while end > body and (text[end - 1] in TRAILING or (text[end - 1] == ")" and unopened > 0)):
        unopened -= text[end - 1] == ")"
        end -= 1
    return end if end > body and _host(text[start:end]) else 0


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _link(address: str, words: str) -> list[Token]:
    return [Token("link_open", "a", 1, attrs={"href": address}), _text(words), Token("link_close", "a", -1)]


def _with_honest_links(tokens: list[Token]) -> list[Token]:
    """Each link followed by its host unless its words say it; a relative one becomes its words and its address."""
    result: list[Token] = []
    opened: list[tuple[str, int]] = []
    for token in _with_images_as_links(tokens):
        if token.type == "link_open":
            opened.append((str(token.attrs.get("href", "")), len(result)))
            if _is_outside(opened[-1][0]):
                token.attrs["title"] = opened[-1][0]
                result.append(token)
        elif token.type == "link_close" and opened:
            address, start = opened.pop()
            words = "".join(inner.content for inner in result[start:])
            result += [token] if _is_outside(address) else []
            result += _destination(address, words)
        else:
            result.append(token)
    return result


def _with_images_as_links(tokens: list[Token]) -> list[Token]:
    result: list[Token] = []
    depth = 0
    for token in tokens:
        depth += (token.type == "link_open") - (token.type == "link_close")
        if token.type != "image":
            result.append(token)
            continue
        words, address = token.content or "image", str(token.attrs.get("src", ""))
        result += [_text(words)] if depth else _link(address, words)
    return result


def _destination(address: str, words: str) -> list[Token]:
    said = words.strip().lower()
    if not _is_outside(address):
        return [] if address.lower() in (said, "") else [_small(address)]
    host = _host(address) or address.partition(":")[2]
    leads = (host, f"http://{host}", f"https://{host}", f"mailto:{host}")
    is_said = any(said == lead or said.startswith(lead + "/") for lead in leads) or said == address.lower()
    return [] if is_said else [_small(host)]


def _small(words: str) -> Token:
    return Token("where", "small", 0, content=words)


def _render_text(renderer, tokens, index, options, env) -> str:
    return escape_and_mark(tokens[index].content, env["query"])


def _render_where(renderer, tokens, index, options, env) -> str:
    return f" <small>({escape_and_mark(tokens[index].content)})</small>"


def _render_code(renderer, tokens, index, options, env) -> str:
    return f"<code>{escape_and_mark(tokens[index].content, env['query'])}</code>"


def _render_block(renderer, tokens, index, options, env) -> str:
    words = tokens[index].info.split(maxsplit=1)
    name = escape_and_mark(words[0].lower()) if words else ""
    opening = f'<code class="language-{name}">' if name else "<code>"
    return f"<pre>{opening}{escape_and_mark(tokens[index].content, env['query'])}</code></pre>"


def _parser(breaks: bool) -> MarkdownIt:
    parser = _Parser("commonmark", {"html": False, "breaks": breaks}).enable(["table", "strikethrough"])
    parser.core.ruler.push("where_links_lead", _tell_where_links_lead)
    parser.core.ruler.push("empty_headings", _turn_empty_headings_of_tables_into_cells)
    for name, rule in {
        "text": _render_text,
        "where": _render_where,
        "code_inline": _render_code,
        "code_block": _render_block,
        "fence": _render_block,
    }.items():
        parser.add_render_rule(name, rule)
    return parser


_PARSERS = {breaks: _parser(breaks) for breaks in (False, True)}
