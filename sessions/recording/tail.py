"""Follows what the recorder writes and makes facts of it, in the sessions that this worker leads.

The recorder may die, come back or never come: its files are looked at again and again, and whatever is whole in them
is recorded. Nothing here can stop a recording, and nothing in the opening waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Protocol

from sessions.clock import Clock
from sessions.codec import Command
from sessions.commands import BeginTrack, BreakTrack, CloseRecording, Fragment, KeepFragments, NoteRecording
from sessions.errors import CommandRefused
from sessions.events import Recorded
from sessions.ids import Digest, SessionId, StepId
from sessions.opening import OVER, Opening, Status
from sessions.plan import StepKind
from sessions.ports import EventStore, RecordingStore, Summary
from sessions.recording.index import BadIndex, Began, Closed, read
from sessions.recording.log import RecordingLog, tree_of
from sessions.recording.rules import MOST
from sessions.recording.state import Recording, noted
from sessions.roles import CLOCK, Actor
from sessions.tasks import Tasks

LOOK = 0.5
"""Seconds between two looks at the files."""

BATCH = 10.0
"""Seconds of fragments in one event at most."""

NOTE = 60.0
"""Seconds between two notes in the opening's log, but for those at its steps."""

PATIENCE = 12.0
"""Seconds that an opening that is over waits for the recorder to close its files."""

UNBEGUN = 2.0
"""The same where no recorder ever began."""

UNFINISHED = timedelta(days=7)
"""How long after its end a session's recording is taken up again at a start."""

_log = logging.getLogger(__name__)


class Service(Protocol):
    """What is needed of Sessions."""

    async def state(self, session: SessionId) -> Opening: ...

    async def recording(self, session: SessionId) -> Recording: ...

    async def calendar(self) -> tuple[Summary, ...]: ...

    async def handle(self, session: SessionId, command: Command, actor: Actor) -> tuple[Recorded, ...]: ...


@dataclass(slots=True, kw_only=True)
class _File:
    """One index as far as it was read. ``waiting``: fragments that are no fact yet."""

    began: Began | None = None
    after: int = 0
    waiting: list[Fragment] = field(default_factory=list)
    closed: bool = False
    broken: bool = False
    unreadable: bool = False


