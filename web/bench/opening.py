"""How long a whole opening takes the machine: from T0 to every price on every connected screen.

The hall is `kaibiao serve` in a process of its own; bidders, staff and onlookers are real HTTP and WebSocket clients
in this one, each from a loopback address of its own; nobody thinks, so what is left is machine time. Hall and clients
share the machine, and both are told.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json as json_module
import os
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from sessions.announcement import make_plan
from sessions.clock import SystemClock
from sessions.roles import Role
from sessions.store.migrations import migrate
from web.bench import machine
from web.bootstrap import build
from web.demo import cast
from web.demo.people import HostPerson, WatchingPerson
from web.remote import Hall
from web.settings import Settings, load

BIDDERS: Final = 200
ONLOOKERS: Final = 100
DOCUMENT: Final = 50_000  # bytes; opening reads the quote only, so documents of any size cost the same
AT_ONCE: Final = 16  # bidders who send their bids at the same time before T0
MILESTONES: Final = {
    "SetFrozen": "intake closed, set frozen",
    "SealsChecked": "every seal checked again",
    "DecryptEntered": "decrypt window open",
    "LastKey": "last of all keys released and checked",
    "BarrierPassed": "barrier",
    "FirstScreen": "all prices on the first screen",
    "LastScreen": "all prices on the last screen",
}


@dataclass(kw_only=True)
class Watch:
    """When things were seen, in seconds since T0 by this machine's monotonic clock."""

    bidders: int
    t0: float = 0.0
    seen: dict[str, float] = field(default_factory=dict)
    screens: list[float] = field(default_factory=list)

    def mark(self, milestone: str) -> None:
        self.seen[milestone] = time.monotonic() - self.t0


def run(json: bool, bidders: int = BIDDERS, onlookers: int = ONLOOKERS) -> None:
    """Measure one opening and print the time of each step: a table, or JSON with everything measured."""
    report = asyncio.run(measure(bidders, onlookers))
    if json:
        sys.stdout.write(json_module.dumps(report, ensure_ascii=False, indent=1) + "\n")
        return
    sys.stdout.write(machine.heading(report) + f"{'':44}{'s after T0':>12}{'s this step':>12}\n")
    before = 0.0
    for milestone, words in MILESTONES.items():
        at = report["seconds_after_t0"][milestone]
        sys.stdout.write(f"{words:44}{at:12.2f}{at - before:12.2f}\n")
        before = at
    cpu = report["cpu_seconds_from_t0"]
    sys.stdout.write(
        f"\nprocessor time from T0: hall {cpu['hall']:.2f} s, {report['clients']} {cpu['clients']:.2f} s\n"
    )


async def measure(bidders: int, onlookers: int) -> dict[str, Any]:
    """Return the report of one opening with ``bidders`` bids and ``onlookers`` public streams beside the seats."""
    report = machine.describe()
    with tempfile.TemporaryDirectory(prefix="kaibiao-bench-") as name:
        settings = load(data_dir=Path(name), port=machine.free_port(), rehearsal_allowed=True, log_level="warning")
        troupe, accounts, t0 = await _prepare(settings, bidders)
        watch = Watch(bidders=bidders)
        async with _serving(settings) as process, contextlib.AsyncExitStack() as stack:
            addresses = (f"127.1.{number // 200}.{number % 200 + 1}" for number in count())

            async def enter() -> Hall:
                return await stack.enter_async_context(Hall(settings.origin, source=next(addresses)))

            staff = [await _seated(await enter(), account, *kept) for account, kept in accounts.items()]
            halls = [await enter() for _ in troupe.bidders]
            gate = asyncio.Semaphore(AT_ONCE)
            await asyncio.gather(*(_send(gate, *who, t0) for who in zip(halls, troupe.bidders, strict=True)))
            left = (t0 - SystemClock().now()).total_seconds()
            if left < 1:
                raise RuntimeError(f"sending the bids took {1 - left:.0f} s too long on this machine")
            watch.t0 = time.monotonic() + left
            seats = [_bidder(hall, member, watch) for hall, member in zip(halls, troupe.bidders, strict=True)]
            crowd = [_screen(await enter(), watch) for _ in range(onlookers)]
            people = [asyncio.ensure_future(part) for part in (*staff, *seats, *crowd)]
            await asyncio.sleep(max(watch.t0 - time.monotonic(), 0))
            before = machine.cpu_seconds(process.pid), time.process_time()
            while len(watch.screens) < bidders + onlookers:
                for person in people:
                    if person.done():
                        person.result()
                await asyncio.sleep(0.02)
            after = machine.cpu_seconds(process.pid), time.process_time()
            for person in people:
                person.cancel()
            await asyncio.gather(*people, return_exceptions=True)
    watch.seen["FirstScreen"], watch.seen["LastScreen"] = min(watch.screens), max(watch.screens)
    return report | {
        "what": f"{bidders} bidders, {onlookers} onlookers, 3 staff; SQLite, synchronous=FULL; one serving process",
        "clients": f"{bidders + onlookers + 3} clients in one process",
        "seconds_after_t0": {name: round(watch.seen[name], 3) for name in MILESTONES},
        "cpu_seconds_from_t0": {"hall": round(after[0] - before[0], 2), "clients": round(after[1] - before[1], 2)},
    }


