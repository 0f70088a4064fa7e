"""Openings behind locks through the whole shell: real shares, real keys, and a hall that has none of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crypto.container import read_header
from crypto.encoding import b64u
from crypto.envelope import unlock
from crypto.header import SlotRole
from crypto.locks import make_split_release
from sessions.acts.submission import Refused
from sessions.barrier.behind import crypto_locks, quorum
from sessions.commands import Approve, GrantEscrow, MissLock, ReadyOfficer, RequestEscrow
from sessions.errors import CommandRefused
from sessions.events import BarrierPassed, BidNotOpened, BidOpened, LockOpened, SetFrozen
from sessions.ids import BidderId, Jws
from sessions.opening import OpenBids, work_due
from sessions.plan import Plan
from tests.support.bidders import Sealed
from tests.support.ceremony import DEPUTY, HOST, MINUTE, MS, SUPERVISOR, T0
from tests.support.fake_clock import FakeClock
from tests.support.locked import AGENT, TRUSTEES, a_locked_plan
from tests.support.shell import SESSION, Shell, a_bid_for_this, a_shell, a_token, the_actor

PRICES = ("1100000.00", "1200000.00", "900000.00")
NAMES = ("华东建设有限公司", "江南水利股份有限公司", "北岸工程集团有限公司")


def bids_for(plan: Plan, **changes: Any) -> list[Sealed]:
    """Three real bids, with the shares that the announcement asks for."""
    shares = {
        "tenderer": quorum(plan.tenderer_share) if plan.tenderer_share else None,
        "escrow": quorum(plan.escrow) if plan.escrow else None,
        **changes,
    }
    return [a_bid_for_this(name, price, **shares) for name, price in zip(NAMES, PRICES, strict=True)]


async def until_decrypting(hall: Shell, clock: FakeClock, plan: Plan, bids: list[Sealed]) -> None:
    await hall.sessions.create(plan)
    for bid in bids:
        await hall.submit(bid)
    clock.set(T0 - 30 * MINUTE)
    await hall.host_takes_over_the_room()
    for who, lock in ((HOST, "host"), (SUPERVISOR, "supervisor"), (AGENT, "tenderer")):
        if lock != "tenderer" or plan.tenderer_share:
            await hall.sessions.handle(SESSION, ReadyOfficer(lock=lock, passed=True), who)
    clock.set(T0 + 700 * MS)
    await hall.sessions.settle(SESSION)
    await hall.work_done()
    await hall.advance("ceiling")
    await hall.advance("decrypt")


async def released(hall: Shell, clock: FakeClock, plan: Plan, bids: list[Sealed]) -> None:
    await until_decrypting(hall, clock, plan, bids)
    for bid in bids:
        assert (await hall.release(bid)).code is None
    await hall.work_done()


async def events(hall: Shell, kind: Callable[..., Any]) -> list[Any]:
    return [r.event for r in await hall.sessions.events(SESSION) if isinstance(r.event, kind)]  # type: ignore[arg-type]


async def refused(work: Any) -> str:
    with pytest.raises(CommandRefused) as no:
        await work
    return no.value.code


async def test_what_was_sealed_is_read_out_once_both_locks_are_off(tmp_path: Path) -> None:
    clock, plan = FakeClock(), a_locked_plan()
    bids = bids_for(plan)
    async with a_shell(tmp_path, clock) as hall:
        await released(hall, clock, plan, bids)
        assert await events(hall, BarrierPassed)
        assert work_due(await hall.state()) is None
        assert (await hall.brings(DEPUTY)).failed == {}
        await hall.work_done()
        assert not await events(hall, BidOpened)
        await hall.brings(SUPERVISOR)
        await hall.work_done()
        opened = await events(hall, BidOpened)
        assert {event.bidder: event.quote["price"] for event in opened} == {
            bid.bidder.id: price for bid, price in zip(bids, PRICES, strict=True)
        }


async def test_behind_locks_the_hall_never_makes_a_session_key(tmp_path: Path) -> None:
    clock, plan = FakeClock(), a_locked_plan()
    async with a_shell(tmp_path, clock) as hall:
        await released(hall, clock, plan, bids_for(plan))
        (frozen,) = await events(hall, SetFrozen)
        assert frozen.session_key == ""
        for who in (HOST, SUPERVISOR):
            await hall.brings(who)
        await hall.work_done()
        assert await hall.stores.secrets.get(SESSION, "session-key") is None


async def test_two_envelopes_are_two_keys_behind_the_same_locks(tmp_path: Path) -> None:
    clock, plan = FakeClock(), a_locked_plan(envelopes=2)
    bids = [a_bid_for_this(n, p, envelopes=2, commercial=(b"priced",)) for n, p in zip(NAMES, PRICES, strict=True)]
    async with a_shell(tmp_path, clock) as hall:
        await until_decrypting(hall, clock, plan, bids)
        for bid in bids:
            for group in "AB":
                assert (await hall.release(bid, group)).code is None
        assert len((await hall.officers.shares(SESSION, HOST)).shares) == 6
        for who in (HOST, SUPERVISOR):
            await hall.brings(who)
        await hall.work_done()
        assert len(await events(hall, BidOpened)) == 3


async def test_shares_go_to_their_officer_only_and_only_behind_the_barrier(tmp_path: Path) -> None:
    clock, plan = FakeClock(), a_locked_plan(tenderer=True)
    bids = bids_for(plan)
    async with a_shell(tmp_path, clock) as hall:
        await until_decrypting(hall, clock, plan, bids)
        for who in (HOST, AGENT):
            assert await refused(hall.officers.shares(SESSION, who)) == "locks_not_due"
            assert await refused(hall.officers.bring(SESSION, who, {})) == "locks_not_due"
        for bid in bids:
            await hall.release(bid)
        assert await refused(hall.officers.shares(SESSION, the_actor(bid.bidder))) == "not_your_role"
        host, deputy = [await hall.officers.shares(SESSION, who) for who in (HOST, DEPUTY)]
        assert (host.index, deputy.index) == (1, 2)
        assert not {one.hpke for one in host.shares} & {one.hpke for one in deputy.shares}


async def test_shares_that_came_before_a_stop_are_still_there_after_it(tmp_path: Path) -> None:
    clock, plan = FakeClock(), a_locked_plan()
    async with a_shell(tmp_path, clock) as hall:
        await released(hall, clock, plan, bids_for(plan))
        await hall.brings(HOST)
    async with a_shell(tmp_path, clock) as hall:
        assert [lock.lock for lock in await events(hall, LockOpened)] == ["host"]
        assert (await hall.brings(HOST)).records == ()
        await hall.brings(SUPERVISOR)
    async with a_shell(tmp_path, clock) as hall:
        await hall.work_done()
        assert len(await events(hall, BidOpened)) == 3


async def test_shares_that_were_kept_but_not_recorded_count_when_they_come_again(tmp_path: Path) -> None:
    clock, plan = FakeClock(), a_locked_plan()
    async with a_shell(tmp_path, clock) as hall:
        await released(hall, clock, plan, bids_for(plan))
        values = await hall.opens(HOST)
        handle, hall.sessions.handle = hall.sessions.handle, _killed  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            await hall.officers.bring(SESSION, HOST, values)
        hall.sessions.handle = handle  # type: ignore[method-assign]
        assert not await events(hall, LockOpened)
        brought = await hall.officers.bring(SESSION, HOST, {})
        assert (len(brought.opened), brought.failed) == (3, {})


def lose(folder: Path, blob: str | None) -> None:
    for path in folder.rglob(f"*{blob}*"):
        path.unlink()


async def _killed(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


async def test_a_share_that_does_not_fit_is_told_at_once_and_may_be_brought_again(tmp_path: Path) -> None:
    clock, plan = FakeClock(), a_locked_plan()
    bids = bids_for(plan)
    bad = bids[1].bidder.id
    async with a_shell(tmp_path, clock) as hall:
        await released(hall, clock, plan, bids)
        assert (await hall.brings(HOST, spoilt={bad})).failed == {bad: "share_mismatch"}
        assert (await hall.brings(HOST)).failed == {}
        await hall.brings(SUPERVISOR)
        await hall.work_done()
        assert len(await events(hall, BidOpened)) == 3


async def test_another_officer_s_share_serves_where_the_first_did_not_fit(tmp_path: Path) -> None:
    clock, plan = FakeClock(), a_locked_plan()
    bids = bids_for(plan)
    bad = bids[1].bidder.id
    async with a_shell(tmp_path, clock) as hall:
        await released(hall, clock, plan, bids)
        await hall.brings(HOST, spoilt={bad})
        await hall.brings(DEPUTY)
        await hall.brings(SUPERVISOR)
        await hall.work_done()
        assert len(await events(hall, BidOpened)) == 3


async def test_a_bid_whose_share_nobody_could_use_waits_for_two_persons(tmp_path: Path) -> None:
    clock, plan = FakeClock(), a_locked_plan()
    bids = bids_for(plan)
    bad = bids[1].bidder.id
    async with a_shell(tmp_path, clock) as hall:
        await released(hall, clock, plan, bids)
        await hall.brings(HOST, spoilt={bad})
        await hall.brings(SUPERVISOR)
        await hall.work_done()
        (shut,) = await events(hall, BidNotOpened)
        assert (shut.bidder, shut.cause, shut.consequence) == (bad, "unknown", "pending")
        assert shut.evidence["open_code"] == "share_mismatch"


async def test_a_release_whose_shares_all_fit_and_make_another_key_is_its_bidder_s_doing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, plan = FakeClock(), a_locked_plan()
    bids = bids_for(plan)
    async with a_shell(tmp_path, clock) as hall:
        await until_decrypting(hall, clock, plan, bids)
        for bid in bids[1:]:
            await hall.release(bid)
        actor = the_actor(bids[0].bidder)
        challenge = await hall.releasing.challenge(SESSION, actor, "A")
        with monkeypatch.context() as cheating:  # the program that a bidder wrote for itself
            cheating.setattr("crypto.locks._cut", lambda secret, count: [bytes(32)] * count)
            token = a_token(bids[0], challenge)
        assert (await hall.releasing.release(SESSION, actor, token)).code is None
        for who in (HOST, SUPERVISOR):
            assert (await hall.brings(who)).failed == {}
        await hall.work_done()
        (shut,) = await events(hall, BidNotOpened)
        assert (shut.bidder, shut.cause, shut.evidence["open_code"]) == (bids[0].bidder.id, "B2", "key_mismatch")


async def test_a_release_to_other_locks_than_the_announced_is_refused_while_a_retry_is_free(tmp_path: Path) -> None:
    clock, plan = FakeClock(), a_locked_plan()
    bids = bids_for(plan)
    async with a_shell(tmp_path, clock) as hall:
        await until_decrypting(hall, clock, plan, bids)
        actor, container = the_actor(bids[0].bidder), read_header(bids[0].file)
        challenge = await hall.releasing.challenge(SESSION, actor, "A")
        token = make_split_release(
            container,
            "A",
            unlock(container, "A", bids[0].bidder.encrypt),
            session=SESSION,
            locks=crypto_locks(plan)[:1],
            nonce=challenge.nonce,
            signer=bids[0].bidder.sign,
        )
        assert (await hall.releasing.release(SESSION, actor, Jws(token))).code == "wrong_locks"
        assert (await hall.release(bids[0])).code is None


async def test_the_tenderer_s_own_key_is_needed_as_well(tmp_path: Path) -> None:
    clock, plan = FakeClock(), a_locked_plan(tenderer=True)
    async with a_shell(tmp_path, clock) as hall:
        await released(hall, clock, plan, bids_for(plan))
        for who in (HOST, SUPERVISOR):
            await hall.brings(who)
        await hall.work_done()
        assert not await events(hall, BidOpened)
        assert (await hall.brings(AGENT)).failed == {}
        await hall.work_done()
        assert len(await events(hall, BidOpened)) == 3


async def test_the_tenderer_s_key_is_a_second_layer_also_where_the_hall_holds_the_session_key(tmp_path: Path) -> None:
    clock, plan = FakeClock(), a_locked_plan(tenderer=True, locks=None)
    async with a_shell(tmp_path, clock) as hall:
        await hall.sessions.create(plan)
        bids = bids_for(plan)
        for bid in bids:
            await hall.submit(bid)
        clock.set(T0 - 30 * MINUTE)
        await hall.host_takes_over_the_room()
        await hall.sessions.handle(SESSION, ReadyOfficer(lock="tenderer", passed=True), AGENT)
        clock.set(T0 + 700 * MS)
        await hall.sessions.settle(SESSION)
        await hall.work_done()
        await hall.advance("ceiling")
        await hall.advance("decrypt")
        for bid in bids:
            await hall.release(bid)
        assert work_due(await hall.state()) is None
        await hall.brings(AGENT)
        await hall.work_done()
        assert len(await events(hall, BidOpened)) == 3


async def test_without_the_tenderer_two_persons_go_on_and_the_evidence_names_it(tmp_path: Path) -> None:
    clock, plan = FakeClock(), a_locked_plan(tenderer=True)
    async with a_shell(tmp_path, clock) as hall:
        await released(hall, clock, plan, bids_for(plan))
        for who in (HOST, SUPERVISOR):
            await hall.brings(who)
        await hall.sessions.handle(SESSION, MissLock(lock="tenderer", reason="失联"), HOST)
        await hall.sessions.handle(SESSION, Approve(proposal=1), SUPERVISOR)
        await hall.work_done()
        assert {shut.cause for shut in await events(hall, BidNotOpened)} == {"P5"}


async def test_trustees_open_the_bid_of_a_bidder_who_lost_its_key_and_no_other(tmp_path: Path) -> None:
    clock, plan = FakeClock(), a_locked_plan(escrow=True)
    bids = bids_for(plan)
    lost = BidderId(bids[0].bidder.id)
    async with a_shell(tmp_path, clock) as hall:
        await until_decrypting(hall, clock, plan, bids)
        for bid in bids[1:]:
            await hall.release(bid)
        await hall.sessions.handle(SESSION, RequestEscrow(bidder=lost, statement=Jws("s")), the_actor(bids[0].bidder))
        await hall.sessions.handle(SESSION, GrantEscrow(bidder=lost, reason="密钥损坏"), HOST)
        await hall.sessions.handle(SESSION, Approve(proposal=1), SUPERVISOR)
        assert {one.bidder for one in (await hall.officers.shares(SESSION, TRUSTEES[0])).shares} == {lost}
        for who in (HOST, SUPERVISOR, TRUSTEES[1]):
            await hall.brings(who)
        assert work_due(await hall.state()) is None
        await hall.brings(TRUSTEES[2])
        assert isinstance(work_due(await hall.state()), OpenBids | None)
        await hall.work_done()
        assert len(await events(hall, BidOpened)) == 3


@pytest.mark.parametrize(
    "sealed",
    [
        {"tenderer": None},
        {"escrow": None},
        {"tenderer": "escrow"},
    ],
)
async def test_a_bid_without_the_shares_the_announcement_asks_for_is_refused(
    tmp_path: Path, sealed: dict[str, Any]
) -> None:
    clock, plan = FakeClock(), a_locked_plan(tenderer=True, escrow=True)
    assert plan.escrow is not None
    changes = {name: quorum(plan.escrow) if value else None for name, value in sealed.items()}
    async with a_shell(tmp_path, clock) as hall:
        await hall.sessions.create(plan)
        with pytest.raises(Refused) as no:
            await hall.submit(bids_for(plan, **changes)[0])
        assert no.value.code == "wrong_sharing"


async def test_a_lost_bid_keeps_no_lock_on_the_others(tmp_path: Path) -> None:
    clock, plan = FakeClock(), a_locked_plan()
    bids = bids_for(plan)
    async with a_shell(tmp_path, clock) as hall:
        await released(hall, clock, plan, bids)
        answer = next(a for a in await hall.stores.intake.answers(SESSION) if a.bidder == bids[0].bidder.id)
        lose(tmp_path, answer.blob)
        for who in (HOST, SUPERVISOR):
            await hall.brings(who)
        await hall.work_done()
        (shut,) = await events(hall, BidNotOpened)
        assert (shut.bidder, shut.cause) == (bids[0].bidder.id, "P2")
        assert len(await events(hall, BidOpened)) == 2


def test_a_slot_role_has_a_lock_of_its_own() -> None:
    plan = a_locked_plan(tenderer=True, escrow=True)
    (bid, *_) = bids_for(plan)
    group = read_header(bid.file).header.group("A")
    assert len(group.slots_of(SlotRole.TENDERER)) == 1
    assert len(group.slots_of(SlotRole.ESCROW)) == 3
    assert b64u(group.kct or b"")
