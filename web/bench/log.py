"""What the log costs: acts made durable together and one by one, the chain checked again, a whole record verified.

Appending is measured on SQLite, and on PostgreSQL where there is one: at an address that is given, or in a cluster
of the bench's own, with fsync.

The acts are a supervisor's notes with idempotency keys, through the service and its store: settled, decided, chained,
committed (SQLite, synchronous=FULL), announced. One by one means that each waits for the one before, so that the same
code makes one transaction of each. Beside them, in turns: the bare writes and hashes that nobody can do without.
"""

from __future__ import annotations

import asyncio
import json as json_module
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from crypto.chain import verify_chain
from crypto.digest import sha256
from crypto.encoding import canonical
from sessions.appender import MOST
from sessions.chaining import Head, chain, check, core
from sessions.events import Happening, Recorded, Stream, SupervisorNoted
from sessions.ids import SessionId
from sessions.store.grants import ask
from sessions.store.migrations import migrate, pending
from web.bench import machine, postgres, verifying
from web.bench.fanout.servers import NOTE, SUPERVISOR, create, settings
from web.bootstrap import build
from web.services import Services

ACTS: Final = 500
BIDDERS: Final = 300  # of the record that is verified
EVENTS: Final = 20_000
ROUNDS: Final = 5
TOGETHER: Final = "at once, group commit"
SINGLY: Final = "one by one, a transaction each"
SYNC: Final = "bare write and fdatasync"
CHAIN: Final = "verify_chain"
READ: Final = "read from the database and checked"
HASH: Final = "bare SHA-256 of the same bytes"


class NotEmpty(Exception):
    """The bench was given a database with something in it."""

    hint = "name an empty one: what the bench puts into a log, nobody can take out again"


def run(json: bool, folder: Path | None = None, database_url: str = "") -> None:
    """Measure on the disk of ``folder`` (or of temporary files), and print the medians: a table, or JSON."""
    with tempfile.TemporaryDirectory(prefix="kaibiao-bench-", dir=folder) as name:
        report = asyncio.run(measure(Path(name), acts=ACTS, events=EVENTS, rounds=ROUNDS))
        if database_url or postgres.tool("initdb"):
            with nullcontext(database_url) if database_url else postgres.a_cluster(Path(name)) as url:
                report["postgresql"] = asyncio.run(measure_postgresql(Path(name), url, acts=ACTS, rounds=ROUNDS))
    report["verifying"] = verifying.measure(BIDDERS, EVENTS)
    if json:
        sys.stdout.write(json_module.dumps(report, ensure_ascii=False, indent=1) + "\n")
        return
    sys.stdout.write(machine.heading(report))
    for part, reference in (("appending", SYNC), ("checking", HASH)):
        sys.stdout.write(f"{part:38}{'a second':>12}{'ms':>10}   time as a multiple of `{reference}`\n")
        for case, figures in report[part].items():
            sys.stdout.write(f"{case:38}{figures['per_s']:12.0f}{figures['ms']:10.1f}{figures['ratio']:12.2f}\n")
    sys.stdout.write(f"\n{TOGETHER} : {SINGLY} = {report['together_to_singly']:.3f}\n\n")
    if there := report.get("postgresql"):
        sys.stdout.write(f"{'appending to PostgreSQL ' + there['version']:38}{'a second':>12}{'ms':>10}\n")
        for case, figures in there["appending"].items():
            sys.stdout.write(f"{case:38}{figures['per_s']:12.0f}{figures['ms']:10.1f}{figures['ratio']:12.2f}\n")
        sys.stdout.write(f"\n{TOGETHER} : {SINGLY} = {there['together_to_singly']:.3f}\n\n")
    sys.stdout.write(f"{'verifying':38}{'ms':>22}   {report['verifying']['what']}\n")
    for case, figures in report["verifying"]["cases"].items():
        said = "every check holds" if figures["ok"] else "FAILED"
        sys.stdout.write(f"{case:38}{figures['ms']:22.1f}   {said}\n")


async def measure(folder: Path, *, acts: int, events: int, rounds: int) -> dict[str, Any]:
    """Return the report: ``acts`` appended each way and a chain of ``events`` checked each way, ``rounds`` times."""
    report = machine.describe()
    services = build(settings(folder, 0))
    try:
        await migrate(services.database)
        appending = await _appending(services, folder, acts, rounds)
        checking = await _checking(services, events, rounds)
    finally:
        await services.sessions.close()
        await services.database.close()
    together, singly = appending[TOGETHER]["ms"], appending[SINGLY]["ms"]
    return report | {
        "what": f"{acts} acts and a chain of {events} events, {rounds} rounds in turns, median",
        "appending": appending,
        "checking": checking,
        "together_to_singly": round(together / singly, 4),
    }