class Tail:
    """The recordings of the sessions that this process leads. All methods belong to one event loop; ``close`` it."""

    def __init__(
        self, service: Service, store: RecordingStore, *, events: EventStore, log: RecordingLog, clock: Clock
    ) -> None:
        self._service = service
        self._store = store
        self._events = events
        self._log = log
        self._clock = clock
        self._running = Tasks("recording")
        self._stirred: dict[SessionId, asyncio.Event] = {}
        self._holding = Tasks("hold recording")
        self._done: set[SessionId] = set()

    def look(self, session: SessionId, opening: Opening) -> None:
        """Begin with check-in, and look at once when something happened. Returns at once."""
        if not opening.plan.recording or session in self._done or opening.status is Status.SCHEDULED:
            return
        self._stirred.setdefault(session, asyncio.Event()).set()
        self._running.begin(session, partial(self._work, session))

    async def start(self, sessions: Collection[SessionId] | None = None) -> None:
        """Take up what was interrupted, in these sessions or in all."""
        since = self._clock.now() - UNFINISHED
        for one in await self._service.calendar():
            mine = (sessions is None or one.session in sessions) and (one.ended_at is None or one.ended_at > since)
            if mine and one.plan.get("recording"):
                self.look(one.session, await self._service.state(one.session))

    async def stop(self, sessions: Collection[SessionId]) -> None:
        """Leave these to another worker."""
        await self._running.stop(sessions)
        await self._holding.stop(sessions)

    async def close(self) -> None:
        """Stop following."""
        await self._running.stop()
        await self._holding.stop()

    async def finished(self, session: SessionId, patience: float) -> bool:
        """Return whether the recording of an opening that is over is closed, having waited for it, not for ever.

        True where there is none. Some of the time is for those outside, who hold it.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + patience
        if not (await self._service.state(session)).plan.recording:
            return True
        closed = False
        while not closed and loop.time() < until:
            closed = (await self._service.recording(session)).closed
            await asyncio.sleep(0 if closed else LOOK / 2)
        await self._holding.wait(session, max(0.0, until - loop.time()))
        return closed

    async def told(self, session: SessionId) -> str | None:
        """Return what a bundle has of the recording: how long it is, who outside holds it. None: there is none."""
        if not (await self._service.state(session)).plan.recording:
            return None
        return f"{(await self._service.recording(session)).length}/{await self._log.answers(session)}"

    async def _work(self, session: SessionId) -> None:
        files: dict[str, _File] = {}
        seen = _Seen()
        while session not in self._done:
            try:
                if await self._round(session, files, seen):
                    self._done.add(session)
                    del self._stirred[session]
                    return
            except CommandRefused as refused:
                _log.error("what was recorded does not follow", extra={"session": session, "code": refused.code})
                files.clear()  # read it all again: what is known is passed over
            except Exception:
                _log.exception("the recording could not be followed, trying again", extra={"session": session})
            try:
                async with asyncio.timeout(LOOK):
                    await self._stirred[session].wait()
                self._stirred[session].clear()
            except TimeoutError:
                pass

    async def _round(self, session: SessionId, files: dict[str, _File], seen: _Seen) -> bool:
        """Look once; return whether there is nothing more to come."""
        opening, now = await self._service.state(session), asyncio.get_running_loop().time()
        recording = await self._service.recording(session)
        over = opening.status in OVER
        if not recording.closed:
            await asyncio.to_thread(self._read, session, files)
            stepped = opening.step != seen.step
            last = over and (seen.over_for(now) >= (PATIENCE if files else UNBEGUN) or _all_closed(files))
            if stepped or over or now - seen.flushed >= BATCH or any(one.closed for one in files.values()):
                seen.flushed = now
                await self._flush(session, files)
            await self._break(session, files, everything=last)
            if last:
                await self._service.handle(session, CloseRecording(whole=_all_closed(files)), CLOCK)
            elif not over and (stepped or opening.recorded == 0 or now - seen.noted >= NOTE):
                seen.step, seen.noted = opening.step, now
                await self._note(session, opening)
            if not last:
                return False
        self._holding.begin(session, partial(self._log.hold, opening))
        return True

    def _read(self, session: SessionId, files: dict[str, _File]) -> None:
        for name in self._store.parts(session):
            file = files.setdefault(name, _File())
            while not (file.closed or file.unreadable):
                try:
                    lines, length = read(self._store.told(session, name, file.after))
                except BadIndex as error:
                    _log.error("an index cannot be read", extra={"session": session, "part": name, "why": str(error)})
                    file.unreadable = True
                    break
                if not lines:
                    break
                file.after += length
                for line in lines:
                    match line:
                        case Began():
                            file.began = line
                        case Fragment():
                            file.waiting.append(line)
                        case Closed():
                            file.closed = True

    async def _flush(self, session: SessionId, files: dict[str, _File]) -> None:
        recording = await self._service.recording(session)
        for file in files.values():
            began = file.began
            if began is None:
                continue
            if recording.part(began.track, began.part) is None:
                begin = BeginTrack(
                    track=began.track,
                    part=began.part,
                    codec=began.codec,
                    init_length=began.init_length,
                    init_sha256=began.init_sha256,
                    utc=began.utc,
                )
                await self._service.handle(session, begin, CLOCK)
            while file.waiting:
                batch = tuple(file.waiting[:MOST])
                kept = KeepFragments(track=began.track, part=began.part, fragments=batch)
                await self._service.handle(session, kept, CLOCK)
                del file.waiting[: len(batch)]

    async def _break(self, session: SessionId, files: dict[str, _File], *, everything: bool) -> None:
        """Say of files that nobody writes any more, and nobody closed, that they broke off."""
        newest: dict[str, int] = {}
        known = [file for file in files.values() if file.began is not None]
        for file in known:
            if file.began is not None:
                newest[file.began.track] = max(newest.get(file.began.track, 0), file.began.part)
        for file in known:
            began = file.began
            if began is None or file.closed or file.broken:
                continue
            if everything or began.part < newest[began.track]:
                await self._flush(session, files)
                await self._service.handle(session, BreakTrack(track=began.track, part=began.part), CLOCK)
                file.broken = True

    async def _note(self, session: SessionId, opening: Opening) -> None:
        tree, recording = await tree_of(self._events, session), await self._service.recording(session)
        run = opening.run_of(StepKind.CHECKIN)
        if len(tree) <= opening.recorded or len(tree) != recording.length or run is None:
            return
        until, gaps = noted(recording, run.entered_at)
        note = NoteRecording(size=len(tree), root=Digest(tree.root().hex()), until=until, gaps=gaps)
        try:
            await self._service.handle(session, note, CLOCK)
        except CommandRefused as refused:
            if refused.code != "session_over":  # since it was looked at: the next round closes the recording
                raise


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What the last look found, by the loop's clock."""

    step: StepId | None = None
    flushed: float = 0.0
    noted: float = 0.0
    over_since: float | None = None

    def over_for(self, now: float) -> float:
        if self.over_since is None:
            self.over_since = now
        return now - self.over_since


def _all_closed(files: dict[str, _File]) -> bool:
    """Whether there is a file, and the last part of every track was closed."""
    last: dict[str, _File] = {}
    for file in sorted((f for f in files.values() if f.began is not None), key=_part):
        if file.began is not None:
            last[file.began.track] = file
    return bool(last) and all(file.closed for file in last.values())


def _part(file: _File) -> int:
    return file.began.part if file.began is not None else 0
