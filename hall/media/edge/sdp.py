"""SDP: what a browser offers (RFC 8866, 8829), read strictly and within bounds; what the edge answers, written. Pure.

Candidates are not read at all. The edge is ICE-lite: it answers whoever finds it and dials nobody, so an offer can
name any address, of this office or of a stranger, and nothing will ever be sent there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from hall.media.edge.keyframes import Video

LARGEST: Final = 64 * 1024
LINES: Final = 4000
SECTIONS: Final = 8
ABS_SEND_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"

_TOKEN = re.compile(r"[\x21-\x7e]{1,256}")
_HEX = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){19,63}")


class SdpRefused(ValueError):
    """An offer that nothing is answered to. ``code``: ``malformed_sdp`` or ``no_codec``."""

    def __init__(self, code: str = "malformed_sdp") -> None:
        super().__init__(code)
        self.code = code


class Kind(StrEnum):
    """What a section carries; others are refused with port 0."""

    AUDIO = "audio"
    VIDEO = "video"


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One payload type of an offer."""

    number: int
    name: str = ""
    clock: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def repairs(self) -> int | None:
        """Of which payload type this one carries the retransmissions (RFC 4588)."""
        apt = self.parameters.get("apt", "")
        return int(apt) if self.name == "rtx" and apt.isdigit() and len(apt) < 4 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One ``m=`` line and what stands under it."""

    media: str
    protocol: str
    formats: str
    mid: str
    direction: str
    codecs: tuple[Codec, ...]
    extensions: Mapping[str, int]
    streams: tuple[int, ...]
    repairs: Mapping[int, int]  # ssrc of retransmissions -> ssrc that they repair

    @property
    def sends(self) -> bool:
        """Whether the offerer would send here."""
        return self.direction in ("sendrecv", "sendonly")

    @property
    def receives(self) -> bool:
        """Whether it would receive."""
        return self.direction in ("sendrecv", "recvonly")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a browser offers: one bundle, since the edge has one port."""

    sections: tuple[Section, ...]
    fragment: str
    password: str = field(repr=False)
    fingerprints: tuple[tuple[str, str], ...]

    def section(self, kind: Kind) -> Section | None:
        """Return the first section of ``kind``."""
        return next((each for each in self.sections if each.media == kind), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What is taken of a section: its codec, and with ``stream`` what the edge sends in it."""

    codec: Codec
    repair: Codec | None = None
    stream: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """The edge's side of an answer."""

    fragment: str
    password: str = field(repr=False)
    fingerprints: tuple[tuple[str, str], ...]
    addresses: tuple[IPv4Address | IPv6Address, ...]
    port: int


def read_offer(text: str) -> Offer:
    """Read an offer. Raises ``SdpRefused``."""
    if len(text) > LARGEST:
        raise SdpRefused
    lines = text.replace("\r\n", "\n").split("\n")
    if len(lines) > LINES or not lines or lines[0] != "v=0":
        raise SdpRefused
    starts = [number for number, line in enumerate(lines) if line.startswith("m=")]
    if not 1 <= len(starts) <= SECTIONS:
        raise SdpRefused
    session = lines[: starts[0]]
    parts = [lines[begin:end] for begin, end in zip(starts, [*starts[1:], len(lines)], strict=True)]
    sections = tuple(map(_section, parts))
    taken = [(section, part) for section, part in zip(sections, parts, strict=True) if section.media in set(Kind)]
    if not taken or len({section.mid for section in sections}) < len(sections):
        raise SdpRefused
    bundle = set(next((value.split()[1:] for value in _values(session, "group") if value.startswith("BUNDLE")), ()))
    if len(taken) > 1 and not {section.mid for section, _ in taken} <= bundle:
        raise SdpRefused
    first = taken[0][1]

    def of_bundle(name: str) -> list[str]:
        return _values(first, name) or _values(session, name)

    fragment, password = (of_bundle(name)[:1] for name in ("ice-ufrag", "ice-pwd"))
    if not fragment or not password or not all(map(_TOKEN.fullmatch, (*fragment, *password))):
        raise SdpRefused
    if of_bundle("setup")[:1] not in (["actpass"], ["active"]):  # the edge waits to be spoken to
        raise SdpRefused
    fingerprints = tuple(_fingerprint(value) for value in of_bundle("fingerprint")[:8])
    if not any(name == "sha-256" for name, _ in fingerprints):
        raise SdpRefused
    return Offer(sections=sections, fragment=fragment[0], password=password[0], fingerprints=fingerprints)


def choose(section: Section, video: Video) -> Chosen | None:
    """Return what is taken of a section; None if it has nothing that the hall speaks."""
    wanted = [codec for codec in section.codecs if _speaks(codec, section.media, video)]
    if not wanted:
        return None
    codec = max(wanted, key=lambda each: each.parameters.get("profile-level-id", "").lower().startswith("42e0"))
    return Chosen(codec=codec, repair=next((each for each in section.codecs if each.repairs == codec.number), None))


def write_answer(offer: Offer, chosen: Mapping[str, Chosen], own: Own, *, start_kbit: int | None = None) -> str:
    """Return the answer: the sections whose mid is in ``chosen``, the others refused.

    ``start_kbit``: with how much Chromium begins to send; it would take twenty seconds to get there by itself.
    """
    taken = [section.mid for section in offer.sections if section.mid in chosen]
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=ice-lite", f"a=group:BUNDLE {' '.join(taken)}"]
    lines += ["a=msid-semantic: WMS *"]
    for section in offer.sections:
        if section.mid in chosen:
            lines += _answered(section, chosen[section.mid], own, start_kbit)
        else:
            lines += [f"m={section.media} 0 {section.protocol} {section.formats}", "c=IN IP4 0.0.0.0"]
            lines += [f"a=mid:{section.mid}", "a=inactive"]
    return "\r\n".join([*lines, ""])


def candidates(addresses: Iterable[IPv4Address | IPv6Address], port: int) -> list[str]:
    """Return the candidate lines of an ICE-lite agent: UDP first, TCP where that is blocked (RFC 6544)."""
    lines = []
    for place, address in enumerate(addresses):
        local = 65535 - place
        for component, (protocol, kind, more) in enumerate((("udp", 126, ""), ("tcp", 90, " tcptype passive"))):
            priority = kind << 24 | local << 8 | 255
            foundation = 2 * place + component + 1
            lines.append(f"a=candidate:{foundation} 1 {protocol} {priority} {address} {port} typ host{more}")
    return [*lines, "a=end-of-candidates"]


def _answered(section: Section, chosen: Chosen, own: Own, start_kbit: int | None) -> list[str]:
    codec, repair = chosen.codec, chosen.repair
    sends = chosen.stream is not None
    numbers = [codec.number, *([repair.number] if repair is not None and not sends else [])]
    lines = [f"m={section.media} 9 {section.protocol} {' '.join(map(str, numbers))}", "c=IN IP4 0.0.0.0"]
    lines += [f"a=mid:{section.mid}", "a=sendonly" if sends else "a=recvonly", "a=rtcp-mux", "a=rtcp-rsize"]
    lines += [f"a=ice-ufrag:{own.fragment}", f"a=ice-pwd:{own.password}", "a=setup:passive"]
    lines += [f"a=fingerprint:{name} {value}" for name, value in own.fingerprints]
    audio = section.media == Kind.AUDIO
    lines.append(f"a=rtpmap:{codec.number} {codec.name}/{codec.clock}{'/2' if audio else ''}")
    parameters = dict(codec.parameters)
    if audio:
        parameters = {"minptime": "10", "useinbandfec": "1"}
    elif start_kbit is not None:
        parameters["x-google-start-bitrate"] = str(start_kbit)
    if parameters:
        lines.append(f"a=fmtp:{codec.number} {';'.join(f'{name}={value}' for name, value in parameters.items())}")
    if not audio:
        lines += [f"a=rtcp-fb:{codec.number} {kind}" for kind in ("nack", "nack pli", "goog-remb")]
        if repair is not None and not sends:
            lines += [f"a=rtpmap:{repair.number} rtx/{repair.clock}", f"a=fmtp:{repair.number} apt={codec.number}"]
        if not sends and ABS_SEND_TIME in section.extensions:
            lines.append(f"a=extmap:{section.extensions[ABS_SEND_TIME]} {ABS_SEND_TIME}")
    if chosen.stream is not None:
        lines += [f"a=msid:kaibiao {section.media}", f"a=ssrc:{chosen.stream} cname:kaibiao"]
    return lines + candidates(own.addresses, own.port)


def _section(lines: Sequence[str]) -> Section:
    words = lines[0][2:].split(" ")
    if len(words) < 4 or not words[1].isdigit():
        raise SdpRefused
    media, protocol, formats = words[0], words[2], words[3:]
    mids = _values(lines, "mid")
    if len(mids) != 1 or not _TOKEN.fullmatch(mids[0]) or not all(map(_TOKEN.fullmatch, (media, protocol, *formats))):
        raise SdpRefused
    codecs: dict[int, Codec] = {}
    if media in set(Kind):
        if protocol != "UDP/TLS/RTP/SAVPF" or "rtcp-mux" not in _flags(lines):
            raise SdpRefused
        codecs = {_number(each, 127): Codec(number=int(each)) for each in formats}
        for number, what in _pairs(lines, "rtpmap"):
            if (codec := codecs.get(_number(number, 127))) is not None:
                name, clock, *_ = [*what.split("/"), ""]
                codecs[codec.number] = replace(codec, name=name, clock=_number(clock, 10**6))
        for number, what in _pairs(lines, "fmtp"):
            if (codec := codecs.get(_number(number, 127))) is not None:
                codecs[codec.number] = replace(codec, parameters=_parameters(what))
    directions = _flags(lines) & {"sendrecv", "sendonly", "recvonly", "inactive"}
    repairs = {}
    for semantics, streams in _pairs(lines, "ssrc-group"):
        if semantics == "FID" and len(both := streams.split()) == 2:
            repairs[_number(both[1], 2**32 - 1)] = _number(both[0], 2**32 - 1)
    return Section(
        media=media,
        protocol=protocol,
        formats=" ".join(formats),
        mid=mids[0],
        direction=min(directions, default="sendrecv"),
        codecs=tuple(codecs.values()),
        extensions={uri.split(" ")[0]: _number(number.split("/")[0], 255) for number, uri in _pairs(lines, "extmap")},
        streams=tuple(dict.fromkeys(_number(ssrc, 2**32 - 1) for ssrc, _ in _pairs(lines, "ssrc"))),
        repairs=repairs,
    )


def _speaks(codec: Codec, media: str, video: Video) -> bool:
    name = codec.name.lower()
    if media == Kind.AUDIO:
        return name == "opus" and codec.clock == 48000
    if name != video or codec.clock != 90000:
        return False
    if video is Video.VP8:
        return True
    parameters = codec.parameters
    baseline = parameters.get("profile-level-id", "42e01f").lower()[:2] == "42"
    return baseline and parameters.get("packetization-mode") == "1"


def _values(lines: Iterable[str], name: str) -> list[str]:
    begin = f"a={name}:"
    return [line[len(begin) :] for line in lines if line.startswith(begin)]


def _pairs(lines: Iterable[str], name: str) -> list[tuple[str, str]]:
    return [(first, second) for first, space, second in (v.partition(" ") for v in _values(lines, name)) if space]


def _flags(lines: Iterable[str]) -> set[str]:
    return {line[2:] for line in lines if line.startswith("a=") and ":" not in line}


def _number(text: str, most: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > most:
        raise SdpRefused
    return int(text)


def _parameters(text: str) -> dict[str, str]:
    pairs = (each.strip().partition("=") for each in text.split(";"))
    found = {name: value for name, equals, value in pairs if equals}
    if len(found) > 32 or not all(
        _TOKEN.fullmatch(name) and _TOKEN.fullmatch(value) for name, value in found.items()
    ):
        raise SdpRefused
    return found


def _fingerprint(value: str) -> tuple[str, str]:
    name, _, digest = value.partition(" ")
    if not _TOKEN.fullmatch(name) or not _HEX.fullmatch(digest):
        raise SdpRefused
    return name.lower(), digest.upper()
