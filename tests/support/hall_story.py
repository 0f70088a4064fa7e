"""A whole ceremony played through the real rules, event by event, as the hall hears of it.

The plan is small and made here, so that a change of the published rule packs does not move these tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from crypto.digest import sha256
from crypto.draw import Share, commitment
from crypto.encoding import b64u
from sessions import commands as c
from sessions.chaining import Head, chain
from sessions.errors import CommandRefused
from sessions.events import Recorded, Stream
from sessions.ids import AccountId, BidderId, Digest, Jws, SessionId, StepId
from sessions.opening import (
    BidState,
    CheckSeals,
    FreezeSet,
    GatherEvidence,
    OpenBids,
    Opening,
    decide,
    evolve,
    next_due,
    work_due,
)
from sessions.opening.locked import can_open
from sessions.opening.state import Bid
from sessions.plan import (
    AnchorKind,
    Article,
    ClockTerms,
    DrawRule,
    EvidenceRule,
    FloorRule,
    Lock,
    Officer,
    OutageRule,
    Phase,
    Plan,
    QuoteField,
    Resumes,
    RulePack,
    Seat,
    Starts,
    Step,
    StepKind,
    Tender,
    Watch,
    WindowRule,
    WitnessMode,
    WitnessRule,
    Words,
)
from sessions.plan_json import plan_to_json
from sessions.roles import CLOCK, Actor, Role
from sessions.sealed_set import set_root
from tests.support.ceremony import evidence_on

T0 = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
SESSION = SessionId("zb-2026-001-1")
HOST = Actor(role=Role.HOST, id="host-1", name="王主持")
DEPUTY = Actor(role=Role.DEPUTY, id="deputy-1", name="李备岗")
SUPERVISOR = Actor(role=Role.SUPERVISOR, id="super-1", name="赵监督")
EVERYONE = frozenset({Role.PUBLIC, Role.BIDDER, Role.HOST, Role.DEPUTY, Role.SUPERVISOR})


def words(zh: str, en: str) -> Words:
    return Words(zh=zh, en=en)


def a_step(kind: StepKind, starts: Starts = Starts.CLOCK) -> Step:
    return Step(
        id=StepId(kind.value),
        kind=kind,
        starts=starts,
        title=words(f"{kind}步", f"Step {kind}"),
        why=words("为了公开", "So that everyone sees"),
        article="art",
    )


def from_phase(first: Phase, roles: frozenset[Role]) -> dict[Phase, frozenset[Role]]:
    """Visible to ``roles`` from a phase on."""
    phases = list(Phase)
    return {phase: roles if phases.index(phase) >= phases.index(first) else frozenset() for phase in phases}


DRAWS = (
    DrawRule(id="k", title=words("评标系数 K", "Coefficient K"), values=("0.95", "0.96", "0.97"), pick=1),
    DrawRule(id="order", title=words("述标顺序", "Order of presentation"), values=(), pick=None),
)


def a_plan(
    *,
    minimum: int = 3,
    ceiling: str | None = "2000000.00",
    session: SessionId = SESSION,
    draws: tuple[DrawRule, ...] = (),
) -> Plan:
    window = WindowRule(
        default=timedelta(minutes=30),
        shortest=timedelta(minutes=5),
        longest=timedelta(hours=2),
        extension=timedelta(minutes=10),
        extensions=1,
    )
    windows = ("checkin", "draw", "decrypt", "confirm", "objection", "sign")
    pack = RulePack(
        id="test",
        version="1",
        digest="ab" * 32,
        title=words("测试规则", "Test rules"),
        minimum_bidders=minimum,
        minimum_article="art",
        steps=(
            a_step(StepKind.CHECKIN),
            a_step(StepKind.LIST),
            a_step(StepKind.CHECK),
            a_step(StepKind.CEILING, Starts.HOST),
            a_step(StepKind.DRAW, Starts.HOST),
            a_step(StepKind.DECRYPT, Starts.HOST),
            a_step(StepKind.READOUT, Starts.HOST),
            a_step(StepKind.CONFIRM),
            a_step(StepKind.OBJECTION),
            a_step(StepKind.SIGN, Starts.HOST),
        ),
        windows=dict.fromkeys(windows, window),
        reading_pace=timedelta(seconds=8),
        chairs=(Role.HOST, Role.SUPERVISOR),
        two_person=frozenset({"Abort", "Postpone", "RuleCause", "ExtendBeyond", "RepeatDraw"}),
        articles={
            "art": Article(
                id="art", cite=words("招标投标法第三十六条", "Bidding Law art. 36"), gist=words("公开", "In public")
            )
        },
        refusals={},
        floor=FloorRule(steps=frozenset({StepKind.CONFIRM, StepKind.OBJECTION}), article="art"),
        visibility={
            "count": from_phase(Phase.LISTED, EVERYONE),
            "names": from_phase(Phase.LISTED, EVERYONE),
            "receipts": from_phase(Phase.LISTED, EVERYONE),
            "attendance": from_phase(Phase.LISTED, EVERYONE),
            "decrypt_status": from_phase(Phase.DECRYPT, EVERYONE),
            "cause": from_phase(Phase.OPENED, EVERYONE),
            "quote": from_phase(Phase.OPENED, EVERYONE),
            "objection_title": from_phase(Phase.LISTED, EVERYONE),
            "objection_text": from_phase(Phase.LISTED, EVERYONE - {Role.PUBLIC}),
            "notes": from_phase(Phase.BEFORE, frozenset({Role.SUPERVISOR})),
            "proposals": from_phase(Phase.BEFORE, EVERYONE),
        },
    )
    tender = Tender(
        id="ZB-2026-001",
        lot="1",
        title=words("滨河路改造工程", "Riverside Road works"),
        tenderer=words("市城建局", "City Works Bureau"),
        agent=None,
        place=words("网络开标大厅", "Online hall"),
        envelopes=1,
        quote=(
            QuoteField(id="price", kind="money", label=words("投标总价", "Total price")),
            QuoteField(id="days", kind="integer", label=words("工期", "Days")),
        ),
        ceiling=ceiling,
        currency="CNY",
        draws=draws,
    )
    return Plan(
        session=session,
        tender=tender,
        pack=pack,
        t0=T0,
        windows=dict.fromkeys(windows, timedelta(minutes=30)),
        reading_pace=timedelta(seconds=8),
        seats=tuple(
            Seat(account=AccountId(actor.id), role=actor.role, name=actor.name)
            for actor in (HOST, DEPUTY, SUPERVISOR)
        ),
    )


def bidder_id(number: int) -> BidderId:
    return BidderId(f"91430000MA4L0000{number:02d}")


def bidder(number: int) -> Actor:
    return Actor(role=Role.BIDDER, id=bidder_id(number), name=f"秘密{number}号公司")


def sealed(number: int) -> c.SealedBid:
    return c.SealedBid(
        bidder=bidder_id(number),
        name=bidder(number).name,
        header_sha256=Digest(f"{number:064x}"),
        received_at=T0 - timedelta(hours=1) + timedelta(seconds=number),
        tracker=f"K7F2-9QWM-3TRD-{number:02d}",
        versions=1,
        checked_in_at=T0 - timedelta(minutes=10) if number % 2 else None,
    )


def _bid_of(opening: Opening, bidder: str) -> Bid:
    return next(bid for bid in opening.bids if bid.bidder == bidder)


def price(number: int) -> str:
    return f"{1_770_000 + number}.00"


AGENT = Actor(role=Role.SUPERVISOR, id="agent-1", name="任代表")
TRUSTEES = tuple(Actor(role=Role.SUPERVISOR, id=f"trustee-{n}", name=f"托管{n}") for n in (1, 2))


def a_locked_plan() -> Plan:
    """Host or deputy, and the supervisor; the tenderer's share; two trustees."""
    people = (AGENT, *TRUSTEES)
    return replace(
        a_plan(),
        seats=(*a_plan().seats, *(Seat(account=AccountId(x.id), role=x.role, name=x.name) for x in people)),
        locks=(a_lock("host", HOST, DEPUTY), a_lock("supervisor", SUPERVISOR)),
        tenderer_share=a_lock("tenderer", AGENT),
        escrow=a_lock("escrow", *TRUSTEES, threshold=2),
    )


