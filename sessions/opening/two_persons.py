"""Acts that need two persons: one proposes, another of a different account agrees, and only then it happens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from sessions.commands import (
    Abort,
    Approve,
    Decline,
    ExtendWindow,
    GrantEscrow,
    MissLock,
    Postpone,
    RepeatDraw,
    Resume,
    RuleCause,
)
from sessions.errors import CommandRefused
from sessions.events import (
    ActDeclined,
    ActProposed,
    CauseRuled,
    EscrowGranted,
    LockMissed,
    SessionAborted,
    T0Moved,
)
from sessions.ids import BidderId
from sessions.opening import drawing, locks, stopping, windows
from sessions.opening.attribution import CAUSES, UNKNOWN
from sessions.opening.authority import check
from sessions.opening.draft import Draft
from sessions.opening.state import Opening, Proposal, ProposalState
from sessions.roles import Actor
from sessions.shape import moment, rfc3339
from sessions.texts import given

Proposed = Postpone | Abort | RuleCause | RepeatDraw | MissLock | GrantEscrow
Act = Proposed | ExtendWindow | Resume
"""ExtendWindow stands here for an extension past the host's own number (in the pack: ``ExtendBeyond``)."""

ALWAYS = frozenset({"MissLock", "GrantEscrow"})
"""What no pack leaves to one person: going on without a lock, and opening a bid without its bidder's key."""


def needed(o: Opening, act: str) -> bool:
    """Return whether the rule pack wants a second person for ``act``."""
    return act in o.plan.pack.two_person or act in ALWAYS


def propose_or_do(draft: Draft, command: Proposed) -> None:
    """Record the act as proposed, or do it at once where the pack asks for no second person."""
    reason = given(command.reason, "reason")
    examine(draft, command)
    if needed(draft.opening, type(command).__name__):
        propose(draft, type(command).__name__, _fields(command), reason)
    else:
        _perform(draft, command, proposer=draft.actor, approver=None)


def propose(draft: Draft, act: str, fields: Mapping[str, str], reason: str) -> None:
    """Put the act before the others. The same one twice by one person changes nothing."""
    o = draft.opening
    for proposal in o.proposals:
        if proposal.state is ProposalState.OPEN and (proposal.act, proposal.fields) == (act, fields):
            if proposal.by.id == draft.actor.id:
                return
            raise CommandRefused("already_proposed", proposal=proposal.number)
    draft.put(ActProposed(proposal=len(o.proposals) + 1, act=act, fields=dict(fields), reason=reason))


def approve(draft: Draft, command: Approve) -> None:
    """Agree as the second person: the act happens now, if it still may."""
    proposal = _open(draft.opening, command.proposal)
    if proposal.by.id == draft.actor.id:
        raise CommandRefused("same_person", proposal=proposal.number)
    act = _act(proposal)
    check(draft.opening, act, proposal.by)  # the proposer must still have the right to it
    if isinstance(act, Resume):
        stopping.second_person(draft.opening, draft.actor)
    examine(draft, act)
    _perform(draft, act, proposer=proposal.by, approver=draft.actor)


def decline(draft: Draft, command: Decline) -> None:
    """Turn an act down, or take one's own proposal back."""
    proposal = _open(draft.opening, command.proposal)
    draft.put(ActDeclined(proposal=proposal.number, reason=command.reason))


def examine(draft: Draft, act: Act) -> None:
    """Refuse an act that the facts do not allow, both when it is proposed and when it is approved."""
    o = draft.opening
    match act:
        case Postpone():
            if act.t0 <= o.t0 or act.t0 <= draft.now:
                raise CommandRefused("t0_not_later", t0=rfc3339(o.t0))
            if act.t0.microsecond:
                raise CommandRefused("t0_not_whole_seconds")
        case Abort():
            pass
        case RuleCause():
            bid = o.bid(act.bidder)
            if bid is None or bid.cause is None:
                raise CommandRefused("no_such_row")
            if bid.cause != UNKNOWN:
                raise CommandRefused("cause_known", cause=bid.cause)
            if act.cause not in CAUSES:
                raise CommandRefused("no_such_cause", cause=act.cause)
        case MissLock():
            locks.missable(o, act)
        case GrantEscrow():
            locks.grantable(o, act)
        case RepeatDraw():
            drawing.repeatable(o)
        case Resume():
            stopping.resumable(o)
        case ExtendWindow():
            windows.extendable(draft)
        case _:
            assert_never(act)


def _perform(draft: Draft, act: Act, *, proposer: Actor, approver: Actor | None) -> None:
    agreed = approver.id if approver else None
    match act:
        case Postpone():
            moved = T0Moved(old=draft.opening.t0, new=act.t0, reason=act.reason, approved_by=agreed)
            draft.put(moved, by=proposer)
        case Abort():
            draft.put(SessionAborted(reason=act.reason, approved_by=agreed), by=proposer)
        case RuleCause():
            ruled = CauseRuled(
                bidder=act.bidder,
                cause=act.cause,
                consequence=CAUSES[act.cause],
                reason=act.reason,
                approved_by=agreed or "",
            )
            draft.put(ruled, by=proposer)
        case MissLock():
            draft.put(LockMissed(lock=act.lock, reason=act.reason, approved_by=agreed or ""), by=proposer)
        case GrantEscrow():
            granted = EscrowGranted(bidder=act.bidder, reason=act.reason, approved_by=agreed or "")
            draft.put(granted, by=proposer)
        case RepeatDraw():
            draft.put(drawing.repeated(draft.opening, act.reason, agreed, draft.now), by=proposer)
        case Resume():
            draft.put(stopping.resumed(draft.opening, draft.now, approved_by=agreed), by=proposer)
        case ExtendWindow():
            windows.extend(draft, act.reason, by=proposer, approved_by=agreed)
        case _:
            assert_never(act)


def _open(o: Opening, number: int) -> Proposal:
    proposal = next((item for item in o.proposals if item.number == number), None)
    if proposal is None or proposal.state is not ProposalState.OPEN:
        raise CommandRefused("no_such_proposal", proposal=number)
    return proposal


def _fields(command: Proposed) -> dict[str, str]:
    match command:
        case Postpone():
            return {"t0": rfc3339(command.t0)}
        case Abort() | RepeatDraw():
            return {}
        case RuleCause():
            return {"bidder": command.bidder, "cause": command.cause}
        case MissLock():
            return {"lock": command.lock}
        case GrantEscrow():
            return {"bidder": command.bidder}
        case _:
            assert_never(command)


def _act(proposal: Proposal) -> Act:
    fields, reason = proposal.fields, proposal.reason
    match proposal.act:
        case "Postpone":
            return Postpone(t0=moment(fields["t0"]), reason=reason)
        case "RuleCause":
            return RuleCause(bidder=BidderId(fields["bidder"]), cause=fields["cause"], reason=reason)
        case "MissLock":
            return MissLock(lock=fields["lock"], reason=reason)
        case "GrantEscrow":
            return GrantEscrow(bidder=BidderId(fields["bidder"]), reason=reason)
        case "ExtendBeyond":
            return ExtendWindow(reason=reason)
        case "RepeatDraw":
            return RepeatDraw(reason=reason)
        case "Resume":
            return Resume(reason=reason)
        case _:
            return Abort(reason=reason)
