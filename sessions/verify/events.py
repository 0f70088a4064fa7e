"""The log of a bundle, read back: lines, cores, records with what was disclosed of their private parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crypto import chain
from crypto.chain import event_digest, verify_chain
from crypto.digest import sha256_hex
from crypto.encoding import exactly, parse_canonical
from sessions.codec import event_from_json, has_private
from sessions.events import Recorded, Stream
from sessions.ids import Digest, SessionId
from sessions.plan import Plan
from sessions.roles import CLOCK, Actor, Role
from sessions.shape import moment
from sessions.verify.report import Failed, Found, require

LONGEST_LINE = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The records of one stream. ``hidden`` are the numbers whose private part the bundle does not disclose."""

    records: tuple[Recorded, ...]
    hidden: frozenset[int]


def lines(data: bytes) -> Iterator[Any]:
    """Return the canonical JSON value on each line; every line ends in a line feed."""
    require(data == b"" or data.endswith(b"\n"), "the last line is cut off")
    for line in data.split(b"\n")[:-1]:
        yield parse_canonical(line, limit=LONGEST_LINE)


class Chained(dict[str, Any]):
    """A core with its digest: that of the line it was read from, which is its canonical form."""

    digest: str


def chained(data: bytes) -> Iterator[Chained]:
    """Return the event on each line; whether they follow one another is for ``verify_chain``."""
    for value, line in zip(lines(data), data.split(b"\n"), strict=False):
        if not isinstance(value, dict):
            raise Failed("a line is no event")
        core = Chained(value)
        core.digest = sha256_hex(line)
        yield core


def cores(data: bytes, session: str, stream: Stream) -> Found:
    """Check the chain and return its cores, the digest of each with it."""
    found = list(chained(data))
    verify_chain(found, digest=lambda core: core.digest)
    require(bool(found), "there are no events")
    require(found[0]["stream"] == f"{session}/{stream}", "the events belong to another session or stream")
    times = [moment(core["at"]) for core in found]
    require(times == sorted(times), "the times go back")
    for core in found:
        require(isinstance(core["actor"], str), f"event {core['n']} is nobody's")
        committed = core["private"] is not None
        require(
            committed == has_private(core["type"]), f"event {core['n']} has a private part it may not have, or none"
        )
    return Found(found, f"{len(found)} events, head {found[-1].digest}")


def disclosed(data: bytes, found: list[Mapping[str, Any]]) -> Found:
    """Check every private part that the bundle discloses against its commitment; return them by number."""
    shown: dict[int, Mapping[str, Any]] = {}
    last = 0
    for value, line in zip(lines(data), data.split(b"\n"), strict=False):
        part = exactly(value, ("n", "salt", "value"))
        number = part["n"]
        require(type(number) is int and 1 <= number <= len(found), f"there is no event {number}")
        require(number > last, "private parts are out of order")
        last = number
        committed = found[number - 1]["private"]
        require(chain.disclosed(line, part) == committed, f"event {number} committed to something else")
        shown[number] = part
    private = sum(core["private"] is not None for core in found)
    return Found(shown, f"{len(shown)} of {private} disclosed")


def read(found: list[Mapping[str, Any]], shown: Mapping[int, Mapping[str, Any]], plan: Plan) -> Log:
    """Return the records. What is hidden gets a stand-in that no other event has; nothing is concluded from it."""
    names = {str(seat.account): seat.name for seat in plan.seats}
    names |= {core["data"]["account"]: core["data"]["name"] for core in found if core["type"] == "ChairTaken"}
    actors: dict[str, Actor] = {}
    records, hidden = [], set()
    for core in found:
        number = core["n"]
        private = shown[number]["value"] if number in shown else None
        if core["private"] is not None and number not in shown:
            hidden.add(number)
            private = {"text": f"#{number}", "code": "wrong_key"}
            private = {name: private[name] for name in _STAND_IN[core["type"]]}
        session, _, stream = core["stream"].rpartition("/")
        if core["actor"] not in actors:
            actors[core["actor"]] = _actor(core["actor"], names)
        records.append(
            Recorded(
                session=SessionId(session),
                stream=Stream(stream),
                number=number,
                at=_at(core),
                actor=actors[core["actor"]],
                event=event_from_json(core["type"], core["data"], private),
                salt=shown[number]["salt"] if number in shown else None,
                previous=Digest(core["prev"]),
                digest=Digest(core.digest if isinstance(core, Chained) else event_digest(core)),
            )
        )
    return Log(records=tuple(records), hidden=frozenset(hidden))


_STAND_IN: Mapping[str, tuple[str, ...]] = {
    "SetFrozen": (),
    "AttemptFailed": ("code",),
    "ObjectionRaised": ("text",),
    "ObjectionAnswered": ("text",),
    "SupervisorNoted": ("text",),
}


def _at(core: Mapping[str, Any]) -> datetime:
    return moment(core["at"])


def _actor(text: str, names: Mapping[str, str]) -> Actor:
    role, colon, name = text.partition(":")
    if not colon or role not in set(Role):
        raise Failed(f"{text!r} is nobody")
    if role == CLOCK.role and name != CLOCK.id:
        raise Failed("there is only one clock")
    # Only staff are named by the record in what they did; bidders are named where they bid.
    return Actor(role=Role(role), id=name, name=names.get(name, ""))
