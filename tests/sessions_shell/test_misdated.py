"""What somebody outside dates otherwise than the hall is kept in none of a session's three logs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from crypto.timestamps import DRIFT
from sessions.acts.notary import Notary, Outside
from sessions.clock import Clock
from sessions.commands import BeginTrack
from sessions.events import Stream
from sessions.ids import Digest
from sessions.keys.hallkey import HallKeys
from sessions.outside.opening_log import OpeningLog
from sessions.outside.receipt_proofs import ReceiptProofs
from sessions.plan import AnchorKind, IntakeLog, Watch
from sessions.ports import Kept, Said, ToAnchor
from sessions.recording.log import RecordingLog
from sessions.roles import CLOCK
from tests.support.ceremony import MINUTE, SECOND, T0, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.finished import NAMES, Play
from tests.support.shell import SESSION, Shell, a_bid_for_this, a_shell

NAME = "clock.example"


@dataclass
class Dating:
    """An authority whose clock is ``off`` the hall's."""

    clock: Clock
    off: timedelta
    kind: AnchorKind = AnchorKind.STAMP
    name: str = NAME
    asked: int = 0

    async def hold(self, asked: ToAnchor) -> Said:
        self.asked += 1
        return Said(evidence=b"token", at=self.clock.now() + self.off)

    async def was_asked(self) -> bool:
        return self.asked > 2


@asynccontextmanager
async def the_opening(hall: Shell, outside: Outside) -> AsyncIterator[Callable[[Kept], bool]]:
    """Its log is held outside from the frozen set on."""
    keys, kept = HallKeys.in_folder(hall.folder), hall.stores
    openings = OpeningLog(kept.events, kept.checkpoints, keys)
    notary = Notary(hall.sessions, openings, kept.checkpoints, outside, hall=keys, clock=hall.clock)
    hall.sessions.on_commit(notary.look)
    await hall.sessions.settle(SESSION)
    yield lambda one: one.point == "close"
    await notary.close()


@asynccontextmanager
async def the_receipts(hall: Shell, outside: Outside) -> AsyncIterator[Callable[[Kept], bool]]:
    """The log of receipts is, as T0 closed it."""
    kept = hall.stores
    keys = HallKeys.in_folder(hall.folder)
    proofs = ReceiptProofs(
        hall.sessions,
        events=kept.events,
        checkpoints=kept.checkpoints,
        outside=outside,
        hall=keys,
        clock=hall.clock,
    )
    await hall.sessions.settle(SESSION)
    await proofs.published(SESSION)
    yield lambda one: one.point.startswith("intake")
    await proofs.close()


@asynccontextmanager
async def the_recording(hall: Shell, outside: Outside) -> AsyncIterator[Callable[[Kept], bool]]:
    """A recording is when it is closed."""
    await hall.sessions.settle(SESSION)
    digest = Digest("00" * 32)
    began = BeginTrack(
        track="programme", part=1, codec="avc1", init_length=1, init_sha256=digest, utc=hall.clock.now()
    )
    await hall.sessions.handle(SESSION, began, CLOCK)
    kept = hall.stores
    log = RecordingLog(
        events=kept.events,
        checkpoints=kept.checkpoints,
        outside=outside,
        hall=HallKeys.in_folder(hall.folder),
        clock=hall.clock,
    )
    holding = asyncio.create_task(log.hold(await hall.sessions.state(SESSION)))
    yield lambda one: one.point == "recording"
    holding.cancel()


LOGS = [the_opening, the_receipts, the_recording]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(3000):
        if await holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("off", [DRIFT + SECOND, -DRIFT - SECOND])
async def test_an_answer_from_another_time_is_not_kept_and_the_next_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Callable[..., object], off: timedelta
) -> None:
    for place in ("acts.notary", "outside.receipt_proofs", "recording.log"):
        monkeypatch.setattr(f"sessions.{place}.FIRST_REST", 0.01)
        monkeypatch.setattr(f"sessions.{place}.LONGEST_REST", 0.01)
    clock = FakeClock()
    dating = Dating(clock, off)
    outside = Outside(witnesses={}, authorities={NAME: dating})
    watch = Watch(origin=f"hall.example/s/{SESSION}", witnesses=(), quorum=0, authorities=(NAME,))
    plan = replace(a_plan(intake_log=IntakeLog(every=10 * MINUTE, leaves=4)), watch=watch, recording=True)
    async with a_shell(tmp_path, clock) as hall:
        await hall.sessions.create(plan)
        for name in NAMES:
            await hall.submit(a_bid_for_this(name))
        await Play(hall, clock).at(T0 - 30 * MINUTE)
        clock.set(T0 + SECOND)
        async with log(hall, outside) as mine:  # type: ignore[attr-defined]
            await until(dating.was_asked)
            assert await _kept(hall) == ()
            dating.off = timedelta()

            async def is_kept() -> bool:
                return any(mine(one) for one in await _kept(hall))

            await until(is_kept)
            assert [one.said.at for one in await _kept(hall) if mine(one)] == [clock.now()]


async def _kept(hall: Shell) -> tuple[Kept, ...]:
    of = hall.stores.checkpoints.kept
    return (*await of(SESSION), *await of(SESSION, Stream.INTAKE), *await of(SESSION, Stream.RECORDING))
