"""The openings that tests/support/killed.py kills its way through: every kind of batch a hall commits.

The bids are sealed once for all of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from crypto.digest import sha256
from crypto.draw import Share, commitment
from crypto.envelope import read_header, unlock
from crypto.release import load_session_public
from crypto.rescue import KEY, seal_rescue
from crypto.signing import sign
from sessions import commands as c
from sessions.acts.submission import Refused
from sessions.barrier.behind import quorum
from sessions.codec import Command
from sessions.errors import CommandRefused
from sessions.failpoint import Point
from sessions.ids import BidderId, Digest, Jws, StepId
from sessions.opening.points import CLOSE
from sessions.plan import AnchorKind, Plan, Watch, WitnessMode, WitnessRule
from sessions.ports import Answer
from sessions.roles import CLOCK, Actor
from tests.support.bidders import Sealed
from tests.support.ceremony import DEPUTY, HOST, MINUTE, MS, SECOND, SUPERVISOR, T0, a_plan
from tests.support.finished import LOG, an_archive
from tests.support.hallkey import hall_key
from tests.support.killed import Stage, Step
from tests.support.locked import AGENT, TRUSTEES, a_locked_plan
from tests.support.shell import SESSION, a_bid_for_this, a_token, pieces, the_actor

DRAWS = [{"id": "k", "title": {"zh": "系数", "en": "Factor"}, "values": ["0.95", "0.96", "0.97"], "pick": 1}]
NAMES = ("华东建设有限公司", "江南水利股份有限公司", "北岸工程集团有限公司", "西山路桥有限公司", "南港疏浚有限公司")
PRICES = {name: f"1{number}00000.00" for number, name in enumerate(NAMES)}
BUNDLE = "session.zip"
WAYS_IN = (
    (Point.UPLOAD_ARRIVED,),
    (Point.UPLOAD_COMPLETE,),
    (Point.UPLOAD_RENAMED,),
    (Point.RECEIPT_BEFORE_COMMIT,),
    (Point.RECEIPT_KEPT,),
)
"""Where the last bids are killed on their way in, a bid each: the next start answers what was complete."""


@cache
def a_bid(name: str, price: str | None = None, **changes: Any) -> Sealed:
    return a_bid_for_this(name, price or PRICES.get(name, "1200000.00"), **changes)


def said(bid: Sealed, kind: str, **members: object) -> Jws:
    return Jws(sign({"v": 1, "session": SESSION, **members}, kind, bid.bidder.sign))


def announces(plan: Plan) -> Step:
    async def play(stage: Stage) -> None:
        with suppress(CommandRefused):  # already_scheduled: the answer to the first try got lost
            stage.told("", await stage.hall.sessions.create(plan))

    return Step(name="announce", play=play, kills=("SessionScheduled",))


def sends(bid: Sealed, name: str, *kills: str) -> Step:
    """A bidder's program: it goes on with its upload wherever the hall says it is."""

    async def upload(stage: Stage) -> Answer:
        actor, hall = the_actor(bid.bidder), stage.hall
        opened = await stage.once("upload", lambda: hall.submissions.begin(SESSION, actor, len(bid.data)))
        while True:
            found = await hall.submissions.progress(SESSION, opened.id, actor)
            end = len(bid.data) if found.offset else len(bid.data) // 2
            data = pieces(bid.data[found.offset : end])
            done = await hall.submissions.receive(SESSION, opened.id, actor, found.offset, data)
            if done.answer is not None:
                return done.answer

    async def play(stage: Stage) -> None:
        try:
            answer = await upload(stage)
            stage.holds("receipt", answer.statement)
        except Refused as refused:
            stage.holds("slip", refused.slip)

    return Step(name=name, play=play, kills=kills)


def does(name: str, make: Callable[[Stage], Command | Awaitable[Command]], actor: Actor, *kills: str) -> Step:
    """Somebody sends a command, and the same again if no answer came."""

    async def play(stage: Stage) -> None:
        await stage.send(await stage.once("command", lambda: make(stage)), actor)

    return Step(name=name, play=play, kills=kills)


def advances(step: str, *kills: str) -> Step:
    return does(f"advance to {step}", lambda _: c.Advance(step=StepId(step)), HOST, *(kills or ("StepEntered",)))


