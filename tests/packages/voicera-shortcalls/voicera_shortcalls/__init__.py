"""Flags calls shorter than five seconds."""

from voicera_shortcalls import queries, routes

from voicera import hookimpl


@hookimpl
def register_blueprints():
    return [routes.blueprint]


@hookimpl
def register_piccolo_apps():
    return ["voicera_shortcalls.piccolo_app"]


@hookimpl
def register_errors():
    return [routes.TooManyFlags]


@hookimpl
def readiness_checks(resources):
    return {"shortcalls": lambda: queries.count(resources)}


@hookimpl
def register_commands(cli):
    @cli.command("shortcalls")
    def shortcalls() -> None:
        """Say how short a call is that is flagged."""
        print("calls shorter than 5 seconds are flagged")


@hookimpl
async def calls_recording(connection, batch):
    short = [call.id for call in batch.calls if (call.log.duration_seconds or 0) < 5]
    await queries.flag(connection, batch.owner_id, short)
