"""The commands `voicera import calls` and `voicera export calls`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer
from rich.markup import escape

from plugins.calls.commands.exporting import Export, export_calls
from plugins.calls.commands.formats import formats_of
from plugins.calls.commands.importing import Import, Rejections, Sender
from plugins.calls.commands.origins import FromApi, FromDatabase, Origin
from plugins.calls.commands.position import Totals
from plugins.calls.commands.progress import err
from plugins.calls.commands.senders import ByApi, ByDatabase
from plugins.calls.commands.sources import STDIN, Format, Unreadable
from plugins.calls.hookspecs import ExportFormat
from plugins.calls.schemas.calls import CallStatus, Sentiment
from voicera import LOST, ApiError, ConfigurationError, Resources, brought, run_with_resources
from voicera.client import ApiClient, ApiFailed, Unanswered, running_url

Result = TypeVar("Result")
imports = typer.Typer(help="Import files.", no_args_is_help=True)
exports = typer.Typer(help="Export to files.", no_args_is_help=True)
imports.callback()(lambda: None)
exports.callback()(lambda: None)

Url = Annotated[str | None, typer.Option(help="The service [dim](the one that runs in the data directory)[/].")]
ApiKey = Annotated[
    str | None,
    typer.Option(envvar="VOICERA_API_KEY", show_envvar=True, help="An API key, or a token, of the calls' owner."),
]
Owner = Annotated[
    str | None,
    typer.Option(help="Past the API, straight to the database: the e-mail (or id) of the calls' owner."),
]


@imports.command("calls")
def import_calls(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files; `-` is standard input.")],
    *,
    format_: Annotated[
        Format | None, typer.Option("--format", help="What the files are, where their names do not tell.")
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    owner: Owner = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(help="Leave a field out, such as agent_id where calls go to another account. Repeat it for more."),
    ] = None,
    rejected: Annotated[Path | None, typer.Option(help="Write each rejected row here, as NDJSON.")] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="From the first row, also where an earlier import ended early.")
    ] = False,
) -> None:
    """Import call logs from CSV, NDJSON, JSON or Parquet; .gz and .zst are undone.

    What is known by its external id is left as it is, so import a file again at will.

    An import that ended early goes on where it was: run it again.

    The exit code is 1 if a row was rejected.
    """
    started = time.monotonic()
    rejections = Rejections(rejected)

    async def work(sender: Sender) -> Totals:
        job = Import(sender, rejections, restart=restart)
        try:
            await job.files(files, format_, drop or [])
        finally:
            rejections.show(job.totals.rejected)
            _summarize(job, time.monotonic() - started)
        return job.totals

    async def by_api(client: ApiClient) -> Totals:
        return await work(ByApi(client))

    async def by_database(resources: Resources, owner_id: UUID) -> Totals:
        return await work(ByDatabase(resources, owner_id))

    try:
        totals = _run(url, api_key, owner, by_api, by_database)
    finally:
        rejections.close()
    if totals.rejected:
        raise typer.Exit(1)


@exports.command("calls")
def export(
    *,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="What to write, where the file's name does not tell: ndjson, json, csv, parquet, or a plugin's.",
        ),
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="The file; `-` is standard output.")] = STDIN,
    url: Url = None,
    api_key: ApiKey = None,
    owner: Owner = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an export that ended early.")] = False,
    campaign_id: Annotated[UUID | None, typer.Option(help="Only this campaign's.")] = None,
    agent_id: Annotated[UUID | None, typer.Option(help="Only this agent's.")] = None,
    status: Annotated[CallStatus | None, typer.Option(help="Only those that stand so.")] = None,
    sentiment: Annotated[Sentiment | None, typer.Option(help="Only those of this mood.")] = None,
    phone_number: Annotated[str | None, typer.Option(help="Only this number's.")] = None,
    external_id: Annotated[str | None, typer.Option(help="Only the one with this external id.")] = None,
    min_duration: Annotated[int | None, typer.Option(help="Only those of so many seconds or more.")] = None,
    max_duration: Annotated[int | None, typer.Option(help="Only those of so many seconds or less.")] = None,
    start_date: Annotated[str | None, typer.Option(help="Only from this date or RFC 3339 time on.")] = None,
    end_date: Annotated[str | None, typer.Option(help="Only until this date (included) or time.")] = None,
) -> None:
    """Export call logs, newest first, whole with their transcripts; `voicera import calls` reads what it writes.

    The file appears when it is complete; until then it is FILE.part.
    """
    filters = {
        "campaign_id": campaign_id,
        "agent_id": agent_id,
        "status": status,
        "sentiment": sentiment,
        "phone_number": phone_number,
        "external_id": external_id,
        "min_duration": min_duration,
        "max_duration": max_duration,
        "start_date": start_date,
        "end_date": end_date,
    }
    given = {name: str(value) for name, value in filters.items() if value is not None}
    formats = formats_of(brought("register_export_formats", ExportFormat))
    if format_ is not None and format_ not in (known := [each.name for each in formats]):
        raise typer.BadParameter(f"is none of {', '.join(known)}", param_hint="--format")
    job = Export(output=output, given=format_, filters=given, resume=resume, formats=formats)

    async def by_api(client: ApiClient) -> str:
        return await work(FromApi(client, given))

    async def by_database(resources: Resources, owner_id: UUID) -> str:
        return await work(FromDatabase(resources, owner_id, given))

    async def work(origin: Origin) -> str:
        return await export_calls(job, origin)

    err.print(escape(_run(url, api_key, owner, by_api, by_database)), soft_wrap=True)


def _run(
    url: str | None,
    api_key: str | None,
    owner: str | None,
    by_api: Callable[[ApiClient], Awaitable[Result]],
    by_database: Callable[[Resources, UUID], Awaitable[Result]],
) -> Result:
    """Run the way that the options say, and end with one line where it cannot be gone."""

    async def open_api() -> Result:
        async with ApiClient.open(url or running_url(), api_key) as client:
            return await by_api(client)

    async def open_database(resources: Resources) -> Result:
        return await by_database(resources, await _owner(resources, owner or ""))

    if owner is None and api_key is None:
        raise ConfigurationError("give --api-key (or VOICERA_API_KEY), or --owner EMAIL to go straight to the database")
    try:
        return run_with_resources(open_database) if owner is not None else asyncio.run(open_api())
    except (Unreadable, ApiFailed, Unanswered, ApiError, *LOST) as error:
        err.print(f"[bold red]voicera:[/] {escape(_said(error))}", soft_wrap=True)
    except KeyboardInterrupt:
        err.print("[bold red]voicera:[/] interrupted")
    raise typer.Exit(1)


async def _owner(resources: Resources, owner: str) -> UUID:
    """The id of the owner with this e-mail; an id is taken as it is."""
    try:
        return UUID(owner)
    except ValueError:
        found: UUID | None = await resources.hooks.first("find_owner", resources=resources, email=owner)
    if found is None:
        raise Unreadable(f"no account has the e-mail {owner}")
    return found


def _said(error: Exception) -> str:
    if isinstance(error, ApiError):
        return error.message()
    return f"the database does not answer ({type(error).__name__})" if isinstance(error, LOST) else str(error)


def _summarize(job: Import, seconds: float) -> None:
    totals, rate = job.totals, job.fresh / seconds if seconds else 0.0
    parts: list[Any] = [
        f"read {totals.read:,}",
        f"created {totals.created:,}",
        f"duplicates {totals.duplicates:,}",
        f"rejected {totals.rejected:,}",
        f"{rate:,.0f} rows/s",
    ]
    typer.echo(", ".join(parts))
