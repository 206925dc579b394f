"""The table of agents."""

from __future__ import annotations

from piccolo.columns import JSON, UUID, BigInt, Text, Timestamptz, Varchar
from piccolo.table import Table


class Agent(Table, tablename="agents"):
    """One agent. Its key is (owner_id, id), which Piccolo cannot say: the second migration does.

    `name_key` and `description_key` are what names and searches compare: NFC and case-folded.
    """

    id = UUID(primary_key=True, default=None)
    owner_id = UUID(default=None)
    name = Varchar(length=200)
    name_key = Text()
    description = Text(null=True, default=None)
    description_key = Text(null=True, default=None)
    llm_provider = Text(null=True, default=None)
    llm_model = Text(null=True, default=None)
    stt_provider = Text(null=True, default=None)
    tts_provider = Text(null=True, default=None)
    system_prompt = Text(null=True, default=None)
    language = Text(null=True, default=None)
    voice_parameters = JSON(null=True, default=None)
    status = Text(default="active")
    version = BigInt(default=1)
    created_at = Timestamptz()
    updated_at = Timestamptz()
