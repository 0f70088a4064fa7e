"""What is known of the certificate behind every act: on record, in the archive, and judged again from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from crypto import authority
from crypto.certificates import Usage, fingerprint, parse_certificate
from crypto.errors import CertificateRefused
from crypto.signing import HallKey, sign
from sessions.barrier.signers import named
from sessions.commands import CheckIn, ReportFailure
from sessions.errors import CommandRefused
from sessions.events import AttemptFailed, BidNotOpened, BidReceived, KeyReleased, SealsChecked, Stream
from sessions.ids import BidderId, Digest, Jws
from sessions.outside.certifying import Certifying, check_successor
from sessions.plan import Plan
from sessions.proofs import Proof, State, read
from sessions.verify import verify
from sessions.zipped import unpack
from tests.support.authorities import Answering, Silent
from tests.support.bidders import BEGIN, Bidder, Sealed, the_authority
from tests.support.bundles import failed, signed_anew
from tests.support.ceremony import MINUTE, SECOND, T0, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.finished import Play, an_archive
from tests.support.hallkey import hall_key
from tests.support.shell import SESSION, Shell, a_bid_for_this, a_shell, a_token, the_actor, the_trust

NAMES = ("华东建设有限公司", "江南水利股份有限公司", "北岸工程集团有限公司")


def proving(plan: Plan) -> Plan:
    return replace(plan, proofs=True)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def hall(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Shell]:
    async with a_shell(tmp_path, clock) as shell:
        await shell.sessions.create(proving(a_plan()))
        shell.trusts(the_trust(), Answering())
        yield shell


async def proofs(hall: Shell, kind: type, stream: Stream = Stream.OPENING) -> list[Proof]:
    events = [record.event for record in await hall.sessions.events(SESSION, stream)]
    return [event.proof for event in events if isinstance(event, kind)]  # type: ignore[attr-defined]


async def until_decrypting(hall: Shell, clock: FakeClock, bids: list[Sealed]) -> None:
    for bid in bids:
        await hall.submit(bid)
    clock.set(T0 - 30 * MINUTE)
    await hall.sessions.settle(SESSION)
    await hall.host_takes_over_the_room()
    clock.set(T0 + SECOND)
    await hall.sessions.settle(SESSION)
    await hall.work_done()
    await hall.advance("ceiling")
    await hall.advance("decrypt")


def three() -> list[Sealed]:
    return [a_bid_for_this(name, f"{number}00000.00") for number, name in enumerate(NAMES, 7)]


async def test_a_bid_goes_on_record_with_the_proof_of_both_its_certificates(hall: Shell) -> None:
    sealed = three()[0]
    await hall.submit(sealed)
    (proof,) = await proofs(hall, BidReceived, Stream.INTAKE)
    assert (proof.state, proof.certificate) == (State.GOOD, fingerprint(sealed.bidder.sign.certificate).hex())
    grounds = read((await hall.stores.proofs.get([proof.evidence]))[proof.evidence])
    assert [each.usage for each in grounds.looked] == [Usage.SIGN, Usage.ENCRYPT]
    assert {each.outcome for each in grounds.tried} == {"answered"}


async def test_a_bid_whose_authority_is_silent_is_taken_and_the_silence_is_on_record(hall: Shell) -> None:
    hall.trusts(the_trust(), Silent())
    await hall.submit(three()[0])
    (proof,) = await proofs(hall, BidReceived, Stream.INTAKE)
    assert proof.state is State.UNAVAILABLE


async def asked_again(hall: Shell) -> dict[BidderId, Proof]:
    (checked,) = [r.event for r in await hall.sessions.events(SESSION) if isinstance(r.event, SealsChecked)]
    return dict(checked.proofs or {})


async def test_what_was_taken_on_silence_is_asked_about_again_at_the_opening_time(
    hall: Shell, clock: FakeClock
) -> None:
    bids = three()
    hall.trusts(the_trust(), Silent())
    await hall.submit(bids[0])
    hall.trusts(the_trust(), Answering())
    await until_decrypting(hall, clock, bids[1:])
    again = await asked_again(hall)
    assert {bidder: proof.state for bidder, proof in again.items()} == {BidderId(bids[0].bidder.id): State.GOOD}
    (taken, *_) = await proofs(hall, BidReceived, Stream.INTAKE)
    evidence = again[BidderId(bids[0].bidder.id)].evidence
    documents = await hall.stores.proofs.get([taken.evidence, evidence])
    before, after = read(documents[taken.evidence]), read(documents[evidence])
    assert after.at == before.at
    assert [each.usage for each in after.looked] == [Usage.SIGN, Usage.ENCRYPT]


@pytest.mark.parametrize(("state", "cause"), [("silent", "P3"), ("revoked", "P3"), ("good", "B3")])
async def test_a_certificate_that_nobody_vouched_for_in_time_is_not_held_against_its_bidder(
    hall: Shell, clock: FakeClock, state: str, cause: str
) -> None:
    """Had its authority answered before the deadline, its bidder could have sealed anew."""
    bids = three()
    hall.trusts(the_trust(), Silent())
    await hall.submit(bids[0])
    lost = {bids[0].bidder.encrypt.certificate.serial_number: BEGIN}
    said = {"silent": Silent(), "revoked": Answering(lost), "good": Answering()}[state]
    hall.trusts(the_trust(), said)
    await until_decrypting(hall, clock, bids[1:])
    hall.trusts(the_trust(), Answering())
    report = ReportFailure(bidder=BidderId(bids[0].bidder.id), code="certificate_changed")
    await hall.sessions.handle(SESSION, report, the_actor(bids[0].bidder))
    now = await hall.state()
    assert now.due is not None
    clock.set(now.due)
    await hall.sessions.settle(SESSION)
    await hall.work_done()
    shut = {r.event.bidder: r.event for r in await hall.sessions.events(SESSION) if isinstance(r.event, BidNotOpened)}
    found = shut[BidderId(bids[0].bidder.id)]
    assert found.cause == cause
    assert found.evidence["authority"] == {"silent": "unavailable"}.get(state, state)


async def test_a_release_waits_while_the_authority_is_silent_and_that_is_not_the_bidders_fault(
    hall: Shell, clock: FakeClock
) -> None:
    bids = three()
    await until_decrypting(hall, clock, bids)
    hall.trusts(the_trust(), Silent())
    assert (await hall.release(bids[0])).code == "revocation_unavailable"
    (attempt,) = [r.event for r in await hall.sessions.events(SESSION) if isinstance(r.event, AttemptFailed)]
    assert attempt.private["state"] == "unavailable"
    assert Digest(attempt.private["evidence"]) in await hall.stores.proofs.get([Digest(attempt.private["evidence"])])
    hall.trusts(the_trust(), Answering())
    assert (await hall.release(bids[1])).code is None
    state = await hall.state()
    assert state.due is not None
    clock.set(state.due)
    await hall.sessions.settle(SESSION)
    await hall.work_done()
    shut = {r.event.bidder: r.event for r in await hall.sessions.events(SESSION) if isinstance(r.event, BidNotOpened)}
    assert (shut[BidderId(bids[0].bidder.id)].cause, shut[BidderId(bids[2].bidder.id)].cause) == ("P3", "B1")


async def test_an_act_without_a_proof_is_refused_where_the_announcement_promised_them(hall: Shell) -> None:
    sealed = three()[0]
    await hall.submit(sealed)
    clock = hall.clock
    assert isinstance(clock, FakeClock)
    clock.set(T0 - 30 * MINUTE)
    with pytest.raises(CommandRefused) as refused:
        await Play(hall, clock).check_in(sealed)
    assert refused.value.code == "unproved"


# -- renewed certificates --------------------------------------------------------------------------------------


def renewed(bidder: Bidder, **changes: str) -> Bidder:
    """The same organisation after its certificates were issued anew, with other keys."""
    subject = bidder.sign.certificate.subject
    name = str(subject.get_attributes_for_oid(authority.NameOID.ORGANIZATION_NAME)[0].value)
    about = {"name": name, "identifier": bidder.id, **changes}
    sign_, encrypt = (
        authority.issue(the_authority(), usage=usage, at=BEGIN + timedelta(days=200), **about)
        for usage in (Usage.SIGN, Usage.ENCRYPT)
    )
    return Bidder(sign=sign_, encrypt=encrypt)


def test_a_successor_is_the_same_organisation_under_a_later_certificate() -> None:
    bidder = three()[0].bidder
    new = renewed(bidder).sign.certificate
    check_successor(bidder.sign.certificate, new)
    for other in (renewed(bidder, name="另一家有限公司"), renewed(bidder, identifier="91330100000000000X")):
        with pytest.raises(CertificateRefused, match="not of the organisation"):
            check_successor(bidder.sign.certificate, other.sign.certificate)
    with pytest.raises(CertificateRefused, match="not of the organisation"):
        check_successor(new, bidder.sign.certificate)


async def test_a_renewed_certificate_releases_the_old_key_and_the_bid_opens(hall: Shell, clock: FakeClock) -> None:
    bids = three()
    await until_decrypting(hall, clock, bids)
    new = renewed(bids[0].bidder)
    challenge = await hall.releasing.challenge(SESSION, the_actor(bids[0].bidder), "A")
    token = a_token(replace(bids[0], bidder=replace(bids[0].bidder, sign=new.sign)), challenge)
    login = (new.sign.certificate,)
    assert (await hall.releasing.release(SESSION, the_actor(bids[0].bidder), token, login)).code is None
    assert [each.certificate for each in await proofs(hall, KeyReleased)] == [fingerprint(login[0]).hex()]
    for bid in bids[1:]:
        assert (await hall.release(bid)).code is None
    await hall.work_done()
    assert all(bid.quote for bid in (await hall.state()).bids)


async def test_somebody_elses_certificate_releases_nothing(hall: Shell, clock: FakeClock) -> None:
    bids = three()
    await until_decrypting(hall, clock, bids)
    actor = the_actor(bids[0].bidder)
    challenge = await hall.releasing.challenge(SESSION, actor, "A")
    stranger = renewed(bids[0].bidder, name="冒名有限公司")
    token = a_token(replace(bids[0], bidder=replace(bids[0].bidder, sign=stranger.sign)), challenge)
    verdict = await hall.releasing.release(SESSION, actor, token, (stranger.sign.certificate,))
    assert verdict.code == "other_subject"


# -- the archive -----------------------------------------------------------------------------------------------


async def checked_in(hall: Shell, bid: Sealed, signer: Bidder) -> None:
    head = (await hall.sessions.events(SESSION))[-1].digest
    payload = {"v": 1, "session": SESSION, "bidder": bid.bidder.id, "head": head}
    statement = Jws(sign(payload, "checkin", signer.sign))
    certifying = Certifying(the_trust, revocation=Answering(), proofs=hall.stores.proofs)
    proof = await certifying.check_signer((signer.sign.certificate,), at=hall.clock.now())
    command = CheckIn(bidder=BidderId(bid.bidder.id), statement=statement, proof=proof)
    await hall.sessions.handle(SESSION, command, the_actor(bid.bidder))


async def a_proved_bundle(folder: Path) -> tuple[bytes, HallKey]:
    """An opening in which one bidder renewed its certificate, one's authority was silent, one was revoked later."""
    clock, bids = FakeClock(), three()
    async with a_shell(folder, clock) as hall:
        await hall.sessions.create(proving(a_plan()))
        late = {bids[2].bidder.sign.certificate.serial_number: T0 + timedelta(minutes=1)}
        hall.trusts(the_trust(), Silent())
        await hall.submit(bids[1])
        hall.trusts(the_trust(), Answering(late))
        clock.advance(SECOND)
        await hall.submit(bids[0])
        clock.advance(SECOND)
        await hall.submit(bids[2])
        clock.set(T0 - 30 * MINUTE)
        await hall.sessions.settle(SESSION)
        await checked_in(hall, bids[0], renewed(bids[0].bidder))
        await hall.host_takes_over_the_room()
        clock.set(T0 + SECOND)
        await hall.sessions.settle(SESSION)
        await hall.work_done()
        await hall.advance("ceiling")
        await hall.advance("decrypt")
        assert (await hall.release(bids[0])).code is None
        hall.trusts(the_trust(), Silent())
        assert (await hall.release(bids[1])).code == "revocation_unavailable"
        hall.trusts(the_trust(), Answering(late))
        clock.set(T0 + 2 * MINUTE)
        assert (await hall.release(bids[2])).code == "revoked"
        play = Play(hall, clock)
        for _ in range(2):
            await play.wait_for_the_end_of_the_step()
        await hall.advance("confirm")
        for _ in range(2):
            await play.wait_for_the_end_of_the_step()
        await hall.advance("sign")
        await play.wait_for_the_end_of_the_step()
        assert (await hall.state()).status == "ended"
        causes = {bid.bidder: bid.cause for bid in (await hall.state()).bids}
        assert causes == {bids[0].bidder.id: None, bids[1].bidder.id: "P3", bids[2].bidder.id: "B3"}
        return await an_archive(hall).bundle(SESSION), hall_key(folder)


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, HallKey]:
    return asyncio.run(a_proved_bundle(tmp_path_factory.mktemp("proved")))


