"""How long whole openings take the machine: from T0 to every price on every spectator's screen.

The hall is `kaibiao serve` with what it stands on; bidders (web.bench.bidders) and spectators (web.bench.spectators)
are real HTTP and WebSocket clients in processes of their own, so that their processor time is told apart; the hosts
are here. Nobody thinks, so what is left is machine time. All share the machine, and what each used is told.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json as json_module
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from sessions.clock import SystemClock
from sessions.roles import Role
from sessions.store.migrations import migrate
from web.bench import machine
from web.bench.halls import STANDS_ON, Ground, Mode, ground, serving
from web.bench.orders import played
from web.bootstrap import build
from web.demo import cast
from web.demo.people import HostPerson
from web.remote import Hall

BIDDERS: Final = 500
SPECTATORS: Final = 10_000
MILESTONES: Final = {
    "SetFrozen": "intake closed, set frozen",
    "SealsChecked": "every seal checked again",
    "DecryptEntered": "keys are taken",
    "LastKey": "last key released and checked",
    "BarrierPassed": "barrier",
    "FirstScreen": "all prices committed and on the first screen",
    "LastScreen": "all prices on the last screen",
}
"""Of each session: when the first spectator had it, but for the last. With several sessions, the latest one's."""

FAIR: Final = 0.2
"""Seconds that one session may wait for another (reliability notes, L3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value, as it is published."""

    name: str
    value: float
    unit: str


def run(json: bool, bidders: int, spectators: int, sessions: int, mode: Mode) -> None:
    """Measure and print what came out: a table, or JSON with everything measured."""
    report = asyncio.run(measure(bidders, spectators, sessions, mode))
    if json:
        sys.stdout.write(json_module.dumps(report, ensure_ascii=False, indent=1) + "\n")
        return
    sys.stdout.write(table(report))


def table(report: Mapping[str, Any]) -> str:
    """Return a report as people read it."""
    lines = [machine.heading(report) + f"{'':60}{'s after T0':>12}{'s this step':>12}"]
    before = 0.0
    for milestone, words in MILESTONES.items():
        at = report["seconds_after_t0"][milestone]
        lines.append(f"{words:60}{at:12.2f}{at - before:12.2f}")
        before = at
    lines.append("")
    lines += [f"{figure['name']:60}{figure['value']:12g} {figure['unit']}" for figure in report["figures"]]
    return "\n".join(lines) + "\n"