def waits(name: str, *kills: str, until: Any = None) -> Step:
    """Time goes by until the next thing falls due, or to a moment."""
    return Step(name=name, play=lambda stage: stage.due() if until is None else stage.at(until), kills=kills)


def releases(bid: Sealed, name: str, *kills: str) -> Step:
    async def play(stage: Stage) -> None:
        actor = the_actor(bid.bidder)

        async def token() -> Jws:
            return a_token(bid, await stage.hall.releasing.challenge(SESSION, actor, "A"))

        verdict = await stage.hall.releasing.release(SESSION, actor, await stage.once("token", token))
        if verdict.code == "hall_error":  # on record as the hall's own; the bidder's program tries again
            raise OSError(verdict.code)
        assert verdict.code is None
        stage.told("", verdict.records)

    return Step(name=name, play=play, kills=kills)


def rescues(bid: Sealed, *kills: str) -> Step:
    async def play(stage: Stage) -> None:
        who = BidderId(bid.bidder.id)

        async def sealed() -> str:
            terms = await stage.hall.rescuing.terms(SESSION, who)
            return seal_rescue(
                unlock(read_header(bid.file), "A", bid.bidder.encrypt),
                KEY,
                session=SESSION,
                group="A",
                header_sha256=terms.header_sha256,
                nonce=terms.nonce,
                session_key=load_session_public(terms.session_key),
            )

        with suppress(CommandRefused):  # too late: it was taken before the answer got lost
            payload = await stage.once("sealed", sealed)
            stage.told("", await stage.hall.rescuing.rescue(SESSION, the_actor(bid.bidder), who, "A", KEY, payload))

    return Step(name="rescue", play=play, kills=kills)


def brings(who: Actor, name: str, *kills: str) -> Step:
    async def play(stage: Stage) -> None:
        values = await stage.once("shares", lambda: stage.hall.opens(who))
        brought = await stage.hall.officers.bring(SESSION, who, values)
        assert brought.failed == {}
        stage.told("", brought.records)
        await stage.hall.work_done()

    return Step(name=name, play=play, kills=kills)


def signs(who: Actor | Sealed, name: str, *kills: str) -> Step:
    actor = the_actor(who.bidder) if isinstance(who, Sealed) else who

    async def make(stage: Stage) -> Command:
        drawn = (await stage.hall.state()).drawn
        assert drawn is not None
        payload = {"v": 1, "session": SESSION, "signer": actor.id, "record_sha256": drawn.sha256}
        key = who.bidder.sign if isinstance(who, Sealed) else hall_key(stage.hall.folder)
        return c.SignRecord(signer=actor.id, statement=Jws(sign(payload, "record", key)))

    return does(name, make, actor, *kills)


def draws(who: Actor, *kills: str, bid: Sealed | None = None) -> Step:
    stated = Digest(commitment(SESSION, 1, _share(who)).hex())
    signed = None if bid is None else said(bid, "draw", bidder=who.id, round=1, commitment=stated)
    command = c.CommitDraw(round=1, commitment=stated, statement=signed)
    return does(f"{who.id} commits", lambda _: command, who, *kills)


def reveals(who: Actor, *kills: str) -> Step:
    return does(f"{who.id} reveals", lambda _: c.RevealDraw(round=1, seed=_share(who).seed.hex()), who, *kills)


def _share(who: Actor) -> Share:
    return Share(role=who.role.value, party=who.id, seed=sha256(who.id.encode()))


async def checks_in(stage: Stage, bid: Sealed) -> Command:
    head = (await stage.hall.sessions.events(SESSION))[-1].digest
    return c.CheckIn(bidder=BidderId(bid.bidder.id), statement=said(bid, "checkin", bidder=bid.bidder.id, head=head))


async def confirms(stage: Stage, bid: Sealed) -> Command:
    row = (await stage.hall.state()).bid(bid.bidder.id)
    assert row is not None
    assert row.quote_sha256 is not None
    statement = said(bid, "confirm", bidder=bid.bidder.id, quote_sha256=row.quote_sha256)
    return c.ConfirmRow(bidder=BidderId(bid.bidder.id), statement=statement)


