"""Django's own `url` and `include`, without doing again what comes out the same: half of the time of a long page.

In every template (settings.TEMPLATES): an address that is made of ids and numbers is put together from its parts, and an
icon is drawn once. All else is Django's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from django import template
from django.template import defaulttags, loader_tags
from django.template.base import FilterExpression, Parser, Token
from django.template.context import Context
from django.urls import get_script_prefix, reverse
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString

register = template.Library()

ICONS = "icons/"  # the folder of templates that know nothing but their size
_STAND_INS: dict[type, list[Any]] = {
    UUID: [UUID(int=2**128 - 1 - number) for number in range(4)],
    int: [8_000_000_001 + number for number in range(4)],
}


@register.tag("url")
def url(parser: Parser, token: Token) -> template.Node:
    made: Any = defaulttags.url(parser, token)
    name = _constant(made.view_name)
    if name is None or made.kwargs or made.asvar:
        return made
    return _AddressNode(name, made.args)


@register.tag("include")
def include(parser: Parser, token: Token) -> template.Node:
    made: Any = loader_tags.do_include(parser, token)
    named = {name: _constant(value) for name, value in made.extra_context.items()}
    if not made.isolated_context or None in named.values():
        return made
    return _IconNode(made.template, extra_context=made.extra_context, isolated_context=True)


def address(name: str, *arguments: Any) -> str:
    """As reverse(name, args=arguments)."""
    kinds = tuple(map(type, arguments))
    parts = _parts(get_script_prefix(), name, kinds) if _STAND_INS.keys() >= {*kinds} else None
    if parts is None or any(kind is int and value < 0 for kind, value in zip(kinds, arguments, strict=True)):
        return _reversed(get_script_prefix(), name, arguments)
    return "".join([part if isinstance(part, str) else str(arguments[part]) for part in parts])


@lru_cache(maxsize=10_000)
def _escaped_text(text: str) -> SafeString:
    return conditional_escape(text)


class _AddressNode(template.Node):
    def __init__(self, name: str, arguments: Sequence[FilterExpression]):
        self._name = name
        self._arguments = arguments

    def render(self, context: Context) -> str:
        arguments = [argument.resolve(context) for argument in self._arguments]
        found = address(self._name, *arguments)
        return _escaped_text(found) if context.autoescape else found


class _IconNode(loader_tags.IncludeNode):
    """An icon that is included with constants only is the same at every place."""

    def __init__(self, *arguments: Any, **named: Any):
        super().__init__(*arguments, **named)
        self._drawn: dict[str, SafeString] = {}

    def render(self, context: Context) -> SafeString:
        name = self.template.resolve(context)
        if not isinstance(name, str) or not name.startswith(ICONS):
            return super().render(context)
        if name not in self._drawn:
            self._drawn[name] = super().render(context)
        return self._drawn[name]


def _constant(expression: FilterExpression) -> Any:
    """What an expression always is; None where that depends on the context."""
    return None if expression.filters or hasattr(expression.var, "resolve") else expression.var


@lru_cache(maxsize=10_000)
def _reversed(prefix: str, name: str, arguments: tuple) -> str:
    return reverse(name, args=arguments)


@lru_cache(maxsize=1000)
def _parts(prefix: str, name: str, kinds: tuple[type, ...]) -> list[str | int] | None:
    """An address in its parts: text, and which argument stands between; None where they do not stand there as they are.

    Raises NoReverseMatch.
    """
    stand_ins = [_STAND_INS[kind][at] for at, kind in enumerate(kinds)]
    rest, parts = reverse(name, args=stand_ins), list[str | int]()
    for at, each in enumerate(stand_ins):
        before, found, rest = rest.partition(str(each))
        if not found:
            return None
        parts += [before, at]
    return [*parts, rest]
