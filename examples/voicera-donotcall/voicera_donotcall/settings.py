"""The settings of the do-not-call list."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from voicera import SettingsSection


class DoNotCallSettings(SettingsSection):
    """Do not call."""

    donotcall_mode: Literal["drop", "veto"] = Field(
        "drop", description="What a campaign with listed numbers does: it drops them, or it is not launched."
    )
    donotcall_listen: bool = Field(
        False, description="Whether who asks in a call not to be called again is put on the list."
    )
