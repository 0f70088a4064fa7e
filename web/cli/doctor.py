"""``kaibiao doctor``: is this machine, as it is set up, fit to hold an opening? A line a finding, and what to do."""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from crypto.authority import is_demonstration
from crypto.certificates import bidder_name
from crypto.errors import CryptoRefused
from hall.media.port.processes import installed
from sessions.clock import Clock
from sessions.errors import Unanswered
from sessions.notices.mailing import MailAway
from sessions.outside.stamping import Stamping, Unreachable
from sessions.store.blobs import BlobsRefused, FolderBlobs
from web.bootstrap import blobs
from web.cli.doctor_database import about_database
from web.cli.doctor_secrets import about_secrets
from web.cli.doctor_team import SOON, about_openings, bus, clock_sources, proxy, readers, tls
from web.cli.finding import Finding
from web.downloads.papers import SealUnusable, load_seal
from web.media.turn import relay
from web.outside.smtp import Tls, mail_server
from web.outside.stamps import AuthoritiesRefused, post, read_authorities
from web.outside.trust import TrustFolders, TrustRefused
from web.outside.witnessing import client, read_witnesses, remote
from web.process.descriptors import allowed
from web.settings import Settings, SettingsRefused

PACKAGES: Final = ("crypto", "sessions", "hall", "web")

_ROOM: Final = 1 << 30  # bytes that must be free: below that, uploads are refused before the log is in danger
_DESCRIPTORS: Final = 4096


async def examine(settings: Settings, clock: Clock) -> list[Finding]:
    """Return every finding; nothing is changed but for a file that is written to the data folder and removed."""
    now = clock.now()
    findings = [python(), packages(), folder(settings.data_dir), room(settings.data_dir), descriptors()]
    findings += [synchronised(rehearsal=settings.rehearsal_allowed), *anchors(settings, now)]
    findings += [*await timestamps(settings, clock), seal(settings, now), *await witnesses(settings)]
    findings += [proxy(settings), *filter(None, [await tls(settings, now)])]
    findings += await clock_sources(settings, clock)
    findings += [await bus(settings), readers(allowed(), settings)]
    findings += [media(settings), await mail(settings), *about_secrets(settings)]
    if findings[2].ok:
        database = [finding async for finding in about_database(settings)]
        findings += database
        if all(finding.ok for finding in database[:1]):
            findings += [finding async for finding in about_openings(settings, now)]
        findings.append(await bids(settings, clock))
    return findings


def media(settings: Settings, *, here: bool | None = None) -> Finding:
    """Look whether this hall has picture and sound, and what they are made of is here."""
    about, here = "Picture and sound", installed() if here is None else here
    if settings.media == "off":
        return Finding(about=about, found="off, as `media` says")
    if here:
        try:
            turn = relay(settings)
        except SettingsRefused as error:
            return Finding(about=about, found=str(error), fix="Share a secret with the relay, or name none.")
        where = ", ".join(map(str, settings.media_addresses)) or f"{settings.host} alone: set `media_addresses`"
        reached = f"UDP and TCP port {settings.media_port} at {where}"
        reached += f", relayed by {', '.join(turn.urls)}" if turn else ""
        return Finding(about=about, found=f"on, {reached}; recordings in {settings.data_dir / 'media'}")
    if settings.media == "auto":
        return Finding(about=about, found="off: the extra `media` is not installed")
    return Finding(about=about, found="not installed", fix="Install the extra: pip install 'kaibiao[media]'.")


async def mail(settings: Settings) -> Finding:
    """Log in at the mail server, and send nothing."""
    about = "Mail"
    try:
        server = mail_server(settings)
        if server is None:
            return Finding(about=about, found="none: nobody who stays away is told that a certificate ends")
        place = f"{server.host}:{server.port}"
        await server.greet()
    except SettingsRefused as error:
        return Finding(about=about, found=str(error), fix="Correct mail_password_file.")
    except MailAway as error:
        fix = "Start it, or correct mail_url and mail_password_file. Notices wait meanwhile, and nothing else does."
        return Finding(about=about, found=f"{place} does not take this hall ({error})", fix=fix)
    private = "in the clear, on this machine" if server.tls is Tls.NEVER else "over TLS"
    return Finding(about=about, found=f"{place} answers {private}; notices come from {server.sender}")


