"""Vectors of the log of receipts: entries, decoys, and the file that a bidder keeps."""

import json
from typing import Any

from crypto import tlog
from crypto.encoding import canonical
from crypto.receipt import Receipt, decoy_leaf, issue, log_leaf, tracker
from crypto.receipt_file import ReceiptFile, Stamp
from tests.vectors.tlog import a_key

SESSION = "S-1"
ORIGIN = f"hall.example/s/{SESSION}/intake"
DECOY_KEY = bytes(range(32))
SIZE, INDEX = 12, 7
RECEIPT = Receipt(
    session=SESSION,
    tender="GX-2026-0117",
    lot="1",
    bidder="91330100MA0000000A",
    header_sha256="11" * 32,
    root="22" * 32,
    length=123_456,
    declaration_sha256="33" * 32,
    received_at="2026-11-20T08:30:00.125Z",
    leaf_salt="44" * 32,
)


def the_log() -> tlog.Tree:
    """Return twelve entries: one receipt, eleven decoys."""
    return tlog.Tree(
        log_leaf(RECEIPT) if index == INDEX else decoy_leaf(SESSION, index, DECOY_KEY) for index in range(SIZE)
    )


def receipt_file_case() -> dict[str, Any]:
    hall, tree = a_key(10), the_log()
    proof = the_proof(ORIGIN)
    file = ReceiptFile(
        token=issue(RECEIPT, hall),
        hall=hall.public,
        proof=proof,
        stamps=(Stamp("clock.example", b"\x30\x03\x02\x01\x00"),),
    )
    form: dict[str, Any] = json.loads(file.to_bytes())
    early = {**form, "proof": None, "stamps": []}
    elsewhere = the_proof("hall.example/s/S-2/intake")
    moved = proof.replace(f"index {INDEX}\n", f"index {INDEX - 1}\n")
    refused = [
        ("no member of the proof", {name: form[name] for name in form if name != "proof"}, "malformed_receipt_file"),
        ("an unknown member", {**form, "more": 1}, "malformed_receipt_file"),
        ("version 2", {**form, "v": 2}, "malformed_receipt_file"),
        ("a number for a receipt", {**form, "receipt": 1}, "malformed_receipt_file"),
        ("a stamp without its authority", {**form, "stamps": [{"token": "AA"}]}, "malformed_receipt_file"),
        ("a proof in the log of another session", {**form, "proof": elsewhere}, "malformed_receipt_file"),
        ("another version of the proof", {**form, "proof": proof.replace("@v1", "@v2")}, "malformed_proof"),
        ("the proof of another place", {**form, "proof": moved}, "wrong_proof"),
        ("a checkpoint by another key", {**form, "proof": the_proof(ORIGIN, key=11)}, "wrong_signer"),
        ("a receipt by another key", {**form, "receipt": issue(RECEIPT, a_key(11))}, "wrong_signer"),
    ]
    return {
        "session": SESSION,
        "decoy_key": DECOY_KEY.hex(),
        "decoys": {str(index): decoy_leaf(SESSION, index, DECOY_KEY).hex() for index in (0, 1, 255, 65_536)},
        "receipt": {
            "payload": RECEIPT.payload(),
            "tracker": tracker(RECEIPT.payload()),
            "entry": log_leaf(RECEIPT).hex(),
        },
        "origin": ORIGIN,
        "size": SIZE,
        "root": tree.root().hex(),
        "file": file.to_bytes().decode(),
        "early": (canonical(early) + b"\n").decode(),
        "refused": [{"name": name, "file": json.dumps(bad), "code": code} for name, bad, code in refused],
    }


def the_proof(origin: str, key: int = 10) -> str:
    tree = the_log()
    checkpoint = tlog.Checkpoint(origin=origin, size=SIZE, root=tree.root())
    return tlog.write_proof(INDEX, tree.inclusion_proof(INDEX), tlog.sign_checkpoint(checkpoint, a_key(key)))
