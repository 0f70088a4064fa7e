"""A session of two hundred events, played through the real shell, with proofs, witnesses, timestamps and evidence."""

from __future__ import annotations

import tempfile
from asyncio import run
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from crypto import authority, timestamping, timestamps
from crypto.certificates import Credential
from crypto.digest import sha256
from crypto.signing import HallKey
from sessions.acts.notary import Notary, Outside
from sessions.commands import (
    AnswerObjection,
    CheckIn,
    ConfirmRow,
    Note,
    Object,
    ReportFailure,
    SignRecord,
    WithdrawBid,
)
from sessions.ids import BidderId
from sessions.keys.hallkey import HallKeys
from sessions.outside.certifying import Certifying
from sessions.outside.opening_log import OpeningLog
from sessions.outside.receipt_proofs import ReceiptProofs
from sessions.plan import AnchorKind, IntakeLog, Plan, Watch, WitnessMode, WitnessRule
from sessions.ports import Said, ToAnchor
from tests.support.authorities import Answering
from tests.support.bidders import Sealed, the_authority
from tests.support.ceremony import HOST, MINUTE, MS, SECOND, SUPERVISOR, T0, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.finished import Play, an_archive, declare_none, refuse_a_late_bid
from tests.support.hallkey import hall_key
from tests.support.shell import SESSION, Shell, a_bid_for_this, a_shell, the_actor, the_trust
from tests.support.witnesses import ORIGIN, InHouse, a_witness, answered

BIDDERS = 30
TSA = "国家授时中心"
LOG = IntakeLog(every=10 * MINUTE, leaves=8)


@dataclass(frozen=True, kw_only=True)
class Stamping:
    """A timestamp authority in this process, with the hall's own clock."""

    clock: FakeClock
    signer: Credential
    root: authority.Authority
    looks: Certifying
    name: str = TSA
    kind: AnchorKind = AnchorKind.STAMP

    async def hold(self, asked: ToAnchor) -> Said:
        at = self.clock.now().replace(microsecond=0)
        digest = sha256(asked.text)
        reply = timestamping.reply(timestamps.request(digest, 1), self.signer, at=at, serial=1)
        roots = [self.root.certificate]
        token, _ = timestamps.read_reply(reply, digest=digest, nonce=1, anchors=roots, asked_at=at, answered_at=at)
        proof = await self.looks.check_stamp(token, self.root.certificate, at=at)
        return Said(evidence=token, at=at, proof=proof)


def a_stamping(hall: Shell, clock: FakeClock) -> Stamping:
    """The authority's certificate is of those whose standing is answered for, as the bidders' are."""
    looks = Certifying(the_trust, revocation=Answering(), proofs=hall.stores.proofs)
    signer = timestamping.issue_authority(the_authority(), name="TSA", at=T0 - 30 * MINUTE)
    return Stamping(clock=clock, root=the_authority(), signer=signer, looks=looks)


@cache
def the_long_bundle() -> tuple[bytes, HallKey]:
    """Return the bundle and the hall's key; played once for the whole run."""
    with tempfile.TemporaryDirectory() as folder:
        return run(_play(Path(folder))), hall_key(Path(folder))


async def _play(folder: Path) -> bytes:
    clock = FakeClock()
    witnesses = [a_witness(f"w{number}.example", folder, clock) for number in (1, 2)]
    bids = [a_bid_for_this(f"第{number}建设有限公司", f"{1000 + number}000.00") for number in range(BIDDERS)]
    async with a_shell(folder, clock) as hall:
        hall.trusts(the_trust(), Answering())
        stamping = a_stamping(hall, clock)
        outside = Outside(witnesses={one.vkey: one for one in witnesses}, authorities={TSA: stamping})
        notary, receipts = _outside(hall, outside)
        await hall.sessions.create(_plan(witnesses))
        play = _Acts(hall, clock)
        await _before(play, receipts, bids)
        await _opened(play, notary, bids)
        await _signed(play, notary, bids)
        await answered(notary)
        await notary.finished(SESSION, 60.0)
        await notary.close()
        await receipts.close()
        return await an_archive(hall, {TSA: stamping.root.certificate}).bundle(SESSION)


def _plan(witnesses: list[InHouse]) -> Plan:
    plan = a_plan(intake_log=LOG)
    rule = WitnessRule(mode=WitnessMode.CLOSED, grace=60 * SECOND, article="bl-35")
    watch = Watch(origin=ORIGIN, witnesses=tuple(one.vkey for one in witnesses), quorum=2, authorities=(TSA,))
    return replace(plan, watch=watch, proofs=True, pack=replace(plan.pack, witness=rule))