def a_lock(name: str, *officers: Actor, threshold: int = 1) -> Lock:
    return Lock(
        id=name,
        title=words(f"{name} 的锁", f"the lock of {name}"),
        threshold=threshold,
        officers=tuple(
            Officer(account=AccountId(x.id), name=x.name, certificate=b64u(f"certificate of {x.id}".encode()))
            for x in officers
        ),
    )


class Story:
    """An opening being told. Every verb sends a command through the rules and keeps what they record."""

    def __init__(self, plan: Plan | None = None, *, bids: int = 3) -> None:
        self.plan = plan or a_plan()
        self.bids = bids
        self.now = T0 - timedelta(hours=2)
        self.opening: Opening | None = None
        self.records: list[Recorded] = []
        self._head = Head()
        self.send(c.Schedule(plan=plan_to_json(self.plan)), CLOCK)

    def send(self, command: c.OpeningCommand, actor: Actor) -> Story:
        for happening in decide(self.opening, command, actor, self.now):
            record = chain(self._head, self.plan.session, Stream.OPENING, happening)
            self._head = self._head.after(record)
            self.records.append(record)
            self.opening = evolve(self.opening, record)
        return self

    def wait(self, **time: float) -> Story:
        """Let time pass, and let everything happen that falls due in it; the hall does its slow work at once."""
        end = self.now + timedelta(**time)
        while True:
            assert self.opening is not None
            work = work_due(self.opening)
            if work is not None:
                self.work(work)
                continue
            due = next_due(self.opening)
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.send(c.Tick(), CLOCK)
        self.now = end
        return self.send(c.Tick(), CLOCK)

    def work(self, work: FreezeSet | CheckSeals | OpenBids) -> None:
        match work:
            case FreezeSet():
                if self.plan.clock is not None:
                    figures = {"offset_ms": 3, "uncertainty_ms": 8, "measured_at": self.now - timedelta(seconds=30)}
                    self.send(c.CheckClock(sources=self.plan.clock.sources, **figures, steady=True), CLOCK)
                rows = tuple(sealed(number) for number in range(1, self.bids + 1))
                self.send(
                    c.CloseIntake(
                        bids=rows,
                        root=set_root([row.header_sha256 for row in rows]),
                        intake_head=Digest("cd" * 32),
                        intake_length=9,
                        session_key="" if self.plan.locks else "BPub",
                        clock_offset_ms=3,
                    ),
                    CLOCK,
                )
            case CheckSeals(headers=headers):
                self.send(c.SealChecks(results={bidder: "ok" for bidder, _ in headers}), CLOCK)
            case GatherEvidence():
                self.send(evidence_on(self.opening), CLOCK)
            case OpenBids(released=released, spared=spared):
                state, sheets = self.opening, {bidder for bidder, _ in spared}
                opened = {bidder for bidder, _ in released if state and can_open(state, _bid_of(state, bidder))}
                self.send(
                    c.RecordOpenings(
                        opened=tuple(
                            c.Opened(
                                bidder=bidder_id(number),
                                quote={"price": price(number), "days": "180"}
                                if bidder_id(number) in opened | sheets
                                else None,
                                quote_sha256=Digest("ef" * 32) if bidder_id(number) in opened else None,
                                quote_key="a2V5" if bidder_id(number) in opened else None,
                                code=None,
                                sheet=f'{{"days":"180","price":"{price(number)}"}}'
                                if bidder_id(number) in sheets
                                else None,
                                salt="5a" * 32 if bidder_id(number) in sheets else None,
                            )
                            for number in range(1, self.bids + 1)
                        )
                    ),
                    CLOCK,
                )

    # -- the usual course ------------------------------------------------------------------------------------

    def to_checkin(self) -> Story:
        return self.wait(seconds=(T0 - timedelta(minutes=20) - self.now).total_seconds())

    def to_t0(self) -> Story:
        """Until the list is published and the seals are checked, or the opening has failed."""
        return self.wait(seconds=(T0 + timedelta(seconds=5) - self.now).total_seconds())

    def go_on(self) -> Story:
        """After a stop: the host proposes it, the supervisor agrees."""
        assert self.opening is not None
        self.send(c.Resume(reason="恢复正常"), HOST)
        return self.send(c.Approve(proposal=len(self.opening.proposals)), SUPERVISOR)

    def seat_staff(self) -> Story:
        for actor in (HOST, SUPERVISOR):
            self.send(c.TakeChair(), actor)
        return self

    def anchor(self, point: str, by: str, kind: AnchorKind = AnchorKind.WITNESS) -> Story:
        """Somebody outside holds the log as it stands."""
        assert self.opening is not None
        return self.send(
            c.RecordAnchor(
                point=point,
                kind=kind,
                by=by,
                size=self.opening.length,
                root=Digest("ab" * 32),
                sha256=Digest("ac" * 32),
                said_at=self.now,
            ),
            CLOCK,
        )

    def advance(self, step: str) -> Story:
        return self.send(c.Advance(step=StepId(step)), HOST)

    def to_decrypt(self) -> Story:
        self.to_checkin().seat_staff().to_t0()
        if self.plan.tender.ceiling is not None:
            self.advance("ceiling")
        return self.advance("decrypt")

    def commit(self, actor: Actor, number: int) -> Story:
        """Join round ``number`` of the draw."""
        share = self._share(actor, number)
        signed = Jws(f"eyJ.draw.{actor.id[-2:]}") if actor.role is Role.BIDDER else None
        committed = Digest(commitment(self.plan.session, number, share).hex())
        return self.send(c.CommitDraw(round=number, commitment=committed, statement=signed), actor)

    def reveal(self, actor: Actor, number: int) -> Story:
        return self.send(c.RevealDraw(round=number, seed=self._share(actor, number).seed.hex()), actor)

    def _share(self, actor: Actor, number: int) -> Share:
        seed = sha256(f"{actor.id} {number}".encode())
        return Share(role=actor.role.value, party=actor.id, seed=seed)

    def draw(self) -> Story:
        """Two rounds, because in the first one bidder does not show what it committed to."""
        self.advance("draw")
        present = [bidder(number) for number in range(1, self.bids + 1) if self._present(number)]
        for actor in (HOST, SUPERVISOR, *present):
            self.commit(actor, 1)
        for actor in present[:-1]:
            self.reveal(actor, 1)
        self.wait(minutes=31)
        for actor in (HOST, SUPERVISOR, *present[:-1]):
            self.commit(actor, 2)
        for actor in (*present[:-1], HOST, SUPERVISOR):
            self.reveal(actor, 2)
        return self

    def _present(self, number: int) -> bool:
        bid = self.opening.bid(bidder_id(number)) if self.opening else None
        return bid is not None and bid.checked_in_at is not None

    def release(self, number: int, code: str | None = None) -> Story:
        digest = Digest(f"{number + 1000:064x}")
        return self.send(
            c.RecordRelease(bidder=bidder_id(number), group="A", release_sha256=digest, code=code), bidder(number)
        )

    def fail(self, number: int, code: str) -> Story:
        return self.send(c.ReportFailure(bidder=bidder_id(number), code=code), bidder(number))

    def statement(self, number: int) -> Jws:
        return Jws(f"eyJ.statement.{number}")

    def finish(self) -> Story:
        """From the barrier to the end, with every bidder of one mind."""
        self.advance("readout").wait(minutes=5)
        assert self.opening is not None
        for bid in self.opening.bids:
            if bid.state is BidState.OPENED:
                self.send(c.ConfirmRow(bidder=bid.bidder, statement=self.statement(bid.row)), bidder(bid.row))
        for number in range(1, self.bids + 1):
            self.send(c.NoObjection(bidder=bidder_id(number)), bidder(number))
        return self.sign_by(HOST)

    def sign_by(self, host: Actor) -> Story:
        self.send(c.Advance(step=StepId("sign")), host)
        assert self.opening is not None
        assert self.opening.drawn is not None
        for signer in self.opening.drawn.asked:
            actor = {host.id: host, SUPERVISOR.id: SUPERVISOR}.get(signer) or bidder(int(signer[-2:]))
            self.send(c.SignRecord(signer=signer, statement=Jws(f"eyJ.sign.{signer}")), actor)
        return self


