"""How long whole openings take the machine: from T0 to every price on every spectator's screen.

The hall is `kaibiao serve` with what it stands on; bidders (web.bench.bidders) and spectators (web.bench.spectators)
are real HTTP and WebSocket clients in processes of their own, so that their processor time is told apart; the hosts
are here. All share the machine, and what each used is told.

Of one opening nobody thinks, so what is left is machine time. With several at one T0, a few are held before them,
each alone: how much longer each of the others took than the best of these is how long it waited for others. Bidders
may take their time for the PIN, up to ``thinking`` seconds, the same in every run.
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
from collections.abc import Iterable, Mapping, Sequence
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
from web.participant.remote import Hall

BIDDERS: Final = 500
SPECTATORS: Final = 10_000
ALONE: Final = 3  # openings held before the others
APART: Final = 12.0  # seconds between their T0s and the next, beside what their bidders think
MILESTONES: Final = {
    "SetFrozen": "intake closed, set frozen",
    "SealsChecked": "every seal checked again",
    "DecryptEntered": "keys are taken",
    "BarrierPassed": "last key checked, barrier",
    "FirstScreen": "all prices committed and on the first screen",
    "LastScreen": "all prices on the last screen",
}
"""Of each session: when the first spectator had it, but for the last. With several sessions, the latest one's."""

FAIR: Final = 200
"""Milliseconds that one session may wait for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value, as it is published."""

    name: str
    value: float
    unit: str


def run(json: bool, bidders: int, spectators: int, sessions: int, mode: Mode, thinking: float) -> None:
    """Measure and print what came out: a table, or JSON with everything measured."""
    report = asyncio.run(measure(bidders, spectators, sessions, mode, thinking))
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


