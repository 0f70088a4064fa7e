"""The one encoding of everything that is hashed or signed (FORMAT.md section 0)."""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NoReturn

import rfc8785

from crypto.errors import EncodingRefused

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 16
MAX_TEXT = 128

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})")
_HEX = re.compile(r"(?:[0-9a-f]{2})*")
_MANY_DIGITS = re.compile(rb'":-?[0-9]{16}')  # as many as MAX_INTEGER has, where the number of a member may begin
_MANY_LISTED = re.compile(rb"[,\[]-?[0-9]{16}")  # and where that in a list may; four times as dear
_B64U = re.compile(r"[A-Za-z0-9_-]*")
_MOMENTS = (
    re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"),
    re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"),
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_FOUR_BYTES = tuple(bytes([byte]) for byte in range(0xF0, 0xF5))
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?')
_WRITER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
"""Five times as fast as writing by RFC 8785's own rules, and a log has tens of thousands of lines.

It writes RFC 8785 as long as nothing is a float, but for the order of names beyond the Basic Multilingual Plane,
which UTF-16 puts before others: four bytes in UTF-8.
"""


def canonical(value: object) -> bytes:
    """Return ``value`` as RFC 8785 JSON.

    Takes mappings with string keys, lists, tuples, strings, booleans, None and integers up to 2^53 - 1. Floats are
    refused: two languages print them differently often enough, and money is a decimal string.
    """
    plain = _plain(value, 1)
    try:
        data = _WRITER.encode(plain).encode("utf-8")
        return rfc8785.dumps(plain) if _is_beyond_the_bmp(data) else data
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise EncodingRefused("malformed_json", detail="not representable") from error


def _plain(value: object, depth: int) -> Any:
    kind = type(value)
    if kind is str or value is None or kind is bool:  # nearly everything; the rest looks more closely
        return value
    match value:
        case None | bool() | str():
            return value
        case int():
            if abs(value) > MAX_INTEGER:
                raise EncodingRefused("malformed_json", detail="not representable")
            return int(value)
        case dict() | list() | tuple() | Mapping() if depth > MAX_DEPTH:
            raise EncodingRefused("malformed_json", detail="nested too deeply")
        case dict() | Mapping():
            if not all(isinstance(key, str) for key in value):
                raise EncodingRefused("malformed_json", detail="member names are strings")
            return {str(key): item if type(item) is str else _plain(item, depth + 1) for key, item in value.items()}
        case list() | tuple():
            return [item if type(item) is str else _plain(item, depth + 1) for item in value]
        case _:
            raise EncodingRefused("malformed_json", detail=f"{type(value).__name__} has no canonical form")


def parse_strict(data: bytes, *, limit: int = 65_536) -> Any:
    """Return the JSON value in ``data``; refuse what two parsers might read differently and over ``limit`` bytes."""
    if len(data) > limit:
        raise EncodingRefused("too_large", detail=f"over {limit} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EncodingRefused("malformed_json", detail="not UTF-8") from error
    _check_depth(text)
    try:
        value = _READER.decode(text)
        # json accepts "\ud800"; encoding what it made is the shortest proof that no half of a pair is left.
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise EncodingRefused("malformed_json") from error
    return value


def parse_canonical(data: bytes, *, limit: int = 65_536) -> Any:
    """Return the JSON value in ``data``, which must be the canonical bytes of that value."""
    if (plain := _parse_plain(data, limit)) is not None:
        return plain
    value = parse_strict(data, limit=limit)
    if not _is_plainly_canonical(value, data) and canonical(value) != data:
        raise EncodingRefused("not_canonical")
    return value


def _parse_plain(data: bytes, limit: int) -> Any:
    """Return the value of the plainest canonical bytes; None for all others, of which ``parse_strict`` knows more.

    Twice as fast, and tens of thousands of lines are of this kind: objects in ASCII without an escape, with few
    brackets, and no number of so many digits that it might be too great. What is written again just as it was read
    has no member twice or out of order, no white space, no ``-0``; a float is refused as it is read.
    """
    if len(data) > limit or data[:1] != b"{" or not data.isascii() or b"\\" in data:
        return None
    lists = data.count(b"[")
    if lists + data.count(b"{") > MAX_DEPTH or _MANY_DIGITS.search(data) or (lists and _MANY_LISTED.search(data)):
        return None
    text = data.decode("ascii")
    try:
        value = _PLAIN_READER.decode(text)
    except ValueError:
        return None
    return value if _WRITER.encode(value) == text else None


def _is_plainly_canonical(value: object, data: bytes) -> bool:
    """Whether ``data`` is what the standard library writes, where that is RFC 8785."""
    return not _is_beyond_the_bmp(data) and _WRITER.encode(value).encode("utf-8") == data


def _is_beyond_the_bmp(data: bytes) -> bool:
    return not data.isascii() and any(byte in data for byte in _FOUR_BYTES)


def _check_depth(text: str) -> None:
    # Before parsing: the parser recurses, and a bomb of brackets must cost nothing.
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for character in re.sub(r"[^\[\]{}]", "", _STRING.sub("", text)):
        depth += 1 if character in "[{" else -1
        if depth > MAX_DEPTH:
            raise EncodingRefused("malformed_json", detail="nested too deeply")


def _members(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError("a member occurs twice")
        members[name] = value
    return members


def _integer(digits: str) -> int:
    if digits == "-0" or not _NUMBER.fullmatch(digits) or abs(int(digits)) > MAX_INTEGER:
        raise ValueError("integer out of range")
    return int(digits)


def _refuse_number(_: str) -> NoReturn:
    raise ValueError("only integers are numbers here")


_READER = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_refuse_number, parse_constant=_refuse_number
)
_PLAIN_READER = json.JSONDecoder(parse_float=_refuse_number, parse_constant=_refuse_number)


def lv(data: bytes | str) -> bytes:
    """Return the u16 length of ``data`` and ``data``; strings as UTF-8."""
    try:
        raw = data.encode("utf-8") if isinstance(data, str) else data
    except UnicodeEncodeError as error:
        raise EncodingRefused("malformed_field", detail="not Unicode text") from error
    if len(raw) > 0xFFFF:
        raise EncodingRefused("too_large", detail="over 65535 bytes")
    return len(raw).to_bytes(2, "big") + raw


def b64u(data: bytes) -> str:
    """Return base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64u(text: object) -> bytes:
    """Return the bytes of unpadded base64url; refuse padding, white space and loose trailing bits."""
    if not isinstance(text, str) or not _B64U.fullmatch(text):
        raise EncodingRefused("malformed_field", detail="not base64url")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise EncodingRefused("malformed_field", detail="not base64url") from error
    if b64u(data) != text:
        raise EncodingRefused("malformed_field", detail="not canonical base64url")
    return data


def unhex(text: object, size: int | None = None) -> bytes:
    """Return the bytes of lower-case hex, exactly ``size`` of them if given."""
    if not isinstance(text, str) or not _HEX.fullmatch(text) or (size is not None and len(text) != 2 * size):
        raise EncodingRefused("malformed_field", detail="not lower-case hex of the right length")
    return bytes.fromhex(text)


def check_identifier(text: object) -> str:
    """Return ``text`` if it may name a tender, lot, bidder or session; never normalises."""
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_TEXT or _CONTROL.search(text):
        raise EncodingRefused("malformed_field", detail="not an identifier")
    lv(text)
    return text


def check_integer(value: object, low: int = 0, high: int = MAX_INTEGER) -> int:
    """Return ``value`` if it is an integer (and no boolean) from ``low`` to ``high``."""
    if type(value) is not int or not low <= value <= high:
        raise EncodingRefused("malformed_field", detail="not an integer in range")
    return value


def check_moment(text: object, *, milliseconds: bool = False) -> str:
    """Return ``text`` if it is a UTC moment: ``2026-11-21T01:00:00Z``, or with exactly three decimals."""
    if not isinstance(text, str) or not _MOMENTS[milliseconds].fullmatch(text):
        raise EncodingRefused("malformed_field", detail="not a UTC moment")
    try:
        datetime.strptime(text[:19] + "+0000", "%Y-%m-%dT%H:%M:%S%z")
    except ValueError as error:
        raise EncodingRefused("malformed_field", detail="no such moment") from error
    return text


def exactly(value: object, names: Iterable[str]) -> Mapping[str, Any]:
    """Return ``value`` if it is an object with these members and no others."""
    if not isinstance(value, dict) or value.keys() != set(names):
        raise EncodingRefused("malformed_field", detail="members are not the specified ones")
    return value
