"""What we write, OpenSSL reads; what OpenSSL writes, we read. Nobody depends on us to check a bid."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from crypto import authority, envelope, recipients
from crypto.authority import Algorithm
from crypto.certificates import load_credential
from crypto.errors import SlotRefused
from crypto.header import SlotRole
from crypto.held import open_held
from tests.support.bidders import a_bidder, a_quorum, a_sealed_bid, the_authority

SECRET = bytes(range(32))
RSA_OAEP = "-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256 -keyopt rsa_mgf1_md:sha256"
ECDH = "-keyopt ecdh_kdf_md:sha256"
OPTIONS = {Algorithm.RSA3072: RSA_OAEP, Algorithm.P256: ECDH}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "root.pem").write_bytes(the_authority().certificate.public_bytes(Encoding.PEM))
    for algorithm in Algorithm:
        bidder = a_bidder(algorithm=algorithm)
        (tmp_path / f"{algorithm}.pem").write_bytes(authority.to_pem(bidder.encrypt))
    return tmp_path


def openssl(folder: Path, command: str, data: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *command.split()], cwd=folder, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("algorithm", Algorithm)
def test_openssl_opens_our_slot(folder: Path, algorithm: Algorithm) -> None:
    slot = recipients.wrap(a_bidder(algorithm=algorithm).encrypt.certificate, SECRET)
    (folder / "slot.der").write_bytes(slot)
    assert openssl(folder, f"cms -decrypt -inform DER -in slot.der -inkey {algorithm}.pem") == SECRET


@pytest.mark.parametrize("algorithm", Algorithm)
def test_openssl_opens_the_slot_of_a_sealed_bid_to_the_group_key(folder: Path, algorithm: Algorithm) -> None:
    bidder = a_bidder(algorithm=algorithm)
    sealed = a_sealed_bid(b"x", bidder=bidder)
    (folder / "slot.der").write_bytes(sealed.bid.header.groups[0].slots[0].data)
    secret = openssl(folder, f"cms -decrypt -inform DER -in slot.der -inkey {algorithm}.pem")
    opened = envelope.open_group(sealed.file, envelope.read_header(sealed.file), "A", secret)
    assert opened.whole("f1") == b"x"


@pytest.mark.parametrize("algorithm", Algorithm)
@pytest.mark.parametrize("by", ["", "-keyid"])
def test_we_open_a_slot_made_by_openssl(folder: Path, algorithm: Algorithm, by: str) -> None:
    command = f"cms -encrypt -binary -aes-256-gcm -outform DER {by} -recip {algorithm}.pem {OPTIONS[algorithm]}"
    slot = openssl(folder, command, SECRET)
    holder = a_bidder(algorithm=algorithm).encrypt
    assert recipients.unwrap(slot, holder.key, holder.certificate) == SECRET


@pytest.mark.parametrize(
    ("options", "algorithm"),
    [
        ("-aes-256-gcm", Algorithm.RSA3072),  # PKCS#1 v1.5 is OpenSSL's default, which no browser can open
        ("-aes-256-gcm -keyopt rsa_padding_mode:oaep", Algorithm.RSA3072),  # SHA-1
        ("-aes-256-gcm", Algorithm.P256),  # SHA-1 in the key derivation
        (f"-aes-128-gcm {ECDH}", Algorithm.P256),
        (f"-aes-256-cbc {ECDH}", Algorithm.P256),
        (f"-stream -indef -aes-256-gcm {ECDH}", Algorithm.P256),  # BER
    ],
)
def test_a_looser_slot_made_by_openssl_is_refused(folder: Path, options: str, algorithm: Algorithm) -> None:
    slot = openssl(folder, f"cms -encrypt -binary -outform DER -recip {algorithm}.pem {options}", SECRET)
    with pytest.raises(SlotRefused) as refused:
        recipients.unwrap(slot, a_bidder(algorithm=algorithm).encrypt.key)
    assert refused.value.code == "malformed_slot"


@pytest.mark.parametrize("algorithm", Algorithm)
def test_openssl_verifies_our_declaration_as_cades(folder: Path, algorithm: Algorithm) -> None:
    sealed = a_sealed_bid(bidder=a_bidder(algorithm=algorithm))
    container = envelope.read_header(sealed.file)
    (folder / "declaration.der").write_bytes(container.declaration)
    command = "cms -verify -cades -inform DER -in declaration.der -CAfile root.pem -purpose any -attime 1780000000"
    assert container.header_sha256.encode() in openssl(folder, command)


def test_openssl_refuses_our_declaration_when_it_is_changed(folder: Path) -> None:
    declaration = bytearray(envelope.read_header(a_sealed_bid().file).declaration)
    declaration[-1] ^= 1
    (folder / "declaration.der").write_bytes(declaration)
    command = "openssl cms -verify -inform DER -in declaration.der -CAfile root.pem -purpose any -attime 1780000000"
    assert subprocess.run(command.split(), cwd=folder, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("algorithm", Algorithm)
def test_openssl_opens_our_pkcs12_and_we_open_its(folder: Path, algorithm: Algorithm) -> None:
    credential = a_bidder(algorithm=algorithm).encrypt
    (folder / "ours.p12").write_bytes(authority.to_pkcs12(credential, "pw", rounds=1000))
    shown = openssl(folder, "pkcs12 -in ours.p12 -passin pass:pw -nodes")
    assert load_credential(shown).certificate == credential.certificate
    theirs = openssl(folder, f"pkcs12 -export -in {algorithm}.pem -passout pass:pw -iter 1000")
    assert load_credential(theirs, b"pw").certificate == credential.certificate
    info = subprocess.run(
        ["openssl", "pkcs12", "-in", "ours.p12", "-passin", "pass:pw", "-info", "-noout"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert "PBES2, PBKDF2, AES-256-CBC, Iteration 1000, PRF hmacWithSHA256" in info


def test_openssl_verifies_our_revocation_list(folder: Path) -> None:
    certificate = a_bidder().sign.certificate
    crl = authority.revocation_list(
        the_authority(),
        {certificate.serial_number: certificate.not_valid_before_utc},
        at=certificate.not_valid_before_utc,
    )
    (folder / "crl.pem").write_bytes(crl.public_bytes(Encoding.PEM))
    assert (
        f"{certificate.serial_number:X}" in openssl(folder, "crl -in crl.pem -CAfile root.pem -noout -text").decode()
    )


@pytest.mark.parametrize("algorithm", Algorithm)
def test_openssl_opens_the_slots_of_the_tenderer_and_of_a_trustee(folder: Path, algorithm: Algorithm) -> None:
    holder = a_bidder(algorithm=algorithm).encrypt
    only = a_quorum(1, holder)
    sealed = a_sealed_bid(bidder=a_bidder("另一家有限公司"), tenderer=only, escrow=only)
    for role in (SlotRole.TENDERER, SlotRole.ESCROW):
        (folder / "slot.der").write_bytes(sealed.bid.header.group("A").slots_of(role)[0].data)
        share = openssl(folder, f"cms -decrypt -inform DER -in slot.der -inkey {algorithm}.pem")
        assert share == open_held(sealed.bid.header, "A", role, holder).value
