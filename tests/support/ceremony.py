"""Stories about an opening, told in the verbs of the ceremony. The rules are the real ones; time is a number."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sessions import intake, opening
from sessions.announcing.announcement import make_plan
from sessions.commands import (
    Advance,
    CheckIn,
    CloseIntake,
    Gathered,
    IntakeCommand,
    Opened,
    OpeningCommand,
    RecordEvidence,
    RecordOpenings,
    RecordRelease,
    Schedule,
    SealChecks,
    SealedBid,
    SubmitBid,
    TakeChair,
    Tick,
)
from sessions.events import Event, Happening
from sessions.ids import BidderId, Digest, Jws, StepId
from sessions.opening.evidence import Beat, Probe, facts
from sessions.plan import IntakeLog, Plan
from sessions.plan_json import plan_to_json
from sessions.proofs import Proof, State
from sessions.roles import CLOCK, Actor, Role
from sessions.sealed_set import set_root

T0 = datetime(2026, 11, 21, 1, 0, 0, tzinfo=UTC)
MS = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)

HOST = Actor(role=Role.HOST, id="lin", name="林敏")
DEPUTY = Actor(role=Role.DEPUTY, id="zhao", name="赵青")
SUPERVISOR = Actor(role=Role.SUPERVISOR, id="gu", name="顾言")

TENDER: dict[str, Any] = {
    "id": "GX-2026-0117",
    "lot": "1",
    "title": {"zh": "城东河道整治工程", "en": "East river works"},
    "tenderer": {"zh": "城东区水务局", "en": "East District Water Bureau"},
    "place": {"zh": "网上开标厅", "en": "Online hall"},
    "deadline": "2026-11-21T01:00:00Z",
    "currency": "CNY",
    "ceiling": "1500000.00",
    "pack": "cn-works",
    "quote": {
        "fields": [
            {"id": "price", "kind": "money", "label": {"zh": "投标总价", "en": "Price"}},
            {"id": "days", "kind": "integer", "label": {"zh": "工期", "en": "Days"}, "required": False},
        ]
    },
    "seats": [
        {"account": HOST.id, "role": "host", "name": HOST.name},
        {"account": DEPUTY.id, "role": "deputy", "name": DEPUTY.name},
        {"account": SUPERVISOR.id, "role": "supervisor", "name": SUPERVISOR.name},
    ],
}


def a_plan(pack: str = "cn-works", *, intake_log: IntakeLog | None = None, **changes: Any) -> Plan:
    return replace(make_plan({**TENDER, "pack": pack, **changes}, session="gx-1"), intake_log=intake_log)


def digest(text: str) -> Digest:
    return Digest(hashlib.sha256(text.encode()).hexdigest())


def bidder(letter: str) -> Actor:
    return Actor(role=Role.BIDDER, id=f"91310000MA1{letter}", name=f"{letter} 公司")


A, B, C = bidder("A"), bidder("B"), bidder("C")


def a_bid(who: Actor, version: int = 1, **changes: Any) -> SubmitBid:
    """A sealed bid of ``who``, in order; ``changes`` break one thing at a time."""
    header = digest(f"{who.id} {version}")
    bid = SubmitBid(
        bidder=BidderId(who.id),
        name=who.name,
        header_sha256=header,
        declaration_sha256=digest("declaration " + header),
        root=digest("root " + header),
        length=1000,
        deadline=T0,
        sealed_tender=TENDER["id"],
        sealed_lot=TENDER["lot"],
        sealed_bidder=BidderId(who.id),
        signing_certificate=digest("certificate " + who.id),
        first_byte_at=T0 - 2 * MINUTE,
        leaf_salt=digest("salt " + header),
    )
    return replace(bid, **changes)


def a_sealed_bid(who: Actor, *, checked_in: bool = True, received_at: datetime = T0 - 90 * MINUTE) -> SealedBid:
    header = digest(f"{who.id} 1")
    return SealedBid(
        bidder=BidderId(who.id),
        name=who.name,
        header_sha256=header,
        received_at=received_at,
        tracker=header[:4].upper(),
        versions=1,
        checked_in_at=T0 - 10 * MINUTE if checked_in else None,
    )


def check_in(who: Actor) -> CheckIn:
    return CheckIn(bidder=BidderId(who.id), statement=Jws("signed.by." + who.id))


def a_release(who: Actor, code: str | None = None, **changes: Any) -> RecordRelease:
    release = RecordRelease(bidder=BidderId(who.id), group="A", release_sha256=digest("release " + who.id), code=code)
    return replace(release, **changes)


def closing(*bids: SealedBid) -> CloseIntake:
    headers = [bid.header_sha256 for bid in bids]
    return CloseIntake(
        bids=bids,
        root=set_root(headers),
        intake_head=digest("intake head"),
        intake_length=len(bids) + 2,
        session_key="BKey",
        clock_offset_ms=3,
    )


def opened(who: str, price: str = "1200000.00") -> Opened:
    return Opened(
        bidder=BidderId(who), quote={"price": price}, quote_sha256=digest(price), quote_key="aWs", code=None
    )


def not_opened(who: str, code: str | None = None) -> Opened:
    return Opened(bidder=BidderId(who), quote=None, quote_sha256=None, quote_key=None, code=code)


def signs_of_life(o: opening.Opening) -> tuple[Beat, ...]:
    """A beat every twenty seconds of everyone who released."""
    run, barrier = o.run, o.barrier
    assert run is not None
    assert barrier is not None
    moments = [run.entered_at + n * 20 * SECOND for n in range((barrier.at - run.entered_at) // (20 * SECOND) + 1)]
    return tuple(
        Beat(bidder=who, number=n, made_at=at, heard_at=at, answered_at=at, key="released", lost=0)
        for n, at in enumerate(moments, start=1)
        for who in barrier.released
    )


def evidence_on(o: opening.Opening, beats: tuple[Beat, ...] = (), probes: tuple[Probe, ...] = ()) -> RecordEvidence:
    """What the hall gathers of those whose keys are missing."""
    work = opening.work_due(o)
    assert isinstance(work, opening.GatherEvidence)
    return RecordEvidence(
        gathered=tuple(
            Gathered(
                bidder=bid.bidder,
                facts=facts(o, bid, [beat for beat in beats if beat.bidder == bid.bidder], beats, probes),
                sha256=digest("beats"),
                reach_sha256=digest("reach"),
                probes_sha256=digest("probes"),
            )
            for bid in o.bids
            if bid.bidder in work.missing
        )
    )


class Intake:
    """The intake stream of one session, from its opening on."""

    def __init__(self, plan: Plan | None = None, at: datetime = T0 - 24 * 60 * MINUTE) -> None:
        self.facts: list[Happening] = []
        self.now = at
        self.state: intake.Intake | None = None
        self.send(Schedule(plan=plan_to_json(plan or a_plan())), CLOCK)

    def send(self, command: IntakeCommand, actor: Actor, at: datetime | None = None) -> list[Event]:
        self.now = at or self.now
        happenings = intake.decide(self.state, command, actor, self.now)
        for happening in happenings:
            self.state = intake.evolve(self.state, happening)
        self.facts += happenings
        return [happening.event for happening in happenings]

    @property
    def it(self) -> intake.Intake:
        assert self.state is not None
        return self.state


class Ceremony:
    """One opening from its announcement on. ``send`` returns the events a command caused."""

    def __init__(self, plan: Plan | None = None, at: datetime = T0 - 24 * 60 * MINUTE) -> None:
        self.facts: list[Happening] = []
        self.now = at
        self.state: opening.Opening | None = None
        self.send(Schedule(plan=plan_to_json(plan or a_plan())), CLOCK)

    @property
    def it(self) -> opening.Opening:
        assert self.state is not None
        return self.state

    @property
    def events(self) -> list[Event]:
        return [fact.event for fact in self.facts]

    def named(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def send(self, command: OpeningCommand, actor: Actor, at: datetime | None = None) -> list[Event]:
        self.now = at or self.now
        happenings = opening.decide(self.state, command, actor, self.now)
        for happening in happenings:
            self.state = opening.evolve(self.state, happening)
        self.facts += happenings
        return [happening.event for happening in happenings]

    def wait(self, length: timedelta) -> list[Event]:
        """Let time pass, and the clock tick at its end."""
        return self.tick(self.now + length)

    def tick(self, at: datetime | None = None) -> list[Event]:
        return self.send(Tick(), CLOCK, at)

    def advance(self, step: str) -> list[Event]:
        return self.send(Advance(step=StepId(step)), HOST)

    # -- whole stretches of the ceremony, for stories that begin later ------------------------------------------

    def frozen(self, *bids: SealedBid) -> Ceremony:
        """Everybody in the room, T0 over, the set frozen: three bids unless others are given."""
        bids = bids or (a_sealed_bid(A), a_sealed_bid(B), a_sealed_bid(C))
        self.tick(T0 - 30 * MINUTE)
        for chair in (HOST, DEPUTY, SUPERVISOR):
            self.send(TakeChair(), chair)
        self.tick(self.it.t0)
        self.send(self.closing(*bids), CLOCK, self.it.t0 + 200 * MS)
        return self

    def closing(self, *bids: SealedBid) -> CloseIntake:
        """What the hall sends at T0: it has a session key only where there are no locks."""
        command = closing(*bids)
        return replace(command, session_key="") if self.it.plan.locks else command

    def checked(
        self, results: Mapping[str, str] | None = None, proofs: Mapping[BidderId, Proof] | None = None
    ) -> Ceremony:
        seals = {bid.bidder: (results or {}).get(bid.bidder, "ok") for bid in self.it.bids}
        self.send(SealChecks(results=seals, proofs=proofs), CLOCK, self.now + SECOND)
        return self

    def asked_again(self, **said: State) -> Ceremony:
        """The seals are checked, and authorities that had been silent about these bidders now say something."""
        proofs = {
            BidderId(who.id): Proof(certificate=digest(name), state=said[name], evidence=digest(f"{name} again"))
            for name, who in (("a", A), ("b", B), ("c", C))
            if name in said
        }
        return self.checked(proofs=proofs)

    def decrypting(self, *bids: SealedBid) -> Ceremony:
        self.frozen(*bids).checked()
        if self.it.plan.tender.ceiling is not None and self.it.plan.pack.id != "intl-two-role":
            self.advance("ceiling")
        self.advance("decrypt")
        return self

    def released(self, *who: Actor) -> Ceremony:
        for one in who:
            self.send(a_release(one), one, self.now + SECOND)
        return self

    def open_bids(self, *results: Opened) -> list[Event]:
        """Feed back the results of the opening: everybody's price, unless results are given."""
        given = {result.bidder: result for result in results}
        everybody = tuple(
            given.get(bid.bidder) or (opened(bid.bidder) if bid.groups >= self.it.groups else not_opened(bid.bidder))
            for bid in self.it.bids
        )
        return self.gathered().send(RecordOpenings(opened=everybody), CLOCK, self.now + 50 * MS)

    def gathered(self, *beats: Beat, probes: tuple[Probe, ...] | None = None) -> Ceremony:
        """Sum up the evidence on whoever is missing, if the rules ask for it.

        Unless it is given: whoever released gave signs of life all along, and nobody else did.
        """
        if isinstance(opening.work_due(self.it), opening.GatherEvidence):
            seen = signs_of_life(self.it) if probes is None and not beats else beats
            self.send(evidence_on(self.it, seen, probes or ()), CLOCK, self.now + 10 * MS)
        return self

    def read_out(self, *bids: SealedBid) -> Ceremony:
        """Everything opened and read."""
        self.decrypting(*bids)
        self.released(*(Actor(role=Role.BIDDER, id=bid.bidder, name=bid.name) for bid in self.it.bids))
        self.open_bids()
        assert self.it.due is not None
        self.tick(self.it.due)
        return self

    def confirming(self) -> Ceremony:
        self.read_out().advance("confirm")
        return self

    def objecting(self) -> Ceremony:
        """In the objection step: nobody confirmed, the window ran out."""
        self.confirming()
        assert self.it.due is not None
        self.tick(self.it.due)
        return self

    def signing(self) -> Ceremony:
        self.objecting()
        assert self.it.due is not None
        self.tick(self.it.due)
        self.advance("sign")
        return self
