"""What a client sends about agents, and what it gets."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from voicera import UNSET, Meta, Paging, Struct, UnsetType

# A pattern's `$` also matches before a final line feed in Python; the look-ahead says that nothing may follow.
LANGUAGE_TAG = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,8}$(?!\n)"

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"\S",
        description="Unique among the owner's agents, whatever its case; outer white space is cut off.",
        extra={"wanted": "must not be blank"},
    ),
]
Description = Annotated[str, Meta(max_length=2000)]
Provider = Annotated[str, Meta(min_length=1, max_length=100, description="A provider's name, such as `openai`.")]
Model = Annotated[str, Meta(min_length=1, max_length=200, description="The provider's name of a model.")]
Prompt = Annotated[str, Meta(max_length=100_000)]
Language = Annotated[
    str,
    Meta(
        max_length=80,
        pattern=LANGUAGE_TAG,
        description="A language tag in the form of BCP 47: `en`, `pt-BR`.",
        extra={"wanted": "must be a language tag such as en or pt-BR"},
    ),
]
VoiceParameters = Annotated[
    dict[str, Any],
    Meta(
        description=(
            "Given to the voice provider as it is; to 16 KiB of JSON. Known keys: `voice_id` (string), "
            "`speed` (number above 0, to 10) and `tone` (string); others are kept."
        )
    ),
]
Status = Literal["active", "inactive", "archived"]
Sort = Literal["-created_at", "created_at", "name", "-name", "updated_at", "-updated_at"]


class NewAgent(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A new agent; only its name is required."""

    name: Name
    description: Description | None = None
    llm_provider: Provider | None = None
    llm_model: Model | None = None
    stt_provider: Provider | None = None
    tts_provider: Provider | None = None
    system_prompt: Prompt | None = None
    language: Language | None = None
    voice_parameters: VoiceParameters | None = None
    status: Status = "active"


class AgentChange(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A change: the fields given are set, null clears one that may be null, the others stay."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    llm_provider: Provider | UnsetType | None = UNSET
    llm_model: Model | UnsetType | None = UNSET
    stt_provider: Provider | UnsetType | None = UNSET
    tts_provider: Provider | UnsetType | None = UNSET
    system_prompt: Prompt | UnsetType | None = UNSET
    language: Language | UnsetType | None = UNSET
    voice_parameters: VoiceParameters | UnsetType | None = UNSET
    status: Status | UnsetType = UNSET


class AgentItem(Struct, kw_only=True):
    """An agent in a list."""

    id: UUID
    name: str
    description: str | None
    llm_provider: str | None
    llm_model: str | None
    stt_provider: str | None
    tts_provider: str | None
    language: str | None
    status: Status
    created_at: datetime
    updated_at: datetime


class AgentView(AgentItem, kw_only=True):
    """A whole agent."""

    user_id: UUID
    system_prompt: str | None
    voice_parameters: dict[str, Any] | None


class AgentQuery(Paging, kw_only=True, frozen=True):
    """Which agents to list, and in what order."""

    limit: Annotated[int, Meta(ge=1, le=1000, description="How many to answer at most.")] = 10
    search: Annotated[
        str, Meta(max_length=200, description="Text that the name or the description contains, whatever its case.")
    ] = ""
    status: Status | None = None
    llm_provider: Provider | None = None
    language: Language | None = None
    sort: Annotated[Sort, Meta(description="The order; `-` is descending. Names are compared whatever their case.")] = (
        "-created_at"
    )


CREATE_EXAMPLE = {
    "name": "Support Agent",
    "description": "Handles customer support",
    "llm_provider": "openai",
    "llm_model": "gpt-4",
    "stt_provider": "deepgram",
    "tts_provider": "cartesia",
    "system_prompt": "You are a helpful support agent. Help customers with their issues.",
    "language": "en",
    "voice_parameters": {"voice_id": "english_male", "speed": 1.0, "tone": "professional"},
}
CHANGE_EXAMPLE = {"name": "Updated Name", "system_prompt": "New system prompt here"}
VIEW_EXAMPLE = {
    **CREATE_EXAMPLE,
    "id": "018d54f1-2d40-7c11-8f5e-0242ac120002",
    "user_id": "018d54f1-0a10-7b3e-9d7c-0242ac120002",
    "status": "active",
    "created_at": "2024-01-29T10:30:00.000Z",
    "updated_at": "2024-01-29T10:30:00.000Z",
}
CHANGED_EXAMPLE = {**VIEW_EXAMPLE, **CHANGE_EXAMPLE, "updated_at": "2024-01-29T10:35:00.000Z"}
LIST_EXAMPLE = {
    "total": 15,
    "skip": 0,
    "limit": 10,
    "items": [
        {
            "id": "018d54f1-2d40-7c11-8f5e-0242ac120002",
            "name": "Sales Agent",
            "description": "Handles sales inquiries",
            "llm_provider": "openai",
            "llm_model": "gpt-4",
            "stt_provider": "deepgram",
            "tts_provider": "cartesia",
            "language": "en",
            "status": "active",
            "created_at": "2024-01-29T10:30:00.000Z",
            "updated_at": "2024-01-29T10:30:00.000Z",
        }
    ],
}
