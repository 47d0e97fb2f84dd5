"""Exact search through titles and bodies: one interface, whatever finds the candidates."""

from sessions_app.search.walk import search

__all__ = ["search"]