def python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Look at the interpreter's version."""
    found = f"{version[0]}.{version[1]}"
    return Finding(about="Python", found=found, fix="" if version >= (3, 11) else "Install Python 3.11 or newer.")


def _origin(name: str) -> str | None:
    spec = importlib.util.find_spec(name)
    return spec.origin if spec is not None else None


def packages(origin: Callable[[str], str | None] = _origin) -> Finding:
    """Look whether the four packages come from one place: their names are shared with strangers' distributions."""
    places = {name: origin(name) for name in PACKAGES}
    parents = {str(Path(place).parent.parent) for place in places.values() if place is not None}
    if None not in places.values() and len(parents) == 1:
        return Finding(about="Packages", found=f"all four in {parents.pop()}")
    found = ", ".join(f"{name}: {place or 'missing'}" for name, place in places.items())
    return Finding(
        about="Packages",
        found=found,
        fix="Install kaibiao in an environment of its own: another package shares a name.",
    )


def folder(place: Path) -> Finding:
    """Look whether the data folder takes a file that reaches the disk."""
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"kaibiao")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        fix = f"Let the user who runs kaibiao write to {place.absolute()}, or set data_dir."
        return Finding(about="Data folder", found=f"{place}: {error.strerror}", fix=fix)
    return Finding(about="Data folder", found=f"{place.absolute()} can be written")


def room(place: Path) -> Finding:
    """Look how much space is left where the data are."""
    existing = next(parent for parent in (place.absolute(), *place.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    return Finding(
        about="Space",
        found=f"{free / (1 << 30):.1f} GiB free",
        fix="" if free >= _ROOM else "Free at least 1 GiB: uploads need it, and a full disk stops an opening.",
    )


def descriptors() -> Finding:
    """Look how many connections a hall may hold here, which takes all that the machine allows."""
    limit = allowed()
    return Finding(
        about="Descriptors",
        found=f"{limit} files and connections",
        fix="" if limit >= _DESCRIPTORS else f"Raise the limit (ulimit -n, LimitNOFILE) to {_DESCRIPTORS} or more.",
    )


def _clock_state() -> int | None:
    """Return what adjtimex(2) says, asked without changing anything; None where there is none."""
    if sys.platform != "linux":
        return None
    try:
        # struct timex is 208 bytes on 64-bit Linux; all zero means modes = 0: only read.
        state = int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512)))
        return state if state >= 0 else None  # a sandbox may forbid to ask
    except (OSError, AttributeError):
        return None


def synchronised(*, rehearsal: bool, state: Callable[[], int | None] = _clock_state) -> Finding:
    """Look whether a time service keeps the machine's clock. A rehearsal may do without."""
    match state():
        case None:
            return Finding(about="Clock", found="this system does not tell whether its clock is synchronised")
        case 5 if not rehearsal:
            fix = "Run a time service (chrony, systemd-timesyncd): the opening time is this machine's."
            return Finding(about="Clock", found="not synchronised", fix=fix)
        case 5:
            return Finding(about="Clock", found="not synchronised, which a rehearsal may do without")
        case _:
            return Finding(about="Clock", found="synchronised")