async def _prepare(settings: Settings, bidders: int) -> tuple[cast.Troupe, dict[str, tuple[str, str]], Any]:
    """Found the hall: database, staff with passwords and authenticators, trust, one announcement."""
    services = build(settings)
    await migrate(services.database)
    now = services.clock.now()
    troupe = cast.engage(bidders, now)
    settings.anchors.mkdir(parents=True, exist_ok=True)
    (settings.anchors / "bench.pem").write_bytes(troupe.authority.certificate.public_bytes(Encoding.PEM))
    accounts = {}
    for account, person in cast.STAFF.items():
        password = secrets.token_urlsafe(16)
        accounts[account] = (password, await services.accounts.create(account, person, password, {Role(account)}))
    lead = timedelta(seconds=15 + bidders / 3)  # for sending every bid before T0, with a machine at half speed
    t0 = (services.clock.now() + lead).replace(microsecond=0)
    tender = cast.tender(t0)
    windows = {"decrypt": timedelta(seconds=600)}
    await services.sessions.create(make_plan(tender, session=cast.SESSION, rehearsal=True, windows=windows))
    await services.sessions.close()
    await services.database.close()
    return troupe, accounts, t0


@contextlib.asynccontextmanager
async def _serving(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {
        "KAIBIAO_DATA_DIR": str(settings.data_dir),
        "KAIBIAO_PORT": str(settings.port),
        "KAIBIAO_REHEARSAL_ALLOWED": "true",
        "KAIBIAO_LOG_LEVEL": "warning",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "web.cli", "serve", env={**os.environ, **environment}
    )
    try:
        async with Hall(settings.origin) as hall:
            for _ in range(200):
                with contextlib.suppress(Exception):
                    await hall.sessions()
                    break
                await asyncio.sleep(0.1)
        yield process
    finally:
        process.terminate()
        await process.wait()


async def _seated(hall: Hall, account: str, password: str, address: str) -> Any:
    """Log a member of staff in with password and one-time code; return what it does in the room."""
    asked = parse_qs(urlsplit(address).query)
    secret = base64.b32decode(asked["secret"][0] + "=" * (-len(asked["secret"][0]) % 8))
    code = TOTP(secret, 6, SHA1(), 30, enforce_key_length=False).generate(int(SystemClock().now().timestamp()))  # noqa: S303  # RFC 6238's default
    await hall.login_password(account, password, code.decode())
    if account == "host":
        return HostPerson(hall=hall, session=cast.SESSION, pause=0, account=account).take_part()
    return WatchingPerson(hall=hall, session=cast.SESSION, pause=0, account=account).take_part()


async def _send(gate: asyncio.Semaphore, hall: Hall, member: cast.Member, t0: Any) -> None:
    async with gate:
        bid, length = await asyncio.to_thread(cast.sealed, member, t0, DOCUMENT)
        await hall.login_certificate(member.signer)
        await hall.submit(cast.SESSION, bid, length)


async def _bidder(hall: Hall, member: cast.Member, watch: Watch) -> None:
    """A seat: releases its key the moment the window opens, and is a screen like any other."""

    async def release() -> None:
        await hall.release(cast.SESSION, "A", member.signer, member.opener)

    await _screen(hall, watch, release)


async def _screen(hall: Hall, watch: Watch, on_decrypt: Callable[[], Any] | None = None) -> None:
    """Read the live stream as bytes until every price has come; parsing it would be the browser's work, not ours."""
    prices = keys = 0
    acting: asyncio.Task[None] | None = None
    async for line in hall.lines(cast.SESSION):
        kind = line[: line.find('"patch"')]
        if '"type":"BidOpened"' in kind:
            prices += 1
            if prices == watch.bidders:
                watch.screens.append(time.monotonic() - watch.t0)
                break
        elif '"type":"StepEntered"' in kind and '"step":"decrypt"' in kind:
            watch.seen.setdefault("DecryptEntered", time.monotonic() - watch.t0)
            if on_decrypt is not None:
                acting = asyncio.ensure_future(on_decrypt())
        elif '"type":"KeyReleased"' in kind:
            keys += 1
            if keys == watch.bidders:
                watch.seen.setdefault("LastKey", time.monotonic() - watch.t0)
        else:
            for milestone in ("SetFrozen", "SealsChecked", "BarrierPassed"):
                if f'"type":"{milestone}"' in kind:
                    watch.seen.setdefault(milestone, time.monotonic() - watch.t0)
    if acting is not None:
        await acting
