"""A recorder of a generated opening: begins files, writes what was really encoded, dies, and begins again.

By a chance of its own, so that openings without a recording tell what they told.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from io import BytesIO
from typing import BinaryIO

from crypto.digest import sha256_hex
from crypto.tlog import Tree
from hall.media.mp4 import boxes
from sessions import commands as c
from sessions.events import Recorded
from sessions.ids import Digest, SessionId
from sessions.recording.state import PROGRAMME, Part, Recording
from tests.support.film import kept

TRACKS = (PROGRAMME, PROGRAMME, PROGRAMME, "host")


@cache
def _film() -> tuple[bytes, str, Sequence[tuple[boxes.Fragment, Digest]]]:
    init, fragments = kept()
    return init.data, init.codecs, [(one, Digest(sha256_hex(one.data))) for one in fragments]


class Filming:
    """Says what a recorder does next, and keeps its files. It is a RecordingStore, as far as an archive needs one."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(f"{seed} film")
        self.wanted = self.chance.random() < 0.3
        self._files: dict[str, bytes] = {}

    def open(self, _: SessionId, part: str) -> BinaryIO:
        return BytesIO(self._files[part])

    def next(self, recording: Recording, at: datetime) -> c.RecordingCommand:
        """What happens to the recorder now."""
        track = self.chance.choice(TRACKS)
        open_ = [part for part in recording.track(track) if not part.broken][-1:]
        if not open_ or self.chance.random() < 0.1:
            return self._begins(track, len(recording.track(track)) + 1, at)
        if self.chance.random() < 0.15:
            return c.BreakTrack(track=track, part=open_[0].part)
        return self._goes_on(open_[0])

    def _begins(self, track: str, part: int, at: datetime) -> c.BeginTrack:
        data, codec, _ = _film()
        self._files[f"{track}-{part}"] = data
        return c.BeginTrack(
            track=track,
            part=part,
            codec=codec,
            init_length=len(data),
            init_sha256=Digest(sha256_hex(data)),
            utc=at,
        )

    def _goes_on(self, part: Part) -> c.KeepFragments:
        """Some fragments of the film, where the file has come to; now and then after a hole."""
        _, _, film = _film()
        fragments, time = [], part.end_ms
        for number in range(self.chance.randrange(1, 4)):
            data, digest = film[(part.fragments + number) % len(film)]
            time += self.chance.choice((0, 0, 0, 0, -1, 2500)) if time else 0
            fragments.append(
                c.Fragment(
                    offset=len(self._files[part.name]),
                    length=len(data.data),
                    sha256=digest,
                    time_ms=time,
                    duration_ms=data.duration_ms,
                    keyframe=data.keyframe,
                )
            )
            self._files[part.name] += data.data
            time += data.duration_ms
        return c.KeepFragments(track=part.track, part=part.part, fragments=tuple(fragments))

    def ends(self) -> c.CloseRecording:
        return c.CloseRecording(whole=self.chance.random() < 0.7)

    def noted(self, records: Sequence[Recorded]) -> c.NoteRecording:
        """What the opening's log says of the recording, perhaps of what it was a little earlier."""
        size = self.chance.randrange(1, len(records) + 1) if self.chance.random() < 0.3 else len(records)
        tree = Tree(bytes.fromhex(record.digest) for record in records[:size])
        return c.NoteRecording(size=size, root=Digest(tree.root().hex()))
