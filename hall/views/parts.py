"""The parts of a view that everyone sees alike: the tender, the rules, the steps, the people, the acts of two."""

from __future__ import annotations

from typing import Any

from crypto.digest import sha256_hex
from crypto.encoding import unb64u
from hall.views.kept import Kept
from sessions.opening.drawing import waited_for
from sessions.opening.draws import places, urn
from sessions.opening.floor import asking, is_open
from sessions.opening.locked import comes_off
from sessions.opening.state import (
    Barrier,
    Chair,
    Locks,
    Opening,
    Proposal,
    Readiness,
    Removal,
    Signature,
    StepRun,
)
from sessions.opening.steps import wanted
from sessions.opening.stops import CLOCK_STOP, OUTAGE_STOP
from sessions.plan import ESCROW, TENDERER, DrawRule, Plan, RulePack, Step, Tender
from sessions.roles import Actor, Role
from sessions.shape import rfc3339, to_json
from sessions.wording.readout import amount_words, two_decimals


def session(plan: Plan) -> dict[str, Any]:
    """What is opened, for whom, by which rules."""
    tender, pack = plan.tender, plan.pack
    return {
        "id": plan.session,
        "tender": tender.id,
        "lot": tender.lot,
        "title": to_json(tender.title),
        "tenderer": to_json(tender.tenderer),
        "agent": to_json(tender.agent),
        "place": to_json(tender.place),
        "currency": tender.currency,
        "rules": {"id": pack.id, "version": pack.version, "title": to_json(pack.title), "digest": pack.digest},
        "rehearsal": plan.rehearsal,
    }


def fields(tender: Tender) -> dict[str, Any]:
    """The columns of the read-out sheet, by id."""
    return {
        field.id: {
            "order": order,
            "kind": field.kind,
            "label": to_json(field.label),
            "currency": field.currency or (tender.currency if field.kind == "money" else None),
        }
        for order, field in enumerate(tender.quote)
    }


def steps(plan: Plan, runs: tuple[StepRun, ...], kept: Kept) -> dict[str, Any]:
    """The ceremony step by step: what each is for, on which article it rests, and how far it is."""
    entered = {run.step.id: run for run in runs}
    standing = [(step, entered.get(step.id)) for step in plan.pack.steps if wanted(plan, step)]
    return {
        step.id: kept.piece(
            ("step", step.id), _step, kept.piece(("said", step.id), _said, plan, step, order), run, _state(run, runs)
        )
        for order, (step, run) in enumerate(standing)
    }


def _said(plan: Plan, step: Step, order: int) -> dict[str, Any]:
    """What was announced of a step."""
    return {
        "order": order,
        "kind": step.kind,
        "title": to_json(step.title),
        "why": to_json(step.why),
        "article": article(plan.pack, step.article),
        "starts": step.starts,
    }


def _step(said: dict[str, Any], run: StepRun | None, state: str) -> dict[str, Any]:
    return {**said, "state": state, "due": moment(run.due) if run else None}


def _state(run: StepRun | None, runs: tuple[StepRun, ...]) -> str:
    if run is None:
        return "ahead"
    if run is not runs[-1]:
        return "done"
    return "complete" if run.completed_at else "current"


def article(pack: RulePack, key: str) -> Any:
    """A rule of law as a page shows it; None for a key that the pack does not explain."""
    return to_json(pack.articles.get(key))


def chairs(taken: tuple[Chair, ...], acting: str | None, pack: RulePack) -> dict[str, Any]:
    """Who of the staff is in the room, who leads it, and which chairs the rules want before bids are unlocked."""
    held = {chair.role: {"name": chair.name, "since": rfc3339(chair.at)} for chair in taken}
    leader = next((chair.role for chair in taken if chair.account == acting), Role.HOST)
    filled = held.keys() | ({Role.HOST} if acting else set())  # a deputy who took over holds the host's chair
    return {
        **{role: held.get(role) for role in (Role.HOST, Role.DEPUTY, Role.SUPERVISOR)},
        "acting": leader,
        "required": {role: role in filled for role in pack.chairs},
    }


