"""The cards that plugins put on the dashboard."""

from __future__ import annotations

from plugins.analytics.hookspecs import Card
from plugins.analytics.schemas import CardView
from voicera import ConfigurationError, Resources

STATE = "analytics.cards"


def keep(resources: Resources) -> None:
    """Ask the plugins for their cards, once a worker.

    Raises ConfigurationError that names the plugins where two have the same key.
    """
    found: dict[str, tuple[str, Card]] = {}
    for plugin, card in resources.hooks.brought("register_cards", Card):
        if other := found.get(card.key):
            raise ConfigurationError(f"the dashboard's card {card.key} is claimed by both {other[0]} and {plugin}")
        found[card.key] = (plugin, card)
    resources.state[STATE] = [
        CardView(key=card.key, title=card.title, path=card.path, kind=card.kind, filters=list(card.filters))
        for _, card in found.values()
    ]


def cards(resources: Resources) -> list[CardView]:
    """The cards, in the order of the plugins."""
    kept: list[CardView] = resources.state[STATE]
    return kept
