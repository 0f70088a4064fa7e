"""Who takes part. Which command each part may send, and when, is a table: opening/authority.py."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """A part somebody plays in one opening. The same person has one part in one session."""

    PUBLIC = "public"  # 公众: anyone, without an account
    BIDDER = "bidder"  # 投标人
    HOST = "host"  # 主持人 (A 角): follows the steps of the rule pack
    DEPUTY = "deputy"  # 备岗 (B 角): takes over, and is the second person where two are needed
    SUPERVISOR = "supervisor"  # 监督人
    CLOCK = "clock"  # the timekeeper and the hall itself: acts that no person does


STAFF = frozenset({Role.HOST, Role.DEPUTY, Role.SUPERVISOR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did something: the part, the account or bidder behind it, and the name for people to read."""

    role: Role
    id: str
    name: str


CLOCK = Actor(role=Role.CLOCK, id="clock", name="")
