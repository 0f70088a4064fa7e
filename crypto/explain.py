"""Describe a sealed bid, a signed statement or a bundle without opening or verifying anything."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from crypto import signing
from crypto.container import MAGIC, Container, read_header
from crypto.encoding import canonical
from crypto.errors import SealedBidRefused, StatementRefused
from crypto.header import QUOTE
from crypto.receipt import RECEIPT, SLIP, tracker

MAX_MEMBERS: Final = 2000


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to know: what it is, and what it says."""

    label: str
    value: str


def explain(file: BinaryIO) -> list[Line]:
    """Return what ``file`` is and says. Nothing is verified: a line repeats a claim.

    Sealed bids are recognised by their magic, bundles as zip files, statements as three dotted pieces; anything else
    is refused as ``not_a_sealed_bid``.
    """
    file.seek(0)
    start = file.read(signing.MAX_TOKEN + 2)
    file.seek(0)
    if start[:4] == MAGIC[:4]:
        return list(_sealed_bid(read_header(file)))
    if start[:4] == b"PK\x03\x04":
        return list(_bundle(file))
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
        for slot in group.slots:
            yield Line(f"group {group.id} slot", f"{len(slot.data)} bytes for certificate sha256 {slot.cert.hex()}")
        for part in header.parts_of(group.id):
            what = "the figures read out, " if part.id == QUOTE else ""
            yield Line(f"group {group.id} part {part.id}", f"{what}{part.media}, {part.plain_len} bytes")


def _statement(protected: dict[str, Any], payload: dict[str, Any]) -> Iterator[Line]:
    kind = str(protected.get("typ", "")).removeprefix("kaibiao-").removesuffix("+jws")
    yield Line("what", f"signed statement of kind {kind}; signature not verified")
    if kind in (RECEIPT, SLIP):
        yield Line("tracker", tracker(payload))
    for name, value in sorted(payload.items()):
        yield Line(name, value if isinstance(value, str) else canonical(value).decode())
    for name, value in sorted(protected.items()):
        yield Line(f"signature {name}", str(value))


def _bundle(file: BinaryIO) -> Iterator[Line]:
    try:
        members = zipfile.ZipFile(file).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise SealedBidRefused("not_a_sealed_bid", detail="a damaged zip file") from error
    if len(members) > MAX_MEMBERS:
        raise SealedBidRefused("too_large", detail=f"over {MAX_MEMBERS} members")
    yield Line("what", "bundle (zip); nothing verified, see `kaibiao verify`")
    yield Line("members", str(len(members)))
    for member in members:
        yield Line(member.filename, f"{member.file_size} bytes")
