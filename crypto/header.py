"""The header of a sealed bid: its members, their limits, and how its parts tile the body (FORMAT.md section 2)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from crypto import suites
from crypto.chunked import HEAD, SALT, sealed_length
from crypto.encoding import (
    MAX_INTEGER,
    b64u,
    canonical,
    check_identifier,
    check_integer,
    check_moment,
    exactly,
    parse_strict,
    unb64u,
    unhex,
)
from crypto.errors import EncodingRefused, SealedBidRefused
from crypto.keys import group_context
from crypto.quorum import Place, check_complete
from crypto.recipients import MAX_SLOT
from crypto.shares import MAX_SHARES
from crypto.suites import Suite

MAX_HEADER: Final = 1_048_576
MAX_PARTS: Final = 200
MAX_SLOTS: Final = 8  # the bidder's own; the tenderer and the trustees have at most 16 each
MAX_SHEET: Final = 65_536
QUOTE: Final = "quote"
JSON: Final = "application/json"

_PART_ID = re.compile(r"[a-z][a-z0-9-]{0,31}")
_NAMES_ID = re.compile(r"names-([AB])")
_TOKEN = r"[a-z0-9!#$&^_.+-]{1,63}"  # noqa: S105  (a media type's token, RFC 6838 section 4.2, in lower case)
_MEDIA = re.compile(f"{_TOKEN}/{_TOKEN}")


def names_id(group: str) -> str:
    """Return the id of the part that holds the group's file names."""
    return f"names-{group}"


