"""Openings that are over, played through the real shell with real bidders, and the bundles they leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from cryptography import x509

from crypto.signing import HallKey, sign
from sessions.acts.submission import Refused
from sessions.archive.bundle import Archive
from sessions.commands import (
    Abort,
    AnswerObjection,
    Approve,
    CheckIn,
    ConfirmRow,
    NoObjection,
    Note,
    Object,
    Pause,
    ReportFailure,
    Resume,
    SignRecord,
    WithdrawBid,
)
from sessions.ids import BidderId, Jws
from sessions.keys.hallkey import HallKeys
from sessions.opening import BidState
from sessions.outside.opening_log import OpeningLog
from sessions.plan import IntakeLog
from tests.support.bidders import Sealed
from tests.support.ceremony import DEPUTY, HOST, MINUTE, MS, SECOND, SUPERVISOR, T0, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.hallkey import hall_key
from tests.support.shell import SESSION, Shell, a_bid_for_this, a_shell, pieces, the_actor, the_trust
from tests.support.witnesses import a_notary, a_witness, answered, watched

LOG = IntakeLog(every=10 * MINUTE, leaves=4)
NAMES = (
    "华东建设有限公司",
    "江南水利股份有限公司",
    "北岸工程集团有限公司",
    "西山路桥有限公司",
    "<b>南港</b>&amp;{{7*7}}",
)


def an_archive(hall: Shell, authorities: Mapping[str, x509.Certificate] | None = None) -> Archive:
    return Archive(
        events=hall.stores.events,
        intake=hall.stores.intake,
        secrets=hall.stores.secrets,
        evidence=hall.stores.evidence,
        blobs=hall.stores.blobs,
        openings=OpeningLog(hall.stores.events, hall.stores.checkpoints, HallKeys.in_folder(hall.folder)),
        checkpoints=hall.stores.checkpoints,
        proofs=hall.stores.proofs,
        trust=the_trust,
        hall=HallKeys.in_folder(hall.folder),
        authorities=authorities or {},
    )


class Play:
    """Verbs over a shell whose clock this play moves."""

    def __init__(self, hall: Shell, clock: FakeClock) -> None:
        self.hall = hall
        self.clock = clock

    async def at(self, moment: datetime) -> None:
        self.clock.set(max(moment, self.clock.now()))
        await self.hall.sessions.settle(SESSION)
        await self.hall.work_done()

    async def wait_for_the_end_of_the_step(self) -> None:
        due = (await self.hall.state()).due
        if due is not None:
            await self.at(due)

    async def signs_of_life(self, states: Sequence[tuple[Sealed, str]]) -> None:
        """Let the window go by, the hall noting that it works and these bidders' programs that they are there."""
        due = (await self.hall.state()).due
        assert due is not None
        while self.clock.now() < due:
            await self.hall.reach.recover()
            for bid, state in states:
                await self.hall.beat(bid, state)
            self.clock.advance(100 * SECOND)

    def said(self, bid: Sealed, kind: str, **members: str) -> Jws:
        return Jws(sign({"v": 1, "session": SESSION, **members}, kind, bid.bidder.sign))

    async def check_in(self, bid: Sealed) -> None:
        head = (await self.hall.sessions.events(SESSION))[-1].digest
        statement = self.said(bid, "checkin", bidder=bid.bidder.id, head=head)
        command = CheckIn(bidder=BidderId(bid.bidder.id), statement=statement)
        await self.hall.sessions.handle(SESSION, command, the_actor(bid.bidder))

    async def confirm(self, bid: Sealed) -> None:
        row = (await self.hall.state()).bid(bid.bidder.id)
        assert row is not None
        assert row.quote_sha256 is not None
        statement = self.said(bid, "confirm", bidder=bid.bidder.id, quote_sha256=row.quote_sha256)
        command = ConfirmRow(bidder=BidderId(bid.bidder.id), statement=statement)
        await self.hall.sessions.handle(SESSION, command, the_actor(bid.bidder))

    async def sign(self, bids: list[Sealed], hall: HallKey) -> None:
        drawn = (await self.hall.state()).drawn
        assert drawn is not None
        for bid in bids:
            if bid.bidder.id in drawn.asked:
                statement = self.said(bid, "record", signer=bid.bidder.id, record_sha256=drawn.sha256)
                command = SignRecord(signer=bid.bidder.id, statement=statement)
                await self.hall.sessions.handle(SESSION, command, the_actor(bid.bidder))
        for actor in (HOST, SUPERVISOR):
            payload = {"v": 1, "session": SESSION, "signer": actor.id, "record_sha256": drawn.sha256}
            command = SignRecord(signer=actor.id, statement=Jws(sign(payload, "record", hall)))
            await self.hall.sessions.handle(SESSION, command, actor)


Meanwhile = Callable[[Shell], Awaitable[object]]


async def nothing(_: Shell) -> None:
    """An honest hall."""


