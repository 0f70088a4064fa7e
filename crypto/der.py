"""Just enough DER (X.690) for key slots and declarations: build it, and read it strictly.

Our own because every structure here is fixed and small. The reader takes definite, minimal lengths and one-byte tags
only, never recurses by itself, and so has no depth to attack: a caller goes as deep as its own structure does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

SEQUENCE: Final = 0x30
SET: Final = 0x31
BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BITS: Final = 0x03
OCTETS: Final = 0x04
NULL: Final = 0x05
OID: Final = 0x06


class NotDer(ValueError):
    """Not strict DER, or not the structure that was expected. Callers turn it into their own refusal."""


def tlv(tag: int, *parts: bytes) -> bytes:
    """Return one value: tag, minimal length, content."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + body


def sequence(*parts: bytes) -> bytes:
    """Return a SEQUENCE."""
    return tlv(SEQUENCE, *parts)


def set_of(parts: Iterable[bytes], tag: int = SET) -> bytes:
    """Return a SET OF, in the ascending order that DER asks for (X.690 section 11.6)."""
    return tlv(tag, *sorted(parts))


def integer(value: int) -> bytes:
    """Return a non-negative INTEGER."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(data: bytes) -> bytes:
    """Return an OCTET STRING."""
    return tlv(OCTETS, data)


def oid(dotted: str) -> bytes:
    """Return an OBJECT IDENTIFIER."""
    first, second, *rest = map(int, dotted.split("."))
    return tlv(OID, b"".join(_base128(arc) for arc in (40 * first + second, *rest)))


def _base128(arc: int) -> bytes:
    digits = [arc & 0x7F]
    while arc := arc >> 7:
        digits.append(0x80 | arc & 0x7F)
    return bytes(reversed(digits))


@dataclass(frozen=True, slots=True)
class Value:
    """One encoded value: its tag, its content, and all of its bytes."""

    tag: int
    body: bytes
    whole: bytes


class Fields:
    """The values inside a constructed one, taken in order; ``end`` when there must be no more."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def next_tag(self) -> int | None:
        """Return the tag of the value to come, if there is one."""
        return self._data[self._at] if self else None

    def take(self, tag: int) -> Value:
        """Return the next value, which must have ``tag``."""
        if self.next_tag() != tag:
            raise NotDer("another value was expected")
        return self.any()

    def any(self) -> Value:
        """Return the next value, whatever it is."""
        data, at = self._data, self._at
        if at + 2 > len(data) or data[at] & 0x1F == 0x1F:
            raise NotDer("cut short, or a long tag")
        size, start = data[at + 1], at + 2
        if size >= 0x80:
            width = size & 0x7F
            start += width
            size = int.from_bytes(data[at + 2 : start], "big")
            if not 1 <= width <= 4 or size < 0x80 or size >> 8 * (width - 1) == 0:
                raise NotDer("length is indefinite or not minimal")
        self._at = start + size
        if self._at > len(data):
            raise NotDer("cut short")
        return Value(data[at], data[start : self._at], data[at : self._at])

    def into(self, tag: int) -> "Fields":
        """Return the fields of the next value, which must have ``tag``."""
        return Fields(self.take(tag).body)

    def expect(self, encoded: bytes) -> None:
        """Take one value that must be exactly these bytes."""
        if self.any().whole != encoded:
            raise NotDer("another value was expected")

    def small_integer(self) -> int:
        """Return the next value as a small non-negative integer."""
        body = self.take(INTEGER).body
        if len(body) != 1 or body[0] > 0x7F:
            raise NotDer("integer out of range")
        return body[0]

    def end(self) -> None:
        """Refuse anything that is left."""
        if self:
            raise NotDer("something follows")


def one(data: bytes, tag: int) -> Fields:
    """Return the fields of the single value that ``data`` must be."""
    outer = Fields(data)
    inner = outer.into(tag)
    outer.end()
    return inner


def whole_bits(value: Value) -> bytes:
    """Return the content of a BIT STRING of whole bytes, as signatures and keys are."""
    if value.tag != BITS or value.body[:1] != b"\x00":
        raise NotDer("a bit string of whole bytes was expected")
    return value.body[1:]


def check_signed(data: bytes) -> None:
    """Raise unless ``data`` is ``SEQUENCE { body, algorithm, signature ... }`` with a signature of whole bytes."""
    fields = one(data, SEQUENCE)
    fields.any()
    fields.any()
    whole_bits(fields.any())
