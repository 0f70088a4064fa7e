"""``kaibiao postpone``: put many openings off at once, by two persons, over the hall's own interface."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated, Any

import httpx
import typer

from sessions.shape import moment, rfc3339
from web.cli.officer import LoginFile, login
from web.participant.remote import Hall, HallRefused
from web.refused import Refused

Url = Annotated[str, typer.Option(help="Address of the hall: https://hall.example.")]
Account = Annotated[str, typer.Option(help="Your account in the hall: host or deputy of the openings.")]


def register(kaibiao: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    kaibiao.command("postpone")(postpone)


def postpone(
    *,
    url: Url,
    account: Account,
    session: Annotated[list[str] | None, typer.Option(help="An opening; may be given several times.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every opening whose time has not come.")] = False,
    minutes: Annotated[int, typer.Option(min=1, max=43_200, help="By how long.")] = 120,
    reason: Annotated[str, typer.Option(help="The reason, for the record of each.")] = "",
    approve: Annotated[bool, typer.Option("--approve", help="Agree to what somebody else proposed instead.")] = False,
    login_file: LoginFile = None,
) -> None:
    """Propose to put openings off, or agree to it as the second person (--approve)."""
    if everything == bool(session):
        raise Refused("Which openings is not said.", "Name them with --session, or say --all.")
    if not approve and not reason.strip():
        raise Refused("The reason is missing.", "Give it with --reason: it is read out to everybody.")
    password, code = login(login_file)
    try:
        told = asyncio.run(_acted(url, account, password, code, session or [], minutes, reason, approve))
    except httpx.TransportError as error:
        raise Refused(
            f"The hall cannot be reached: {error}", "Check the address and the network, and run this again."
        ) from error
    for line in told:
        typer.echo(line)
    if not any(line.startswith("done") for line in told):
        raise Refused("Nothing was put off.", "Each line above says why.")


async def _acted(
    url: str,
    account: str,
    password: str,
    code: str,
    chosen: list[str],
    minutes: int,
    reason: str,
    approve: bool,
) -> list[str]:
    told = []
    async with Hall(url) as hall:
        await hall.login_password(account, password, code)
        for one in await hall.sessions():
            name = one["id"]
            if one["status"] not in ("scheduled", "checkin") or (chosen and name not in chosen):
                continue
            try:
                said = await _one(hall, await hall.view(name), name, account, minutes, reason, approve=approve)
            except HallRefused as refused:
                said = f"refused {name}: {refused}"
            told.append(said)
    return told


async def _one(
    hall: Hall, view: dict[str, Any], name: str, account: str, minutes: int, reason: str, *, approve: bool
) -> str:
    if not approve:
        t0 = rfc3339(moment(view["t0"]) + timedelta(minutes=minutes))
        await hall.command(name, "Postpone", t0=t0, reason=reason)
        return f"done {name}: {t0}, as far as it takes one person"
    made = [one for one in view["proposals"].values() if one["act"] == "Postpone" and one["state"] == "open"]
    others = [one for one in made if one["by"]["id"] != account]
    if not others:
        return f"nothing {name}: nobody else proposed it"
    await hall.command(name, "Approve", proposal=others[-1]["proposal"])
    return f"done {name}: {others[-1]['fields']['t0']}"
