"""Who is looking. What a reader may see depends on its audience and on nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from sessions.ids import BidderId
from sessions.roles import STAFF, Role


@dataclass(frozen=True, slots=True)
class Audience:
    """One kind of reader: the public, a member of staff, or one bidder.

    ``Audience(Role.BIDDER)`` without a bidder is what all bidders see alike; it is never a reader of its own.
    """

    role: Role
    bidder: BidderId | None = None

    def __post_init__(self) -> None:
        if self.role is Role.CLOCK:
            raise ValueError("the clock looks at nothing: give the role of a person")
        if self.bidder is not None and self.role is not Role.BIDDER:
            raise ValueError("only the audience of a bidder names a bidder")

    @property
    def key(self) -> str:
        """The audience in a word, as PROTOCOL.md writes it: ``public``, ``bidder:9143...``."""
        return self.role if self.bidder is None else f"{self.role}:{self.bidder}"

    @property
    def staff(self) -> bool:
        return self.role in STAFF

    @property
    def shared(self) -> Audience:
        """The audience whose messages this one gets wherever nothing in them is its own."""
        return self if self.bidder is None else BIDDERS


PUBLIC = Audience(Role.PUBLIC)
BIDDERS = Audience(Role.BIDDER)
