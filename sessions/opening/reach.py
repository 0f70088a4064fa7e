"""What the hall saw of itself and of the bidders who were missing, put on record before anything is opened."""

from __future__ import annotations

from datetime import timedelta

from sessions.commands import RecordEvidence, RecordFault
from sessions.errors import CommandRefused
from sessions.events import EvidenceGathered, FaultMeasured
from sessions.opening.draft import Draft
from sessions.opening.work import GatherEvidence, work_due


def record_evidence(draft: Draft, command: RecordEvidence) -> None:
    """Record the figures on every bidder whose keys are missing, in row order. Once."""
    o = draft.opening
    due = work_due(o)
    if not isinstance(due, GatherEvidence):
        if o.barrier is not None and all(bid.gathered for bid in o.bids if bid.bidder in o.barrier.missing):
            return
        raise CommandRefused("not_due")
    if tuple(one.bidder for one in command.gathered) != due.missing:
        raise CommandRefused("wrong_set")
    for one in command.gathered:
        draft.put(
            EvidenceGathered(
                bidder=one.bidder,
                facts=dict(one.facts),
                sha256=one.sha256,
                reach_sha256=one.reach_sha256,
                probes_sha256=one.probes_sha256,
            )
        )


def record_fault(draft: Draft, command: RecordFault) -> None:
    """Record that the hall had not worked, and give the running window the time back that the rule pack allows."""
    o, run = draft.opening, draft.opening.run
    rule = o.plan.pack.evidence
    if run is None or run.due is None or rule is None or command.ended <= command.began:
        raise CommandRefused("no_window")
    if any(past.ended > command.began for past in o.faults):
        return  # two workers noticed the same
    given = sum((past.made_up for past in o.faults), timedelta())
    lost = command.ended - max(command.began, run.entered_at)
    more = max(min(lost, rule.most - given), timedelta()) if rule.extends else timedelta()
    draft.put(
        FaultMeasured(step=run.step.id, began=command.began, ended=command.ended, old=run.due, new=run.due + more)
    )