def a_full_story(bids: int = 5) -> Story:
    """One of everything: a postponement, a handover, failed tries, a missing bidder, a pause, objections."""
    story = Story(a_plan(draws=DRAWS), bids=bids).to_checkin().seat_staff().send(c.TakeChair(), DEPUTY)
    story.send(c.Note(text="密記甲"), SUPERVISOR)
    story.send(c.Postpone(t0=T0 + timedelta(minutes=30), reason="power cut"), HOST)
    story.send(c.Approve(proposal=1), DEPUTY)
    story.wait(seconds=(T0 + timedelta(minutes=30, seconds=5) - story.now).total_seconds())
    story.send(
        c.RecordLateBid(bidder=bidder_id(77), name="迟到公司", slip_sha256=Digest("77" * 32), code="late"), CLOCK
    )
    story.send(c.CheckIn(bidder=bidder_id(2), statement=story.statement(2)), bidder(2))
    story.advance("ceiling").draw().advance("decrypt").wait(seconds=3)
    story.fail(2, "wrong_password").release(1).release(2, code="bad_signature").release(2).fail(3, "locked")
    story.send(c.Pause(reason="外网中断", incident=True), SUPERVISOR).wait(minutes=4).send(c.Resume(), HOST)
    story.send(c.ExtendWindow(reason="slow network"), HOST)
    story.send(c.ExtendWindow(reason="slower network"), HOST).send(c.Decline(proposal=2, reason="enough"), SUPERVISOR)
    story.send(c.TakeChair(takeover=True, reason="host unwell"), DEPUTY)
    for number in range(4, bids):
        story.release(number)
    story.wait(hours=1)
    story.send(c.Advance(step=StepId("readout")), DEPUTY).wait(minutes=1)
    story.send(c.Object(bidder=bidder_id(1), recusal=False, title="公開標題", text="密異議"), bidder(1))
    story.send(c.DisputeRow(bidder=bidder_id(2), text="密爭議"), bidder(2))
    story.send(c.ConfirmRow(bidder=bidder_id(1), statement=story.statement(1)), bidder(1)).wait(minutes=31)
    for number in (2, 1, 3):
        story.send(c.AskFloor(bidder=bidder_id(number)), bidder(number))
    story.send(c.GrantFloor(bidder=bidder_id(2)), DEPUTY).wait(seconds=5)
    story.send(c.EndFloor(bidder=bidder_id(2)), bidder(2)).send(c.EndFloor(bidder=bidder_id(1)), bidder(1))
    story.send(c.EndFloor(bidder=bidder_id(3), reason="off the point"), DEPUTY)
    story.send(c.AskFloor(bidder=bidder_id(1)), bidder(1)).send(c.GrantFloor(bidder=bidder_id(1)), DEPUTY)
    for number, answer in ((1, "密答甲"), (2, "密答乙")):
        story.send(c.AnswerObjection(number=number, text=answer), DEPUTY)
    for number in range(1, bids + 1):
        story.send(c.NoObjection(bidder=bidder_id(number)), bidder(number))
    return story.sign_by(DEPUTY)


