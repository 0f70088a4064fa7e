"""C2SP chunked-encryption: the body of every part (FORMAT.md section 3).

Streamable, random access, key-committing. Bulk work goes through ``cryptography.cobblestone``; ranges through our own
reader over the same construction, because the library has none. Both compare the commitment before decrypting a byte.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Protocol

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from crypto.errors import SealedBidRefused

CHUNK: Final = 16_384
TAG: Final = 16
SEALED_CHUNK: Final = CHUNK + TAG
SALT: Final = 24
HEAD: Final = 56
# 64 chunks: one buffer stays in the processor's cache. Measured best of 64 KiB to 4 MiB for one and two processes.
BATCH: Final = 64

Bytes = bytes | bytearray | memoryview


class Sealer(Protocol):
    """Turns plain bytes into one stream, head first."""

    def update_into(self, data: Bytes, buf: Bytes) -> int: ...
    def update(self, data: Bytes) -> bytes: ...
    def finalize(self) -> bytes: ...


class Opener(Protocol):
    """Turns one stream back into plain bytes, chunk by authenticated chunk."""

    def update_into(self, data: Bytes, buf: Bytes) -> int: ...
    def finalize(self) -> bytes: ...


class Cipher(Protocol):
    """The AEAD of one chunk."""

    def decrypt(self, nonce: Bytes, data: Bytes, associated_data: Bytes | None) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """One instantiation of chunked-encryption: its AEAD, its hash and who does the bulk work."""

    aead: bytes
    hash: Callable[[], hashes.HashAlgorithm]
    cipher: Callable[[bytes], Cipher]
    sealer: Callable[[bytes, bytes], Sealer]
    opener: Callable[[bytes, bytes], Opener]


COBBLESTONE_256: Final = Scheme(
    aead=b"AEAD_AES_256_GCM",
    hash=hashes.SHA512,
    cipher=AESGCM,
    sealer=Cobblestone256Encryptor,
    opener=Cobblestone256Decryptor,
)


def sealed_length(plain_len: int) -> int:
    """Return how long the stream of ``plain_len`` plain bytes is; the last chunk is always short, perhaps empty."""
    full, rest = divmod(plain_len, CHUNK)
    return HEAD + full * SEALED_CHUNK + rest + TAG


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkKeys:
    """What one stream is encrypted under. ``commitment`` is public, the rest is not."""

    key: bytes = field(repr=False)
    base_nonce: bytes
    commitment: bytes

    def nonce(self, number: int) -> bytes:
        """Return the nonce of chunk ``number``. The key is new for every stream, so a number never meets it twice."""
        return (int.from_bytes(self.base_nonce, "big") ^ number).to_bytes(12, "big")


def derive(scheme: Scheme, input_key: bytes, salt: bytes, context: bytes) -> ChunkKeys:
    """Return key, base nonce and commitment of the stream that begins with ``salt``."""
    info = b"c2sp.org/chunked-encryption@v1+" + scheme.aead + b"\x00" + salt + context
    okm = HKDFExpand(scheme.hash(), 32 + 12 + 32, info).derive(input_key)
    return ChunkKeys(key=okm[:32], base_nonce=okm[32:44], commitment=okm[44:])


def check_head(scheme: Scheme, input_key: bytes, context: bytes, head: bytes) -> ChunkKeys:
    """Return the stream's keys if ``input_key`` is the one its first 56 bytes commit to."""
    keys = derive(scheme, input_key, head[:SALT], context)
    if len(head) != HEAD or not hmac.compare_digest(keys.commitment, head[SALT:]):
        raise SealedBidRefused("commitment_mismatch")
    return keys


def open_stream(
    scheme: Scheme,
    source: BinaryIO,
    length: int,
    input_key: bytes,
    context: bytes,
    *,
    write: Callable[[memoryview], object],
    read: Callable[[memoryview], object] | None = None,
) -> None:
    """Decrypt the ``length`` stream bytes at ``source``'s position, giving plain pieces to ``write``.

    What ``write`` gets is authenticated, but only the return says that it is all: until then treat the output as
    incomplete. It must be done with a piece when it returns. ``read`` sees the sealed bytes, for whoever hashes them
    on the way; each piece stays untouched until its next call returns, so a thread may have it (``digest.Behind``).
    """
    chunks = min(BATCH, 1 + length // SEALED_CHUNK)
    sealed, spare = memoryview(bytearray(chunks * SEALED_CHUNK)), memoryview(bytearray(chunks * SEALED_CHUNK))
    plain = memoryview(bytearray(chunks * CHUNK))
    head = sealed[:HEAD]
    if length < HEAD + TAG or fill(source, head) != HEAD:
        raise SealedBidRefused("damaged_part")
    check_head(scheme, input_key, context, bytes(head))
    if read is not None:
        read(head)
    opener = scheme.opener(input_key, context)
    left = length - HEAD
    try:
        opener.update_into(head, plain)
        while left:
            sealed, spare = spare, sealed
            piece = sealed[: min(left, len(sealed))]
            if fill(source, piece) != len(piece):
                raise SealedBidRefused("damaged_part")
            left -= len(piece)
            if read is not None:
                read(piece)
            if size := opener.update_into(piece, plain):
                write(plain[:size])
        if last := opener.finalize():
            write(memoryview(last))
    except InvalidTag as error:
        raise SealedBidRefused("damaged_part") from error


def fill(source: BinaryIO, buffer: memoryview) -> int:
    """Read into ``buffer`` until it is full or the source ends; return how much was read."""
    done = 0
    readinto = source.readinto  # type: ignore[attr-defined]  # every binary file has it, BinaryIO forgot
    while done < len(buffer) and (size := readinto(buffer[done:])):
        done += size
    return done


class RangeReader:
    """Any range of one part, decrypting only the chunks it touches.

    Every byte returned is authenticated at its place. Only the last byte shows that the part is complete.
    """

    def __init__(self, scheme: Scheme, source: BinaryIO, start: int, plain_len: int, keys: ChunkKeys) -> None:
        """``start`` is where the stream's head stands in ``source``; ``keys`` come from ``check_head``."""
        self.plain_len = plain_len
        self._source = source
        self._body = start + HEAD
        self._keys = keys
        self._cipher = scheme.cipher(keys.key)

    def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` plain bytes from ``offset``; fewer only at the end."""
        if offset < 0 or size < 0:
            raise ValueError("a range cannot be negative")
        end = min(offset + size, self.plain_len)
        if offset >= end:
            return b""
        first, last = offset // CHUNK, (end - 1) // CHUNK
        plain = b"".join(self._chunk(number) for number in range(first, last + 1))
        return plain[offset - first * CHUNK : end - first * CHUNK]

    def check_end(self) -> None:
        """Raise unless the last chunk authenticates, which proves the part's length."""
        self._chunk(self.plain_len // CHUNK)

    def _chunk(self, number: int) -> bytes:
        size = min(CHUNK, self.plain_len - number * CHUNK) + TAG
        self._source.seek(self._body + number * SEALED_CHUNK)
        sealed = self._source.read(size)
        try:
            if len(sealed) != size:
                raise SealedBidRefused("damaged_part")
            return self._cipher.decrypt(self._keys.nonce(number), sealed, None)
        except InvalidTag as error:
            raise SealedBidRefused("damaged_part") from error
