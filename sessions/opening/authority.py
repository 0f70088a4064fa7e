"""Who may send which command, and when: one table (LIFECYCLE.md), read by ``check`` and by every page that shows a
button."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from sessions import commands as c
from sessions.errors import CommandRefused
from sessions.opening import floor
from sessions.opening.state import OVER, Opening, Status
from sessions.plan import Phase, StepKind
from sessions.roles import STAFF, Actor, Role


class When(Enum):
    """The stretch of the ceremony in which a command is taken."""

    ALWAYS = auto()
    BEFORE_T0 = auto()
    CHECKIN_ON = auto()  # from the check-in window until the end
    UNTIL_END = auto()
    FROZEN_ON = auto()  # from SetFrozen until the end
    LISTED_ON = auto()  # from the list until the end; who bids in an opening that fails is never named
    LIVE = auto()  # from T0 until the end
    AFTER_BARRIER = auto()
    DRAW = auto()
    DECRYPT = auto()  # while the window is open
    UNTIL_OPENED = auto()  # and for what arrived in the window, until the bids are opened
    BEHIND_BARRIER = auto()  # from the barrier until the bids are opened
    CONFIRM = auto()
    OBJECTIONS = auto()  # from the list until the objection step is complete
    FLOOR = auto()  # in a stage in which bidders may speak
    SIGN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """Who may send a command. ``acting``: of host and deputy, only the one who acts as host."""

    roles: frozenset[Role]
    when: When
    acting: bool = False
    held: bool = False  # taken during a pause too


_CLOCK = frozenset({Role.CLOCK})
_BIDDER = frozenset({Role.BIDDER})
_HOSTS = frozenset({Role.HOST, Role.DEPUTY})

RIGHTS: dict[type[c.OpeningCommand], Right] = {
    c.Tick: Right(roles=_CLOCK, when=When.ALWAYS, held=True),
    c.CloseIntake: Right(roles=_CLOCK, when=When.LIVE, held=True),
    c.SealChecks: Right(roles=_CLOCK, when=When.LIVE),
    c.RecordOpenings: Right(roles=_CLOCK, when=When.LIVE),
    c.ReadyOfficer: Right(roles=STAFF, when=When.UNTIL_END, held=True),
    c.OpenLock: Right(roles=STAFF, when=When.BEHIND_BARRIER),
    c.MissLock: Right(roles=_HOSTS, when=When.BEHIND_BARRIER),
    c.RequestEscrow: Right(roles=_BIDDER, when=When.DECRYPT),
    c.GrantEscrow: Right(roles=_HOSTS, when=When.DECRYPT),
    c.RecordRescue: Right(roles=_BIDDER | _HOSTS, when=When.DECRYPT, acting=True),
    c.RecordEvidence: Right(roles=_CLOCK, when=When.LIVE),
    c.RecordFault: Right(roles=_CLOCK, when=When.DECRYPT),
    c.RecordLateBid: Right(roles=_CLOCK, when=When.LIVE, held=True),
    c.RecordAnchor: Right(roles=_CLOCK, when=When.FROZEN_ON, held=True),
    c.RecordDispute: Right(roles=_CLOCK, when=When.UNTIL_END, held=True),
    c.CheckClock: Right(roles=_CLOCK, when=When.LIVE, held=True),
    c.DoubtClock: Right(roles=_CLOCK, when=When.UNTIL_END, held=True),
    c.TrustClock: Right(roles=_CLOCK, when=When.UNTIL_END, held=True),
    c.RecordOutage: Right(roles=_CLOCK, when=When.UNTIL_END, held=True),
    c.RecordRecovery: Right(roles=_CLOCK, when=When.UNTIL_END, held=True),
    c.NoteRecording: Right(roles=_CLOCK, when=When.CHECKIN_ON, held=True),
    c.CheckIn: Right(roles=_BIDDER, when=When.LISTED_ON, held=True),
    c.TakeChair: Right(roles=STAFF, when=When.CHECKIN_ON, held=True),
    c.Advance: Right(roles=_HOSTS, when=When.LIVE, acting=True),
    c.ExtendWindow: Right(roles=_HOSTS, when=When.LIVE, acting=True),
    c.AnswerObjection: Right(roles=_HOSTS, when=When.LIVE, acting=True),
    c.Pause: Right(roles=STAFF, when=When.CHECKIN_ON),
    c.Resume: Right(roles=_HOSTS, when=When.CHECKIN_ON, held=True),
    c.Postpone: Right(roles=_HOSTS, when=When.BEFORE_T0, held=True),
    c.Abort: Right(roles=_HOSTS, when=When.UNTIL_END, held=True),
    c.RuleCause: Right(roles=_HOSTS, when=When.AFTER_BARRIER),
    c.CommitDraw: Right(roles=_BIDDER | STAFF, when=When.DRAW, acting=True),
    c.RevealDraw: Right(roles=_BIDDER | STAFF, when=When.DRAW),
    c.RepeatDraw: Right(roles=_HOSTS, when=When.DRAW),
    c.Approve: Right(roles=STAFF, when=When.UNTIL_END, held=True),
    c.Decline: Right(roles=STAFF, when=When.UNTIL_END, held=True),
    c.Note: Right(roles=frozenset({Role.SUPERVISOR}), when=When.ALWAYS, held=True),
    c.RecordRelease: Right(roles=_BIDDER, when=When.UNTIL_OPENED),
    c.ReportFailure: Right(roles=_BIDDER, when=When.DECRYPT),
    c.ConfirmRow: Right(roles=_BIDDER, when=When.CONFIRM),
    c.DisputeRow: Right(roles=_BIDDER, when=When.CONFIRM),
    c.Object: Right(roles=_BIDDER, when=When.OBJECTIONS),
    c.NoObjection: Right(roles=_BIDDER, when=When.OBJECTIONS),
    c.AskFloor: Right(roles=_BIDDER, when=When.FLOOR),
    c.GrantFloor: Right(roles=_HOSTS, when=When.FLOOR, acting=True),
    c.EndFloor: Right(roles=_BIDDER | _HOSTS, when=When.FLOOR, acting=True, held=True),
    c.SignRecord: Right(roles=_BIDDER | STAFF, when=When.SIGN),
}  # fmt: skip
"""Schedule is not here: it founds the opening, so there is none yet to ask."""


def check(o: Opening, command: c.OpeningCommand, actor: Actor) -> None:
    """Raise CommandRefused unless ``actor`` may send ``command`` now. Facts of the command itself come later."""
    if isinstance(command, c.Schedule):
        raise CommandRefused("already_scheduled")
    right = RIGHTS[type(command)]
    if actor.role not in right.roles:
        raise CommandRefused("not_your_role", role=actor.role.value)
    if actor.role in STAFF and not _seated(o, actor):
        raise CommandRefused("not_seated")
    if _own(command, actor) not in (None, actor.id):
        raise CommandRefused("not_yours")
    if o.status in OVER and right.when is not When.ALWAYS:
        raise CommandRefused("session_over", status=o.status.value)
    if not _is_now(o, right.when):
        raise CommandRefused(OUT_OF_TIME[right.when], status=o.status.value, step=o.step or "")
    if actor.role is Role.BIDDER and o.bid(actor.id) is None:
        raise CommandRefused("no_bid")
    if o.hold and not right.held:
        raise CommandRefused("held", reason=o.hold.reason)
    if actor.role in _HOSTS and _only_acting(command, right, actor) and o.acting != actor.id:
        raise CommandRefused("not_acting_host")


def permitted(o: Opening, actor: Actor) -> frozenset[str]:
    """Return the names of the commands that ``actor`` may send now, for pages that show what can be done.

    A command in the set may still be refused for what it says.
    """
    return frozenset(kind.__name__ for kind, right in RIGHTS.items() if _may(o, right, kind, actor))


def _may(o: Opening, right: Right, kind: type[c.OpeningCommand], actor: Actor) -> bool:
    return (
        actor.role in right.roles
        and (actor.role not in STAFF or _seated(o, actor))
        and _is_now(o, right.when)
        and (actor.role is not Role.BIDDER or o.bid(actor.id) is not None)
        and not (o.hold and not right.held)
        and not (kind is c.Resume and (o.hold is None or not o.hall.well))
        and _has_locks_for(o, kind, actor)
        and not (actor.role in _HOSTS and (right.acting or _host_acts(kind, actor)) and o.acting != actor.id)
    )


def _has_locks_for(o: Opening, kind: type[c.OpeningCommand], actor: Actor) -> bool:
    """Whether this opening has the locks that such a command is about."""
    if kind in (c.ReadyOfficer, c.OpenLock):
        return any(lock.officer(actor.id) for lock in o.plan.every_lock)
    if kind in (c.RequestEscrow, c.GrantEscrow):
        return o.plan.escrow is not None
    return kind is not c.MissLock or bool(o.plan.tenderer_share or o.plan.escrow)


def _only_acting(command: c.OpeningCommand, right: Right, actor: Actor) -> bool:
    return right.acting or _host_acts(type(command), actor)


def _host_acts(kind: type[c.OpeningCommand], actor: Actor) -> bool:
    """A host pauses and resumes only while acting; a deputy always may."""
    return kind in (c.Pause, c.Resume) and actor.role is Role.HOST


def _seated(o: Opening, actor: Actor) -> bool:
    return any(seat.account == actor.id and seat.role is actor.role for seat in o.plan.seats)


def _own(command: c.OpeningCommand, actor: Actor) -> str | None:
    match command:
        case (
            c.CheckIn() | c.RecordRelease() | c.ReportFailure() | c.ConfirmRow() | c.DisputeRow() | c.Object()
            | c.NoObjection() | c.RequestEscrow() | c.AskFloor()
        ):  # fmt: skip
            return command.bidder
        case c.RecordRescue() | c.EndFloor() if actor.role is Role.BIDDER:
            return command.bidder
        case c.SignRecord():
            return command.signer
        case _:
            return None


def _is_now(o: Opening, when: When) -> bool:
    match when:
        case When.ALWAYS:
            return True
        case When.BEFORE_T0:
            return o.status in (Status.SCHEDULED, Status.CHECKIN)
        case When.CHECKIN_ON:
            return o.status in (Status.CHECKIN, Status.LIVE)
        case When.UNTIL_END:
            return o.status in (Status.SCHEDULED, Status.CHECKIN, Status.LIVE)
        case When.LIVE:
            return o.status is Status.LIVE
        case When.LISTED_ON:
            return o.status is Status.LIVE and o.listed
        case When.FROZEN_ON:
            return o.status is Status.LIVE and o.frozen is not None
        case When.AFTER_BARRIER:
            return o.status is Status.LIVE and o.phase is Phase.OPENED and o.opened
        case When.DRAW:
            return _running(o, StepKind.DRAW)
        case When.DECRYPT:
            return _running(o, StepKind.DECRYPT) and o.barrier is None
        case When.UNTIL_OPENED:
            return _running(o, StepKind.DECRYPT) and not o.opened
        case When.BEHIND_BARRIER:
            return _running(o, StepKind.DECRYPT) and o.barrier is not None and not o.opened
        case When.CONFIRM:
            return _running(o, StepKind.CONFIRM)
        case When.SIGN:
            return _running(o, StepKind.SIGN)
        case When.OBJECTIONS:
            over = o.run_of(StepKind.OBJECTION)
            return o.status is Status.LIVE and o.listed and (over is None or over.completed_at is None)
        case When.FLOOR:
            return floor.is_open(o)


def _running(o: Opening, kind: StepKind) -> bool:
    return o.status is Status.LIVE and o.kind is kind and not o.step_complete


OUT_OF_TIME: dict[When, str] = {
    When.ALWAYS: "not_now",
    When.BEFORE_T0: "t0_passed",
    When.CHECKIN_ON: "room_not_open",
    When.UNTIL_END: "session_over",
    When.FROZEN_ON: "not_frozen",
    When.LISTED_ON: "not_frozen",
    When.LIVE: "not_live",
    When.AFTER_BARRIER: "before_barrier",
    When.DRAW: "window_closed",
    When.DECRYPT: "window_closed",
    When.UNTIL_OPENED: "window_closed",
    When.BEHIND_BARRIER: "locks_not_due",
    When.CONFIRM: "window_closed",
    When.OBJECTIONS: "objections_closed",
    When.SIGN: "window_closed",
    When.FLOOR: "floor_closed",
}
