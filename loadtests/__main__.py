"""`make load`: starts a service of its own, fills it, lets locust's users at it, and fails on any answer that is wrong.

Every option is an environment variable, too: `--users` is LOADTEST_USERS.
"""

from __future__ import annotations

import os
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from loadtests import accounts, running, seeding
from loadtests.accounts import Owner
from loadtests.service import ROOT, service
from loadtests.sound import wav
from voicera.client import ApiFailed, Unanswered

SCENARIOS = ("day", "analytics", "ingestion", "listing")
OWN_LOGINS, FOREIGN_LOGINS = 60.0, 6.0  # a minute; the limit of a deployment is 10 unless it was raised
err = Console(stderr=True, highlight=False)


def main() -> int:
    """Run a load test; 1 if anything was wrong."""
    options = _options()
    output = Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    try:
        if options.host:
            return _on(options, options.host.rstrip("/"), None)
        with tempfile.TemporaryDirectory(prefix="voicera-load-") as folder:
            data = Path(folder) / "data"
            with service(data, options.workers, output / "load-service.log") as url:
                return _on(options, url, data)
    except (ApiFailed, Unanswered) as failed:
        err.print(f"[bold red]load test:[/] {failed}", soft_wrap=True)
        return 1


def _on(options: Namespace, url: str, data: Path | None) -> int:
    """Run it on a service: one of our own, whose data directory is given, or a deployment."""
    path = Path(options.accounts) if options.accounts else Path(options.output) / "load-accounts.json"
    owners = _owners(options, url, path)
    if options.prepare:
        err.print(f"the accounts: {path} (it holds credentials)")
        return 0
    if data is not None:
        with err.status("waiting until the figures are folded"):
            uvloop.run(running.settle(data))
    logins = options.logins if options.logins is not None else OWN_LOGINS if data else FOREIGN_LOGINS
    return running.run(options, url, path, owners, logins=logins / max(1, options.processes), data=data)


def _owners(options: Namespace, url: str, path: Path) -> list[Owner]:
    """Whom the users act for: accounts that are kept in a file, one that is there, or new ones with calls."""
    if options.host and not options.seed:
        if options.email:
            owners = [uvloop.run(seeding.log_in(url, options.email, options.password))]
            accounts.write(path, owners)
            return owners
        owners = accounts.read(path)
        for owner in owners:  # other runs may have added some since
            owner.calls = uvloop.run(seeding.total_of(url, owner))
        accounts.write(path, owners)
        return owners
    with _progress() as progress:
        task = progress.add_task("recording calls", total=options.calls)
        filling = seeding.seed(
            url, owners=options.owners, calls=options.calls, audio=wav(), advance=lambda n: progress.advance(task, n)
        )
        owners = uvloop.run(filling)
    accounts.write(path, owners)
    return owners


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=err
    )


def _options() -> Namespace:
    parser = ArgumentParser(prog="python -m loadtests", description=__doc__)

    def option(name: str, default: object, help_: str, **given: object) -> None:
        variable = f"LOADTEST_{name.upper()}"
        kind = {} if default is None else {"type": type(default)}
        shown = "" if default is None else f" (default: {default})"
        default = os.environ.get(variable) or default
        parser.add_argument(f"--{name}", default=default, help=f"{help_}{shown} [{variable}]", **{**kind, **given})  # type: ignore[arg-type]

    option("scenario", "day", "what the users do", choices=SCENARIOS)
    option("users", 200, "how many users at once")
    option("seconds", 60, "how long")
    option("pace", 1.0, "how hurried users are: 2.0 halves the time they think")
    option("processes", 1, "how many generators share the users")
    option("workers", 2, "how many workers the service gets")
    option("owners", 20, "how many accounts are made")
    option("calls", 100_000, "how many calls are recorded before the test")
    option("host", None, "the URL of a deployment, in place of a service of its own")
    option("email", None, "an account there")
    option("password", None, "its password")
    option("accounts", None, "the file that names the accounts; it is made, or used if --host is given alone")
    option("logins", None, "how many log-ins a minute, of all users together", type=float)
    option("target", 250.0, "milliseconds within which 95 of 100 answers should come; shown, not enforced")
    option("output", str(ROOT / "build"), "the folder for the reports")
    parser.add_argument("--seed", action="store_true", help="make accounts with calls on the deployment")
    parser.add_argument("--prepare", action="store_true", help="write the file of accounts and stop")
    options = parser.parse_args()
    if options.prepare and not options.host:
        parser.error("--prepare is for a deployment: give --host")
    if options.email and not options.password:
        parser.error("--email goes with --password")
    return options


if __name__ == "__main__":
    sys.exit(main())
