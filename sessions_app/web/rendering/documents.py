"""Sessions as documents to be read elsewhere: Markdown, or one HTML file that needs and loads nothing else."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal
from uuid import UUID

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from sessions_app import secret_rules, store
from sessions_app.projection import Part, Projection, project
from sessions_app.records import SessionRecord
from sessions_app.search.filters import ROLES
from sessions_app.web.rendering import images
from sessions_app.web.rendering.inert import escaped, fenced, inert
from sessions_app.web.rendering.markdown import LIMIT, to_html
from sessions_app.web.rendering.text import counted, one_line, visible

Format = Literal["markdown", "html"]
WINDOW = 10  # messages read at once; each may be large
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 48rem; margin: 0 auto; padding: 1rem; }
section { border-top: 1px solid color-mix(in srgb, currentColor 25%, transparent); padding: .75rem 0; }
h2 { font-size: 1rem; margin: 0; } h2 a { color: inherit; } header p, time { opacity: .85; }
pre { overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; padding: .5rem; margin: .5rem 0;
  background: color-mix(in srgb, currentColor 7%, transparent); border-radius: 4px; }
img { max-width: 100%; } table { border-collapse: collapse; } td, th { border: 1px solid; padding: .25rem .5rem; }
.user { border-left: 4px solid #3b82f6; padding-left: .75rem; } summary { cursor: pointer; }
"""
# Nothing that a message holds can run or load anything, wherever the file is opened.
POLICY = f"default-src 'none'; img-src data:; style-src 'sha256-{b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"


def document(ids: Iterable[UUID], format: Format, *, keep_secrets: bool = False) -> Iterator[str]:
    """The parts of the document, in the order of the ids, without secrets unless they are to be kept.

    Raises SessionNotFound.
    """
    return (_markdown if format == "markdown" else _html)(ids, keep_secrets)


def _record(id: UUID, keep_secrets: bool) -> SessionRecord:
    found = store.find_by_id_prefix(str(id), 1, with_messages=False)
    if not found:
        raise store.SessionNotFound(id)
    return found[0] if keep_secrets else replace(found[0], title=secret_rules.redacted(found[0].title))


def _messages(record: SessionRecord, keep_secrets: bool) -> Iterator[tuple[int, Projection]]:
    for start in range(0, record.message_count, WINDOW):
        for position, message in enumerate(store.get_messages(record.id, start, start + WINDOW), start):
            yield position, project(message if keep_secrets else secret_rules.redacted_value(message))


def _facts(record: SessionRecord) -> list[str]:
    facts = [f"Session {record.id} in {visible(record.project)}"]
    if record.parent_id:
        facts.append(f"{record.relation} of {record.parent_id}, from message {record.fork_point or 0}")
    facts.append(f"{counted(record.message_count, 'message')}, {counted(record.turns, 'turn')}")
    facts.append(f"{record.created_at:%Y-%m-%d %H:%M} to {record.updated_at:%Y-%m-%d %H:%M} UTC")
    return facts


def _who(seen: Projection) -> str:
    role = ROLES.get(seen.kind, "notice")
    return f"{role}, {seen.timestamp:%Y-%m-%d %H:%M:%S}" if seen.timestamp else role


def _json(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _label(part: Part) -> str:
    name = one_line(part.tool_name)
    return {
        "thinking": "Thinking",
        "tool_call": f"Call of {name}" if name else "Call",
        "tool_result": "Error" if part.is_error else "Result",
        "notice": "Notice",
        "json": "Data",
        "unreadable": "A line that could not be read",
    }.get(part.kind, "")


def _body(part: Part) -> str:
    """All that a part says, but for an image."""
    said = [part.text] if part.text else []
    said += [_json(value) for value in (part.arguments, part.data) if value is not None]
    return visible("\n".join(said))


# Markdown


def _markdown(ids: Iterable[UUID], keep_secrets: bool) -> Iterator[str]:
    for number, id in enumerate(ids):
        record = _record(id, keep_secrets)
        facts = "\n".join(f"- {escaped(fact)}" for fact in _facts(record))
        yield ("\n\n" if number else "") + f"# {escaped(one_line(record.title))}\n\n{facts}\n"
        for position, seen in _messages(record, keep_secrets):
            parts = "\n\n".join(filter(None, map(_markdown_part, seen.parts)))
            yield f"\n## #{position} {_who(seen)}\n\n{parts}\n"


def _markdown_part(part: Part) -> str:
    if part.kind == "text":
        return inert(visible(part.text))
    if part.kind == "image":
        return f"*Image {escaped(one_line(part.text) or part.media_type)}*"
    body, label = _body(part), escaped(_label(part))
    return f"*{label}*\n\n{fenced(body)}" if body else f"*{label}*"


# HTML


def _html(ids: Iterable[UUID], keep_secrets: bool) -> Iterator[str]:
    records = [_record(id, keep_secrets) for id in ids]
    title = records[0].title if len(records) == 1 else counted(len(records), "session")
    yield format_html(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="{}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<title>{}</title>\n<style>{}</style></head><body><main>\n",
        *(POLICY, visible(title), mark_safe(STYLE)),  # noqa: S308  ours, and not escaped, for its hash is of it as it is
    )
    for number, record in enumerate(records, 1):
        facts = [format_html("<p>{}</p>", fact) for fact in _facts(record)]
        yield format_html("<article>\n<header><h1>{}</h1>{}</header>\n", visible(record.title), _joined(facts))
        for position, seen in _messages(record, keep_secrets):
            parts = _joined(_html_part(part, seen) for part in seen.parts)
            yield format_html(
                '<section id="m{0}-{1}" class="{2}"><h2><a href="#m{0}-{1}">#{1}</a> {3}</h2>\n{4}</section>\n',
                *(number, position, seen.role or "other", _who(seen), parts),
            )
        yield "</article>\n"
    yield "</main></body></html>\n"


def _html_part(part: Part, seen: Projection) -> SafeString:
    if part.kind == "text":
        if len(part.text) > LIMIT:
            return format_html("<pre>{}</pre>\n", visible(part.text))
        return to_html(part.text, breaks=seen.role == "user")
    if part.kind == "image":
        return _html_image(part)
    body = _body(part)
    if not body:
        return format_html("<p>{}</p>\n", _label(part))
    return format_html("<details><summary>{}</summary><pre>{}</pre></details>\n", _label(part), body)


def _html_image(part: Part) -> SafeString:
    """Only what its first bytes say is a picture; one that is elsewhere is not fetched."""
    found = images.picture(part.image) if part.image else None
    if found:
        data = b64encode(found.content).decode()
        return format_html('<p><img alt="Image" src="data:{};base64,{}"></p>\n', found.media_type, data)
    return format_html("<p>Image {}</p>\n", visible(part.text) or visible(part.media_type))


def _joined(parts: Iterable[SafeString]) -> SafeString:
    return mark_safe("".join(parts))  # noqa: S308  each was made by format_html or the sanitiser
