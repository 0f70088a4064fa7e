"""Timestamps: our authority against ``openssl ts``, ``openssl ts`` against our reader, and what must be refused."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from crypto import authority, der, timestamping, timestamps
from crypto.authority import Authority
from crypto.certificates import Credential
from crypto.digest import sha256
from crypto.errors import TimestampRefused
from crypto.timestamps import DRIFT, read_reply, request, verify_token

NOW = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
DATA = b"hall.example.org/s/2026-11-21-works-1\n12\nhash\n"
DIGEST = sha256(DATA)
NONCE = 2**64 - 2
ROOT = authority.create("Root", at=NOW - timedelta(days=1))
TSA = timestamping.issue_authority(ROOT, name="TSA", at=NOW - timedelta(days=1))

openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


def stamp(signer: Credential = TSA, *, at: datetime = NOW, digest: bytes = DIGEST, nonce: int = NONCE) -> bytes:
    return timestamping.reply(request(digest, nonce), signer, at=at, serial=7)


def read(reply: bytes, root: Authority = ROOT, *, digest: bytes = DIGEST, nonce: int = NONCE) -> timestamps.Stamp:
    anchors = [root.certificate]
    return read_reply(reply, digest=digest, nonce=nonce, anchors=anchors, asked_at=NOW, answered_at=NOW)[1]


def code(reply: bytes, root: Authority = ROOT, *, digest: bytes = DIGEST, nonce: int = NONCE) -> str:
    with pytest.raises(TimestampRefused) as refused:
        read(reply, root, digest=digest, nonce=nonce)
    return refused.value.code


def test_a_stamp_says_when_by_whom_and_over_what() -> None:
    said = read(stamp())
    assert (said.said_at, said.imprint, said.serial) == (NOW, DIGEST, 7)
    assert said.signer == TSA.certificate


def test_a_stored_token_is_checked_without_its_request_and_long_after() -> None:
    token, _ = read_reply(
        stamp(), digest=DIGEST, nonce=NONCE, anchors=[ROOT.certificate], asked_at=NOW, answered_at=NOW
    )
    assert verify_token(token, digest=DIGEST, anchors=[ROOT.certificate]).said_at == NOW
    assert set(timestamps.carried(token)) == {TSA.certificate, ROOT.certificate}


def test_a_stamp_over_other_data_is_refused() -> None:
    assert code(stamp(), digest=sha256(b"other")) == "wrong_imprint"


def test_an_answer_to_another_request_is_refused() -> None:
    assert code(stamp(nonce=5)) == "stale_timestamp"


def test_an_answer_without_a_nonce_is_refused() -> None:
    imprint = der.sequence(der.sequence(der.oid(timestamps.SHA256), der.tlv(der.NULL)), der.octets(DIGEST))
    asked = der.sequence(der.integer(1), imprint, der.tlv(der.BOOLEAN, b"\xff"))
    assert code(timestamping.reply(asked, TSA, at=NOW, serial=1)) == "stale_timestamp"


def test_an_authority_that_nobody_named_is_refused() -> None:
    assert code(stamp(), authority.create("Root", at=NOW - timedelta(days=1))) == "unknown_issuer"


def test_without_anchors_nobody_is_believed() -> None:
    with pytest.raises(TimestampRefused, match="No trusted authority"):
        read_reply(stamp(), digest=DIGEST, nonce=NONCE, anchors=[], asked_at=NOW, answered_at=NOW)


def for_purposes(*purposes: x509.ObjectIdentifier, critical: bool = True) -> Credential:
    """A certificate that differs from the authority's in what it says it is for."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(TSA.certificate.subject)
        .issuer_name(ROOT.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=critical)
        .sign(ROOT.key, hashes.SHA256())
    )
    return Credential(key=key, certificate=certificate, chain=(ROOT.certificate,))


def test_the_purpose_alone_and_critical_is_enough() -> None:
    assert read(stamp(for_purposes(ExtendedKeyUsageOID.TIME_STAMPING))).said_at == NOW


def test_a_certificate_for_something_else_makes_no_stamp() -> None:
    assert code(stamp(for_purposes(ExtendedKeyUsageOID.CLIENT_AUTH))) == "wrong_key_usage"


def test_a_certificate_for_something_else_too_makes_no_stamp() -> None:
    both = for_purposes(ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)
    assert code(stamp(both)) == "wrong_key_usage"


def test_a_purpose_that_is_not_critical_makes_no_stamp() -> None:
    assert code(stamp(for_purposes(ExtendedKeyUsageOID.TIME_STAMPING, critical=False))) == "wrong_key_usage"


