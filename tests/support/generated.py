"""Bundles of openings that nobody held: any number, each from a seed, with real certificates, bids and signatures.

The rules, the log and the archive are the real ones; only server, disk and waiting are missing. The same seed plays
the same ceremony; salts and signatures differ each time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from io import BytesIO
from typing import Any, BinaryIO, TypeVar

from crypto.container import read_header
from crypto.digest import sha256, sha256_hex
from crypto.draw import Share, commitment
from crypto.encoding import b64u, canonical
from crypto.envelope import open_group, unlock
from crypto.header import SlotRole
from crypto.held import assemble_held, open_held
from crypto.receipt import Slip, issue
from crypto.signing import sign
from crypto.tlog import Tree
from sessions import commands as c
from sessions import intake as intakes
from sessions import opening as openings
from sessions.archive.bundle import Archive
from sessions.barrier.behind import quorum
from sessions.barrier.gathering import gather
from sessions.barrier.nonces import window_digest
from sessions.chaining import Head, chain
from sessions.errors import CommandRefused
from sessions.events import (
    BidReceived,
    ClockUnsafe,
    Happening,
    OutageBegan,
    Recorded,
    SessionAborted,
    SessionResumed,
    Stream,
    T0Moved,
)
from sessions.ids import BidderId, Digest, Jws, SessionId, StepId
from sessions.intake import log as intake_log
from sessions.intake.log import Blinding
from sessions.intake.receipts import receipt_of
from sessions.keys.hallkey import HallKeys
from sessions.opening import OVER, BidState, CheckSeals, FreezeSet, GatherEvidence, OpenBids, Opening
from sessions.opening.attribution import BY_ATTEMPT, BY_CLIENT, CAUSES, UNREADABLE
from sessions.opening.locked import behind, can_open
from sessions.opening.locks import FAILURES
from sessions.opening.state import Draw
from sessions.opening.stopping import REASONS
from sessions.outside.opening_log import OpeningLog
from sessions.plan import AnchorKind, ClockTerms, IntakeLog, Lock, Plan, StepKind
from sessions.plan_json import plan_to_json
from sessions.ports import FINAL, Answer, Entries, Evidence, Kind, Summary
from sessions.proofs import UNAVAILABLE_CODE, Proof, State
from sessions.quote import read_sheet
from sessions.recording.rules import decide as recorded
from sessions.recording.state import Recording
from sessions.recording.state import evolve as after
from sessions.roles import CLOCK, Actor, Role
from sessions.sealed_set import set_root
from sessions.shape import rfc3339
from tests.support import outside
from tests.support.bidders import Sealed, a_bidder, a_sealed_bid
from tests.support.ceremony import DEPUTY, HOST, MINUTE, MS, SECOND, SUPERVISOR, T0, TENDER, a_plan
from tests.support.filmed import Filming
from tests.support.locked import a_locked_plan
from tests.support.memory_events import MemoryEvents
from tests.support.officers import an_officer
from tests.support.outside import Checkpoints, Proofs, the_hall
from tests.support.shell import the_actor, the_trust

T = TypeVar("T")

SESSION = SessionId("gx-1")
BLINDING = Blinding(session=SESSION, secret=bytes(range(32)))
DRAWS = [
    {"id": "k", "title": {"zh": "系数", "en": "Coefficient"}, "values": ["0.95", "0.96", "0.97"], "pick": 1},
    {"id": "order", "title": {"zh": "次序", "en": "Order"}},
]
STAFF = (HOST, DEPUTY, SUPERVISOR)
SOURCES = ("ntp1.example:123", "ntp2.example:123")
SALT = bytes(range(32))  # of the commitment to a spare sheet
MOST_BIDDERS = 10
SHEETS: Sequence[dict[str, str]] = (
    {"price": "1200000.00"},
    {"price": "1499999.99", "days": "180"},
    {"price": "2000000.00", "days": "soon"},
    {"days": "90", "note": "price on request"},
    {"price": "1e6"},
)


Terms = tuple[int, Lock | None, Lock | None]
"""What an announcement says of sealing: how many envelopes, and who holds shares of the bidder's keys."""


@cache
def a_bid(number: int, version: int, terms: Terms) -> Sealed:
    """Return one of a pool of sealed bids: sealing is dear, and every opening is of the same tender."""
    envelopes, tenderer, escrow = terms
    bidder = a_bidder(f"第{number}号<{number}>&'有限公司'")
    given = {"tender": TENDER["id"], "lot": TENDER["lot"], "deadline": TENDER["deadline"], "envelopes": envelopes}
    given["rescue_salt"] = SALT if number % 2 else None
    given["tenderer"] = None if tenderer is None else quorum(tenderer)
    given["escrow"] = None if escrow is None else quorum(escrow)
    return a_sealed_bid(b"%PDF", bidder=bidder, quote=SHEETS[(number + version) % len(SHEETS)], **given)


@cache
def a_quote_key(number: int, version: int, terms: Terms) -> bytes:
    sealed = a_bid(number, version, terms)
    container, (envelopes, tenderer, _) = read_header(sealed.file), terms
    group, second = "AB"[envelopes - 1], None
    if tenderer is not None:
        shares = [
            open_held(container.header, group, SlotRole.TENDERER, an_officer(each.account))
            for each in tenderer.officers
        ]
        second = assemble_held(container.header, group, SlotRole.TENDERER, shares)
    secret = unlock(container, group, sealed.bidder.encrypt)
    return open_group(sealed.file, container, group, secret, second).part_key("quote")


