"""The table of campaigns. Their phone numbers lie in campaign_phone_numbers, which the migration alone describes."""

from __future__ import annotations

from piccolo.columns import UUID, Array, BigInt, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table


class Campaign(Table, tablename="campaigns"):
    """One campaign. Its key is (owner_id, id), which Piccolo cannot say: the second migration does.

    `name_key` is what searches compare: NFC and case-folded. `phone_numbers` are the first 100, so that a list reads
    no more; `phone_number_count` counts all.
    """

    id = UUID(primary_key=True, default=None)
    owner_id = UUID(default=None)
    name = Varchar(length=200)
    name_key = Text()
    agent_id = UUID(default=None)
    status = Text(default="draft")
    phone_numbers = Array(base_column=Text())
    phone_number_count = Integer(default=0)
    start_time = Timestamptz(null=True, default=None)
    end_time = Timestamptz(null=True, default=None)
    max_concurrent_calls = Integer(null=True, default=None)
    scheduled_at = Timestamptz(null=True, default=None)
    launched_at = Timestamptz(null=True, default=None)
    paused_at = Timestamptz(null=True, default=None)
    resumed_at = Timestamptz(null=True, default=None)
    completed_at = Timestamptz(null=True, default=None)
    cancelled_at = Timestamptz(null=True, default=None)
    version = BigInt(default=1)
    created_at = Timestamptz()
    updated_at = Timestamptz()