def locks(plan: Plan, found: Locks, barrier: Barrier | None, opened: bool, escrowed: int) -> dict[str, Any]:
    """The locks of this opening: who is ready, who is still waited for and since when, which are off."""
    before = {(one.lock, one.account): one for one in found.beforehand}
    roles = {seat.account: seat.role for seat in plan.seats}
    shown: dict[str, Any] = {}
    for order, lock in enumerate(plan.every_lock):
        kind = lock.id if lock.id in (TENDERER, ESCROW) else "lock"
        brought = found.brought(lock)
        came = {one.account: one for one in reversed(brought)}
        officers = {
            str(n): {
                "order": n,
                "account": officer.account,
                "name": officer.name,
                "role": roles.get(officer.account),
                "certificate": sha256_hex(unb64u(officer.certificate)),
                **_officer(found.rehearsed(lock, officer.account), came.get(officer.account)),
                **_beforehand(before.get((lock.id, officer.account))),
            }
            for n, officer in enumerate(lock.officers, start=1)
        }
        ready, given_up = found.ready(lock), found.given_up(lock)
        held = 0 if barrier is None else escrowed if kind == ESCROW else len(barrier.released)
        if kind == "lock":
            held -= min(held, escrowed)
        if given_up is not None:
            state, since = "missed", given_up.at
        elif comes_off(lock, brought):
            state, since = "off", max(one.at for one in came.values())
        elif barrier is not None:
            state, since = ("holding", barrier.at) if held and not opened else ("unused", barrier.at)
        else:
            state, since = "ready" if ready >= lock.threshold else "waiting", None
        shown[lock.id] = {
            "order": order,
            "kind": kind,
            "title": to_json(lock.title),
            "threshold": lock.threshold,
            "of": len(lock.officers),
            "ready": ready,
            "removed": len(came),
            "state": state,
            "since": moment(since),
            "reason": given_up.reason if given_up else None,
            "officers": officers,
        }
    return shown


def _officer(tried: Readiness | None, brought: Removal | None) -> dict[str, Any]:
    if brought is not None:
        counts = {"opened": len(brought.opened), "failed": len(brought.failed)}
        return {"state": "removed", "at": moment(brought.at), **counts}
    if tried is not None:
        state = "ready" if tried.passed else "failed"
        return {"state": state, "at": moment(tried.at), "opened": 0, "failed": 0}
    return {"state": "absent", "at": None, "opened": 0, "failed": 0}


def _beforehand(tried: Readiness | None) -> dict[str, Any]:
    if tried is None:
        return {}
    return {"before": {"state": "ready" if tried.passed else "failed", "at": moment(tried.at)}}


def ceiling(tender: Tender) -> dict[str, Any] | None:
    """The highest price that may be bid (最高投标限价)."""
    if tender.ceiling is None:
        return None
    written = amount(tender.ceiling, tender.currency)
    return {"amount": tender.ceiling, "currency": tender.currency, **written}


def amount(figures: str, currency: str) -> dict[str, str]:
    """An amount as people read it, with two decimals; ``quote`` has the figures as they were sealed."""
    words = amount_words(figures, currency)
    return {"grouped": two_decimals(figures), "zh": words.zh, "en": words.en}


def draw(opening: Opening) -> dict[str, Any] | None:
    """The draw: what is drawn from what, who is in, whom it waits for, and what came out."""
    drawing = opening.draw
    if drawing is None:
        return None
    waiting = waited_for(opening)
    return {
        "round": drawing.round,
        "stage": "made" if drawing.drawn is not None else "reveal" if drawing.closed else "commit",
        "rules": {
            rule.id: {
                "order": order,
                "title": to_json(rule.title),
                "values": list(urn(opening, rule)),
                "pick": places(opening, rule),
                "drawn": list(drawing.drawn[rule.id]) if drawing.drawn is not None else None,
                "result": _drawn(opening, rule),
            }
            for order, rule in enumerate(opening.plan.tender.draws)
        },
        "parties": {
            str(number): {
                "role": each.role,
                "party": each.party,
                "name": _party(opening, each.party),
                "commitment": each.commitment,
                "shown": each.seed is not None,
                "seed": each.seed if drawing.drawn is not None else None,
            }
            for number, each in enumerate(drawing.committed, start=1)
        },
        "waiting": [{"role": role, "party": party} for role, party in waiting],
        "waits_for": _names([_party(opening, party) for _, party in waiting]),
        "left_out": _names([_party(opening, party) for party in drawing.out]),
        "randomness": drawing.randomness,
    }


