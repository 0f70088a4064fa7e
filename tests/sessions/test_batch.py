"""Many commands at one moment: what was due comes first, and what the hall found of itself stops what goes on."""

from __future__ import annotations

from datetime import datetime

import pytest

from sessions.batch import Batch, Held
from sessions.commands import DoubtClock, OpeningCommand, RecordOutage, RecordRecovery, Schedule, TrustClock
from sessions.events import ClockUnsafe, OpeningFailed, OutageBegan
from sessions.opening import Status
from sessions.plan_json import plan_to_json
from sessions.roles import CLOCK, Actor
from tests.support.ceremony import SECOND, T0, A, B, C, a_bid, a_plan

BEGAN = T0 + 5 * SECOND
NOW = T0 + 60 * SECOND

OUT = RecordOutage(began=BEGAN, noticed_at=NOW, reasons=("gap",), votes={"silent_s": "55"})
DOUBT = DoubtClock(since=BEGAN, noticed_at=NOW, reason="stepped", by_ms=300_000)
FINDINGS = [(OUT, RecordRecovery()), (DOUBT, TrustClock(by_ms=0))]


def found(findings: tuple[OpeningCommand, ...], *bidders: Actor, until: datetime = BEGAN) -> Batch:
    """What an appender does when the hall stood still since shortly after T0, which these had handed in for."""
    plan = a_plan()
    before = Batch(Held(session=plan.session), T0 - 60 * SECOND)
    before.act(Schedule(plan=plan_to_json(plan)), CLOCK)
    for who in bidders:
        before.act(a_bid(who), who)
    batch = Batch(before.held, NOW)
    batch.settle(until)
    if batch.waits_for_freezing:
        batch.freeze("BKey", until=until)
    for command in findings:
        batch.stop(command)
    return batch


@pytest.mark.parametrize("findings", FINDINGS)
def test_an_opening_that_was_over_before_the_hall_failed_stays_as_it_ended(
    findings: tuple[OpeningCommand, ...],
) -> None:
    batch = found(findings)
    batch.settle()
    assert batch.held.opening is not None
    assert batch.held.opening.status is Status.FAILED
    ended = batch.records[-1]
    assert (type(ended.event), ended.at) == (OpeningFailed, T0)


@pytest.mark.parametrize("findings", FINDINGS)
def test_an_opening_that_goes_on_is_stopped_from_the_moment_the_hall_failed(
    findings: tuple[OpeningCommand, ...],
) -> None:
    batch = found(findings, A, B, C)
    (began,) = (record for record in batch.records if isinstance(record.event, OutageBegan | ClockUnsafe))
    assert began.at == BEGAN
    assert batch.held.opening is not None
    assert batch.held.opening.stopped
