"""Witnesses for tests: the real rules of a witness, without a network, and ones that are dead or lie."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from crypto.signing import HallKey
from crypto.tlog import VerifierKey, WitnessSecret, read_note
from crypto.tlog.notes import ED25519, decimal
from crypto.tlog.requests import write_request
from sessions.acts.notary import Notary, Outside
from sessions.clock import Clock, SystemClock
from sessions.keys.hallkey import HallKeys
from sessions.outside.opening_log import OpeningLog
from sessions.plan import AnchorKind, Plan, Watch, WitnessMode, WitnessRule
from sessions.ports import HoldsAnother, NotAnchored, Said, ToAnchor
from tests.support.ceremony import SECOND, a_plan
from tests.support.hallkey import hall_key
from tests.support.shell import SESSION, Shell, a_shell
from web.witness.judging import judge

ORIGIN = f"hall.example/s/{SESSION}"


@dataclass
class InHouse:
    """A witness (sessions.ports.Witnessing) in this process. ``dead`` ones answer nothing."""

    secret: WitnessSecret
    hall: VerifierKey
    clock: Clock = field(default_factory=SystemClock)
    dead: bool = False
    asked: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def kind(self) -> AnchorKind:
        return AnchorKind.WITNESS

    @property
    def name(self) -> str:
        return self.secret.name

    @property
    def vkey(self) -> str:
        return str(self.secret.public)

    async def hold(self, asked: ToAnchor) -> Said:
        self.asked += 1
        await asyncio.sleep(0)
        if self.dead:
            raise NotAnchored("nobody answers")
        old, now = 0, int(self.clock.now().timestamp())
        for _ in range(2):
            request = write_request(old, asked.prove(old) if old <= asked.size else (), asked.note)
            verdict = judge(request, self.notes.get(asked.origin), [self.hall], self.secret, now)
            if verdict.fault is not None:
                self.faults.append(verdict.fault[0])
            if verdict.status == 200 and verdict.state is not None:
                self.notes[asked.origin] = verdict.state
                line = read_note(verdict.state).by(self.secret.public.verifier)[0]
                return Said(evidence=str(line).encode(), at=datetime.fromtimestamp(now, UTC))
            if verdict.status == 409:
                old = decimal(verdict.body.removesuffix("\n"))
                if old <= asked.size:
                    continue
            raise HoldsAnother(self.notes[asked.origin])
        raise NotAnchored("it names another size each time")

    async def seen(self, origin: str) -> str | None:
        return None if self.dead else self.notes.get(origin)


def a_witness(name: str, folder: Path, clock: Clock | None = None) -> InHouse:
    """A witness of the hall in ``folder``."""
    hall = VerifierKey("hall.example", ED25519, hall_key(folder).public.raw)
    return InHouse(WitnessSecret(name, HallKey.generate()), hall, clock or SystemClock())


def a_watched_plan(*witnesses: InHouse, quorum: int | None = None, mode: WitnessMode = WitnessMode.CLOSED) -> Plan:
    return watched(a_plan(ceiling=None), *witnesses, quorum=quorum, mode=mode)


def watched(
    plan: Plan, *witnesses: InHouse, quorum: int | None = None, mode: WitnessMode = WitnessMode.CLOSED
) -> Plan:
    """The same plan with these witnesses, all of them wanted unless a quorum is given."""
    watch = Watch(
        origin=ORIGIN,
        witnesses=tuple(one.vkey for one in witnesses),
        quorum=len(witnesses) if quorum is None else quorum,
    )
    rule = WitnessRule(mode=mode, grace=60 * SECOND, article="bl-35")
    return replace(plan, watch=watch, pack=replace(plan.pack, witness=rule))


async def answered(notary: Notary) -> None:
    """Wait until everybody who was asked has answered."""
    await notary._running.idle()


def a_log(shell: Shell) -> OpeningLog:
    return OpeningLog(shell.stores.events, shell.stores.checkpoints, HallKeys.in_folder(shell.folder))


def a_notary(shell: Shell, *witnesses: InHouse) -> Notary:
    """A notary at work in this shell; the witnesses go by its clock."""
    for one in witnesses:
        one.clock = shell.clock
    outside = Outside(witnesses={one.vkey: one for one in witnesses}, authorities={})
    notary = Notary(
        shell.sessions,
        a_log(shell),
        shell.stores.checkpoints,
        outside,
        hall=HallKeys.in_folder(shell.folder),
        clock=shell.clock,
    )
    shell.sessions.on_commit(notary.look)
    return notary


@asynccontextmanager
async def a_watched_shell(
    folder: Path, *witnesses: InHouse, clock: Clock | None = None
) -> AsyncIterator[tuple[Shell, Notary]]:
    """A hall whose notary asks these witnesses."""
    async with a_shell(folder, clock) as shell:
        notary = a_notary(shell, *witnesses)
        try:
            yield shell, notary
        finally:
            await notary.close()
