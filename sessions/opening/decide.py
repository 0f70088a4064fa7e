"""What happens if a command arrives: the one entrance; each family of commands has a file of its own."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from sessions import commands as c
from sessions.errors import CommandRefused
from sessions.events import Happening, SessionScheduled
from sessions.opening import (
    anchoring,
    decrypting,
    drawing,
    locks,
    objecting,
    presiding,
    reach,
    recorded,
    sealing,
    signing,
    speaking,
    stopping,
    two_persons,
)
from sessions.opening.authority import check
from sessions.opening.draft import Draft, by_clock
from sessions.opening.evolve import evolve
from sessions.opening.state import Opening
from sessions.opening.steps import coming
from sessions.plan_json import plan_from_json
from sessions.roles import CLOCK, Actor, Role


def decide(opening: Opening | None, command: c.OpeningCommand, actor: Actor, now: datetime) -> tuple[Happening, ...]:
    """Return everything that happens if ``command`` arrives at ``now``, in order; raise CommandRefused.

    What was due before comes first, with the moments it fell due, so a late timekeeper lets nobody in; what the
    command completes comes last. ``now`` is taken as not earlier than the newest event. A repeated command that
    has nothing to add returns what was due, or nothing. The caller has verified every statement's signature.
    """
    if opening is None:
        return _schedule(command, actor, now)
    draft = Draft(opening, actor, now)
    _settle(draft, settled_until(command, draft.now))
    check(draft.opening, command, actor)
    _do(draft, command)
    _settle(draft, draft.now)
    return tuple(draft.happenings)


def act(opening: Opening, command: c.OpeningCommand, actor: Actor, now: datetime) -> Draft:
    """Return what ``command`` alone brings and the opening after it, if nothing is due before; raise CommandRefused.

    For whoever asks about one event after the other, and has asked ``coming`` first (``settled_until``).
    """
    draft = Draft(opening, actor, now)
    check(draft.opening, command, actor)
    _do(draft, command)
    return draft


def settled_until(command: c.OpeningCommand, now: datetime) -> datetime:
    """Return until when what is due comes before ``command``.

    A fault of the hall is reckoned with before anything that it fell into can end.
    """
    match command:
        case c.RecordFault(began=since) | c.RecordOutage(began=since) | c.DoubtClock(since=since):
            return min(since, now)
        case _:
            return now


def next_due(opening: Opening) -> datetime | None:
    """Return when a Tick will next change something, if ever."""
    happening = coming(opening)
    return happening.at if happening else None


def _settle(draft: Draft, until: datetime) -> None:
    while (happening := coming(draft.opening, by=until)) is not None and happening.at <= until:
        draft.fall_due(happening)


def _schedule(command: c.OpeningCommand, actor: Actor, now: datetime) -> tuple[Happening, ...]:
    if not isinstance(command, c.Schedule):
        raise CommandRefused("not_scheduled")
    if actor.role is not Role.CLOCK:
        raise CommandRefused("not_your_role", role=actor.role.value)
    if plan_from_json(command.plan).t0 <= now:
        raise CommandRefused("t0_passed")
    founded = by_clock(now, SessionScheduled(plan=command.plan))
    draft = Draft(evolve(None, founded), CLOCK, now)
    _settle(draft, now)
    return (founded, *draft.happenings)


def _do(draft: Draft, command: c.OpeningCommand) -> None:
    match command:
        case c.Tick() | c.Schedule():
            pass  # time itself was settled above; authority.check refused a second Schedule
        case c.CloseIntake():
            sealing.close_intake(draft, command)
        case c.SealChecks():
            sealing.record_seals(draft, command)
        case c.RecordLateBid():
            sealing.record_late_bid(draft, command)
        case c.CheckIn():
            sealing.check_in(draft, command)
        case c.TakeChair():
            presiding.take_chair(draft, command)
        case c.Advance():
            presiding.advance(draft, command)
        case c.ExtendWindow():
            presiding.extend(draft, command)
        case c.Pause():
            presiding.pause(draft, command)
        case c.Resume():
            presiding.resume(draft, command)
        case c.Note():
            presiding.note(draft, command)
        case c.CommitDraw():
            drawing.commit(draft, command)
        case c.RevealDraw():
            drawing.reveal(draft, command)
        case c.Postpone() | c.Abort() | c.RuleCause() | c.RepeatDraw() | c.MissLock() | c.GrantEscrow():
            two_persons.propose_or_do(draft, command)
        case c.Approve():
            two_persons.approve(draft, command)
        case c.Decline():
            two_persons.decline(draft, command)
        case c.RecordRelease():
            decrypting.record_release(draft, command)
        case c.ReportFailure():
            decrypting.report_failure(draft, command)
        case c.ReadyOfficer():
            locks.ready(draft, command)
        case c.OpenLock():
            locks.open_lock(draft, command)
        case c.RequestEscrow():
            locks.request_escrow(draft, command)
        case c.RecordRescue():
            decrypting.record_rescue(draft, command)
        case c.RecordEvidence():
            reach.record_evidence(draft, command)
        case c.RecordFault():
            reach.record_fault(draft, command)
        case c.RecordOpenings():
            decrypting.record_openings(draft, command)
        case c.ConfirmRow():
            objecting.confirm(draft, command)
        case c.DisputeRow():
            objecting.dispute(draft, command)
        case c.Object():
            objecting.raise_objection(draft, command)
        case c.NoObjection():
            objecting.declare_none(draft, command)
        case c.AnswerObjection():
            objecting.answer(draft, command)
        case c.AskFloor():
            speaking.ask(draft, command)
        case c.GrantFloor():
            speaking.grant(draft, command)
        case c.EndFloor():
            speaking.end(draft, command)
        case c.SignRecord():
            signing.sign(draft, command)
        case c.RecordAnchor():
            anchoring.record_anchor(draft, command)
        case c.RecordDispute():
            anchoring.record_dispute(draft, command)
        case c.CheckClock():
            stopping.check_clock(draft, command)
        case c.DoubtClock():
            stopping.doubt_clock(draft, command)
        case c.TrustClock():
            stopping.trust_clock(draft, command)
        case c.RecordOutage():
            stopping.begin_outage(draft, command)
        case c.RecordRecovery():
            stopping.end_outage(draft)
        case c.NoteRecording():
            recorded.note(draft, command)
        case _:
            assert_never(command)