async def measure(bidders: int, spectators: int, sessions: int = 1, mode: Mode = Mode.SOLO) -> dict[str, Any]:
    """Return the report of ``sessions`` openings at one T0, each with ``bidders`` bids; ``spectators`` in all."""
    report = machine.describe()
    with tempfile.TemporaryDirectory(prefix="kaibiao-bench-") as name, ground(mode, Path(name)) as stage:
        async with played("web.bench.bidders") as bidding, played("web.bench.spectators") as watching:
            names = [f"{cast.SESSION}-{number:02}" for number in range(1, sessions + 1)]
            settings = stage.settings
            place = {"sessions": names, "port": settings.port}
            bidding.order(**place, bidders=bidders, anchors=str(settings.anchors))
            founding = asyncio.create_task(_found(stage, names))
            await bidding.answer()
            staff = await founding
            async with serving(settings) as hall, contextlib.AsyncExitStack() as stack:
                hosts = [await _seated(stack, settings.origin, *each) for each in staff.items()]
                bidding.order()
                # What comes before T0 takes some four times as long as letting the bidders in, on a machine so fast.
                logged = (await bidding.answer())["seconds"]
                lead = 15 + 6 * logged + spectators / 400
                t0 = (SystemClock().now() + timedelta(seconds=lead)).replace(microsecond=0)
                for host in hosts:
                    await host.hall.announce(_tender(host.session, host.account, t0))
                bidding.order(t0=t0.isoformat())
                sent = await bidding.answer()
                watching.order(**place, each=spectators // sessions, bids=bidders)
                entered = await watching.answer()
                left = (t0 - SystemClock().now()).total_seconds()
                if left < 1:
                    raise RuntimeError(f"bidders and spectators came in {1 - left:.0f} s too late on this machine")
                began = time.monotonic() + left
                watching.order(t0=began)
                everybody = {"hall": hall, **stage.beside, "bidders": bidding.pid, "spectators": watching.pid}
                acting = [asyncio.ensure_future(host.take_part()) for host in hosts]
                await asyncio.sleep(max(began - time.monotonic() - 0.2, 0))
                before = {who: machine.spent(pid) for who, pid in everybody.items()}
                seen, released = await _all_of(watching.answer(), bidding.answer(), acting)
                after = {who: machine.spent(pid).since(before[who]) for who, pid in everybody.items()}
                for act in acting:
                    act.cancel()
                await asyncio.gather(*acting, return_exceptions=True)
                report["heads"] = await _heads(settings.origin, names)
    return report | _report(
        mode, bidders, spectators, seen, released, after, before, began, entered, sent | {"login": logged}
    )


async def _found(stage: Ground, names: Sequence[str]) -> dict[str, tuple[str, str, str]]:
    """Found the hall: its database, and a host with password and authenticator for each opening."""
    services = build(stage.settings)
    await migrate(services.database)
    hosts = {}
    for number, session in enumerate(names, start=1):
        account, password = f"host-{number}", secrets.token_urlsafe(16)
        key = await services.accounts.create(account, cast.STAFF["host"], password, {Role.HOST})
        hosts[session] = (account, password, key)
    await services.sessions.close()
    await services.database.close()
    return hosts


def _tender(session: str, account: str, t0: datetime) -> dict[str, Any]:
    people = ((account, Role.HOST), ("supervisor", Role.SUPERVISOR))  # who does not come: nothing waits for it
    seats = [{"account": person, "role": role, "name": cast.STAFF[role]} for person, role in people]
    tender = cast.tender(t0) | {"session": session, "rehearsal": True, "seats": seats}
    return tender | {"draws": [], "windows": cast.WINDOWS | {"decrypt": 600}}  # a draw takes as long as people take


async def _seated(
    stack: contextlib.AsyncExitStack, origin: str, session: str, host: tuple[str, str, str]
) -> HostPerson:
    """Log a host in with password and one-time code."""
    account, password, address = host
    number = int(account.partition("-")[2])
    hall = await stack.enter_async_context(Hall(origin, source=f"127.3.0.{number}"))
    asked = parse_qs(urlsplit(address).query)
    secret = base64.b32decode(asked["secret"][0] + "=" * (-len(asked["secret"][0]) % 8))
    code = TOTP(secret, 6, SHA1(), 30, enforce_key_length=False).generate(int(SystemClock().now().timestamp()))  # noqa: S303  # RFC 6238's default
    await hall.login_password(account, password, code.decode())
    return HostPerson(hall=hall, session=session, pause=0, account=account)


async def _all_of(seen: Awaitable[Any], released: Awaitable[Any], acting: Sequence[asyncio.Task[None]]) -> Any:
    """Return what spectators and bidders say at the end, unless a host fails before."""
    both: asyncio.Future[Any] = asyncio.gather(seen, released)
    await asyncio.wait([both, *acting], return_when=asyncio.FIRST_COMPLETED)
    for one in acting:
        if one.done():
            one.result()
            raise RuntimeError("an opening was over before its prices were on every screen")
    return await both


async def _heads(origin: str, names: Sequence[str]) -> dict[str, int]:
    async with Hall(origin, source="127.3.1.1") as hall:
        return {name: (await hall.view(name))["n"] for name in names}


def _report(
    mode: Mode,
    bidders: int,
    spectators: int,
    seen: Mapping[str, Any],
    released: Mapping[str, Any],
    after: Mapping[str, machine.Spent],
    before: Mapping[str, machine.Spent],
    began: float,
    entered: Mapping[str, float],
    sent: Mapping[str, float],
) -> dict[str, Any]:
    marks = {name: {kind: at - began for kind, at in each.items()} for name, each in seen["marks"].items()}
    for name, finished in seen["finished"].items():
        marks[name]["LastScreen"] = max(finished) - began
    sessions = len(marks)
    words = f"kaibiao bench opening --bidders {bidders} --spectators {spectators} --sessions {sessions} --mode {mode}"
    times = {kind: max(each[kind] for each in marks.values()) for kind in MILESTONES}
    delays = Counter(dict(seen["delays"]))
    figures = [Figure(name=f"{words}, from T0", value=times[kind], unit="s") for kind, words in MILESTONES.items()]
    figures += _waits(marks) if sessions > 1 else ()
    figures += [
        Figure(name="facts that did not come to a spectator, or twice", value=0, unit="facts"),  # or the run fails
        Figure(name="facts delivered to spectators", value=delays.total(), unit="facts"),
        Figure(name="received by spectators", value=seen["bytes"] / 1e6, unit="MB"),
        *(
            Figure(name=f"a fact from its decision to a spectator, {name}", value=_within(delays, share), unit="ms")
            for name, share in (("median", 0.5), ("p99", 0.99), ("latest", 1.0))
        ),
        Figure(name="a bidder from the challenge to the answer, median", value=_middle(released), unit="s"),
        *(Figure(name=f"processor, {who}", value=used.cpu, unit="s") for who, used in after.items()),
        *(Figure(name=f"waited for a core, {who}", value=used.waited, unit="s") for who, used in after.items()),
        *(Figure(name=f"memory at T0, {who}", value=used.memory / 2**20, unit="MiB") for who, used in before.items()),
        *(
            Figure(name=f"memory at the end, {who}", value=used.memory / 2**20, unit="MiB")
            for who, used in after.items()
        ),
        Figure(name="before T0: logging all bidders in", value=sent["login"], unit="s"),
        Figure(name="before T0: sending all bids", value=sent["seconds"], unit="s"),
        Figure(name="before T0: letting all spectators in", value=entered["seconds"], unit="s"),
    ]
    return {
        "what": f"{sessions} x {bidders} bidders, {spectators} spectators, all at one T0; {STANDS_ON[mode]}",
        "command": words,
        "seconds_after_t0": {kind: round(at, 3) for kind, at in times.items()},
        "figures": [
            {"name": each.name, "value": round(each.value, 3), "unit": each.unit, "command": words}
            for each in figures
        ],
        "sessions": {name: {kind: round(at, 3) for kind, at in each.items()} for name, each in marks.items()},
    }


def _waits(marks: Mapping[str, Mapping[str, float]]) -> Iterable[Figure]:
    """Return how long sessions took between two moments of their own: what they differ by is waiting for others."""
    spans = {
        "T0 to set frozen": [each["SetFrozen"] for each in marks.values()],
        "last key to barrier": [each["BarrierPassed"] - each["LastKey"] for each in marks.values()],
    }
    for name, lengths in spans.items():
        yield Figure(name=f"{name}, shortest of all sessions", value=1000 * min(lengths), unit="ms")
        yield Figure(name=f"{name}, longest of all sessions", value=1000 * max(lengths), unit="ms")
        yield Figure(name=f"{name}, largest difference", value=1000 * (max(lengths) - min(lengths)), unit="ms")


def _within(delays: Counter[int], share: float) -> int:
    rank, so_far = share * delays.total(), 0
    for delay, count in sorted(delays.items()):
        so_far += count
        if so_far >= rank:
            return delay
    return 0


def _middle(released: Mapping[str, Any]) -> float:
    every: list[float] = released["release_seconds"]
    return every[len(every) // 2]