class SlotRole(StrEnum):
    """Whose slot it is, in the order slots stand in."""

    BIDDER = "bidder"
    TENDERER = "tenderer"
    ESCROW = "escrow"

    @property
    def where(self) -> str:
        """How the commitments to its shares name it. No lock has a slash in its id."""
        return f"slot/{self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A key slot: the recipient certificate's fingerprint and the slot's bytes.

    A bidder's slot holds ``K_b``; a tenderer's holds a share of ``K_t`` and a trustee's one of ``K_b``, at ``place``.
    """

    cert: bytes
    data: bytes
    role: SlotRole = SlotRole.BIDDER
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What is released together: the commitments to its keys, and the slots that hold them.

    ``kct`` is None unless the tenderer has a key of its own (二次解密): then the group opens with both only.
    """

    id: str
    kcb: bytes
    slots: tuple[Slot, ...]
    kct: bytes | None = None

    def slots_of(self, role: SlotRole) -> tuple[Slot, ...]:
        """Return the slots of one role, in order."""
        return tuple(slot for slot in self.slots if slot.role is role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One encrypted file: ``off`` counts from the end of the header, ``head`` is salt and commitment.

    ``pc`` commits to the plain bytes, for a rescue (crypto.rescue); only the quote may have one.
    """

    id: str
    group: str
    media: str
    plain_len: int
    off: int
    head: bytes
    pc: bytes | None = None

    @property
    def length(self) -> int:
        """How many bytes of the sealed bid the part takes."""
        return sealed_length(self.plain_len)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Everything a sealed bid shows before it is opened."""

    suite: Suite
    env: bytes
    tender: str
    lot: str
    bidder: str
    deadline: str
    sig_cert: bytes
    groups: tuple[Group, ...]
    parts: tuple[Part, ...]

    @property
    def body_length(self) -> int:
        """How long all parts are together."""
        return self.parts[-1].off + self.parts[-1].length

    def group(self, group: str) -> Group:
        """Return the group with this id."""
        for each in self.groups:
            if each.id == group:
                return each
        raise SealedBidRefused("no_such_part", detail=group)

    def part(self, part: str) -> Part:
        """Return the part with this id."""
        for each in self.parts:
            if each.id == part:
                return each
        raise SealedBidRefused("no_such_part", detail=part)

    def parts_of(self, group: str) -> tuple[Part, ...]:
        """Return the group's parts in file order."""
        return tuple(part for part in self.parts if part.group == group)

    def context(self, group: str) -> bytes:
        """Return ``ctx_g``, what the group's keys are bound to."""
        return group_context(
            self.suite,
            tender=self.tender,
            lot=self.lot,
            bidder=self.bidder,
            deadline=self.deadline,
            env=self.env,
            group=group,
        )

    def encode(self) -> bytes:
        """Return the header's bytes. Only for sealing: a received header is never serialised again."""
        return canonical(
            {
                "v": 1,
                "suite": self.suite.name,
                "env": self.env.hex(),
                "tender": self.tender,
                "lot": self.lot,
                "bidder": self.bidder,
                "deadline": self.deadline,
                "sig_cert": self.sig_cert.hex(),
                "groups": [_group_json(group, self.suite) for group in self.groups],
                "parts": [_part_json(part) for part in self.parts],
            }
        )


def _group_json(group: Group, suite: Suite) -> dict[str, Any]:
    slots = [
        {"role": slot.role.value, "fmt": suite.slot, "cert": slot.cert.hex(), "data": b64u(slot.data)}
        | (slot.place.members() if slot.place else {})
        for slot in group.slots
    ]
    kct = group.kct.hex() if group.kct else None
    return {"id": group.id, "kcb": group.kcb.hex(), "kct": kct, "slots": slots}


def _part_json(part: Part) -> dict[str, Any]:
    return {
        "id": part.id,
        "group": part.group,
        "media": part.media,
        "plain_len": part.plain_len,
        "off": part.off,
        "len": part.length,
        "salt": part.head[:SALT].hex(),
        "kc": part.head[SALT:].hex(),
        **({"pc": part.pc.hex()} if part.pc is not None else {}),
    }


def parse(data: bytes) -> Header:
    """Return the header in ``data``, every member checked; refuse what is unknown, missing, or does not tile."""
    try:
        members = _members(
            parse_strict(data, limit=MAX_HEADER),
            "v suite env tender lot bidder deadline sig_cert groups parts",
        )
        check_integer(members["v"], 1, 1)
        suite = suites.named(_text(members["suite"]))
        header = Header(
            suite=suite,
            env=unhex(members["env"], 16),
            tender=check_identifier(members["tender"]),
            lot=check_identifier(members["lot"]),
            bidder=check_identifier(members["bidder"]),
            deadline=check_moment(members["deadline"]),
            sig_cert=unhex(members["sig_cert"], 32),
            groups=tuple(_group(each, suite) for each in _list(members["groups"], 2)),
            parts=_parts(members["parts"]),
        )
    except EncodingRefused as error:
        raise SealedBidRefused("malformed_header", detail=error.detail) from error
    _check_arrangement(header)
    return header


def _members(value: object, names: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise EncodingRefused("malformed_field", detail="not an object")
    critical = {name: item for name, item in value.items() if not name.startswith("x-")}
    return exactly(critical, names.split())


def _list(value: object, most: int) -> list[Any]:
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise EncodingRefused("malformed_field", detail="not a list of the allowed length")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise EncodingRefused("malformed_field", detail="not a string")
    return value


def _group(value: object, suite: Suite) -> Group:
    members = _members(value, "id kcb kct slots")
    kct = None if members["kct"] is None else unhex(members["kct"], 32)
    slots = tuple(_slot(each, suite) for each in _list(members["slots"], MAX_SLOTS + 2 * MAX_SHARES))
    group = Group(id=_text(members["id"]), kcb=unhex(members["kcb"], 32), slots=slots, kct=kct)
    if [slot.role for slot in slots] != [role for role in SlotRole for _ in group.slots_of(role)]:
        raise EncodingRefused("malformed_field", detail="slots are in another order")
    if not 1 <= len(group.slots_of(SlotRole.BIDDER)) <= MAX_SLOTS:
        raise EncodingRefused("malformed_field", detail="the bidder's slots")
    for role in (SlotRole.TENDERER, SlotRole.ESCROW):
        own = group.slots_of(role)
        check_complete([slot.place for slot in own if slot.place])
        if len({slot.cert for slot in own}) != len(own):
            raise EncodingRefused("malformed_field", detail="two shares for one certificate")
    if (kct is None) is not (not group.slots_of(SlotRole.TENDERER)):
        raise EncodingRefused("malformed_field", detail="a tenderer's key without slots, or slots without a key")
    return group


def _slot(value: object, suite: Suite) -> Slot:
    own = isinstance(value, dict) and value.get("role") == SlotRole.BIDDER
    members = _members(value, "role fmt cert data" if own else "role fmt cert data i t n kcs")
    data = unb64u(members["data"])
    role = next((each for each in SlotRole if each == members["role"]), None)
    if role is None or members["fmt"] != suite.slot or len(data) > MAX_SLOT:
        raise EncodingRefused("malformed_field", detail="slot")
    place = None if own else Place.read(role.where, members["i"], members["t"], members["n"], members["kcs"])
    return Slot(role=role, cert=unhex(members["cert"], 32), data=data, place=place)


def _parts(value: object) -> tuple[Part, ...]:
    parts: list[Part] = []
    end = 0
    for each in _list(value, MAX_PARTS):
        committed = isinstance(each, dict) and "pc" in each
        members = _members(each, "id group media plain_len off len salt kc" + " pc" * committed)
        part = Part(
            id=_text(members["id"]),
            group=_text(members["group"]),
            media=_text(members["media"]),
            plain_len=check_integer(members["plain_len"]),
            off=check_integer(members["off"]),
            head=unhex(members["salt"], SALT) + unhex(members["kc"], HEAD - SALT),
            pc=unhex(members["pc"], 32) if committed else None,
        )
        if not _PART_ID.fullmatch(part.id) and not _NAMES_ID.fullmatch(part.id):
            raise EncodingRefused("malformed_field", detail="part id")
        if not _MEDIA.fullmatch(part.media):
            raise EncodingRefused("malformed_field", detail="media type")
        if part.pc is not None and part.id != QUOTE:
            raise EncodingRefused("malformed_field", detail="only the quote has a rescue")
        if part.off != end or part.length != check_integer(members["len"]):
            raise SealedBidRefused("wrong_sizes")
        end += part.length
        if end > MAX_INTEGER:
            raise SealedBidRefused("wrong_sizes")
        parts.append(part)
    return tuple(parts)


def _check_arrangement(header: Header) -> None:
    groups = [group.id for group in header.groups]
    ids = [part.id for part in header.parts]
    arranged = [part.group for part in header.parts]
    if groups not in (["A"], ["A", "B"]) or len(set(ids)) != len(ids) or arranged != sorted(arranged):
        raise SealedBidRefused("malformed_header", detail="groups and parts")
    if set(arranged) != set(groups):
        raise SealedBidRefused("malformed_header", detail="a group without parts, or a part without a group")
    quote = header.parts_of(groups[-1])[0]
    if QUOTE not in ids or quote.id != QUOTE or not 2 <= quote.plain_len <= MAX_SHEET or quote.media != JSON:
        raise SealedBidRefused("malformed_header", detail="quote")
    for part in header.parts:
        if match := _NAMES_ID.fullmatch(part.id):
            last = header.parts_of(part.group)[-1]
            if match[1] != part.group or part is not last or part.plain_len > MAX_SHEET or part.media != JSON:
                raise SealedBidRefused("malformed_header", detail="names")
