"""The calendar of openings: what is live, what comes, what was; and its feeds.

Pure. Nothing here knows how many bids there are, so a page before T0 is the same whatever lies in the intake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final
from xml.sax.saxutils import escape

from sessions.opening import OVER, Status
from sessions.ports import Summary
from web.pages.binding import BEIJING, at, day
from web.wording.i18n import Language

STATUSES: Final = ("checkin", "live", "scheduled", "ended", "failed", "aborted")
_PAST_SHOWN: Final = 60
_LENGTH: Final = timedelta(hours=1)
"""What an opening takes in a calendar program: nobody knows before, and the feed must say something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One opening as a line of the calendar, in one language."""

    id: str
    title: str
    tender: str
    lot: str
    tenderer: str
    place: str
    rules: str
    rehearsal: bool
    t0: str
    when: datetime
    hour: str
    status: str
    step: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    title: str
    today: bool
    openings: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a reader looks for; empty texts look for everything. ``month`` is ``2026-11``."""

    q: str = ""
    status: str = ""
    month: str = ""

    def __bool__(self) -> bool:
        return bool(self.q or self.status or self.month)

    def admit(self, entry: Entry) -> bool:
        """Return whether ``entry`` is what is looked for."""
        text = f"{entry.title} {entry.tender} {entry.lot} {entry.tenderer}".casefold()
        return (
            all(word in text for word in self.q.casefold().split())
            and self.status in {"", entry.status}
            and f"{entry.when:%Y-%m}".startswith(self.month)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    live: tuple[Entry, ...]
    days: tuple[Day, ...]
    past: tuple[Day, ...]


def entry(summary: Summary, language: Language) -> Entry:
    """Return a session's line."""
    plan: Mapping[str, Any] = summary.plan
    tender = plan["tender"]
    when = summary.t0.astimezone(BEIJING)
    step = next((one for one in at(plan, "pack.steps") or () if one["id"] == summary.step), None)
    return Entry(
        id=summary.session,
        title=tender["title"][language],
        tender=tender["id"],
        lot=tender["lot"],
        tenderer=tender["tenderer"][language],
        place=tender["place"][language],
        rules=at(plan, f"pack.title.{language}") or "",
        rehearsal=bool(plan.get("rehearsal")),
        t0=summary.t0.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        when=when,
        hour=f"{when:%H:%M}",
        status=summary.status,
        step=step["title"][language] if step and summary.status == "live" else None,
    )


def arrange(entries: Iterable[Entry], now: datetime, language: Language, filters: Filters) -> Calendar:
    """Return the calendar as it stands at ``now``: live ones first, then by day, then the past, newest first."""
    chosen = sorted((one for one in entries if filters.admit(one)), key=lambda one: (one.when, one.id))
    coming = [one for one in chosen if one.status not in OVER and one.status != Status.LIVE]
    past = [one for one in chosen if one.status in OVER]
    today = now.astimezone(BEIJING).date()
    return Calendar(
        live=tuple(one for one in chosen if one.status == "live"),
        days=_by_day(coming, today, language),
        past=_by_day(past[::-1][:_PAST_SHOWN], today, language),
    )


def _by_day(entries: Sequence[Entry], today: object, language: Language) -> tuple[Day, ...]:
    return tuple(
        Day(title=day(ones[0].when, language), today=date == today, openings=tuple(ones))
        for date, ones in ((date, list(group)) for date, group in groupby(entries, key=lambda one: one.when.date()))
    )


def ics(entries: Iterable[Entry], origin: str, now: datetime) -> bytes:
    """Return the openings as an iCalendar file (RFC 5545), lines folded at 75 octets."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Kaibiao//Openings//ZH", "METHOD:PUBLISH"]
    for one in entries:
        start = one.when.astimezone(UTC)
        lines += [
            "BEGIN:VEVENT",
            f"UID:{_ics_text(one.id)}@kaibiao",
            f"DTSTAMP:{now:%Y%m%dT%H%M%SZ}",
            f"DTSTART:{start:%Y%m%dT%H%M%SZ}",
            f"DTEND:{start + _LENGTH:%Y%m%dT%H%M%SZ}",
            f"SUMMARY:{_ics_text(one.title)}",
            f"LOCATION:{_ics_text(one.place)}",
            f"DESCRIPTION:{_ics_text(f'{one.tenderer} {one.tender} {one.lot}')}",
            f"URL:{origin}/s/{one.id}",
            f"STATUS:{'CANCELLED' if one.status in {'failed', 'aborted'} else 'CONFIRMED'}",
            "END:VEVENT",
        ]
    return b"".join(_fold(line) for line in [*lines, "END:VCALENDAR"])


def _ics_text(text: str) -> str:
    for character in ("\\", ";", ","):
        text = text.replace(character, "\\" + character)
    return text.replace("\r", "").replace("\n", "\\n")


def _fold(line: str) -> bytes:
    """Return one content line in octets, folded between characters (RFC 5545 section 3.1)."""
    rows, row = [], b""
    for character in line:
        octets = character.encode()
        if len(row) + len(octets) > 75:
            rows.append(row)
            row = b" "
        row += octets
    return b"\r\n".join([*rows, row]) + b"\r\n"


def atom(entries: Iterable[Entry], origin: str, now: datetime, title: str) -> bytes:
    """Return the openings as an Atom feed (RFC 4287), the newest opening time first."""
    newest = sorted(entries, key=lambda one: one.when, reverse=True)
    stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    items = "".join(
        f"<entry><id>{origin}/s/{escape(one.id)}</id><title>{_xml(one.title)}</title>"
        f'<link href="{origin}/s/{escape(one.id)}"/><updated>{one.t0}</updated>'
        f"<summary>{_xml(f'{one.tenderer} {one.tender} {one.lot} {one.when:%Y-%m-%d %H:%M}')}</summary></entry>"
        for one in newest
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        f"<id>{origin}/</id><title>{_xml(title)}</title>"
        f'<link rel="self" href="{origin}/openings.atom"/><updated>{stamp}</updated>'
        f"<author><name>Kaibiao</name></author>{items}</feed>\n"
    ).encode()


def _xml(text: str) -> str:
    """Return ``text`` for XML 1.0, which has no word for most control characters."""
    return escape("".join(character for character in text if character >= " " or character in "\t\n"))
