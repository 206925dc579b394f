"""Says whether the office is open, so that an agent knows when it can hand a caller over."""

from collections.abc import Sequence

from pydantic import Field

from voicera import Blueprint, Reply, Request, SettingsSection, hookimpl, public, reply

blueprint = Blueprint("/office")


class OfficeSettings(SettingsSection):
    """The office."""

    office_opens: int = Field(9, ge=0, le=23, description="The hour (UTC) from which on people take calls over.")
    office_closes: int = Field(17, ge=1, le=24, description="The hour (UTC) from which on nobody is there.")


@hookimpl
def register_settings() -> Sequence[type[SettingsSection]]:
    return [OfficeSettings]


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [blueprint]


@blueprint.get("/open", returns=bool)
@public
async def is_open(request: Request) -> Reply:
    """Say whether the office is open now."""
    office = request.resources.settings.of(OfficeSettings)
    return reply(office.office_opens <= request.resources.now().hour < office.office_closes)
