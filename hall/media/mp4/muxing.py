"""Puts encoded pictures and sound into fragments of MP4 as they came in; nothing is decoded. Pure.

ISO/IEC 14496-12 for the boxes, 14496-15 for H.264 in them, and what is registered for VP8 (``vp08``) and Opus. No
library's muxer stands between what a stranger sends and the disk, and a fragment is out when its time is over,
whatever the other track does.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from hall.media.mp4.boxes import Fragment, FragmentSink, Init
from hall.media.mp4.boxes import Track as Named
from hall.media.packets.coded import Look

PICTURE_RATE: Final = 90_000
SOUND_RATE: Final = 48_000
LENGTH_MS: Final = 500  # of a fragment
SOONEST_MS: Final = 400  # after which a keyframe may begin the next one already

_SYNC, _OTHER = 0x0200_0000, 0x0101_0000  # of a sample that stands by itself, and of one that does not (8.8.3.1)
_MATRIX: Final = struct.pack("!9L", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000)


@dataclass(slots=True, kw_only=True)
class _Sample:
    at: int
    data: bytes
    stands: bool
    lasts: int  # what it says of itself; of the leading track only the next one's time counts


@dataclass(slots=True, kw_only=True)
class _Track:
    number: int
    rate: int
    samples: list[_Sample] = field(default_factory=list)


class Muxer:
    """One file: ``look`` of its picture, if it has one; sound, if it has. Times are ticks since its beginning.

    Each track's times must grow. The leading track is the picture, or the sound where there is none.
    """

    def __init__(self, sink: FragmentSink, look: Look | None, *, sound: bool) -> None:
        """Begin, with ``sink`` given the head at once."""
        self._sink = sink
        self._picture = _Track(number=1, rate=PICTURE_RATE) if look is not None else None
        self._sound = _Track(number=2, rate=SOUND_RATE) if sound else None
        self._tracks = [track for track in (self._picture, self._sound) if track is not None]
        self._lead = self._tracks[0]
        self.fragments = 0
        sink.begin(head(look, sound=sound))

    def picture(self, at: int, data: bytes, *, stands: bool) -> None:
        """Take a picture."""
        if self._picture is not None:
            self._take(self._picture, _Sample(at=at, data=data, stands=stands, lasts=0))

    def sound(self, at: int, data: bytes, lasts: int) -> None:
        """Take a piece of sound."""
        if self._sound is not None:
            self._take(self._sound, _Sample(at=at, data=data, stands=True, lasts=lasts))

    def flush(self) -> None:
        """Let go what is there: the next one may be long in coming."""
        self._cut(None)

    def end(self) -> None:
        """Nothing more comes."""
        self._cut(None)
        self._sink.end()

    def _take(self, track: _Track, sample: _Sample) -> None:
        if track is self._lead and track.samples:
            open_ms = (sample.at - track.samples[0].at) * 1000 // track.rate
            if open_ms >= (SOONEST_MS if sample.stands and self._picture is not None else LENGTH_MS):
                self._cut(sample.at)
        track.samples.append(sample)

    def _cut(self, until: int | None) -> None:
        """Make a fragment of what is there; ``until`` is when the leading track goes on, if that is known."""
        runs, content = list[tuple[_Track, list[int]]](), list[bytes]()
        for track in self._tracks:
            if track.samples:
                least = track.rate // 1000  # short of where the next one can be: it must not begin before this ends
                last = track.samples[-1]
                known = until if track is self._lead else last.at + last.lasts
                ends = [*(sample.at for sample in track.samples[1:]), last.at + least if known is None else known]
                runs.append((track, [end - sample.at for sample, end in zip(track.samples, ends, strict=True)]))
                content += (sample.data for sample in track.samples)
        if not runs:
            return
        self.fragments += 1
        media = b"".join(content)
        data = _moof(self.fragments, runs) + struct.pack("!L4s", 8 + len(media), b"mdat") + media
        made = Fragment(
            data=data, keyframe=False, decode_ms=0, duration_ms=0
        )  # sound alone moves no clock of a picture
        track, lasts = runs[0]
        if track is self._lead:
            at = track.samples[0].at * 1000 // track.rate
            ends_at = (track.samples[0].at + sum(lasts)) * 1000 // track.rate
            made = Fragment(data=data, keyframe=track.samples[0].stands, decode_ms=at, duration_ms=ends_at - at)
        for track in self._tracks:
            track.samples = []
        self._sink.take(made)


def head(look: Look | None, *, sound: bool) -> Init:
    """Return the head of a file."""
    traks, named = list[bytes](), list[Named]()
    if look is not None:
        traks.append(_trak(1, PICTURE_RATE, b"vide", _picture_entry(look), look.width, look.height))
        codec = f"avc1.{look.sps[0][1:4].hex()}" if look.sps else "vp08"
        named.append(Named(id=1, kind="vide", timescale=PICTURE_RATE, codec=codec))
    if sound:
        traks.append(_trak(2, SOUND_RATE, b"soun", _SOUND_ENTRY, 0, 0))
        named.append(Named(id=2, kind="soun", timescale=SOUND_RATE, codec="opus"))
    movie = struct.pack("!4LLH10x", 0, 0, 1000, 0, 0x10000, 0x100) + _MATRIX + struct.pack("!24xL", 3)
    trex = b"".join(_full(b"trex", 0, 0, struct.pack("!5L", one.id, 1, 0, 0, 0)) for one in named)
    moov = _box(b"moov", _full(b"mvhd", 0, 0, movie), *traks, _box(b"mvex", trex))
    return Init(data=_box(b"ftyp", b"iso6", bytes(4), b"iso6mp41") + moov, tracks=tuple(named))


def _trak(number: int, rate: int, kind: bytes, entry: bytes, width: int, height: int) -> bytes:
    volume = 0 if kind == b"vide" else 0x100
    placed = struct.pack("!5L8xHHHH", 0, 0, number, 0, 0, 0, 0, volume, 0) + _MATRIX
    told = _full(b"tkhd", 0, 3, placed, struct.pack("!LL", width << 16, height << 16))
    shown = _full(b"vmhd", 0, 1, bytes(8)) if kind == b"vide" else _full(b"smhd", 0, 0, bytes(4))
    here = _box(b"dinf", _full(b"dref", 0, 0, struct.pack("!L", 1), _full(b"url ", 0, 1)))
    lists = [
        _full(name, 0, 0, bytes(length)) for name, length in ((b"stts", 4), (b"stsc", 4), (b"stsz", 8), (b"stco", 4))
    ]
    samples = _box(b"stbl", _full(b"stsd", 0, 0, struct.pack("!L", 1), entry), *lists)
    media = _full(b"mdhd", 0, 0, struct.pack("!4LHH", 0, 0, rate, 0, 0x55C4, 0))  # language: und
    handler = _full(b"hdlr", 0, 0, struct.pack("!L4s12x", 0, kind), b"\0")
    return _box(b"trak", told, _box(b"mdia", media, handler, _box(b"minf", shown, here, samples)))


def _picture_entry(look: Look) -> bytes:
    seen = struct.pack("!6xH16xHHLL4xH32xHh", 1, look.width, look.height, 0x48_0000, 0x48_0000, 1, 0x18, -1)
    if not look.sps:  # VP8: eight bits, 4:2:0, colours not said
        return _box(b"vp08", seen, _full(b"vpcC", 1, 0, struct.pack("!BBBBBBH", 0, 0, 0x82, 2, 2, 2, 0)))
    sets = bytes([0xE0 | len(look.sps)]) + b"".join(struct.pack("!H", len(one)) + one for one in look.sps)
    sets += bytes([len(look.pps)]) + b"".join(struct.pack("!H", len(one)) + one for one in look.pps)
    return _box(b"avc1", seen, _box(b"avcC", b"\x01", look.sps[0][1:4], b"\xff", sets))


def _moof(number: int, runs: list[tuple[_Track, list[int]]]) -> bytes:
    def made(offset: int) -> bytes:
        trafs = b""
        for track, lasts in runs:
            trafs += _traf(track, lasts, offset)
            offset += sum(len(sample.data) for sample in track.samples)
        return _box(b"moof", _full(b"mfhd", 0, 0, struct.pack("!L", number)), trafs)

    return made(len(made(0)) + 8)


def _traf(track: _Track, lasts: list[int], offset: int) -> bytes:
    rows = b"".join(
        struct.pack("!LLL", lasting, len(sample.data), _SYNC if sample.stands else _OTHER)
        for sample, lasting in zip(track.samples, lasts, strict=True)
    )
    return _box(
        b"traf",
        _full(b"tfhd", 0, 0x02_0000, struct.pack("!L", track.number)),  # default-base-is-moof
        _full(b"tfdt", 1, 0, struct.pack("!Q", track.samples[0].at)),
        _full(b"trun", 0, 0x701, struct.pack("!LL", len(lasts), offset), rows),
    )


def _box(kind: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack("!L4s", 8 + len(inside), kind) + inside


def _full(kind: bytes, version: int, flags: int, *content: bytes) -> bytes:
    return _box(kind, struct.pack("!L", version << 24 | flags), *content)


_SOUND_ENTRY: Final = _box(
    b"Opus",
    struct.pack("!6xH8xHH4xL", 1, 2, 16, SOUND_RATE << 16),
    _box(b"dOps", struct.pack("!BBHLhB", 0, 2, 0, SOUND_RATE, 0, 0)),
)
