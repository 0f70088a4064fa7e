"""``kaibiao account``: who of the staff may come in. Run it where the data are; a serving hall need not stop."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from sessions.clock import SystemClock
from sessions.errors import CommandRefused
from sessions.roles import Role
from sessions.store.accounts import Accounts
from sessions.store.database import Database
from sessions.store.masterkey import MasterKeys
from sessions.store.migrations import pending
from sessions.store.staff import AccountExists, SqlAccounts, SqlLogins
from sessions.wording.refusals import refusal
from web.refused import Refused
from web.settings import load

app = typer.Typer(help="Accounts of staff: hosts, deputies, supervisors.", no_args_is_help=True)

Config = Annotated[Path | None, typer.Option("--config", help="TOML file with settings (docs/settings.md).")]
Account = Annotated[str, typer.Argument(help="Name to log in with.")]
PasswordFile = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="File with the password; else it is asked for.")
]


def register(kaibiao: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    kaibiao.add_typer(app, name="account")


@app.command("add")
def add(
    account: Account,
    *,
    name: Annotated[str, typer.Option(help="Name for people to read; it stands in the record.")],
    role: Annotated[list[Role], typer.Option(help="What the account may be: host, deputy, supervisor.")],
    password_file: PasswordFile = None,
    config: Config = None,
) -> None:
    """Add an account. Prints the otpauth: address for its authenticator, which is shown only now."""

    async def added() -> str:
        async with _accounts(config) as (accounts, _):
            return await accounts.create(account, name, _password(password_file), role)

    typer.echo(_told(added))


@app.command("password")
def password(account: Account, *, password_file: PasswordFile = None, config: Config = None) -> None:
    """Give an account another password, and end its logins."""

    async def changed() -> str:
        async with _accounts(config) as (accounts, logins):
            if await accounts.get(account) is None:
                raise Refused(f"There is no account {account}.", "`kaibiao account list` shows all.")
            await accounts.set_password(account, _password(password_file))
            await logins.end_all("staff", account)
        return f"The password of {account} was changed."

    typer.echo(_told(changed), err=True)


@app.command("disable")
def disable(account: Account, *, config: Config = None) -> None:
    """Shut an account out, at once."""

    async def disabled() -> str:
        async with _accounts(config) as (accounts, logins):
            if await accounts.get(account) is None:
                raise Refused(f"There is no account {account}.", "`kaibiao account list` shows all.")
            await accounts.disable(account)
            await logins.end_all("staff", account)
        return f"{account} is shut out."

    typer.echo(_told(disabled), err=True)


@app.command("list")
def every(*, config: Config = None) -> None:
    """List all accounts: name to log in with, roles, name for people."""

    async def listed() -> str:
        async with _accounts(config) as (accounts, _):
            found = await accounts.every()
        return "\n".join(
            f"{one.id}\t{','.join(sorted(one.roles))}\t{one.name}{'  (disabled)' if one.disabled else ''}"
            for one in found
        )

    typer.echo(_told(listed))


@asynccontextmanager
async def _accounts(config: Path | None) -> AsyncIterator[tuple[Accounts, SqlLogins]]:
    settings = load(config)
    database = Database(settings.database)
    try:
        if not settings.data_dir.is_dir() or await pending(database):
            raise Refused("There is no hall here, or its database is of an older form.", "Run `kaibiao migrate`.")
        key = MasterKeys(settings.data_dir)
        yield Accounts(SqlAccounts(database), key, SystemClock()), SqlLogins(database)
    finally:
        await database.close()


def _password(file: Path | None) -> str:
    """Return the password in the form in which a login will bring it (web.asking.bodies: NFC)."""
    if file is not None:
        text = file.read_text(encoding="utf-8").rstrip("\r\n")
    else:
        text = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return unicodedata.normalize("NFC", text)


def _told(act: Callable[[], Coroutine[None, None, str]]) -> str:
    """Run an act and say its refusals in words."""
    try:
        return asyncio.run(act())
    except AccountExists as error:
        raise Refused(f"There is an account {error} already.", "Choose another name.") from None
    except CommandRefused as error:
        title, next_step = refusal(error.code, error.facts)
        raise Refused(title.en, next_step.en) from None
