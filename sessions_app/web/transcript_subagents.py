"""Finds, for the card of a sub-agent, the session that the sub-agent wrote."""

from __future__ import annotations

from collections.abc import Sequence

from sessions_app.models import Session
from sessions_app.titles import derived_title
from sessions_app.web.rendering.blocks import Group, Item
from sessions_app.web.rendering.cards import Card

LIMIT = 500  # sub-agents of one session among which is looked


def link_subagents(session: Session, drawn: Sequence[Item | Group]) -> None:
    """Sets `subagent` on the cards whose sub-agent is known: by the id that the agent recorded, or by its prompt."""
    items = [item for item in drawn if isinstance(item, Item)]
    cards = [(block, block.card) for item in items for block in item.blocks if block.card and block.card.is_subagent]
    if not cards:
        return
    children = list(
        Session.objects.visible().live().children_of(session.pk).subagents().select_related("transcript")[:LIMIT]
    )
    for block, card in cards:
        block.subagent = _named(children, card) or _told_the_same(children, card)


def _named(children: list[Session], card: Card) -> Session | None:
    return next((child for child in children if (name := _name(child)) and name in card.evidence), None)


def _name(child: Session) -> str:
    """The agent's own id of a sub-agent: of its file agent-<id>.jsonl, or of its session."""
    transcript = getattr(child, "transcript", None)
    if transcript is None:
        return ""
    if not transcript.subpath:
        return transcript.external_id
    return transcript.subpath.rpartition("/")[2].removesuffix(".jsonl").removeprefix("agent-")


def _told_the_same(children: list[Session], card: Card) -> Session | None:
    title = derived_title(card.prompt) if card.prompt else ""
    return next((child for child in children if child.title_source == "derived" and child.title == title), None)
