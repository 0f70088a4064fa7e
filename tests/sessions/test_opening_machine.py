"""Random ceremonies: any command, by anyone, at any moment. Whatever they do, the promises hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crypto.draw import Share, commitment
from sessions import events as e
from sessions.codec import event_from_json, event_to_json
from sessions.commands import (
    Abort,
    Advance,
    AnswerObjection,
    Approve,
    AskFloor,
    CheckClock,
    CommitDraw,
    ConfirmRow,
    Decline,
    DisputeRow,
    DoubtClock,
    EndFloor,
    ExtendWindow,
    GrantEscrow,
    GrantFloor,
    MissLock,
    NoObjection,
    Note,
    NoteRecording,
    Object,
    OpeningCommand,
    OpenLock,
    Pause,
    Postpone,
    ReadyOfficer,
    RecordAnchor,
    RecordDispute,
    RecordEvidence,
    RecordFault,
    RecordLateBid,
    RecordOpenings,
    RecordOutage,
    RecordRecovery,
    RecordRescue,
    RepeatDraw,
    ReportFailure,
    RequestEscrow,
    Resume,
    RevealDraw,
    RuleCause,
    SealChecks,
    SignRecord,
    TakeChair,
    Tick,
    TrustClock,
)
from sessions.errors import CommandRefused
from sessions.ids import BidderId, Digest, Jws, StepId
from sessions.opening import (
    OVER,
    CheckSeals,
    FreezeSet,
    GatherEvidence,
    OpenBids,
    evolve,
    floor,
    next_due,
    permitted,
    work_due,
)
from sessions.opening.attribution import BY_ATTEMPT, CAUSES
from sessions.opening.locked import behind, can_open, still_locked
from sessions.opening.steps import following
from sessions.opening.stops import made_up
from sessions.plan import AnchorKind, Phase, Watch, WitnessMode
from sessions.roles import CLOCK, Actor, Role
from sessions.wording.words import describe
from tests.support.ceremony import (
    DEPUTY,
    HOST,
    MINUTE,
    MS,
    SECOND,
    SUPERVISOR,
    T0,
    A,
    B,
    C,
    Ceremony,
    a_plan,
    a_release,
    a_sealed_bid,
    bidder,
    check_in,
    closing,
    digest,
    evidence_on,
    not_opened,
    opened,
)
from tests.support.locked import AGENT, TRUSTEES, a_locked_plan

D = bidder("D")
DRAWS = [
    {"id": "k", "title": {"zh": "系数", "en": "Coefficient"}, "values": ["0.95", "0.96", "0.97"], "pick": 1},
    {"id": "order", "title": {"zh": "顺序", "en": "Order"}},
]
STAFF = (HOST, DEPUTY, SUPERVISOR)
OFFICERS = (*STAFF, AGENT, *TRUSTEES)
ACTORS = (*STAFF, AGENT, TRUSTEES[0], A, B, C, D, CLOCK, Actor(role=Role.PUBLIC, id="", name=""), bidder("Z"))
CODES = (None, None, None, *sorted(BY_ATTEMPT), "stale_nonce")

STAFF_ROLES = {Role.HOST, Role.DEPUTY, Role.SUPERVISOR}
HOSTS = {Role.HOST, Role.DEPUTY}
MAY_CAUSE: dict[type[Any], set[Role]] = {
    e.ChairTaken: STAFF_ROLES,
    e.HostHandedOver: {Role.DEPUTY},
    e.T0Moved: HOSTS,
    e.BidderCheckedIn: {Role.BIDDER},
    e.StepEntered: HOSTS | {Role.CLOCK},
    e.KeyReleased: {Role.BIDDER},
    e.AttemptFailed: {Role.BIDDER},
    e.BidRescued: HOSTS | {Role.BIDDER},
    e.OfficerReady: STAFF_ROLES,
    e.LockOpened: STAFF_ROLES,
    e.LockMissed: HOSTS,
    e.EscrowRequested: {Role.BIDDER},
    e.EscrowGranted: HOSTS,
    e.WindowExtended: HOSTS,
    e.CauseRuled: HOSTS,
    e.DrawCommitted: STAFF_ROLES | {Role.BIDDER},
    e.DrawRevealed: STAFF_ROLES | {Role.BIDDER},
    e.DrawRepeated: HOSTS | {Role.CLOCK},
    e.RowConfirmed: {Role.BIDDER},
    e.ObjectionRaised: {Role.BIDDER},
    e.ObjectionAnswered: HOSTS,
    e.NoneDeclared: {Role.BIDDER},
    e.FloorAsked: {Role.BIDDER},
    e.FloorGranted: HOSTS,
    e.FloorEnded: HOSTS | {Role.BIDDER, Role.CLOCK},
    e.RecordSigned: STAFF_ROLES | {Role.BIDDER},
    e.SupervisorNoted: {Role.SUPERVISOR},
    e.SessionPaused: STAFF_ROLES,
    e.SessionResumed: HOSTS | {Role.CLOCK},
    e.ActProposed: HOSTS,
    e.ActDeclined: STAFF_ROLES,
    e.SessionAborted: HOSTS,
}
"""Who may stand behind an event, as LIFECYCLE.md says; what is missing here is the clock's alone."""