def a_locked_story() -> Story:
    """Two locks, a bidder who lost its key and goes to the trustees, a tenderer who never comes."""
    story = Story(a_locked_plan(), bids=3).to_checkin().seat_staff()
    story.send(c.ReadyOfficer(lock="host", passed=False), HOST).send(c.ReadyOfficer(lock="host", passed=True), DEPUTY)
    story.send(c.ReadyOfficer(lock="supervisor", passed=True), SUPERVISOR)
    story.send(c.ReadyOfficer(lock="tenderer", passed=True), AGENT)
    story.to_t0().advance("ceiling").advance("decrypt").release(1).release(2)
    story.send(c.RequestEscrow(bidder=bidder_id(3), statement=story.statement(3)), bidder(3))
    story.send(c.GrantEscrow(bidder=bidder_id(3), reason="硬盘损坏"), HOST)
    story.send(c.Approve(proposal=1), SUPERVISOR).wait(minutes=1)
    ours, lost = (bidder_id(1), bidder_id(2)), (bidder_id(3),)
    story.send(c.OpenLock(lock="host", opened=ours, failed={}), DEPUTY).wait(seconds=5)
    bad = {bidder_id(2): "share_mismatch"}
    story.send(c.OpenLock(lock="supervisor", opened=ours[:1], failed=bad), SUPERVISOR)
    for trustee in TRUSTEES:
        story.send(c.OpenLock(lock="escrow", opened=lost, failed={}), trustee)
    story.send(c.OpenLock(lock="supervisor", opened=ours, failed={}), SUPERVISOR)
    story.wait(minutes=5).send(c.MissLock(lock="tenderer", reason="招标人代表失联"), HOST)
    return story.send(c.Approve(proposal=2), SUPERVISOR).wait(seconds=1)


