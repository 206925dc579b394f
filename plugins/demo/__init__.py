"""A demonstration: an account full of believable calls, made through the API of a running service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicera import hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def register_commands(cli: typer.Typer) -> None:
    from plugins.demo import commands  # noqa: PLC0415  # a serving worker has no use for it

    cli.command()(commands.demo)
