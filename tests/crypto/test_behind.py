"""Hashing one piece behind gives the same digest, and does not swallow a fault."""

import hashlib
from io import BytesIO

import pytest

from crypto import envelope
from crypto.digest import Behind, sha256_hex
from tests.support.bidders import a_sealed_bid


def test_hashing_behind_the_decryption_sees_every_sealed_byte() -> None:
    plain = hashlib.shake_128(b"behind").digest(5_000_000)
    sealed = a_sealed_bid(plain)
    container = envelope.read_header(sealed.file)
    secret = envelope.unlock(container, "A", sealed.bidder.encrypt)
    group = envelope.open_group(sealed.file, container, "A", secret)
    out, digest = BytesIO(), hashlib.sha256()
    with Behind(digest.update) as read:
        group.copy("f1", out.write, read=read)
    part = container.header.part("f1")
    start = container.body + part.off
    assert out.getvalue() == plain
    assert digest.hexdigest() == sha256_hex(sealed.data[start : start + part.length])


def test_a_fault_in_the_thread_reaches_the_caller() -> None:
    def fails(_: memoryview) -> None:
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"), Behind(fails) as read:
        read(memoryview(b"x"))
