"""The commands `voicera user …`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from plugins.auth.schemas import UserView
from plugins.auth.service import operators
from voicera import ApiError, Resources, run_with_resources

users = typer.Typer(help="Make, disable and enable accounts.", no_args_is_help=True)
Email = Annotated[str, typer.Argument(help="The account's e-mail.")]


@users.command()
def create(
    email: Email,
    *,
    admin: Annotated[bool, typer.Option("--admin", help="Make it an administrator.")] = False,
    first_name: Annotated[str, typer.Option(help="First name.")] = "-",
    last_name: Annotated[str, typer.Option(help="Last name.")] = "-",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
) -> None:
    """Make an account; the password is asked for, never given as an argument."""
    given = {"email": email, "first_name": first_name, "last_name": last_name, "password": _password(password_stdin)}

    async def work(resources: Resources) -> UserView:
        return await operators.create_user(resources, given, admin=admin)

    try:
        made = run_with_resources(work)
    except ApiError as error:
        raise _failed(error) from None
    typer.echo(f"{made.role} {made.email} {made.id}")


@users.command()
def disable(email: Email) -> None:
    """Disable an account: its sessions and API keys end, and nobody can log in."""
    _set_disabled(email, disabled=True)


@users.command()
def enable(email: Email) -> None:
    """Let a disabled account log in again; its old sessions and API keys stay ended."""
    _set_disabled(email, disabled=False)


def _set_disabled(email: str, *, disabled: bool) -> None:
    async def work(resources: Resources) -> bool:
        return await operators.set_disabled(resources, email, disabled=disabled)

    if not run_with_resources(work):
        typer.echo("voicera: no account has this e-mail", err=True)
        raise typer.Exit(1)


def _password(from_stdin: bool) -> str:  # noqa: FBT001  # a helper of this file
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    answer: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return answer


def _failed(error: ApiError) -> typer.Exit:
    fields = [] if error.details is None or isinstance(error.details, str) else error.details
    said = "; ".join(f"{each['field']} {each['message']}".strip() for each in fields)
    typer.echo(f"voicera: {error.message()}{': ' if said else ''}{said}", err=True)
    return typer.Exit(1)
