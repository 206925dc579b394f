"""The `voicera` command."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

import core
from core.commands import (
    DatabaseAway,
    complain,
    complaining,
    err,
    reaching_database,
    refusals_of_database,
    with_running_stack,
)
from core.http.blueprint import RouteError
from core.plugins import PluginError
from core.scaffold import commands as scaffold
from core.settings import (
    PREFIX,
    ConfigurationError,
    as_environment,
    load_settings,
    plain,
)

CONFIGURATION_ERROR = ConfigurationError.exit_code
HELP = """[bold]VoiceERA[/]: the system of record for AI voice calls.

Start everything with [cyan]voicera serve[/], and look at [cyan]http://127.0.0.1:8000/docs[/].
Every option has an environment variable too: [cyan]voicera settings[/] lists them, with where each value comes from."""

out = Console(highlight=False)
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where the embedded servers keep their data [dim](.voicera)[/].")
]


def main() -> int:
    """Run the command line; return the exit code."""
    try:
        with complaining():
            build_cli()(prog_name="voicera")
    except (ConfigurationError, PluginError, RouteError) as error:
        complain(error)
        return CONFIGURATION_ERROR
    except DatabaseAway as error:
        complain(error)
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0


def build_cli() -> typer.Typer:
    """Make the command line: the kernel's commands, and those that the plugins add."""
    cli = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)
    cli.callback()(_top)
    for command in (serve, migrate, env, settings_table, plugins_table, routes_table):
        cli.command(name=command.__name__.removesuffix("_table"))(command)
    cli.add_typer(scaffold.plugin, name="plugin")
    if _wants_plugins():
        from core.app import discover  # noqa: PLC0415  # slow to import, and most commands of ours do without

        _, plugins = discover()
        plugins.collect("register_commands", cli=cli)
    return cli


def _wants_plugins() -> bool:
    """The kernel's own commands, which children run at every start, need not import the plugins' commands."""
    own = {"serve", "env", "settings", "plugins", "plugin", "routes", "migrate"}
    return not (len(sys.argv) > 1 and sys.argv[1] in own)


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(core.__version__)
        raise typer.Exit


def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on [dim](127.0.0.1)[/].")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on [dim](8000)[/].")] = None,
    workers: Annotated[int | None, typer.Option(help="How many worker processes [dim](2)[/].")] = None,
    data_dir: DataDir = None,
    env: Annotated[str | None, typer.Option(help="development or production.")] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Restart the workers when the code changes.")] = False,
) -> None:
    """Serve the API, with the servers that it needs.

    PostgreSQL, Valkey and an S3 server are started for you, in the data directory, unless
    VOICERA_DATABASE_URL, VOICERA_REDIS_URL or VOICERA_S3_ENDPOINT_URL name yours. Ctrl-C ends all.
    """
    from core.logging import setup_logging  # noqa: PLC0415
    from core.supervisor import serve as run  # noqa: PLC0415

    flags = {"host": host, "port": port, "workers": workers, "data_dir": data_dir, "env": env}
    settings = load_settings(flags=flags, check_unknown=False)
    writer = setup_logging(settings.log_level, settings.log_format)
    try:
        code = run(settings, reload=reload)
    finally:
        writer.close()
    raise typer.Exit(code)


def migrate(data_dir: DataDir = None) -> None:
    """Bring the database up to date; safe to run at any time, and from several places at once."""
    from core.migrations import migrate as run  # noqa: PLC0415

    settings, plugins = reaching_database({"data_dir": data_dir})
    with refusals_of_database():
        ran = asyncio.run(run(settings, plugins))
    for name in ran:
        err.print(f"[green]migrated[/] {name}", soft_wrap=True)
    if not ran:
        err.print("the database is up to date")


def env(
    name: Annotated[str | None, typer.Argument(help="One setting alone, such as DATABASE_URL.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Print the settings of the running stack as shell exports, or the value of one of them.

    Use it as  psql "$(voicera env DATABASE_URL)"  or  eval "$(voicera env)".
    """
    values = as_environment(with_running_stack(load_settings(flags={"data_dir": data_dir}, check_unknown=False)))
    if name is None:
        for key, value in values.items():
            sys.stdout.write(f"export {key}={shlex.quote(value)}\n")
        return
    key = PREFIX + name.upper().removeprefix(PREFIX)
    if key not in values:
        raise ConfigurationError(f"the running stack sets no {key}; it sets {', '.join(values)}")
    sys.stdout.write(values[key] + "\n")


def settings_table(data_dir: DataDir = None) -> None:
    """List every setting, its value and where that comes from; secrets are masked."""
    from core.app import discover  # noqa: PLC0415

    settings, _ = discover({"data_dir": data_dir})
    table = _table("Settings", "Variable", "Value", "From", "Meaning")
    for section in settings.sections():
        for name, field in type(section).model_fields.items():
            value = getattr(section, name)
            shown = "[dim]not set[/]" if value in (None, ()) else _masked(value)
            table.add_row(f"[cyan]{PREFIX}{name.upper()}[/]", shown, settings.source(name), field.description or "")
    out.print(table)


def plugins_table(
    hooks: Annotated[bool, typer.Option("--hooks", help="List the hooks that each uses, too.")] = False,
    data_dir: DataDir = None,
) -> None:
    """List the plugins: what is active, what failed and why, how many hooks each uses, and what those have cost.

    Calls, time and failures are those of the service that runs in the data directory, or that is configured, since it
    was started; there are none where none runs.
    """
    from core.app import assemble, discover  # noqa: PLC0415
    from core.plugins_table import COLUMNS, HOOK_COLUMNS, Shown  # noqa: PLC0415

    settings, plugins = discover({"data_dir": data_dir})
    assemble(settings, plugins)
    shown = Shown.of(settings, plugins)
    out.print(_table("Plugins", *COLUMNS, rows=shown.rows()))
    if hooks:
        out.print(_table("Hooks", *HOOK_COLUMNS, rows=shown.hook_rows()))
    for complaint in shown.complaints():
        out.print(complaint, soft_wrap=True)


def routes_table() -> None:
    """List every route: method, path, the scope it asks for, its rate limit and its plugin."""
    from core.app import assemble, discover  # noqa: PLC0415

    table = _table("Routes", "Method", "Path", "Scope", "Limit", "Plugin")
    for route in sorted(assemble(*discover()).routes, key=lambda route: (route.path, route.method)):
        scope = route.scope or "[dim]public[/]"
        table.add_row(route.method, f"[cyan]{route.path}[/]", scope, route.limit or "[dim]none[/]", route.plugin)
    out.print(table)


def _table(title: str, *columns: str, rows: Iterable[list[str]] = ()) -> Table:
    """A table that names what it lists in full, however narrow the terminal; long values are folded, never cut."""
    first, *others = columns
    table = Table(
        Column(first, no_wrap=True),
        *(Column(name, overflow="fold") for name in others),
        title=title,
        title_justify="left",
    )
    for row in rows:
        table.add_row(*row)
    return table


def _masked(value: Any) -> str:
    return "[dim]********[/]" if isinstance(value, SecretStr) else escape(plain(value))