async def measure(
    bidders: int, spectators: int, sessions: int = 1, mode: Mode = Mode.SOLO, thinking: float = 0.0
) -> dict[str, Any]:
    """Return the report of ``sessions`` openings at one T0, each with ``bidders`` bids; ``spectators`` in all."""
    report = machine.describe()
    alone = ALONE if sessions > 1 else 0
    with tempfile.TemporaryDirectory(prefix="kaibiao-bench-") as name, ground(mode, Path(name)) as stage:
        async with played("web.bench.bidders") as bidding, played("web.bench.spectators") as watching:
            names = [f"{cast.SESSION}-{number:02}" for number in range(1, alone + sessions + 1)]
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
                first = (SystemClock().now() + timedelta(seconds=lead)).replace(microsecond=0)
                short = min(thinking, APART)
                places = {name: min(number, alone) for number, name in enumerate(names)}
                t0 = {name: first + place * timedelta(seconds=APART + short) for name, place in places.items()}
                thinks = {name: short if place < alone else thinking for name, place in places.items()}
                for host in hosts:
                    await host.hall.announce(_tender(host.session, host.account, t0[host.session]))
                bidding.order(t0={name: moment.isoformat() for name, moment in t0.items()}, thinking=thinks)
                sent = await bidding.answer()
                watching.order(**place, each=max(1, spectators // len(names)), bids=bidders)
                entered = await watching.answer()
                left = (first - SystemClock().now()).total_seconds()
                if left < 1:
                    raise RuntimeError(f"bidders and spectators came in {1 - left:.0f} s too late on this machine")
                at = {name: time.monotonic() + left + (t0[name] - first).total_seconds() for name in names}
                began = at[names[-1]]
                watching.order(t0=began)
                everybody = {"hall": hall, **stage.beside, "bidders": bidding.pid, "spectators": watching.pid}
                acting = [asyncio.ensure_future(host.take_part()) for host in hosts]
                both = asyncio.gather(watching.answer(), bidding.answer())
                await asyncio.wait([both], timeout=max(began - time.monotonic() - 0.2, 0))
                before = {who: machine.spent(pid) for who, pid in everybody.items()}
                seen, released = await _all_of(both, acting, alone)
                after = {who: machine.spent(pid).since(before[who]) for who, pid in everybody.items()}
                for act in acting:
                    act.cancel()
                await asyncio.gather(*acting, return_exceptions=True)
                report["heads"] = await _heads(settings.origin, names)
    begins = {name: marked - began for name, marked in at.items()}
    words = f"kaibiao bench opening --bidders {bidders} --spectators {spectators} --sessions {sessions} --mode {mode}"
    words += f" --thinking {thinking:g}" if thinking else ""
    what = f"{sessions} x {bidders} bidders, {spectators} spectators, all at one T0; {STANDS_ON[mode]}"
    what += f"; bidders take up to {thinking:g} s for the PIN" if thinking else ""
    what += f"; {alone} openings before them, each alone" if alone else ""
    spans = _spans(seen, released, at)
    figures = [
        *_figures(spans, names[alone:], seen),
        *_waits(spans, names[:alone], names[alone:]),
        *_machine(seen, released, after, before),
        Figure(name="before T0: logging all bidders in", value=logged, unit="s"),
        Figure(name="before T0: sending all bids", value=sent["seconds"], unit="s"),
        Figure(name="before T0: letting all spectators in", value=entered["seconds"], unit="s"),
    ]
    last = {kind: max(spans[name][kind] for name in names[alone:]) for kind in MILESTONES}
    return report | {
        "what": what,
        "command": words,
        "seconds_after_t0": {kind: round(after_t0, 3) for kind, after_t0 in last.items()},
        "figures": [
            {"name": each.name, "value": round(each.value, 3), "unit": each.unit, "command": words}
            for each in figures
        ],
        "sessions": {
            name: {"t0": round(begins[name], 3)} | {kind: round(after_t0, 3) for kind, after_t0 in each.items()}
            for name, each in spans.items()
        },
    }


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


async def _all_of(both: asyncio.Future[Any], acting: Sequence[asyncio.Task[None]], alone: int) -> Any:
    """Return what spectators and bidders say at the end, unless a host fails before. The first ``alone`` may end."""
    waiting = set(acting)
    while not both.done():
        done, _ = await asyncio.wait([both, *waiting], return_when=asyncio.FIRST_COMPLETED)
        for one in done & waiting:
            waiting.discard(one)
            one.result()
            if one not in acting[:alone]:
                raise RuntimeError("an opening was over before its prices were on every screen")
    return both.result()


async def _heads(origin: str, names: Sequence[str]) -> dict[str, int]:
    async with Hall(origin, source="127.3.1.1") as hall:
        return {name: (await hall.view(name))["n"] for name in names}


def _spans(
    seen: Mapping[str, Any], released: Mapping[str, Any], at: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Return of each session how many seconds after its T0 came what."""
    spans = {}
    for name, marks in seen["marks"].items():
        ends = {"LastScreen": max(seen["finished"][name]), "LastKeySent": released["last_key_sent"][name]}
        spans[name] = {kind: moment - at[name] for kind, moment in {**marks, **ends}.items()}
    return spans


def _figures(
    spans: Mapping[str, Mapping[str, float]], names: Sequence[str], seen: Mapping[str, Any]
) -> Iterable[Figure]:
    for kind, words in MILESTONES.items():
        yield Figure(name=f"{words}, from T0", value=max(spans[name][kind] for name in names), unit="s")
    delays = Counter(dict(seen["delays"]))
    yield Figure(name="facts that did not come to a spectator, or twice", value=0, unit="facts")  # or the run fails
    yield Figure(name="facts delivered to spectators", value=delays.total(), unit="facts")
    yield Figure(name="received by spectators", value=seen["bytes"] / 1e6, unit="MB")
    for name, share in (("median", 0.5), ("p99", 0.99), ("latest", 1.0)):
        yield Figure(name=f"a fact from its decision to a spectator, {name}", value=_within(delays, share), unit="ms")


def _waits(
    spans: Mapping[str, Mapping[str, float]], alone: Sequence[str], together: Sequence[str]
) -> Iterable[Figure]:
    """Return how much longer a session took with the others than alone: that is how long it waited for them."""
    if not alone:
        return
    for words, begin, end in (
        ("T0 to set frozen", None, "SetFrozen"),
        ("last key sent to barrier", "LastKeySent", "BarrierPassed"),
    ):
        took = {name: each[end] - (each[begin] if begin else 0.0) for name, each in spans.items()}
        best = min(took[name] for name in alone)
        waited = sorted(1000 * (took[name] - best) for name in together)
        yield Figure(name=f"{words}, best of those alone", value=1000 * best, unit="ms")
        yield Figure(name=f"{words}, waited for others, median", value=waited[len(waited) // 2], unit="ms")
        yield Figure(name=f"{words}, waited for others, longest", value=waited[-1], unit="ms")
        fair = sum(one <= FAIR for one in waited)
        yield Figure(name=f"{words}, waited at most {FAIR} ms, of {len(together)}", value=fair, unit="sessions")


def _machine(
    seen: Mapping[str, Any],
    released: Mapping[str, Any],
    after: Mapping[str, machine.Spent],
    before: Mapping[str, machine.Spent],
) -> Iterable[Figure]:
    yield Figure(name="a bidder from the challenge to the answer, median", value=_middle(released), unit="s")
    for what, used in (("processor", "cpu"), ("waited for a core", "waited")):
        for who, spent in after.items():
            yield Figure(name=f"{what}, {who}", value=getattr(spent, used), unit="s")
    for when, all_of_them in (("at T0", before), ("at the end", after)):
        for who, spent in all_of_them.items():
            yield Figure(name=f"memory {when}, {who}", value=spent.memory / 2**20, unit="MiB")


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