@cache
def whole() -> list[Step]:
    """From the announcement to the end, with everything that people do on the way."""
    a, b, lost, locked, silent = (a_bid(name) for name in NAMES)
    first = a_bid(NAMES[0], "990000.00")
    gone, other = a_bid("中途退出有限公司"), a_bid("投错标段有限公司", lot="2")
    late = a_bid("迟到的有限公司")
    withdrawal = said(gone, "withdraw", bidder=gone.bidder.id, header_sha256=gone.bid.header_sha256)
    return [
        announces(a_plan(draws=DRAWS, intake_log=LOG)),
        sends(first, "first bid", Point.UPLOAD_OPENED, Point.CHUNK_WRITTEN, Point.CHUNK_DURABLE),
        sends(gone, "bid to be withdrawn", "BidReceived"),
        sends(other, "bid for another lot", "BidRefused"),
        *(
            sends(bid, f"bid {number}", *kills)
            for number, (bid, kills) in enumerate(zip((a, b, lost, locked, silent), WAYS_IN, strict=True))
        ),
        does(
            "withdraw",
            lambda _: c.WithdrawBid(bidder=BidderId(gone.bidder.id), statement=withdrawal),
            the_actor(gone.bidder),
            "BidWithdrawn",
        ),
        waits("check-in opens", "StepEntered", until=T0 - 30 * MINUTE),
        does("check in", lambda stage: checks_in(stage, a), the_actor(a.bidder), "BidderCheckedIn"),
        does("host enters", lambda _: c.TakeChair(), HOST, "ChairTaken"),
        *(does(f"{who.id} enters", lambda _: c.TakeChair(), who) for who in (DEPUTY, SUPERVISOR)),
        does("note", lambda _: c.Note(text="一切正常"), SUPERVISOR, "SupervisorNoted"),
        waits("T0", "SetFrozen", "SealsChecked", until=T0 + 700 * MS),
        sends_late(late, "LateBidRefused"),
        advances("ceiling", "CeilingAnnounced"),
        advances("draw"),
        draws(HOST, "DrawCommitted"),
        draws(the_actor(a.bidder), bid=a),
        draws(SUPERVISOR, "DrawClosed"),
        reveals(the_actor(a.bidder), "DrawRevealed"),
        reveals(HOST),
        reveals(SUPERVISOR, "DrawMade"),
        advances("decrypt"),
        releases(a, "key of a", "KeyReleased"),
        releases(b, "key of b"),
        does(
            "token locked",
            lambda _: c.ReportFailure(bidder=BidderId(locked.bidder.id), code="locked"),
            the_actor(locked.bidder),
            "AttemptFailed",
        ),
        rescues(lost, "BidRescued"),
        does("pause", lambda _: c.Pause(reason="网络中断", incident=True), SUPERVISOR, "SessionPaused"),
        does("resume", lambda _: c.Resume(), HOST, "SessionResumed"),
        does("extend", lambda _: c.ExtendWindow(reason="有投标人重启"), HOST, "WindowExtended"),
        waits("the window ends", "BarrierPassed", "EvidenceGathered", "BidOpened"),
        waits("all is read"),
        advances("confirm"),
        does("confirm", lambda stage: confirms(stage, a), the_actor(a.bidder), "RowConfirmed"),
        does(
            "object",
            lambda _: c.Object(bidder=BidderId(b.bidder.id), recusal=False, title="唱标过快", text="请放慢。"),
            the_actor(b.bidder),
            "ObjectionRaised",
        ),
        does("answer", lambda _: c.AnswerObjection(number=1, text="已重读。"), HOST, "ObjectionAnswered"),
        waits("confirmation ends"),
        does(
            "no objection",
            lambda _: c.NoObjection(bidder=BidderId(a.bidder.id)),
            the_actor(a.bidder),
            "NoneDeclared",
        ),
        waits("objections end"),
        advances("sign", "RecordDrawn"),
        signs(a, "bidder signs", "RecordSigned"),
        signs(HOST, "host signs"),
        signs(SUPERVISOR, "supervisor signs"),
        waits("signing ends", "SessionEnded"),
        Step(name="archive", play=archives),
    ]


async def archives(stage: Stage) -> None:
    (stage.hall.folder / BUNDLE).write_bytes(await an_archive(stage.hall).bundle(SESSION))


