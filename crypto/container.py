"""The sealed bid as a file: what it is made of, and everything that can be checked without a key.

FORMAT.md sections 1 and 5. Files are objects the caller opened for reading, seekable.
"""

import os
from dataclasses import dataclass
from typing import BinaryIO, Final

from cryptography import x509

from crypto import header as headers
from crypto.certificates import bidder_id, fingerprint
from crypto.chunked import HEAD, fill
from crypto.declaration import MAX_DECLARATION, Declaration
from crypto.digest import SegmentHasher, sha256_hex
from crypto.errors import CertificateRefused, SealedBidRefused
from crypto.header import MAX_HEADER, Header, SlotRole

MAGIC: Final = b"SBID\x01\r\n\x1a"
END: Final = b"SBIDEND1"
PREFIX: Final = 16
TRAILER: Final = 12
BUFFER: Final = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A sealed bid whose header is well-formed and whose sizes tile the file. Nothing is verified yet."""

    header: Header
    header_bytes: bytes
    declaration: bytes
    total_len: int

    @property
    def header_sha256(self) -> str:
        """Hex digest of the header as received: the bid's name in receipts, releases and the log."""
        return sha256_hex(self.header_bytes)

    @property
    def declaration_sha256(self) -> str:
        """Hex digest of the declaration."""
        return sha256_hex(self.declaration)

    @property
    def body(self) -> int:
        """Where the parts begin in the file."""
        return PREFIX + len(self.header_bytes)

    @property
    def length(self) -> int:
        """How long the whole file is."""
        return self.total_len + len(self.declaration) + TRAILER


def prefix(header: bytes) -> bytes:
    """Return what stands before the header."""
    return MAGIC + len(header).to_bytes(4, "big") + bytes(4)


def trailer(declaration: bytes) -> bytes:
    """Return what stands behind the declaration."""
    return len(declaration).to_bytes(4, "big") + END


def read_header(file: BinaryIO) -> Container:
    """Return the container in ``file``: magic, header, declaration bytes, and sizes that fit to the byte.

    Reads header and declaration only. Verifies no signature and no digest; call ``check_sealed`` for that.
    """
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(PREFIX)
    if len(start) < PREFIX or start[:4] != MAGIC[:4]:
        raise SealedBidRefused("not_a_sealed_bid")
    if start[4] != MAGIC[4]:
        raise SealedBidRefused("unsupported_version")
    if start[:8] != MAGIC:
        raise SealedBidRefused("not_a_sealed_bid")
    size = int.from_bytes(start[8:12], "big")
    if start[12:] != bytes(4) or size < 2:
        raise SealedBidRefused("malformed_header")
    if size > MAX_HEADER:
        raise SealedBidRefused("too_large", detail="header")
    header_bytes = file.read(size)
    if len(header_bytes) != size:
        raise SealedBidRefused("wrong_sizes")
    header = headers.parse(header_bytes)
    total_len = PREFIX + size + header.body_length
    rest = length - total_len
    if not TRAILER + 1 <= rest <= MAX_DECLARATION + TRAILER:
        raise SealedBidRefused("wrong_sizes")
    file.seek(total_len)
    tail = file.read(rest)
    declaration = tail[:-TRAILER]
    if len(tail) != rest or tail[-TRAILER:] != trailer(declaration):
        raise SealedBidRefused("wrong_sizes")
    return Container(header=header, header_bytes=header_bytes, declaration=declaration, total_len=total_len)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedBid:
    """A sealed bid of which everything holds that can be known without its keys.

    ``encrypted_to`` are the bidder's own certificates, ``tenderer`` and ``escrow`` those of the holders of shares:
    whether these are the announced ones is for whoever knows the announcement.
    """

    container: Container
    declaration: Declaration
    encrypted_to: tuple[x509.Certificate, ...]
    tenderer: tuple[x509.Certificate, ...] = ()
    escrow: tuple[x509.Certificate, ...] = ()

    @property
    def root(self) -> str:
        """Root of the segment tree over all bytes before the declaration."""
        return self.declaration.root


def check_sealed(file: BinaryIO) -> CheckedBid:
    """Return the bid in ``file`` after every check of FORMAT.md section 5, one pass over the body, or raise.

    Left to the caller, who knows the clock and whom to trust: certificate paths, the pair (``check_pair``), the
    deadline, and that tender, lot and bidder are the expected ones.
    """
    container = read_header(file)
    header = container.header
    stated = header.suite.verify(container.declaration, header.sig_cert)
    try:
        if bidder_id(stated.signer) != header.bidder:
            raise SealedBidRefused("wrong_certificate")
    except CertificateRefused as error:
        raise SealedBidRefused("wrong_certificate", detail=error.code) from error
    if stated.header_sha256 != container.header_sha256:
        raise SealedBidRefused("wrong_header")
    if stated.total_len != container.total_len:
        raise SealedBidRefused("wrong_sizes")
    held = check_slots(header, stated)
    for part in header.parts:
        file.seek(container.body + part.off)
        if file.read(HEAD) != part.head:
            raise SealedBidRefused("commitment_mismatch")
    hasher = segments(file, container.total_len)
    if (len(hasher.leaves), hasher.finish().hex()) != (stated.segments, stated.root):
        raise SealedBidRefused("wrong_segments")
    return CheckedBid(
        container=container,
        declaration=stated,
        encrypted_to=held[SlotRole.BIDDER],
        tenderer=held[SlotRole.TENDERER],
        escrow=held[SlotRole.ESCROW],
    )


def check_slots(header: Header, stated: Declaration) -> dict[SlotRole, tuple[x509.Certificate, ...]]:
    """Return whom the groups are sealed to, by role; raise unless the declaration carries just these certificates."""
    carried = {fingerprint(certificate): certificate for certificate in stated.certificates}
    used: dict[SlotRole, dict[bytes, x509.Certificate]] = {role: {} for role in SlotRole}
    for group in header.groups:
        for slot in group.slots:
            parsed = header.suite.parse_slot(slot.data)
            if slot.cert not in carried:
                raise SealedBidRefused("wrong_certificate")
            parsed.require_recipient(carried[slot.cert])
            used[slot.role][slot.cert] = carried[slot.cert]
    # Issuers would be bytes that nobody signed; they come from the reader's own trust store.
    if carried.keys() != {header.sig_cert}.union(*used.values()):
        raise SealedBidRefused("wrong_certificate")
    return {role: tuple(certificates.values()) for role, certificates in used.items()}


def segments(file: BinaryIO, total_len: int) -> SegmentHasher:
    """Return the finished segment tree over the first ``total_len`` bytes of ``file``."""
    hasher = SegmentHasher()
    buffer = memoryview(bytearray(BUFFER))
    file.seek(0)
    while hasher.length < total_len:
        piece = buffer[: min(BUFFER, total_len - hasher.length)]
        if fill(file, piece) != len(piece):
            raise SealedBidRefused("wrong_sizes")
        hasher.update(piece)
    hasher.finish()
    return hasher
