"""What the analytics publish: cards that other plugins put on the dashboard."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from voicera import hookspec

Kind = Literal["figure", "table", "bars"]
Filter = Literal["agent_id", "campaign_id", "days", "start_date", "end_date"]
KEY = re.compile(r"[a-z][a-z0-9-]{0,39}")
# Of this server, and without a query: `//elsewhere` would be another one.
PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")
MOST_TITLE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card on the dashboard, filled by a GET route of the plugin, which the page asks with the user's token.

    `key` names it among all cards (`short-calls`). `kind` says what the route answers, in the envelope:

    - "figure": `{"value": 12, "unit": "calls"}`, without a unit if you like;
    - "table": a list of objects with the same keys, which become the columns; the first 50 are shown;
    - "bars": a list of `{"label": "Sales", "value": 12}`, values from 0 up; the first 50 are shown.

    Whatever stands there is shown as text. `filters` are those filters of the page that the route takes as query
    parameters; the card does not change with the others. The route should say `@requires("analytics:read")`, or
    a scope of its own, and answers about the caller alone. Raises ValueError for what a card cannot be.
    """

    key: str
    title: str
    path: str
    kind: Kind
    filters: tuple[Filter, ...] = ()

    def __post_init__(self) -> None:
        if not KEY.fullmatch(self.key):
            raise ValueError(f"the key of a card is lower-case letters, digits and hyphens, not {self.key!r}")
        if not 1 <= len(self.title) <= MOST_TITLE:
            raise ValueError(f"card {self.key}: a title has 1 to {MOST_TITLE} characters")
        if not PATH.fullmatch(self.path):
            raise ValueError(f"card {self.key}: {self.path!r} is no path of this server, without parameters")
        if self.kind not in get_args(Kind):
            raise ValueError(f"card {self.key}: a kind is {', '.join(get_args(Kind))}, not {self.kind!r}")
        if unknown := [name for name in self.filters if name not in get_args(Filter)]:
            raise ValueError(f"card {self.key}: the page has no filter {unknown[0]}")


@hookspec
def register_cards() -> Sequence[Card]:  # type: ignore[empty-body]  # a specification has no body
    """Return cards that you put on the dashboard, in the order in which they stand there.

    Collected when a worker starts (*collect*): an installed plugin that raises is left out; a key that another plugin
    has already stops the start. The page asks a card's route once a minute and whenever its filters change. A route
    that fails shows its error on its card, and nothing else of the page suffers.
    """
