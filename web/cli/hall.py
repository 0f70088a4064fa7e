"""``kaibiao demo``, ``submit`` and ``verify``: a whole opening, a bidder's part in one, a stranger's look at one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from crypto.certificates import Credential
from crypto.container import Container, read_header
from sessions.verify import Outcome, Report, verify
from web.cli.progress import progress
from web.cli.refused import Refused
from web.cli.sealing import PasswordFile, credential
from web.demo.play import Options, play
from web.remote import Accepted, Hall, HallRefused


def register(app: typer.Typer) -> None:
    """Add the commands of this module to ``app``."""
    app.command("demo")(demo)
    app.command("submit")(submit)
    app.command("verify")(verify_bundle)


def demo(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080,
    bidders: Annotated[int, typer.Option(min=3, max=200, help="Bids received in time; one more comes late.")] = 5,
    speed: Annotated[float, typer.Option(min=0.1, max=200, help="Divides every wait and window.")] = 1.0,
    *,
    exit_when_done: Annotated[bool, typer.Option(help="Leave when the record is signed and verified.")] = False,
    out: Annotated[Path | None, typer.Option(file_okay=False, help="Folder to keep everything in.")] = None,
) -> None:
    """Play a whole opening by itself, with real certificates, sealed files and clients; watch it, or take a seat."""
    options = Options(port=port, bidders=bidders, speed=speed, exit_when_done=exit_when_done, out=out)
    with contextlib.suppress(KeyboardInterrupt):
        raise SystemExit(asyncio.run(play(options)))


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


def verify_bundle(
    bundle: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="session.zip of an opening.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Check an archive offline, from the file alone. Exit 0 only if every named check holds."""
    report = verify(bundle)
    if as_json:
        sys.stdout.write(json.dumps(report.to_json(), ensure_ascii=False, indent=1) + "\n")
    else:
        sys.stdout.write("".join(_lines(report)))
    raise SystemExit(0 if report.ok else 1)


_MARKS = {Outcome.PASSED: "ok  ", Outcome.FAILED: "FAIL", Outcome.SKIPPED: "-   "}


def _lines(report: Report) -> Iterator[str]:
    for check in report.checks:
        yield f"{_MARKS[check.outcome]}  {check.id}: {check.zh}\n      {check.en}"
        yield f" ({check.detail})\n" if check.detail else "\n"
    title = f", {report.title.zh} {report.title.en}" if report.title else ""
    yield f"\nOpening {report.session or 'unknown'}{title}\nHall key {report.hall_key or 'unknown'}: "
    yield "compare it with what the hall publishes.\n"
    held = sum(check.passed for check in report.checks)
    yield f"{held} of {len(report.checks)} checks hold.\n"
