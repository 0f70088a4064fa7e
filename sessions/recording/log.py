"""The recording as a transparency log: its closed whole is signed, witnessed and stamped, as the other logs are.

Before that no checkpoint of it is signed: what the opening's log says of it (RecordingNoted) lies under that log's.
"""

from __future__ import annotations

import asyncio
import logging

from crypto.tlog import Tree
from sessions.clock import Clock
from sessions.events import Stream
from sessions.ids import SessionId
from sessions.keys.hallkey import HallKeys
from sessions.opening import Opening
from sessions.outside.anchoring import Outside, answered, asking, convicting
from sessions.outside.opening_log import LogDoubted, sign_head
from sessions.plan import Watch
from sessions.ports import RECORDING, Anchor, CheckpointStore, EventStore, HoldsAnother, Kept, Signed

CHECKPOINT = "log/recording.checkpoint"
FIRST_REST, LONGEST_REST = 1.0, 60.0
ROUNDS = 200
"""How often those who do not answer are asked again: some three hours."""

_log = logging.getLogger(__name__)


def origin_of(watch: Watch) -> str:
    """Return the name of the recording's log beside the log of the opening."""
    return f"{watch.origin}/recording"


async def tree_of(events: EventStore, session: SessionId) -> Tree:
    """Return the tree over every event of the recording."""
    digests = await events.digests(session, Stream.RECORDING)
    return Tree(bytes.fromhex(digest) for digest in digests)


class RecordingLog:
    """The logs of this hall's recordings. All methods belong to one event loop."""

    def __init__(
        self, *, events: EventStore, checkpoints: CheckpointStore, outside: Outside, hall: HallKeys, clock: Clock
    ) -> None:
        self._events = events
        self._checkpoints = checkpoints
        self._outside = outside
        self._hall = hall
        self._clock = clock

    async def hold(self, opening: Opening) -> None:
        """Sign the closed recording and ask outside until everybody has answered; not for ever.

        A hall whose database is doubted signs nothing more, and the check of the bundle says so.
        """
        session, watch = opening.plan.session, opening.plan.watch
        if watch is None:
            return
        rest = FIRST_REST
        for _ in range(ROUNDS):
            try:
                if not await self._round(opening, watch):
                    return
            except LogDoubted as doubt:
                _log.critical("the database is doubted", extra={"session": session, "why": str(doubt)})
                return
            except Exception:
                _log.exception("the recording was not held outside, trying again", extra={"session": session})
            await asyncio.sleep(rest)
            rest = min(2 * rest, LONGEST_REST)

    async def answers(self, session: SessionId) -> int:
        """Return how many outside hold the closed recording."""
        return len(await self._checkpoints.kept(session, Stream.RECORDING))

    async def _round(self, opening: Opening, watch: Watch) -> bool:
        """Ask everybody who is missing once; return whether somebody still is."""
        session, tree = opening.plan.session, await tree_of(self._events, opening.plan.session)

        async def grown() -> Tree:
            return tree

        signed = await sign_head(self._checkpoints, self._hall.of(opening.plan), session, origin_of(watch), grown)
        missing = await self._missing(session, watch)
        await asyncio.gather(*(self._ask(opening, anchor, signed, tree) for anchor in missing))
        return bool(await self._missing(session, watch))

    async def _missing(self, session: SessionId, watch: Watch) -> list[Anchor]:
        have = {(one.kind, one.by) for one in await self._checkpoints.kept(session, Stream.RECORDING)}
        return [anchor for who, anchor in self._outside.named(watch).items() if who not in have]

    async def _ask(self, opening: Opening, anchor: Anchor, signed: Signed, tree: Tree) -> None:
        session = opening.plan.session
        try:
            said = await answered(opening, anchor, asking(signed, tree), self._clock)
        except HoldsAnother as other:
            hall = self._hall.of(opening.plan).public
            if convicting(other.note, by=anchor.name, hall=hall, origin=signed.origin, tree=tree):
                await self._checkpoints.convict(session, anchor.name, other.note)
            return
        if said is not None:
            kept = Kept(
                session=session, point=RECORDING, kind=anchor.kind, by=anchor.name, size=signed.size, said=said
            )
            await self._checkpoints.keep(kept)