def sends_late(bid: Sealed, *kills: str) -> Step:
    async def play(stage: Stage) -> None:
        stage.clock.advance(SECOND)  # another try is another moment
        try:
            await stage.hall.submissions.begin(SESSION, the_actor(bid.bidder), len(bid.data))
        except Refused as refused:
            stage.holds("slip", refused.slip)

    return Step(name="late bid", play=play, kills=kills)


@cache
def behind_locks() -> list[Step]:
    """Two locks, the tenderer's share, and trustees who open for one bidder."""
    plan = a_locked_plan(tenderer=True, escrow=True)
    assert plan.tenderer_share is not None
    assert plan.escrow is not None
    shares = {"tenderer": quorum(plan.tenderer_share), "escrow": quorum(plan.escrow)}
    bids = [a_bid_for_this(name, PRICES[name], **shares) for name in NAMES[:3]]
    lost = bids[0]
    asked = said(lost, "escrow", bidder=lost.bidder.id)
    return [
        announces(plan),
        *(sends(bid, f"bid {number}") for number, bid in enumerate(bids)),
        waits("check-in opens", until=T0 - 30 * MINUTE),
        *(does(f"{who.id} enters", lambda _: c.TakeChair(), who) for who in (HOST, DEPUTY, SUPERVISOR)),
        does("host tries its key", lambda _: c.ReadyOfficer(lock="host", passed=True), HOST, "OfficerReady"),
        does("supervisor tries its key", lambda _: c.ReadyOfficer(lock="supervisor", passed=True), SUPERVISOR),
        does("tenderer tries its key", lambda _: c.ReadyOfficer(lock="tenderer", passed=True), AGENT),
        waits("T0", until=T0 + 700 * MS),
        does(
            "deputy takes over", lambda _: c.TakeChair(takeover=True, reason="主持人掉线"), DEPUTY, "HostHandedOver"
        ),
        does("deputy advances to ceiling", lambda _: c.Advance(step=StepId("ceiling")), DEPUTY),
        does("deputy advances to decrypt", lambda _: c.Advance(step=StepId("decrypt")), DEPUTY),
        *(releases(bid, f"key {number}") for number, bid in enumerate(bids) if bid is not lost),
        does(
            "ask the trustees",
            lambda _: c.RequestEscrow(bidder=BidderId(lost.bidder.id), statement=asked),
            the_actor(lost.bidder),
            "EscrowRequested",
        ),
        does(
            "propose the trustees",
            lambda _: c.GrantEscrow(bidder=BidderId(lost.bidder.id), reason="密钥损坏"),
            DEPUTY,
            "ActProposed",
        ),
        does("agree to the trustees", lambda _: c.Approve(proposal=1), SUPERVISOR, "EscrowGranted"),
        waits("the window ends"),
        brings(HOST, "host's lock", "LockOpened"),
        brings(SUPERVISOR, "supervisor's lock"),
        brings(TRUSTEES[0], "first trustee"),
        brings(TRUSTEES[1], "second trustee"),
        does("go on without the tenderer", lambda _: c.MissLock(lock="tenderer", reason="未到场"), DEPUTY),
        does("agree to go on", lambda _: c.Approve(proposal=2), SUPERVISOR, "LockMissed"),
        waits("all is read"),
    ]


@cache
def called_off() -> list[Step]:
    """Put off, then aborted, each by two persons."""
    later = T0 + timedelta(hours=1)
    return [
        announces(a_plan()),
        sends(a_bid(NAMES[0]), "bid"),
        waits("check-in opens", until=T0 - 30 * MINUTE),
        *(does(f"{who.id} enters", lambda _: c.TakeChair(), who) for who in (HOST, DEPUTY, SUPERVISOR)),
        does("propose to put off", lambda _: c.Postpone(t0=later, reason="补遗"), HOST),
        does("put off", lambda _: c.Approve(proposal=1), SUPERVISOR, "T0Moved"),
        does("propose to abort", lambda _: c.Abort(reason="误点"), HOST),
        does("decline", lambda _: c.Decline(proposal=2, reason="不同意"), SUPERVISOR, "ActDeclined"),
        waits("too few bids", "OpeningFailed", until=later + 700 * MS),
    ]


