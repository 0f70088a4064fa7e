"""Before a key leaves: does the bid that the hall asks to open stand by the hall's own receipts? The bidder's side.

What could not be fetched counts against nobody; only what the hall signed can contradict it. Then the key stays.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from crypto.digest import verify_consistency
from crypto.encoding import parse_strict, unb64u
from crypto.errors import CryptoRefused, ProofRefused, StatementRefused
from crypto.receipt import Receipt, tracker, verify_receipt
from crypto.receipt_file import ReceiptFile, read_receipt_file
from crypto.tlog import Checkpoint, open_checkpoint
from crypto.tlog.notes import unb64

Fetch = Callable[[str], Awaitable[bytes | None]]
"""A path below the opening: its bytes, or None if they cannot be had."""


class Contradicted(Exception):
    """The hall's own words against each other: ``older_bid``, ``other_bid`` or ``wrong_log``. Keep both receipts."""

    def __init__(self, code: str, receipt: str) -> None:
        super().__init__(f"{code}: no key has left this machine; keep your receipts and tell host and supervisor")
        self.code = code
        self.receipt = receipt


async def look(token: str, header_sha256: str, fetch: Fetch, kept: str | None = None) -> None:
    """Hold the receipt ``token`` of the bid that is to be opened against the log of receipts, and against ``kept``.

    ``kept`` is the last receipt that this bidder was given for this opening, if it has one.

    Raises:
        Contradicted: it is for another bid, a newer one was given, or its log is not the one that is shown now.
    """
    code = tracker(_payload(token))
    data = await fetch(f"uploads/mine/{code}")
    if data is None:
        return
    file = read_receipt_file(data)
    receipt = verify_receipt(token, file.hall)
    if receipt.header_sha256 != header_sha256:
        raise Contradicted("other_bid", token)
    if kept is not None and _newer(verify_receipt(kept, file.hall), receipt):
        raise Contradicted("older_bid", kept)
    try:
        held = file.checkpoint() if file.token == token else None
    except CryptoRefused:
        return  # a proof that does not hold proves nothing, against nobody
    if held is not None:
        await _continued(held, file, fetch)


def _newer(kept: Receipt, receipt: Receipt) -> bool:
    same = (kept.session, kept.bidder) == (receipt.session, receipt.bidder)
    return same and kept.received_at > receipt.received_at


async def _continued(held: Checkpoint, file: ReceiptFile, fetch: Fetch) -> None:
    """Raise if the log as it is shown now is not one with that in which the receipt stands."""
    note = await fetch("log/intake/checkpoint")
    if note is None:
        return
    try:
        shown = open_checkpoint(note, file.hall, held.origin)
    except CryptoRefused:
        return
    old, new = sorted((held, shown), key=lambda checkpoint: checkpoint.size)
    proof = b"" if old.size == new.size else await fetch(f"log/intake/consistency?old={old.size}&new={new.size}")
    if proof is None:
        return
    try:
        verify_consistency(old.size, old.root, new.size, new.root, [unb64(line) for line in proof.decode().split()])
    except ProofRefused as error:
        raise Contradicted("wrong_log", file.token) from error


def _payload(token: str) -> dict[str, object]:
    payload = parse_strict(unb64u(token.split(".")[1]), limit=65_536)
    if not isinstance(payload, dict):
        raise StatementRefused("malformed_token")
    return payload
