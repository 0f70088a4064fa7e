"""The draw (抽取): everyone present commits to a seed, then shows it, and arithmetic does the rest.

Bidders show theirs first and unseen; the staff show theirs only when no bidder's is missing. So a bidder cannot
tell what would be drawn when it decides whether to show, even if the hall were on its side. Who commits and then does
not show is named and left out, and the others draw again. For the staff nobody waits by the clock: their part is
duty, and only two persons may begin anew without it, with the reason on record. There is no other way to a result.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from crypto.draw import check_seed
from crypto.encoding import unhex
from crypto.errors import CryptoRefused, EncodingRefused
from sessions.commands import CommitDraw, RevealDraw
from sessions.errors import CommandRefused
from sessions.events import DrawClosed, DrawCommitted, DrawMade, DrawRepeated, DrawRevealed, Happening
from sessions.opening.draft import Draft, by_clock
from sessions.opening.draws import draw_of, outcome, share_of
from sessions.opening.state import Draw, Opening, StepRun
from sessions.plan import StepKind
from sessions.proofs import Act
from sessions.roles import Actor, Role

ASKED = (Role.HOST, Role.SUPERVISOR)
"""The staff who draw: whoever acts as host, and the supervisor. Nothing is drawn without one of them."""


def commit(draft: Draft, command: CommitDraw) -> None:
    """Join the round. The same commitment again changes nothing; another one is refused."""
    o, draw = draft.opening, draw_of(draft.opening)
    role, party = _side(o, draft.actor), draft.actor.id
    try:
        unhex(command.commitment, 32)
    except EncodingRefused as error:
        raise CommandRefused("not_a_commitment") from error
    before = draw.party(role, party)
    if before is not None:
        if before.commitment != command.commitment:
            raise CommandRefused("already_committed")
        return
    _this_round(draw, command.round)
    if draw.closed:
        raise CommandRefused("draw_closed")
    if party in draw.out:
        raise CommandRefused("left_out")
    if (role is Role.BIDDER) != (command.statement is not None):
        raise CommandRefused("not_signed")
    if role is Role.BIDDER:
        draft.accept(Act.DRAW, command.proof)
    draft.put(
        DrawCommitted(
            round=draw.round,
            role=role,
            party=party,
            commitment=command.commitment,
            statement=command.statement,
            proof=command.proof if role is Role.BIDDER else None,
        )
    )


def reveal(draft: Draft, command: RevealDraw) -> None:
    """Show the seed. Refused unless it is the one committed to; for the staff, before every bidder has shown its."""
    o, draw = draft.opening, draw_of(draft.opening)
    role = _side(o, draft.actor)
    _this_round(draw, command.round)
    mine = draw.party(role, draft.actor.id)
    if mine is None:
        raise CommandRefused("not_committed")
    if mine.seed is not None:
        return
    if not draw.closed:
        raise CommandRefused("draw_open")
    if role is not Role.BIDDER and any(_silent(draw)):
        raise CommandRefused("bidders_first")
    try:
        check_seed(o.plan.session, draw.round, share_of(mine, command.seed), bytes.fromhex(mine.commitment))
    except CryptoRefused as error:
        raise CommandRefused("wrong_seed") from error
    draft.put(DrawRevealed(round=draw.round, role=role, party=mine.party, private={"seed": command.seed}))


def repeatable(o: Opening) -> Draw:
    """Return the draw that two persons may begin anew: one that only waits for seeds of the staff."""
    draw = o.draw
    if o.kind is not StepKind.DRAW or o.step_complete or draw is None or not draw.closed or any(_silent(draw)):
        raise CommandRefused("nothing_to_repeat")
    return draw


def repeated(o: Opening, reason: str, approved_by: str | None, now: datetime) -> DrawRepeated:
    """Return the event with which two persons begin the draw anew. Nobody is left out by it."""
    draw = repeatable(o)
    due = now + o.plan.windows[StepKind.DRAW]
    return DrawRepeated(round=draw.round + 1, without=(), due=due, reason=reason, approved_by=approved_by)


def coming(o: Opening, run: StepRun) -> Happening | None:
    """Return what time or completeness brings to the draw, but for the end of the step."""
    draw, due = draw_of(o), max(run.due or o.at, o.at)
    if not draw.closed:
        if not any(each.role in ASKED for each in draw.committed):
            return None
        at = o.at if _all_here(o, draw) else due
        parties = tuple(f"{each.role}:{each.party}" for each in draw.committed)
        return by_clock(at, DrawClosed(round=draw.round, parties=parties, due=at + o.plan.windows[StepKind.DRAW]))
    silent = tuple(_silent(draw))
    if silent:
        later = due + o.plan.windows[StepKind.DRAW]
        again = DrawRepeated(round=draw.round + 1, without=silent, due=later, reason="", approved_by=None)
        return by_clock(due, again)
    if any(each.seed is None for each in draw.committed):
        return None
    return by_clock(o.at, _made(o, draw))


def waited_for(o: Opening) -> tuple[tuple[Role, str], ...]:
    """Return whose part the draw waits for now: role and bidder or account."""
    draw = o.draw
    if draw is None or draw.drawn is not None:
        return ()
    if not draw.closed:
        here = {(each.role, each.party) for each in draw.committed}
        return tuple(who for who in _present(o, draw) if who not in here)
    silent = tuple((Role.BIDDER, party) for party in _silent(draw))
    return silent or tuple((each.role, each.party) for each in draw.committed if each.seed is None)


def _made(o: Opening, draw: Draw) -> DrawMade:
    randomness, drawn = outcome(o, draw)
    seeds = {f"{each.role}:{each.party}": each.seed or "" for each in draw.committed}
    return DrawMade(round=draw.round, seeds=seeds, randomness=randomness, drawn=drawn)


def _all_here(o: Opening, draw: Draw) -> bool:
    here = {(each.role, each.party) for each in draw.committed}
    return all(who in here for who in _present(o, draw))


def _present(o: Opening, draw: Draw) -> Iterator[tuple[Role, str]]:
    """Whoever should draw: the acting host, the supervisor if one has the chair, and the bidders that checked in."""
    if o.acting is not None:
        yield Role.HOST, o.acting
    yield from ((Role.SUPERVISOR, chair.account) for chair in o.chairs if chair.role is Role.SUPERVISOR)
    yield from ((Role.BIDDER, bid.bidder) for bid in o.bids if bid.checked_in_at and bid.bidder not in draw.out)


def _silent(draw: Draw) -> Iterator[str]:
    return (each.party for each in draw.committed if each.role is Role.BIDDER and each.seed is None)


def _side(o: Opening, actor: Actor) -> Role:
    """A deputy who took over draws as the host."""
    if actor.role is Role.BIDDER:
        bid = o.bid(actor.id)
        if bid is None or bid.checked_in_at is None:
            raise CommandRefused("not_checked_in")
        return Role.BIDDER
    return Role.SUPERVISOR if actor.role is Role.SUPERVISOR else Role.HOST


def _this_round(draw: Draw, number: int) -> None:
    if number != draw.round:
        raise CommandRefused("wrong_round", round=draw.round)
