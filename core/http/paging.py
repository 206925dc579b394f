"""Pages: `skip` and `limit` of a request, and the shape of a list in an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import msgspec

Item = TypeVar("Item")
Skip = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1, description="How many to leave out from the front.")]
PageSize = Annotated[int, msgspec.Meta(ge=1, le=1000, description="How many to answer at most.")]

if TYPE_CHECKING:
    Items = list[Item] | Any  # a `Fragment` of ready JSON may stand for the list
else:
    Items = list


class Paging(msgspec.Struct, frozen=True, kw_only=True):
    """Query parameters of every list; subclass it with the filters of yours."""

    skip: Skip = 0
    limit: PageSize = 50


class Page(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """A list in an answer; `total` counts all that match, on whatever page."""

    total: int
    skip: int
    limit: int
    items: Items[Item]