def a_witnessed_story() -> Story:
    """The hall stands still for four minutes; rescues come, and one bidder is never heard of: there is evidence."""
    rule = EvidenceRule(
        cadence=timedelta(seconds=20),
        gap=timedelta(minutes=2),
        slow=timedelta(seconds=10),
        article="art",
        extends=True,
        most=timedelta(hours=1),
    )
    plan = a_plan()
    story = Story(replace(plan, pack=replace(plan.pack, evidence=rule)), bids=4).to_decrypt().wait(minutes=5)
    began = story.now
    story.wait(minutes=4).send(c.RecordFault(began=began, ended=story.now), CLOCK)
    key, sheet = Digest("6b" * 32), Digest("73" * 32)
    story.send(c.RecordRescue(bidder=bidder_id(2), group="A", kind="key", rescue_sha256=key), bidder(2))
    story.send(c.RecordRescue(bidder=bidder_id(3), group="A", kind="plain", rescue_sha256=sheet), HOST)
    return story.release(1).wait(hours=1)


WATCH = Watch(
    origin=f"hall.example/s/{SESSION}",
    witnesses=("w1.example+00000000+AAAA", "w2.example+00000000+AAAA"),
    quorum=2,
    authorities=("tsa",),
)


def a_watched_plan(mode: WitnessMode = WitnessMode.CLOSED) -> Plan:
    """Two witnesses, both wanted, and a timestamp authority."""
    rule = WitnessRule(mode=mode, grace=timedelta(minutes=1), article="art")
    plan = a_plan()
    return replace(plan, watch=WATCH, recording=True, pack=replace(plan.pack, witness=rule))


