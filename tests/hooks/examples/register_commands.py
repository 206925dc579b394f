"""Adds `voicera unanswered`: how many calls nobody answered since yesterday, for the operator's morning."""

from datetime import timedelta

import typer

from voicera import Resources, hookimpl, lowest, milliseconds_of, run_with_resources

COUNT = "SELECT count(*) FROM call_logs WHERE id >= $1 AND status = 'no_answer'"


@hookimpl
def register_commands(cli: typer.Typer) -> None:
    cli.command()(unanswered)


def unanswered() -> None:
    """Count the calls of the last 24 hours that nobody answered, of all owners."""
    typer.echo(f"{run_with_resources(count)} calls were not answered")


async def count(resources: Resources) -> int:
    since = lowest(milliseconds_of(resources.now() - timedelta(days=1)))
    async with resources.db.connection() as connection:
        return await connection.fetchval(COUNT, since)
