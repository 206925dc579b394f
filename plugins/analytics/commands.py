"""The commands `voicera analytics …`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from plugins.analytics.queries.rebuilding import Difference
from plugins.analytics.service import upkeep
from voicera import Resources, run_with_resources

analytics = typer.Typer(help="Prove the figures of the analytics right, or compute them anew.", no_args_is_help=True)
Owner = Annotated[UUID | None, typer.Option("--owner", help="One owner's alone: the id of the account.")]
out = Console(highlight=False)
SHOWN = 50


@analytics.command()
def check(owner: Owner = None) -> None:
    """Compute every figure from the call logs and compare; the exit status is 1 where one differs. It only reads."""

    async def work(resources: Resources) -> list[Difference]:
        owners = await upkeep.owners(resources) if owner is None else [owner]
        return [found for each in owners for found in await upkeep.check(resources, each)]

    found = run_with_resources(work)
    if found:
        out.print(_table(found))
        out.print(f"{len(found)} rows differ; `voicera analytics rebuild` computes them anew", soft_wrap=True)
        raise typer.Exit(1)
    out.print("every figure is what the call logs say")


@analytics.command()
def rebuild(owner: Owner = None) -> None:
    """Compute the figures anew from the call logs, one owner after the other; calls may come in meanwhile."""

    async def work(resources: Resources) -> int:
        owners = await upkeep.owners(resources) if owner is None else [owner]
        for each in owners:
            await upkeep.rebuild(resources, each)
        return len(owners)

    out.print(f"computed anew: the figures of {run_with_resources(work)} owners")


def _table(found: Sequence[Difference]) -> Table:
    table = Table("owner", "table", "about", "from", "lacking", title=f"the first {min(len(found), SHOWN)} differences")
    for each in found[:SHOWN]:
        key = dict(each.key)
        owner, bucket = key.pop("owner_id"), key.pop("bucket")
        about = ", ".join(f"{name}={value}" for name, value in key.items() if value is not None)
        began = datetime.fromtimestamp(bucket * 3600, UTC).strftime("%Y-%m-%d %H:00")
        table.add_row(str(owner), each.table, about, began, ", ".join(f"{n} {v:+}" for n, v in each.lacking.items()))
    return table
