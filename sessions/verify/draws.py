"""The draw once more, from its events and the plan alone: commitments, seeds, arithmetic, signatures."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography import x509

from crypto.draw import Share, check_seed, mix, pick
from crypto.signing import verify
from sessions.events import DrawCommitted, DrawMade, DrawRevealed
from sessions.roles import Role
from sessions.verify.papers import signer
from sessions.verify.proofs import Proved
from sessions.verify.replay import Replayed
from sessions.verify.report import Found, require


def result(replayed: Replayed, certificates: Mapping[str, x509.Certificate], proved: Proved) -> Found:
    """Repeat every round: each seed fits what was committed to before, and the last round's draw what was drawn."""
    opening = replayed.opening
    session, events = opening.plan.session, [record.event for record in replayed.log.records]
    committed = {(e.round, e.role, e.party): e for e in events if isinstance(e, DrawCommitted)}
    for (number, role, party), joined in committed.items():
        if role is Role.BIDDER:
            expected = {"v": 1, "session": session, "bidder": party, "round": number, "commitment": joined.commitment}
            said = verify(joined.statement or "", "draw", signer(certificates, proved, party, joined.proof))
            require(said == expected, f"round {number}: what {party} signed is something else")
    shares: dict[int, list[Share]] = {}
    for event in events:
        if isinstance(event, DrawRevealed):
            share = Share(role=event.role.value, party=event.party, seed=bytes.fromhex(event.private["seed"]))
            before = committed[event.round, event.role, event.party]
            check_seed(session, event.round, share, bytes.fromhex(before.commitment))
            shares.setdefault(event.round, []).append(share)
    made = [done for done in events if isinstance(done, DrawMade)]
    for done in made:
        parties = {(role, party) for number, role, party in committed if number == done.round}
        seeds = shares.get(done.round, [])
        require({(share.role, share.party) for share in seeds} == parties, "somebody's number is not in the draw")
        stated = {f"{share.role}:{share.party}": share.seed.hex() for share in seeds}
        require(stated == dict(done.seeds), "the numbers stated are not those shown")
        randomness = mix(session, done.round, seeds)
        require(randomness.hex() == done.randomness, "the numbers give another randomness")
        require(done.drawn.keys() == {rule.id for rule in opening.plan.tender.draws}, "not what was to be drawn")
        for rule in opening.plan.tender.draws:
            values = rule.values or tuple(str(bid.row) for bid in opening.bids)
            count = len(values) if rule.pick is None else min(rule.pick, len(values))
            again = pick(randomness, rule.id, values, count)
            require(tuple(done.drawn[rule.id]) == again, f"{rule.id}: drawing again gives {', '.join(again)}")
    parties_in_all = len({(role, party) for _, role, party in committed})
    return Found(
        True, f"{len(made)} draws made, {parties_in_all} parties, {len(shares)} rounds" if made else "no draw"
    )
