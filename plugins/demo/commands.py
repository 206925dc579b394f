"""The command `voicera demo`."""

from __future__ import annotations

import asyncio
import shlex
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from plugins.demo.service import sending
from plugins.demo.service.calls import Known, Story, utc_now
from plugins.demo.service.sending import Account
from voicera.client import ApiClient, ApiFailed, Unanswered, running_url

err = Console(stderr=True, highlight=False)


def demo(
    *,
    calls: Annotated[int, typer.Option(min=0, max=10_000_000, help="How many calls to make.")] = 50_000,
    recordings: Annotated[int, typer.Option(min=0, max=1_000, help="How many of them get a recording.")] = 300,
    url: Annotated[
        str | None, typer.Option(help="The service [dim](the one that runs in the data directory)[/].")
    ] = None,
    email: Annotated[str | None, typer.Option(help="The account to fill [dim](demo@example.com)[/].")] = None,
    password: Annotated[str | None, typer.Option(help="Its password; one is made up and shown if not given.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed tells the same story.")] = 1,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Where the service keeps its data.")] = None,
) -> None:
    """Fill an account with agents, campaigns, calls and recordings, and print what to try.

    Everything goes through the API of the running service.

    Run again with the same account and seed, it adds what is missing.
    """
    try:
        address = url or running_url(data_dir)
        asyncio.run(_demo(address, email=email, password=password, calls=calls, recordings=recordings, seed=seed))
    except (ApiFailed, Unanswered) as error:
        err.print(f"[bold red]voicera:[/] {escape(str(error))}", soft_wrap=True)
        if isinstance(error, ApiFailed) and error.code == sending.TAKEN:
            err.print("give its --password, or another --email")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        err.print("[bold red]voicera:[/] interrupted; with the same account it goes on where it was")
        raise typer.Exit(1) from None


async def _demo(url: str, *, email: str | None, password: str | None, calls: int, recordings: int, seed: int) -> None:
    started = time.monotonic()
    async with ApiClient.open(url) as client:
        account = await sending.open_account(client, email, password)
        _note(f"account {account.email}")
        known = await _people(client)
        story = Story(seed, utc_now(), known)
        heard = 0
        with _bar() as bar:
            task = bar.add_task("calls", total=calls)
            created, there = await sending.send_calls(client, story.calls(calls), lambda more: bar.advance(task, more))
            _note(f"{created:,} calls" + (f", {there:,} were there" if there else ""))
            if recordings and calls:
                task = bar.add_task("recordings", total=recordings)
                async with sending.optional(_note, "recordings"):
                    heard = await sending.send_recordings(
                        client,
                        recordings,
                        lambda total: bar.update(task, total=total),
                        lambda more: bar.advance(task, more),
                    )
                    _note(f"{heard:,} recordings")
        waited = f" ({client.waited:.0f} s of them waiting for rate limits)" if client.waited > 1 else ""
        _note(f"made in {time.monotonic() - started:.1f} s{waited}")
        await _what_to_try(client, account, known, heard=bool(heard))


async def _people(client: ApiClient) -> Known:
    agents: dict[str, str] = {}
    campaigns: dict[str, str] = {}
    async with sending.optional(_note, "agents"):
        agents = await sending.make_agents(client)
        _note(f"{len(agents)} agents")
    if agents:
        async with sending.optional(_note, "campaigns"):
            campaigns = await sending.make_campaigns(client, agents, utc_now())
            _note(f"{len(campaigns)} campaigns")
    return Known(agents, campaigns)


async def _what_to_try(client: ApiClient, account: Account, known: Known, *, heard: bool) -> None:
    """Print commands that work as they stand."""
    tries = [
        ("The newest completed calls", "/call-logs?status=completed&limit=3"),
        (
            "Calls that made somebody angry, of ten minutes and more",
            "/call-logs?sentiment=negative&min_duration=600&limit=3",
        ),
    ]
    if known.campaigns:
        tries.append(("The campaigns", "/campaigns?limit=3"))
    if heard:
        tries.append(("A recording, with an address to play it from", "/call-recordings?limit=1"))
    for title, path in (
        ("The last month in numbers", "/analytics/calls?days=30"),
        ("What they speak about", "/analytics/top-phrases?limit=5"),
    ):
        if await sending.answers(client, path):
            tries.append((title, path))
    say = typer.echo
    say(f"\n  e-mail    {account.email}\n  password  {account.password}\n")
    say(f"TOKEN={shlex.quote(account.token)}\n")
    for title, path in tries:
        say(f"# {title}\ncurl -s '{client.url}{path}' -H \"Authorization: Bearer $TOKEN\"\n")
    say(f'# All of it, as a file\nvoicera export calls --url {client.url} --api-key "$TOKEN" -o calls.csv\n')
    say(f"Every route, to try out:  {client.url}/docs")
    if await sending.answers(client, "/dashboard"):
        say(f"The dashboard:            {client.url}/dashboard")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:,.0f}/s")


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
        transient=True,
    )


def _note(text: str) -> None:
    err.print(f"[green]•[/] {escape(text)}", soft_wrap=True)
