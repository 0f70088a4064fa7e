"""``kaibiao preflight``: the check-up before the opening, with the code that will unlock the bid (开标体检)."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer
from cryptography.exceptions import InvalidSignature

from crypto.certificates import Credential, check_pair, fingerprint, public_key
from crypto.errors import CryptoRefused
from crypto.signing import sign_raw, verify_raw
from crypto.suites import INTL_1
from sessions.acts.readying import MARGIN, ready_payload
from sessions.clock import SystemClock
from sessions.shape import moment
from web.cli.sealing import PasswordFile, credential
from web.participant.remote import Hall
from web.refused import Refused

AHEAD = timedelta(seconds=2)
SLOW = timedelta(seconds=1)
SENT = 65_536
SLOWEST = 13 * 1024  # bytes a second, as the seat's page has it


def register(app: typer.Typer) -> None:
    """Add the command of this module to ``app``."""
    app.command("preflight")(preflight)


def preflight(
    *,
    url: Annotated[str, typer.Option(help="Address of the opening's page: https://hall.example/s/ID")],
    sign: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Signing key: PKCS#12 or PEM.")],
    encrypt: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Encryption key: PKCS#12 or PEM.")],
    password_file: PasswordFile = None,
) -> None:
    """Try your keys, the line and the clock, and have the hall countersign that you are ready. Exit 1 if not."""
    signer, opener = credential(sign, password_file), credential(encrypt, password_file)
    try:
        told = asyncio.run(_check(url, signer, opener))
    except httpx.TransportError as error:
        raise Refused(f"The hall cannot be reached: {error}", "Check the address and the network.") from error
    for name, (value, detail) in told["checks"].items():
        typer.echo(f"{value:<5} {name:<10} {detail}".rstrip())
    for name, value in told["saw"].items():
        typer.echo(f"{'pass' if value in ('ok', 'no_bid') else 'fail':<5} hall: {name:<10} {value}")
    if told["slip"] is None:
        sys.stderr.write("Not ready: see what failed. No slip was given.\n")
        raise typer.Exit(1)
    sys.stderr.write(f"Ready; the hall countersigned, good until {told['good_until']}. The slip:\n")
    sys.stdout.write(f"{told['slip']}\n")


async def _check(url: str, signer: Credential, opener: Credential) -> dict[str, Any]:
    parts = urlsplit(url)
    session = parts.path.strip("/").rpartition("/")[2]
    async with Hall(f"{parts.scheme}://{parts.netloc}") as hall:
        ahead, trip = await _clock(hall)
        await hall.login_certificate(signer)
        t0 = moment((await hall.view(session))["t0"])
        began = time.monotonic()
        await hall.send(f"/api/v1/sessions/{session}/ready/speed", os.urandom(SENT))
        speed = SENT / max(time.monotonic() - began, 1e-6)
        checks = {
            "clock": _found(abs(ahead) <= AHEAD, f"{ahead.total_seconds():+.2f} s"),
            "link": _found(trip <= SLOW, f"{trip / timedelta(milliseconds=1):.0f} ms"),
            "speed": _found(speed >= SLOWEST, f"{speed / 1024:.0f} KiB/s"),
            **dict(_keys(signer, opener, t0)),
        }
        payload = ready_payload(
            session=session,
            bidder=str(await hall.bidder()),
            at=SystemClock().now(),
            header_sha256=await hall.standing_bid(session),
            sign_cert=fingerprint(signer.certificate).hex(),
            encrypt_cert=fingerprint(opener.certificate).hex(),
            checks={name: value for name, (value, _) in checks.items()},
            rtt_ms=trip // timedelta(milliseconds=1),
            ahead_ms=ahead // timedelta(milliseconds=1),
        )
        answer = await hall.ready(session, payload, signer, opener.certificate)
        return {"checks": checks, **answer}


def _keys(signer: Credential, opener: Credential, t0: datetime) -> Iterator[tuple[str, tuple[str, str]]]:
    """Try both keys on a value made here, never on one from a server: a rehearsal could be the real slot."""
    value = os.urandom(32)
    yield "sign", _tried(lambda: verify_raw(public_key(signer.certificate), sign_raw(signer.key, value), value))

    def opens() -> None:
        check_pair(signer.certificate, opener.certificate)
        slot = INTL_1.wrap(opener.certificate, value)
        if INTL_1.unwrap(slot, opener.key, opener.certificate) != value:
            raise InvalidSignature

    yield "open", _tried(opens)
    until = min(signer.certificate.not_valid_after_utc, opener.certificate.not_valid_after_utc)
    yield "expiry", _found(until >= t0 + MARGIN, f"until {until:%Y-%m-%d}")


def _tried(attempt: Any) -> tuple[str, str]:
    try:
        attempt()
    except CryptoRefused as error:
        return "fail", error.code
    except (InvalidSignature, ValueError):
        return "fail", "pair_mismatch"
    return "pass", ""


async def _clock(hall: Hall) -> tuple[timedelta, timedelta]:
    """How far this machine is ahead of the hall, and the quickest round trip of five."""
    best: tuple[timedelta, timedelta] | None = None
    for _ in range(5):
        began, sent = time.monotonic(), SystemClock().now()
        said = await hall.time()
        trip = timedelta(seconds=time.monotonic() - began)
        if best is None or trip < best[1]:
            best = (sent + trip / 2 - said, trip)
    return best or (timedelta(), timedelta())


def _found(good: bool, detail: str) -> tuple[str, str]:
    return ("pass" if good else "fail"), detail
