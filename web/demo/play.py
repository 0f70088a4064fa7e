"""`kaibiao demo`: stage one opening, let its people take part, print where to look, leave the archive.

The hall, its database and every key are real and new; only the people are made up. It is a rehearsal, and says so on
every page and in the record.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from rich.console import Console

from sessions.announcing.announcement import make_plan
from sessions.clock import SystemClock
from sessions.store.migrations import migrate
from sessions.verify import verify
from web.bootstrap import build
from web.demo import cast
from web.demo.papers import stamps_and_seal
from web.demo.people import BidderPerson, HostPerson, OfficerPerson, Person, WatchingPerson
from web.demo.revocation import Answering, answering
from web.demo.witnesses import two_witnesses
from web.participant.remote import Hall, HallRefused
from web.refused import Refused
from web.services import Services
from web.serving.logs import log_to
from web.serving.media import processes
from web.serving.server import BACKLOG, HallServer
from web.settings import Settings, load
from web.wording.i18n import LANGUAGES

LEAD_SECONDS = 45  # from the printed addresses to T0 at speed 1: time to open the page and take a seat
SOONEST_SECONDS = 3  # and at any speed, with four times a log-in for each bid to be sealed and sent; one is enough
LINGER_SECONDS = 8  # of the programme after the end, at speed 1; the recording is complete only then
LEAST_SECONDS = 0.75  # for a window at any speed, with twice a log-in for each bidder to act in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asked for. ``speed`` divides every wait and window."""

    port: int
    bidders: int
    speed: float
    exit_when_done: bool
    out: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything one demo stands on."""

    options: Options
    out: Path
    services: Services
    troupe: cast.Troupe
    url: str
    serving: asyncio.Task[None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """The doors that everybody came in by. ``pace``: seconds of an ordinary log-in today, on this machine."""

    staff: Mapping[str, Hall]
    bidders: Sequence[Hall]
    late: Hall
    onlooker: Hall
    pace: float


async def play(options: Options) -> int:
    """Play one opening from intake to the verified archive. Returns the exit code."""
    screen = Console(highlight=False, soft_wrap=True)
    out = options.out or Path(tempfile.mkdtemp(prefix="kaibiao-demo-"))
    out.mkdir(parents=True, exist_ok=True)
    async with _hall(options, out) as stage:
        playing = asyncio.create_task(_perform(screen, stage))
        await asyncio.wait({playing, stage.serving}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():  # Ctrl-C closed the hall: nobody in it can go on
            playing.cancel()
            await asyncio.wait({playing})
            return 1
        return playing.result()


async def _perform(screen: Console, stage: Stage) -> int:
    async with contextlib.AsyncExitStack() as stack:
        company = await _enter(stage, stack)
        t0 = await _announce(stage, company.pace)
        await _introduce(screen, stage, t0)
        await _opening(screen, stage, company, t0)
    papers = asyncio.gather(*(_fetch(stage, f"/s/{cast.SESSION}/record.pdf?lang={each}") for each in LANGUAGES))
    bundle = stage.out / "session.zip"
    async with Hall(stage.url) as hall:
        await hall.save(f"/api/v1/sessions/{cast.SESSION}/bundle.zip", bundle)
    receipt = stage.out / "receipts" / "01.json"
    report = await asyncio.to_thread(verify, bundle, receipt.read_bytes())
    held = sum(check.passed for check in report.checks)
    screen.print(f"\n[bold]{bundle}[/]  {held} of {len(report.checks)} checks hold")
    if report.verdict is not None:
        screen.print(f"  {receipt}: {report.verdict.words.zh}\n  {report.verdict.words.en}")
    screen.print(f"  kaibiao verify --receipt {receipt} {bundle}")
    for language, content in zip(LANGUAGES, await papers, strict=True):
        paper = stage.out / f"record.{language}.pdf"
        paper.write_bytes(content)
        screen.print(f"  {paper}")
    if not stage.options.exit_when_done:
        screen.print("\nThe hall stays open: look round, press Ctrl-C to leave.")
        await stage.serving
    return 0 if report.ok else 1


@contextlib.asynccontextmanager
async def _hall(options: Options, out: Path) -> AsyncIterator[Stage]:
    """Open a hall of its own below ``out``, with staff accounts and trust in the demo authority."""
    given: dict[str, Any] = {"data_dir": out / "hall", "rehearsal_allowed": True, "log_level": "warning"}
    given["media_port"] = 0  # a free one: several demos may run on a machine
    given["intake_log_minutes"] = max(1, round(5 / options.speed))  # seconds, because it is a rehearsal
    door = _door(load(**given, port=options.port))
    settings = load(**given, port=door.getsockname()[1])  # a free one has its number only now
    wrong_key = 4 if options.bidders >= 5 else None
    with answering() as asked:
        troupe = cast.engage(options.bidders, SystemClock().now(), wrong_key=wrong_key, asked_at=asked.url)
        asked.knows(troupe)
        given["revocation_sources"] = (f"{asked.url}/",)
        async with _outside(options, out, settings, door, troupe, asked, given) as stage:
            yield stage


@contextlib.asynccontextmanager
async def _outside(
    options: Options,
    out: Path,
    settings: Settings,
    door: socket.socket,
    troupe: cast.Troupe,
    asked: Answering,
    given: dict[str, Any],
) -> AsyncIterator[Stage]:
    """Let witnesses and timestamp authorities of the demo come to life, and open the hall's room."""
    async with (
        two_witnesses(out, settings) as witnesses,
        stamps_and_seal(out, settings, troupe.authority, asked) as named,
    ):
        witnessed = load(**given, port=settings.port, witnesses_file=witnesses, **named)
        async with _room(options, out, witnessed, door, troupe) as stage:
            yield stage