async def measure_postgresql(folder: Path, url: str, *, acts: int, rounds: int) -> dict[str, Any]:
    """Return what appending costs in the PostgreSQL database at ``url``. Raises NotEmpty."""
    services = build(settings(folder, 0).model_copy(update={"database_url": url}))
    try:
        if not await pending(services.database) and await services.sessions.calendar():
            raise NotEmpty("there are openings in this database")
        await migrate(services.database)
        said = await ask(services.database)
        appending = await _appending(services, folder, acts, rounds)
    finally:
        await services.sessions.close()
        await services.database.close()
    return {
        "version": said.version,
        "fsync": said.fsync,
        "appending": appending,
        "together_to_singly": round(appending[TOGETHER]["ms"] / appending[SINGLY]["ms"], 4),
    }


async def _appending(services: Services, folder: Path, acts: int, rounds: int) -> dict[str, dict[str, Any]]:
    head = Head(at=services.clock.now())
    [record] = [canonical(core(each)) for each in _events(head, SessionId("bench"), 1)]

    async def together(session: SessionId) -> None:
        await asyncio.gather(*(_act(services, session, number) for number in range(acts)))

    async def singly(session: SessionId) -> None:
        for number in range(acts):
            await _act(services, session, number)

    async def synced(session: SessionId) -> None:
        with (folder / session).open("wb", buffering=0) as file:
            for _ in range(acts):
                file.write(record)
                os.fdatasync(file.fileno())

    ways = {TOGETHER: together, SINGLY: singly, SYNC: synced}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds):
        for place, (name, way) in enumerate(ways.items()):
            session = SessionId(f"bench-{turn}-{place}")
            await create(services, session)
            times[name].append(await _timed(way, session))
            written = len(await services.sessions.events(session))
            if name != SYNC and written != acts + 1:
                raise RuntimeError(f"{name}: {written} events came of {acts} acts and a founding")
    return _figures(times, acts, SYNC)


async def _act(services: Services, session: SessionId, number: int) -> None:
    await services.sessions.handle(session, NOTE, SUPERVISOR, f"act-{number}")


async def _checking(services: Services, events: int, rounds: int) -> dict[str, dict[str, Any]]:
    session = SessionId("bench-chain")
    await create(services, session)
    [founded] = await services.stores.events.read(session, Stream.OPENING)
    records = _events(Head().after(founded), session, events)
    for start in range(0, events, MOST):
        await services.stores.events.append(session, records[start : start + MOST])
    before, cores = (founded.number, founded.digest), [core(each) for each in records]
    texts = [canonical(each) for each in cores]

    async def chained(_: SessionId) -> None:
        if verify_chain(cores, after=before) != records[-1].digest:
            raise RuntimeError("the chain ends elsewhere")

    async def read(session: SessionId) -> None:
        """Read in pieces, as a hall does that starts again."""
        head = Head().after(founded)
        while found := await services.stores.events.read(session, Stream.OPENING, after=head.number, limit=MOST):
            head = check(head, found)
        if head.digest != records[-1].digest:
            raise RuntimeError("the log ends elsewhere")

    async def hashed(_: SessionId) -> None:
        for text in texts:
            sha256(text)

    ways = {CHAIN: chained, READ: read, HASH: hashed}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(await _timed(way, session))
    return _figures(times, events, HASH)


def _events(head: Head, session: SessionId, count: int) -> list[Recorded]:
    """Return ``count`` notes chained after ``head``, which has a moment."""
    records = []
    for _ in range(count):
        assert head.at is not None
        at = head.at + timedelta(milliseconds=1)
        happening = Happening(event=SupervisorNoted(private={"text": NOTE.text}), actor=SUPERVISOR, at=at)
        records.append(chain(head, session, Stream.OPENING, happening))
        head = head.after(records[-1])
    return records


async def _timed(way: Callable[[SessionId], Awaitable[None]], session: SessionId) -> float:
    start = time.perf_counter()
    await way(session)
    return time.perf_counter() - start


def _figures(times: dict[str, list[float]], count: int, reference: str) -> dict[str, dict[str, Any]]:
    medians = {name: statistics.median(each) for name, each in times.items()}
    return {
        name: {
            "per_s": round(count / median, 1),
            "ms": round(1000 * median, 3),
            "ratio": round(median / medians[reference], 3),
            "seconds": [round(each, 6) for each in times[name]],
        }
        for name, median in medians.items()
    }