def _drawn(opening: Opening, rule: DrawRule) -> dict[str, str] | None:
    drawn = opening.draw.drawn if opening.draw else None
    if drawn is None:
        return None
    rows = {str(bid.row): bid.name for bid in opening.bids}
    return _names([value if rule.values else rows.get(value, value) for value in drawn[rule.id]])


def _names(names: list[str]) -> dict[str, str] | None:
    return {"zh": "、".join(names), "en": ", ".join(names)} if names else None


def _party(opening: Opening, party: str) -> str:
    bid = opening.bid(party)
    if bid is not None:
        return bid.name
    return next((seat.name for seat in opening.plan.seats if seat.account == party), party)


def floor(opening: Opening) -> dict[str, Any] | None:
    """Who speaks, and who asks to; None where bidders do not speak, and before they are named."""
    if opening.plan.pack.floor is None or not opening.listed:
        return None
    speaker = opening.speaker
    return {
        "open": is_open(opening),
        "speaker": None
        if speaker is None
        else {**_speaks(opening, speaker.bidder), "since": moment(speaker.granted_at)},
        # By row, so that nobody's place on a page becomes somebody else's when the queue moves up.
        "asked": {
            str(opening.rows[turn.bidder]): {
                "order": order,
                **_speaks(opening, turn.bidder),
                "at": rfc3339(turn.asked_at),
            }
            for order, turn in enumerate(asking(opening), start=1)
        },
    }


def _speaks(opening: Opening, bidder: str) -> dict[str, Any]:
    row = opening.rows[bidder]
    return {"row": row, "bidder": bidder, "name": opening.bids[row - 1].name}


def proposal(made: Proposal) -> dict[str, Any]:
    """An act that waits, or waited, for a second person."""
    return {
        "proposal": made.number,
        "act": made.act,
        "fields": dict(made.fields),
        "reason": made.reason,
        "by": person(made.by),
        "at": rfc3339(made.at),
        "state": made.state,
    }


def signature(given: Signature) -> dict[str, Any]:
    """A signature on the opening record."""
    return {"role": given.role, "name": given.name, "at": rfc3339(given.at)}


def hold(opening: Opening) -> dict[str, Any] | None:
    """The pause in force."""
    held = opening.hold
    if held is None:
        return None
    return {
        "reason": held.reason,
        "incident": held.incident,
        "since": rfc3339(held.since),
        "by": person(held.by),
        "kind": _kind(opening),
        "lifted": bool(held.stops) and opening.hall.well,
    }


def _kind(opening: Opening) -> str:
    """What the hold is for people: the worst that is in force, else the worst that was."""
    if opening.hall.clock_unsafe:
        return CLOCK_STOP
    if opening.hall.outage is not None:
        return OUTAGE_STOP
    stops = opening.hold.stops if opening.hold else frozenset()
    return next((kind for kind in (CLOCK_STOP, OUTAGE_STOP) if kind in stops), "pause")


def clock(opening: Opening) -> dict[str, Any] | None:
    """What the time sources said of the hall's clock by T0."""
    return None if opening.clock is None else dict(to_json(opening.clock))


def person(actor: Actor) -> dict[str, str]:
    """Who did something: the part, the account or bidder, and the name to show."""
    return {"role": actor.role, "id": actor.id, "name": actor.name}


def moment(at: Any) -> str | None:
    """A moment on the wire, or None."""
    return None if at is None else rfc3339(at)
