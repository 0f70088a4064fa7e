"""Asks outside for what the rules want held outside: witnesses and timestamp authorities, at every point.

What is to be asked follows from the state alone, so a crash loses nothing: it is asked again, and an answer that was
kept is recorded. Nobody waits for anybody here: each is asked by itself, with a time limit, again and again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from crypto.digest import sha256_hex
from crypto.tlog import peek_checkpoint
from sessions.clock import Clock
from sessions.commands import RecordAnchor, RecordDispute
from sessions.errors import CommandRefused
from sessions.ids import Digest, SessionId
from sessions.keys.hallkey import HallKeys
from sessions.opening import OVER, Opening
from sessions.opening.points import named
from sessions.outside.anchoring import answered, asking, convicting
from sessions.outside.opening_log import LogDoubted, OpeningLog
from sessions.plan import AnchorKind, Watch
from sessions.ports import (
    FINAL,
    Anchor,
    CheckpointStore,
    HoldsAnother,
    Kept,
    Leads,
    LeadsAll,
    ToAnchor,
    Witnessing,
)
from sessions.roles import CLOCK
from sessions.service import Sessions
from sessions.tasks import Tasks

FIRST_REST, LONGEST_REST = 0.5, 30.0
GREETING = 2.0
"""Seconds in which witnesses may say at the start what they hold, before a restored backup signs anything."""

REMEMBERED = 5.0

UNFINISHED = timedelta(days=7)
"""How long after its end a session's witnesses are asked again at a start."""

_log = logging.getLogger(__name__)

Wanted = tuple[str, AnchorKind, str]
"""Point, kind and name of an answer that is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Everybody whom this hall can ask: witnesses by their vkey, timestamp authorities by name."""

    witnesses: Mapping[str, Witnessing]
    authorities: Mapping[str, Anchor]

    def named(self, watch: Watch) -> dict[tuple[AnchorKind, str], Anchor]:
        """Return those of them whom a plan names. One whose address is no longer known here is left out."""
        found: dict[tuple[AnchorKind, str], Anchor] = {}
        for vkey in watch.witnesses:
            if (witness := self.witnesses.get(vkey)) is not None:
                found[AnchorKind.WITNESS, witness.name] = witness
        for name in watch.authorities:
            if (authority := self.authorities.get(name)) is not None:
                found[AnchorKind.STAMP, name] = authority
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Who shows another log under this hall's own signature, and how many entries that has."""

    by: str
    size: int


