"""Before a program hands over a key, it holds the bid that is to be opened against the receipts it was given."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crypto.receipt import Receipt, issue, log_leaf, tracker
from crypto.receipt_file import ReceiptFile
from crypto.signing import HallKey
from crypto.tlog import Checkpoint, Tree, sign_checkpoint, write_proof
from crypto.tlog.notes import b64
from web.participant.counted import Contradicted, look

HALL = HallKey.generate()
ORIGIN = "hall.example/s/gx-1/intake"
FIRST = Receipt(
    session="gx-1",
    tender="GX-2026-0117",
    lot="1",
    bidder="91330100MA2B0000X1",
    header_sha256="aa" * 32,
    root="bb" * 32,
    length=1000,
    declaration_sha256="cc" * 32,
    received_at="2026-11-20T01:00:00.000Z",
    leaf_salt="dd" * 32,
)
LATER = replace(FIRST, header_sha256="ee" * 32, received_at="2026-11-20T02:00:00.000Z")
DECOYS = [bytes([n]) * 32 for n in range(8)]


def signed(entries: list[bytes]) -> str:
    tree = Tree(entries)
    return sign_checkpoint(Checkpoint(origin=ORIGIN, size=len(tree), root=tree.root()), HALL)


class Hall:
    """Gives the file of ``receipt`` with its proof, and shows a log of these entries."""

    def __init__(self, receipt: Receipt, shown: list[bytes] | None) -> None:
        entries = [DECOYS[0], log_leaf(receipt)]
        proof = write_proof(1, Tree(entries).inclusion_proof(1, 2), signed(entries))
        self.file = ReceiptFile(token=issue(receipt, HALL), hall=HALL.public, proof=proof)
        self.shown = shown

    async def __call__(self, path: str) -> bytes | None:
        if path.startswith("uploads/mine/"):
            return self.file.to_bytes() if path.endswith(tracker(self.file.receipt().payload())) else None
        if self.shown is None:
            return None
        if path == "log/intake/checkpoint":
            return signed(self.shown).encode()
        old, new = (int(part.split("=")[1]) for part in path.split("?")[1].split("&"))

        return "".join(f"{b64(one)}\n" for one in Tree(self.shown).consistency_proof(old, new)).encode()


def grown(receipt: Receipt) -> list[bytes]:
    return [DECOYS[0], log_leaf(receipt), *DECOYS[1:4]]


async def test_a_receipt_in_a_log_that_only_grew_lets_the_key_go() -> None:
    await look(issue(FIRST, HALL), FIRST.header_sha256, Hall(FIRST, grown(FIRST)))
    await look(issue(FIRST, HALL), FIRST.header_sha256, Hall(FIRST, grown(FIRST)), issue(FIRST, HALL))


async def test_what_cannot_be_fetched_counts_against_nobody() -> None:
    await look(issue(FIRST, HALL), FIRST.header_sha256, Hall(FIRST, None))
    await look(issue(FIRST, HALL), FIRST.header_sha256, Hall(LATER, grown(LATER)))


@pytest.mark.parametrize(
    ("code", "header", "shown", "kept"),
    [
        ("older_bid", FIRST.header_sha256, grown(FIRST), LATER),
        ("other_bid", LATER.header_sha256, grown(FIRST), None),
        ("wrong_log", FIRST.header_sha256, [DECOYS[0], *DECOYS[4:8]], None),
        ("wrong_log", FIRST.header_sha256, DECOYS[:2], None),
    ],
)
async def test_what_the_hall_itself_signed_keeps_the_key_here(
    code: str, header: str, shown: list[bytes], kept: Receipt | None
) -> None:
    with pytest.raises(Contradicted) as no:
        await look(issue(FIRST, HALL), header, Hall(FIRST, shown), None if kept is None else issue(kept, HALL))
    assert no.value.code == code


async def test_an_older_receipt_or_anothers_says_nothing() -> None:
    older = replace(FIRST, received_at="2026-11-19T01:00:00.000Z")
    other = replace(LATER, bidder="91330100MA2B0000X2")
    for kept in (older, other):
        await look(issue(FIRST, HALL), FIRST.header_sha256, Hall(FIRST, grown(FIRST)), issue(kept, HALL))
