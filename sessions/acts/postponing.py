"""Many openings put off at once, after an outage that touched all of them. Each by its own rules, as its own act."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sessions.codec import Command
from sessions.commands import Approve, Postpone
from sessions.errors import CommandRefused
from sessions.ids import SessionId
from sessions.opening import Opening, ProposalState, Status
from sessions.plan import Words
from sessions.roles import STAFF, Actor, Role
from sessions.shape import moment

MOST = 500
"""Openings in one go."""


class Sessions(Protocol):
    """What this needs of sessions.service."""

    async def live(self) -> tuple[SessionId, ...]: ...

    async def state(self, session: SessionId) -> Opening: ...

    async def handle(self, session: SessionId, command: Command, actor: Actor) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An opening whose time has not come, as one member of its staff sees it."""

    session: SessionId
    title: Words
    role: Role
    t0: datetime
    proposal: int | None  # to put it off, by somebody else
    proposed: datetime | None
    mine: bool  # the proposal that waits is one's own

    @property
    def may_propose(self) -> bool:
        return self.role in (Role.HOST, Role.DEPUTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of it in one opening; ``refused`` is the code."""

    session: SessionId
    title: Words
    refused: str | None


async def waiting(sessions: Sessions, account: str, roles: Collection[Role] = STAFF) -> tuple[Waiting, ...]:
    """Return the openings to come in which this account is of the staff, earliest first.

    ``roles``: what the account may be at all; a seat in another one it does not have (web.asking.identity.seat_of).
    """
    found = []
    for session in await sessions.live():
        o = await sessions.state(session)
        seat = next((seat for seat in o.plan.seats if seat.account == account and seat.role in roles), None)
        if seat is None or o.status not in (Status.SCHEDULED, Status.CHECKIN):
            continue
        made = [one for one in o.proposals if one.act == "Postpone" and one.state is ProposalState.OPEN]
        newest = made[-1] if made else None
        found.append(
            Waiting(
                session=session,
                title=o.plan.tender.title,
                role=seat.role,
                t0=o.t0,
                proposal=None if newest is None or newest.by.id == account else newest.number,
                proposed=None if newest is None else moment(newest.fields["t0"]),
                mine=newest is not None and newest.by.id == account,
            )
        )
    return tuple(sorted(found, key=lambda one: (one.t0, one.session))[:MOST])


async def propose(
    sessions: Sessions,
    chosen: Collection[SessionId],
    actor: Actor,
    by: timedelta,
    reason: str,
    roles: Collection[Role] = STAFF,
) -> tuple[Done, ...]:
    """Propose to put each of them off ``by`` so long; a second person agrees to each (``agree``)."""
    done = []
    for one in await waiting(sessions, actor.id, roles):
        if one.session in chosen:
            done.append(await _tried(sessions, one, Postpone(t0=one.t0 + by, reason=reason), actor))
    return tuple(done)


async def agree(
    sessions: Sessions, chosen: Collection[SessionId], actor: Actor, roles: Collection[Role] = STAFF
) -> tuple[Done, ...]:
    """Agree to what somebody else proposed for each of them."""
    done = []
    for one in await waiting(sessions, actor.id, roles):
        if one.session in chosen and one.proposal is not None:
            done.append(await _tried(sessions, one, Approve(proposal=one.proposal), actor))
    return tuple(done)


async def _tried(sessions: Sessions, one: Waiting, command: Command, actor: Actor) -> Done:
    who = Actor(role=one.role, id=actor.id, name=actor.name)
    try:
        await sessions.handle(one.session, command, who)
    except CommandRefused as refused:
        return Done(session=one.session, title=one.title, refused=refused.code)
    return Done(session=one.session, title=one.title, refused=None)


def refused(done: Sequence[Done]) -> tuple[Done, ...]:
    """Return those in which it was refused."""
    return tuple(one for one in done if one.refused is not None)
