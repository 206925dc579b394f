"""What goes to and fro between this plugin and those that extend it; `hookspecs` publishes all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol
from uuid import UUID

from voicera import QueryParameter


class Parameters(Protocol):
    """The parameters of a statement that is being put together."""

    def add(self, value: object) -> str:
        """Add a parameter; return its place in the text, such as `$3`."""
        ...


@dataclass(frozen=True, slots=True)
class CallFilter(QueryParameter):
    """A filter of call logs that a plugin adds: a query parameter, and the condition that a value of it sets.

    `condition(value, owner, parameters)` gives a boolean SQL expression over a call log, which the text calls `log`.
    `owner` is the place of the owner's id in the statement, a uuid; values that you need come in by `parameters.add`.
    What a plugin knows of calls stands in a table of its own whose every key begins with the owner:

        EXISTS (SELECT FROM call_tags WHERE owner_id = {owner} AND call_id = log.id AND tag = {parameters.add(value)})

    PostgreSQL decides what to begin with. Give it the primary key `(owner_id, call_id, …)`, which is looked up once
    for each call log that is walked over, and an index such as `(owner_id, tag, call_id)`, by which few matching calls
    are found directly.
    """

    condition: Callable[[Any, str, Parameters], str]

    def sql(self, value: Any, owner: str, parameters: Parameters) -> str:
        """The condition in parentheses; raises TypeError where the plugin gives no text."""
        text = self.condition(value, owner, parameters)
        if not isinstance(text, str):
            raise TypeError(f"the filter {self.name} gives {type(text).__name__} in place of an SQL expression")
        return f"({text})"


ExtraFilters = tuple[tuple[CallFilter, Any], ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that a provider of voice calls sent for an owner, who is known by the token that came with it.

    `payload` is the decoded JSON of the body, `body` its bytes, over which providers compute their signatures.
    `headers` have lower-case names, and those that carry credentials of ours are not among them.
    """

    owner_id: UUID
    source: str
    payload: Any
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class RecordedReport:
    """What became of call logs: how many came, how many of them are new, how many were known already."""

    received: int
    created: int
    duplicates: int


class CallWriter(Protocol):
    """Writes call logs into an open file, each given as a line of JSON: as `GET /call-logs/{call_id}` shows it."""

    def add(self, line: bytes) -> None:
        """Write one."""
        ...

    def end(self) -> None:
        """Write what stands behind the last one; the file is closed by whoever opened it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFormat:
    """A format of `voicera export calls`: its name for `--format`, and the endings of files that tell it.

    `open(file, rows)` gives a writer into an open binary file, in which so many rows stand already where an export
    goes on. With `resumable`, all that was written so far is whole after every row. No packing: `.gz` and `.zst` are
    the command's.
    """

    name: str
    suffixes: tuple[str, ...]
    description: str
    open: Callable[[IO[bytes], int], CallWriter]
    resumable: bool = False
