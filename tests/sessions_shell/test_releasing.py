"""Keys come in: checked at once, put away, and used only behind the barrier."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from crypto import authority
from crypto.encoding import b64u
from crypto.envelope import read_header, unlock
from crypto.paths import Trust
from sessions.barrier.unsealing import Unsealing
from sessions.commands import ReportFailure
from sessions.errors import CommandRefused
from sessions.events import AttemptFailed, BidNotOpened, BidOpened, KeyReleased, SealsChecked
from sessions.ids import BidderId, Jws
from sessions.opening import Status
from tests.support import bidders
from tests.support.bidders import Sealed
from tests.support.ceremony import MINUTE, MS, SECOND, T0, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.shell import (
    SESSION,
    Shell,
    a_bid_for_this,
    a_shell,
    a_token,
    everything_in,
    the_actor,
    the_trust,
)

NAMES = ("华东建设有限公司", "江南水利股份有限公司", "北岸工程集团有限公司")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def hall(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Shell]:
    async with a_shell(tmp_path, clock) as shell:
        await shell.sessions.create(a_plan())
        yield shell


@pytest.fixture
async def bids(hall: Shell, clock: FakeClock) -> list[Sealed]:
    """Three bids in the decrypt window."""
    bids = [a_bid_for_this(name, f"{number}00000.00") for number, name in enumerate(NAMES, 7)]
    await until_decrypting(hall, clock, bids)
    return bids


async def until_decrypting(hall: Shell, clock: FakeClock, bids: list[Sealed]) -> None:
    await until_checked(hall, clock, bids)
    await hall.advance("ceiling")
    await hall.advance("decrypt")


async def until_checked(hall: Shell, clock: FakeClock, bids: list[Sealed]) -> None:
    for bid in bids:
        await hall.submit(bid)
    clock.set(T0 - 30 * MINUTE)
    await hall.host_takes_over_the_room()
    clock.set(T0 + 700 * MS)
    await hall.sessions.settle(SESSION)
    await hall.work_done()


async def named(hall: Shell, *kinds: type) -> list[object]:
    return [record.event for record in await hall.sessions.events(SESSION) if isinstance(record.event, kinds)]


async def close_the_window(hall: Shell, clock: FakeClock) -> None:
    due = (await hall.state()).due
    assert due is not None
    clock.set(due)
    await hall.sessions.settle(SESSION)
    await hall.work_done()


async def test_the_challenge_has_what_a_bidder_must_check(hall: Shell, bids: list[Sealed]) -> None:
    challenge = await hall.releasing.challenge(SESSION, the_actor(bids[0].bidder), "A")
    opening = await hall.state()
    assert opening.frozen is not None
    assert challenge.header_sha256 == bids[0].bid.header_sha256
    assert challenge.header == read_header(bids[0].file).header_bytes
    assert (challenge.headers, challenge.root) == (opening.frozen.headers, opening.frozen.root)
    assert challenge.session_key == opening.frozen.session_key
    assert challenge.due == opening.due
    (answer,) = await hall.submissions.mine(SESSION, the_actor(bids[0].bidder))
    assert challenge.receipt == answer.statement


async def test_every_bidder_answers_another_nonce_and_the_same_one_again(hall: Shell, bids: list[Sealed]) -> None:
    actors = [the_actor(bid.bidder) for bid in bids]
    nonces = [(await hall.releasing.challenge(SESSION, actor, "A")).nonce for actor in (*actors, *actors)]
    assert nonces[:3] == nonces[3:]
    assert len(set(nonces)) == 3


async def test_no_challenge_is_given_outside_the_window(hall: Shell, clock: FakeClock) -> None:
    bids = [a_bid_for_this(name) for name in NAMES]
    await until_checked(hall, clock, bids)
    for act in (
        hall.releasing.challenge(SESSION, the_actor(bids[0].bidder), "A"),
        hall.releasing.release(SESSION, the_actor(bids[0].bidder), Jws("a.b.c")),
    ):
        with pytest.raises(CommandRefused) as caught:
            await act
        assert caught.value.code == "window_closed"
    assert await hall.stores.intake.releases(SESSION) == ()


async def test_who_has_no_bid_or_asks_for_another_group_gets_no_challenge(hall: Shell, bids: list[Sealed]) -> None:
    with pytest.raises(CommandRefused) as caught:
        await hall.releasing.challenge(SESSION, the_actor(bidders.a_bidder("无标企业")), "A")
    assert caught.value.code == "no_bid"
    with pytest.raises(CommandRefused) as caught:
        await hall.releasing.challenge(SESSION, the_actor(bids[0].bidder), "B")
    assert caught.value.code == "no_such_group"


@pytest.mark.parametrize(
    ("changes", "code"), [({"session": "gx-2"}, "wrong_session"), ({"nonce": "00" * 32}, "stale_nonce")]
)
async def test_a_release_for_something_else_is_an_attempt_that_failed(
    hall: Shell, bids: list[Sealed], changes: dict[str, str], code: str
) -> None:
    actor = the_actor(bids[0].bidder)
    challenge = await hall.releasing.challenge(SESSION, actor, "A")
    token = a_token(bids[0], challenge, **changes)
    assert (await hall.releasing.release(SESSION, actor, token)).code == code
    (attempt,) = await named(hall, AttemptFailed)
    assert isinstance(attempt, AttemptFailed)
    assert attempt.private["code"] == code
    (kept,) = await hall.stores.intake.releases(SESSION)
    assert (kept.statement, kept.code, kept.sha256) == (token, code, attempt.release_sha256)
    assert (await hall.release(bids[0])).code is None  # a retry inside the window is free


async def test_anothers_release_does_not_open_mine(hall: Shell, bids: list[Sealed]) -> None:
    theirs = a_token(bids[1], await hall.releasing.challenge(SESSION, the_actor(bids[1].bidder), "A"))
    verdict = await hall.releasing.release(SESSION, the_actor(bids[0].bidder), theirs)
    assert verdict.code == "wrong_signer"


async def test_a_release_of_an_earlier_version_is_refused(hall: Shell, clock: FakeClock) -> None:
    old = a_bid_for_this(NAMES[0], "1.00")
    bids = [a_bid_for_this(name) for name in NAMES]
    await hall.submit(old)
    await until_decrypting(hall, clock, bids)
    actor = the_actor(old.bidder)
    token = a_token(old, await hall.releasing.challenge(SESSION, actor, "A"))
    assert (await hall.releasing.release(SESSION, actor, token)).code == "wrong_bid"


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "e30.e30.AA"])
async def test_nonsense_is_an_attempt_and_never_an_error(hall: Shell, bids: list[Sealed], token: str) -> None:
    actor = the_actor(bids[0].bidder)
    assert (await hall.releasing.release(SESSION, actor, Jws(token))).code == "malformed_release"


async def test_a_message_beyond_all_measure_is_refused_unread(hall: Shell, bids: list[Sealed]) -> None:
    with pytest.raises(CommandRefused) as caught:
        await hall.releasing.release(SESSION, the_actor(bids[0].bidder), Jws("x" * 70_000))
    assert caught.value.code == "too_large"
    assert await hall.stores.intake.releases(SESSION) == ()


async def test_a_certificate_revoked_in_mid_session_releases_nothing(hall: Shell, bids: list[Sealed]) -> None:
    serial = bids[0].bidder.sign.certificate.serial_number
    crl = authority.revocation_list(bidders.the_authority(), {serial: T0}, at=T0)
    hall.trusts(replace(the_trust(), crls=(crl,)))
    assert (await hall.release(bids[0])).code == "revoked"


async def test_that_trust_cannot_be_told_is_not_the_bidders_fault(
    hall: Shell, bids: list[Sealed], clock: FakeClock
) -> None:
    hall.trusts(Trust(anchors=(bidders.the_authority().certificate,), required=True))
    assert (await hall.release(bids[0])).code == "revocation_unknown"
    await close_the_window(hall, clock)
    shut = {event.bidder: event for event in await named(hall, BidNotOpened) if isinstance(event, BidNotOpened)}
    assert (shut[bids[0].bidder.id].cause, shut[bids[0].bidder.id].consequence) == ("P1", "withdrawn")


async def test_what_the_hall_cannot_check_is_the_halls_fault(
    hall: Shell, bids: list[Sealed], clock: FakeClock
) -> None:
    def trust() -> Trust:
        raise ValueError("not a revocation list")

    hall.asks(trust)
    assert (await hall.release(bids[0])).code == "hall_error"
    await close_the_window(hall, clock)
    shut = {event.bidder: event for event in await named(hall, BidNotOpened) if isinstance(event, BidNotOpened)}
    assert (shut[bids[0].bidder.id].cause, shut[bids[0].bidder.id].consequence) == ("P1", "withdrawn")


async def test_no_key_and_no_price_is_anywhere_before_the_barrier(
    hall: Shell, bids: list[Sealed], tmp_path: Path
) -> None:
    secrets = [unlock(read_header(bid.file), "A", bid.bidder.encrypt) for bid in bids]
    assert (await hall.release(bids[0])).code is None
    assert (await hall.release(bids[1])).code is None
    await hall.work_done()
    assert await named(hall, BidOpened) == []
    disk = everything_in(tmp_path)
    assert bids[0].bid.header_sha256.encode() in disk  # the scan sees what is in the clear
    for secret in secrets:
        for form in (secret, secret.hex().encode(), b64u(secret).encode()):
            assert form not in disk
    for price in (b"700000.00", b"800000.00", b"900000.00"):
        assert price not in disk
    with pytest.raises(RuntimeError, match="before the barrier"):
        await Unsealing.open_bids(hall.sessions._worker._unsealing, await hall.state(), None)  # type: ignore[arg-type]


async def test_behind_the_barrier_keys_are_kept_sealed(hall: Shell, bids: list[Sealed], tmp_path: Path) -> None:
    for bid in bids:
        await hall.release(bid)
    await hall.work_done()
    secret = unlock(read_header(bids[0].file), "A", bids[0].bidder.encrypt)
    assert await hall.stores.secrets.get(SESSION, f"group-key-A/{bids[0].bidder.id}") == secret
    disk = everything_in(tmp_path)
    assert b"700000.00" in disk  # read out, so public
    for form in (secret, secret.hex().encode(), b64u(secret).encode()):
        assert form not in disk


async def test_a_release_that_came_in_time_and_was_answered_too_late_is_the_halls_fault(
    hall: Shell, bids: list[Sealed], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    checking, go_on = asyncio.Event(), asyncio.Event()
    verdict = hall.releasing._verdict

    async def slow(*arguments: object) -> str | None:
        checking.set()
        await go_on.wait()
        return await verdict(*arguments)  # type: ignore[arg-type]

    await hall.release(bids[0])
    monkeypatch.setattr(hall.releasing, "_verdict", slow)
    releasing = asyncio.ensure_future(hall.release(bids[1]))
    await checking.wait()
    due = (await hall.state()).due
    assert due is not None
    clock.set(due + SECOND)
    await hall.sessions.settle(SESSION)
    await asyncio.sleep(0.05)
    assert await named(hall, BidOpened, BidNotOpened) == []  # the bids stay shut while it is checked
    go_on.set()
    await releasing
    await hall.work_done()
    results = {e.bidder: e for e in await named(hall, BidOpened, BidNotOpened)}  # type: ignore[attr-defined]
    late = results[bids[1].bidder.id]
    assert isinstance(late, BidNotOpened)
    assert (late.cause, late.consequence) == ("P4", "withdrawn")
    assert isinstance(results[bids[0].bidder.id], BidOpened)


async def test_bytes_that_changed_on_the_disk_are_found_at_the_seal_check(hall: Shell, clock: FakeClock) -> None:
    bids = [a_bid_for_this(name) for name in NAMES]
    answers = [await hall.submit(bid) for bid in bids]
    flip(hall, answers[1].blob)
    await until_checked(hall, clock, [])
    (checked,) = await named(hall, SealsChecked)
    assert isinstance(checked, SealsChecked)
    assert checked.results == {
        bids[0].bidder.id: "ok",
        bids[1].bidder.id: "wrong_segments",
        bids[2].bidder.id: "ok",
    }
    await hall.advance("ceiling")
    await hall.advance("decrypt")
    for bid in bids:
        await hall.release(bid)
    await hall.work_done()
    (shut,) = await named(hall, BidNotOpened)
    assert isinstance(shut, BidNotOpened)
    assert (shut.bidder, shut.cause, shut.consequence) == (bids[1].bidder.id, "P2", "withdrawn")


async def test_bytes_that_change_after_the_seal_check_are_storage_too(
    hall: Shell, bids: list[Sealed], tmp_path: Path
) -> None:
    (answer,) = await hall.submissions.mine(SESSION, the_actor(bids[2].bidder))
    flip(hall, answer.blob)
    (gone,) = await hall.submissions.mine(SESSION, the_actor(bids[1].bidder))
    for bid in bids:
        assert (await hall.release(bid)).code is None
        if bid is bids[1]:
            (tmp_path / "bids" / str(gone.blob)).unlink()
    await hall.work_done()
    shut = {e.bidder: (e.cause, e.evidence["open_code"]) for e in await named(hall, BidNotOpened)}  # type: ignore[attr-defined]
    assert shut == {
        bids[1].bidder.id: ("P2", "stored_bytes_changed"),
        bids[2].bidder.id: ("P2", "stored_bytes_changed"),
    }


async def test_a_quote_that_is_no_sheet_is_corrupt_at_its_source(hall: Shell, clock: FakeClock) -> None:
    bids = [a_bid_for_this(name) for name in NAMES]
    bids[0] = bidders.a_sealed_bid(
        b"x",
        bidder=bids[0].bidder,
        quote={"price": 1200000},
        tender=bids[0].bid.header.tender,
        lot=bids[0].bid.header.lot,
        deadline=bids[0].bid.header.deadline,
    )
    await until_decrypting(hall, clock, bids)
    for bid in bids:
        await hall.release(bid)
    await hall.work_done()
    (shut,) = await named(hall, BidNotOpened)
    assert isinstance(shut, BidNotOpened)
    assert (shut.cause, shut.evidence["open_code"]) == ("B6", "malformed_quote")


async def test_two_envelopes_need_two_keys(hall: Shell, tmp_path: Path) -> None:
    clock = FakeClock()
    folder = tmp_path / "two"
    folder.mkdir()
    async with a_shell(folder, clock) as two:
        await two.sessions.create(a_plan(envelopes=2))
        bids = [a_bid_for_this(name, envelopes=2) for name in NAMES]
        await until_decrypting(two, clock, bids)
        for bid in bids:
            assert (await two.release(bid, "A")).code is None
        assert await named(two, BidOpened) == []
        for bid in bids:
            assert (await two.release(bid, "B")).code is None
        await two.work_done()
        assert len(await named(two, BidOpened)) == 3
        assert len(await named(two, KeyReleased)) == 6


@pytest.mark.parametrize("work", ["check_seals", "open_bids"])
async def test_work_that_a_crash_cut_off_is_done_at_the_next_start(
    tmp_path: Path, clock: FakeClock, work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bids = [a_bid_for_this(name) for name in NAMES]

    async def never(*_: object) -> object:
        return await asyncio.get_running_loop().create_future()

    async with a_shell(tmp_path, clock) as hall:
        await hall.sessions.create(a_plan())
        if work == "check_seals":
            with monkeypatch.context() as patch:
                patch.setattr(Unsealing, work, never)
                patch.setattr(Shell, "work_done", lambda _: asyncio.sleep(0))
                await until_checked(hall, clock, bids)
        else:
            await until_decrypting(hall, clock, bids)
            with monkeypatch.context() as patch:
                patch.setattr(Unsealing, work, never)
                for bid in bids:
                    await hall.release(bid)
                await asyncio.sleep(0.05)
    async with a_shell(tmp_path, clock) as restarted:
        await restarted.work_done()
        wanted = SealsChecked if work == "check_seals" else BidOpened
        assert len(await named(restarted, wanted)) == (1 if work == "check_seals" else 3)


async def test_work_that_fails_is_tried_again(
    hall: Shell, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []
    check = Unsealing.check_seals

    async def fails_once(self: Unsealing, *arguments: object) -> object:
        tries.append(1)
        if len(tries) == 1:
            raise OSError(24, "too many open files")
        return await check(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Unsealing, "check_seals", fails_once)
    await until_checked(hall, clock, [a_bid_for_this(name) for name in NAMES])
    assert len(tries) == 2
    assert len(await named(hall, SealsChecked)) == 1
    assert "trying again" in caplog.text


async def test_a_reported_failure_is_a_fact_and_a_late_success_still_counts(hall: Shell, bids: list[Sealed]) -> None:
    actor = the_actor(bids[0].bidder)
    report = ReportFailure(bidder=BidderId(actor.id), code="wrong_password")
    await hall.sessions.handle(SESSION, report, actor)
    for bid in bids:
        await hall.release(bid)
    await hall.work_done()
    assert len(await named(hall, BidOpened)) == 3
    assert (await hall.state()).status is Status.LIVE


def flip(hall: Shell, blob: str | None) -> None:
    """Change one byte of a part on the disk."""
    assert blob is not None
    path = hall.folder / "bids" / blob
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(read_header(file).body + 60)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
