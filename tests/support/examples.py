"""One example of every event."""

from __future__ import annotations

from typing import Any

from sessions import events as e
from sessions.commands import Fragment
from sessions.ids import BidderId, Jws, StepId
from sessions.plan import AnchorKind
from sessions.plan_json import plan_to_json
from sessions.roles import Role
from tests.support.ceremony import MINUTE, T0, A, a_bid, a_plan, a_sealed_bid, digest

_WHO = BidderId(A.id)
_STEP = StepId("decrypt")
_SIGNED = Jws("a.b.c")

_ALL: tuple[e.Event, ...] = (
    e.IntakeOpened(plan=plan_to_json(a_plan())),
    e.BidReceived(
        bidder=_WHO,
        name=A.name,
        header_sha256=a_bid(A).header_sha256,
        declaration_sha256=digest("declaration"),
        root=digest("root"),
        length=1000,
        signing_certificate=digest("certificate"),
        first_byte_at=T0 - MINUTE,
        leaf_salt=digest("salt"),
        tracker="K7F2-9QWM-3TRD-A1",
        replaces=None,
    ),
    e.BidRefused(bidder=_WHO, name=A.name, code="late", header_sha256=None),
    e.BidWithdrawn(bidder=_WHO, header_sha256=digest("header"), statement=_SIGNED),
    e.BidderCheckedIn(bidder=_WHO, statement=_SIGNED),
    e.IntakeClosed(received=3),
    e.SessionScheduled(plan=plan_to_json(a_plan())),
    e.ChairTaken(role=Role.HOST, account="lin", name="林敏"),
    e.HostHandedOver(account="zhao", name="赵青", reason="掉线"),
    e.T0Moved(old=T0, new=T0 + MINUTE, reason="澄清", approved_by="gu"),
    e.SetFrozen(
        received=1,
        headers=(digest("header"),),
        root=digest("root"),
        intake_head=digest("head"),
        intake_length=4,
        session_key="BKey",
        clock_offset_ms=None,
        private={"bids": []},
    ),
    e.BiddersListed(bids=(a_sealed_bid(A),)),
    e.OpeningFailed(received=1, minimum=3),
    e.StepEntered(step=_STEP, due=T0),
    e.StepCompleted(step=_STEP, missing=(A.id,)),
    e.SealsChecked(results={_WHO: "wrong_segments"}),
    e.CeilingAnnounced(amount="1500000.00", currency="CNY"),
    e.KeyReleased(bidder=_WHO, group="A", release_sha256=digest("release"), attempt=1),
    e.AttemptFailed(bidder=_WHO, attempt=1, release_sha256=None, private={"code": "locked"}),
    e.WindowExtended(step=_STEP, old=T0, new=T0 + MINUTE, reason="拥堵", approved_by=None),
    e.Anchored(
        point="close",
        kind=AnchorKind.WITNESS,
        by="witness.example",
        size=9,
        root=digest("root"),
        sha256=digest("line"),
        said_at=T0,
    ),
    e.AnchorMissed(point="close", have=(), quorum=2),
    e.LogDisputed(by="witness.example", kind="split", size=9, root=digest("other"), held=9, sha256=digest("note")),
    e.BarrierPassed(reason="all", released=(_WHO,), missing=()),
    e.OfficerReady(lock="host", officer="lin", passed=True),
    e.LockOpened(lock="host", officer="lin", opened=(_WHO,), failed={}),
    e.LockMissed(lock="tenderer", reason="失联", approved_by="gu"),
    e.EscrowRequested(bidder=_WHO, statement=_SIGNED),
    e.EscrowGranted(bidder=_WHO, reason="密钥损坏", approved_by="gu"),
    e.BidOpened(bidder=_WHO, quote={"price": "1.00"}, quote_sha256=digest("q"), quote_key="aWs", flags=()),
    e.BidNotOpened(bidder=_WHO, cause="unknown", consequence="pending", evidence={"attempts": "0"}),
    e.CauseRuled(bidder=_WHO, cause="X1", consequence="withdrawn", reason="公告", approved_by="gu"),
    e.BidRescued(bidder=_WHO, group="A", kind="plain", rescue_sha256=digest("rescue")),
    e.SheetRescued(bidder=_WHO, sheet='{"days":"180","price":"1200000.00"}', salt="5a" * 32, flags=()),
    e.EvidenceGathered(
        bidder=_WHO,
        facts={"beats": "12", "silent_s": "600"},
        sha256=digest("beats"),
        reach_sha256=digest("reach"),
        probes_sha256=digest("probes"),
    ),
    e.FaultMeasured(step=_STEP, began=T0, ended=T0 + 3 * MINUTE, old=T0 + 30 * MINUTE, new=T0 + 33 * MINUTE),
    e.LateBidRefused(bidder=_WHO, name=A.name, slip_sha256=digest("slip"), code="late"),
    e.DrawCommitted(round=1, role=Role.BIDDER, party=A.id, commitment=digest("seed"), statement=_SIGNED),
    e.DrawClosed(round=1, parties=("host:lin", f"bidder:{A.id}"), due=T0 + MINUTE),
    e.DrawRevealed(round=1, role=Role.BIDDER, party=A.id, private={"seed": digest("a seed")}),
    e.DrawRepeated(round=2, without=(A.id,), due=T0 + MINUTE, reason="", approved_by=None),
    e.DrawMade(
        round=2, seeds={"host:lin": digest("a seed")}, randomness=digest("randomness"), drawn={"k": ("0.95",)}
    ),
    e.RowConfirmed(bidder=_WHO, statement=_SIGNED),
    e.ObjectionRaised(number=1, bidder=_WHO, kind="objection", title="时间", private={"text": "过短"}),
    e.ObjectionAnswered(number=1, private={"text": "合规"}),
    e.NoneDeclared(bidder=_WHO),
    e.FloorAsked(bidder=_WHO),
    e.FloorGranted(bidder=_WHO),
    e.FloorEnded(bidder=_WHO, why="ended", reason="超时"),
    e.RecordDrawn(record_sha256=digest("record")),
    e.RecordSigned(signer=A.id, role=Role.BIDDER, statement=_SIGNED),
    e.SupervisorNoted(private={"text": "记"}),
    e.SessionPaused(reason="停电", incident=True),
    e.SessionResumed(frozen_ms=61_000, due=T0, t0=T0 + 120 * MINUTE, approved_by="gu"),
    e.IntakeHeld(reason="outage"),
    e.IntakeFreed(t0=T0 + 120 * MINUTE),
    e.ClockChecked(
        sources=("ntp1.example:123", "ntp2.example:123"),
        offset_ms=-7,
        uncertainty_ms=12,
        measured_at=T0 - MINUTE,
        steady=True,
    ),
    e.ClockUnsafe(reason="stepped", by_ms=-300_000, noticed_at=T0),
    e.ClockSafe(by_ms=4),
    e.OutageBegan(noticed_at=T0 + MINUTE, reasons=("gap",), votes={"silent_s": "61"}),
    e.OutageEnded(lasted_ms=61_000),
    e.RecordingNoted(size=12, root=digest("recording")),
    e.TrackBegan(
        track="programme", part=1, codec="avc1.42c01f,opus", init_length=900, init_sha256=digest("init"), utc=T0
    ),
    e.FragmentsKept(
        track="programme",
        part=1,
        fragments=(Fragment(offset=900, length=80, sha256=digest("f"), time_ms=0, duration_ms=500, keyframe=True),),
    ),
    e.TrackBroken(track="programme", part=1),
    e.RecordingClosed(fragments=1, whole=True),
    e.ActProposed(proposal=1, act="Abort", fields={}, reason="停电"),
    e.ActDeclined(proposal=1, reason="恢复"),
    e.SessionAborted(reason="停电", approved_by="gu"),
    e.SessionEnded(record_sha256=digest("record"), unsigned=()),
)

EXAMPLES: dict[type[Any], e.Event] = {type(event): event for event in _ALL}
