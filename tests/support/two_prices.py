"""The attack the commitments are there for: one AES-GCM ciphertext that is valid under two keys.

Block 0 reads as the first text under the first key, block 1 as the second text under the second key, and block 2 is
chosen so that both tags agree. A bidder who may pick the key after hearing the other prices picks the price.
"""

import os
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_REDUCTION = 0xE1 << 120  # x^128 + x^7 + x^2 + x + 1 in GCM's reflected bits (SP 800-38D section 6.3)


def _times(a: int, b: int) -> int:
    product = 0
    for place in range(127, -1, -1):
        if a >> place & 1:
            product ^= b
        b = b >> 1 ^ (_REDUCTION if b & 1 else 0)
    return product


def _power(a: int, exponent: int) -> int:
    result = 1 << 127
    while exponent:
        if exponent & 1:
            result = _times(result, a)
        a, exponent = _times(a, a), exponent >> 1
    return result


def _block(key: bytes, data: bytes) -> int:
    return int.from_bytes(Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(data), "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoPrices:
    ciphertext: bytes
    keys: tuple[bytes, bytes]
    nonces: tuple[bytes, bytes]
    texts: tuple[bytes, bytes]


def two_price_ciphertext(
    texts: tuple[bytes, bytes],
    keys: tuple[bytes, bytes] | None = None,
    nonces: tuple[bytes, bytes] | None = None,
) -> TwoPrices:
    """Return 48 bytes and one tag that AES-256-GCM accepts under both keys; ``texts`` have up to 16 bytes."""
    keys = keys or (os.urandom(32), os.urandom(32))
    nonces = nonces or (bytes(12), bytes(12))
    first, second = (text.ljust(16) for text in texts)

    def stream(which: int, number: int) -> int:
        return _block(keys[which], nonces[which] + number.to_bytes(4, "big"))

    c1 = int.from_bytes(first, "big") ^ stream(0, 2)
    c2 = int.from_bytes(second, "big") ^ stream(1, 3)
    h, g = (_block(key, bytes(16)) for key in keys)
    lengths = 48 * 8
    known = _times(c1, _power(h, 4) ^ _power(g, 4)) ^ _times(c2, _power(h, 3) ^ _power(g, 3))
    known ^= _times(lengths, h ^ g) ^ stream(0, 1) ^ stream(1, 1)
    c3 = _times(known, _power(_power(h, 2) ^ _power(g, 2), 2**128 - 2))
    blocks = b"".join(block.to_bytes(16, "big") for block in (c1, c2, c3))
    keystream = b"".join(stream(0, number).to_bytes(16, "big") for number in (2, 3, 4))
    plain = bytes(a ^ b for a, b in zip(blocks, keystream, strict=True))
    sealed = AESGCM(keys[0]).encrypt(nonces[0], plain, None)
    return TwoPrices(ciphertext=sealed, keys=keys, nonces=nonces, texts=texts)
