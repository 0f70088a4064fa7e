"""The floor as the facts have made it: who asks to speak, who speaks, and what ends it without anybody's doing.

It carries speech and nothing else. What a bidder has to say for the record is an objection, which nobody can refuse,
end or mute (opening.objecting).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from sessions.events import FloorAsked, FloorEnded, FloorGranted
from sessions.opening.state import Opening, Status, Turn
from sessions.plan import StepKind
from sessions.roles import Actor

STAGE = "stage"
"""Why the floor ends by itself (FloorEnded)."""


def is_open(o: Opening) -> bool:
    """Return whether bidders may speak now: from the beginning of a step that allows it until the next one begins.

    The last step has none after it and ends with its work.
    """
    rule = o.plan.pack.floor
    if rule is None or o.status is not Status.LIVE or o.kind not in rule.steps:
        return False
    return not (o.kind is StepKind.SIGN and o.step_complete)


def standing(o: Opening, bidder: str) -> Turn | None:
    """Return the turn that ``bidder`` asks for, or has now."""
    return next((turn for turn in o.turns if turn.bidder == bidder and turn.ended_at is None), None)


def asking(o: Opening) -> tuple[Turn, ...]:
    """Return who asks to speak, in the order of asking."""
    return tuple(turn for turn in o.turns if turn.asking)


def ending(o: Opening) -> FloorEnded | None:
    """Return what ends the floor of whoever still has it in a stage that does not allow it."""
    speaker = o.speaker if o.turns and not o.hold else None
    if speaker is None or is_open(o):
        return None
    return FloorEnded(bidder=speaker.bidder, why=STAGE, reason="")


def lapsed(o: Opening) -> Opening:
    """Return the opening after its stage changed: where nobody may speak, nobody asks any more."""
    return o if not o.turns or is_open(o) else replace(o, turns=tuple(turn for turn in o.turns if not turn.asking))


def closed(o: Opening, at: datetime) -> Opening:
    """Return the opening after its end: nobody asks any more, and who spoke has spoken."""
    if not o.turns:
        return o
    turns = (replace(turn, ended_at=at, why=STAGE) if turn.speaking else turn for turn in o.turns if not turn.asking)
    return replace(o, turns=tuple(turns))


def after(o: Opening, at: datetime, actor: Actor, event: FloorAsked | FloorGranted | FloorEnded) -> Opening:
    """Return the opening after a fact of the floor. Of an asking that was taken back nothing stays but the fact."""
    match event:
        case FloorAsked(bidder=bidder):
            return replace(o, turns=(*o.turns, Turn(bidder=bidder, asked_at=at)))
        case FloorGranted(bidder=bidder):
            return _turn(o, bidder, granted_at=at, granted_by=actor)
        case FloorEnded(bidder=bidder, why="withdrawn"):
            return replace(o, turns=tuple(turn for turn in o.turns if not (turn.bidder == bidder and turn.asking)))
        case FloorEnded(bidder=bidder, why=why, reason=reason):
            return _turn(o, bidder, ended_at=at, why=why, reason=reason)
        case _:
            assert_never(event)


def _turn(o: Opening, bidder: str, **changes: object) -> Opening:
    turn = standing(o, bidder)
    turns = tuple(replace(one, **changes) if one is turn else one for one in o.turns)  # type: ignore[arg-type] # as declared by the events
    return replace(o, turns=turns)