def test_a_bidders_certificate_makes_no_stamp() -> None:
    bidder = authority.issue(ROOT, name="甲", identifier="91", usage=authority.Usage.SIGN, at=NOW - timedelta(days=1))
    assert code(stamp(bidder)) == "wrong_key_usage"


def test_an_expired_authority_is_refused() -> None:
    expired = timestamping.issue_authority(ROOT, name="TSA", at=NOW - timedelta(days=1), days=0)
    assert code(stamp(expired)) == "expired"


def test_an_authority_that_is_not_valid_yet_is_refused() -> None:
    early = timestamping.issue_authority(ROOT, name="TSA", at=NOW + timedelta(days=1))
    assert code(stamp(early)) == "not_yet_valid"


@pytest.mark.parametrize("off", [DRIFT + timedelta(seconds=1), -DRIFT - timedelta(seconds=1)])
def test_an_authority_whose_clock_cannot_be_right_is_not_believed(off: timedelta) -> None:
    assert code(stamp(at=NOW + off)) == "wrong_time"


def test_a_token_whose_certificate_was_exchanged_is_refused() -> None:
    twin = timestamping.issue_authority(ROOT, name="TSA", at=NOW - timedelta(days=1))
    whole = TSA.certificate.public_bytes(Encoding.DER)
    other = twin.certificate.public_bytes(Encoding.DER)
    if len(whole) == len(other):
        assert code(stamp().replace(whole, other)) == "wrong_signer"
    changed = bytearray(stamp())
    changed[changed.find(whole) + len(whole) - 1] ^= 1  # the authority's signature under the certificate
    assert code(bytes(changed)) == "wrong_signer"


def test_a_changed_signature_is_refused() -> None:
    changed = bytearray(stamp())
    changed[-1] ^= 1
    assert code(bytes(changed)) == "bad_signature"


def test_a_changed_moment_is_refused() -> None:
    assert code(stamp().replace(b"20261121010000Z", b"20261121010001Z")) == "bad_signature"


def test_a_rejection_says_that_it_is_one() -> None:
    assert code(timestamping.reply(b"nonsense", TSA, at=NOW, serial=1)) == "timestamp_denied"


@pytest.mark.parametrize("garbage", [b"", b"\x30\x00", b"<html>503</html>", b"\x30\x80" + bytes(90)])
def test_garbage_is_refused(garbage: bytes) -> None:
    assert code(garbage) == "malformed_timestamp"


def test_an_answer_with_something_behind_it_is_refused() -> None:
    assert code(stamp() + b"\x00") == "malformed_timestamp"


def test_an_answer_of_five_megabytes_is_refused_unread() -> None:
    assert code(stamp() + bytes(5_000_000)) == "too_large"


def test_a_granted_answer_without_a_token_is_refused() -> None:
    assert code(der.sequence(der.sequence(der.integer(0)))) == "malformed_timestamp"


@given(place=st.integers(0, len(stamp()) - 1), change=st.integers(1, 255))
def test_one_changed_byte_is_refused_or_changes_nothing_that_is_said(place: int, change: int) -> None:
    """ECDSA answers and the authority's own certificate may be spelt in more than one way; what is said may not."""
    reply = bytearray(stamp())
    reply[place % len(reply)] ^= change
    try:
        said = read(bytes(reply))
    except TimestampRefused:
        return
    assert (said.said_at, said.imprint, said.serial, said.signer) == (NOW, DIGEST, 7, TSA.certificate)


@pytest.mark.parametrize("change", [1, 0x20, 0x80])
def test_a_flip_in_any_byte_is_refused_in_words_or_changes_nothing(change: int) -> None:
    """Every byte in turn: libraries parse lazily, and what only one of them minds must still end in a refusal."""
    whole = stamp()
    for place in range(len(whole)):
        reply = bytearray(whole)
        reply[place] ^= change
        try:
            said = read(bytes(reply))
        except TimestampRefused:
            continue
        assert (said.said_at, said.imprint, said.serial, said.signer) == (NOW, DIGEST, 7, TSA.certificate)


def test_a_status_that_no_standard_knows_is_no_grant() -> None:
    reply = stamp().replace(bytes.fromhex("3003020100"), bytes.fromhex("3003020120"), 1)
    assert code(reply) == "timestamp_denied"


@given(st.binary(max_size=2000))
def test_any_bytes_are_refused_in_words(garbage: bytes) -> None:
    with pytest.raises(TimestampRefused):
        read(garbage)
    with pytest.raises(TimestampRefused):
        verify_token(garbage, digest=DIGEST, anchors=[ROOT.certificate])


def test_only_a_digest_can_be_stamped() -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        request(b"short", 1)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *words], cwd=folder, capture_output=True, timeout=60, check=False)


