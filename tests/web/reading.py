"""Reads a page as a person does: the words of its parts, and what its links and forms lead to."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from django.http import HttpResponse

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source"}


class Element:
    def __init__(self, tag: str, attributes: dict[str, str]):
        self.tag, self.attributes = tag, attributes
        self.children: list[Element | str] = []

    def __getitem__(self, attribute: str) -> str:
        return self.attributes[attribute]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", self._raw_text()).strip()

    def _raw_text(self) -> str:
        return "".join(child if isinstance(child, str) else child._raw_text() for child in self.children)

    def all(self, tag: str = "", /, **attributes: str) -> list[Element]:
        """Elements within, by tag and attributes; `class_` is one of the classes, `data_kind` is data-kind."""
        found = []
        for child in self.children:
            if isinstance(child, Element):
                found += [child] if child._fits(tag, attributes) else []
                found += child.all(tag, **attributes)
        return found

    def one(self, tag: str = "", /, **attributes: str) -> Element:
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of {tag} {attributes} in {self.text[:500]!r}"
        return found[0]

    def _fits(self, tag: str, wanted: dict[str, str]) -> bool:
        if tag and tag != self.tag:
            return False
        for key, value in wanted.items():
            own = self.attributes.get(key.rstrip("_").replace("_", "-"))
            if own is None or (value not in own.split() if key == "class_" else own != value):
                return False
        return True


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        names = [element.tag for element in self.open]
        if tag in names:
            del self.open[len(names) - 1 - names[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def page(response: HttpResponse) -> Element:
    reader = _Reader()
    reader.feed(response.content.decode())
    return reader.open[0]


def titles(response: HttpResponse) -> list[str]:
    """The titles of the sessions listed, in order."""
    return [title.text for row in _rows(response) for title in row.all(class_="title")]


def row(response: HttpResponse, title: str) -> Element:
    return next(row for row in _rows(response) if row.one(class_="title").text == title)


def _rows(response: HttpResponse) -> list[Element]:
    return [row for row in page(response).all("tr") if "data-session" in row.attributes]
