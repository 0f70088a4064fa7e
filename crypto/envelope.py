"""Seal a bid in one pass, whatever the number of groups and recipients (FORMAT.md sections 1 to 5).

Also the one place to import the life of a sealed bid from: ``seal``, ``read_header``, ``check_sealed``, ``unlock``,
``open_group``.
"""

import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, BinaryIO, Final

from cryptography import x509

from crypto import container, declaration
from crypto.certificates import Credential, bidder_id, check_pair, fingerprint
from crypto.chunked import BATCH, CHUNK, SEALED_CHUNK, Sealer, fill
from crypto.container import CheckedBid, Container, check_sealed, read_header
from crypto.digest import SegmentHasher, sha256_hex
from crypto.encoding import canonical, check_identifier, check_moment
from crypto.errors import SealedBidRefused
from crypto.header import JSON, MAX_SHEET, QUOTE, Group, Header, Part, Slot, SlotRole, names_id
from crypto.header import parse as parse_header
from crypto.held import deal
from crypto.keys import GroupKey, new_group_key
from crypto.opening import OpenedGroup, open_group, open_published, unlock
from crypto.quorum import Quorum
from crypto.rescue import plain_commitment
from crypto.suites import INTL_1, Suite

__all__ = [
    "CheckedBid",
    "Container",
    "OpenedGroup",
    "SealedBid",
    "Source",
    "check_sealed",
    "open_group",
    "open_published",
    "read_header",
    "seal",
    "unlock",
]

