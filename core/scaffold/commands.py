"""`voicera plugin new` and `voicera plugin migration`."""

from __future__ import annotations

import asyncio
import importlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from core.commands import reaching_database, refusals_of_database
from core.plugins import PluginError
from core.scaffold.new import ScaffoldError, write_plugin
from core.settings import ConfigurationError, Settings

if TYPE_CHECKING:
    from piccolo.conf.apps import AppConfig

out = Console(highlight=False)
plugin = typer.Typer(help="Write a plugin of your own.", no_args_is_help=True, rich_markup_mode="rich")
OF_APP = "SELECT relname FROM pg_class WHERE obj_description(oid, 'pg_class') = $1"
NEXT = """
[bold]Next[/], in {package}:
  [cyan]pip install -e '.\\[test]'[/]     [dim]or: uv pip install -e '.\\[test]'[/]
  [cyan]pytest[/]                       [dim]its tests run on real servers[/]
  [cyan]voicera serve[/]                [dim]in your service's folder: it is found, migrated and served[/]"""


@plugin.command()
def new(
    name: Annotated[str, typer.Argument(help="Small letters, digits and _, such as short_calls.")],
    into: Annotated[Path, typer.Option("--into", help="The directory to write the package into.")] = Path(),
) -> None:
    """Write the package of a new plugin: a route, a table, an event, a setting, an error code, and tests of it all."""
    try:
        files = write_plugin(name, into)
    except ScaffoldError as error:
        raise ConfigurationError(str(error)) from None
    package = into / f"voicera-{name.replace('_', '-')}"
    for file in files:
        out.print(f"[green]wrote[/] {escape(str(file))}", soft_wrap=True)
    out.print(NEXT.format(package=escape(str(package))), soft_wrap=True)


@plugin.command()
def migration(name: Annotated[str, typer.Argument(help="The plugin, installed with pip install -e.")]) -> None:
    """Write the migration that brings the database from your last migration to what your tables.py says.

    Start `voicera serve` first, or name a database: the tables are made in an empty database of its own, and compared.
    """
    settings, plugins = reaching_database()
    apps = [path for who, paths in plugins.collect("register_piccolo_apps") if who == name for path in paths]
    if not apps:
        known = ", ".join(info.name for info in plugins.infos() if info.status == "active")
        raise PluginError(f"no plugin {name} with a Piccolo app is installed; there are: {known}")
    with refusals_of_database():
        written = [file for path in apps if (file := asyncio.run(_next_migration(settings, plugins, path)))]
    for file in written:
        out.print(f"[green]wrote[/] {escape(str(file))}: read it, then `voicera migrate`", soft_wrap=True)
    if not written:
        out.print("the migrations make what the tables say: nothing to write")


async def _next_migration(settings: Settings, plugins: Any, path: str) -> Path | None:
    import asyncpg  # noqa: PLC0415  # slow to import

    from core.database import connect_options, on_database  # noqa: PLC0415
    from core.migrations import migrate  # noqa: PLC0415
    from core.scaffold.migration import changes, state_of, write  # noqa: PLC0415

    config: AppConfig = importlib.import_module(path).APP_CONFIG
    scratch = f"voicera_scratch_{secrets.token_hex(6)}"
    server = await asyncpg.connect(**connect_options(settings))
    try:
        await server.execute(f"CREATE DATABASE {scratch}")
        there = on_database(settings, scratch)
        await migrate(there, plugins)
        connection = await asyncpg.connect(**connect_options(there))
        try:
            ours = {row["relname"] for row in await connection.fetch(OF_APP, f"voicera:{config.app_name}")}
            made = {table: state for table, state in (await state_of(connection)).items() if table in ours}
            await connection.execute("CREATE SCHEMA wanted; SET search_path TO wanted")
            statements = await changes(connection, config.app_name, made, config.table_classes)
        finally:
            await connection.close()
    finally:
        await server.execute(f"DROP DATABASE IF EXISTS {scratch} WITH (FORCE)")
        await server.close()
    return write(Path(config.resolved_migrations_folder_path), config.app_name, statements) if statements else None
