"""Cut the bytes of a fragmented MP4 into what can be sent, kept and hashed: one head, then fragments. Pure.

ISO/IEC 14496-12: a file is boxes of a length, a four-letter kind and a content. ``ftyp`` and ``moov`` are the head
(section 8.2); ``moof`` and the ``mdat`` behind it are one fragment (section 8.8). Nothing else is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

_LONGEST: Final = 1 << 26  # 64 MiB: no fragment of ours is near it, so a larger one is damage
_NOT_SYNC: Final = 0x0001_0000  # sample_is_non_sync_sample (section 8.8.3.1)
_DEFAULT_DURATION, _DEFAULT_SIZE, _DEFAULT_FLAGS = 0x08, 0x10, 0x20  # of tfhd (section 8.8.7)
_DATA_OFFSET, _FIRST_FLAGS = 0x001, 0x004  # of trun (section 8.8.8)
_DURATION, _SIZE, _FLAGS, _SHIFT = 0x100, 0x200, 0x400, 0x800


class DamagedBoxes(ValueError):
    """The bytes are no fragmented MP4 as a muxer writes it: write from the head on, and nothing else between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One track of the head. ``codec`` is what RFC 6381 calls it, for a page's ``MediaSource``."""

    id: int
    kind: str  # "vide" or "soun"
    timescale: int
    codec: str
    default_flags: int = 0
    default_duration: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Init:
    """``ftyp`` and ``moov``: what a decoder needs before the first fragment."""

    data: bytes
    tracks: tuple[Track, ...]

    @property
    def lead(self) -> Track:
        """The track that fragments are told by: the picture, or the sound where there is no picture."""
        return next((track for track in self.tracks if track.kind == "vide"), self.tracks[0])

    @property
    def codecs(self) -> str:
        """The codecs as HLS lists them."""
        return ",".join(track.codec for track in self.tracks)

    @property
    def mime(self) -> str:
        """The type as a page's ``MediaSource`` takes it."""
        return f'{"video" if self.lead.kind == "vide" else "audio"}/mp4; codecs="{self.codecs}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """``moof`` and ``mdat``, byte for byte as they were muxed; times are those of the head's leading track."""

    data: bytes
    keyframe: bool  # a decoder can begin here
    decode_ms: int
    duration_ms: int


class FragmentSink(Protocol):
    """Who takes what was muxed: readers of a WebSocket, a folder of segments, a file."""

    def begin(self, init: Init) -> None:
        """Take the head; once, and first."""

    def take(self, fragment: Fragment) -> None:
        """Take the next fragment. Never blocks for long: the one encoder waits for it."""

    def end(self) -> None:
        """Nothing more comes."""


class Cutter:
    """Whatever a muxer writes goes in, in any pieces; the head and whole fragments come out.

    Use ``write`` as the file of a muxer: it hands on to ``sinks`` and keeps nothing but the unfinished end.
    """

    def __init__(self, *sinks: FragmentSink) -> None:
        self.sinks = list(sinks)
        self.init: Init | None = None
        self._buffer = bytearray()
        self._held = b""  # ftyp before its moov, moof before its mdat

    def write(self, data: bytes) -> int:
        """Take bytes as a file does; hand on what is whole. Raises DamagedBoxes."""
        for made in self.feed(data):
            for sink in self.sinks:
                if isinstance(made, Init):
                    sink.begin(made)
                else:
                    sink.take(made)
        return len(data)

    def end(self) -> None:
        """Tell the sinks that nothing more comes."""
        for sink in self.sinks:
            sink.end()

    def feed(self, data: bytes) -> Iterator[Init | Fragment]:
        """Take bytes; yield what they complete. Raises DamagedBoxes."""
        self._buffer += data
        for kind, box in self._boxes():
            match kind:
                case b"ftyp" | b"moof":
                    self._held = box
                case b"moov":
                    self.init = Init(data=self._held + box, tracks=tuple(_tracks(box)))
                    if not self.init.tracks:
                        raise DamagedBoxes("The head names no track.")
                    self._held = b""
                    yield self.init
                case b"mdat":
                    if self.init is None or not self._held:
                        raise DamagedBoxes("Media before its head.")
                    yield _fragment(self.init, self._held, box)
                    self._held = b""

    def _boxes(self) -> Iterator[tuple[bytes, bytes]]:
        while len(self._buffer) >= 8:
            size = _length(self._buffer, 0, len(self._buffer))
            if size is None or size > len(self._buffer):
                return
            box = bytes(self._buffer[:size])
            del self._buffer[:size]
            yield box[4:8], box


def cut(data: bytes) -> tuple[Init, list[Fragment]]:
    """Return the head and the fragments of a whole file; an unfinished end is left out. Raises DamagedBoxes."""
    cutter = Cutter()
    fragments = [made for made in cutter.feed(data) if isinstance(made, Fragment)]
    if cutter.init is None:
        raise DamagedBoxes("There is no head.")
    return cutter.init, fragments


def children(box: bytes, skip: int = 8) -> Iterator[tuple[bytes, bytes]]:
    """Yield (kind, box) for what is inside ``box``, from ``skip`` bytes on. Raises DamagedBoxes."""
    at = skip
    while at + 8 <= len(box):
        size = _length(box, at, len(box) - at)
        if size is None or at + size > len(box):
            raise DamagedBoxes("A box is longer than what holds it.")
        yield box[at + 4 : at + 8], box[at : at + size]
        at += size


def find(box: bytes, *path: bytes) -> bytes | None:
    """Return the first box on a path of kinds below ``box``, or None."""
    for step in path:
        found = next((inner for kind, inner in children(box) if kind == step), None)
        if found is None:
            return None
        box = found
    return box


def _length(data: bytes | bytearray, at: int, left: int) -> int | None:
    """Return how long the box at ``at`` is; None while that cannot be told yet."""
    size = int.from_bytes(data[at : at + 4], "big")
    least = 8
    if size == 1:  # a 64-bit length behind the kind (section 4.2)
        if left < 16:
            return None
        size, least = int.from_bytes(data[at + 8 : at + 16], "big"), 16
    if not least <= size <= _LONGEST:
        raise DamagedBoxes(f"No box is {size} bytes long.")
    return size


def _tracks(moov: bytes) -> Iterator[Track]:
    defaults = {}
    for kind, box in children(find(moov, b"mvex") or b"\0" * 8):
        if kind == b"trex":
            defaults[_u32(box, 12)] = (_u32(box, 20), _u32(box, 28))
    for kind, trak in children(moov):
        if kind != b"trak":
            continue
        head, header = find(trak, b"tkhd"), find(trak, b"mdia", b"mdhd")
        handler, samples = find(trak, b"mdia", b"hdlr"), find(trak, b"mdia", b"minf", b"stbl", b"stsd")
        if head is None or header is None or handler is None or samples is None:
            raise DamagedBoxes("A track without its head.")
        id_, timescale = _u32(head, 28 if head[8] else 20), _u32(header, 28 if header[8] else 20)
        if not timescale:
            raise DamagedBoxes("A track without a clock.")
        duration, flags = defaults.get(id_, (0, 0))
        yield Track(
            id=id_,
            kind=handler[16:20].decode("latin-1"),
            timescale=timescale,
            codec=_codec(samples),
            default_flags=flags,
            default_duration=duration,
        )


def _codec(stsd: bytes) -> str:
    """Return the RFC 6381 name of the first sample entry, as far as this hall makes or takes them."""
    name, entry = next(children(stsd, 16), (b"", b""))
    match name:
        case b"avc1" | b"avc3":
            avcc = next((box for kind, box in children(entry, 86) if kind == b"avcC"), b"")
            return f"{name.decode()}.{avcc[9:12].hex()}"
        case b"mp4a":
            return "mp4a.40.2"  # AAC-LC, the only AAC here
        case b"Opus":
            return "opus"
        case _:
            return name.decode("latin-1")


def _fragment(init: Init, moof: bytes, mdat: bytes) -> Fragment:
    lead = init.lead
    for kind, traf in children(moof):
        if kind != b"traf":
            continue
        tfhd, tfdt = find(traf, b"tfhd"), find(traf, b"tfdt")
        if tfhd is None or _u32(tfhd, 12) != lead.id:
            continue
        if tfdt is None:
            raise DamagedBoxes("A fragment that does not say when it is.")
        began = int.from_bytes(tfdt[12:20], "big") if tfdt[8] else _u32(tfdt, 12)
        lasts, keyframe = _samples(lead, tfhd, [box for name, box in children(traf) if name == b"trun"])
        at = began * 1000 // lead.timescale
        until = (began + lasts) * 1000 // lead.timescale
        return Fragment(data=moof + mdat, keyframe=keyframe, decode_ms=at, duration_ms=until - at)
    # A fragment of sound alone in a file with a picture: it is sent along, and moves no clock.
    return Fragment(data=moof + mdat, keyframe=False, decode_ms=0, duration_ms=0)


def _samples(lead: Track, tfhd: bytes, runs: list[bytes]) -> tuple[int, bool]:
    """Return how long the runs last, in the track's ticks, and whether the first sample stands by itself."""
    flags, at = _u32(tfhd, 8), 16
    at += 8 if flags & 0x01 else 0  # base_data_offset
    at += 4 if flags & 0x02 else 0  # sample_description_index
    duration, sample_flags = lead.default_duration, lead.default_flags
    if flags & _DEFAULT_DURATION:
        duration, at = _u32(tfhd, at), at + 4
    at += 4 if flags & _DEFAULT_SIZE else 0
    if flags & _DEFAULT_FLAGS:
        sample_flags = _u32(tfhd, at)
    total, first = 0, True
    keyframe = False
    for trun in runs:
        has, count = _u32(trun, 8), _u32(trun, 12)
        at = 16 + (4 if has & _DATA_OFFSET else 0)
        own = None
        if has & _FIRST_FLAGS:
            own, at = _u32(trun, at), at + 4
        row = 4 * sum(1 for bit in (_DURATION, _SIZE, _FLAGS, _SHIFT) if has & bit)
        if at + row * count > len(trun):
            raise DamagedBoxes("A run with fewer samples than it says.")
        if first and count:
            where = at + 4 * sum(1 for bit in (_DURATION, _SIZE) if has & bit)
            told = own if own is not None else _u32(trun, where) if has & _FLAGS else sample_flags
            keyframe, first = not told & _NOT_SYNC, False
        total += sum(_u32(trun, at + row * k) for k in range(count)) if has & _DURATION else duration * count
    return total, keyframe


def _u32(box: bytes, at: int) -> int:
    if at + 4 > len(box):
        raise DamagedBoxes("A box ends too early.")
    return int.from_bytes(box[at : at + 4], "big")
