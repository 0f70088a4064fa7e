"""What is asked of a timestamp authority's certificate when it gives a token, and what each rule makes of silence."""

from __future__ import annotations

from asyncio import create_task, sleep
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from crypto import timestamping
from crypto.paths import Trust
from crypto.tlog import Checkpoint, sign_checkpoint
from sessions.acts.notary import Notary, Outside
from sessions.commands import BeginTrack
from sessions.events import Anchored, Stream
from sessions.ids import Digest
from sessions.keys.hallkey import HallKeys
from sessions.outside.certifying import Certifying
from sessions.outside.opening_log import OpeningLog
from sessions.outside.stamping import Stamping, TimestampAuthority
from sessions.plan import Plan, Watch
from sessions.ports import Anchor, Answered, NotAnchored, Revocation, ToAnchor
from sessions.proofs import Act, OnSilence, State
from sessions.recording.log import RecordingLog
from sessions.roles import CLOCK
from tests.support.authorities import Answering, Silent
from tests.support.bidders import the_authority
from tests.support.ceremony import MINUTE, SECOND, T0, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.finished import Play
from tests.support.shell import SESSION, Shell, a_bid_for_this, a_shell

TSA = timestamping.issue_authority(the_authority(), name="TSA", at=T0 - timedelta(days=30))
NAME = "国家授时中心"
DAY = timedelta(days=1)


def the_anchor(hall: Shell, revocation: Revocation) -> Anchor:
    """Return an authority of time in this process; its certificate is asked about at ``revocation``."""

    async def post(url: str, body: bytes, *, media: str, limit: int) -> bytes:
        return timestamping.reply(body, TSA, at=hall.clock.now().replace(microsecond=0), serial=1)

    known = TimestampAuthority(name=NAME, url="http://tsa.example/", anchor=the_authority().certificate)
    stamping = Stamping(authorities=(known,), post=post, clock=hall.clock)
    certifying = Certifying(lambda: Trust(anchors=()), revocation=revocation, proofs=hall.stores.proofs)
    return stamping.anchors(certifying)[NAME]


def a_notary(hall: Shell, revocation: Revocation) -> Notary:
    keys = HallKeys.in_folder(hall.folder)
    notary = Notary(
        hall.sessions,
        OpeningLog(hall.stores.events, hall.stores.checkpoints, keys),
        hall.stores.checkpoints,
        Outside(witnesses={}, authorities={NAME: the_anchor(hall, revocation)}),
        hall=keys,
        clock=hall.clock,
    )
    hall.sessions.on_commit(notary.look)
    return notary


def a_watched_plan(on_silence: OnSilence) -> Plan:
    plan = a_plan()
    watch = Watch(origin=f"hall.example/s/{SESSION}", witnesses=(), quorum=0, authorities=(NAME,))
    rules = {**(plan.pack.revocation or {}), Act.STAMP: on_silence}
    return replace(plan, watch=watch, recording=True, pack=replace(plan.pack, revocation=rules))


async def to_the_list(hall: Shell, clock: FakeClock, on_silence: OnSilence) -> None:
    play = Play(hall, clock)
    await hall.sessions.create(a_watched_plan(on_silence))
    for name in ("甲公司", "乙公司", "丙公司"):
        await hall.submit(a_bid_for_this(name))
    await play.at(T0 - 30 * MINUTE)
    await hall.host_takes_over_the_room()
    await play.at(T0 + SECOND)


async def the_state(hall: Shell) -> State | None:
    """How the authority's certificate stood, by the log; None while there is no stamp on record."""
    for record in await hall.sessions.events(SESSION, Stream.OPENING):
        if isinstance(record.event, Anchored) and record.event.proof is not None:
            return record.event.proof.state
    return None


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(3000):
        if await holds():
            return
        await sleep(0.01)
    raise AssertionError("it never came")


@pytest.mark.parametrize(
    ("revocation", "on_silence", "state"),
    [(Answering, OnSilence.REFUSE, State.GOOD), (Silent, OnSilence.SOFT, State.UNAVAILABLE)],
)
async def test_how_the_authority_stood_goes_on_record_with_its_stamp(
    tmp_path: Path, revocation: type[Revocation], on_silence: OnSilence, state: State
) -> None:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        notary = a_notary(hall, revocation())
        await to_the_list(hall, clock, on_silence)

        async def recorded() -> bool:
            return await the_state(hall) is state

        await until(recorded)
        await notary.close()


async def test_where_silence_is_refused_no_stamp_is_taken_until_somebody_answers(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        switch = _Switch()
        notary = a_notary(hall, switch)
        await to_the_list(hall, clock, OnSilence.REFUSE)

        async def asked() -> bool:
            return switch.asked > 0

        await until(asked)
        assert await the_state(hall) is None
        switch.on = True

        async def recorded() -> bool:
            return await the_state(hall) is State.GOOD

        await until(recorded)
        await notary.close()


async def test_no_log_keeps_a_stamp_that_the_rules_do_not_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions.recording.log.FIRST_REST", 0.01)
    monkeypatch.setattr("sessions.recording.log.LONGEST_REST", 0.01)
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        await to_the_list(hall, clock, OnSilence.REFUSE)
        began = BeginTrack(
            track="programme", part=1, codec="avc1", init_length=1, init_sha256=Digest("00" * 32), utc=clock.now()
        )
        await hall.sessions.handle(SESSION, began, CLOCK)
        switch, kept = _Switch(), hall.stores
        outside = Outside(witnesses={}, authorities={NAME: the_anchor(hall, switch)})
        keys = HallKeys.in_folder(hall.folder)
        log = RecordingLog(events=kept.events, checkpoints=kept.checkpoints, outside=outside, hall=keys, clock=clock)
        holding = create_task(log.hold(await hall.sessions.state(SESSION)))

        async def asked_again() -> bool:
            return switch.asked > 1

        await until(asked_again)
        assert await log.answers(SESSION) == 0
        switch.on = True
        await holding
        assert [bool(one.said.proof) for one in await kept.checkpoints.kept(SESSION, Stream.RECORDING)] == [True]


async def test_a_stamp_by_a_revoked_certificate_is_none(tmp_path: Path) -> None:
    clock = FakeClock(T0)
    async with a_shell(tmp_path, clock) as hall:
        revoked = Answering({TSA.certificate.serial_number: T0 - DAY})
        anchor = the_anchor(hall, revoked)
        empty = Checkpoint(origin="o", size=1, root=bytes(32))
        note = sign_checkpoint(empty, HallKeys.in_folder(hall.folder).newest)
        asked = ToAnchor(origin="o", size=1, root=bytes(32), note=note, prove=lambda _: [])
        with pytest.raises(NotAnchored, match="revoked"):
            await anchor.hold(asked)
        revoked.revoked = {TSA.certificate.serial_number: T0 + timedelta(seconds=5)}
        assert (await anchor.hold(asked)).proof is not None  # it stood at the moment of the stamp


class _Switch(Answering):
    """Silent until it is on."""

    on = False
    asked = 0

    async def ask(self, subject: x509.Certificate, issuer: x509.Certificate, at: datetime) -> Answered:
        self.asked += 1
        return await (super() if self.on else Silent()).ask(subject, issuer, at)