def _outside(hall: Shell, outside: Outside) -> tuple[Notary, ReceiptProofs]:
    keys, checkpoints = HallKeys.in_folder(hall.folder), hall.stores.checkpoints
    openings = OpeningLog(hall.stores.events, checkpoints, keys)
    notary = Notary(hall.sessions, openings, checkpoints, outside, hall=keys, clock=hall.clock)
    receipts = ReceiptProofs(
        hall.sessions,
        events=hall.stores.events,
        checkpoints=checkpoints,
        outside=outside,
        hall=keys,
        clock=hall.clock,
    )
    hall.sessions.on_commit(notary.look)
    hall.sessions.on_commit(receipts.look)
    return notary, receipts


class _Acts(Play):
    """The play of a hall that looks at the certificate behind every act."""

    async def act(self, command: CheckIn | ConfirmRow | SignRecord | WithdrawBid, bid: Sealed) -> None:
        looks = Certifying(the_trust, revocation=Answering(), proofs=self.hall.stores.proofs)
        proof = await looks.check_signer([bid.bidder.sign.certificate], at=self.clock.now())
        await self.hall.sessions.handle(SESSION, replace(command, proof=proof), the_actor(bid.bidder))

    async def checks_in(self, bid: Sealed) -> None:
        head = (await self.hall.sessions.events(SESSION))[-1].digest
        statement = self.said(bid, "checkin", bidder=bid.bidder.id, head=head)
        await self.act(CheckIn(bidder=BidderId(bid.bidder.id), statement=statement), bid)

    async def confirms(self, bid: Sealed) -> None:
        row = (await self.hall.state()).bid(bid.bidder.id)
        assert row is not None
        statement = self.said(bid, "confirm", bidder=bid.bidder.id, quote_sha256=str(row.quote_sha256))
        await self.act(ConfirmRow(bidder=BidderId(bid.bidder.id), statement=statement), bid)

    async def signs(self, bid: Sealed, record_sha256: str) -> None:
        statement = self.said(bid, "record", signer=bid.bidder.id, record_sha256=record_sha256)
        await self.act(SignRecord(signer=bid.bidder.id, statement=statement), bid)

    async def withdraws(self, bid: Sealed) -> None:
        statement = self.said(bid, "withdraw", bidder=bid.bidder.id, header_sha256=bid.bid.header_sha256)
        await self.act(WithdrawBid(bidder=BidderId(bid.bidder.id), statement=statement), bid)


async def _before(play: _Acts, receipts: ReceiptProofs, bids: list[Sealed]) -> None:
    hall = play.hall
    gone = a_bid_for_this("中途退出有限公司")
    for bid in (gone, a_bid_for_this("第0建设有限公司", "990000.00"), *bids):
        play.clock.advance(SECOND)
        await hall.submit(bid)
    await play.withdraws(gone)
    await play.at(T0 - 30 * MINUTE)
    await hall.receipt_logs.settle(SESSION)
    await receipts.published(SESSION)
    for bid in bids[: BIDDERS // 2]:
        await play.checks_in(bid)
    await hall.host_takes_over_the_room()
    await hall.sessions.handle(SESSION, Note(text="一切正常"), SUPERVISOR)
    await play.at(T0 + 700 * MS)
    await refuse_a_late_bid(hall)


async def _opened(play: _Acts, notary: Notary, bids: list[Sealed]) -> None:
    """All release but the last two: one reports a locked token, one is never heard of."""
    hall = play.hall
    await answered(notary)
    for bid in bids[BIDDERS // 2 :]:
        await play.checks_in(bid)
    await hall.advance("ceiling")
    await hall.advance("decrypt")
    locked = bids[-2].bidder
    failure = ReportFailure(bidder=BidderId(locked.id), code="locked")
    await hall.sessions.handle(SESSION, failure, the_actor(locked))
    for bid in bids[:-2]:
        assert (await hall.release(bid)).code is None
    await play.signs_of_life([(bids[0], "released"), (bids[1], "released"), (bids[-2], "locked")])
    await play.wait_for_the_end_of_the_step()


async def _signed(play: _Acts, notary: Notary, bids: list[Sealed]) -> None:
    hall = play.hall
    await play.wait_for_the_end_of_the_step()
    await hall.advance("confirm")
    for bid in bids[:-4]:
        await play.confirms(bid)
    for number, bid in enumerate(bids[:3], start=1):
        objection = Object(bidder=BidderId(bid.bidder.id), recusal=False, title="唱标过快", text="请放慢。")
        await hall.sessions.handle(SESSION, objection, the_actor(bid.bidder))
        await hall.sessions.handle(SESSION, AnswerObjection(number=number, text="已重读。"), HOST)
    await play.wait_for_the_end_of_the_step()
    await declare_none(hall, bids)
    await hall.advance("sign")
    await answered(notary)
    drawn = (await hall.state()).drawn
    assert drawn is not None
    for bid in bids:
        if bid.bidder.id in drawn.asked and bid is not bids[0]:
            await play.signs(bid, drawn.sha256)
    await play.sign([], hall_key(hall.folder))
    await play.wait_for_the_end_of_the_step()
    assert (await hall.state()).status == "ended"
