"""What witnesses and timestamp authorities said, on record: answers to the hall, and proofs against it."""

from __future__ import annotations

from sessions.commands import RecordAnchor, RecordDispute
from sessions.errors import CommandRefused
from sessions.events import Anchored, LogDisputed
from sessions.opening.draft import Draft
from sessions.opening.points import named
from sessions.plan import AnchorKind
from sessions.proofs import Act, accept


def record_anchor(draft: Draft, command: RecordAnchor) -> None:
    """Record that somebody whom the plan names holds a point; the same answer again changes nothing."""
    o = draft.opening
    watch, point = o.plan.watch, o.point(command.point)
    if watch is None or point is None:
        raise CommandRefused("no_such_point", point=command.point)
    if command.by not in named(o, command.kind):
        raise CommandRefused("not_a_witness", by=command.by)
    if not point.number <= command.size <= o.length:
        raise CommandRefused("wrong_size", size=command.size)
    if command.kind is AnchorKind.STAMP:
        accept(o.plan.pack.revocation, Act.STAMP, command.proof, wanted=bool(o.plan.proofs))
    elif command.proof is not None:
        raise CommandRefused("unproved")
    if command.by not in point.by(command.kind):
        draft.put(
            Anchored(
                point=command.point,
                kind=command.kind,
                by=command.by,
                size=command.size,
                root=command.root,
                sha256=command.sha256,
                said_at=command.said_at,
                proof=command.proof,
            )
        )


def record_dispute(draft: Draft, command: RecordDispute) -> None:
    """Make public that the hall signed another log; one proof from each witness is enough."""
    o = draft.opening
    if command.by not in named(o, AnchorKind.WITNESS):
        raise CommandRefused("not_a_witness", by=command.by)
    if all(dispute.by != command.by for dispute in o.disputes):
        draft.put(
            LogDisputed(
                by=command.by,
                kind=command.kind,
                size=command.size,
                root=command.root,
                held=command.held,
                sha256=command.sha256,
            )
        )
