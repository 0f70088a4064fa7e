"""What a draw is after each of its events, and what the seeds shown make of it."""

from __future__ import annotations

from dataclasses import replace

from crypto.draw import Share, mix, pick
from crypto.encoding import unhex
from sessions.events import DrawClosed, DrawCommitted, DrawMade, DrawRepeated, DrawRevealed, Event
from sessions.ids import Digest
from sessions.opening.state import Draw, DrawParty, Opening
from sessions.plan import DrawRule


def after(o: Opening, event: Event) -> Opening:
    """Return the opening after an event of the draw."""
    draw = draw_of(o)
    match event:
        case DrawCommitted(role=role, party=party, commitment=commitment):
            joined = (*draw.committed, DrawParty(role=role, party=party, commitment=commitment))
            return replace(o, draw=replace(draw, committed=joined))
        case DrawClosed():
            return replace(o, draw=replace(draw, closed=True))
        case DrawRevealed(role=role, party=party, private=private):
            shown = (
                replace(each, seed=private.get("seed", "")) if (each.role, each.party) == (role, party) else each
                for each in draw.committed
            )
            return replace(o, draw=replace(draw, committed=tuple(shown)))
        case DrawRepeated(round=number, without=without):
            return replace(o, draw=Draw(round=number, out=(*draw.out, *without)))
        case DrawMade(seeds=seeds, randomness=randomness, drawn=drawn):
            return replace(o, draw=replace(draw, seeds=seeds, randomness=randomness, drawn=drawn))
        case _:
            return o


def outcome(o: Opening, draw: Draw) -> tuple[Digest, dict[str, tuple[str, ...]]]:
    """Return the randomness of the seeds shown and what it draws; the verifier asks the same."""
    randomness = mix(o.plan.session, draw.round, (share_of(each, each.seed or "") for each in draw.committed))
    drawn = {rule.id: pick(randomness, rule.id, urn(o, rule), places(o, rule)) for rule in o.plan.tender.draws}
    return Digest(randomness.hex()), drawn


def urn(o: Opening, rule: DrawRule) -> tuple[str, ...]:
    """Return what is drawn from: the values announced, or the rows of the bidders."""
    return rule.values or tuple(str(bid.row) for bid in o.bids)


def places(o: Opening, rule: DrawRule) -> int:
    """Return how many are drawn."""
    size = len(urn(o, rule))
    return size if rule.pick is None else min(rule.pick, size)


def share_of(party: DrawParty, seed: str) -> Share:
    """Return the party's part with this seed (hex of 32 bytes)."""
    return Share(role=party.role.value, party=party.party, seed=unhex(seed, 32))


def draw_of(o: Opening) -> Draw:
    """Return the draw under way, or the one about to begin."""
    return o.draw or Draw()
