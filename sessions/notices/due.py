"""Which notices are due to whom: that a certificate ends soon, or too early for openings that are announced. Pure.

Before T0 nobody may learn who bids or how many, and a mail passes through servers that are not the hall's. So a
notice follows from the contact (its address, the certificates named there) and the public calendar, and from nothing
else. No bid, upload, check-in or ready slip is asked, here or by whoever calls this, and a notice lists *every*
announced opening that its certificates are too short for. A mail that only bidders got ("your bid", "you have not
checked in") would name them by being sent, so there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from cryptography import x509

from crypto.certificates import Usage
from crypto.encoding import canonical, parse_strict
from sessions.ids import SessionId
from sessions.plan import Words
from sessions.ports import Summary
from sessions.shape import moment, rfc3339
from sessions.wording.moments import BEIJING

SOON: Final = timedelta(days=30)
"""So long before its end a certificate is told of, whatever is announced."""

LENGTH: Final = timedelta(days=1)
"""So long after T0 a certificate must still be good: bids are unlocked, confirmed and signed for after it."""

AFTER: Final = timedelta(days=7)
"""So long after its end nobody is told any more: it was renewed elsewhere, or is not wanted."""

MORNING: Final = timedelta(hours=8)
"""When a day of notices begins, in Beijing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A certificate of a contact: what it is for, the end of its serial number by which people know it, its end."""

    usage: Usage
    serial: str
    ends: datetime


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Contact:
    """Where a bidder wants to be told, and of which certificates: at most one for each usage."""

    account: str
    address: str
    held: tuple[Held, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """An announced opening that has not begun, as the public calendar has it."""

    session: SessionId
    title: Words
    t0: datetime


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Notice:
    """What one account is told on one day: its certificates that end, the soonest first, and for which openings."""

    contact: Contact
    day: date
    endings: tuple[Held, ...]
    too_early_for: tuple[Coming, ...]


def held(certificate: x509.Certificate, usage: Usage) -> Held:
    """Return what a notice needs of a certificate."""
    return Held(usage=usage, serial=f"{certificate.serial_number:04X}"[-4:], ends=certificate.not_valid_after_utc)


def holding(contact: Contact, newer: Held) -> Contact:
    """Return the contact with this certificate in the place of the one for the same usage."""
    others = (one for one in contact.held if one.usage is not newer.usage)
    return replace(contact, held=tuple(sorted((*others, newer), key=lambda one: one.usage)))


def notice(contact: Contact, openings: Iterable[Coming], now: datetime) -> Notice | None:
    """Return what ``contact`` is told on the day of ``now``; None when none of its certificates ends soon enough."""
    coming = sorted(openings, key=lambda one: (one.t0, one.session))
    endings = [
        one
        for one in contact.held
        if now < one.ends + AFTER and (one.ends < now + SOON or any(_too_early(one, each) for each in coming))
    ]
    if not endings:
        return None
    endings.sort(key=lambda one: (one.ends, one.usage))
    listed = tuple(each for each in coming if _too_early(endings[0], each))
    return Notice(contact=contact, day=day_of(now), endings=tuple(endings), too_early_for=listed)


def day_of(now: datetime) -> date:
    """Return the day whose notices go out at ``now``."""
    return (now.astimezone(BEIJING) - MORNING).date()


def announced(openings: Iterable[Summary]) -> tuple[Coming, ...]:
    """Return what the public calendar says of openings that have not begun. A rehearsal is nobody's loss."""
    plans: Iterable[tuple[Summary, Any]] = ((one, one.plan) for one in openings)
    return tuple(
        Coming(session=one.session, title=Words(**plan["tender"]["title"]), t0=one.t0)
        for one, plan in plans
        if not plan["rehearsal"]
    )


def packed(contact: Contact) -> bytes:
    """Return address and certificates as they are sealed."""
    certificates = [[one.usage.value, one.serial, rfc3339(one.ends)] for one in contact.held]
    return canonical({"v": 1, "address": contact.address, "held": certificates})


def unpacked(account: str, content: bytes) -> Contact:
    """Return what ``packed`` wrote."""
    said = parse_strict(content)
    certificates = (
        Held(usage=Usage(usage), serial=serial, ends=moment(ends)) for usage, serial, ends in said["held"]
    )
    return Contact(account=account, address=said["address"], held=tuple(certificates))


def _too_early(one: Held, opening: Coming) -> bool:
    return one.ends < opening.t0 + LENGTH
