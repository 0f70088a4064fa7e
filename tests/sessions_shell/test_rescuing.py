"""A certificate fails on the day: a key file or a spare sheet takes its place, and nothing that was not sealed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crypto.encoding import canonical
from crypto.envelope import read_header, unlock
from crypto.errors import CryptoRefused
from crypto.release import load_session_public
from crypto.rescue import KEY, PLAIN, Rescue, seal_rescue
from sessions.archive.bundle import Archive
from sessions.errors import CommandRefused
from sessions.events import BidNotOpened, BidOpened, BidRescued, SheetRescued
from sessions.ids import BidderId
from sessions.roles import Actor
from sessions.verify import verify
from tests.support.bidders import Sealed
from tests.support.ceremony import DEPUTY, HOST
from tests.support.fake_clock import FakeClock
from tests.support.finished import Play, an_archive, declare_none
from tests.support.shell import SESSION, Shell, a_bid_for_this, a_shell, everything_in, the_actor

SALT = b"\x5a" * 32
PRICE = "1200000.00"
NAMES = ("华东建设有限公司", "江南水利股份有限公司", "北岸工程集团有限公司")


class Window:
    """Three bids; the third one's certificate does not work, and it was sealed with a rescue file."""

    def __init__(self, hall: Shell, clock: FakeClock, bids: list[Sealed]) -> None:
        self.hall, self.clock, self.bids = hall, clock, bids
        self.lost = bids[2]
        self.who = BidderId(self.lost.bidder.id)
        self.key = unlock(read_header(self.lost.file), "A", self.lost.bidder.encrypt)
        self.spare = Rescue(
            header_sha256=self.lost.bid.header_sha256, salt=SALT, sheet=canonical({"price": PRICE})
        ).encode()

    async def hand_in(self, kind: str, payload: bytes, actor: Actor | None = None, **changes: str) -> list[str]:
        terms = await self.hall.rescuing.terms(SESSION, self.who)
        sealed = seal_rescue(
            payload,
            kind,
            session=SESSION,
            group="A",
            header_sha256=terms.header_sha256,
            nonce=changes.get("nonce", terms.nonce),
            session_key=load_session_public(terms.session_key),
        )
        by = actor or the_actor(self.lost.bidder)
        records = await self.hall.rescuing.rescue(SESSION, by, self.who, "A", kind, sealed)
        return [type(record.event).__name__ for record in records]

    async def end(self) -> None:
        due = (await self.hall.state()).due
        assert due is not None
        self.clock.set(due)
        await self.hall.sessions.settle(SESSION)
        await self.hall.work_done()

    async def named(self, kind: type) -> list[object]:  # type: ignore[type-arg]
        return [r.event for r in await self.hall.sessions.events(SESSION) if isinstance(r.event, kind)]


@pytest.fixture
async def window(tmp_path: Path) -> AsyncIterator[Window]:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        bids = [a_bid_for_this(name, rescue_salt=SALT if name == NAMES[2] else None) for name in NAMES]
        await hall.begin_to_decrypt(clock, bids)
        for bid in bids[:2]:
            await hall.release(bid)
        yield Window(hall, clock, bids)


async def test_a_key_file_opens_the_bid_whoever_hands_it_in(window: Window) -> None:
    assert (await window.hand_in(KEY, window.key, HOST))[0] == "BidRescued"
    await window.hall.work_done()
    assert len(await window.named(BidOpened)) == 3
    bid = (await window.hall.state()).bid(window.who)
    assert bid is not None
    assert bid.rescued == "key"


async def test_another_key_is_refused_and_is_no_attempt_of_the_bidder(window: Window) -> None:
    with pytest.raises(CryptoRefused) as refusal:
        await window.hand_in(KEY, bytes(32), HOST)
    assert refusal.value.code == "commitment_mismatch"
    bid = (await window.hall.state()).bid(window.who)
    assert bid is not None
    assert (bid.attempts, bid.rescued) == ((), None)


