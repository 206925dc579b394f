"""Keeps whom to call back, in a table of its own."""

from collections.abc import Sequence
from pathlib import Path

from piccolo.conf.apps import AppConfig

from voicera import Blueprint, Reply, Request, Struct, hookimpl, reply, requires

APP_CONFIG = AppConfig(app_name="callbacks", migrations_folder_path=str(Path(__file__).with_suffix("")))
blueprint = Blueprint("/callbacks")
ADD = "INSERT INTO callbacks (owner_id, phone_number) VALUES ($1, $2) ON CONFLICT DO NOTHING"
LIST = "SELECT phone_number FROM callbacks WHERE owner_id = $1 ORDER BY asked_at"


class Callback(Struct, forbid_unknown_fields=True):
    """Whom to call back."""

    phone_number: str


@hookimpl
def register_piccolo_apps() -> Sequence[str]:
    return [__name__]  # most plugins have a module `piccolo_app` with the APP_CONFIG


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [blueprint]


@blueprint.post(body=Callback, returns=list[str])
@requires("calls:write")
async def ask_back(request: Request) -> Reply:
    """Note a number to call back; answer all that wait, the first one first."""
    owner_id, wanted = request.principal.owner_id, request.decode(Callback)
    async with request.resources.db.tx() as connection:
        await connection.execute(ADD, owner_id, wanted.phone_number)
        return reply([row["phone_number"] for row in await connection.fetch(LIST, owner_id)])
