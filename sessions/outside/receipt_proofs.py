"""The log of receipts as others see it: checkpoints that the hall signed, who holds them, and each bidder's proof.

A checkpoint is signed when a tick, or T0, has made the log larger, and never twice for one size. Witnesses and
timestamp authorities are asked by the way: nothing waits for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from functools import partial
from typing import Protocol

from crypto.receipt import log_leaf, verify_receipt
from crypto.receipt_file import ReceiptFile, Stamp
from crypto.tlog import Tree, write_proof
from sessions.clock import Clock
from sessions.events import Stream
from sessions.ids import Jws, SessionId
from sessions.keys.hallkey import HallKeys
from sessions.opening import OVER, Opening
from sessions.outside.anchoring import Outside, answered, asking, convicting, cosigned, witnessed
from sessions.outside.opening_log import LogDoubted, sign_head
from sessions.plan import AnchorKind, Watch
from sessions.ports import INTAKE, Anchor, CheckpointStore, EventStore, HoldsAnother, Kept, Signed
from sessions.tasks import Tasks

CHECKPOINT = "log/intake.checkpoint"
FIRST_REST, LONGEST_REST = 1.0, 30.0
AT_ONCE = 8
"""Stamps that are asked for together when an authority was away for long."""

AT_LENGTH = 1000
"""Entries that are added to a tree at once without a thread; a few milliseconds."""

HELD = 64
"""Trees in memory; the longest unused is built again when somebody asks. One of 50,000 entries takes 3 MB."""

_log = logging.getLogger(__name__)


def origin_of(watch: Watch) -> str:
    """Return the name of the log of receipts beside the log of the opening."""
    return f"{watch.origin}/intake"


class Service(Protocol):
    """What is needed of Sessions."""

    async def state(self, session: SessionId) -> Opening: ...


class ReceiptProofs:
    """The logs of receipts of this hall. All methods belong to one event loop; ``close`` it last."""

    def __init__(
        self,
        service: Service,
        *,
        events: EventStore,
        checkpoints: CheckpointStore,
        outside: Outside,
        hall: HallKeys,
        clock: Clock,
    ) -> None:
        self._service = service
        self._events = events
        self._checkpoints = checkpoints
        self._outside = outside
        self._hall = hall
        self._clock = clock
        self._trees: dict[SessionId, Tree] = {}
        self._closed: dict[SessionId, int] = {}
        self._growing = asyncio.Lock()
        self._asking = Tasks("hold log")
        self._closing = Tasks("close log")
        self._signed: set[SessionId] = set()  # after T0

    def look(self, session: SessionId, opening: Opening) -> None:
        """Sign the log that T0 has closed, after the commit that closed it. Returns at once."""
        self._note(opening)
        if opening.frozen is not None and opening.plan.intake_log is not None and session not in self._signed:
            self._closing.begin(session, partial(self._close, session))

    async def start(self, sessions: Collection[SessionId] | None = None) -> None:
        """Take up what was interrupted, in these sessions or in all."""
        for session, _ in await self._events.live():
            if (sessions is None or session in sessions) and (
                await self._service.state(session)
            ).plan.intake_log is not None:
                await self.published(session)

    async def stop(self, sessions: Collection[SessionId]) -> None:
        """Leave these to another worker."""
        await self._closing.stop(sessions)
        await self._asking.stop(sessions)
        self._signed -= set(sessions)

    async def close(self) -> None:
        """Stop asking."""
        await self._closing.stop()
        await self._asking.stop()

    async def published(self, session: SessionId) -> Signed | None:
        """Return the signed checkpoint of the log as it stands, which is then held outside.

        None while the log is empty, and when the database is doubted: then nothing is signed any more.
        """
        plan = (await self._service.state(session)).plan
        watch, key = plan.watch, self._hall.of(plan)
        if watch is None or not len(await self.tree(session)):
            return None
        origin = origin_of(watch)
        try:
            signed = await sign_head(self._checkpoints, key, session, origin, lambda: self.tree(session))
        except LogDoubted as doubt:
            _log.critical("the database is doubted", extra={"session": session, "why": str(doubt)})
            return None
        if self._outside.named(watch):
            self._asking.begin(session, partial(self._ask, session, watch))
        return signed

    async def tree(self, session: SessionId) -> Tree:
        """Return the tree over every entry in the store. It only grows: hand sizes along with what is taken of it."""
        tree = self._trees.get(session)
        if tree is not None and len(tree) == self._closed.get(session):  # T0 has closed it: that is all of it
            return tree
        async with self._growing:
            tree = self._trees.pop(session, Tree())
            entries = await self._events.entries(session, after=len(tree))
            if len(entries) > AT_LENGTH:
                # Whoever holds the old tree reads it in the loop: a thread may build another, never touch that one.
                tree = await asyncio.to_thread(Tree, await self._events.entries(session))
            else:
                for entry in entries:
                    tree.append(entry)
            self._trees[session] = tree
            if len(self._trees) > HELD:
                gone = next(iter(self._trees))
                del self._trees[gone]
                self._closed.pop(gone, None)
        return tree

    async def file(self, session: SessionId, token: Jws) -> ReceiptFile:
        """Return the file of a receipt that this hall gave, with its proof as soon as a checkpoint covers it.

        The checkpoint is the first that enough witnesses cosigned, else the first there is.
        """
        opening = await self._service.state(session)
        self._note(opening)
        hall, watch = self._hall.of(opening.plan).public, opening.plan.watch
        file = ReceiptFile(token=token, hall=hall)
        index = await self._events.place(session, log_leaf(verify_receipt(token, hall)))
        if watch is None or index is None:
            return file
        kept = await self._checkpoints.kept(session, Stream.INTAKE)
        enough = witnessed(kept, watch.quorum, index + 1)
        if enough is None:
            signed = await self._checkpoints.from_size(origin_of(watch), index + 1)
        else:
            signed = await self._checkpoints.at(origin_of(watch), enough)
        if signed is None:
            return file
        tree = await self.tree(session)
        proof = write_proof(index, tree.inclusion_proof(index, signed.size), cosigned(signed, kept))
        stamps = (one for one in kept if one.kind is AnchorKind.STAMP and one.size == signed.size)
        return ReceiptFile(
            token=token,
            hall=hall,
            proof=proof,
            stamps=tuple(Stamp(one.by, one.said.evidence) for one in stamps),
        )

    async def checkpoint(self, session: SessionId, size: int | None = None) -> str | None:
        """Return the newest checkpoint that was signed, or the one of this size, with the cosignatures it has."""
        watch = (await self._service.state(session)).plan.watch
        if watch is None:
            return None
        origin = origin_of(watch)
        signed = await (self._checkpoints.head(origin) if size is None else self._checkpoints.at(origin, size))
        return None if signed is None else cosigned(signed, await self._checkpoints.kept(session, Stream.INTAKE))

    def _note(self, opening: Opening) -> None:
        if opening.frozen is not None and opening.frozen.intake_log_size is not None:
            self._closed[opening.plan.session] = opening.frozen.intake_log_size

    async def _close(self, session: SessionId) -> None:
        rest = FIRST_REST
        while session not in self._signed:
            try:
                await self.published(session)
                self._signed.add(session)
            except Exception:
                _log.exception("the closed log of receipts was not signed, trying again", extra={"session": session})
                await asyncio.sleep(rest)
                rest = min(2 * rest, LONGEST_REST)

    async def _ask(self, session: SessionId, watch: Watch) -> None:
        """Ask until everybody has answered: witnesses for the newest checkpoint, authorities for each there is."""
        rest, missing = FIRST_REST, True
        while missing:
            try:
                missing = await self._round(session, watch)
            except Exception:
                _log.exception("the log of receipts was not held outside, trying again", extra={"session": session})
            if missing:
                await asyncio.sleep(rest)
                rest = min(2 * rest, LONGEST_REST)

    async def _round(self, session: SessionId, watch: Watch) -> bool:
        """Ask everybody who is missing once; return whether to ask again: not once the session is over."""
        wanted = await self._wanted(session, watch)
        tree = await self.tree(session)
        await asyncio.gather(*(self._hold(session, anchor, signed, tree) for anchor, signed in wanted[:AT_ONCE]))
        missing = bool(await self._wanted(session, watch))
        return missing and (await self._service.state(session)).status not in OVER

    async def _wanted(self, session: SessionId, watch: Watch) -> list[tuple[Anchor, Signed]]:
        origin = origin_of(watch)
        have = {(one.kind, one.by, one.size) for one in await self._checkpoints.kept(session, Stream.INTAKE)}
        sizes = await self._checkpoints.sizes(origin)
        wanted: list[tuple[Anchor, Signed]] = []
        for (kind, name), anchor in self._outside.named(watch).items():
            # A witness goes only forward; a timestamp says something about each.
            asked = sizes[-1:] if kind is AnchorKind.WITNESS else sizes[::-1]
            for size in [size for size in asked if (kind, name, size) not in have][:AT_ONCE]:
                if (signed := await self._checkpoints.at(origin, size)) is not None:
                    wanted.append((anchor, signed))
        return wanted

    async def _hold(self, session: SessionId, anchor: Anchor, signed: Signed, tree: Tree) -> None:
        opening = await self._service.state(session)
        try:
            said = await answered(opening, anchor, asking(signed, tree), self._clock)
        except HoldsAnother as other:
            hall, newest = self._hall.of(opening.plan).public, await self.tree(session)
            if convicting(other.note, by=anchor.name, hall=hall, origin=signed.origin, tree=newest):
                await self._checkpoints.convict(session, anchor.name, other.note)
            return
        if said is not None:
            point = f"{INTAKE}{signed.size}"
            kept = Kept(session=session, point=point, kind=anchor.kind, by=anchor.name, size=signed.size, said=said)
            await self._checkpoints.keep(kept)


async def closed_checkpoint(
    session: SessionId, opening: Opening, events: EventStore, checkpoints: CheckpointStore, hall: HallKeys
) -> dict[str, bytes]:
    """Return the member of a bundle that holds the checkpoint of the log as T0 closed it, with its cosignatures.

    Nothing if there is no such log, or if the hall signs no more of it: then the check of the bundle says so.
    """
    watch = opening.plan.watch
    if watch is None or opening.plan.intake_log is None or opening.frozen is None:
        return {}
    tree = await asyncio.to_thread(Tree, await events.entries(session))

    async def grown() -> Tree:
        return tree

    try:
        signed = await sign_head(checkpoints, hall.of(opening.plan), session, origin_of(watch), grown)
    except LogDoubted:
        return {}
    return {CHECKPOINT: cosigned(signed, await checkpoints.kept(session, Stream.INTAKE)).encode()}
