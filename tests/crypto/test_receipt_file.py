"""The receipt file and the entries of the log, held against recorded vectors that every language runs."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from crypto.errors import CryptoRefused, StatementRefused
from crypto.explain import explain
from crypto.receipt import decoy_leaf, log_leaf
from crypto.receipt_file import MAX_FILE, read_receipt_file
from tests.vectors.receipt_file import RECEIPT, receipt_file_case

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors/crypto/receipt-file.json").read_text("utf-8")
)


def test_the_vectors_are_what_this_version_writes() -> None:
    assert json.loads(json.dumps(receipt_file_case())) == VECTORS


def test_a_file_is_read_as_it_was_written() -> None:
    for text in (VECTORS["file"], VECTORS["early"]):
        assert read_receipt_file(text.encode()).to_bytes() == text.encode()


def test_a_file_leads_to_the_checkpoint_in_which_its_receipt_stands() -> None:
    file = read_receipt_file(VECTORS["file"].encode())
    checkpoint = file.checkpoint()
    assert file.receipt() == RECEIPT
    assert checkpoint is not None
    told = (checkpoint.origin, checkpoint.size, checkpoint.root.hex())
    assert told == (VECTORS["origin"], VECTORS["size"], VECTORS["root"])
    assert read_receipt_file(VECTORS["early"].encode()).checkpoint() is None


@pytest.mark.parametrize("case", VECTORS["refused"], ids=[case["name"] for case in VECTORS["refused"]])
def test_what_is_wrong_with_a_file_is_named(case: dict[str, str]) -> None:
    with pytest.raises(CryptoRefused) as refused:
        read_receipt_file(case["file"].encode()).checkpoint()
    assert refused.value.code == case["code"]


def test_a_file_beyond_its_limit_is_refused() -> None:
    with pytest.raises(StatementRefused):
        read_receipt_file(b" " * (MAX_FILE + 1))


def test_entries_are_those_of_the_vectors() -> None:
    assert log_leaf(RECEIPT).hex() == VECTORS["receipt"]["entry"]
    key = bytes.fromhex(VECTORS["decoy_key"])
    for index, entry in VECTORS["decoys"].items():
        assert decoy_leaf(VECTORS["session"], int(index), key).hex() == entry


def test_a_file_is_explained_without_being_verified() -> None:
    told = {line.label: line.value for line in explain(BytesIO(VECTORS["file"].encode()))}
    assert told["tracker"] == VECTORS["receipt"]["tracker"]
    assert told["proof"] == "entry 7 of 12"
    assert told["log"] == VECTORS["origin"]
    assert "clock.example" in told["timestamp"]
    early = {line.label: line.value for line in explain(BytesIO(VECTORS["early"].encode()))}
    assert early["proof"].startswith("none yet")
