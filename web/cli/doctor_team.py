"""What ``kaibiao doctor`` finds around the hall: proxy, certificates, descriptors, and what witnesses hold."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from crypto.certificates import parse_certificate
from crypto.encoding import unb64u
from crypto.errors import CryptoRefused
from crypto.signing import HallPublicKey
from sessions.backup.checking import Kept
from sessions.clock import Clock, SystemClock
from sessions.keys import keyfiles
from sessions.keys.hallkey import HALL, HallKeys, KeysBroken, kid_in
from sessions.ports import Summary
from sessions.store.checkpoints import SqlCheckpoints
from sessions.store.database import Database
from sessions.store.events import SqlEvents
from sessions.store.intake import SqlIntake
from sessions.watch.steady import LIMIT
from web.bootstrap import blobs
from web.cli.finding import Finding
from web.cli.outside import newer_outside
from web.settings import Settings
from web.sntp import ask, read_source

SOON: Final = timedelta(days=30)
"""A certificate that ends within it is to be renewed: authorities take days."""

SPARE: Final = 1000
"""Descriptors beside those of the readers: uploads, the database, the proxies' connections that are kept."""

_SECONDS: Final = 3.0


def proxy(settings: Settings) -> Finding:
    """Look whether people reach the hall over TLS, and whether the hall knows who they are behind the proxy."""
    about, host = "Proxy", settings.host
    open_to_all = not _loopback(host)
    if not settings.secure:
        if open_to_all and not settings.rehearsal_allowed:
            fix = "Put nginx or Caddy in front (deploy/), set public_url to https://NAME and host to 127.0.0.1."
            return Finding(about=about, found=f"the hall listens on {host} without TLS", fix=fix)
        return Finding(about=about, found="none: the hall is for this machine")
    if not settings.trusted_proxies:
        fix = 'Set trusted_proxies = ["127.0.0.1"], or the network of the proxy: else everybody counts as one reader.'
        return Finding(about=about, found="the hall believes no proxy", fix=fix)
    wide = [str(network) for network in settings.trusted_proxies if network.num_addresses > 65_536]
    if wide:
        fix = "Name only the proxies' own addresses: whoever is in there can pretend to be anybody."
        return Finding(about=about, found=f"{', '.join(wide)} is believed whatever it says", fix=fix)
    return Finding(about=about, found=f"believed: {', '.join(map(str, settings.trusted_proxies))}")


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def tls(settings: Settings, now: datetime) -> Finding | None:
    """Look at the certificate that people are shown, as they are shown it; None without one."""
    address = urlsplit(settings.origin)
    if not settings.secure or address.hostname is None:
        return None
    about, name = "TLS", address.hostname
    try:
        ends = await asyncio.to_thread(_shown, name, address.port or 443)
    except ssl.SSLCertVerificationError as error:
        fix = "Let the proxy show a certificate for this name by an authority that browsers know."
        return Finding(about=about, found=f"{name}: {error.verify_message}", fix=fix)
    except OSError as error:
        fix = f"Start the proxy, and let {name} lead to it."
        return Finding(about=about, found=f"{settings.origin} does not answer ({type(error).__name__})", fix=fix)
    fix = f"Renew the certificate of {name}." if ends - now < SOON / 2 else ""
    return Finding(about=about, found=f"{name}, until {ends:%Y-%m-%d}", fix=fix)


def _shown(name: str, port: int) -> datetime:
    with (
        socket.create_connection((name, port), timeout=_SECONDS) as plain,
        ssl.create_default_context().wrap_socket(plain, server_hostname=name) as shown,
    ):
        certificate = shown.getpeercert()
    assert certificate is not None  # it was verified
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)


def readers(limit: int, settings: Settings) -> Finding:
    """Look whether a process may hold as many connections as it would take readers."""
    need = settings.max_watchers + SPARE
    return Finding(
        about="Readers",
        found=f"{settings.max_watchers} at most, with {limit} descriptors",
        fix=""
        if limit >= need or settings.rehearsal_allowed
        else f"Raise the limit (LimitNOFILE) to {need}, or lower max_watchers to {max(limit - SPARE, 100)}.",
    )


async def clock_sources(settings: Settings, clock: Clock) -> list[Finding]:
    """Ask every time server: openings announced here record at T0 how far they were from the hall's clock."""
    about, found = "Clock sources", []
    for name in settings.clock_sources:
        try:
            said = await ask(read_source(name), clock)
        except (OSError, TimeoutError) as error:
            fix = "Correct clock_sources, or let its answers through (UDP 123)."
            found.append(Finding(about=about, found=f"{name} does not answer ({type(error).__name__})", fix=fix))
            continue
        away = f"{name} is {said.offset.total_seconds():+.3f} s away, to {said.uncertainty.total_seconds():.3f} s"
        wrong = abs(said.offset) - said.uncertainty > LIMIT
        fix = "Let a time service (chrony) set this machine's clock before you serve." if wrong else ""
        found.append(Finding(about=about, found=away, fix=fix))
    return found or [Finding(about=about, found="none named: nobody outside says how this clock stands")]