@contextlib.asynccontextmanager
async def _room(
    options: Options, out: Path, settings: Settings, door: socket.socket, troupe: cast.Troupe
) -> AsyncIterator[Stage]:
    settings.anchors.mkdir(parents=True, exist_ok=True)
    services = build(settings)
    await migrate(services.database)
    if not options.exit_when_done:
        for member in troupe.bidders:
            await asyncio.to_thread(cast.write_keys, member, out / "bidders")
        await asyncio.to_thread(cast.write_officers, troupe, out / "officers")
    root = troupe.authority.certificate.public_bytes(Encoding.PEM)
    (settings.anchors / "demo.pem").write_bytes(root)
    log_to(settings)
    web = HallServer(services, beside=partial(processes, settings, None, linger=LINGER_SECONDS / options.speed))
    serving = asyncio.create_task(web.serve(sockets=[door]))
    while not web.started:
        if serving.done():
            serving.result()
            raise SystemExit(1)
        await asyncio.sleep(0.01)
    try:
        for account, name in cast.OFFICERS.items():
            await services.accounts.create(account, name, secrets.token_urlsafe(16), {cast.ROLES[account]})
        yield Stage(options=options, out=out, services=services, troupe=troupe, url=settings.origin, serving=serving)
    finally:
        web.should_exit = True
        await serving


def _door(settings: Settings) -> socket.socket:
    """Listen before anything is made and printed, so that the address is known and is ours."""
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise Refused(
            f"Port {settings.port} of {settings.host} cannot be used: {reason}.",
            "Give another one with --port; --port 0 takes a free one.",
        ) from error


async def _enter(stage: Stage, stack: contextlib.AsyncExitStack) -> Company:
    """Let everybody log in, before the time runs: the slower that goes today, the more time they will need."""
    create = stage.services.identity.create_ticket
    members = (*stage.troupe.bidders, stage.troupe.late)
    halls = [await stack.enter_async_context(Hall(stage.url)) for _ in range(len(cast.OFFICERS) + len(members) + 1)]
    staff = dict(zip(cast.OFFICERS, halls, strict=False))
    for account, hall in staff.items():
        await hall.login_ticket(await create(account=account))
    *bidders, late = halls[len(staff) : -1]
    moments = [time.monotonic()]
    for member, hall in zip(members, (*bidders, late), strict=True):
        await hall.login_certificate(member.signer)
        moments.append(time.monotonic())
    pace = statistics.median(end - begin for begin, end in pairwise(moments))  # the first also warms the hall up
    return Company(staff=staff, bidders=bidders, late=late, onlooker=halls[-1], pace=pace)


async def _announce(stage: Stage, pace: float) -> datetime:
    """Announce the opening, not sooner than all bids can be there; return the opening time."""
    speed, hurry = stage.options.speed, stage.options.bidders * pace
    lead = timedelta(seconds=max(LEAD_SECONDS / speed, SOONEST_SECONDS + 4 * hurry))
    t0 = (stage.services.clock.now() + lead).replace(microsecond=0) + timedelta(seconds=1)
    tender = cast.tender(t0, troupe=stage.troupe)
    lengths = cast.hastened(speed, LEAST_SECONDS + 2 * hurry)
    await stage.services.sessions.create(make_plan(tender, session=cast.SESSION, rehearsal=True, **lengths))
    return t0