class Notary:
    """Works for every session of this process. All methods belong to one event loop; ``close`` it last."""

    def __init__(
        self,
        sessions: Sessions,
        log: OpeningLog,
        checkpoints: CheckpointStore,
        outside: Outside,
        *,
        hall: HallKeys,
        clock: Clock,
        leading: Leads | None = None,
    ) -> None:
        self._leading = leading or LeadsAll()
        self._sessions = sessions
        self._openings = log
        self._checkpoints = checkpoints
        self._outside = outside
        self._hall = hall
        self._clock = clock
        self._running = Tasks("notary")
        self._finished: set[SessionId] = set()
        self._waited: set[SessionId] = set()
        self._convictions: tuple[float, tuple[tuple[SessionId, str, str], ...]] | None = None

    async def greet(self, sessions: Collection[SessionId] | None = None) -> None:
        """Compare what the witnesses hold with what this database holds, before anything is signed or settled.

        Of these sessions, or of all.
        """
        openings = await self._recent(sessions)
        told: list[tuple[Opening, str, str]] = []
        try:
            async with asyncio.timeout(GREETING):
                await asyncio.gather(*(self._greet(opening, told) for opening in openings))
        except TimeoutError:
            _log.warning("some witnesses did not say at the start what they hold")
        for opening, witness, note in told:
            await self._judge(opening, witness, note)

    async def start(self, sessions: Collection[SessionId] | None = None) -> None:
        """Take up what was interrupted, in these sessions or in all."""
        for opening in await self._recent(sessions):
            self.look(opening.plan.session, opening)

    async def stop(self, sessions: Collection[SessionId]) -> None:
        """Leave these to another worker."""
        await self._running.stop(sessions)

    async def _recent(self, sessions: Collection[SessionId] | None) -> list[Opening]:
        """Those of the openings that are not over, or have not been for long."""
        since = self._clock.now() - UNFINISHED
        calendar = await self._sessions.calendar()
        recent = [one.session for one in calendar if one.ended_at is None or one.ended_at > since]
        return [await self._sessions.state(each) for each in recent if sessions is None or each in sessions]

    def look(self, session: SessionId, opening: Opening) -> None:
        """See whether something is to be asked, after every commit. Returns at once."""
        watch = opening.plan.watch
        if watch is None or session in self._finished:
            return
        known = self._outside.named(watch)
        over = opening.status in OVER
        if known and (over or any((kind, name) in known for _, kind, name in _pending(opening))):
            self._running.begin(session, partial(self._work, session))

    async def finished(self, session: SessionId, patience: float) -> None:
        """Return when everybody has answered for the end of this session; it is waited for once, and not for ever."""
        opening = await self._sessions.state(session)
        if self._leading.leads(session):
            self.look(session, opening)
            if session in self._running and session not in self._waited:
                await self._running.wait(session, patience)
                self._waited.add(session)
            return
        if session in self._waited:
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + patience
        known = self._outside.named(opening.plan.watch) if opening.plan.watch else {}
        while loop.time() < until and any(who[1:] in known for who in await self._wanted(opening)):  # noqa: ASYNC110
            await asyncio.sleep(FIRST_REST)  # another worker asks them, and only the store tells
        self._waited.add(session)

    async def answers(self, session: SessionId) -> tuple[Kept, ...]:
        """Return what was said so far to the checkpoints of this session."""
        return await self._checkpoints.kept(session)

    async def doubts(self) -> tuple[str, ...]:
        """Return what speaks against this database, a sentence each."""
        found = await self._checkpoints.convictions()
        convicted = {session for session, _, _ in found}
        told = [f"witness {by} holds another log of {session} under this hall's key" for session, by, _ in found]
        lost = [said for session, said in self._openings.lost.items() if session not in convicted]
        return (*told, *lost)

    async def since_the_end(self, session: SessionId) -> tuple[Split, ...]:
        """Return the proofs against the logs of an opening that came when its own log could take them no more.

        Read from the database once in ``REMEMBERED`` seconds, whoever asks: everybody who looks at the page does.
        """
        opening = await self._sessions.state(session)
        if opening.status not in OVER:
            return ()
        now = asyncio.get_running_loop().time()
        if self._convictions is None or now - self._convictions[0] >= REMEMBERED:
            self._convictions = (now, await self._checkpoints.convictions())
        told = {dispute.by for dispute in opening.disputes}
        mine = [(by, note) for convicted, by, note in self._convictions[1] if convicted == session and by not in told]
        return tuple(Split(by=by, size=peek_checkpoint(note).size) for by, note in mine)

    async def close(self) -> None:
        """Stop asking."""
        await self._running.stop()

    async def _work(self, session: SessionId) -> None:
        rest, missing = FIRST_REST, 1
        while missing:
            try:
                missing = await self._round(session)
            except LogDoubted as doubt:
                _log.critical("the database is doubted", extra={"session": session, "why": str(doubt)})
                return
            except Exception:
                _log.exception("the witnesses could not be asked, trying again", extra={"session": session})
                missing = 1
            if missing:
                rest = min(2 * rest, LONGEST_REST)
                await asyncio.sleep(rest)

    async def _round(self, session: SessionId) -> int:
        """Ask everybody who is missing once; return how many still are."""
        opening = await self._sessions.state(session)
        watch = opening.plan.watch
        if watch is None:
            return 0
        for kept in await self._checkpoints.kept(session):  # a crash came between keeping and recording
            if (kept.point, kept.kind, kept.by) in _pending(opening):
                await self._record(opening, kept)
        opening = await self._sessions.state(session)
        wanted = await self._wanted(opening)
        known = self._outside.named(watch)
        asked = sorted({(kind, name) for _, kind, name in wanted} & known.keys())
        if not asked:
            if opening.status in OVER and not wanted:
                self._finished.add(session)
            return 0
        signed = await self._openings.checkpoint(session, watch.origin)
        tree = await self._openings.tree(session)
        checkpoint = asking(signed, tree)
        await asyncio.gather(
            *(self._ask(opening, known[who], checkpoint, [w for w in wanted if (w[1], w[2]) == who]) for who in asked)
        )
        still = await self._wanted(await self._sessions.state(session))
        return len({(kind, name) for _, kind, name in still} & known.keys())

    async def _wanted(self, opening: Opening) -> list[Wanted]:
        """What is missing: for the points while the session lives, for its end afterwards."""
        if opening.status not in OVER:
            return _pending(opening)
        everything = await self._checkpoints.kept(opening.plan.session)
        have = {(kept.kind, kept.by) for kept in everything if kept.point == FINAL}
        everybody = [(kind, name) for kind in AnchorKind for name in named(opening, kind)]
        return [(FINAL, kind, name) for kind, name in everybody if (kind, name) not in have]

    async def _ask(self, opening: Opening, anchor: Anchor, asked: ToAnchor, wanted: list[Wanted]) -> None:
        try:
            said = await answered(opening, anchor, asked, self._clock)
        except HoldsAnother as other:
            await self._judge(opening, anchor.name, other.note)
            return
        if said is None:
            return
        for point, kind, name in wanted:
            kept = Kept(session=opening.plan.session, point=point, kind=kind, by=name, size=asked.size, said=said)
            kept = await self._checkpoints.keep(kept)
            if point != FINAL:
                await self._record(opening, kept)

    async def _record(self, opening: Opening, kept: Kept) -> None:
        tree = await self._openings.tree(kept.session)
        command = RecordAnchor(
            point=kept.point,
            kind=kept.kind,
            by=kept.by,
            size=kept.size,
            root=Digest(tree.root(kept.size).hex()),
            sha256=Digest(sha256_hex(kept.said.evidence)),
            said_at=kept.said.at,
            proof=kept.said.proof,
        )
        try:
            await self._sessions.handle(kept.session, command, CLOCK)
        except CommandRefused as refused:  # the session ended meanwhile: what follows is held by its end
            _log.info("an answer came too late", extra={"session": kept.session, "code": refused.code})

    async def _greet(self, opening: Opening, told: list[tuple[Opening, str, str]]) -> None:
        watch = opening.plan.watch
        if watch is None:
            return
        for vkey in watch.witnesses:
            witness = self._outside.witnesses.get(vkey)
            note = await witness.seen(watch.origin) if witness is not None else None
            if witness is not None and note is not None:
                told.append((opening, witness.name, note))

    async def _judge(self, opening: Opening, by: str, note: str) -> None:
        """Believe a witness only what the hall's own signature proves: then the hall convicts itself, in public."""
        watch, session = opening.plan.watch, opening.plan.session
        if watch is None:
            return
        tree, hall = await self._openings.tree(session), self._hall.of(opening.plan).public
        held = convicting(note, by=by, hall=hall, origin=watch.origin, tree=tree)
        if held is None:
            return
        await self._checkpoints.convict(session, by, note)
        command = RecordDispute(
            by=by,
            kind="behind" if held.size > len(tree) else "split",
            size=held.size,
            root=Digest(held.root.hex()),
            held=len(tree),
            sha256=Digest(sha256_hex(note.encode())),
        )
        try:
            await self._sessions.handle(session, command, CLOCK)
        except CommandRefused as refused:  # it is over: what was kept above says it to whoever asks for a checkpoint
            _log.info("a dispute came too late for the log", extra={"session": session, "code": refused.code})


def _pending(opening: Opening) -> list[Wanted]:
    """The answers that the rules still wait for, or would still take."""
    if opening.disputes or opening.status in OVER:
        return []
    return [
        (point.name, kind, name)
        for point in opening.points
        for kind in AnchorKind
        for name in named(opening, kind)
        if name not in point.by(kind)
    ]