@cache
def aborted() -> list[Step]:
    return [
        announces(a_plan()),
        sends(a_bid(NAMES[0]), "bid"),
        waits("check-in opens", until=T0 - 30 * MINUTE),
        *(does(f"{who.id} enters", lambda _: c.TakeChair(), who) for who in (HOST, DEPUTY, SUPERVISOR)),
        does("propose to abort", lambda _: c.Abort(reason="招标人要求终止"), HOST),
        does("abort", lambda _: c.Approve(proposal=1), SUPERVISOR, "SessionAborted"),
    ]


@cache
def stopped() -> list[Step]:
    """The clock is set, the hall is out, people go on; then witnesses hold the closing, one after the other."""
    watch = Watch(
        origin=f"hall.example/s/{SESSION}",
        witnesses=("w1.example+00000000+AAAA", "w2.example+00000000+AAAA"),
        quorum=2,
        authorities=("tsa",),
    )
    plan = a_plan(ceiling=None)
    rule = WitnessRule(mode=WitnessMode.CLOSED, grace=MINUTE, article="bl-35")
    return [
        replace(announces(replace(plan, watch=watch, pack=replace(plan.pack, witness=rule))), watched=True),
        *(sends(a_bid(name), f"bid {number}") for number, name in enumerate(NAMES[:3])),
        *(does(f"{who.id} enters", lambda _: c.TakeChair(), who) for who in (HOST, DEPUTY, SUPERVISOR)),
        sets("the clock is set", 300 * SECOND, "ClockUnsafe"),
        sets("the clock is set back", 0 * SECOND, "ClockSafe"),
        does("propose to go on", lambda _: c.Resume(reason="时钟已校准"), HOST, "ActProposed"),
        does("agree to go on", lambda _: c.Approve(proposal=1), SUPERVISOR, "SessionResumed"),
        goes_out("the hall is out", MINUTE, "OutageBegan"),
        does("propose to go on again", lambda _: c.Resume(reason="恢复正常"), HOST),
        does("agree to go on again", lambda _: c.Approve(proposal=2), SUPERVISOR, "SessionResumed"),
        Step(name="T0", play=closes, kills=("SetFrozen",)),
        answers(AnchorKind.WITNESS, "w1.example", "Anchored"),
        answers(AnchorKind.WITNESS, "w2.example", "Anchored"),
        answers(AnchorKind.STAMP, "tsa", "Anchored"),
        advances("decrypt"),
    ]


def sets(name: str, to: timedelta, *kills: str) -> Step:
    """Somebody sets the machine's clock, and the hall notices at its next breath."""

    async def play(stage: Stage) -> None:
        until = await stage.once("until", lambda: stage.clock.now() + 10 * SECOND)
        stage.sets_the_clock(to)
        await stage.passes(until)

    return Step(name=name, play=play, kills=kills)


def goes_out(name: str, long: timedelta, *kills: str) -> Step:
    """No sign of life of the hall is kept for so long."""

    async def play(stage: Stage) -> None:
        await stage.at(await stage.once("until", lambda: stage.clock.now() + long))

    return Step(name=name, play=play, kills=kills)


async def closes(stage: Stage) -> None:
    """Go to T0, wherever the stops moved it."""

    async def moved() -> datetime:
        return (await stage.hall.state()).t0 + SECOND

    await stage.passes(await stage.once("t0", moved))


def answers(kind: AnchorKind, by: str, *kills: str) -> Step:
    """Somebody outside holds the closing of the set: asked again from the state, the same answer comes."""

    async def play(stage: Stage) -> None:
        async def answer() -> c.RecordAnchor:
            o = await stage.hall.state()
            held = Digest(sha256(by.encode()).hex())
            at = stage.clock.now().replace(microsecond=0)
            return c.RecordAnchor(point=CLOSE, kind=kind, by=by, size=o.length, root=held, sha256=held, said_at=at)

        command = await stage.once("answer", answer)
        stage.told("", await stage.hall.sessions.handle(SESSION, command, CLOCK))

    return Step(name=f"{by} answers", play=play, kills=kills)


STORIES: dict[str, Callable[[], list[Step]]] = {
    "whole": whole,
    "behind_locks": behind_locks,
    "called_off": called_off,
    "aborted": aborted,
    "stopped": stopped,
}
