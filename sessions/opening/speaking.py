"""What people do about the floor: ask to speak, let speak, stop. Nothing here touches an objection."""

from __future__ import annotations

from sessions.commands import AskFloor, EndFloor, GrantFloor
from sessions.errors import CommandRefused
from sessions.events import FloorAsked, FloorEnded, FloorGranted
from sessions.opening.draft import Draft
from sessions.opening.floor import standing
from sessions.roles import Role
from sessions.texts import given


def ask(draft: Draft, command: AskFloor) -> None:
    """Ask to speak. Only who has checked in, by a signed statement, is heard; asking twice changes nothing."""
    bid = draft.opening.bid(command.bidder)
    if bid is None or bid.checked_in_at is None:
        raise CommandRefused("not_checked_in")
    if standing(draft.opening, command.bidder) is None:
        draft.put(FloorAsked(bidder=command.bidder))


def grant(draft: Draft, command: GrantFloor) -> None:
    """Let a bidder speak that asked to. One speaks at a time."""
    turn, speaker = standing(draft.opening, command.bidder), draft.opening.speaker
    if turn is None:
        raise CommandRefused("no_turn")
    if turn.speaking:
        return
    if speaker is not None:
        bid = draft.opening.bid(speaker.bidder)
        raise CommandRefused("floor_taken", name=bid.name if bid else speaker.bidder)
    draft.put(FloorGranted(bidder=command.bidder))


def end(draft: Draft, command: EndFloor) -> None:
    """Stop: the bidder as it likes, the host with a reason that everybody reads."""
    turn = standing(draft.opening, command.bidder)
    if turn is None:
        raise CommandRefused("no_turn")
    if draft.actor.role is Role.BIDDER:
        why, reason = "finished" if turn.speaking else "withdrawn", ""
    else:
        why, reason = "ended" if turn.speaking else "refused", given(command.reason, "reason")
    draft.put(FloorEnded(bidder=command.bidder, why=why, reason=reason))
