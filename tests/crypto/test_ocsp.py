"""Answers of responders: the right one settles a certificate, and every wrong one is worth nothing."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from crypto import authority, ocsp, paths, responder
from crypto.authority import Authority, key_usage, started
from crypto.certificates import Credential, Usage
from crypto.errors import CertificateRefused, Revoked
from crypto.paths import Trust
from tests.support.bidders import BEGIN, DURING, a_bidder, the_authority

HOUR = timedelta(hours=1)
NONCE = bytes(range(32))
SUBJECT = a_bidder().sign.certificate
ROOT = the_authority()


def an_answer(
    subject: x509.Certificate = SUBJECT,
    *,
    by: Credential | None = None,
    over: Authority = ROOT,
    revoked: Mapping[int, datetime] | None = None,
    known: bool = True,
    at: datetime = DURING,
    life: timedelta = HOUR,
) -> bytes:
    return responder.answer(
        ocsp.ask(subject, over.certificate, nonce=NONCE),
        authority=over.certificate,
        responder=by or responder.appoint(over, at=BEGIN, days=300),
        issued={subject.serial_number} if known else (),
        revoked=revoked or {},
        at=at,
        life=life,
    )


def known(*answers: bytes, at: datetime = DURING, subject: x509.Certificate = SUBJECT, **trust: Any) -> bool:
    given = Trust(anchors=(ROOT.certificate,), ocsps=answers, **trust)
    return paths.standing(subject, usage=Usage.SIGN, trust=given, at=at).known


def test_without_an_answer_nothing_is_known() -> None:
    assert not known()
    with pytest.raises(CertificateRefused, match="cannot be told"):
        known(required=True)


def test_an_appointed_responder_and_the_authority_itself_may_answer() -> None:
    assert known(an_answer())
    assert known(an_answer(by=Credential(key=ROOT.key, certificate=ROOT.certificate)))
    said = ocsp.about(an_answer(), SUBJECT, ROOT.certificate)
    assert said is not None
    assert (said.nonce, said.unchecked, said.until) == (NONCE, True, DURING + HOUR)


def test_an_answer_counts_until_it_is_out_of_date() -> None:
    assert known(an_answer(), at=DURING + HOUR)
    assert not known(an_answer(), at=DURING + HOUR + timedelta(seconds=1))


def test_an_answer_given_after_the_act_counts_for_the_act() -> None:
    assert known(an_answer(), at=DURING - 24 * HOUR)


def test_an_answer_given_after_the_certificate_expired_says_nothing_of_the_time_before() -> None:
    expired = SUBJECT.not_valid_after_utc
    late = responder.appoint(ROOT, at=BEGIN, days=800)
    assert not known(an_answer(by=late, at=expired + HOUR), at=DURING)


def test_a_revocation_counts_from_its_moment_and_not_before() -> None:
    answer = an_answer(revoked={SUBJECT.serial_number: DURING})
    with pytest.raises(Revoked) as refused:
        known(answer, at=DURING)
    assert refused.value.since == DURING
    assert known(answer, at=DURING - timedelta(seconds=1))


def test_a_revocation_in_an_answer_out_of_date_still_counts() -> None:
    with pytest.raises(Revoked):
        known(
            an_answer(revoked={SUBJECT.serial_number: BEGIN}), an_answer(at=DURING + 3 * HOUR), at=DURING + 4 * HOUR
        )


def test_a_number_the_responder_does_not_know_is_not_known_to_be_good() -> None:
    assert not known(an_answer(known=False))


def test_an_answer_about_another_certificate_says_nothing() -> None:
    assert not known(an_answer(a_bidder("另一家有限公司").sign.certificate))


def test_an_answer_by_a_namesake_of_the_authority_says_nothing() -> None:
    namesake = authority.create("Test Root", at=BEGIN)
    assert not known(an_answer(over=namesake))
    assert not known(an_answer(by=responder.appoint(namesake, at=BEGIN)))


def test_a_bidder_cannot_answer_for_the_authority() -> None:
    assert not known(an_answer(by=a_bidder().sign))


def a_responder(*extensions: tuple[x509.ExtensionType, bool], days: int = 300) -> Credential:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Responder")])
    builder = started(name, ROOT.certificate.subject, key.public_key(), BEGIN, days)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return Credential(key=key, certificate=builder.sign(ROOT.key, hashes.SHA256()))


PURPOSE = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)
NO_CHECK = (x509.OCSPNoCheck(), False)


@pytest.mark.parametrize(
    "by",
    [
        a_responder(NO_CHECK),
        a_responder((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False), NO_CHECK),
        a_responder(PURPOSE, NO_CHECK, (key_usage(key_agreement=True), True)),
        a_responder(PURPOSE, NO_CHECK, days=50),
        a_responder(PURPOSE, NO_CHECK, (x509.UnrecognizedExtension(NameOID.TITLE, b"\x05\x00"), True)),
    ],
    ids=["for nothing", "for servers", "may not sign", "expired", "unknown critical extension"],
)
def test_a_responder_that_was_not_appointed_says_nothing(by: Credential) -> None:
    assert not known(an_answer(by=by))


def test_a_responder_that_is_to_be_checked_needs_a_list_that_clears_it() -> None:
    by = a_responder(PURPOSE)
    answer = an_answer(by=by)
    assert not known(answer)
    clear = authority.revocation_list(ROOT, {}, at=DURING)
    gone = authority.revocation_list(ROOT, {by.certificate.serial_number: BEGIN}, at=DURING - 30 * HOUR, days=2)
    assert known(answer, crls=(clear,))
    trust = Trust(anchors=(ROOT.certificate,), ocsps=(answer,), crls=(gone,))
    assert paths.standing(SUBJECT, usage=Usage.SIGN, trust=trust, at=DURING).known  # by the list, not by the answer
    assert not paths.standing(SUBJECT, usage=Usage.SIGN, trust=trust, at=DURING + 20 * HOUR).known


def test_every_changed_byte_of_an_answer_makes_it_worthless() -> None:
    answer = an_answer()
    for place in range(len(answer)):
        changed = bytearray(answer)
        changed[place] ^= 0x10
        said = ocsp.about(bytes(changed), SUBJECT, ROOT.certificate)
        assert said is None or said == ocsp.about(answer, SUBJECT, ROOT.certificate)


@pytest.mark.parametrize("rubbish", [b"", b"\x30\x00", b"\x30\x03\x0a\x01\x06", bytes(70_000), b"HTTP/1.1 200"])
def test_rubbish_is_no_answer(rubbish: bytes) -> None:
    assert ocsp.about(rubbish, SUBJECT, ROOT.certificate) is None


def test_a_request_that_is_none_gets_an_error_and_no_signature() -> None:
    by = responder.appoint(ROOT, at=BEGIN)
    for rubbish in (b"", b"\x30\x00", bytes(5_000)):
        told = responder.answer(rubbish, authority=ROOT.certificate, responder=by, issued=(), revoked={}, at=DURING)
        assert len(told) < 16