@openssl
def test_openssl_accepts_what_our_authority_stamps(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "query").write_bytes(request(DIGEST, NONCE))
    (tmp_path / "reply").write_bytes(stamp())
    token, _ = read_reply(
        stamp(), digest=DIGEST, nonce=NONCE, anchors=[ROOT.certificate], asked_at=NOW, answered_at=NOW
    )
    (tmp_path / "token").write_bytes(token)
    (tmp_path / "root").write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    then = ("-attime", str(int(NOW.timestamp())), "-CAfile", "root")
    answered = run(tmp_path, "ts", "-verify", "-in", "reply", "-queryfile", "query", *then)
    assert b"Verification: OK" in answered.stdout, answered.stderr
    stored = run(tmp_path, "ts", "-verify", "-in", "token", "-token_in", "-data", "data", *then)
    assert b"Verification: OK" in stored.stdout, stored.stderr
    other = run(tmp_path, "ts", "-verify", "-in", "token", "-token_in", "-data", "query", *then)
    assert b"Verification: OK" not in other.stdout


CONFIGURATION = """
[tsa]
default_tsa = t
[t]
serial = ./serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
clock_precision_digits = {digits}
tsa_name = yes
ess_cert_id_alg = sha256
[leaf]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
"""


def openssl_reply(folder: Path, key: str, *, digits: int = 0) -> bytes:
    """Let openssl be the authority: a root, a certificate for timestamps, an answer to our request."""
    (folder / "conf").write_text(CONFIGURATION.format(digits=digits))
    (folder / "serial").write_text("01\n")
    (folder / "query").write_bytes(request(DIGEST, NONCE))
    steps = (
        f"req -x509 -newkey {key} -nodes -keyout root.key -out root -subj /CN=Root -days 9",
        f"req -newkey {key} -nodes -keyout tsa.key -out csr -subj /CN=TSA",
        "x509 -req -in csr -CA root -CAkey root.key -CAcreateserial -extfile conf -extensions leaf -days 9 -out tsa",
        "ts -reply -config conf -section t -queryfile query -signer tsa -inkey tsa.key -out reply",
    )
    for step in steps:
        done = run(folder, *step.split())
        assert done.returncode == 0, done.stderr
    return (folder / "reply").read_bytes()


def openssl_read(folder: Path, reply: bytes, digest: bytes = DIGEST) -> timestamps.Stamp:
    anchors = [x509.load_pem_x509_certificate((folder / "root").read_bytes())]
    return read_reply(
        reply,
        digest=digest,
        nonce=NONCE,
        anchors=anchors,
        asked_at=datetime.now(UTC) - timedelta(minutes=5),
        answered_at=datetime.now(UTC),
    )[1]


@openssl
@pytest.mark.parametrize("key", ["rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-256"])
@pytest.mark.parametrize("digits", [0, 3])
def test_what_openssl_stamps_is_accepted(tmp_path: Path, key: str, digits: int) -> None:
    said = openssl_read(tmp_path, openssl_reply(tmp_path, key, digits=digits))
    assert abs(said.said_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert (said.policy, said.imprint) == ("1.2.3.4.1", DIGEST)


@openssl
def test_what_openssl_stamps_is_refused_over_other_data(tmp_path: Path) -> None:
    reply = openssl_reply(tmp_path, "rsa:2048")
    with pytest.raises(TimestampRefused) as refused:
        openssl_read(tmp_path, reply, sha256(b"other"))
    assert refused.value.code == "wrong_imprint"


def test_a_signature_of_another_name_than_it_is_is_refused() -> None:
    token, _ = read_reply(
        stamp(), digest=DIGEST, nonce=NONCE, anchors=[ROOT.certificate], asked_at=NOW, answered_at=NOW
    )
    head, _, tail = token.rpartition(der.oid("1.2.840.10045.4.3.2"))
    for other in ("1.2.840.10045.4.3.3", "1.2.840.10045.4.3.9"):
        with pytest.raises(TimestampRefused) as refused:
            verify_token(head + der.oid(other) + tail, digest=DIGEST, anchors=[ROOT.certificate])
        assert refused.value.code == "malformed_timestamp"


def test_an_anchor_that_openssl_cannot_read_is_refused_in_words() -> None:
    token, _ = read_reply(
        stamp(), digest=DIGEST, nonce=NONCE, anchors=[ROOT.certificate], asked_at=NOW, answered_at=NOW
    )
    data = ROOT.certificate.public_bytes(Encoding.DER)
    strange = x509.load_der_x509_certificate(data.replace(b"\x0c\x04Root", b"\x04\x04Root"))
    with pytest.raises(TimestampRefused) as refused:
        verify_token(token, digest=DIGEST, anchors=[strange])
    assert refused.value.code == "malformed_timestamp"