async def a_bundle(
    folder: Path,
    *,
    bidders: int = 5,
    envelopes: int = 1,
    received: Meanwhile = nothing,
    logged: Meanwhile = nothing,
    watchers: int = 0,
) -> bytes:
    """Play an opening with a replaced, a withdrawn, a late, a locked and a missing bid, and return its bundle.

    ``received`` happens when the bids are in, ``logged`` when a tick has logged them; both before T0. With
    ``watchers``, so many witnesses hold its log, and the rules wait for all of them.
    """
    clock = FakeClock()
    witnesses = [a_witness(f"w{number}.example", folder) for number in range(1, watchers + 1)]
    plan = a_plan(envelopes=envelopes, intake_log=LOG)
    bids = [
        a_bid_for_this(name, f"1{number}00000.00", envelopes=envelopes) for number, name in enumerate(NAMES[:bidders])
    ]
    async with a_shell(folder, clock) as hall:
        play = Play(hall, clock)
        notary = a_notary(hall, *witnesses)
        await hall.sessions.create(watched(plan, *witnesses) if watchers else plan)
        await hall.submit(a_bid_for_this(NAMES[0], "990000.00", envelopes=envelopes))
        gone = a_bid_for_this("中途退出有限公司", envelopes=envelopes)
        await hall.submit(gone)
        for bid in bids:
            clock.advance(SECOND)
            await hall.submit(bid)
        withdrawal = play.said(gone, "withdraw", bidder=gone.bidder.id, header_sha256=gone.bid.header_sha256)
        command = WithdrawBid(bidder=BidderId(gone.bidder.id), statement=withdrawal)
        await hall.sessions.handle(SESSION, command, the_actor(gone.bidder))
        await received(hall)
        await play.at(T0 - 30 * MINUTE)
        await hall.receipt_logs.settle(SESSION)
        await logged(hall)
        for bid in bids[:3]:
            await play.check_in(bid)
        await hall.host_takes_over_the_room()
        await hall.sessions.handle(SESSION, Note(text="一切正常"), SUPERVISOR)
        await play.at(T0 + 700 * MS)
        await refuse_a_late_bid(hall)
        await answered(notary)
        if bidders < 3:
            return await an_archive(hall).bundle(SESSION)
        await hall.advance("ceiling")
        await hall.advance("decrypt")
        await release(hall, bids, envelopes)
        await play.signs_of_life([(bids[0], "released"), (bids[1], "released"), (bids[-2], "locked")])
        await play.wait_for_the_end_of_the_step()
        await play.wait_for_the_end_of_the_step()  # the read-out
        await hall.advance("confirm")
        await play.confirm(bids[0])
        who = bids[1].bidder
        objection = Object(bidder=BidderId(who.id), recusal=False, title="唱标过快", text="请放慢。")
        await hall.sessions.handle(SESSION, objection, the_actor(who))
        await hall.sessions.handle(SESSION, AnswerObjection(number=1, text="已重读。"), HOST)
        await play.wait_for_the_end_of_the_step()
        await declare_none(hall, bids)
        await hall.advance("sign")
        await answered(notary)
        await play.sign(bids[:2], hall_key(folder))
        await play.wait_for_the_end_of_the_step()
        assert (await hall.state()).status == "ended"
        await answered(notary)
        return await an_archive(hall).bundle(SESSION)


async def an_aborted_bundle(folder: Path, *, after_t0: bool) -> bytes:
    """Play an opening that two persons abort, before the opening time or in the middle of decryption."""
    clock = FakeClock()
    async with a_shell(folder, clock) as hall:
        play = Play(hall, clock)
        await hall.sessions.create(a_plan(intake_log=LOG))
        bids = [a_bid_for_this(name) for name in NAMES]
        for bid in bids:
            await hall.submit(bid)
        await play.at(T0 - 30 * MINUTE)
        await hall.host_takes_over_the_room()
        if after_t0:
            await play.at(T0 + SECOND)
            await hall.advance("ceiling")
            await hall.advance("decrypt")
            failure = ReportFailure(bidder=BidderId(bids[0].bidder.id), code="locked")
            await hall.sessions.handle(SESSION, failure, the_actor(bids[0].bidder))
            await hall.release(bids[1])
        await hall.sessions.handle(SESSION, Abort(reason="招标人要求终止"), HOST)
        await hall.sessions.handle(SESSION, Approve(proposal=1), DEPUTY)
        return await an_archive(hall).bundle(SESSION)


async def refuse_a_late_bid(hall: Shell) -> None:
    late = a_bid_for_this("迟到的有限公司")
    with suppress(Refused):
        upload = await hall.submissions.begin(SESSION, the_actor(late.bidder), len(late.data))
        await hall.submissions.receive(SESSION, upload.id, the_actor(late.bidder), 0, pieces(late.data))


async def release(hall: Shell, bids: list[Sealed], envelopes: int) -> None:
    """All release but the last two: one reports a locked token, one is never heard of."""
    locked = bids[-2].bidder
    failure = ReportFailure(bidder=BidderId(locked.id), code="locked")
    await hall.sessions.handle(SESSION, failure, the_actor(locked))
    for bid in bids[:-2]:
        for group in "AB"[:envelopes]:
            assert (await hall.release(bid, group)).code is None
    await hall.sessions.handle(SESSION, Pause(reason="网络中断", incident=True), SUPERVISOR)
    await hall.sessions.handle(SESSION, Resume(), HOST)


async def declare_none(hall: Shell, bids: list[Sealed]) -> None:
    state = await hall.state()
    for bid in bids:
        if any(row.bidder == bid.bidder.id and row.state is not BidState.WAITING for row in state.bids):
            none = NoObjection(bidder=BidderId(bid.bidder.id))
            await hall.sessions.handle(SESSION, none, the_actor(bid.bidder))
