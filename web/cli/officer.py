"""``kaibiao officer``: the officer of a lock without a browser. The key is used here and goes nowhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.certificates import Usage, check_leaf
from crypto.encoding import b64u
from crypto.errors import CryptoRefused
from web.cli.sealing import PasswordFile, credential
from web.participant.officer import lock_of, rehearse
from web.participant.remote import Hall
from web.refused import Refused

app = typer.Typer(help="Officers of locks: try the key, remove the lock.", no_args_is_help=True)

Url = Annotated[str, typer.Option(help="Address of the opening's page: https://hall.example/s/ID.")]
Key = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Your encryption key: PKCS#12 or PEM.")]
Account = Annotated[str, typer.Option(help="Your account in the hall.")]
LoginFile = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="File with password and one-time code, a line each."),
]


def register(kaibiao: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    kaibiao.add_typer(app, name="officer")


@app.command("certificate")
def certificate(key: Key, *, password_file: PasswordFile = None) -> None:
    """Print your certificate as a tender file names it (`certificate` of an officer)."""
    mine = credential(key, password_file)
    check_leaf(mine.certificate, Usage.ENCRYPT)
    typer.echo(b64u(mine.certificate.public_bytes(Encoding.DER)))


@app.command("ready")
def ready(
    *, url: Url, key: Key, account: Account, password_file: PasswordFile = None, login_file: LoginFile = None
) -> None:
    """Try your key here, on a value made here, and tell the hall whether it worked."""
    mine = credential(key, password_file)
    try:
        rehearse(mine)
        passed = True
    except CryptoRefused:
        passed = False

    async def told(hall: Hall, session: str, lock: str) -> None:
        await hall.command(session, "ReadyOfficer", lock=lock, passed=passed)

    _as_officer(url, account, login_file, told)
    if not passed:
        raise Refused("The key does not open what is sealed to its certificate.", "Export both again, and try anew.")
    sys.stderr.write("Ready: the key works, and the hall knows.\n")


@app.command("unlock")
def unlock(
    *, url: Url, key: Key, account: Account, password_file: PasswordFile = None, login_file: LoginFile = None
) -> None:
    """Remove your lock, once the barrier has passed: open the shares sealed to you, here, and hand them over."""
    mine = credential(key, password_file)
    failed: dict[str, str] = {}

    async def removed(hall: Hall, session: str, lock: str) -> None:
        if (await hall.view(session))["locks"][lock]["state"] != "holding":
            raise Refused("The locks are not to be removed now.", "Wait until the barrier has passed.")
        failed.update(await hall.remove_lock(session, mine))

    _as_officer(url, account, login_file, removed)
    for bidder, code in failed.items():
        typer.echo(f"{bidder} {code}")
    if failed:
        raise Refused(f"On {len(failed)} bids the share does not fit; it is on record.", "You may run this again.")
    sys.stderr.write("Your lock is removed.\n")


def _as_officer(
    url: str, account: str, login_file: Path | None, act: Callable[[Hall, str, str], Coroutine[Any, Any, None]]
) -> None:
    parts = urlsplit(url)
    session = parts.path.strip("/").rpartition("/")[2]
    if not session:
        raise Refused("The address names no opening.", "Give that of its page: --url https://hall.example/s/ID")
    password, code = login(login_file)

    async def acted() -> None:
        async with Hall(f"{parts.scheme}://{parts.netloc}") as hall:
            await hall.login_password(account, password, code)
            lock = lock_of(await hall.view(session), account)
            if lock is None:
                raise Refused(f"{account} is no officer of a lock here.", "Log in with the announced account.")
            await act(hall, session, lock)

    try:
        asyncio.run(acted())
    except httpx.TransportError as error:
        raise Refused(
            f"The hall cannot be reached: {error}", "Check the address and the network, and run this again."
        ) from error


def login(file: Path | None) -> tuple[str, str]:
    """Return password and one-time code of an account, from a file or asked for on the terminal."""
    if file is not None:
        lines = file.read_text("utf-8").splitlines()
        if len(lines) < 2:
            raise Refused(f"{file.name} has no two lines.", "Password on the first, one-time code on the second.")
        return lines[0], lines[1].strip()
    if not sys.stdin.isatty():
        raise Refused("Your account's password is asked for on a terminal.", "Or put it into a file: --login-file.")
    password: str = typer.prompt("Password of your account", hide_input=True, err=True)
    code: str = typer.prompt("One-time code", err=True)
    return password, code
