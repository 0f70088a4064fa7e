"""One opening through the whole shell: real certificates, real sealed files, a real database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crypto.receipt import tracker, verify_receipt
from sessions.events import BidNotOpened, BidOpened, SetFrozen, Stream
from sessions.intake.receipts import receipt_of
from sessions.sealed_set import set_root
from tests.support.bidders import Sealed
from tests.support.ceremony import MINUTE, MS, T0, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.hallkey import hall_key
from tests.support.shell import SESSION, Shell, a_bid_for_this, a_shell, the_actor
from tests.support.team import TEAM

PRICES = ("1100000.00", "1200000.00", "900000.00")
NAMES = ("华东建设有限公司", "江南水利股份有限公司", "北岸工程集团有限公司")


async def until_decrypting(hall: Shell, clock: FakeClock, bids: Sequence[Sealed]) -> None:
    await hall.sessions.create(a_plan())
    for bid in bids:
        await hall.submit(bid)
    clock.set(T0 - 30 * MINUTE)
    await hall.host_takes_over_the_room()
    clock.set(T0 + 700 * MS)
    await hall.sessions.settle(SESSION)
    await hall.work_done()
    await hall.advance("ceiling")
    await hall.advance("decrypt")


async def test_what_was_sealed_is_what_is_read_out(tmp_path: Path) -> None:
    clock = FakeClock()
    bids = [a_bid_for_this(name, price) for name, price in zip(NAMES, PRICES, strict=True)]
    async with a_shell(tmp_path, clock, bucket=TEAM) as hall:
        await until_decrypting(hall, clock, bids)
        for bid in bids:
            assert (await hall.release(bid)).code is None
        await hall.work_done()
        opened = [r.event for r in await hall.sessions.events(SESSION) if isinstance(r.event, BidOpened)]
        assert {event.bidder: event.quote["price"] for event in opened} == {
            bid.bidder.id: price for bid, price in zip(bids, PRICES, strict=True)
        }
        assert [r.number for r in hall.bell.rung] == list(range(1, len(hall.bell.rung) + 1))


async def test_the_frozen_set_is_what_the_receipts_say(tmp_path: Path) -> None:
    clock = FakeClock()
    bids = [a_bid_for_this(name) for name in NAMES]
    async with a_shell(tmp_path, clock, bucket=TEAM) as hall:
        await until_decrypting(hall, clock, bids)
        (frozen,) = (r for r in await hall.sessions.events(SESSION) if isinstance(r.event, SetFrozen))
        intake = await hall.sessions.events(SESSION, Stream.INTAKE)
        assert frozen.at == T0
        assert frozen.event.root == set_root(frozen.event.headers)
        assert (frozen.event.intake_head, frozen.event.intake_length) == (intake[-1].digest, intake[-1].number)
        rows = {row["header_sha256"]: row for row in frozen.event.private["bids"]}
        for bid in bids:
            (answer,) = await hall.submissions.mine(SESSION, the_actor(bid.bidder))
            receipt = verify_receipt(answer.statement, hall_key(tmp_path).public)
            assert receipt.header_sha256 == bid.bid.header_sha256
            (record,) = (r for r in intake if getattr(r.event, "leaf_salt", "") == receipt.leaf_salt)
            assert receipt == receipt_of(record, a_plan())
            assert rows[receipt.header_sha256]["tracker"] == tracker(receipt.payload())


async def test_a_missing_key_leaves_one_bid_shut_and_opens_the_others(tmp_path: Path) -> None:
    clock = FakeClock()
    bids = [a_bid_for_this(name) for name in NAMES]
    async with a_shell(tmp_path, clock, bucket=TEAM) as hall:
        await until_decrypting(hall, clock, bids)
        await hall.release(bids[0])
        await hall.release(bids[1])
        due = (await hall.state()).due
        assert due is not None
        clock.set(due)
        await hall.sessions.settle(SESSION)
        await hall.work_done()
        log = [r.event for r in await hall.sessions.events(SESSION)]
        assert {e.bidder for e in log if isinstance(e, BidOpened)} == {bids[0].bidder.id, bids[1].bidder.id}
        (shut,) = (e for e in log if isinstance(e, BidNotOpened))
        assert (shut.bidder, shut.cause, shut.consequence) == (bids[2].bidder.id, "B1", "revoked")