def a_watched_story() -> Story:
    """The witnesses come late, and one of them shows in the end that the hall had signed another log."""
    story = Story(a_watched_plan(), bids=3).to_checkin().seat_staff().to_t0().advance("ceiling").wait(minutes=2)
    story.anchor("close", "tsa", AnchorKind.STAMP).anchor("close", "w1.example").anchor("close", "w2.example")
    story.send(c.NoteRecording(size=3, root=Digest("ce" * 32)), CLOCK)
    story.advance("decrypt").release(1).release(2).release(3).wait(seconds=1)
    told = c.RecordDispute(
        by="w2.example", kind="split", size=9, root=Digest("ba" * 32), held=20, sha256=Digest("bc" * 32)
    )
    return story.send(told, CLOCK)


def a_stopped_story() -> Story:
    """The clock is unsafe across T0, which moves; then the hall is out while keys are handed over."""
    minute = timedelta(minutes=1)
    rule = OutageRule(
        resume=Resumes.TWO_PERSON,
        clock=timedelta(seconds=1),
        gap=timedelta(seconds=30),
        healthy=5 * minute,
        notice=10 * minute,
        postpone=120 * minute,
        article="art",
    )
    sources = ("ntp1.example:123", "ntp2.example:123")
    plan = a_plan()
    plan = replace(plan, pack=replace(plan.pack, outage=rule), clock=ClockTerms(sources=sources))
    story = Story(plan).to_checkin().seat_staff()
    doubt = c.DoubtClock(since=story.now, noticed_at=story.now, reason="stepped", by_ms=-300_000)
    story.send(doubt, CLOCK).wait(minutes=25).send(c.TrustClock(by_ms=3), CLOCK).go_on()
    story.wait(minutes=121).advance("ceiling").advance("decrypt").release(1).wait(minutes=5)
    began = story.now
    story.now += 4 * minute
    votes = {"silent_s": "240"}
    story.send(c.RecordOutage(began=began, noticed_at=story.now, reasons=("gap",), votes=votes), CLOCK)
    return story.send(c.RecordRecovery(), CLOCK).go_on().release(2).release(3).wait(seconds=1)


