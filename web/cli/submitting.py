"""``kaibiao submit``: a bidder sends its sealed bid and gets its receipt."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import httpx
import typer

from crypto.certificates import Credential
from crypto.container import Container, read_header
from web.cli.progress import progress
from web.cli.refused import Refused
from web.cli.sealing import PasswordFile, credential
from web.remote import Accepted, Hall, HallRefused


def register(app: typer.Typer) -> None:
    """Add the command of this module to ``app``."""
    app.command("submit")(submit)


def submit(
    bid: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The sealed bid.")],
    *,
    url: Annotated[str, typer.Option(help="Address of the hall, or of the opening's page in it.")],
    sign: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Signing key: PKCS#12 or PEM.")],
    password_file: PasswordFile = None,
) -> None:
    """Send a sealed bid and print the signed receipt. Cut off, it goes on where the hall last had every byte."""
    with bid.open("rb") as file:
        container = read_header(file)
        signer = credential(sign, password_file)
        try:
            accepted = asyncio.run(_submit(url, bid, container, signer))
        except HallRefused as refusal:
            if slip := refusal.body.get("slip"):
                sys.stdout.write(f"{slip}\n")
            raise
        except httpx.TransportError as error:
            raise Refused(
                f"The hall cannot be reached: {error}", "Check the address and the network, and run this again."
            ) from error
    sys.stderr.write(f"Received. Tracker {accepted.tracker}; the receipt below proves it, keep it.\n")
    sys.stdout.write(f"{accepted.receipt}\n")


async def _submit(url: str, bid: Path, container: Container, signer: Credential) -> Accepted:
    parts = urlsplit(url)
    async with Hall(f"{parts.scheme}://{parts.netloc}") as hall:
        await hall.login_certificate(signer)
        session = parts.path.strip("/").rpartition("/")[2] or await _session_of(hall, container)
        with bid.open("rb") as file, progress("sent", container.length) as step:
            sent = 0

            def count(done: int) -> None:
                nonlocal sent
                step(done - sent)
                sent = done

            return await hall.submit(session, file, container.length, count)


async def _session_of(hall: Hall, container: Container) -> str:
    tender, lot = container.header.tender, container.header.lot
    found = [line["id"] for line in await hall.sessions() if (line["tender"], line["lot"]) == (tender, lot)]
    if len(found) != 1:
        raise Refused(
            f"The hall has {len(found)} openings for tender {tender}, lot {lot}.",
            "Give the address of the opening's page: --url https://hall.example/s/ID",
        )
    return str(found[0])