@dataclass(kw_only=True)
class _Kept:
    """What the archive asks of the stores of bids."""

    given: list[Answer] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    entries: tuple[bytes, ...] = ()
    beats: tuple[Evidence, ...] = ()

    async def get(self, *_: object) -> bytes:
        return BLINDING.secret

    async def evidence(self, _: SessionId, kind: Kind, **__: object) -> tuple[Evidence, ...]:
        return tuple(piece for piece in self.beats if piece.kind is kind)

    async def answers(self, _: SessionId) -> tuple[Answer, ...]:
        return tuple(self.given)

    def open(self, name: str) -> BinaryIO:
        return BytesIO(self.blobs[name])


class Making:
    """One session being played: both streams, and what the hall keeps beside them."""

    def __init__(self, seed: int, *, acts: int = 40) -> None:
        self.chance = random.Random(seed)
        self.losing = random.Random(f"{seed} keys")  # of its own, so that seeds without trustees tell what they told
        self.speaking = random.Random(f"{seed} floor")  # and this, so that seeds without speakers do
        self.filming = Filming(seed)
        self.once = random.Random(f"{seed} once").random() < 0.5 or None
        self.recording = Recording()
        self.plan = self._plan()
        self.proofs = Proofs()
        self.checkpoints = Checkpoints(proofs=self.proofs)
        self.silent = {name for name in outside.everybody() if self.chance.random() < 0.2}
        self.acts = acts
        self.now = T0 - timedelta(hours=4)
        self.kept = _Kept()
        self.opening: Opening | None = None
        self.intake: intakes.Intake | None = None
        self.records: dict[Stream, list[Recorded]] = {stream: [] for stream in Stream}
        self._heads = {stream: Head() for stream in Stream}
        self.latest: dict[BidderId, tuple[int, int]] = {}  # bidder -> number and version of the bid in the pool
        self.act(c.Schedule(plan=plan_to_json(self.plan)), CLOCK)
        self.take(c.Schedule(plan=plan_to_json(self.plan)), CLOCK)

    def _plan(self) -> Plan:
        pack = self.chance.choice(("cn-works", "cn-gov", "intl-two-role"))
        ceiling = None if pack == "intl-two-role" else self.chance.choice((None, "1500000.00"))
        drawn = [] if pack == "intl-two-role" else self.chance.choice(([], DRAWS))
        changes = {"ceiling": ceiling, "envelopes": self.chance.choice((1, 1, 2)), "draws": drawn}
        if self.chance.random() < 0.3:
            plan = a_locked_plan(
                pack, tenderer=self.chance.random() < 0.5, escrow=self.chance.random() < 0.8, **changes
            )
        else:
            plan = a_plan(pack, **changes)
        if self.chance.random() < 0.5:
            plan = replace(plan, intake_log=IntakeLog(every=20 * MINUTE, leaves=self.chance.choice((1, 4))))
        if self.chance.random() < 0.5:
            plan = replace(plan, clock=ClockTerms(sources=SOURCES))
        if self.chance.random() < 0.4:
            plan = outside.watched(plan, self.chance)
        plan = replace(plan, recording=True) if self.filming.wanted else plan
        plan = replace(plan, once=self.once)
        return replace(plan, proofs=True) if self.chance.random() < 0.4 else plan

    @property
    def terms(self) -> Terms:
        return self.plan.tender.envelopes, self.plan.tenderer_share, self.plan.escrow

    @property
    def it(self) -> Opening:
        assert self.opening is not None
        return self.opening

    # -- the two streams -----------------------------------------------------------------------------------------

    def act(self, command: c.OpeningCommand, actor: Actor) -> None:
        """Send a command to the opening; what intake has to follow, it follows."""
        for happening in openings.decide(self.opening, command, actor, self.now):
            record = self._append(Stream.OPENING, happening)
            self.opening = openings.evolve(self.opening, record)
            match happening.event:
                case T0Moved(new=new, reason=reason):
                    self.take(c.Postpone(t0=new, reason=reason), CLOCK)
                case ClockUnsafe() | OutageBegan():
                    self.take(c.HoldIntake(reason=type(happening.event).__name__), CLOCK, at=happening.at)
                case SessionResumed(t0=t0):
                    self.take(c.FreeIntake(t0=t0), CLOCK, at=happening.at)
                case SessionAborted() if self.intake is not None and not self.intake.closed:
                    self.take(c.Abort(reason=""), CLOCK)
                case _:
                    pass

    def take(self, command: c.IntakeCommand, actor: Actor, *, at: datetime | None = None) -> list[Recorded]:
        """Send a command to intake."""
        told = []
        for happening in intakes.decide(self.intake, command, actor, at or self.now):
            record = self._append(Stream.INTAKE, happening)
            self.intake = intakes.evolve(self.intake, record)
            told.append(record)
        return told

    def film(self) -> None:
        """Let the recorder do something, and the opening's log say how far it has come."""
        if not self.plan.recording or self.filming.chance.random() < 0.5:
            return
        self._roll(self.filming.next(self.recording, self.now))
        records = self.records[Stream.RECORDING]
        if records and self.it.status not in OVER and self.filming.chance.random() < 0.3:
            self.attempt(lambda: self.act(self.filming.noted(records), CLOCK))

    def _roll(self, command: c.RecordingCommand) -> None:
        for happening in recorded(self.recording, command, CLOCK, self.now, of=self.it):
            self.recording = after(self.recording, self._append(Stream.RECORDING, happening))

    def _film_ends(self) -> None:
        """The recorder is closed, most of the time, and those outside hold what there is."""
        if not self.plan.recording or self.filming.chance.random() < 0.15:
            return
        self._roll(self.filming.ends())
        if self.plan.watch is not None:
            tree = Tree(bytes.fromhex(record.digest) for record in self.records[Stream.RECORDING])
            for _, who in list(outside.missing(self.it, FINAL)):
                if self.filming.chance.random() < 0.7:
                    self.checkpoints.hold_recording(self.it, tree, who, self.now)

    def _append(self, stream: Stream, happening: Happening) -> Recorded:
        record = chain(self._heads[stream], SESSION, stream, happening)
        self._heads[stream] = self._heads[stream].after(record)
        self.records[stream].append(record)
        return record

    def attempt(self, act: Callable[[], object]) -> None:
        """Try something; what the rules refuse does not happen."""
        try:
            act()
        except CommandRefused:
            return

    def until(self, moment: datetime) -> None:
        """Let time pass and everything happen that falls due in it, the hall's own work included."""
        while True:
            work = openings.work_due(self.it)
            if work is not None:
                self.work(work)
                continue
            self._hear_of_the_log()
            due = openings.next_due(self.it)
            if due is None or due > moment:
                break
            self.now = max(self.now, due)
            self.act(c.Tick(), CLOCK)
        self.now = max(self.now, moment)
        self.act(c.Tick(), CLOCK)

    def work(self, work: FreezeSet | CheckSeals | GatherEvidence | OpenBids) -> None:
        match work:
            case GatherEvidence():
                self._gather()
            case FreezeSet():
                self._freeze()
            case CheckSeals(headers=headers):
                seals = {bidder: self._rarely("stored_bytes_changed", "ok") for bidder, _ in headers}
                self.act(c.SealChecks(results=seals, proofs=self._asked_again() or None), CLOCK)
            case OpenBids():
                self.act(c.RecordOpenings(opened=tuple(self._opened(bid) for bid in self.it.bids)), CLOCK)

    def _asked_again(self) -> dict[BidderId, Proof]:
        """What is said now of the bids that were taken while an authority was silent; sometimes it is forgotten."""
        told = (record.event for record in self.records[Stream.INTAKE])
        received = {event.bidder: event.proof for event in told if isinstance(event, BidReceived)}
        return {
            bid.bidder: self.proofs.again(proof)
            for bid in self.it.bids
            if (proof := received[bid.bidder]) is not None
            and proof.state is State.UNAVAILABLE
            and random.Random(proof.evidence).random() < 0.9
        }

    def _gather(self) -> None:
        records = self.records[Stream.OPENING]
        window = window_digest(self.it, records)
        assert window is not None
        bids = [a_bid(*self.latest[bid.bidder], self.terms) for bid in self.it.bids]
        if self.plan.pack.evidence is not None:
            self.kept.beats = outside.signs_of_life(self.it, window, bids, records[-1].digest, self.chance)
        kept: Any = self.kept
        self.act(c.RecordEvidence(gathered=_now(gather(self.it, kept))), CLOCK)

    def _hear_of_the_log(self) -> None:
        """Some of those who are asked to hold the log answer; who does not now may do so later."""
        if self.it.status in OVER or self.plan.watch is None or self.chance.random() < 0.3:
            return
        for point, who in list(outside.missing(self.it)):
            if who[1] not in self.silent and self.chance.random() < 0.7:
                self.attempt(lambda point=point, who=who: self._anchor(point, who))

    def _anchor(self, point: str, who: tuple[AnchorKind, str]) -> None:
        digests = [record.digest for record in self.records[Stream.OPENING]]
        kept = self.checkpoints.answer(self.it, digests, point, who, self.now)
        root = self.checkpoints.signed[self.plan.watch.origin, kept.size].root if self.plan.watch else b""
        self.act(outside.anchoring(kept, root), CLOCK)

    def _hold_the_end(self) -> None:
        """Where the rules wait for witnesses, everybody holds the end; else whoever does."""
        for _, who in list(outside.missing(self.it, FINAL)):
            if who[0] is AnchorKind.WITNESS or self.chance.random() < 0.7:
                digests = [record.digest for record in self.records[Stream.OPENING]]
                self.checkpoints.answer(self.it, digests, FINAL, who, self.now)

    def _freeze(self) -> None:
        self.take(c.Tick(), CLOCK)
        assert self.intake is not None
        bids = intakes.sealed_bids(self.intake)
        head, log = self._heads[Stream.INTAKE], self.plan.intake_log
        if log is not None:
            count = intake_log.ticks(log, self.intake.announced_at, self.intake.t0, self.intake.t0)
            self.kept.entries = tuple(intake_log.last(log, (), self.intake.entries, count, BLINDING))
            self._stamp_receipts(log, count, self.intake.announced_at)
        offset = self.chance.choice((None, 3))
        if self.plan.clock is not None:
            answered = SOURCES if offset is not None else ()
            figures = {"offset_ms": offset, "uncertainty_ms": offset, "measured_at": None if offset is None else T0}
            self.act(c.CheckClock(sources=answered, **figures, steady=True), CLOCK)
        self.act(
            c.CloseIntake(
                bids=bids,
                root=set_root([bid.header_sha256 for bid in bids]),
                intake_head=head.digest,
                intake_length=head.number,
                session_key="" if self.plan.locks else "BKey",
                clock_offset_ms=offset,
                intake_log_size=None if log is None else len(self.kept.entries),
                intake_log_root=None if log is None else Digest(Tree(self.kept.entries).root().hex()),
            ),
            CLOCK,
        )

    def _stamp_receipts(self, log: IntakeLog, count: int, announced: datetime) -> None:
        """Some authorities stamp what the log of receipts held at some of its ticks, and as T0 closed it."""
        moments = {n * log.leaves: announced + n * log.every for n in range(1, count + 1)}
        for by in self.plan.watch.authorities if self.plan.watch and self.chance.random() < 0.8 else ():
            sizes = {self.chance.choice(sorted(moments) or [len(self.kept.entries)]), len(self.kept.entries)}
            for size in sorted(sizes):
                tree = Tree(self.kept.entries[:size])
                self.checkpoints.stamp_receipts(self.it, by, tree, moments.get(size, self.now))

    def _opened(self, bid: openings.Bid) -> c.Opened:
        empty = {"quote": None, "quote_sha256": None, "quote_key": None}
        if bid.state is BidState.WAITING and bid.spares and self.chance.random() < 0.8:
            return self._spare(bid)
        if bid.state is not BidState.RELEASED or not can_open(self.it, bid):
            return c.Opened(bidder=bid.bidder, **empty, code=None)
        if self.chance.random() < 0.05:
            return c.Opened(bidder=bid.bidder, **empty, code=self.chance.choice(sorted(UNREADABLE)))
        number, version = self.latest[bid.bidder]
        sheet = canonical(SHEETS[(number + version) % len(SHEETS)])
        return c.Opened(
            bidder=bid.bidder,
            quote=read_sheet(sheet),
            quote_sha256=Digest(sha256_hex(sheet)),
            quote_key=b64u(a_quote_key(number, version, self.terms)),
            code=None,
        )

    def _spare(self, bid: openings.Bid) -> c.Opened:
        """What the spare sheet says, if it is the one that was committed to at sealing."""
        number, version = self.latest[bid.bidder]
        sheet = canonical(SHEETS[(number + version) % len(SHEETS)])
        if number % 2 == 0:
            return c.Opened(bidder=bid.bidder, quote=None, quote_sha256=None, quote_key=None, code="rescue_mismatch")
        return c.Opened(
            bidder=bid.bidder,
            quote=read_sheet(sheet),
            quote_sha256=Digest(sha256_hex(sheet)),
            quote_key=None,
            code=None,
            sheet=sheet.decode(),
            salt=SALT.hex(),
        )

    def _rescue(self, number: int, by: Actor, kind: str, group: str) -> None:
        digest = Digest(f"{self.chance.getrandbits(256):064x}")
        bidder = BidderId(self.who(number).id)
        self.act(c.RecordRescue(bidder=bidder, group=group, kind=kind, rescue_sha256=digest), by)

    def _rarely(self, odd: str, usual: str) -> str:
        return odd if self.chance.random() < 0.03 else usual

    # -- what people do ------------------------------------------------------------------------------------------

    def said(self, number: int, kind: str, **members: Any) -> Jws:
        payload = {"v": 1, "session": SESSION, **members}
        return Jws(sign(payload, kind, a_bid(number, 0, self.terms).bidder.sign))

    def proof(self, number: int, *, encrypting: bool = False) -> Proof | None:
        """What is found of this bidder's certificate now, if the plan asks for it."""
        if not self.plan.proofs:
            return None
        bidder = a_bid(number, 0, self.terms).bidder
        return self.proofs.look(bidder, self.now, self.chance, encrypting=encrypting)

    def who(self, number: int) -> Actor:
        return the_actor(a_bid(number, 0, self.terms).bidder)

    def submit(self, number: int, version: int = 0) -> None:
        sealed = a_bid(number, version, self.terms)
        actor = self.who(number)
        stated = {"declaration_sha256": sealed.bid.declaration_sha256, "root": sealed.bid.root}
        command = c.SubmitBid(
            bidder=BidderId(actor.id),
            name=actor.name,
            header_sha256=Digest(sealed.bid.header_sha256),
            declaration_sha256=Digest(stated["declaration_sha256"]),
            root=Digest(stated["root"]),
            length=sealed.bid.length,
            deadline=T0,
            sealed_tender=TENDER["id"],
            sealed_lot=TENDER["lot"],
            sealed_bidder=BidderId(actor.id),
            signing_certificate=Digest(sealed.bid.header.sig_cert.hex()),
            first_byte_at=self.now - SECOND,
            leaf_salt=f"{self.chance.getrandbits(256):064x}",
            proof=self.proof(number, encrypting=True),
        )
        for record in self.take(command, actor):
            if isinstance(record.event, BidReceived):
                self.latest[record.event.bidder] = (number, version)
                token = Jws(issue(receipt_of(record, self.plan), the_hall()))
                self._answer(actor, token, sealed=sealed, code=None)

    def be_late(self, number: int) -> None:
        actor = self.who(number)
        slip = Slip(
            session=SESSION,
            tender=self.plan.tender.id,
            lot=self.plan.tender.lot,
            bidder=actor.id,
            header_sha256=None,
            declaration_sha256=None,
            length=1000 + number,
            received_at=rfc3339(self.now),
            code="late",
        )
        token = Jws(issue(slip, the_hall()))
        slip_sha256 = Digest(sha256_hex(token.encode()))
        command = c.RecordLateBid(bidder=BidderId(actor.id), name=actor.name, slip_sha256=slip_sha256, code="late")
        self.act(command, CLOCK)
        if self.chance.random() < 0.8:
            self._answer(actor, token, sealed=None, code="late")

    def _answer(self, actor: Actor, token: Jws, *, sealed: Sealed | None, code: str | None) -> None:
        name = f"bid-{len(self.kept.given)}"
        if sealed is not None:
            self.kept.blobs[name] = sealed.data
        answer = Answer(
            session=SESSION,
            bidder=BidderId(actor.id),
            at=self.now,
            header_sha256=None if sealed is None else Digest(sealed.bid.header_sha256),
            blob=None if sealed is None else name,
            statement=token,
            code=code,
        )
        self.kept.given.append(answer)

    def check_in(self, number: int) -> None:
        actor = self.who(number)
        head = self.records[Stream.OPENING][-1].digest
        command = c.CheckIn(
            bidder=BidderId(actor.id),
            statement=self.said(number, "checkin", bidder=actor.id, head=head),
            proof=self.proof(number),
        )
        if self.it.frozen is None:
            self.take(command, actor)
        else:
            self.act(command, actor)

    def withdraw(self, number: int) -> None:
        statement = self.said(number, "withdraw", bidder=self.who(number).id, header_sha256=self._standing(number))
        command = c.WithdrawBid(bidder=BidderId(self.who(number).id), statement=statement, proof=self.proof(number))
        self.take(command, self.who(number))

    def _standing(self, number: int) -> str:
        assert self.intake is not None
        bid = self.intake.bids.get(BidderId(self.who(number).id))
        return "" if bid is None else bid.header_sha256

    def confirm(self, number: int) -> None:
        bid = self.it.bid(self.who(number).id)
        digest = "" if bid is None or bid.quote_sha256 is None else bid.quote_sha256
        statement = self.said(number, "confirm", bidder=self.who(number).id, quote_sha256=digest)
        command = c.ConfirmRow(bidder=BidderId(self.who(number).id), statement=statement, proof=self.proof(number))
        self.act(command, self.who(number))

    def sign(self, actor: Actor, number: int | None = None) -> None:
        members = {"signer": actor.id, "record_sha256": self.it.drawn.sha256 if self.it.drawn else ""}
        payload = {"v": 1, "session": SESSION, **members}
        token = Jws(sign(payload, "record", the_hall())) if number is None else self.said(number, "record", **members)
        proof = None if number is None else self.proof(number)
        self.act(c.SignRecord(signer=actor.id, statement=token, proof=proof), actor)

    # -- the story -----------------------------------------------------------------------------------------------

    def play(self) -> Making:
        """From the first bid to an end."""
        bidders = self.chance.randrange(MOST_BIDDERS)
        for number in range(bidders):
            self._bids(number)
        for who, lock in self._officers():  # days ahead
            passed = self.losing.random() < 0.7
            if self.losing.random() < 0.4:
                self.attempt(lambda who=who, lock=lock, passed=passed: self._tries(who, lock, passed=passed))
        self.until(T0 - 30 * MINUTE)
        for _ in range(self.chance.randrange(self.acts // 4)):
            self._something(bidders, self._before)
        for chair in STAFF:
            self.attempt(lambda chair=chair: self.act(c.TakeChair(), chair))
        if self.chance.random() < 0.05:
            self.attempt(self._abort)
        self.until(self.it.t0 + 300 * MS)
        for _ in range(200):
            if self.it.status in OVER:
                break
            for _ in range(self.chance.randrange(self.acts // 4)):
                self._something(bidders, self._during)
            self._onward(bidders)
        else:
            self.attempt(self._abort)
        self._something(bidders, lambda _: [lambda: self.act(c.Note(text="事后"), SUPERVISOR)])
        if self.plan.watch is not None:
            self._hold_the_end()
        self._film_ends()
        return self

    def _bids(self, number: int) -> None:
        self.now += self.chance.randrange(1, 60_000) * MS
        acts = [lambda: self.submit(number)]
        acts += [lambda: self.submit(number, 1)] * (self.chance.random() < 0.2)
        acts += [lambda: self.withdraw(number)] * (self.chance.random() < 0.15)
        acts += [lambda: self.submit(number)] * (self.chance.random() < 0.1)
        acts += [lambda: self._refused(number)] * (self.chance.random() < 0.1)
        for act in acts:
            self.attempt(act)
            self.now += self.chance.randrange(5_000) * MS

    def _refused(self, number: int) -> None:
        actor = self.who(number)
        command = c.RefuseBid(bidder=BidderId(actor.id), name=actor.name, code="wrong_segments", header_sha256=None)
        self.take(command, CLOCK)

    def _something(self, bidders: int, acts: Callable[[int], list[Callable[[], object]]]) -> None:
        if self.it.status not in OVER:
            self.until(self.now + self.chance.choice((0, 1, 700, 9_000, 240_000)) * MS)
            self.film()
        number = self.chance.randrange(max(bidders, 1))
        self.attempt(self.chance.choice(acts(number)))

    def _officers(self) -> list[tuple[Actor, str]]:
        """Everybody who has a key to a lock, with the lock."""
        people = {seat.account: Actor(role=seat.role, id=seat.account, name=seat.name) for seat in self.plan.seats}
        return [(people[one.account], lock.id) for lock in self.plan.every_lock for one in lock.officers]

    def _tries(self, who: Actor, lock: str, *, passed: bool) -> None:
        self.act(c.ReadyOfficer(lock=lock, passed=passed), who)

    def _bring(self, who: Actor, lock: str) -> None:
        found = self.plan.lock(lock)
        held = [bid.bidder for bid in behind(self.it, found)] if found else []
        bad = {bidder: self.chance.choice(sorted(FAILURES)) for bidder in held if self.chance.random() < 0.1}
        self.act(c.OpenLock(lock=lock, opened=tuple(one for one in held if one not in bad), failed=bad), who)

    def _lose_key(self, number: int, host: Actor) -> None:
        """A bidder whose key is gone calls for the trustees; host and supervisor let them, most of the time."""
        actor, bidder = self.who(number), BidderId(self.who(number).id)
        standing = self.it.bid(bidder)
        header = standing.header_sha256 if standing else ""
        asking = c.RequestEscrow(
            bidder=bidder,
            statement=self.said(number, "escrow", bidder=bidder, header_sha256=header),
            proof=self.proof(number),
        )
        self.attempt(lambda: self.act(asking, actor))
        if self.losing.random() < 0.85:
            self.attempt(lambda: self.act(c.GrantEscrow(bidder=bidder, reason="钥匙遗失"), host))
            self.attempt(lambda: self.act(c.Approve(proposal=len(self.it.proposals)), SUPERVISOR))

    def _commit(self, who: Actor, number: int | None = None) -> None:
        draw = self.it.draw or Draw()
        share = Share(role=self._side(who), party=who.id, seed=self._seed(who))
        stated = commitment(SESSION, draw.round, share).hex()
        said, proof = None, None
        if number is not None:
            said = self.said(number, "draw", bidder=who.id, round=draw.round, commitment=stated)
            proof = self.proof(number)
        self.act(c.CommitDraw(round=draw.round, commitment=Digest(stated), statement=said, proof=proof), who)

    def _reveal(self, who: Actor) -> None:
        self.act(c.RevealDraw(round=(self.it.draw or Draw()).round, seed=self._seed(who).hex()), who)

    def _side(self, who: Actor) -> str:
        return "host" if who.role is Role.DEPUTY else who.role.value

    def _seed(self, who: Actor) -> bytes:
        return sha256(f"{who.id} {(self.it.draw or Draw()).round}".encode())

    def _before(self, number: int) -> list[Callable[[], object]]:
        later = self.it.t0 + self.chance.choice((1, 10, 60)) * MINUTE
        return [
            *[lambda: self.check_in(number)] * 6,
            lambda: self.submit(number, 1),
            lambda: self.withdraw(number),
            lambda: self.act(c.TakeChair(), self.chance.choice(STAFF)),
            lambda: self.act(c.Postpone(t0=later, reason="改期"), self.chance.choice((HOST, DEPUTY))),
            *self._shared(),
        ]

    def _shared(self) -> list[Callable[[], object]]:
        second = self.chance.choice(STAFF)
        number = len(self.it.proposals)
        officers = self._officers() or [(HOST, "none")]
        who, lock = self.chance.choice(officers)
        return [
            lambda: self.act(c.ReadyOfficer(lock=lock, passed=self.chance.random() < 0.7), who),
            lambda: self.act(c.Note(text="一切正常"), SUPERVISOR),
            lambda: self.act(c.Pause(reason="网络中断", incident=self.chance.random() < 0.5), second),
            *[lambda: self.act(c.Resume(), self.chance.choice((HOST, DEPUTY)))] * 3,
            *[lambda: self.act(c.Approve(proposal=number), second)] * 2,
            lambda: self.act(c.Decline(proposal=number, reason=""), second),
            self._stop,
            self._recover,
        ]

    def _stop(self) -> None:
        """The hall stops, and may notice it later."""
        since = self.now + self.chance.choice((0, 10_000, 900_000)) * MS
        self.until(since)  # what was due before is settled, and the set frozen
        self.now = noticed = since + self.chance.choice((0, 40_000, 4_000_000)) * MS
        if self.chance.random() < 0.5:
            reason = self.chance.choice(sorted(REASONS))
            self.act(c.DoubtClock(since=since, noticed_at=noticed, reason=reason, by_ms=-1500), CLOCK)
        else:
            self.act(
                c.RecordOutage(began=since, noticed_at=noticed, reasons=("gap",), votes={"silent_s": "40"}), CLOCK
            )

    def _recover(self) -> None:
        self.act(c.TrustClock(by_ms=2), CLOCK)
        self.act(c.RecordRecovery(), CLOCK)

    def _during(self, number: int) -> list[Callable[[], object]]:
        actor, bidder = self.who(number), BidderId(self.who(number).id)
        own = {"bidder": bidder}
        digest = Digest(f"{self.chance.getrandbits(256):064x}")
        code = self.chance.choice((None, None, *BY_ATTEMPT, "not_decryptable"))
        group = self.chance.choice("AB")
        objections = len(self.it.objections)
        who, lock = self.chance.choice(self._officers() or [(HOST, "none")])
        standing = self.it.bid(bidder)
        proof = self.proof(number)
        asking = self.said(number, "escrow", bidder=bidder, header_sha256=standing.header_sha256 if standing else "")
        return [
            *self._shared(),
            lambda: self._bring(who, lock),
            lambda: self.act(c.MissLock(lock=lock, reason="没有来"), self.chance.choice((HOST, DEPUTY))),
            lambda: self.act(c.RequestEscrow(**own, statement=asking, proof=proof), actor),
            lambda: self.act(c.GrantEscrow(**own, reason="钥匙遗失"), HOST),
            lambda: self._commit(actor, number),
            lambda: self._commit(self.chance.choice(STAFF)),
            lambda: self._reveal(actor),
            lambda: self._reveal(self.chance.choice(STAFF)),
            lambda: self.act(c.RepeatDraw(reason="监督人离开"), HOST),
            lambda: self.check_in(number),
            lambda: self.be_late(number),
            lambda: self.act(c.ReportFailure(**own, code=self.chance.choice(sorted(BY_CLIENT))), actor),
            lambda: self.act(
                c.RecordRelease(
                    **own, group=group, release_sha256=digest, code=self._blamed(code, proof), proof=proof
                ),
                actor,
            ),
            lambda: self._rescue(
                number, self.chance.choice((actor, HOST)), self.chance.choice(("key", "plain")), group
            ),
            lambda: self.act(c.ExtendWindow(reason="太慢"), self.chance.choice((HOST, DEPUTY))),
            lambda: self.act(c.TakeChair(takeover=True, reason="主持人不适"), DEPUTY),
            lambda: self.act(c.Object(**own, recusal=number % 2 == 0, title="唱标过快", text="请放慢。"), actor),
            lambda: self.act(c.DisputeRow(**own, text="单价不对"), actor),
            lambda: self.act(c.AnswerObjection(number=objections, text="已重读。"), HOST),
            lambda: self.confirm(number),
            lambda: self.act(c.NoObjection(**own), actor),
            lambda: self._rarely_abort(),
        ]

    def _blamed(self, code: str | None, proof: Proof | None) -> str | None:
        """What a release meets: where its certificate does not stand, that, and not what it would have been."""
        if proof is None or proof.state not in (State.REVOKED, State.UNAVAILABLE):
            return None if code in ("revoked", UNAVAILABLE_CODE) and proof is not None else code
        return "revoked" if proof.state is State.REVOKED else self.chance.choice((code, UNAVAILABLE_CODE))

    def _rarely_abort(self) -> None:
        if self.chance.random() < 0.3:
            self._abort()

    def _abort(self) -> None:
        self.act(c.Abort(reason="招标人要求终止"), HOST)
        self.act(c.Approve(proposal=len(self.it.proposals)), SUPERVISOR)

    def _onward(self, bidders: int) -> None:
        """Do what the ceremony waits for, as far as people do it; then let its window run out."""
        everyone = [number for number in range(bidders) if self.it.bid(self.who(number).id)]
        host = next((one for one in STAFF if one.id == self.it.acting), HOST)
        if self.it.stopped:
            self.attempt(self._recover)
            self.attempt(lambda: self.act(c.Resume(reason="恢复正常"), host))
            self.attempt(lambda: self.act(c.Approve(proposal=len(self.it.proposals)), SUPERVISOR))
        elif self.it.hold is not None:
            self.attempt(lambda: self.act(c.Resume(), host))
        if self.it.frozen is None and not self.it.stopped:
            self.until(self.it.t0 + 300 * MS)
        for objection in [item.number for item in self.it.objections if item.open]:
            self.attempt(
                lambda objection=objection: self.act(c.AnswerObjection(number=objection, text="已答复"), host)
            )
        for bid in self.it.bids:
            if bid.consequence == "pending":
                cause = self.chance.choice(sorted(CAUSES))
                ruling = c.RuleCause(bidder=bid.bidder, cause=cause, reason="查明")
                self.attempt(lambda ruling=ruling: self.act(ruling, host))
                self.attempt(lambda: self.act(c.Approve(proposal=len(self.it.proposals)), SUPERVISOR))
        for who, lock in self._officers():
            self.attempt(lambda who=who, lock=lock: self.act(c.ReadyOfficer(lock=lock, passed=True), who))
        self._everyone_acts([number for number in everyone if self.chance.random() < 0.85], host)
        if self.it.kind in (StepKind.CONFIRM, StepKind.OBJECTION):
            self._speak(everyone, host)
        if self.it.due is not None and self.it.kind is not StepKind.CHECKIN:
            self.until(max(self.it.due, self.now))
            for who, lock in self._officers() if self.it.barrier and not self.it.opened else []:
                self.attempt(lambda who=who, lock=lock: self._bring(who, lock))
            for lock in ("tenderer", "escrow"):
                self.attempt(lambda lock=lock: self.act(c.MissLock(lock=lock, reason="没有来"), host))
                self.attempt(lambda: self.act(c.Approve(proposal=len(self.it.proposals)), SUPERVISOR))
            self.until(self.now)
        elif self.it.status not in OVER:
            self.until(self.now)
        if self.it.step_complete and self.it.status not in OVER:
            following = self.plan.pack.steps[
                [step.id for step in self.plan.pack.steps].index(self.it.runs[-1].step.id) + 1 :
            ]
            for step in following[:2]:
                self.attempt(lambda step=step: self.act(c.Advance(step=StepId(step.id)), host))

    def _speak(self, everyone: list[int], host: Actor) -> None:
        """Some ask for the floor, take it back, are given it or not; and some still have it when the step is over."""
        for number in everyone:
            who, own = self.who(number), BidderId(self.who(number).id)
            acts: list[tuple[c.OpeningCommand, Actor]] = [(c.AskFloor(bidder=own), who)]
            acts += [
                (c.GrantFloor(bidder=own), host),
                (c.EndFloor(bidder=own), who),
                (c.EndFloor(bidder=own, reason="超时"), host),
            ]
            for _ in range(self.speaking.randrange(5)):
                command, by = self.speaking.choice(acts)
                self.attempt(lambda command=command, by=by: self.act(command, by))

    def _everyone_acts(self, numbers: list[int], host: Actor) -> None:
        for number in numbers:
            actor, bidder = self.who(number), BidderId(self.who(number).id)
            match self.it.kind:
                case StepKind.DECRYPT:
                    if self.plan.escrow is not None and self.losing.random() < 0.3:
                        self._lose_key(number, host)
                        continue
                    kind = self.chance.choices(("release", "key", "plain"), (12, 1, 2))[0]
                    for group in sorted(self.it.groups):
                        if kind != "release":
                            rescue = (number, self.chance.choice((actor, host)), kind, group)
                            self.attempt(lambda rescue=rescue: self._rescue(*rescue))
                            continue
                        digest, proof = Digest(f"{self.chance.getrandbits(256):064x}"), self.proof(number)
                        release = c.RecordRelease(
                            bidder=bidder,
                            group=group,
                            release_sha256=digest,
                            code=self._blamed(None, proof),
                            proof=proof,
                        )
                        self.attempt(lambda release=release, actor=actor: self.act(release, actor))
                case StepKind.CONFIRM:
                    self.attempt(lambda number=number: self.confirm(number))
                case StepKind.OBJECTION:
                    none = c.NoObjection(bidder=bidder)
                    self.attempt(lambda none=none, actor=actor: self.act(none, actor))
                case StepKind.DRAW:
                    self.attempt(lambda number=number, actor=actor: self._commit(actor, number))
                case StepKind.SIGN:
                    self.attempt(lambda number=number, actor=actor: self.sign(actor, number))
                case _:
                    pass
        if self.it.kind is StepKind.DRAW:
            for actor in (host, SUPERVISOR):
                self.attempt(lambda actor=actor: self._commit(actor))
            self.until(self.now)
            if self.it.draw and not self.it.draw.closed and self.it.due:
                self.until(self.it.due)
            for actor in (*map(self.who, numbers), host, SUPERVISOR):
                self.attempt(lambda actor=actor: self._reveal(actor))
        if self.it.kind is StepKind.SIGN:
            for actor in (host, SUPERVISOR):
                self.attempt(lambda actor=actor: self.sign(actor))

    async def bundle(self) -> bytes:
        """Return the archive bundle; the opening must be over."""
        events = MemoryEvents()
        summary = Summary(
            session=SESSION,
            plan=plan_to_json(self.plan),
            created_at=T0,
            t0=self.it.t0,
            status=self.it.status.value,
            step=None,
            due=None,
            ended_at=self.now,
        )
        for records in self.records.values():
            await events.append(SESSION, records, summary=summary)
        await events.append(SESSION, (), entries=Entries(first=0, added=self.kept.entries))
        kept: Any = self.kept
        proofs: Any = self.proofs
        checkpoints: Any = self.checkpoints
        films: Any = self.filming
        keys = HallKeys([the_hall()])
        archive = Archive(
            events=events,
            intake=kept,
            openings=OpeningLog(events, checkpoints, keys),
            checkpoints=checkpoints,
            secrets=kept,
            evidence=kept,
            proofs=proofs,
            blobs=kept,
            trust=the_trust,
            hall=keys,
            authorities={name: outside.time_authority(name)[0] for name in outside.TIME_BY},
            recordings=films,
        )
        return await archive.bundle(SESSION)


def _now(work: Coroutine[Any, Any, T]) -> T:
    """Run what waits for nobody."""
    try:
        work.send(None)
    except StopIteration as done:
        found: T = done.value
        return found
    raise RuntimeError("somebody is waited for")


def generate(seed: int, *, acts: int = 40) -> bytes:
    """Return the bundle of the opening of this seed."""
    return asyncio.run(Making(seed, acts=acts).play().bundle())
