"""Keeps each owner's number of calls in a row, so that a list without filters need not count: for few writers.

The row is locked until the transaction that records calls ends; the bundled analytics know how to do without that.
"""

from collections.abc import Sequence
from pathlib import Path

from piccolo.conf.apps import AppConfig

from plugins.calls.hookspecs import CallQuery, CallsChanged, CallsRecorded, Parameters
from voicera import Connection, hookimpl

APP_CONFIG = AppConfig(app_name="call_totals", migrations_folder_path=str(Path(__file__).with_suffix("")))
ADD = """
INSERT INTO call_totals AS total VALUES ($1, $2)
ON CONFLICT (owner_id) DO UPDATE SET calls = total.calls + excluded.calls"""


@hookimpl
def register_piccolo_apps() -> Sequence[str]:
    return [__name__]


@hookimpl
async def calls_recording(connection: Connection, batch: CallsRecorded) -> None:
    await connection.execute(ADD, batch.owner_id, len(batch.calls))


@hookimpl
async def calls_changing(connection: Connection, batch: CallsChanged) -> None:
    await connection.execute(ADD, batch.owner_id, -sum(change.after is None for change in batch.changes))


@hookimpl(tryfirst=True)  # before the analytics
async def count_calls(query: CallQuery, parameters: Parameters) -> str | None:
    if query != CallQuery(owner_id=query.owner_id):
        return None  # with a filter somebody else must say
    return f"coalesce((SELECT calls FROM call_totals WHERE owner_id = {parameters.add(query.owner_id)}), 0)"
