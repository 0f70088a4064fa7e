"""``kaibiao submit`` and ``kaibiao receipt``: a bidder sends its sealed bid, gets its receipt, and has it proven."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

import httpx
import typer

from crypto.certificates import Credential
from crypto.container import Container, read_header
from crypto.receipt import Receipt, tracker
from crypto.receipt_file import read_receipt_file
from crypto.tlog import read_note, read_proof
from web.cli.progress import progress
from web.cli.sealing import PasswordFile, credential
from web.participant.remote import Accepted, Hall, HallRefused
from web.refused import Refused


def register(app: typer.Typer) -> None:
    """Add the command of this module to ``app``."""
    app.command("submit")(submit)
    app.command("receipt")(receipt)
    app.command("rescue")(rescue)


def submit(
    bid: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The sealed bid.")],
    *,
    url: Annotated[str, typer.Option(help="Address of the hall, or of the opening's page in it.")],
    sign: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Signing key: PKCS#12 or PEM.")],
    password_file: PasswordFile = None,
    keep: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Receipt file to write; without it, beside the bid.")
    ] = None,
) -> None:
    """Send a sealed bid and print the signed receipt. Cut off, it goes on where the hall last had every byte.

    The receipt is also kept as a file, which `kaibiao receipt` completes with the proof that it is logged.
    """
    with bid.open("rb") as file:
        container = read_header(file)
        signer = credential(sign, password_file)
        try:
            accepted, kept = asyncio.run(_reaching(_submit(url, bid, container, signer)))
        except HallRefused as refusal:
            if slip := refusal.body.get("slip"):
                sys.stdout.write(f"{slip}\n")
            raise
    place = keep or bid.with_suffix(".receipt.json")
    place.write_bytes(kept)
    sys.stderr.write(f"Received. Tracker {accepted.tracker}; the receipt below proves it, keep it.\n")
    sys.stderr.write(f"Also kept as {place}: complete it later with `kaibiao receipt {place}`.\n")
    sys.stdout.write(f"{accepted.receipt}\n")


def receipt(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A receipt file of yours.")],
    *,
    url: Annotated[str, typer.Option(help="Address of the hall.")],
    sign: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Signing key: PKCS#12 or PEM.")],
    password_file: PasswordFile = None,
) -> None:
    """Ask the hall for the proof that your receipt is in its public log, check it, and keep it in the file."""
    held = read_receipt_file(file.read_bytes())
    known = held.receipt()
    asked = _receipt_file(url, known, credential(sign, password_file))
    newer = read_receipt_file(asyncio.run(_reaching(asked)))
    if (newer.token, newer.hall) != (held.token, held.hall):
        raise Refused("The hall sent another receipt than the one you hold.", "Keep yours, and tell the supervisor.")
    logged = newer.checkpoint()
    if logged is None:
        raise Refused("The receipt is not in a checkpoint yet.", "Run this again after the log's next tick.")
    file.write_bytes(newer.to_bytes())
    witnesses = max(
        0, len({line.name for line in read_note(read_proof(newer.proof or "").checkpoint).signatures}) - 1
    )
    sys.stderr.write(f"Logged: one of {logged.size} entries of {logged.origin}, cosigned by {witnesses}.\n")


Answer = TypeVar("Answer")


async def _reaching(asked: Awaitable[Answer]) -> Answer:
    try:
        return await asked
    except httpx.TransportError as error:
        raise Refused(
            f"The hall cannot be reached: {error}", "Check the address and the network, and run this again."
        ) from error


async def _receipt_file(url: str, known: Receipt, signer: Credential) -> bytes:
    parts = urlsplit(url)
    async with Hall(f"{parts.scheme}://{parts.netloc}") as hall:
        await hall.login_certificate(signer)
        return await hall.receipt_file(known.session, tracker(known.payload()))


async def _submit(url: str, bid: Path, container: Container, signer: Credential) -> tuple[Accepted, bytes]:
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

            accepted = await hall.submit(session, file, container.length, count)
        return accepted, await hall.receipt_file(session, accepted.tracker)


def rescue(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A rescue file, or a key file.")],
    *,
    url: Annotated[str, typer.Option(help="Address of the opening's page: https://hall.example/s/ID")],
    sign: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Signing key: PKCS#12 or PEM.")],
    password_file: PasswordFile = None,
) -> None:
    """Hand in a rescue in place of a release: compared here, sealed to the opening, opened behind the barrier."""
    signer = credential(sign, password_file)
    parts = urlsplit(url)

    async def hand_in() -> None:
        async with Hall(f"{parts.scheme}://{parts.netloc}") as hall:
            await hall.login_certificate(signer)
            await hall.rescue(parts.path.strip("/").rpartition("/")[2], file.read_bytes())

    asyncio.run(hand_in())
    sys.stderr.write("Handed in. It is compared with your sealed bid and stands in the record as a rescue.\n")


async def _session_of(hall: Hall, container: Container) -> str:
    tender, lot = container.header.tender, container.header.lot
    found = [line["id"] for line in await hall.sessions() if (line["tender"], line["lot"]) == (tender, lot)]
    if len(found) != 1:
        raise Refused(
            f"The hall has {len(found)} openings for tender {tender}, lot {lot}.",
            "Give the address of the opening's page: --url https://hall.example/s/ID",
        )
    return str(found[0])
