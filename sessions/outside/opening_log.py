"""The opening's events as a transparency log: trees, checkpoints and proofs (crypto/FORMAT.md section 12).

An entry is the digest of an event, so nothing that is hidden shows. The hall signs a checkpoint only after it has
become the head in the store, one after the other, each continuing the one before: no worker, and no two of them, can
sign two roots for one size. Memory is a cache of the log and may be thrown away at any moment.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from crypto.signing import HallKey
from crypto.tlog import Checkpoint, Tree, sign_checkpoint
from sessions.errors import Stale, UnknownSession
from sessions.events import Stream
from sessions.ids import Digest, SessionId
from sessions.keys.hallkey import HallKeys, kid_in
from sessions.ports import CheckpointStore, EventStore, Signed

KEPT = 64
"""Trees held in memory; the longest unused is built again when somebody asks. One of 20,000 events takes 1.3 MB."""

ATTEMPTS = 8
"""How often a checkpoint that another worker overtook is made again."""

BREATH = 1.0
"""Seconds for which everybody who asks gets the same checkpoint: a crowd costs one signature."""


class LogDoubted(Exception):
    """The hall's own signature says that this log was another once: nothing more is signed. The message says why."""


@dataclass(slots=True)
class _Held:
    """One log in memory."""

    tree: Tree = field(default_factory=Tree)
    key: HallKey | None = field(default=None, repr=False)
    growing: asyncio.Lock = field(default_factory=asyncio.Lock)
    signing: asyncio.Lock = field(default_factory=asyncio.Lock)
    newest: Signed | None = None
    signed_at: float = 0.0


class OpeningLog:
    """The logs of this hall's openings. All methods belong to one event loop."""

    def __init__(self, events: EventStore, checkpoints: CheckpointStore, hall: HallKeys, *, kept: int = KEPT) -> None:
        self._events = events
        self._checkpoints = checkpoints
        self._hall = hall
        self._kept = kept
        self._logs: OrderedDict[SessionId, _Held] = OrderedDict()
        self.lost: dict[SessionId, str] = {}  # logs of which the database lost what it had signed, and what is known

    async def tree(self, session: SessionId) -> Tree:
        """Return the tree over every event in the store. It only grows: hand sizes along with what is taken of it."""
        held = self._held(session)
        async with held.growing:
            digests = await self._events.digests(session, Stream.OPENING, after=len(held.tree))
            if len(digests) > 1000:  # a long session, read for the first time
                await asyncio.to_thread(_grow, held.tree, digests)
            else:
                _grow(held.tree, digests)
        return held.tree

    async def newest(self, session: SessionId, origin: str, *, covering: int = 0) -> Signed:
        """Return the newest checkpoint, signing one if there are new events; at most ``BREATH`` old.

        It has event ``covering`` in it if there is one: who was just shown an event may ask for its proof at once.

        Raises:
            LogDoubted: no checkpoint of this log is signed any more.
        """
        held, loop = self._held(session), asyncio.get_running_loop()
        async with held.signing:
            kept = held.newest
            fresh = kept is not None and kept.origin == origin and loop.time() - held.signed_at < BREATH
            if kept is None or not fresh or kept.size < covering <= len(await self.tree(session)):
                kept = held.newest = await self.checkpoint(session, origin)  # one signature an event at most
                held.signed_at = loop.time()
            return kept

    async def checkpoint(self, session: SessionId, origin: str) -> Signed:
        """Return a signed checkpoint over every event there is now. Raises LogDoubted."""
        held = self._held(session)
        if held.key is None:
            summary = await self._events.summary(session)
            if summary is None:
                raise UnknownSession(session)
            held.key = self._hall.named(kid_in(summary.plan))
        try:
            return await sign_head(self._checkpoints, held.key, session, origin, lambda: self.tree(session))
        except LogDoubted as doubt:
            self.lost[session] = str(doubt)
            raise

    def _held(self, session: SessionId) -> _Held:
        held = self._logs.get(session)
        if held is None:
            held = self._logs[session] = _Held()
        self._logs.move_to_end(session)
        if len(self._logs) > self._kept:
            self._logs.popitem(last=False)
        return held


def _grow(tree: Tree, digests: Iterable[Digest]) -> None:
    for digest in digests:
        tree.append(bytes.fromhex(digest))


async def sign_head(
    checkpoints: CheckpointStore,
    hall: HallKey,
    session: SessionId,
    origin: str,
    grown: Callable[[], Awaitable[Tree]],
) -> Signed:
    """Return a signed checkpoint over the whole log ``origin`` of a session, as ``grown`` reads it from the store.

    Raises:
        LogDoubted: no checkpoint of this session is signed any more.
    """
    for _ in range(ATTEMPTS):
        for convicted, by, _ in await checkpoints.convictions():
            if convicted == session:
                raise LogDoubted(f"the witness {by} holds another log of {session} under this hall's signature")
        head = await checkpoints.head(origin)  # before the tree, which then is not older
        tree = await grown()
        size = len(tree)
        if head is not None and (head.size > size or tree.root(head.size) != head.root):
            raise LogDoubted(f"the database signed {head.size} entries of {origin} that it does not hold")
        if head is not None and head.size == size:
            return head
        checkpoint = Checkpoint(origin=origin, size=size, root=tree.root(size))
        signed = Signed(origin=origin, size=size, root=checkpoint.root, note=sign_checkpoint(checkpoint, hall))
        try:
            await checkpoints.put(signed, follows=head.size if head else 0)
        except Stale:
            continue
        return signed
    raise Stale
