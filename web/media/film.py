"""The recording of an opening for whoever looks at its record: which file shows which moment, and what is missing."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from sessions.events import Recorded, Stream
from sessions.ids import SessionId
from sessions.opening import OVER, Opening
from sessions.ports import RecordingStore
from sessions.recording import Gap, Part, Recording, gaps
from sessions.recording.bundle import pieces
from sessions.recording.captions import captions
from sessions.recording.mp4 import NotOurs
from sessions.recording.sources import Sent, sent
from sessions.recording.state import PROGRAMME
from sessions.service import Sessions
from sessions.shape import rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """The closed recording of the programme. ``zero`` is the moment from which its seconds count."""

    session: SessionId
    parts: tuple[Part, ...]
    gaps: tuple[Gap, ...]

    @property
    def zero(self) -> datetime:
        return self.parts[0].utc

    @property
    def sources(self) -> list[tuple[Part, str]]:
        """Each part with the address of its file."""
        place = f"/s/{quote(self.session, safe='')}/recording"
        return [(part, f"{place}/{part.name}.mp4") for part in self.parts]

    def captions(self, language: str) -> str:
        """Return the address of the captions."""
        return f"/s/{quote(self.session, safe='')}/recording/captions.{language}.vtt"

    def told(self) -> Mapping[str, object]:
        """Return what the script of the page is told."""
        parts = [
            {"url": url, "utc": rfc3339(part.utc), "from": part.start_ms, "until": part.end_ms}
            for part, url in self.sources
        ]
        return {"zero": rfc3339(self.zero), "parts": parts}


async def sources_of(sessions: Sessions, session: SessionId, opening: Opening) -> tuple[Sent, ...]:
    """Return the files of the sources of an opening that is over and whose recording is closed."""
    if opening.status not in OVER or not opening.plan.recording:
        return ()
    recording = await sessions.recording(session)
    return sent(recording, opening) if recording.closed else ()


async def film_of(sessions: Sessions, session: SessionId, opening: Opening) -> Film | None:
    """Return the film of an opening that is over and whose recording is closed; None if there is none to show."""
    if opening.status not in OVER or not opening.plan.recording:
        return None
    recording = await sessions.recording(session)
    parts = tuple(part for part in recording.track(PROGRAMME) if part.fragments)
    if not recording.closed or not parts:
        return None
    return Film(session=session, parts=parts, gaps=missing(recording, opening))


def missing(recording: Recording, opening: Opening) -> tuple[Gap, ...]:
    """Return the stretches of an opening that is over of which there is no picture."""
    begins = opening.runs[0].entered_at if opening.runs else opening.at
    return tuple(gaps(recording, begins, opening.at))


class Films:
    """Finished files, each made once and kept beside what they were made of."""

    def __init__(self, sessions: Sessions, store: RecordingStore, folder: Path) -> None:
        self._sessions = sessions
        self._store = store
        self._folder = folder
        self._turns: dict[Path, asyncio.Lock] = {}

    async def file(self, session: SessionId, part: str) -> Path | None:
        """Return the finished file of a part of the film, or of a source; None if there is none."""
        opening = await self._sessions.state(session)
        film = await film_of(self._sessions, session, opening)
        sources = await sources_of(self._sessions, session, opening)
        parts = [*(film.parts if film is not None else ()), *(one.part for one in sources)]
        found = next((one for one in parts if one.name == part), None)
        if found is None:
            return None
        path = self._folder / session / "finished" / f"{part}.mp4"
        async with self._turns.setdefault(path, asyncio.Lock()):  # a player asks for many ranges at once
            made = path.exists() or await self._make(opening, found, path)
        return path if made else None

    async def _make(self, opening: Opening, part: Part, path: Path) -> bool:
        session = opening.plan.session
        log = await self._sessions.events(session)
        recorded = await self._sessions.events(session, Stream.RECORDING)
        try:
            await asyncio.to_thread(lambda: _keep(path, pieces(opening, log, recorded, part, self._store)))
        except (OSError, NotOurs):
            return False
        return True

    async def captions(self, session: SessionId, language: str) -> str | None:
        """Return the captions of the film as WebVTT; None if there is no film."""
        film = await film_of(self._sessions, session, await self._sessions.state(session))
        if film is None:
            return None
        log: Sequence[Recorded] = await self._sessions.events(session)
        return captions(log, film.zero, film.parts[-1].ends, language)


def _keep(path: Path, content: Iterator[bytes]) -> None:
    """Put the file in place at once: whoever asks meanwhile sees the whole of it, or none. Blocks."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.writelines(content)
            file.flush()
            os.fsync(file.fileno())  # or a power cut leaves half of it under its name, and it is never made again
        except BaseException:
            os.unlink(file.name)
            raise
    os.replace(file.name, path)
