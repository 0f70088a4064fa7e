"""Asks certification authorities over HTTP whether a certificate was revoked, and remembers what they said.

The addresses come out of certificates, that is from strangers: only those under a prefix that the operator listed
are asked, at an address that is public unless the prefix itself is one, without redirects, within a size and a time.
"""

from __future__ import annotations

import asyncio
import http.client
import logging
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from crypto import crls, ocsp
from crypto.certificates import fingerprint
from crypto.errors import CertificateRefused
from sessions.clock import Clock
from sessions.ports import Answered
from sessions.proofs import Tried

ANSWERED: Final = "answered"
FRESH: Final = timedelta(minutes=5)
"""How long an answer is used without asking again, if it is in date. Afterwards only if nothing newer can be had."""
RESTS: Final = timedelta(seconds=10)
"""How long an address that failed is left alone: a dead responder must not hold up a hundred acts one by one."""
WANTED: Final = timedelta(hours=1)
"""How long an answer that was used is kept fresh ahead of time."""

_AHEAD = timedelta(seconds=30)
_MOST = 4_096
_THREADS = 8
_URLS = 2  # of each kind in one certificate

_log = logging.getLogger(__name__)

Fetch = Callable[[str, bytes | None, int, float], bytes]
"""Address, body of a POST or None for GET, most bytes, seconds: the answer's body, or ``Failed``."""


class Failed(Exception):
    """An address gave nothing; the message is the outcome that evidence records."""


@dataclass(slots=True, kw_only=True)
class _Kept:
    """What an address said last, until when that counts, when it was had, and when somebody last wanted it."""

    url: str
    data: bytes
    until: datetime
    had: datetime
    wanted: datetime
    subject: x509.Certificate
    issuer: x509.Certificate
    lists: bool