async def _introduce(screen: Console, stage: Stage, t0: datetime) -> None:
    create = stage.services.identity.create_ticket
    first = stage.troupe.bidders[0]

    async def link(page: str, **who: Any) -> str:
        return f"{stage.url}{await create(**who, life=timedelta(hours=2))}?next=/{page}/{cast.SESSION}"

    screen.print(f"[bold]Kaibiao 开标[/]  an opening plays by itself; T0 is {t0:%H:%M:%S} UTC\n")
    screen.print(f"  live page      {stage.url}/s/{cast.SESSION}")
    screen.print(f"  host's chair   {await link('host', account='host')}")
    screen.print(f"  supervisor     {await link('supervise', account='supervisor')}")
    screen.print(f"  bidder's seat  {await link('seat', bidder=first.signer.certificate)}")
    if not stage.options.exit_when_done:
        screen.print(f"  its keys       {stage.out / 'bidders'}  password {cast.PASSWORD}")
        screen.print(f"  lock keys      {stage.out / 'officers'}  password {cast.PASSWORD}")
    screen.print("\nOpen a seat or a chair and it is yours: the one who played it stands aside until you leave.\n")


async def _opening(screen: Console, stage: Stage, company: Company, t0: datetime) -> None:
    people: list[Person] = [_staff(hall, account, stage) for account, hall in company.staff.items()]
    receipts: list[tuple[Hall, Path, str]] = []
    for hall, member in zip(company.bidders, stage.troupe.bidders, strict=True):
        bid, length = await asyncio.to_thread(cast.sealed, member, t0, troupe=stage.troupe)
        accepted = await hall.submit(cast.SESSION, bid, length)
        screen.print(f"  sealed and received  {accepted.tracker}")
        people.append(_bidder(hall, member, stage.options))
        receipts.append((hall, stage.out / "receipts" / f"{member.row:02d}.json", accepted.tracker))
    parts = [person.take_part() for person in people]
    await asyncio.gather(_tell(screen, company.onlooker), _come_late(screen, company.late, stage, t0), *parts)
    for hall, place, tracker in receipts:  # each bidder keeps its own, proven by the log
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(await hall.receipt_file(cast.SESSION, tracker))


def _staff(hall: Hall, account: str, stage: Stage) -> Person:
    speed = stage.options.speed
    part: dict[str, Any] = {"hall": hall, "session": cast.SESSION, "account": account}
    part["key"] = stage.troupe.officers[account]
    part["alike"] = sum(role is cast.ROLES[account] for role in cast.ROLES.values())
    match account:
        case "host":
            return HostPerson(pause=4 / speed, **part)
        case "tenderer":
            return OfficerPerson(pause=2 / speed, **part)
        case _:
            return WatchingPerson(pause=2 / speed, stands_by=account == "deputy", **part)


def _bidder(hall: Hall, member: cast.Member, options: Options) -> Person:
    asks = "请核对本公司工期Please check our duration"
    return BidderPerson(
        hall=hall,
        session=cast.SESSION,
        pause=(2 + member.row % 7 * 1.3) / options.speed,
        bidder=member.identifier,
        signer=member.signer,
        opener=member.opener,
        silent=options.bidders >= 5 and member.row == 5,
        speaks=member.row == 3,
        objection=("工期宣读核对 Duration as read out", asks) if member.row == 2 else None,
    )


async def _come_late(screen: Console, hall: Hall, stage: Stage, t0: datetime) -> None:
    """The bidder who arrives after T0, and is refused with a signed slip."""
    late = stage.troupe.late
    bid, length = cast.sealed(late, t0, troupe=stage.troupe)
    wait = t0 - stage.services.clock.now() + timedelta(seconds=5 / stage.options.speed)
    await asyncio.sleep(max(wait.total_seconds(), 0.1))
    try:
        await hall.submit(cast.SESSION, bid, length)
    except HallRefused as refusal:
        screen.print(f"  {late.name}: refused, {refusal.code}")
    else:
        raise AssertionError("a bid after T0 was accepted")


async def _tell(screen: Console, hall: Hall) -> None:
    """Print the public timeline as a citizen hears it, until the session is over."""
    async for view, message in hall.follow(cast.SESSION):
        if message is not None and "n" in message:
            screen.print(f"  {message['at'][11:19]}  {message['words']['zh']}  [dim]{message['words']['en']}[/]")
        if view["status"] in ("ended", "failed", "aborted"):
            return


async def _fetch(stage: Stage, address: str) -> bytes:
    async with Hall(stage.url) as hall:
        return await hall.download(address)
