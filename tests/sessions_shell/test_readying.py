"""The check-up days ahead: a slip when everything is well, none when one thing is not, and nobody else's business."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from crypto import authority
from crypto.certificates import Usage, fingerprint
from crypto.errors import StatementRefused
from crypto.signing import sign, verify
from sessions.acts.readying import CHECKS, READY, SLIP, Readying, Slip, ready_payload
from sessions.errors import CommandRefused
from tests.support.bidders import BEGIN, Bidder, Sealed, a_bidder, the_authority
from tests.support.ceremony import SECOND, T0, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.hallkey import hall_key
from tests.support.shell import SESSION, Shell, a_bid_for_this, a_shell, the_actor

NAME = "华东建设有限公司"
WELL = dict.fromkeys(CHECKS, "pass")


class Desk:
    """One bidder with a sealed bid, three weeks before the opening."""

    def __init__(self, hall: Shell, clock: FakeClock, bid: Sealed) -> None:
        self.hall, self.clock, self.bid, self.me = hall, clock, bid, bid.bidder

    def payload(self, encrypt: x509.Certificate | None = None, **changes: Any) -> dict[str, Any]:
        certificate = encrypt or self.me.encrypt.certificate
        said = ready_payload(
            session=SESSION,
            bidder=self.me.id,
            at=self.clock.now(),
            header_sha256=self.bid.bid.header_sha256,
            sign_cert=fingerprint(self.me.sign.certificate).hex(),
            encrypt_cert=fingerprint(certificate).hex(),
            checks=WELL,
            rtt_ms=12,
            ahead_ms=-3,
        )
        return {**said, **changes}

    async def says(self, encrypt: x509.Certificate | None = None, **changes: Any) -> Slip:
        token = sign(self.payload(encrypt, **changes), READY, self.me.sign)
        certificate = encrypt or self.me.encrypt.certificate
        office: Readying = self.hall.readying
        return await office.ready(SESSION, the_actor(self.me), token, [self.me.sign.certificate], certificate)  # type: ignore[arg-type]

    async def newest(self, certificate: x509.Certificate | None = None) -> Slip | None:
        mine = [certificate or self.me.sign.certificate]
        return await self.hall.readying.newest(SESSION, the_actor(self.me), mine)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = FakeClock(T0 - timedelta(days=21))
    async with a_shell(tmp_path, clock) as hall:
        await hall.sessions.create(a_plan())
        bid = a_bid_for_this(NAME)
        await hall.submit(bid)
        yield Desk(hall, clock, bid)


async def test_who_is_ready_gets_a_slip_under_the_halls_signature(desk: Desk) -> None:
    given = await desk.says()
    assert given.slip is not None
    said = verify(given.slip, SLIP, hall_key(desk.hall.folder).public)
    assert said["saw"] == {"sign": "ok", "encrypt": "ok", "pair": "ok", "slots": "ok"}
    kept = await desk.newest()
    assert kept is not None
    assert (kept.slip, kept.stale) == (given.slip, None)


@pytest.mark.parametrize("check", CHECKS)
async def test_one_check_that_failed_means_no_slip(desk: Desk, check: str) -> None:
    given = await desk.says(checks={**WELL, check: "fail"})
    assert given.slip is None
    assert await desk.newest() is None


async def test_a_key_that_the_bid_was_not_sealed_to_means_no_slip(desk: Desk) -> None:
    renewed = authority.issue(
        the_authority(), name=NAME, identifier=authority.demo_identifier(NAME), usage=Usage.ENCRYPT, at=BEGIN
    )
    given = await desk.says(renewed.certificate)
    assert (given.slip, given.saw["slots"]) == (None, "other_key")


async def test_a_bid_that_the_hall_does_not_have_means_no_slip(desk: Desk) -> None:
    given = await desk.says(header_sha256="ab" * 32)
    assert (given.slip, given.saw["slots"]) == (None, "other_bid")


async def test_a_certificate_of_somebody_else_means_no_slip(desk: Desk) -> None:
    other: Bidder = a_bidder("江南水利股份有限公司")
    given = await desk.says(other.encrypt.certificate)
    assert (given.slip, given.saw["pair"]) == (None, "pair_mismatch")


async def test_a_signing_certificate_in_place_of_the_other_means_no_slip(desk: Desk) -> None:
    given = await desk.says(desk.me.sign.certificate)
    assert (given.slip, given.saw["encrypt"]) == (None, "wrong_key_usage")


async def test_a_certificate_that_ends_before_the_day_is_over_means_no_slip(desk: Desk) -> None:
    days = (T0 - BEGIN).days
    short = authority.issue(
        the_authority(),
        name=NAME,
        identifier=authority.demo_identifier(NAME),
        usage=Usage.ENCRYPT,
        at=BEGIN,
        days=days,
    )
    given = await desk.says(short.certificate)
    assert (given.slip, given.saw["encrypt"]) == (None, "expired")


@pytest.mark.parametrize(
    "change",
    [
        {"session": "gx-2"},
        {"bidder": "91310000MA1A"},
        {"v": 2},
        {"checks": {"other": "pass"}},
        {"sign_cert": "ab" * 32},
    ],
)
async def test_a_statement_that_says_something_else_is_refused(desk: Desk, change: dict[str, Any]) -> None:
    with pytest.raises(StatementRefused):
        await desk.says(**change)


async def test_a_slip_grows_old(desk: Desk) -> None:
    await desk.says()
    desk.clock.advance(timedelta(days=7) + SECOND)
    kept = await desk.newest()
    assert kept is not None
    assert kept.stale == "age"


async def test_a_slip_is_stale_once_the_certificate_is_another(desk: Desk) -> None:
    await desk.says()
    kept = await desk.newest(a_bidder("江南水利股份有限公司").sign.certificate)
    assert kept is not None
    assert kept.stale == "certificate"


async def test_a_slip_is_stale_once_the_bid_is_another(desk: Desk) -> None:
    await desk.says()
    await desk.hall.submit(a_bid_for_this(NAME, "1100000.00"))
    kept = await desk.newest()
    assert kept is not None
    assert kept.stale == "bid"


async def test_another_bidder_sees_nothing_of_it(desk: Desk) -> None:
    await desk.says()
    other = a_bidder("江南水利股份有限公司")
    assert await desk.hall.readying.newest(SESSION, the_actor(other), [other.sign.certificate]) is None


async def test_the_log_says_nothing_of_it(desk: Desk) -> None:
    before = await desk.hall.log()
    await desk.says()
    assert await desk.hall.log() == before


async def test_after_t0_there_is_nothing_to_be_ready_for(desk: Desk) -> None:
    desk.clock.set(T0 + SECOND)
    await desk.hall.sessions.settle(SESSION)
    with pytest.raises(CommandRefused, match="t0_passed"):
        await desk.says()
