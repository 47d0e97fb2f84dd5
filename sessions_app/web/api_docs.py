"""The HTTP API's description as a page of our own: ninja's loads what our policy forbids."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

METHODS = ("get", "post", "put", "patch", "delete")
GROUPS = {
    "Sessions": ("/projects", "/sessions"),
    "Search": ("/search", "/tidy"),
    "Changes": ("/changes",),
    "Files": ("/export", "/import"),
    "Clean-up": ("/cleanup",),
    "Names that SDKs give": ("/named",),
}


@dataclass(frozen=True, slots=True)
class Value:
    """A parameter, or a field of a body."""

    name: str
    kind: str
    needed: bool
    words: str
    place: str = ""  # of a parameter: path, query or header


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    summary: str
    words: str
    parameters: tuple[Value, ...]
    fields: tuple[Value, ...]
    answers: tuple[tuple[str, str], ...]
    key: str

    @property
    def values(self) -> tuple[Value, ...]:
        return (*self.parameters, *self.fields)


@dataclass(slots=True)
class Group:
    name: str
    operations: list[Operation] = field(default_factory=list)


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    return render(
        request, "api/docs.html", {"groups": groups(), "place": "api", "origin": request.build_absolute_uri("/api/v1")}
    )


@lru_cache(maxsize=1)
def groups() -> list[Group]:
    from sessions_app.api.urls import api

    schema = api.get_openapi_schema(path_prefix="")
    found = {name: Group(name) for name in GROUPS}
    for path, methods in schema["paths"].items():
        name = next(name for name, starts in GROUPS.items() if f"/{path.lstrip('/')}".startswith(starts))
        for method in METHODS:
            if method in methods:
                found[name].operations.append(_operation(schema, method, f"/{path.lstrip('/')}", methods[method]))
    return list(found.values())


def _operation(schema: dict[str, Any], method: str, path: str, told: dict[str, Any]) -> Operation:
    answers = [(str(status), _answer(answer)) for status, answer in told["responses"].items()]
    return Operation(
        method.upper(),
        path,
        told["summary"],
        told.get("description", ""),
        tuple(_parameter(each) for each in told.get("parameters", ())),
        tuple(_fields(schema, told.get("requestBody", {}))),
        tuple(sorted(answers)),
        re.sub(r"\W+", "-", f"{method}{path}").strip("-"),
    )


def _answer(answer: dict[str, Any]) -> str:
    content = answer.get("content", {})
    kinds = [kind for kind in content if kind != "application/json"]
    named = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
    return ", ".join(filter(None, [named, *kinds])) or answer.get("description", "")


def _parameter(told: dict[str, Any]) -> Value:
    words = told.get("description") or told["schema"].get("description", "")
    return Value(told["name"], _kind(told["schema"]), told.get("required", False), words, told["in"])


def _fields(schema: dict[str, Any], body: dict[str, Any]) -> list[Value]:
    content = body.get("content", {})
    if "application/json" not in content:
        return [Value("body", kind, True, "A file.") for kind in content]
    told = _resolved(schema, content["application/json"]["schema"])
    needed = told.get("required", ())
    return [
        Value(name, _kind(each), name in needed, each.get("description", ""))
        for name, each in told.get("properties", {}).items()
    ]


def _resolved(schema: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    name = told.get("$ref", "").rpartition("/")[2]
    return schema["components"]["schemas"][name] if name else told


def _kind(told: dict[str, Any]) -> str:
    """In words: string, list of objects, integer or null."""
    if "anyOf" in told:
        return " or ".join(_kind(each) for each in told["anyOf"])
    if "enum" in told:
        return ", ".join(map(str, told["enum"]))
    if "$ref" in told:
        return told["$ref"].rpartition("/")[2]
    if told.get("type") == "array":
        return f"list of {_kind(told.get('items', {}))}"
    return told.get("format") or told.get("type") or "anything"
