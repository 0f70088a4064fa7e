"""The search for traces finds what it is asked for, however it is spelt."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from tests.support.traces import Search

SECRET = bytes.fromhex("0bd1fcb2eb5e3a66f07f4f3b0f7c96b1aa52")


@pytest.mark.parametrize("before", [b"", b"x", b"xy", b"xyz"])
@pytest.mark.parametrize(
    "spelt",
    [
        lambda data: data,
        lambda data: data.hex().encode(),
        base64.b64encode,
        base64.urlsafe_b64encode,
        lambda data: data.decode("latin-1").encode("utf-16-le"),
    ],
)
def test_a_secret_is_found_in_every_spelling(spelt: object, before: bytes) -> None:
    assert callable(spelt)
    assert Search({"it": SECRET}).in_bytes(b"..." + spelt(before + SECRET + b"after") + b"...") == {"it"}


def test_other_bytes_are_not_it() -> None:
    assert Search({"it": SECRET}).in_bytes(os.urandom(1 << 20)) == set()


def test_a_secret_is_found_in_files_their_names_and_in_memory(tmp_path: Path) -> None:
    (tmp_path / SECRET.hex()).write_bytes(b"nothing")
    (tmp_path / "plain").write_bytes(bytes(100) + SECRET)
    assert Search({"it": SECRET}).in_files(tmp_path) == {SECRET.hex(): {"it"}, "plain": {"it"}}
    kept = bytearray(SECRET)
    assert Search({"it": SECRET}).in_memory(os.getpid()) == {"it"}
    assert kept
