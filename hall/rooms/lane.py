"""The facts of one opening as one audience gets them, each encoded once and shared by everyone in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import copy
from typing import Any, Protocol, Self

from hall.views.audience import BIDDERS, Audience
from hall.views.kept import Kept
from hall.views.patch import apply, diff
from hall.views.seen import fact, own, owner, view
from hall.wire.frames import Form, facts_frame
from sessions.events import Recorded
from sessions.ids import BidderId
from sessions.opening.state import Bid, Opening
from sessions.plan import Words

_JOINS_KEPT = 32
"""How many joined runs are remembered: readers stand at few different places, most of them at the very end."""


class Lane(Protocol):
    """What a reader needs of its audience's lane."""

    def fact(self, number: int) -> bytes:
        """Return the message of fact ``number``."""

    def view(self) -> dict[str, Any]:
        """Return the view after the newest fact. Nobody changes it."""


class SharedLane:
    """What all readers of a role see alike."""

    def __init__(self, audience: Audience) -> None:
        self.audience = audience
        self._view: dict[str, Any] = {}
        self._facts: list[bytes] = []
        self._kept = Kept()

    def copy(self) -> Self:
        """Return another lane that has the same, and goes on by itself."""
        other = copy(self)
        other._facts, other._kept = list(self._facts), self._kept.copy()
        return other

    def fact(self, number: int) -> bytes:
        return self._facts[number - 1]

    def view(self) -> dict[str, Any]:
        return self._view

    def add(self, recorded: Recorded, opening: Opening, words: Words, chained: Mapping[str, Any]) -> None:
        """Take the next fact; ``opening`` is as it stands after it. ``chained``: see hall.views.seen.fact."""
        self._take(recorded, opening, words, chained)

    def _take(self, recorded: Recorded, opening: Opening, words: Words, chained: Mapping[str, Any]) -> dict[str, Any]:
        before = self._view
        self._view = view(opening, self.audience, recorded.number, recorded.at, recorded.digest, kept=self._kept)
        message = fact(recorded, opening, before, self._view, self.audience, words, chained)
        self._facts.append(encode(message))
        return message


class BiddersLane(SharedLane):
    """What all bidders see alike, and for each bidder the little that only it sees."""

    def __init__(self) -> None:
        super().__init__(BIDDERS)
        self._own: dict[BidderId, OwnLane] = {}
        self._bids: tuple[Bid, ...] = ()
        self._rows: dict[BidderId, Bid] = {}

    def copy(self) -> Self:
        other = super().copy()
        other._own = {bidder: lane.copy(other) for bidder, lane in self._own.items()}
        return other

    def own(self, bidder: BidderId) -> OwnLane:
        """Return the lane of one bidder, whether it has a bid here or not."""
        # Not kept for strangers: whoever logs in with a certificate could otherwise fill the memory with lanes.
        return self._own.get(bidder) or OwnLane(bidder, self)

    def add(self, recorded: Recorded, opening: Opening, words: Words, chained: Mapping[str, Any]) -> None:
        before = self._view
        message = self._take(recorded, opening, words, chained)
        if not opening.listed:
            return
        if opening.bids is not self._bids:
            self._bids, self._rows = opening.bids, {bid.bidder: bid for bid in opening.bids}
        mine = None if "private" in message else owner(recorded, opening)
        for bidder, bid in self._rows.items():
            lane = self._own.get(bidder)
            if lane is None:
                lane = self._own[bidder] = OwnLane(bidder, self)
            if lane.unmoved(bid, opening) and bidder != mine:
                continue
            old = lane.slice
            lane.see(bid, opening)
            if lane.slice is not old or bidder == mine or _touches(message["patch"], old):
                lane.add(recorded, opening, before, message["patch"], old, words, chained, disclosed=bidder == mine)


