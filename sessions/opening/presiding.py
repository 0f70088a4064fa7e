"""What the host, the deputy and the supervisor do to run the room: chairs, steps, more time, pauses, notes."""

from __future__ import annotations

from sessions.commands import Advance, ExtendWindow, Note, Pause, Resume, TakeChair
from sessions.errors import CommandRefused
from sessions.events import (
    ChairTaken,
    HostHandedOver,
    SessionPaused,
    SupervisorNoted,
)
from sessions.opening import stopping, two_persons, windows
from sessions.opening.draft import Draft
from sessions.opening.steps import entering, following, hindrance
from sessions.roles import Role
from sessions.texts import given


def take_chair(draft: Draft, command: TakeChair) -> None:
    """Enter the room; with ``takeover`` the deputy becomes the acting host (AB 角交接)."""
    actor = draft.actor
    if command.takeover and actor.role is not Role.DEPUTY:
        raise CommandRefused("not_your_role", role=actor.role.value)
    if command.takeover and draft.opening.acting != actor.id:
        given(command.reason, "reason")
    if all(chair.account != actor.id for chair in draft.opening.chairs):
        draft.put(ChairTaken(role=actor.role, account=actor.id, name=actor.name))
    if command.takeover and draft.opening.acting != actor.id:
        draft.put(HostHandedOver(account=actor.id, name=actor.name, reason=command.reason))


def advance(draft: Draft, command: Advance) -> None:
    """Begin the step that comes next, if it is the one named and the one before is complete."""
    o = draft.opening
    if command.step in {run.step.id for run in o.runs}:
        raise CommandRefused("step_passed", step=command.step)
    if not o.step_complete:
        raise CommandRefused("step_running", step=o.step or "")
    step = following(o)
    if step is None or step.id != command.step or o.frozen is None:
        raise CommandRefused("wrong_step", step=command.step, next=step.id if step else "")
    code = hindrance(o, step)
    if code is not None:
        raise CommandRefused(code, step=command.step)
    draft.put(entering(o, step, draft.now))


def extend(draft: Draft, command: ExtendWindow) -> None:
    """Give the running window one more extension; past the host's own number it takes two persons."""
    reason = given(command.reason, "reason")
    run, rule = windows.extendable(draft)
    alone = sum(item.approved_by is None for item in run.extensions)
    if alone >= rule.extensions and two_persons.needed(draft.opening, "ExtendBeyond"):
        two_persons.propose(draft, "ExtendBeyond", {"step": run.step.id}, reason)
    else:
        windows.extend(draft, reason)


def pause(draft: Draft, command: Pause) -> None:
    """Stop every timer. A pause before T0 does not move T0."""
    draft.put(SessionPaused(reason=given(command.reason, "reason"), incident=command.incident))


def resume(draft: Draft, command: Resume) -> None:
    """Go on: the running deadline moves by exactly the time that was frozen. After a stop it takes two persons."""
    stopping.resumable(draft.opening)
    if draft.opening.stopped:
        two_persons.propose(draft, "Resume", {}, given(command.reason, "reason"))
    else:
        draft.put(stopping.resumed(draft.opening, draft.now))


def note(draft: Draft, command: Note) -> None:
    draft.put(SupervisorNoted(private={"text": given(command.text, "text")}))