moments = st.one_of(
    st.integers(0, 90_000).map(lambda ms: ms * MS),
    st.integers(0, 90).map(lambda minutes: minutes * MINUTE),
)
short = st.integers(0, 20_000).map(lambda ms: ms * MS)


def a_seed(who: Actor, number: int, other: str = "") -> bytes:
    return bytes.fromhex(digest(f"{who.id} {number} {other}"))


def a_commitment(who: Actor, number: int, other: str = "") -> CommitDraw:
    role = "host" if who.role is Role.DEPUTY else who.role.value
    committed = commitment("gx-1", number, Share(role=role, party=who.id, seed=a_seed(who, number, other)))
    signed = Jws("signed.by." + who.id) if who.role is Role.BIDDER else None
    return CommitDraw(round=number, commitment=Digest(committed.hex()), statement=signed)


def commands(who: Actor) -> dict[str, st.SearchStrategy[OpeningCommand]]:
    """Every command by name, mostly in the sender's own name."""
    me = BidderId(who.id)
    somebody = st.sampled_from([me, me, me, BidderId(A.id)])
    number = st.integers(1, 4)
    text = st.sampled_from(["停电", "网络拥堵", "设备故障", ""])
    steps = [StepId(step.id) for step in a_plan().pack.steps]
    locks = st.sampled_from(["host", "supervisor", "tenderer", "escrow", "vault"])
    return {
        "TakeChair": st.builds(TakeChair, takeover=st.booleans(), reason=text),
        "Advance": st.builds(Advance, step=st.sampled_from(steps)),
        "ExtendWindow": st.builds(ExtendWindow, reason=text),
        "Pause": st.builds(Pause, reason=text, incident=st.booleans()),
        "Resume": st.builds(Resume, reason=text),
        "Postpone": st.builds(Postpone, t0=st.integers(-10, 90).map(lambda n: T0 + n * MINUTE), reason=text),
        "Abort": st.builds(Abort, reason=text),
        "RuleCause": st.builds(
            RuleCause,
            bidder=st.sampled_from([BidderId(x.id) for x in (A, B, C)]),
            cause=st.sampled_from(["X1", "B1", "nonsense"]),
            reason=text,
        ),
        "ReadyOfficer": st.builds(ReadyOfficer, lock=locks, passed=st.sampled_from([True, True, False])),
        "OpenLock": st.builds(OpenLock, lock=locks, opened=st.just(()), failed=st.just({})),
        "MissLock": st.builds(MissLock, lock=locks, reason=text),
        "RequestEscrow": st.builds(RequestEscrow, bidder=somebody, statement=st.just(Jws("lost"))),
        "GrantEscrow": st.builds(
            GrantEscrow, bidder=st.sampled_from([BidderId(x.id) for x in (A, B, C)]), reason=text
        ),
        "CommitDraw": st.builds(lambda n, other: a_commitment(who, n, other), number, text),
        "RevealDraw": st.builds(lambda n, other: RevealDraw(round=n, seed=a_seed(who, n, other).hex()), number, text),
        "RepeatDraw": st.builds(RepeatDraw, reason=text),
        "Approve": st.builds(Approve, proposal=number),
        "Decline": st.builds(Decline, proposal=number, reason=text),
        "Note": st.builds(Note, text=text),
        "RecordRelease": st.builds(
            lambda bidder, code, group: replace(a_release(who, code), bidder=bidder, group=group),
            somebody,
            st.sampled_from(CODES),
            st.sampled_from("AAAAB"),
        ),
        "ReportFailure": st.builds(ReportFailure, bidder=somebody, code=st.sampled_from(sorted(BY_ATTEMPT))),
        "CheckIn": st.builds(lambda bidder: replace(check_in(who), bidder=bidder), somebody),
        "ConfirmRow": st.builds(ConfirmRow, bidder=somebody, statement=st.just(Jws("confirmed"))),
        "DisputeRow": st.builds(DisputeRow, bidder=somebody, text=text),
        "Object": st.builds(Object, bidder=somebody, recusal=st.booleans(), title=text, text=text),
        "NoObjection": st.builds(NoObjection, bidder=somebody),
        "AskFloor": st.builds(AskFloor, bidder=somebody),
        "GrantFloor": st.builds(GrantFloor, bidder=st.sampled_from([BidderId(x.id) for x in (A, B, C)])),
        "EndFloor": st.builds(
            EndFloor,
            bidder=somebody if who.role is Role.BIDDER else st.sampled_from([BidderId(x.id) for x in (A, B, C)]),
            reason=text,
        ),
        "AnswerObjection": st.builds(AnswerObjection, number=number, text=text),
        "SignRecord": st.builds(
            SignRecord, signer=st.sampled_from([who.id, who.id, A.id]), statement=st.just(Jws("signed"))
        ),
        "RecordLateBid": st.builds(
            RecordLateBid,
            bidder=somebody,
            name=st.just("丁公司"),
            slip_sha256=st.just(digest("slip")),
            code=st.just("late"),
        ),
        "SealChecks": st.just(SealChecks(results={})),
        "RecordRescue": st.builds(
            lambda bidder, group, kind: RecordRescue(
                bidder=bidder, group=group, kind=kind, rescue_sha256=digest("rescue")
            ),
            somebody,
            st.sampled_from("AAB"),
            st.sampled_from(["key", "plain", "other"]),
        ),
        "RecordEvidence": st.just(RecordEvidence(gathered=())),
        "RecordFault": st.builds(
            lambda minutes: RecordFault(began=T0 + minutes * MINUTE, ended=T0 + (minutes + 3) * MINUTE),
            st.integers(-5, 60),
        ),
        "RecordOpenings": st.just(RecordOpenings(opened=())),
        "CloseIntake": st.just(closing()),
        "RecordAnchor": st.builds(
            an_anchor,
            st.sampled_from(["close", "record", "draw-1", "final"]),
            st.sampled_from(["w1.example", "w2.example", "stranger.example", "tsa"]),
            st.integers(0, 90),
            st.sampled_from(AnchorKind),
        ),
        "RecordDispute": st.builds(
            lambda by: RecordDispute(
                by=by, kind="split", size=4, root=digest("other"), held=9, sha256=digest(f"note {by}")
            ),
            st.sampled_from(["w1.example", "stranger.example"]),
        ),
        "CheckClock": st.just(
            CheckClock(sources=(), offset_ms=None, uncertainty_ms=None, measured_at=None, steady=True)
        ),
        "DoubtClock": st.builds(a_doubt, st.integers(-90, 90)),
        "TrustClock": st.just(TrustClock(by_ms=None)),
        "RecordOutage": st.builds(an_outage, st.integers(-90, 90)),
        "RecordRecovery": st.just(RecordRecovery()),
        "NoteRecording": st.builds(
            lambda size: NoteRecording(size=size, root=digest("recording")), st.integers(0, 40)
        ),
        "Tick": st.just(Tick()),
    }