TECHNICAL: Final = "A"
COMMERCIAL: Final = "B"
_ENV: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file to seal. ``size`` is stated beforehand, because the header stands before the body."""

    name: str
    media: str
    stream: BinaryIO
    size: int
    group: str = TECHNICAL


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBid:
    """What sealing made: the figures a receipt will repeat."""

    header: Header
    header_sha256: str
    declaration_sha256: str
    root: str
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    part: Part
    stream: BinaryIO
    sealer: Sealer


def seal(
    out: BinaryIO,
    *,
    tender: str,
    lot: str,
    deadline: str,
    quote: Mapping[str, Any],
    files: Sequence[Source] = (),
    signer: Credential,
    encrypt_to: Sequence[x509.Certificate],
    envelopes: int = 1,
    tenderer: Quorum | None = None,
    escrow: Quorum | None = None,
    suite: Suite = INTL_1,
    statement: str = declaration.STATEMENT,
    rescue_salt: bytes | None = None,
    progress: Callable[[int], object] | None = None,
) -> SealedBid:
    """Write the sealed bid to ``out`` and return its figures.

    The bidder is the signer's organisation; every certificate of ``encrypt_to`` must be its pair. With two
    ``envelopes`` the quote is in group B and each file in its own group. With a ``tenderer`` nothing opens without
    the tenderer's key too (二次解密), made here and shared among its officers. ``escrow`` gives trustees shares of
    the bidder's key: off unless asked for, because enough of them could open early. ``progress`` gets plain bytes
    done. ``rescue_salt`` (crypto.rescue.new_salt) commits to the quote, so that a rescue file can take the place of a
    lost certificate. A file that turns out longer or shorter than its ``size`` is ``source_changed``: throw ``out``
    away then.
    """
    for certificate in encrypt_to:
        check_pair(signer.certificate, certificate)
    others = [quorum for quorum in (tenderer, escrow) if quorum]
    for quorum in others:
        quorum.check_usage()
    groups = [TECHNICAL, COMMERCIAL][:envelopes]
    if stray := {file.group for file in files} - set(groups):
        raise SealedBidRefused("no_such_part", detail=f"group {min(stray)}")
    blank = Header(
        suite=suite,
        env=os.urandom(_ENV),
        tender=check_identifier(unicodedata.normalize("NFC", tender)),
        lot=check_identifier(unicodedata.normalize("NFC", lot)),
        bidder=check_identifier(bidder_id(signer.certificate)),
        deadline=check_moment(deadline),
        sig_cert=fingerprint(signer.certificate),
        groups=(),
        parts=(),
    )
    keys = {group: _new_key(blank, group, layered=tenderer is not None) for group in groups}
    jobs = list(_jobs(suite, keys, _arrange(groups, quote, files)))
    parts = tuple(job.part for job in jobs)
    if rescue_salt is not None:
        plain = canonical(quote)
        pc = plain_commitment(blank.context(groups[-1]), QUOTE, rescue_salt, plain)
        parts = tuple(replace(part, pc=pc) if part.id == QUOTE else part for part in parts)
    header = replace(
        blank,
        groups=tuple(_group(group, keys[group], encrypt_to, tenderer, escrow) for group in groups),
        parts=parts,
    )
    header_bytes = header.encode()
    parse_header(header_bytes)  # what we would refuse to read we do not write
    hasher = SegmentHasher()

    def write(data: bytes | memoryview) -> None:
        out.write(data)
        hasher.update(data)

    write(container.prefix(header_bytes))
    write(header_bytes)
    for job in jobs:
        _write_part(job, write, progress)
    root = hasher.finish().hex()
    header_sha256 = sha256_hex(header_bytes)
    content = declaration.content(
        header_sha256=header_sha256,
        root=root,
        segments=len(hasher.leaves),
        total_len=hasher.length,
        statement=statement,
    )
    signed = suite.declare(
        content, signer, [*encrypt_to, *(each for quorum in others for each in quorum.certificates)]
    )
    out.write(signed + container.trailer(signed))
    return SealedBid(
        header=header,
        header_sha256=header_sha256,
        declaration_sha256=sha256_hex(signed),
        root=root,
        length=hasher.length + len(signed) + container.TRAILER,
    )


def _arrange(groups: list[str], quote: Mapping[str, Any], files: Sequence[Source]) -> Iterator[tuple[str, Source]]:
    """Part ids and sources in file order: in each group the quote first, then files, then their names."""
    numbered = [(f"f{number}", file) for number, file in enumerate(files, 1)]
    for group in groups:
        own = [(part, file) for part, file in numbered if file.group == group]
        if group == groups[-1]:
            yield QUOTE, _sheet(group, quote)
        yield from own
        if own:
            names = {part: unicodedata.normalize("NFC", file.name) for part, file in own}
            yield names_id(group), _sheet(group, names)


def _sheet(group: str, value: Mapping[str, Any]) -> Source:
    data = canonical(value)
    if len(data) > MAX_SHEET:
        raise SealedBidRefused("too_large", detail="quote or file names")
    return Source(name="", media=JSON, stream=BytesIO(data), size=len(data), group=group)


def _jobs(suite: Suite, keys: Mapping[str, GroupKey], sources: Iterator[tuple[str, Source]]) -> Iterator[_Job]:
    offset = 0
    for part_id, source in sources:
        key = keys[source.group]
        sealer = suite.body.sealer(key.part_key(part_id), key.part_context(part_id))
        part = Part(
            id=part_id,
            group=source.group,
            media=source.media,
            plain_len=source.size,
            off=offset,
            head=sealer.update(b""),  # salt and commitment come before any data, so the signed header can name them
        )
        offset += part.length
        yield _Job(part=part, stream=source.stream, sealer=sealer)


def _new_key(header: Header, group: str, *, layered: bool) -> GroupKey:
    second = new_group_key() if layered else None
    return GroupKey(suite=header.suite, context=header.context(group), secret=new_group_key(), second=second)


def _group(
    group: str,
    key: GroupKey,
    encrypt_to: Sequence[x509.Certificate],
    tenderer: Quorum | None,
    escrow: Quorum | None,
) -> Group:
    slots = [Slot(cert=fingerprint(each), data=key.suite.wrap(each, key.secret)) for each in encrypt_to]
    if tenderer is not None and key.second is not None:
        slots += deal(key.suite, key.context, SlotRole.TENDERER, key.second, tenderer)
    if escrow is not None:
        slots += deal(key.suite, key.context, SlotRole.ESCROW, key.secret, escrow)
    return Group(id=group, kcb=key.commitment, kct=key.second_commitment, slots=tuple(slots))


def _write_part(
    job: _Job, write: Callable[[bytes | memoryview], None], progress: Callable[[int], object] | None
) -> None:
    plain, sealed = memoryview(bytearray(BATCH * CHUNK)), memoryview(bytearray((BATCH + 1) * SEALED_CHUNK))
    write(job.part.head)
    left = job.part.plain_len
    while left:
        piece = plain[: min(left, len(plain))]
        if fill(job.stream, piece) != len(piece):
            raise SealedBidRefused("source_changed")
        write(sealed[: job.sealer.update_into(piece, sealed)])
        left -= len(piece)
        if progress is not None:
            progress(len(piece))
    if job.stream.read(1):
        raise SealedBidRefused("source_changed")
    write(job.sealer.finalize())
