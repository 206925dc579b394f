"""The table of the feed; after a change run `voicera plugin migration activity`."""

from __future__ import annotations

from piccolo.columns import UUID, BigInt, Text, Timestamptz
from piccolo.table import Table


class ActivityEntries(Table, tablename="activity_entries"):
    """One thing that happened. Its key is (owner_id, id), which Piccolo cannot say."""

    id = UUID(primary_key=True, default=None)
    owner_id = UUID(default=None)
    kind = Text(default=None)
    subject_id = UUID(default=None)
    name = Text(default=None, null=True)
    calls = BigInt(default=None, null=True)
    at = Timestamptz(default=None)
