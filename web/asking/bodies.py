"""The one place where a request's body becomes data: nothing is parsed that two readers could read differently.

Order matters: bytes are counted before they are kept, brackets before they are parsed, and text is looked at last.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from crypto.encoding import parse_strict
from crypto.errors import EncodingRefused
from web.answers.problems import Problem

COMMAND_LIMIT = 65_536
"""Bytes of a command's body, and of every other one that names no limit of its own."""

PATIENCE = 10.0
"""Seconds for a small body to arrive: a reader that dribbles holds a connection for nobody's good."""

_FORM = "application/x-www-form-urlencoded"

# C0 and C1 controls but tab and line feed; marks, embeddings, overrides and isolates that turn the writing direction
# (UAX 9 section 2), with which a name can be made to read as another; line and paragraph separators.
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


async def read_object(request: Request, *, limit: int = COMMAND_LIMIT) -> dict[str, Any]:
    """Return the JSON object in the request's body.

    Raises:
        Problem: ``wrong_media_type``, ``too_large``, ``too_slow``, ``malformed_json`` or ``malformed_text``.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise Problem("wrong_media_type")
    return parse_object(await read_bytes(request, limit=limit), limit=limit)


async def read_bytes(request: Request, *, limit: int, patience: float = PATIENCE) -> bytes:
    """Return the whole body, at most ``limit`` bytes that arrive within ``patience`` seconds."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("wrong_media_type")
    data = bytearray()
    try:
        async with asyncio.timeout(patience):
            async for chunk in limited(request, limit=limit):
                data += chunk
    except TimeoutError:
        raise Problem("too_slow") from None
    return bytes(data)


async def limited(request: Request, *, limit: int) -> AsyncIterator[bytes]:
    """Yield the body as it arrives, and refuse it as soon as it says or shows that it is over ``limit`` bytes."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and (len(announced) > 16 or int(announced) > limit):
        raise Problem("too_large")
    seen = 0
    async for chunk in request.stream():
        seen += len(chunk)
        if seen > limit:
            raise Problem("too_large")
        if chunk:
            yield chunk


async def read_form(request: Request, *, limit: int, most: int) -> dict[str, str]:
    """Return the fields of a page's form, at most ``most`` of them, in NFC. What a text holds, the caller judges.

    Raises:
        Problem: ``wrong_media_type``, ``too_large``, ``too_slow`` or ``malformed_request``.
    """
    if not is_form(request):
        raise Problem("wrong_media_type")
    data = await read_bytes(request, limit=limit)
    try:
        pairs = parse_qsl(data.decode("ascii"), keep_blank_values=True, max_num_fields=most, errors="strict")
    except ValueError:
        raise Problem("malformed_request", detail="form") from None
    return {name: unicodedata.normalize("NFC", value) for name, value in pairs}


def is_form(request: Request) -> bool:
    """Return whether the body is what a page's form sends without scripts."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower() == _FORM


def is_plain(text: str) -> bool:
    """Return whether ``text`` is free of control characters and of characters that turn the writing direction."""
    return not _UNWANTED.search(text)


def parse_object(data: bytes, *, limit: int = COMMAND_LIMIT) -> dict[str, Any]:
    """Return the JSON object in ``data`` with every text in NFC, so that what looks alike is alike."""
    try:
        value = parse_strict(data, limit=limit)
    except EncodingRefused as refused:
        raise Problem("too_large" if refused.code == "too_large" else "malformed_json") from None
    if not isinstance(value, dict):
        raise Problem("malformed_json")
    return {_text(name): _clean(member) for name, member in value.items()}


def _clean(value: Any) -> Any:
    match value:
        case str():
            return _text(value)
        case list():
            return [_clean(item) for item in value]
        case dict():
            return {_text(name): _clean(item) for name, item in value.items()}
        case _:
            return value


def _text(text: str) -> str:
    if _UNWANTED.search(text):
        raise Problem("malformed_text")
    return unicodedata.normalize("NFC", text)