def anchors(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Look at whom the hall believes: a demonstration CA would let anybody be any bidder."""
    try:
        trust = TrustFolders(settings.anchors, settings.crls, required=False).current()
    except (TrustRefused, OSError) as error:
        yield Finding(about="Trust", found=str(error), fix=TrustRefused.hint)
        return
    if not trust.anchors:
        fix = (
            "" if settings.rehearsal_allowed else f"Put the CA certificates of your bidders into {settings.anchors}."
        )
        yield Finding(about="Trust", found="no CA is trusted: no bidder can log in", fix=fix)
    for anchor in trust.anchors:
        name = anchor.subject.rfc4514_string()
        if is_demonstration(anchor) and not settings.rehearsal_allowed:
            yield Finding(
                about="Trust", found=f"{name} is for demonstrations", fix="Remove it: anybody can have its key."
            )
        elif anchor.not_valid_after_utc - SOON < now <= anchor.not_valid_after_utc:
            fix = "Get the CA's new certificate, and put it beside this one."
            yield Finding(about="Trust", found=f"{name} ends on {anchor.not_valid_after_utc:%Y-%m-%d}", fix=fix)
        elif now > anchor.not_valid_after_utc:
            yield Finding(about="Trust", found=f"{name} has expired", fix="Replace it by the CA's new certificate.")
        else:
            yield Finding(about="Trust", found=name)


async def bids(settings: Settings, clock: Clock) -> Finding:
    """Look whether the place of sealed bids takes one, and keeps two workers from overwriting each other."""
    about = "Bids"
    try:
        place = blobs(settings, clock)
        if isinstance(place, FolderBlobs):
            return Finding(about=about, found=f"in a folder, {await place.room() / (1 << 30):.1f} GiB may come")
        await place.probe(f"doctor-{secrets.token_hex(8)}")
    except BlobsRefused as error:
        return Finding(about=about, found=str(error), fix=f"Correct blobs_url or its key: {error.hint}.")
    except Unanswered as error:
        reason = str(error.__cause__).partition("\n")[0]
        return Finding(about=about, found=f"no answer: {reason}", fix="Start the store, or correct blobs_url.")
    return Finding(about=about, found=f"in {urlsplit(settings.blobs_url).netloc}, put and read back")


async def timestamps(settings: Settings, clock: Clock) -> list[Finding]:
    """Ask every timestamp authority for a stamp: one that is down now would leave an opening without its time."""
    about = "Timestamps"
    try:
        stamping = Stamping(authorities=read_authorities(settings.timestamps), post=post, clock=clock)
    except (AuthoritiesRefused, OSError) as error:
        return [Finding(about=about, found=str(error), fix=AuthoritiesRefused.hint)]
    if not stamping.authorities:
        fix = "" if settings.rehearsal_allowed else f"List a timestamp authority (RFC 3161) in {settings.timestamps}."
        return [Finding(about=about, found="no authority: nobody outside says when anything was", fix=fix)]
    findings = []
    for authority in stamping.authorities:
        try:
            _, stamp = await stamping.ask(authority, secrets.token_bytes(32))
        except (Unreachable, CryptoRefused) as error:
            fix = f"Ask its operator, or take it out of {settings.timestamps}."
            findings.append(Finding(about=about, found=f"{authority.name}: {error}", fix=fix))
        else:
            findings.append(
                Finding(about=about, found=f"{authority.name} gave {stamp.said_at:%Y-%m-%d %H:%M:%S} UTC")
            )
    return findings


async def witnesses(settings: Settings) -> list[Finding]:
    """Ask every witness whether it is there: without a quorum the bids of a closed rule pack stay shut."""
    about = "Witnesses"
    try:
        watching = read_witnesses(settings, authorities=())
    except SettingsRefused as error:
        return [Finding(about=about, found=str(error), fix="Correct the line, as c2sp.org/tlog-policy has it.")]
    if not watching.witnesses:
        fix = "" if settings.rehearsal_allowed else "Name witnesses of others in `witnesses_file` (docs/settings.md)."
        return [Finding(about=about, found="none: nobody outside holds the logs of this hall", fix=fix)]
    async with client() as http:
        asked = remote(watching.witnesses, http).values()
        here = dict(zip(asked, await asyncio.gather(*(one.answers() for one in asked)), strict=True))
    silent = [one.name for one, answers in here.items() if not answers]
    found = f"{len(here) - len(silent)} of {len(here)} answer, {watching.policy.quorum} are needed"
    fix = f"Ask who runs {', '.join(silent)}." if silent else ""
    return [Finding(about=about, found=found, fix=fix)]


def seal(settings: Settings, now: datetime) -> Finding:
    """Look at the certificate of the document seal; papers without a seal say so, and nothing else is wrong."""
    about = "Seal"
    try:
        found = load_seal(settings)
    except SealUnusable as error:
        return Finding(about=about, found=str(error), fix=SealUnusable.hint)
    if found is None:
        return Finding(about=about, found="none: papers say that they are unsealed")
    certificate, name = found.certificate, bidder_name(found.certificate)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return Finding(about=about, found=f"{name}: not in date", fix="Get a new certificate for the seal.")
    if any(map(is_demonstration, found.chain)) and not settings.rehearsal_allowed:
        return Finding(
            about=about, found=f"{name} is for demonstrations", fix="Get a certificate from a real authority."
        )
    soon = certificate.not_valid_after_utc - now < SOON and not settings.rehearsal_allowed
    fix = "Renew it: papers are sealed on the day of the opening." if soon else ""
    return Finding(about=about, found=f"{name}, until {certificate.not_valid_after_utc:%Y-%m-%d}", fix=fix)
