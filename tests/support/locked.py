"""Ceremonies behind locks, told in the verbs of the rules: who is ready, who brings a share, who stays away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sessions.commands import OpenLock, ReadyOfficer
from sessions.events import Event
from sessions.ids import BidderId
from sessions.opening.locked import behind
from sessions.plan import Plan
from sessions.roles import Actor, Role
from tests.support.ceremony import DEPUTY, HOST, SUPERVISOR, TENDER, Ceremony, a_plan
from tests.support.officers import a_lock, held_by

AGENT = Actor(role=Role.SUPERVISOR, id="ren", name="任远")  # the tenderer's
TRUSTEES = tuple(Actor(role=Role.SUPERVISOR, id=name, name=name) for name in ("tuo1", "tuo2", "tuo3"))

TWO_LOCKS = [a_lock("host", HOST.id, DEPUTY.id), a_lock("supervisor", SUPERVISOR.id)]
TENDERERS = held_by(AGENT.id)
TRUST = held_by(*(one.id for one in TRUSTEES), threshold=2, people="trustees")


def seats(*more: Actor) -> list[dict[str, str]]:
    return [*TENDER["seats"], *({"account": one.id, "role": one.role.value, "name": one.name} for one in more)]


def a_locked_plan(pack: str = "cn-works", *, tenderer: bool = False, escrow: bool = False, **changes: Any) -> Plan:
    """Two locks, host (1 of 2) and supervisor; with the tenderer's share and escrow (2 of 3) if wanted."""
    more = {"tenderer_share": TENDERERS} if tenderer else {}
    more |= {"escrow": TRUST} if escrow else {}
    people = seats(*([AGENT] if tenderer else []), *(TRUSTEES if escrow else []))
    return a_plan(pack, **{"locks": TWO_LOCKS, "seats": people, **more, **changes})


class Locked(Ceremony):
    """A ceremony whose officers have tried their keys before the decrypt step, as they must."""

    def ready(self, who: Actor, lock: str, *, passed: bool = True) -> list[Event]:
        return self.send(ReadyOfficer(lock=lock, passed=passed), who)

    def all_ready(self) -> Locked:
        """Everybody but the trustees, who come only when they are asked for."""
        self.ready(HOST, "host")
        self.ready(SUPERVISOR, "supervisor")
        if self.it.plan.tenderer_share is not None:
            self.ready(AGENT, "tenderer")
        return self

    def decrypting(self, *bids: Any) -> Locked:
        self.frozen(*bids).checked()
        self.advance("ceiling")
        self.all_ready()
        self.advance("decrypt")
        return self

    def brings(self, who: Actor, lock: str, failed: Mapping[str, str] | None = None) -> list[Event]:
        """``who`` hands in the shares of ``lock``; those of the bids in ``failed`` do not hold."""
        found = self.it.plan.lock(lock)
        held = [bid.bidder for bid in behind(self.it, found)] if found else []
        bad = {BidderId(name): code for name, code in (failed or {}).items()}
        command = OpenLock(lock=lock, opened=tuple(name for name in held if name not in bad), failed=bad)
        return self.send(command, who)
