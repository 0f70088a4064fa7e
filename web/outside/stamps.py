"""Timestamp authorities as the operator lists them, and the way to them over HTTP."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from crypto.certificates import parse_certificate
from crypto.errors import CertificateRefused
from sessions.outside.stamping import TimestampAuthority, Unreachable

_SECONDS: Final = 10.0
_MEMBERS: Final = {"name", "url", "anchor"}


class AuthoritiesRefused(Exception):
    """The file of authorities cannot be what it says."""

    hint = "docs/settings.md, `timestamps_file`: [[authority]] with name, url and anchor (a certificate file)"


def read_authorities(path: Path) -> tuple[TimestampAuthority, ...]:
    """Return the authorities in the TOML file ``path``; ``anchor`` is a path beside it. None if there is no file.

    Raises:
        AuthoritiesRefused: and why.
    """
    try:
        listed = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AuthoritiesRefused(f"{path}: {error}") from None
    entries = listed.get("authority")
    if listed.keys() != {"authority"} or not isinstance(entries, list):
        raise AuthoritiesRefused(f"{path}: it lists authorities, [[authority]], and nothing else")
    found = tuple(_authority(path, entry) for entry in entries)
    if len({each.name for each in found}) != len(found):
        raise AuthoritiesRefused(f"{path}: two authorities have one name")
    return found


def _authority(path: Path, entry: Any) -> TimestampAuthority:
    if not isinstance(entry, dict) or entry.keys() != _MEMBERS or not all(isinstance(v, str) for v in entry.values()):
        raise AuthoritiesRefused(f"{path}: an authority has name, url and anchor")
    name, url = entry["name"].strip(), urlsplit(entry["url"])
    if not name or len(name) > 128 or url.scheme not in ("http", "https") or not url.hostname:
        raise AuthoritiesRefused(f"{path}: {entry['name']!r} needs a name and an http(s) address")
    anchor = path.parent / entry["anchor"]
    try:
        certificate = parse_certificate(anchor.read_bytes())
    except (OSError, CertificateRefused) as error:
        raise AuthoritiesRefused(f"{anchor}: {error}") from None
    if certificate.issuer != certificate.subject:
        raise AuthoritiesRefused(f"{anchor}: an anchor is a self-signed root, not a certificate below one")
    return TimestampAuthority(name=name, url=entry["url"], anchor=certificate)


async def post(url: str, body: bytes, *, media: str, limit: int) -> bytes:
    """Post over HTTP (sessions.outside.stamping.Post). No redirect is followed: the operator named who answers."""
    try:
        async with asyncio.timeout(_SECONDS), httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as client:
            return await _answer(client, url, body, media, limit)
    except TimeoutError as error:
        raise Unreachable(f"no answer in {_SECONDS:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(str(error) or type(error).__name__) from error


async def _answer(client: httpx.AsyncClient, url: str, body: bytes, media: str, limit: int) -> bytes:
    async with client.stream("POST", url, content=body, headers={"content-type": media}) as answer:
        if answer.status_code != httpx.codes.OK:
            raise Unreachable(f"answered {answer.status_code}")
        content = bytearray()
        async for piece in answer.aiter_bytes(limit):
            content += piece
            if len(content) > limit:
                raise Unreachable(f"answered more than {limit} bytes")
        return bytes(content)
