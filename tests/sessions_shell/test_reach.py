"""Signs of life as they come in: what is acknowledged, what is refused, and a hall that stood still."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from crypto.certificates import Credential
from crypto.digest import sha256_hex
from crypto.errors import CryptoRefused
from crypto.signing import sign, verify
from sessions.acts.reach import AT_ONCE, HALL
from sessions.errors import CommandRefused, Unanswered
from sessions.events import BarrierPassed, BidNotOpened, EvidenceGathered, FaultMeasured
from sessions.ids import Jws, SessionId
from sessions.opening import Opening
from sessions.ports import Kind
from sessions.watch.heartbeat import BEAT, HEARD, LONGEST, beat_payload
from tests.support.bidders import Sealed, a_bidder
from tests.support.ceremony import MINUTE, SECOND
from tests.support.fake_clock import FakeClock
from tests.support.hallkey import hall_key
from tests.support.shell import SESSION, Shell, a_bid_for_this, a_shell, the_actor

NAMES = ("华东建设有限公司", "江南水利股份有限公司", "北岸工程集团有限公司")


class Window:
    """The decrypt window of three bidders has just begun."""

    def __init__(self, hall: Shell, clock: FakeClock, bids: list[Sealed]) -> None:
        self.hall, self.clock, self.bids = hall, clock, bids
        self.me = bids[0]

    async def token(self, number: int, signer: Credential | None = None, **changes: Any) -> Jws:
        terms = await self.hall.reach.terms(SESSION, the_actor(self.me.bidder))
        payload = beat_payload(
            session=SESSION,
            bidder=self.me.bidder.id,
            nonce=terms.nonce,
            n=number,
            at=self.clock.now(),
            key="ready",
            seen=3,
            lost=0,
            rtt_ms=[9],
            ack=None,
        )
        return Jws(sign({**payload, **changes}, BEAT, signer or self.me.bidder.sign))

    async def hear(self, *tokens: Jws) -> tuple[Jws, ...]:
        certificate = self.me.bidder.sign.certificate
        return await self.hall.reach.hear(SESSION, the_actor(self.me.bidder), tokens, certificate)

    async def named(self, kind: type) -> list[Any]:  # type: ignore[type-arg]
        return [r.event for r in await self.hall.sessions.events(SESSION) if isinstance(r.event, kind)]


@pytest.fixture
async def window(tmp_path: Path) -> AsyncIterator[Window]:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        bids = [a_bid_for_this(name) for name in NAMES]
        await hall.begin_to_decrypt(clock, bids)
        yield Window(hall, clock, bids)


async def test_a_sign_of_life_is_acknowledged_under_the_halls_signature(window: Window) -> None:
    token = await window.token(1)
    (ack,) = await window.hear(token)
    said = verify(ack, HEARD, hall_key(window.hall.folder).public)
    head = (await window.hall.sessions.events(SESSION))[-1].digest
    assert (said["n"], said["beat_sha256"], said["head"]) == (1, sha256_hex(token.encode()), head)


async def test_the_same_one_again_gets_the_same_answer(window: Window) -> None:
    token = await window.token(1)
    assert await window.hear(token) == await window.hear(token)


async def test_what_could_not_be_sent_comes_together(window: Window) -> None:
    tokens = [await window.token(number) for number in (1, 2, 3)]
    assert len(await window.hear(*tokens)) == 3
    assert (await window.hall.reach.terms(SESSION, the_actor(window.me.bidder))).next == 4


@pytest.mark.parametrize("number", [2, 7])
async def test_a_gap_in_the_numbers_is_refused(window: Window, number: int) -> None:
    with pytest.raises(CommandRefused, match="stale_beat"):
        await window.hear(await window.token(number))


async def test_another_statement_under_a_number_that_was_used_is_refused(window: Window) -> None:
    await window.hear(await window.token(1))
    with pytest.raises(CommandRefused, match="stale_beat"):
        await window.hear(await window.token(1, lost=5))


@pytest.mark.parametrize(
    "change",
    [
        {"session": "gx-2"},
        {"bidder": "91310000MA1A"},
        {"nonce": "ab" * 32},
        {"key": "well"},
        {"rtt_ms": list(range(9))},
        {"lost": -1},
        {"at": "today"},
        {"n": 0},
        {"more": 1},
    ],
)
async def test_one_that_says_something_else_is_refused(window: Window, change: dict[str, Any]) -> None:
    with pytest.raises(CryptoRefused):
        await window.hear(await window.token(1, **change))


async def test_one_signed_by_somebody_else_is_refused(window: Window) -> None:
    with pytest.raises(CryptoRefused):
        await window.hear(await window.token(1, signer=a_bidder(NAMES[1]).sign))


async def test_one_that_is_too_long_is_refused(window: Window) -> None:
    with pytest.raises(CryptoRefused):
        await window.hear(await window.token(1, ack="a" * LONGEST))


async def test_too_many_at_once_are_refused(window: Window) -> None:
    tokens = [await window.token(number) for number in range(1, AT_ONCE + 2)]
    with pytest.raises(CommandRefused, match="too_many_beats"):
        await window.hear(*tokens)


async def test_after_the_window_nothing_is_heard(window: Window) -> None:
    token = await window.token(1)
    window.clock.advance(31 * MINUTE)
    with pytest.raises(CommandRefused, match="window_closed"):
        await window.hear(token)


async def test_a_hall_that_stood_still_past_the_end_gives_the_window_back_when_it_comes_up(window: Window) -> None:
    await window.hall.reach.recover()
    for _ in range(15):
        window.clock.advance(100 * SECOND)
        await window.hall.reach.recover()
    due = (await window.hall.state()).due
    assert due is not None
    window.clock.advance(10 * MINUTE)  # down, and the window would have ended meanwhile
    assert window.clock.now() > due
    await window.hall.reach.recover()
    (fault,) = await window.named(FaultMeasured)
    assert fault.new - fault.old == 10 * MINUTE
    assert not await window.named(BarrierPassed)
    assert (await window.hall.release(window.bids[0])).code is None


async def test_without_that_the_window_ends_and_the_cause_is_the_halls(window: Window) -> None:
    await window.hall.reach.recover()
    await window.hall.release(window.bids[0])
    await window.hall.release(window.bids[1])
    window.clock.advance(31 * MINUTE)
    await window.hall.sessions.settle(SESSION)  # as it would be if somebody settled first
    await window.hall.work_done()
    (gathered,) = await window.named(EvidenceGathered)
    assert int(gathered.facts["hall_down_s"]) > 1700
    (shut,) = await window.named(BidNotOpened)
    assert shut.cause == "P1"


async def test_a_store_that_is_away_for_a_moment_does_not_end_the_halls_own_signs_of_life(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions.acts.reach.AGAIN", 0.01)
    hall, failures = window.hall, [Unanswered()]
    state = hall.sessions.state

    async def stumbling(session: SessionId) -> Opening:
        if failures:
            raise failures.pop()
        return await state(session)

    monkeypatch.setattr(hall.sessions, "state", stumbling)
    hall.reach.look(SESSION, await state(SESSION))
    async with asyncio.timeout(60):
        while not await hall.stores.evidence.evidence(SESSION, Kind.PROBE, HALL):  # noqa: ASYNC110 - it is another task
            await asyncio.sleep(0.01)
    assert failures == []
    await hall.reach.close()