async def bus(settings: Settings) -> Finding:
    """Look whether the workers can ring each other: without it each hears of the others' facts a second later."""
    about = "Bus"
    if not settings.bus_url:
        own = "PostgreSQL rings" if settings.team else "one process rings itself"
        return Finding(about=about, found=own)
    from redis.asyncio import Redis  # of the extra `team`, which only a hall with a bus_url needs

    where = urlsplit(settings.bus_url)
    place = f"{where.hostname}:{where.port or 6379}" if where.hostname else where.path
    server = Redis.from_url(settings.bus_url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)
    try:
        await server.ping()
    except Exception as error:  # its text may have the password in it
        fix = "Start Redis, or correct bus_url. It keeps nothing that could be lost."
        return Finding(about=about, found=f"{place} does not answer ({type(error).__name__})", fix=fix)
    finally:
        await server.aclose()
    return Finding(about=about, found=f"{place} answers")


async def about_openings(settings: Settings, now: datetime) -> AsyncIterator[Finding]:
    """Yield what stands against the openings to come: keys that are missing, officers whose certificates end."""
    database = Database(settings.database)
    try:
        events = SqlEvents(database)
        summaries = [one for one in await events.calendar() if one.ended_at is None]
        for finding in (_hall_keys(settings, summaries), _officers(summaries, now)):
            yield finding
        if not keyfiles.numbered(settings.data_dir, HALL):
            return  # _hall_keys says so; asking for them would make new ones
        with suppress(KeysBroken):
            yield await _outside(settings, database, summaries, HallKeys.in_folder(settings.data_dir).public)
    finally:
        await database.close()


def _hall_keys(settings: Settings, summaries: Sequence[Summary]) -> Finding:
    """Look whether every opening has its key: after a restore they may be missing."""
    about, wanted = "Hall keys", {kid for one in summaries if (kid := kid_in(one.plan)) is not None}
    there: set[str] = set()
    if keyfiles.numbered(settings.data_dir, HALL):
        with suppress(KeysBroken):  # web.cli.doctor_secrets tells that
            there = {key.kid for key in HallKeys.in_folder(settings.data_dir).public}
    if missing := wanted - there:
        fix = f"Put hall-key*.pem and hall-key*.jws from the backup into {settings.data_dir.absolute()}."
        return Finding(about=about, found=f"{len(missing)} that openings were announced under are missing", fix=fix)
    return Finding(about=about, found=f"here, for {len(summaries)} openings")


def _officers(summaries: Sequence[Summary], now: datetime) -> Finding:
    """Look whether every officer's certificate lasts until the day: an expired one removes no lock."""
    ending = sorted(
        f"{name} ({one.session}, until {certificate.not_valid_after_utc:%Y-%m-%d})"
        for one in summaries
        for name, certificate in _holders(one)
        if certificate.not_valid_after_utc < max(one.t0, now) + timedelta(days=1)
    )
    count = len({name for one in summaries for name, _ in _holders(one)})
    if ending:
        fix = "Postpone, or announce the opening anew with certificates that last: a lock keeps the ones it names."
        return Finding(about="Officers", found=f"ending too early: {', '.join(ending)}", fix=fix)
    return Finding(about="Officers", found=f"{count} hold locks, with certificates that last")


def _holders(summary: Summary) -> Iterator[tuple[str, x509.Certificate]]:
    locks = summary.plan.get("locks")
    for lock in locks if isinstance(locks, list) else ():
        for officer in lock["officers"]:
            with suppress(CryptoRefused, KeyError):
                yield str(officer["name"]), parse_certificate(unb64u(officer["certificate"]))


async def _outside(
    settings: Settings, database: Database, summaries: Sequence[Summary], keys: Sequence[HallPublicKey]
) -> Finding:
    """Ask the witnesses how far they saw the openings: whoever restored a backup must not fork the log."""
    kept = Kept(
        events=SqlEvents(database),
        intake=SqlIntake(database),
        checkpoints=SqlCheckpoints(database),
        blobs=blobs(settings, SystemClock()),
    )
    newer = await newer_outside(settings, kept, summaries, keys)
    if newer:
        fix = "Do not serve this database: docs/runbooks/witness-dispute.en.md."
        return Finding(about="Outside", found="; ".join(newer), fix=fix)
    return Finding(about="Outside", found="no witness holds more of an opening than this database")
