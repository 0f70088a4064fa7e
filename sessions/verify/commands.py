"""What somebody must have asked for, if this event is what came of it. The rules then say whether it would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import timedelta
from typing import assert_never

from crypto.digest import sha256_hex
from sessions import commands as c
from sessions import events as e
from sessions.ids import AccountId, BidderId, Digest
from sessions.opening import Opening, ProposalState
from sessions.opening.attribution import BY_CLIENT
from sessions.proofs import from_texts
from sessions.quote import read_sheet
from sessions.roles import Actor
from sessions.shape import from_json, moment

Asked = tuple[c.OpeningCommand, Actor]


def asked_for(o: Opening, record: e.Recorded, rest: Sequence[e.Recorded]) -> Iterator[Asked]:
    """Yield the commands that may have led to ``record``, the first of ``rest``; several where a detail is open."""
    event, actor = record.event, record.actor
    match event:
        case e.SetFrozen():
            yield _closing(event), actor
        case e.SealsChecked(results=results, proofs=proofs):
            yield c.SealChecks(results=results, proofs=proofs), actor
        case e.BidOpened() | e.BidNotOpened() | e.SheetRescued():
            yield c.RecordOpenings(opened=tuple(_opened(r.event) for r in rest[: len(o.bids)])), actor
        case e.BidRescued(bidder=bidder, group=group, kind=kind, rescue_sha256=digest):
            yield c.RecordRescue(bidder=bidder, group=group, kind=kind, rescue_sha256=digest), actor
        case e.EvidenceGathered():
            yield c.RecordEvidence(gathered=tuple(_gathered(rest))), actor
        case e.FaultMeasured(began=began, ended=ended):
            yield c.RecordFault(began=began, ended=ended), actor
        case e.LateBidRefused(bidder=bidder, name=name, slip_sha256=slip, code=code):
            yield c.RecordLateBid(bidder=bidder, name=name, slip_sha256=slip, code=code), actor
        case e.BidderCheckedIn(bidder=bidder, statement=statement, proof=proof):
            yield c.CheckIn(bidder=bidder, statement=statement, proof=proof), actor
        case e.ChairTaken():
            yield c.TakeChair(), actor
        case e.HostHandedOver(reason=reason):
            yield c.TakeChair(takeover=True, reason=reason), actor
        case e.StepEntered(step=step):
            yield c.Advance(step=step), actor
        case e.KeyReleased(bidder=bidder, group=group, release_sha256=digest, proof=proof):
            yield c.RecordRelease(bidder=bidder, group=group, release_sha256=digest, code=None, proof=proof), actor
        case e.AttemptFailed():
            yield from _failures(o, event, actor)
        case e.OfficerReady(lock=lock, passed=passed):
            yield c.ReadyOfficer(lock=lock, passed=passed), actor
        case e.LockOpened(lock=lock, opened=held, failed=failed):
            yield c.OpenLock(lock=lock, opened=held, failed=failed), actor
        case e.EscrowRequested(bidder=bidder, statement=statement, proof=proof):
            yield c.RequestEscrow(bidder=bidder, statement=statement, proof=proof), actor
        case e.DrawCommitted(round=number, commitment=commitment, statement=statement, proof=proof):
            yield c.CommitDraw(round=number, commitment=commitment, statement=statement, proof=proof), actor
        case e.DrawRevealed(round=number, private=private):
            yield c.RevealDraw(round=number, seed=private["seed"]), actor
        case e.RowConfirmed(bidder=bidder, statement=statement, proof=proof):
            yield c.ConfirmRow(bidder=bidder, statement=statement, proof=proof), actor
        case e.ObjectionRaised(bidder=bidder, kind="row", private=private):
            yield c.DisputeRow(bidder=bidder, text=private["text"]), actor
        case e.ObjectionRaised(bidder=bidder, kind=kind, title=title, private=private):
            yield c.Object(bidder=bidder, recusal=kind == "recusal", title=title, text=private["text"]), actor
        case e.ObjectionAnswered(number=number, private=private):
            yield c.AnswerObjection(number=number, text=private["text"]), actor
        case e.NoneDeclared(bidder=bidder):
            yield c.NoObjection(bidder=bidder), actor
        case e.FloorAsked(bidder=bidder):
            yield c.AskFloor(bidder=bidder), actor
        case e.FloorGranted(bidder=bidder):
            yield c.GrantFloor(bidder=bidder), actor
        case e.FloorEnded(bidder=bidder, reason=reason):
            yield c.EndFloor(bidder=bidder, reason=reason), actor
        case e.RecordSigned(signer=signer, statement=statement, proof=proof):
            yield c.SignRecord(signer=signer, statement=statement, proof=proof), actor
        case e.SupervisorNoted(private=private):
            yield c.Note(text=private["text"]), actor
        case e.SessionPaused(reason=reason, incident=incident):
            yield c.Pause(reason=reason, incident=incident), actor
        case e.SessionResumed(approved_by=second):
            yield c.Resume(), actor
            yield from _approvals(o, second)
        case e.ClockChecked() | e.ClockUnsafe() | e.ClockSafe() | e.OutageBegan() | e.OutageEnded():
            yield _of_itself(event, record), actor
        case e.RecordingNoted(size=size, root=root, until=until, gaps=gaps):
            yield c.NoteRecording(size=size, root=root, until=until, gaps=gaps), actor
        case e.Anchored() | e.LogDisputed():
            yield _told(event), actor
        case _:
            yield from _acts_of_two(o, event, actor)


def _acts_of_two(o: Opening, event: e.Event, actor: Actor) -> Iterator[Asked]:
    match event:
        case e.ActProposed(act=act, fields=fields, reason=reason):
            yield _act(act, dict(fields), reason), actor
        case e.ActDeclined(proposal=proposal, reason=reason):
            yield c.Decline(proposal=proposal, reason=reason), actor
        case e.T0Moved(new=new, reason=reason, approved_by=second):
            yield c.Postpone(t0=new, reason=reason), actor
            yield from _approvals(o, second)
        case e.WindowExtended(reason=reason, approved_by=second):
            yield c.ExtendWindow(reason=reason), actor
            yield from _approvals(o, second)
        case e.CauseRuled(bidder=bidder, cause=cause, reason=reason, approved_by=second):
            yield c.RuleCause(bidder=bidder, cause=cause, reason=reason), actor
            yield from _approvals(o, second)
        case e.LockMissed(lock=lock, reason=reason, approved_by=second):
            yield c.MissLock(lock=lock, reason=reason), actor
            yield from _approvals(o, second)
        case e.EscrowGranted(bidder=bidder, reason=reason, approved_by=second):
            yield c.GrantEscrow(bidder=bidder, reason=reason), actor
            yield from _approvals(o, second)
        case e.DrawRepeated(reason=reason, approved_by=second):
            yield c.RepeatDraw(reason=reason), actor
            yield from _approvals(o, second)
        case e.SessionAborted(reason=reason, approved_by=second):
            yield c.Abort(reason=reason), actor
            yield from _approvals(o, second)
        case _:
            pass  # only time brings it about, or nothing does


def _act(act: str, fields: dict[str, str], reason: str) -> c.OpeningCommand:
    match act:
        case "Postpone":
            return c.Postpone(t0=moment(fields["t0"]), reason=reason)
        case "RuleCause":
            return c.RuleCause(bidder=BidderId(fields["bidder"]), cause=fields["cause"], reason=reason)
        case "MissLock":
            return c.MissLock(lock=fields["lock"], reason=reason)
        case "GrantEscrow":
            return c.GrantEscrow(bidder=BidderId(fields["bidder"]), reason=reason)
        case "ExtendBeyond":
            return c.ExtendWindow(reason=reason)
        case "RepeatDraw":
            return c.RepeatDraw(reason=reason)
        case "Resume":
            return c.Resume(reason=reason)
        case _:
            return c.Abort(reason=reason)


def _approvals(o: Opening, account: str | None) -> Iterator[Asked]:
    """The second person agreed to one of the proposals that were open."""
    seat = next((seat for seat in o.plan.seats if seat.account == AccountId(account or "")), None)
    if seat is not None:
        second = Actor(role=seat.role, id=seat.account, name=seat.name)
        for proposal in o.proposals:
            if proposal.state is ProposalState.OPEN:
                yield c.Approve(proposal=proposal.number), second


def _failures(o: Opening, event: e.AttemptFailed, actor: Actor) -> Iterator[Asked]:
    code = event.private["code"]
    if event.release_sha256 is None:
        yield c.ReportFailure(bidder=event.bidder, code=code if code in BY_CLIENT else "wrong_key"), actor
        return
    in_time = o.barrier.at - timedelta(milliseconds=1) if o.barrier else None
    for group in sorted(o.groups):
        yield (
            c.RecordRelease(
                bidder=event.bidder,
                group=group,
                release_sha256=event.release_sha256,
                code=code,
                arrived_at=in_time,
                proof=from_texts(event.private),
            ),
            actor,
        )


def _told(event: e.Anchored | e.LogDisputed) -> c.OpeningCommand:
    """What somebody outside said; log.witnesses asks whether they did."""
    members = {field.name: getattr(event, field.name) for field in fields(event)}
    return c.RecordAnchor(**members) if isinstance(event, e.Anchored) else c.RecordDispute(**members)


def _of_itself(
    event: e.ClockChecked | e.ClockUnsafe | e.ClockSafe | e.OutageBegan | e.OutageEnded, record: e.Recorded
) -> c.OpeningCommand:
    """What the hall said of itself. Nobody else can know; whether it may say it here and so, the rules know."""
    match event:
        case e.ClockChecked():
            return c.CheckClock(**{field.name: getattr(event, field.name) for field in fields(event)})
        case e.ClockUnsafe(reason=reason, by_ms=by, noticed_at=noticed):
            return c.DoubtClock(since=record.at, noticed_at=noticed, reason=reason, by_ms=by)
        case e.ClockSafe(by_ms=by):
            return c.TrustClock(by_ms=by)
        case e.OutageBegan(noticed_at=noticed, reasons=reasons, votes=votes):
            return c.RecordOutage(began=record.at, noticed_at=noticed, reasons=reasons, votes=votes)
        case e.OutageEnded():
            return c.RecordRecovery()
        case _:
            assert_never(event)


def _closing(event: e.SetFrozen) -> c.CloseIntake:
    return c.CloseIntake(
        bids=from_json(tuple[c.SealedBid, ...], event.private.get("bids", [])),
        root=event.root,
        intake_head=event.intake_head,
        intake_length=event.intake_length,
        session_key=event.session_key,
        clock_offset_ms=event.clock_offset_ms,
        intake_log_size=event.intake_log_size,
        intake_log_root=event.intake_log_root,
    )


def _gathered(rest: Sequence[e.Recorded]) -> Iterator[c.Gathered]:
    """The evidence that came together: one event a bidder, back to back."""
    for record in rest:
        event = record.event
        if not isinstance(event, e.EvidenceGathered):
            return
        yield c.Gathered(
            bidder=event.bidder,
            facts=event.facts,
            sha256=event.sha256,
            reach_sha256=event.reach_sha256,
            probes_sha256=event.probes_sha256,
        )


def _opened(event: e.Event) -> c.Opened:
    match event:
        case e.BidOpened(bidder=bidder, quote=quote, quote_sha256=digest, quote_key=key):
            return c.Opened(bidder=bidder, quote=quote, quote_sha256=digest, quote_key=key, code=None)
        case e.SheetRescued(bidder=bidder, sheet=sheet, salt=salt):
            quote = read_sheet(sheet.encode())
            digest = Digest(sha256_hex(sheet.encode()))
            return c.Opened(
                bidder=bidder, quote=quote, quote_sha256=digest, quote_key=None, code=None, sheet=sheet, salt=salt
            )
        case e.BidNotOpened(bidder=bidder, evidence=evidence):
            code = evidence.get("open_code")
            return c.Opened(bidder=bidder, quote=None, quote_sha256=None, quote_key=None, code=code)
        case _:
            return c.Opened(bidder=BidderId(""), quote=None, quote_sha256=Digest(""), quote_key=None, code=None)
