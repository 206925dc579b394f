"""The `voicera` command."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

import core
from core.http.blueprint import RouteError
from core.plugins import PluginError
from core.settings import (
    EMBEDDABLE,
    PREFIX,
    ConfigurationError,
    Settings,
    as_environment,
    load_settings,
    plain,
    with_values,
)

Result = TypeVar("Result")
CONFIGURATION_ERROR = ConfigurationError.exit_code
HELP = """[bold]VoiceERA[/]: the system of record for AI voice calls.

Start everything with [cyan]voicera serve[/], and look at [cyan]http://127.0.0.1:8000/docs[/].
Every option has an environment variable too: [cyan]voicera settings[/] lists them, with where each value comes from."""

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where the embedded servers keep their data [dim](.voicera)[/].")
]


def main() -> int:
    """Run the command line; return the exit code."""
    try:
        build_cli()(prog_name="voicera")
    except (ConfigurationError, PluginError, RouteError) as error:
        _complain(error)
        return CONFIGURATION_ERROR
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0


def _complain(error: object) -> None:
    err.print(f"[bold red]voicera:[/] {escape(str(error))}", soft_wrap=True)  # one line, for whoever reads logs


def build_cli() -> typer.Typer:
    """Make the command line: the kernel's commands, and those that the plugins add."""
    cli = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)
    cli.callback()(_top)
    for command in (serve, migrate, env, settings_table, plugins_table, routes_table):
        cli.command(name=command.__name__.removesuffix("_table"))(command)
    if _wants_plugins():
        from core.app import discover  # noqa: PLC0415  # slow to import, and most commands of ours do without

        _, plugins = discover()
        plugins.collect("register_commands", cli=cli)
    return cli


def _wants_plugins() -> bool:
    """The kernel's own commands, which children run at every start, need not import the plugins' commands."""
    own = {"serve", "env", "settings", "plugins", "routes", "migrate"}
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
    with _refusals_of_database():
        ran = asyncio.run(run(settings, plugins))
    for name in ran:
        err.print(f"[green]migrated[/] {name}", soft_wrap=True)
    if not ran:
        err.print("the database is up to date")
    for info in plugins.infos():
        if info.status == "failed":
            _complain(f"the plugin {info.name} is left out: {info.error}")


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


def plugins_table() -> None:
    """List the plugins: what is active, what failed and why, and which hooks each uses."""
    from core.app import assemble, discover  # noqa: PLC0415

    settings, plugins = discover()
    assemble(settings, plugins)
    colours = {"active": "green", "failed": "red", "disabled": "yellow"}
    table = _table("Plugins", "Plugin", "Version", "From", "State", "Hooks")
    for info in plugins.infos():
        state = f"[{colours[info.status]}]{info.status}[/]" + (f": {escape(info.error)}" if info.error else "")
        table.add_row(f"[cyan]{info.name}[/]", info.version, info.origin, state, ", ".join(info.hooks))
    out.print(table)


def routes_table() -> None:
    """List every route: method, path, the scope it asks for, its rate limit and its plugin."""
    from core.app import assemble, discover  # noqa: PLC0415

    table = _table("Routes", "Method", "Path", "Scope", "Limit", "Plugin")
    for route in sorted(assemble(*discover()).routes, key=lambda route: (route.path, route.method)):
        scope = route.scope or "[dim]public[/]"
        table.add_row(route.method, f"[cyan]{route.path}[/]", scope, route.limit or "[dim]none[/]", route.plugin)
    out.print(table)


def with_running_stack(settings: Settings) -> Settings:
    """Fill the URLs that are not set from the stack that runs in the data directory.

    Raises ConfigurationError if one is missing and no stack runs there.
    """
    from core.embedded.datadir import running_stack  # noqa: PLC0415

    if all(getattr(settings, name) is not None for name in EMBEDDABLE.values()):
        return settings
    found = running_stack(settings.data_dir)
    if found is None:
        raise ConfigurationError(
            f"no stack is running in {settings.data_dir}: start `voicera serve` there, or give VOICERA_DATABASE_URL"
        )
    # What somebody gave by hand stays; of host and port the stack knows better.
    known = {
        name: value
        for name, value in found.items()
        if name in Settings.model_fields and (name in ("host", "port") or settings.source(name) == "default")
    }
    return with_values(settings, known, "embedded")


def reaching_database(flags: dict[str, Any] | None = None) -> tuple[Settings, Any]:
    """Discover the plugins, with settings that name a database: the one configured, or the running stack's."""
    from core.app import discover  # noqa: PLC0415

    settings, plugins = discover(flags)
    if settings.database_url is None:
        settings = with_running_stack(settings)
    return settings, plugins


def run_with_resources(work: Callable[[Any], Awaitable[Result]], flags: dict[str, Any] | None = None) -> Result:
    """Run a command's coroutine with open `Resources`, as a worker has them; for the commands of plugins."""
    from core.app import assemble  # noqa: PLC0415
    from core.resources import open_resources  # noqa: PLC0415
    from piccolo_conf import DB  # noqa: PLC0415

    async def run() -> Result:
        settings, plugins = reaching_database(flags)
        assembly = assemble(with_running_stack(settings), plugins)
        async with AsyncExitStack() as stack:
            context = open_resources(assembly.settings, plugins.hooks, DB, assembly.limits, assembly.scopes)
            return await work(await stack.enter_async_context(context))

    return asyncio.run(run())


@contextmanager
def _refusals_of_database() -> Iterator[None]:
    """Say in one line that the database cannot be used: 78 where the settings are wrong, else 1."""
    import asyncpg  # noqa: PLC0415  # slow to import, and most commands do without

    wrong = asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError
    try:
        yield
    except wrong as error:
        raise ConfigurationError(f"VOICERA_DATABASE_URL: {error}") from None
    except asyncpg.ClientConfigurationError:  # its text carries parts of the URL
        raise ConfigurationError("VOICERA_DATABASE_URL: write postgresql://user:password@host:port/database") from None
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        _complain(f"the database does not answer ({type(error).__name__})")
        raise typer.Exit(1) from None


def _table(title: str, *columns: str) -> Table:
    """A table that names what it lists in full, however narrow the terminal; long values are folded, never cut."""
    first, *others = columns
    return Table(
        Column(first, no_wrap=True),
        *(Column(name, overflow="fold") for name in others),
        title=title,
        title_justify="left",
    )


def _masked(value: Any) -> str:
    return "[dim]********[/]" if isinstance(value, SecretStr) else escape(plain(value))


__all__ = ["build_cli", "main", "run_with_resources"]