def a_failed_story() -> Story:
    """Two bids where three are needed."""
    return Story(bids=2).to_checkin().seat_staff().to_t0()


def an_aborted_story() -> Story:
    """Nobody unlocks anything; two persons rule on one cause, and then abort."""
    story = Story(bids=3).to_decrypt().send(c.TakeChair(), DEPUTY).wait(hours=1)
    story.send(c.RuleCause(bidder=bidder_id(1), cause="X1", reason="骨干网中断"), HOST)
    story.send(c.Approve(proposal=1), DEPUTY)
    story.send(c.Abort(reason="改期重新招标"), HOST)
    return story.send(c.Approve(proposal=2), SUPERVISOR)


def wander(choices: Sequence[int], bids: int) -> Story:
    """A ceremony by somebody who tries things at random; what the rules refuse does not happen."""
    story = Story(a_plan(minimum=2), bids=bids).to_checkin()
    acts = _acts()
    for choice in choices:
        act = acts[choice % len(acts)]
        try:
            act(story, choice // len(acts) % max(bids, 1) + 1)
        except CommandRefused:
            continue
    return story


def _acts() -> list[Callable[[Story, int], object]]:
    steps = ("ceiling", "decrypt", "readout", "sign")
    return [
        lambda s, n: s.wait(seconds=20 * n),
        lambda s, n: s.wait(minutes=25),
        lambda s, n: s.send(c.TakeChair(), (HOST, DEPUTY, SUPERVISOR)[n % 3]),
        lambda s, n: s.seat_staff(),
        *(lambda s, n, step=step: s.advance(step) for step in steps),
        lambda s, n: s.release(n),
        lambda s, n: s.release(n),
        lambda s, n: s.release(n, code="bad_signature"),
        lambda s, n: s.fail(n, "locked"),
        lambda s, n: s.send(c.CheckIn(bidder=bidder_id(n), statement=s.statement(n)), bidder(n)),
        lambda s, n: s.send(c.Pause(reason="停"), SUPERVISOR),
        lambda s, n: s.send(c.Resume(), HOST),
        lambda s, n: s.send(c.ExtendWindow(reason="慢"), HOST),
        lambda s, n: s.send(c.Abort(reason="终止"), HOST),
        lambda s, n: s.send(c.Approve(proposal=n), DEPUTY),
        lambda s, n: s.send(c.Decline(proposal=n, reason="否"), SUPERVISOR),
        lambda s, n: s.send(c.Postpone(t0=s.plan.t0 + timedelta(minutes=n), reason="改期"), HOST),
        lambda s, n: s.send(c.Object(bidder=bidder_id(n), recusal=n % 2 == 0, title="题", text="密"), bidder(n)),
        lambda s, n: s.send(c.AnswerObjection(number=n, text="密答"), HOST),
        lambda s, n: s.send(c.DisputeRow(bidder=bidder_id(n), text="密"), bidder(n)),
        lambda s, n: s.send(c.ConfirmRow(bidder=bidder_id(n), statement=s.statement(n)), bidder(n)),
        lambda s, n: s.send(c.NoObjection(bidder=bidder_id(n)), bidder(n)),
        lambda s, n: s.send(c.AskFloor(bidder=bidder_id(n)), bidder(n)),
        lambda s, n: s.send(c.GrantFloor(bidder=bidder_id(n)), HOST),
        lambda s, n: s.send(c.EndFloor(bidder=bidder_id(n), reason="止"), (HOST, bidder(n))[n % 2]),
        lambda s, n: s.send(c.SignRecord(signer=bidder_id(n), statement=s.statement(n)), bidder(n)),
        lambda s, n: s.send(c.Note(text="密記"), SUPERVISOR),
        lambda s, n: s.finish(),
    ]