class Authorities:
    """A Revocation (sessions.ports) over HTTP. Belongs to one event loop; call ``start`` first and ``close`` last."""

    def __init__(
        self, prefixes: tuple[str, ...], *, clock: Clock, seconds: float, fetch: Fetch | None = None
    ) -> None:
        self._prefixes = prefixes
        self._clock = clock
        self._seconds = seconds
        self._fetch = fetch or Fetcher(prefixes).fetch
        self._kept: dict[tuple[str, bytes], _Kept] = {}
        self._failed: dict[str, Tried] = {}
        self._flying: dict[tuple[str, bytes], asyncio.Task[Tried]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="revocation")
        self._refreshing: asyncio.Task[None] | None = None

    async def ask(self, subject: x509.Certificate, issuer: x509.Certificate, at: datetime) -> Answered:
        """See Revocation. The responder first; the list if there is none, or it is silent."""
        del at  # what is known now is known of then: an answer says since when
        tried: list[Tried] = []
        for url, lists in self._addresses(subject):
            key = (url, b"" if lists else fingerprint(subject))
            now = self._clock.now()
            kept = self._kept.get(key)
            if kept is None or kept.had + FRESH <= now or kept.until <= now:
                tried.append(await self._once(key, url, subject, issuer, lists=lists))
                kept = self._kept.get(key)
            if kept is not None and kept.until > self._clock.now():
                kept.wanted = now
                tried = tried or [Tried(url=url, at=kept.had, outcome=ANSWERED)]
                data = (kept.data,)
                return Answered(crls=data if lists else (), ocsps=() if lists else data, tried=tuple(tried))
        return Answered(tried=tuple(tried))

    def start(self) -> None:
        """Begin to ask again ahead of time for what is used."""
        self._refreshing = asyncio.get_running_loop().create_task(self._refresh(), name="revocation")

    async def close(self) -> None:
        """Stop."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            with suppress(asyncio.CancelledError):
                await self._refreshing
        for task in list(self._flying.values()):
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _addresses(self, subject: x509.Certificate) -> Iterator[tuple[str, bool]]:
        """Yield what the certificate names and the operator allows, and whether it is a list."""
        for url in [url for url in responders(subject) if self._allowed(url)][:_URLS]:
            yield url, False
        for url in [url for url in points(subject) if self._allowed(url)][:_URLS]:
            yield url, True

    def _allowed(self, url: str) -> bool:
        return any(under(prefix, url) for prefix in self._prefixes)

    async def _once(
        self,
        key: tuple[str, bytes],
        url: str,
        subject: x509.Certificate,
        issuer: x509.Certificate,
        *,
        lists: bool,
    ) -> Tried:
        """Ask, or wait for whoever is asking the same; leave an address alone that has just failed."""
        failed = self._failed.get(url)
        if failed is not None and failed.at + RESTS > self._clock.now():
            return failed
        if key not in self._flying:
            task = asyncio.get_running_loop().create_task(self._asked(key, url, subject, issuer, lists=lists))
            self._flying[key] = task
            task.add_done_callback(lambda _: self._flying.pop(key, None))
        return await asyncio.shield(self._flying[key])

    async def _asked(
        self,
        key: tuple[str, bytes],
        url: str,
        subject: x509.Certificate,
        issuer: x509.Certificate,
        *,
        lists: bool,
    ) -> Tried:
        began = self._clock.now()
        run = asyncio.get_running_loop().run_in_executor
        work = run(self._threads, self._look, url, subject, issuer, lists)
        try:
            data, until = await asyncio.wait_for(work, self._seconds * 2)
        except TimeoutError:
            outcome = "timeout"
        except Failed as error:
            outcome = str(error)
        else:
            now = self._clock.now()
            self._failed.pop(url, None)
            self._kept[key] = _Kept(
                url=url, data=data, until=until, had=now, wanted=now, subject=subject, issuer=issuer, lists=lists
            )
            while len(self._kept) > _MOST:
                del self._kept[next(iter(self._kept))]
            return Tried(url=url, at=began, outcome=ANSWERED)
        _log.warning("an authority gave no answer", extra={"url": url, "outcome": outcome})
        self._failed[url] = Tried(url=url, at=began, outcome=outcome)
        return self._failed[url]

    def _look(
        self, url: str, subject: x509.Certificate, issuer: x509.Certificate, lists: bool
    ) -> tuple[bytes, datetime]:
        """Fetch, and keep only what would count: signed by the right one, about this certificate, in date."""
        if lists:
            data = self._fetch(url, None, crls.MAX_LIST, self._seconds)
            return _list(data, issuer, self._clock.now())
        nonce = secrets.token_bytes(ocsp.NONCE)
        data = self._fetch(url, ocsp.ask(subject, issuer, nonce=nonce), ocsp.MAX_ANSWER, self._seconds)
        said = ocsp.about(data, subject, issuer)
        if said is None or said.nonce not in (None, nonce):
            raise Failed("bad_answer")
        if said.until <= self._clock.now():
            raise Failed("out_of_date")
        return data, said.until

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(_AHEAD.total_seconds())
            try:
                await self._renew()
            except Exception:
                _log.exception("what authorities said could not be renewed; the next round tries again")

    async def _renew(self) -> None:
        """Ask again for what is used and ends soon; forget what ended, or was not used for long."""
        now = self._clock.now()
        for key in tuple(self._kept):
            kept = self._kept.get(key)
            if kept is None:  # pushed out while another was asked for
                continue
            if kept.until <= now or kept.wanted + WANTED <= now:
                del self._kept[key]
            elif kept.until - now <= max((kept.until - kept.had) / 5, 2 * _AHEAD):
                await self._once(key, kept.url, kept.subject, kept.issuer, lists=kept.lists)


def _list(data: bytes, issuer: x509.Certificate, now: datetime) -> tuple[bytes, datetime]:
    try:
        parsed = crls.parse_list(data)
    except CertificateRefused as error:
        raise Failed("bad_answer") from error
    if parsed.issuer.public_bytes() != issuer.subject.public_bytes():
        raise Failed("bad_answer")
    until = parsed.next_update_utc
    if until is None or until <= now:
        raise Failed("out_of_date")
    return data, until


def responders(certificate: x509.Certificate) -> Iterator[str]:
    """Yield where the certificate says that a responder answers (RFC 5280 section 4.2.2.1)."""
    with suppress(x509.ExtensionNotFound):
        for each in certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value:
            location = each.access_location
            asks = each.access_method == AuthorityInformationAccessOID.OCSP
            if asks and isinstance(location, x509.UniformResourceIdentifier):
                yield location.value


def points(certificate: x509.Certificate) -> Iterator[str]:
    """Yield where the certificate says that its list is (RFC 5280 section 4.2.1.13)."""
    with suppress(x509.ExtensionNotFound):
        for point in certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value:
            for name in point.full_name or ():
                if isinstance(name, x509.UniformResourceIdentifier):
                    yield name.value


def under(prefix: str, url: str) -> bool:
    """Return whether ``url`` is below ``prefix``: same scheme, host and port, and a path inside its path."""
    try:
        allowed, asked = urlsplit(prefix), urlsplit(url)
        same = (allowed.scheme, allowed.hostname, allowed.port) == (asked.scheme, asked.hostname, asked.port)
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url and not (asked.username or asked.password)
    folder = allowed.path.rstrip("/")
    inside = asked.path == folder or asked.path.startswith(f"{folder}/")
    return same and plain and inside and ".." not in asked.path and asked.scheme in ("http", "https")


class Fetcher:
    """One request at a time in the calling thread: no redirect, no proxy, no cookie, and a checked address."""

    def __init__(self, prefixes: tuple[str, ...]) -> None:
        self._literal = {urlsplit(prefix).hostname for prefix in prefixes if _is_address(urlsplit(prefix).hostname)}

    def fetch(self, url: str, body: bytes | None, most: int, seconds: float) -> bytes:
        """Return the body of a 200; raise ``Failed`` with what happened instead."""
        until = time.monotonic() + seconds
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        try:
            connection = http.client.HTTPConnection(host, port, timeout=seconds)
            connection.sock = self._socket(parts.scheme, host, port, seconds)
            with closing(connection):
                path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                headers = {"Connection": "close", "User-Agent": "kaibiao"}
                if body is not None:
                    headers |= {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}
                connection.request("GET" if body is None else "POST", path, body=body, headers=headers)
                return _body(connection, most, until)
        except TimeoutError as error:
            raise Failed("timeout") from error
        except ssl.SSLError as error:
            raise Failed("bad_tls") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Failed("unreachable") from error

    def _socket(self, scheme: str, host: str, port: int, seconds: float) -> socket.socket:
        """Connect to an address that was looked at: a name cannot lead to one's own network in a second look-up."""
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[:4]:
            if host not in self._literal and not ip_address(str(address[0]).split("%")[0]).is_global:
                raise Failed("private_address")
            plain = socket.socket(family, kind, protocol)
            plain.settimeout(seconds)
            try:
                plain.connect(address)
            except OSError:
                plain.close()
                continue
            return (
                ssl.create_default_context().wrap_socket(plain, server_hostname=host) if scheme == "https" else plain
            )
        raise Failed("unreachable")


def _body(connection: http.client.HTTPConnection, most: int, until: float) -> bytes:
    answer = connection.getresponse()
    if answer.status != 200:
        raise Failed(f"http_{answer.status}")
    pieces, size = [], 0
    while piece := answer.read1(65_536):
        size += len(piece)
        if size > most:
            raise Failed("too_large")
        if time.monotonic() > until:
            raise Failed("timeout")
        pieces.append(piece)
    return b"".join(pieces)


def _is_address(host: str | None) -> bool:
    try:
        ip_address(host or "")
    except ValueError:
        return host == "localhost"
    return True
