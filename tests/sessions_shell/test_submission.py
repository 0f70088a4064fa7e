"""Bids come in: what is taken, what is refused, and that lateness is a matter of bytes on the disk, not of luck."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from crypto import authority, declaration
from crypto.certificates import Usage
from crypto.container import read_header, trailer
from crypto.paths import Trust
from crypto.receipt import verify_receipt, verify_slip
from sessions.acts import submission
from sessions.acts.submission import NoSuchUpload, Refused, Submissions
from sessions.commands import Note, WithdrawBid
from sessions.errors import CommandRefused, UnknownSession
from sessions.events import BidReceived, BidRefused, LateBidRefused, Stream
from sessions.ids import BidderId, Jws, SessionId
from sessions.ports import UploadState, WrongOffset
from sessions.shape import rfc3339
from sessions.store.blobs import RESERVE
from tests.support import bidders
from tests.support.bidders import Bidder, Sealed, a_bidder
from tests.support.ceremony import MS, SECOND, SUPERVISOR, T0, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.hallkey import hall_key
from tests.support.shell import LIMITS, SESSION, Shell, a_bid_for_this, a_shell, pieces, the_actor, the_trust

NAME = "华东建设有限公司"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def hall(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Shell]:
    async with a_shell(tmp_path, clock) as shell:
        await shell.sessions.create(a_plan())
        yield shell


async def received(hall: Shell) -> list[BidReceived]:
    log = await hall.sessions.events(SESSION, Stream.INTAKE)
    return [record.event for record in log if isinstance(record.event, BidReceived)]


async def refused(hall: Shell, sealed: Sealed, **changes: object) -> Refused:
    """Submit and return the refusal."""
    with pytest.raises(Refused) as caught:
        await hall.submit(sealed, **changes)  # type: ignore[arg-type]
    return caught.value


async def test_a_bid_gets_a_receipt_for_exactly_its_bytes(hall: Shell, tmp_path: Path) -> None:
    sealed = a_bid_for_this(NAME)
    answer = await hall.submit(sealed)
    receipt = verify_receipt(answer.statement, hall_key(tmp_path).public)
    assert (receipt.header_sha256, receipt.root, receipt.length, receipt.declaration_sha256) == (
        sealed.bid.header_sha256,
        sealed.bid.root,
        len(sealed.data),
        sealed.bid.declaration_sha256,
    )
    assert answer.blob is not None
    with hall.stores.blobs.open(answer.blob) as file:
        assert file.read() == sealed.data


async def test_the_last_byte_before_t0_is_in_time_and_at_t0_it_is_late(hall: Shell, clock: FakeClock) -> None:
    clock.set(T0 - MS)
    assert (await hall.submit(a_bid_for_this(NAME))).code is None
    clock.set(T0)
    late = await refused(hall, a_bid_for_this("江南水利股份有限公司"))
    assert late.code == "late"
    assert len(await received(hall)) == 1


async def test_a_bid_on_the_disk_before_t0_is_taken_however_long_its_check(
    hall: Shell, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    checking, go_on = threading.Event(), threading.Event()
    check = Submissions._check

    def slow(self: Submissions, *arguments: object) -> object:
        checking.set()
        assert go_on.wait(60)
        return check(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Submissions, "_check", slow)
    clock.set(T0 - MS)
    sending = asyncio.ensure_future(hall.submit(a_bid_for_this(NAME)))
    assert await asyncio.to_thread(checking.wait, 60)
    clock.set(T0 + SECOND)
    settling = asyncio.ensure_future(hall.sessions.settle(SESSION))
    noting = asyncio.ensure_future(hall.sessions.handle(SESSION, Note(text="waiting"), SUPERVISOR))
    late = asyncio.ensure_future(hall.submissions.begin(SESSION, the_actor(a_bidder("江南水利股份有限公司")), 1000))
    while await hall.sessions.next_due() is not None:  # noqa: ASYNC110  # from then on it settles by itself
        await asyncio.sleep(0.01)
    go_on.set()
    answer = await sending
    await asyncio.gather(settling, noting)
    with pytest.raises(Refused, match="late"):
        await late
    assert answer.code is None
    assert answer.at == T0 - MS
    log = await hall.log()
    assert (await hall.log(Stream.INTAKE))[-2:] == ["BidReceived", "IntakeClosed"]
    assert log.index("SetFrozen") < log.index("SupervisorNoted")


async def test_an_upload_that_drags_on_over_t0_is_late_and_holds_nothing_up(hall: Shell, clock: FakeClock) -> None:
    sealed = a_bid_for_this(NAME)
    actor = the_actor(sealed.bidder)
    last = asyncio.Event()

    async def dragging() -> AsyncIterator[bytes]:
        yield sealed.data[:-1]
        await last.wait()
        yield sealed.data[-1:]

    clock.set(T0 - SECOND)
    upload = await hall.submissions.begin(SESSION, actor, len(sealed.data))
    sending = asyncio.ensure_future(hall.submissions.receive(SESSION, upload.id, actor, 0, dragging()))
    await asyncio.sleep(0.05)
    clock.set(T0)
    await hall.sessions.settle(SESSION)
    assert (await hall.log(Stream.INTAKE))[-1] == "IntakeClosed"
    last.set()
    with pytest.raises(Refused) as caught:
        await sending
    assert caught.value.code == "late"


async def test_a_last_byte_that_came_before_t0_and_was_durable_after_it_is_late_and_holds_nothing_up(
    hall: Shell, clock: FakeClock
) -> None:
    sealed = a_bid_for_this(NAME)
    actor = the_actor(sealed.bidder)

    async def just_before() -> AsyncIterator[bytes]:
        yield sealed.data
        clock.set(T0)  # before the disk has it

    clock.set(T0 - MS)
    upload = await hall.submissions.begin(SESSION, actor, len(sealed.data))
    with pytest.raises(Refused, match="late"):
        async with asyncio.timeout(60):
            await hall.submissions.receive(SESSION, upload.id, actor, 0, just_before())
    await hall.sessions.settle(SESSION)
    assert (await hall.log(Stream.INTAKE))[-1] == "IntakeClosed"
    assert await received(hall) == []


async def test_a_late_bidder_gets_one_slip_and_one_line_in_the_record(
    tmp_path: Path, clock: FakeClock, hall: Shell
) -> None:
    for name in ("一", "二", "三"):
        await hall.submit(a_bid_for_this(name))
    sealed = a_bid_for_this(NAME)
    actor = the_actor(sealed.bidder)
    upload = await hall.submissions.begin(SESSION, actor, len(sealed.data))
    clock.set(T0 + SECOND)
    with pytest.raises(Refused) as patched:
        await hall.submissions.receive(SESSION, upload.id, actor, 0, pieces(sealed.data))
    again = await refused(hall, sealed)
    assert patched.value.slip == again.slip
    slip = verify_slip(again.slip, hall_key(tmp_path).public)
    assert (slip.code, slip.bidder) == ("late", sealed.bidder.id)
    late = [r.event for r in await hall.sessions.events(SESSION) if isinstance(r.event, LateBidRefused)]
    assert [event.bidder for event in late] == [sealed.bidder.id]


async def test_a_refused_bid_gets_a_slip_and_an_event(tmp_path: Path, hall: Shell) -> None:
    sealed = a_bid_for_this(NAME)
    flipped = bytearray(sealed.data)
    flipped[len(flipped) // 2] ^= 1
    refusal = await refused(hall, replace(sealed, data=bytes(flipped)))
    slip = verify_slip(refusal.slip, hall_key(tmp_path).public)
    (record,) = (r for r in await hall.sessions.events(SESSION, Stream.INTAKE) if isinstance(r.event, BidRefused))
    assert (slip.code, slip.received_at) == (refusal.code, rfc3339(record.at))
    assert isinstance(record.event, BidRefused)
    assert record.event.code == refusal.code
    assert await received(hall) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tender": "GX-2026-9999"}, "foreign_tender"),
        ({"lot": "2"}, "foreign_lot"),
        ({"deadline": "2026-11-21T01:00:01Z"}, "wrong_deadline"),
        ({"envelopes": 2}, "wrong_envelopes"),
    ],
)
async def test_a_bid_for_something_else_is_refused(hall: Shell, changes: dict[str, object], code: str) -> None:
    assert (await refused(hall, a_bid_for_this(NAME, **changes))).code == code


async def test_a_bid_that_another_bidder_sealed_is_refused(hall: Shell) -> None:
    somebody = the_actor(a_bidder("江南水利股份有限公司"))
    assert (await refused(hall, a_bid_for_this(NAME), who=somebody)).code == "foreign_bidder"


async def test_what_is_no_sealed_bid_is_refused(hall: Shell) -> None:
    plain = replace(a_bid_for_this(NAME), data=b"%PDF-1.7 not sealed at all")
    assert (await refused(hall, plain)).code == "not_a_sealed_bid"


async def test_a_certificate_nobody_trusts_is_refused(hall: Shell) -> None:
    sealed = a_bid_for_this(NAME)
    hall.trusts(Trust(anchors=(authority.create("Other", at=bidders.BEGIN).certificate,)))
    assert (await refused(hall, sealed)).code == "unknown_issuer"


async def test_a_revoked_encryption_certificate_is_refused(hall: Shell) -> None:
    sealed = a_bid_for_this(NAME)
    serial = sealed.bidder.encrypt.certificate.serial_number
    crl = authority.revocation_list(
        bidders.the_authority(), {serial: T0 - timedelta(days=3)}, at=T0 - timedelta(days=2)
    )
    hall.trusts(replace(the_trust(), crls=(crl,)))
    assert (await refused(hall, sealed)).code == "revoked"


async def test_certificates_of_two_issuers_are_no_pair(hall: Shell) -> None:
    own, other = a_bidder(NAME), authority.create("Second Root", at=bidders.BEGIN)
    encrypt = authority.issue(other, name=NAME, identifier=own.id, usage=Usage.ENCRYPT, at=bidders.BEGIN)
    hall.trusts(Trust(anchors=(bidders.the_authority().certificate, other.certificate)))
    strange = Bidder(sign=own.sign, encrypt=encrypt)
    with pytest.raises(Exception, match="not a pair"):  # our own program refuses to seal it
        bidders.a_sealed_bid(b"x", bidder=strange)


async def test_a_later_bid_replaces_and_a_withdrawn_one_is_out(hall: Shell, clock: FakeClock) -> None:
    first, second = a_bid_for_this(NAME, "1.00"), a_bid_for_this(NAME, "2.00")
    actor = the_actor(first.bidder)
    await hall.submit(first)
    await hall.submit(second)
    assert [event.replaces for event in await received(hall)] == [None, first.bid.header_sha256]
    withdraw = WithdrawBid(bidder=BidderId(actor.id), statement=Jws("checked by the caller"))
    await hall.sessions.handle(SESSION, withdraw, actor)
    assert (await hall.sessions.intake(SESSION)).bids == {}
    assert (await hall.submit(first)).code is None
    assert len(await hall.submissions.mine(SESSION, actor)) == 3


async def test_the_same_bid_twice_gets_the_same_receipt(hall: Shell) -> None:
    sealed = a_bid_for_this(NAME)
    first, second = await hall.submit(sealed), await hall.submit(sealed)
    assert first.statement == second.statement
    assert len(await received(hall)) == 1


async def test_a_bid_that_came_back_after_another_is_challenged_by_its_last_receipt(
    hall: Shell, clock: FakeClock, tmp_path: Path
) -> None:
    first, second = a_bid_for_this(NAME, "1.00"), a_bid_for_this(NAME, "2.00")
    for sealed in (first, second, first, a_bid_for_this("一"), a_bid_for_this("二")):
        await hall.submit(sealed)
    clock.set(T0 - 30 * 60 * SECOND)
    await hall.host_takes_over_the_room()
    clock.set(T0)
    await hall.sessions.settle(SESSION)
    await hall.work_done()
    await hall.advance("ceiling")
    await hall.advance("decrypt")
    challenge = await hall.releasing.challenge(SESSION, the_actor(first.bidder), "A")
    assert challenge.header_sha256 == first.bid.header_sha256
    last = [event for event in await received(hall) if event.header_sha256 == first.bid.header_sha256][-1]
    assert verify_receipt(challenge.receipt, hall_key(tmp_path).public).leaf_salt == last.leaf_salt


async def test_the_same_header_signed_anew_is_another_bid_and_refused(hall: Shell) -> None:
    sealed = a_bid_for_this(NAME)
    container = read_header(sealed.file)
    stated = declaration.verify(container.declaration, container.header.sig_cert)
    content = declaration.content(
        header_sha256=stated.header_sha256,
        root=stated.root,
        segments=stated.segments,
        total_len=stated.total_len,
        statement="another statement",
    )
    signed = declaration.sign(content, sealed.bidder.sign, stated.certificates)
    anew = replace(sealed, data=sealed.data[: container.total_len] + signed + trailer(signed))
    first = await hall.submit(sealed)
    assert (await refused(hall, anew)).code == "same_header"
    assert await hall.submissions.mine(SESSION, the_actor(sealed.bidder)) != (first,)
    assert len(await received(hall)) == 1


async def test_a_fragment_that_can_no_longer_be_finished_is_removed(tmp_path: Path, clock: FakeClock) -> None:
    actor = the_actor(a_bidder(NAME))
    async with a_shell(tmp_path, clock) as hall:
        await hall.sessions.create(a_plan())
        upload = await hall.submissions.begin(SESSION, actor, 1000)
        await hall.submissions.receive(SESSION, upload.id, actor, 0, pieces(b"x"))
    async with a_shell(tmp_path, clock) as restarted:  # before T0 it may still go on
        assert (await restarted.submissions.progress(SESSION, upload.id, actor)).offset == 1
        clock.set(T0)
        await restarted.sessions.settle(SESSION)
    async with a_shell(tmp_path, clock) as restarted:
        with pytest.raises(NoSuchUpload):
            await restarted.submissions.progress(SESSION, upload.id, actor)
        assert await restarted.stores.blobs.size(upload.id) == 0


async def test_no_upload_begins_that_the_disk_cannot_hold(hall: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    actor = the_actor(a_bidder(NAME))
    full = shutil.disk_usage("/")._replace(total=100 * RESERVE, free=RESERVE + 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    await hall.submissions.begin(SESSION, actor, 1000)
    with pytest.raises(CommandRefused) as caught:
        await hall.submissions.begin(SESSION, actor, 1001)
    assert caught.value.code == "storage_full"


async def killed_while_answering(hall: Shell, sealed: Sealed, at: str, patch: pytest.MonkeyPatch) -> str:
    """Send a bid and stop everything when the hall comes to ``at``, as a SIGKILL would. Return the upload."""
    there = asyncio.Event()

    async def never(*_: object, **__: object) -> None:
        there.set()
        await asyncio.get_running_loop().create_future()

    actor = the_actor(sealed.bidder)
    upload = await hall.submissions.begin(SESSION, actor, len(sealed.data))
    patch.setattr(Submissions, at, never)
    sending = asyncio.ensure_future(hall.submissions.receive(SESSION, upload.id, actor, 0, pieces(sealed.data)))
    await there.wait()
    for task in hall.submissions._answering:
        task.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    return upload.id


async def test_what_was_complete_when_the_hall_died_is_answered_at_the_next_start(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = a_bid_for_this(NAME)
    async with a_shell(tmp_path, clock) as hall:
        await hall.sessions.create(a_plan())
        clock.set(T0 - MS)
        with monkeypatch.context() as patch:
            await killed_while_answering(hall, sealed, "_submit", patch)
    clock.set(T0 + timedelta(minutes=5))
    async with a_shell(tmp_path, clock) as restarted:
        (answer,) = await restarted.submissions.mine(SESSION, the_actor(sealed.bidder))
        assert (answer.code, answer.at) == (None, T0 - MS)
        frozen = (await restarted.state()).frozen
        assert frozen is not None
        assert frozen.received == 1


async def test_a_receipt_that_was_not_stored_any_more_is_given_again(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = a_bid_for_this(NAME)
    async with a_shell(tmp_path, clock) as hall:
        await hall.sessions.create(a_plan())
        with monkeypatch.context() as patch:
            upload = await killed_while_answering(hall, sealed, "_keep", patch)
    async with a_shell(tmp_path, clock) as restarted:
        (event,) = await received(restarted)
        (answer,) = await restarted.submissions.mine(SESSION, the_actor(sealed.bidder))
        receipt = verify_receipt(answer.statement, hall_key(tmp_path).public)
        assert receipt.leaf_salt == event.leaf_salt
        kept = await restarted.stores.intake.upload(upload)
        assert kept is not None
        assert kept.state is UploadState.ANSWERED


async def test_an_upload_goes_on_where_it_stopped(hall: Shell) -> None:
    sealed = a_bid_for_this(NAME)
    actor = the_actor(sealed.bidder)
    upload = await hall.submissions.begin(SESSION, actor, len(sealed.data))
    await hall.submissions.receive(SESSION, upload.id, actor, 0, pieces(sealed.data[:500]))
    assert (await hall.submissions.progress(SESSION, upload.id, actor)).offset == 500
    with pytest.raises(WrongOffset):
        await hall.submissions.receive(SESSION, upload.id, actor, 499, pieces(sealed.data[499:]))
    done = await hall.submissions.receive(SESSION, upload.id, actor, 500, pieces(sealed.data[500:]))
    again = await hall.submissions.receive(SESSION, upload.id, actor, len(sealed.data), pieces(b""))
    assert done.answer == again.answer
    assert done.answer is not None


async def test_anothers_upload_does_not_exist(hall: Shell) -> None:
    mine, theirs = the_actor(a_bidder(NAME)), the_actor(a_bidder("江南水利股份有限公司"))
    upload = await hall.submissions.begin(SESSION, mine, 1000)
    for act in (
        hall.submissions.progress(SESSION, upload.id, theirs),
        hall.submissions.receive(SESSION, upload.id, theirs, 0, pieces(b"x")),
        hall.submissions.drop(SESSION, upload.id, theirs),
        hall.submissions.progress(SESSION, "0" * 32, mine),
        hall.submissions.progress(SessionId("gx-2"), upload.id, mine),
    ):
        with pytest.raises(NoSuchUpload):
            await act
    assert await hall.submissions.mine(SESSION, theirs) == ()


async def test_a_dropped_upload_is_gone_and_an_answered_one_is_not(hall: Shell) -> None:
    sealed = a_bid_for_this(NAME)
    actor = the_actor(sealed.bidder)
    upload = await hall.submissions.begin(SESSION, actor, 1000)
    await hall.submissions.receive(SESSION, upload.id, actor, 0, pieces(b"x"))
    await hall.submissions.drop(SESSION, upload.id, actor)
    assert await hall.stores.blobs.size(upload.id) == 0
    answer = await hall.submit(sealed)
    assert answer.blob is not None
    with pytest.raises(CommandRefused) as caught:
        await hall.submissions.drop(SESSION, answer.blob, actor)
    assert caught.value.code == "upload_complete"


async def test_limits_are_kept_to_the_byte(hall: Shell, clock: FakeClock) -> None:
    actor = the_actor(a_bidder(NAME))
    for length in (0, LIMITS.bid_bytes + 1):
        with pytest.raises(CommandRefused) as caught:
            await hall.submissions.begin(SESSION, actor, length)
        assert caught.value.code == "too_large"
    for _ in range(4):
        await hall.submissions.begin(SESSION, actor, LIMITS.bid_bytes)
    with pytest.raises(CommandRefused) as caught:
        await hall.submissions.begin(SESSION, actor, 1)
    assert caught.value.code == "quota_exceeded"
    await hall.submissions.begin(SESSION, the_actor(a_bidder("江南水利股份有限公司")), 1)


async def test_a_sender_who_goes_away_at_the_end_has_still_bid(hall: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    checking, go_on = threading.Event(), threading.Event()
    check = Submissions._check

    def slow(self: Submissions, *arguments: object) -> object:
        checking.set()
        assert go_on.wait(60)
        return check(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Submissions, "_check", slow)
    sealed = a_bid_for_this(NAME)
    sending = asyncio.ensure_future(hall.submit(sealed))
    assert await asyncio.to_thread(checking.wait, 60)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    go_on.set()
    await hall.submissions.close()
    (answer,) = await hall.submissions.mine(SESSION, the_actor(sealed.bidder))
    assert answer.code is None


async def test_a_lost_answer_is_given_again_to_who_asks_with_no_more_bytes(
    hall: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = a_bid_for_this(NAME)
    actor = the_actor(sealed.bidder)
    upload = await hall.submissions.begin(SESSION, actor, len(sealed.data))
    await hall.stores.blobs.append(upload.id, 0, pieces(sealed.data), len(sealed.data))  # and then the line broke
    done = await hall.submissions.receive(SESSION, upload.id, actor, len(sealed.data), pieces(b""))
    assert done.answer is not None
    assert done.answer.code is None


async def test_a_bid_the_hall_cannot_check_is_tried_again(hall: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "RESTS", (0.0, 0.0, 0.0))
    broken = iter([True, True, False])

    def trust() -> Trust:
        if next(broken):
            raise ValueError("not a revocation list")
        return the_trust()

    hall.asks(trust)
    assert (await hall.submit(a_bid_for_this(NAME))).code is None


@pytest.mark.parametrize("write", ["complete_upload", "answer"])
async def test_a_database_that_stumbles_over_a_bid_at_t0_keeps_no_bid_out(
    hall: Shell, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    monkeypatch.setattr(submission, "RESTS", (0.0, 0.0))
    clock.set(T0 - MS)
    real, failures = getattr(hall.stores.intake, write), [OSError("the database is away")] * 3

    async def stumbles(*given: object) -> object:
        clock.set(max(clock.now(), T0 + SECOND))
        if failures:
            raise failures.pop()
        return await real(*given)

    monkeypatch.setattr(hall.stores.intake, write, stumbles)
    answer = await hall.submit(a_bid_for_this("甲公司"))
    assert answer.code is None
    await hall.sessions.settle(SESSION)
    assert not failures
    assert (await hall.log(Stream.INTAKE)).count("BidReceived") == 1
    assert len(await hall.submissions.mine(SESSION, the_actor(a_bid_for_this("甲公司").bidder))) == 1


async def test_a_bid_the_hall_can_never_check_gets_a_slip_that_says_whose_fault_it_is(
    tmp_path: Path, hall: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "RESTS", (0.0, 0.0))

    def trust() -> Trust:
        raise ValueError("not a revocation list")

    hall.asks(trust)
    refusal = await refused(hall, a_bid_for_this(NAME))
    assert verify_slip(refusal.slip, hall_key(tmp_path).public).code == "hall_error"
    assert await hall.log(Stream.INTAKE) == ["IntakeOpened", "BidRefused"]


async def test_an_unknown_session_takes_nothing(hall: Shell) -> None:
    with pytest.raises(UnknownSession):
        await hall.submissions.begin(SessionId("none"), the_actor(a_bidder(NAME)), 1)