def test_a_bundle_holds_though_a_certificate_was_revoked_after_its_act(proved: tuple[bytes, HallKey]) -> None:
    report = verify(proved[0])
    assert report.ok
    told = next(check for check in report.checks if check.id == "statements.certificates")
    assert "5 good, 0 unasked, 2 unavailable, 1 revoked" in told.detail  # one of them asked again at T0


@pytest.mark.parametrize("folder", ["bids/1/proofs.jsonl", "trust/certificates/"])
def test_a_proof_that_is_missing_or_changed_is_found(proved: tuple[bytes, HallKey], folder: str) -> None:
    files, key = unpack(proved[0]), proved[1]
    for name in [name for name in files if name.startswith(folder)]:
        assert "statements.certificates" in failed(signed_anew({n: d for n, d in files.items() if n != name}, key))
        changed = files[name].replace(b'"good"', b'"unasked"') if name.endswith("jsonl") else files[name] + b"\0"
        if changed != files[name]:
            assert "statements.certificates" in failed(signed_anew({**files, name: changed}, key))


def test_a_statement_signed_with_the_renewed_certificate_is_checked_by_that(proved: tuple[bytes, HallKey]) -> None:
    files, key = unpack(proved[0]), proved[1]
    (row,) = [row for row in (1, 2, 3) if f"bids/{row}/checkin.jws" in files]
    signer = parse_certificate(files[f"bids/{row}/signing-certificate.pem"])
    statement = files[f"bids/{row}/checkin.jws"].decode()
    assert named(Jws(statement)) not in (None, fingerprint(signer).hex())
    without = {
        name: data for name, data in files.items() if name != f"trust/certificates/{named(Jws(statement))}.der"
    }
    assert "statements.certificates" in failed(signed_anew(without, key))