class OwnLane:
    """What one bidder sees: its role's lane, but for the few facts that touch what only this bidder sees.

    200 bidders connected so cost about one encoding an event, and each its own only for its own failed attempts and
    objections. ``slice`` is what it sees beyond its role: a merge patch upon the role's view.
    """

    __slots__ = ("_bid", "_endings", "_objections", "_shared", "_whole", "audience", "slice")

    def __init__(self, bidder: BidderId, shared: BiddersLane) -> None:
        self.audience = Audience(BIDDERS.role, bidder)
        self.slice: Mapping[str, Any] = {"own": {"bidder": bidder}}
        self._shared = shared
        self._whole: dict[int, bytes] = {}
        # Facts that only gain a member at the end of their patch. The list of 500 bidders is 300 kB and gains the
        # row of each: kept apart, it is one list, not 500.
        self._endings = {1: encode(self.slice)[1:-1]}
        self._bid: Bid | None = None
        self._objections: object = ()

    def copy(self, shared: BiddersLane) -> OwnLane:
        """Return another lane that has the same, and goes on with ``shared``."""
        other = copy(self)
        other._shared, other._whole, other._endings = shared, dict(self._whole), dict(self._endings)
        return other

    def fact(self, number: int) -> bytes:
        whole = self._whole.get(number)
        if whole is not None:
            return whole
        shared, ending = self._shared.fact(number), self._endings.get(number)
        return shared if ending is None else b"%b,%b}}" % (shared[:-2], ending)

    def shares(self, first: int, last: int) -> bool:
        """Return whether the facts from ``first`` to ``last`` are the very ones of the role."""
        return not any(first <= number <= last for own in (self._whole, self._endings) for number in own)

    def view(self) -> dict[str, Any]:
        mine: dict[str, Any] = apply(self._shared.view(), self.slice)
        return mine

    def unmoved(self, bid: Bid, opening: Opening) -> bool:
        """Return whether nothing changed that the slice is made of, nor anything that it could hide."""
        # All of it but ``own`` stands upon parts of the role's view, which the next patch may touch.
        return bid is self._bid and opening.objections is self._objections and len(self.slice) == 1

    def see(self, bid: Bid, opening: Opening) -> None:
        """Look again at what is this bidder's own."""
        self._bid, self._objections = bid, opening.objections
        new = own(opening, bid.bidder)
        if new != self.slice:
            self.slice = new

    def add(
        self,
        recorded: Recorded,
        opening: Opening,
        before: Mapping[str, Any],
        patch: Mapping[str, Any],
        old: Mapping[str, Any],
        words: Words,
        chained: Mapping[str, Any],
        *,
        disclosed: bool,
    ) -> None:
        """Take a fact that is not simply the role's. ``before``, ``old``: the role's view and the slice until it."""
        gained = diff(old, self.slice)
        if not disclosed and gained.keys() == {"own"}:
            self._endings[recorded.number] = encode(gained)[1:-1]
            return
        message = fact(recorded, opening, apply(before, old), self.view(), self.audience, words, chained)
        self._whole[recorded.number] = encode(message)


def _touches(patch: Mapping[str, Any], mine: Mapping[str, Any]) -> bool:
    """Return whether ``patch`` sets or removes anything that ``mine`` sets."""
    for name, value in mine.items():
        if name in patch:
            inner = patch[name]
            if not isinstance(inner, Mapping) or not isinstance(value, Mapping) or _touches(inner, value):
                return True
    return False


def encode(message: Mapping[str, Any]) -> bytes:
    """Return ``message`` as it goes over the wire: one line of UTF-8 JSON."""
    return _ENCODER.encode(message).encode()


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Joins:
    """Runs of facts, framed and joined once for all readers that stand at the same place."""

    def __init__(self, chunk: int) -> None:
        self._chunk = chunk
        self._made: dict[tuple[Form, int], tuple[bytes, int, bool]] = {}

    def run(self, lane: Lane, form: Form, after: int, newest: int) -> tuple[bytes, int]:
        """Return the facts after ``after``, as many as fill a chunk but at least one, and the number of the last."""
        made = self._made.get((form, after))
        if made is not None and (made[1] == newest or made[2]):
            return made[:2]
        messages: list[bytes] = []
        size, last = 0, after
        while last < newest and size < self._chunk:
            last += 1
            messages.append(lane.fact(last))
            size += len(messages[-1])
        if len(self._made) >= _JOINS_KEPT:
            del self._made[next(iter(self._made))]
        joined = facts_frame(form, after + 1, messages)
        self._made[form, after] = joined, last, size >= self._chunk
        return joined, last
