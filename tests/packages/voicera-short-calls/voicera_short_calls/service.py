"""The rules of this plugin."""

from collections.abc import Iterable
from uuid import UUID

from plugins.calls.hookspecs import RecordedCall
from voicera import Connection, Resources

from voicera_short_calls import queries
from voicera_short_calls.settings import ShortCallsSettings


async def note(resources: Resources, connection: Connection, owner_id: UUID, calls: Iterable[RecordedCall]) -> None:
    """Flag the completed calls that are too short, in the transaction that records or changes them."""
    least = resources.settings.of(ShortCallsSettings).short_calls_seconds
    lasted = {call.id: call.log.duration_seconds or 0 for call in calls if call.log.status == "completed"}
    await queries.note(connection, owner_id, {call: seconds for call, seconds in lasted.items() if seconds < least})
