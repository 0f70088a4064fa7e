"""Describe a sealed bid or a signed statement without opening or verifying anything."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from crypto import signing
from crypto.container import MAGIC, Container, read_header
from crypto.encoding import canonical
from crypto.errors import SealedBidRefused, StatementRefused
from crypto.header import QUOTE, Slot, SlotRole
from crypto.receipt import RECEIPT, SLIP, tracker
from crypto.receipt_file import MAX_FILE, ReceiptFile, read_receipt_file
from crypto.tlog import Checkpoint, read_note, read_proof


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to know: what it is, and what it says."""

    label: str
    value: str


def explain(file: BinaryIO) -> list[Line]:
    """Return what ``file`` is and says. Nothing is verified: a line repeats a claim.

    Sealed bids are recognised by their magic, receipt files as JSON, statements as three dotted pieces; anything else
    is refused as ``not_a_sealed_bid``.
    """
    file.seek(0)
    start = file.read(signing.MAX_TOKEN + 2)
    file.seek(0)
    if start[:4] == MAGIC[:4]:
        return list(_sealed_bid(read_header(file)))
    if start[:1] == b"{":
        return list(_receipt_file(read_receipt_file(file.read(MAX_FILE + 1))))
    try:
        return list(_statement(*signing.peek(start.decode("ascii").strip())))
    except (UnicodeDecodeError, StatementRefused) as error:
        raise SealedBidRefused("not_a_sealed_bid") from error


def _sealed_bid(container: Container) -> Iterator[Line]:
    header = container.header
    yield Line("what", "sealed bid (SBID version 1), unopened; nothing verified")
    yield Line("suite", header.suite.name)
    yield Line("tender", header.tender)
    yield Line("lot", header.lot)
    yield Line("bidder", header.bidder)
    yield Line("deadline", header.deadline)
    yield Line("length", f"{container.length} bytes")
    yield Line("header sha256", container.header_sha256)
    yield Line("declaration sha256", container.declaration_sha256)
    yield Line("signing certificate", f"sha256 {header.sig_cert.hex()}")
    for group in header.groups:
        yield Line(f"group {group.id}", f"key commitment {group.kcb.hex()}")
        if group.kct is not None:
            yield Line(f"group {group.id}", f"tenderer's key commitment {group.kct.hex()}: opens with both keys only")
        for slot in group.slots:
            yield Line(
                f"group {group.id} slot",
                f"{_share(slot)}{len(slot.data)} bytes for certificate sha256 {slot.cert.hex()}",
            )
        for part in header.parts_of(group.id):
            what = "the figures read out, " if part.id == QUOTE else ""
            yield Line(f"group {group.id} part {part.id}", f"{what}{part.media}, {part.plain_len} bytes")


def _receipt_file(file: ReceiptFile) -> Iterator[Line]:
    yield Line("what", "receipt file; nothing verified, see `kaibiao verify --receipt`")
    protected, payload = signing.peek(file.token)
    yield from list(_statement(protected, payload))[1:]
    yield Line("hall key", file.hall.kid)
    if file.proof is None:
        yield Line("proof", "none yet: ask the hall again after the log's next tick")
        return
    proof = read_proof(file.proof)
    note = read_note(proof.checkpoint)
    checkpoint = Checkpoint.parse(note.text)
    yield Line("log", checkpoint.origin)
    yield Line("proof", f"entry {proof.index} of {checkpoint.size}")
    yield Line("signed by", ", ".join(dict.fromkeys(line.name for line in note.signatures)))
    for stamp in file.stamps:
        yield Line("timestamp", f"{stamp.authority}, {len(stamp.token)} bytes")


def _share(slot: Slot) -> str:
    """What is in a slot that does not hold the bidder's key itself."""
    if slot.place is None:
        return ""
    of = "the tenderer's key" if slot.role is SlotRole.TENDERER else "the bidder's key (escrow)"
    return f"share {slot.place.index} of {slot.place.count} of {of}, any {slot.place.threshold} give it; "


def _shown(value: object) -> str:
    return value if isinstance(value, str) else canonical(value).decode()


def _statement(protected: dict[str, Any], payload: dict[str, Any]) -> Iterator[Line]:
    kind = str(protected.get("typ", "")).removeprefix("kaibiao-").removesuffix("+jws")
    yield Line("what", f"signed statement of kind {kind}; signature not verified")
    if kind in (RECEIPT, SLIP):
        yield Line("tracker", tracker(payload))
    for name, value in sorted(payload.items()):
        inside = value.items() if isinstance(value, dict) else ()
        yield from (Line(f"{name} {member}", _shown(said)) for member, said in sorted(inside))
        if not isinstance(value, dict):
            yield Line(name, _shown(value))
    for name, value in sorted(protected.items()):
        yield Line(f"signature {name}", str(value))