WATCH = Watch(
    origin="hall.example/s/gx-1",
    witnesses=tuple(f"w{number}.example+00000000+AAAA" for number in (1, 2, 3)),
    quorum=2,
    authorities=("tsa",),
)


def an_anchor(point: str, by: str, size: int, kind: AnchorKind = AnchorKind.WITNESS) -> RecordAnchor:
    return RecordAnchor(point=point, kind=kind, by=by, size=size, root=digest("root"), sha256=digest(by), said_at=T0)


def a_doubt(minutes: int) -> DoubtClock:
    since = T0 + minutes * MINUTE
    return DoubtClock(since=since, noticed_at=since + SECOND, reason="stepped", by_ms=-86_400_000)


def an_outage(minutes: int) -> RecordOutage:
    began = T0 + minutes * MINUTE
    return RecordOutage(began=began, noticed_at=began + MINUTE, reasons=("gap",), votes={"silent_s": "60"})


FALLS_DUE = (e.StepEntered, e.StepCompleted, e.BarrierPassed, e.OpeningFailed, e.DrawClosed, e.AnchorMissed)
"""What time brings about, and what a stop keeps from happening."""


class Openings(RuleBasedStateMachine):
    """One random ceremony. Some rules push it on, so that it gets somewhere; the others do anything."""

    def __init__(self) -> None:
        super().__init__()
        self.checked = 0
        self.frozen: tuple[str, ...] | None = None

    @initialize(
        pack=st.sampled_from(["cn-works", "cn-gov", "intl-two-role"]),
        ceiling=st.sampled_from([None, "1500000.00"]),
        draws=st.booleans(),
        bids=st.lists(st.booleans(), min_size=2, max_size=4),
        codes=st.lists(st.sampled_from(CODES), min_size=4, max_size=4),
        begins=st.sampled_from([None, *(step.id for step in a_plan().pack.steps)]),
        locked=st.booleans(),
        watched=st.sampled_from([None, WitnessMode.CLOSED, WitnessMode.OPEN]),
        recorded=st.booleans(),
    )
    def announce(
        self,
        pack: str,
        ceiling: str | None,
        draws: bool,
        bids: list[bool],
        codes: list[str | None],
        begins: str | None,
        locked: bool,
        watched: WitnessMode | None,
        recorded: bool,
    ) -> None:
        facts = {"ceiling": ceiling, "draws": DRAWS if draws and pack != "intl-two-role" else []}
        plan = a_locked_plan(pack, tenderer=True, escrow=True, **facts) if locked else a_plan(pack, **facts)
        if watched is not None and plan.pack.witness is not None:
            pack_of_it = replace(plan.pack, witness=replace(plan.pack.witness, mode=watched))
            plan = replace(plan, watch=WATCH, pack=pack_of_it)
        self.c = Ceremony(replace(plan, recording=recorded or None), at=T0 - 3 * 60 * MINUTE)
        self.founded = evolve(None, self.c.facts[0])
        self.replayed = self.founded
        self.checked = 1
        self.bids = [a_sealed_bid(who, checked_in=there) for who, there in zip((A, B, C, D), bids, strict=False)]
        for _ in range(30):
            if begins is None or self.c.it.step == begins or self.c.it.status in OVER:
                break
            self.go_on(codes)

    def go_on(self, codes: list[str | None]) -> None:
        """One step on the straight way."""
        due = next_due(self.c.it)
        if work_due(self.c.it) is not None:
            self.the_hall_does_its_work(["ok"] * 4)
        elif self.c.it.step == "draw" and not self.c.it.step_complete:
            self.everybody_draws((HOST, SUPERVISOR, A, B, C, D))
        elif self.c.it.step == "decrypt" and not any(bid.attempts for bid in self.c.it.bids):
            self.bidders_release(codes)
        elif still_locked(self.c.it):
            self.officers_bring_their_shares([(n, 0) for n in range(len(OFFICERS))])
        elif due is not None:
            self.c.tick(due)
        for point in self.c.it.points:
            self.the_witnesses_answer(point.name, 2)
        for who in STAFF:
            self.send(TakeChair(), who)
        self.officers_try_their_keys()
        self.the_host_goes_on()

    def send(self, command: OpeningCommand, actor: Actor, later: timedelta = timedelta()) -> None:
        before = self.c.it
        try:
            self.c.send(command, actor, self.c.now + later)
        except CommandRefused:
            assert self.c.it == before

    # -- anything ------------------------------------------------------------------------------------------------

    @rule(data=st.data(), who=st.sampled_from(ACTORS), later=short)
    def anybody_sends_anything(self, data: st.DataObject, who: Actor, later: timedelta) -> None:
        self.send(data.draw(st.one_of(*commands(who).values())), who, later)

    @rule(data=st.data(), times=st.integers(1, 6))
    def people_do_what_is_permitted(self, data: st.DataObject, times: int) -> None:
        for _ in range(times):
            allowed = [(who, name) for who in ACTORS if who != CLOCK for name in sorted(permitted(self.c.it, who))]
            if not allowed:
                break
            who, name = data.draw(st.sampled_from(allowed))
            self.send(data.draw(commands(who)[name]), who, SECOND)

    @rule(point=st.sampled_from(["close", "record", "draw-1"]), count=st.integers(1, 3))
    def the_witnesses_answer(self, point: str, count: int) -> None:
        for by in ("w1.example", "w2.example", "w3.example")[:count]:
            self.send(an_anchor(point, by, self.c.it.length), CLOCK)

    @rule(later=moments)
    def time_passes(self, later: timedelta) -> None:
        self.c.wait(later)
        due = next_due(self.c.it)
        assert due is None or due > self.c.now

    # -- towards the end -----------------------------------------------------------------------------------------

    @rule(late=short)
    def the_clock_wakes_when_it_asked_to(self, late: timedelta) -> None:
        due = next_due(self.c.it)
        if due is not None:
            self.c.tick(max(due, self.c.now) + late)

    @rule(who=st.sampled_from(STAFF))
    def staff_come_in(self, who: Actor) -> None:
        self.send(TakeChair(), who)

    @rule()
    def the_host_goes_on(self) -> None:
        step = following(self.c.it)
        if step is not None:
            self.send(Advance(step=step.id), HOST, SECOND)

    @precondition(lambda self: self.c.it.hold is not None)
    @rule(later=short)
    def somebody_lifts_the_pause(self, later: timedelta) -> None:
        self.send(Resume(reason="恢复"), DEPUTY, later)

    @rule(seconds=st.integers(0, 4000), lasts=st.integers(0, 4000), clock=st.booleans())
    def the_hall_stops_and_recovers(self, seconds: int, lasts: int, clock: bool) -> None:
        """It is noticed afterwards, as when the database was away."""
        began = self.c.now + seconds * SECOND
        self.c.now = noticed = began + lasts * SECOND
        if clock:
            self.send(DoubtClock(since=began, noticed_at=noticed, reason="offset", by_ms=5000), CLOCK)
            self.send(TrustClock(by_ms=0), CLOCK)
        else:
            self.send(RecordOutage(began=began, noticed_at=noticed, reasons=("gap",), votes={}), CLOCK)
            self.send(RecordRecovery(), CLOCK)

    @precondition(lambda self: self.c.it.stopped)
    @rule(later=short)
    def host_and_supervisor_go_on(self, later: timedelta) -> None:
        self.send(TrustClock(by_ms=0), CLOCK)
        self.send(RecordRecovery(), CLOCK)
        self.send(Resume(reason="恢复正常"), DEPUTY, later)
        self.send(Approve(proposal=len(self.c.it.proposals)), SUPERVISOR)

    @rule(who=st.sampled_from([SUPERVISOR, DEPUTY]))
    def somebody_approves_the_newest_proposal(self, who: Actor) -> None:
        self.send(Approve(proposal=len(self.c.it.proposals)), who)

    @rule(later=short)
    def the_host_answers_everything(self, later: timedelta) -> None:
        for item in self.c.it.objections:
            self.send(AnswerObjection(number=item.number, text="已核实"), HOST, later)

    @rule(
        asks=st.permutations((A, B, C)), speaks=st.sampled_from((A, B, C)), ends=st.sampled_from((HOST, DEPUTY, None))
    )
    def some_speak(self, asks: list[Actor], speaks: Actor, ends: Actor | None) -> None:
        for one in asks[:2]:
            self.send(AskFloor(bidder=BidderId(one.id)), one, SECOND)
        self.send(GrantFloor(bidder=BidderId(speaks.id)), HOST, SECOND)
        if ends is not None:
            self.send(EndFloor(bidder=BidderId(speaks.id), reason="超时"), ends, SECOND)

    @rule(who=st.permutations((HOST, DEPUTY, SUPERVISOR, A, B, C, D)), some=st.integers(0, 7))
    def some_draw(self, who: list[Actor], some: int) -> None:
        self.everybody_draws(tuple(who[:some]))

    def everybody_draws(self, who: tuple[Actor, ...]) -> None:
        number = self.c.it.draw.round if self.c.it.draw else 1
        for one in who:
            self.send(a_commitment(one, number), one, SECOND)
        for one in (*who, *who):  # the staff show theirs after the bidders
            self.send(RevealDraw(round=number, seed=a_seed(one, number).hex()), one, SECOND)

    @rule(codes=st.lists(st.sampled_from(CODES), min_size=4, max_size=4))
    def bidders_release(self, codes: list[str | None]) -> None:
        for who, code in zip((A, B, C, D), codes, strict=True):
            self.send(a_release(who, code), who, SECOND)

    @rule()
    def officers_try_their_keys(self) -> None:
        for lock in self.c.it.plan.every_lock:
            for one in lock.officers:
                who = next(actor for actor in OFFICERS if actor.id == one.account)
                self.send(ReadyOfficer(lock=lock.id, passed=True), who)

    @rule(shares=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 15)), max_size=10))
    def officers_bring_their_shares(self, shares: list[tuple[int, int]]) -> None:
        """In any order and any number of times; bits of the second number say which shares do not hold."""
        for place, bad in shares:
            who = OFFICERS[place]
            lock = next((one for one in self.c.it.plan.every_lock if one.officer(who.id)), None)
            if lock is None:
                continue
            held = [bid.bidder for bid in behind(self.c.it, lock)]
            failed = {bidder: "share_mismatch" for n, bidder in enumerate(held) if bad >> n & 1}
            good = tuple(bidder for bidder in held if bidder not in failed)
            self.send(OpenLock(lock=lock.id, opened=good, failed=failed), who, MS)

    @precondition(lambda self: bool(self.c.it.plan.locks))
    @rule(who=st.sampled_from([A, B, C]))
    def a_bidder_gets_the_trustees(self, who: Actor) -> None:
        self.send(RequestEscrow(bidder=BidderId(who.id), statement=Jws("lost")), who)
        self.send(GrantEscrow(bidder=BidderId(who.id), reason="密钥损坏"), HOST)
        self.send(Approve(proposal=len(self.c.it.proposals)), SUPERVISOR)

    @rule(
        answers=st.lists(
            st.sampled_from(["ok", "ok", "damaged_part", "stored_bytes_changed"]), min_size=4, max_size=4
        ),
        lucky=st.booleans(),
    )
    def the_hall_does_its_work(self, answers: list[str], *, lucky: bool = False) -> None:
        """``lucky``: a hall that says it opened what it has no key to."""
        o = self.c.it
        match work_due(o):
            case FreezeSet():
                self.send(self.c.closing(*self.bids), CLOCK, 200 * MS)
            case CheckSeals(headers=headers):
                seals = {who: answer for (who, _), answer in zip(headers, answers, strict=False)}
                self.send(SealChecks(results=seals), CLOCK, SECOND)
            case GatherEvidence():
                self.send(evidence_on(o), CLOCK, 20 * MS)
            case OpenBids(released=released):
                have = {who for who, _ in released}
                results = [
                    opened(bid.bidder)
                    if bid.bidder in have and answer == "ok" and (lucky or can_open(o, bid))
                    else not_opened(bid.bidder, answer)
                    for bid, answer in zip(o.bids, answers, strict=False)
                ]
                self.send(RecordOpenings(opened=tuple(results)), CLOCK, 50 * MS)
            case None:
                pass

    # -- what must hold, whatever happened -----------------------------------------------------------------------

    @invariant()
    def every_new_fact_is_sound(self) -> None:
        if not hasattr(self, "c"):
            return
        for index in range(self.checked, len(self.c.facts)):
            self.check_fact(index)
        self.checked = len(self.c.facts)

    def check_fact(self, index: int) -> None:
        fact, before = self.c.facts[index], self.c.facts[index - 1]
        self.checked_until = index
        assert fact.at >= before.at
        assert fact.at <= self.c.now
        assert fact.actor.role in MAY_CAUSE.get(type(fact.event), {Role.CLOCK})
        if fact.actor.role is Role.BIDDER:
            own = (getattr(fact.event, name, None) for name in ("bidder", "signer", "party"))
            assert fact.actor.id in own
        event = event_from_json(*event_to_json(fact.event))
        assert event == fact.event
        words = describe(fact, self.replayed)
        assert words.zh
        assert words.en
        if self.replayed.stopped:
            assert not isinstance(fact.event, FALLS_DUE)
        self.check_time_given(fact)
        if isinstance(fact.event, e.BidOpened | e.BidNotOpened):
            assert self.replayed.barrier is not None
            assert not still_locked(self.replayed)
        if isinstance(fact.event, e.BidOpened):
            self.check_locks(fact.event.bidder)
        if isinstance(fact.event, e.LockOpened):
            assert self.replayed.barrier is not None
            assert not self.replayed.opened
            lock = self.replayed.plan.lock(fact.event.lock)
            assert lock is not None
            assert lock.officer(fact.actor.id) is not None
            assert fact.actor.id == fact.event.officer
        if isinstance(fact.event, e.StepEntered) and fact.event.step == "decrypt":
            ready = {(one.lock, one.account) for one in self.replayed.locks.readiness if one.passed}
            for lock in self.replayed.plan.every_lock:
                able = [one for one in lock.officers if (lock.id, one.account) in ready]
                assert len(able) >= lock.threshold or lock.id == "escrow"
        if isinstance(fact.event, e.StepEntered) and fact.event.step == "decrypt":
            self.check_witnesses("close")
        if isinstance(fact.event, e.SessionEnded):
            self.check_witnesses("record")
        self.check_floor(fact)
        if isinstance(fact.event, e.BidNotOpened):
            assert (fact.event.cause in CAUSES) != (fact.event.consequence == "pending")
        if isinstance(fact.event, e.StepEntered):
            order = [step.id for step in self.replayed.plan.pack.steps]
            assert not self.replayed.runs or order.index(self.replayed.runs[-1].step.id) < order.index(
                fact.event.step
            )
        self.replayed = evolve(self.replayed, replace(fact, event=event))

    def check_time_given(self, fact: e.Happening) -> None:
        """Nobody missed a window that was shorter than announced; the time the hall stopped does not count."""
        o, run = self.replayed, self.replayed.run
        match fact.event:
            case e.StepCompleted(missing=missing):
                late = bool(missing) and o.kind != "decrypt"  # there the barrier says it
            case e.BarrierPassed(reason=reason):
                late = reason == "window"
            case _:
                late = False
        if run is None or not late or run.step.kind not in o.plan.windows or run.step.kind == "draw":
            return
        lost = made_up(o.pauses, run.entered_at, fact.at)
        assert fact.at - run.entered_at - lost >= o.plan.windows[run.step.kind]

    def check_floor(self, fact: e.Happening) -> None:
        """One speaks at a time, who asked and has checked in; nothing of it touches an objection."""
        match fact.event:
            case e.FloorAsked(bidder=bidder):
                assert self.replayed.rows[bidder]
                bid = self.replayed.bid(bidder)
                assert bid is not None
                assert bid.checked_in_at is not None
            case e.FloorGranted(bidder=bidder):
                assert self.replayed.speaker is None
                assert bidder in [turn.bidder for turn in floor.asking(self.replayed)]
            case e.FloorEnded(bidder=bidder, why=why, reason=reason):
                turn = floor.standing(self.replayed, bidder)
                assert turn is not None
                assert bool(reason) == (fact.actor.role in HOSTS)
                assert (why == "stage") == (fact.actor == CLOCK)
            case _:
                return
        assert evolve(self.replayed, fact).objections is self.replayed.objections

    def check_witnesses(self, point: str) -> None:
        """Enough witnesses had said that they hold the point; in open mode it may be public that they had not."""
        watch, told = self.replayed.plan.watch, [fact.event for fact in self.c.facts[: self.checked_until]]
        if watch is None:
            return
        said = {
            event.by
            for event in told
            if isinstance(event, e.Anchored) and event.point == point and event.kind is AnchorKind.WITNESS
        }
        missed = any(isinstance(event, e.AnchorMissed) and event.point == point for event in told)
        rule = self.replayed.plan.pack.witness
        assert len(said) >= watch.quorum or (missed and rule is not None and rule.mode is WitnessMode.OPEN)

    def check_locks(self, bidder: str) -> None:
        """Before a bid is open, every lock on it was removed by as many officers as it wants, or given up by two."""
        told = [fact.event for fact in self.c.facts[: self.checked_until]]
        granted = {event.bidder for event in told if isinstance(event, e.EscrowGranted)}
        given_up = {event.lock for event in told if isinstance(event, e.LockMissed)}
        for lock in self.replayed.plan.every_lock:
            wanted = lock.id == "tenderer" or (lock.id == "escrow") == (bidder in granted)
            came = [event for event in told if isinstance(event, e.LockOpened) and event.lock == lock.id]
            good = {event.officer for event in came if bidder in event.opened}
            assert not wanted or (lock.id not in given_up and len(good) >= lock.threshold)

    @invariant()
    def the_state_is_what_a_replay_gives(self) -> None:
        if hasattr(self, "c"):
            assert self.replayed == self.c.it

    @invariant()
    def a_draw_is_made_of_everything_shown_and_once(self) -> None:
        if not hasattr(self, "c"):
            return
        made = self.c.named(e.DrawMade)
        assert len(made) <= 1
        if made and self.c.it.draw is not None:
            assert all(party.seed for party in self.c.it.draw.committed)
            assert {party.role for party in self.c.it.draw.committed} & {Role.HOST, Role.SUPERVISOR}
        if [event for event in self.c.named(e.StepCompleted) if event.step == "draw"]:
            assert made

    @invariant()
    def the_frozen_set_stays_as_it_was(self) -> None:
        if not hasattr(self, "c") or self.c.it.frozen is None:
            return
        headers = tuple(bid.header_sha256 for bid in self.c.it.bids)
        self.frozen = self.frozen or headers
        assert self.frozen == headers == self.c.it.frozen.headers
        results = [event.bidder for event in self.c.events if isinstance(event, e.BidOpened | e.BidNotOpened)]
        assert results in ([], [bid.bidder for bid in self.c.it.bids])

    @invariant()
    def nothing_is_open_that_should_not_be(self) -> None:
        if not hasattr(self, "c"):
            return
        o = self.c.it
        assert all(bid.quote is None for bid in o.bids) or o.barrier is not None
        assert o.phase is not Phase.BEFORE or not o.listed
        if o.status in OVER:
            assert (next_due(o), work_due(o)) == (None, None)
            assert permitted(o, HOST) == frozenset()
        if o.status == "ended":
            assert not [item for item in o.objections if item.open]
            assert not [bid for bid in o.bids if bid.consequence == "pending"]
            assert all(bid.state in ("opened", "not_opened") for bid in o.bids)
        if o.speaker is not None or floor.asking(o):
            assert floor.is_open(o)
            assert sum(turn.speaking for turn in o.turns) <= 1
        if o.hold is not None and o.frozen is not None:
            assert next_due(o) is None or o.stopped
        if not o.hall.well:
            assert o.stopped
            assert next_due(o) is None


Openings.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestOpenings = Openings.TestCase
