"""The headers of a resumable upload (tus 1.0.0: core, creation, termination). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from web.answers.problems import Problem

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,termination"
CONTENT: Final = "application/offset+octet-stream"

_DIGITS: Final = 16  # 2^53 - 1 has as many; a longer number is a lie or a mistake


def check_version(headers: Mapping[str, str]) -> None:
    """Raise unless the client speaks our version (tus 1.0.0, Tus-Resumable)."""
    if headers.get("tus-resumable") != VERSION:
        raise Problem("wrong_tus_version")


def length(headers: Mapping[str, str], limit: int) -> int:
    """Return the announced length of a new upload, 1 to ``limit`` bytes. It can never be changed later."""
    if "upload-defer-length" in headers or "upload-concat" in headers:
        raise Problem("malformed_request", detail="neither deferred length nor concatenation is supported")
    size = _number(headers, "upload-length")
    if size > limit:
        raise Problem("too_large_bid", limit=limit)
    if size == 0:
        raise Problem("malformed_request", detail="upload-length")
    return size


def offset(headers: Mapping[str, str]) -> int:
    """Return where the bytes of a PATCH begin; raise unless they come as bytes of an upload."""
    if headers.get("content-type") != CONTENT or headers.get("content-encoding", "identity") != "identity":
        raise Problem("wrong_media_type")
    return _number(headers, "upload-offset")


def response_headers(**more: object) -> dict[str, str]:
    """Return the headers of every answer about uploads: ``upload_offset=5`` becomes ``Upload-Offset: 5``."""
    named = {name.replace("_", "-").title(): str(value) for name, value in more.items()}
    return {"Tus-Resumable": VERSION, **named}


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name, "")
    if not (text.isascii() and text.isdigit()):
        raise Problem("malformed_request", detail=name)
    if len(text) > _DIGITS:
        raise Problem("too_large_bid" if name == "upload-length" else "malformed_request", detail=name)
    return int(text)
