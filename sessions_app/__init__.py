"""Forklore: the session store for AI agents, and the web UI over it."""

__version__ = "0.1.0"
