from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from crypto import authority
from crypto.certificates import Usage
from crypto.errors import CertificateRefused
from crypto.paths import validate
from web.outside.trust import TrustFolders, TrustRefused

NOW = datetime(2026, 5, 1, 1, 0, tzinfo=UTC)


@pytest.fixture
def root() -> authority.Authority:
    return authority.create("Test authority", at=NOW - timedelta(days=1))


def folders(tmp_path: Path, *, required: bool = False) -> TrustFolders:
    return TrustFolders(tmp_path / "anchors", tmp_path / "crls", required=required)


def put(folder: Path, name: str, content: bytes) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_an_anchor_may_be_pem_or_der(tmp_path: Path, root: authority.Authority, encoding: Encoding) -> None:
    put(tmp_path / "anchors", "root", root.certificate.public_bytes(encoding))
    assert folders(tmp_path).current().anchors == (root.certificate,)


def test_without_folders_nobody_is_trusted(tmp_path: Path) -> None:
    assert folders(tmp_path).current().anchors == ()


def test_a_revocation_list_dropped_in_counts_at_once(tmp_path: Path, root: authority.Authority) -> None:
    put(tmp_path / "anchors", "root.pem", root.certificate.public_bytes(Encoding.PEM))
    bidder = authority.issue(root, name="甲", identifier="91110000MA0000000A", usage=Usage.SIGN, at=NOW).certificate
    trust = folders(tmp_path)
    validate(bidder, usage=Usage.SIGN, trust=trust.current(), at=NOW)
    crl = authority.revocation_list(root, {bidder.serial_number: NOW}, at=NOW)
    put(tmp_path / "crls", "root.crl", crl.public_bytes(Encoding.PEM))
    with pytest.raises(CertificateRefused, match="revoked"):
        validate(bidder, usage=Usage.SIGN, trust=trust.current(), at=NOW)


def test_an_unchanged_folder_is_not_read_again(tmp_path: Path, root: authority.Authority) -> None:
    put(tmp_path / "anchors", "root.pem", root.certificate.public_bytes(Encoding.PEM))
    trust = folders(tmp_path)
    assert trust.current() is trust.current()


def test_a_list_may_be_a_must(tmp_path: Path) -> None:
    assert folders(tmp_path, required=True).current().required


@pytest.mark.parametrize("folder", ["anchors", "crls"])
def test_a_file_that_is_something_else_stops_every_check(tmp_path: Path, folder: str) -> None:
    put(tmp_path / folder, "readme.txt", b"hello")
    with pytest.raises(TrustRefused, match=r"readme\.txt"):
        folders(tmp_path).current()


def test_a_file_replaced_within_the_same_second_is_noticed(tmp_path: Path, root: authority.Authority) -> None:
    other = authority.create("Other authority", at=NOW)
    put(tmp_path / "anchors", "root.pem", root.certificate.public_bytes(Encoding.DER))
    trust = folders(tmp_path)
    trust.current()
    put(tmp_path / "anchors", "root.pem", other.certificate.public_bytes(Encoding.DER))
    os.utime(tmp_path / "anchors" / "root.pem", ns=(1, 1))
    assert trust.current().anchors == (other.certificate,)