async def test_a_spare_sheet_stays_sealed_until_the_barrier_and_is_then_read_out(
    window: Window, tmp_path: Path
) -> None:
    assert await window.hand_in(PLAIN, window.spare) == ["BidRescued"]
    assert (await window.hall.state()).barrier is None
    assert PRICE.encode() not in everything_in(tmp_path)
    await window.end()
    (read,) = await window.named(SheetRescued)
    bid = (await window.hall.state()).bid(window.who)
    assert bid is not None
    assert (bid.quote, bid.rescued, bid.quote_key) == ({"price": PRICE}, "plain", None)
    assert read.salt == SALT.hex()  # type: ignore[attr-defined]


async def test_another_sheet_is_not_read_out(window: Window) -> None:
    lower = Rescue(header_sha256="ab" * 32, salt=SALT, sheet=canonical({"price": "1.00"})).encode()
    await window.hand_in(PLAIN, lower)
    await window.end()
    (shut,) = await window.named(BidNotOpened)
    assert shut.evidence["open_code"] == "rescue_mismatch"  # type: ignore[attr-defined]
    assert not await window.named(SheetRescued)


async def test_rubbish_handed_in_by_the_host_shuts_out_neither_the_sheet_nor_the_key(window: Window) -> None:
    for number in range(4):
        await window.hand_in(PLAIN, b"rubbish %d" % number, HOST)
    with pytest.raises(CommandRefused, match="too_many_rescues"):
        await window.hand_in(PLAIN, b"rubbish", HOST)
    await window.hand_in(PLAIN, window.spare)
    assert (await window.hall.release(window.lost)).code is None
    await window.hall.work_done()
    assert len(await window.named(BidOpened)) == 3


async def test_the_true_sheet_is_found_among_rubbish(window: Window) -> None:
    await window.hand_in(PLAIN, b"rubbish", HOST)
    await window.hand_in(PLAIN, window.spare)
    await window.end()
    assert len(await window.named(SheetRescued)) == 1


async def test_only_the_bidder_itself_and_the_acting_host_hand_in(window: Window) -> None:
    with pytest.raises(CommandRefused, match="not_yours"):
        await window.hand_in(PLAIN, window.spare, the_actor(window.bids[0].bidder))
    with pytest.raises(CommandRefused, match="not_acting_host"):
        await window.hand_in(PLAIN, window.spare, DEPUTY)


async def test_a_bid_sealed_without_a_rescue_takes_no_sheet(window: Window) -> None:
    window.lost, window.who = window.bids[0], BidderId(window.bids[0].bidder.id)
    with pytest.raises(CryptoRefused) as refusal:
        await window.hand_in(PLAIN, window.spare)
    assert refusal.value.code == "no_rescue"


async def test_after_the_barrier_nothing_is_taken(window: Window) -> None:
    await window.end()
    with pytest.raises(CommandRefused, match="window_closed"):
        await window.hand_in(PLAIN, window.spare)


@pytest.mark.parametrize("kind", [KEY, PLAIN])
async def test_the_archive_of_a_rescued_bid_verifies_and_tells_of_it(window: Window, kind: str) -> None:
    await window.hand_in(kind, window.key if kind == KEY else window.spare, HOST)
    if kind == PLAIN:
        await window.end()
    await window.hall.work_done()
    play = Play(window.hall, window.clock)
    await play.wait_for_the_end_of_the_step()  # the read-out
    await window.hall.advance("confirm")
    await play.wait_for_the_end_of_the_step()
    await declare_none(window.hall, window.bids)
    await window.hall.advance("sign")
    await play.wait_for_the_end_of_the_step()
    archive: Archive = an_archive(window.hall)
    report = verify(await archive.bundle(SESSION))
    assert [(check.id, check.detail) for check in report.failed] == []
    (rescued,) = await window.named(BidRescued)
    assert rescued.kind == kind  # type: ignore[attr-defined]
