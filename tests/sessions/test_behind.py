"""Whose shares a bid must have, by the announcement it was sealed for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from crypto.container import read_header
from crypto.header import Header
from sessions.barrier.behind import check_sharing, quorum
from sessions.errors import CommandRefused
from sessions.plan import Lock, Plan
from tests.support.locked import a_locked_plan
from tests.support.shell import a_bid_for_this

PLAN = a_locked_plan(tenderer=True, escrow=True)


@pytest.fixture(scope="module")
def header() -> Header:
    assert PLAN.tenderer_share is not None
    assert PLAN.escrow is not None
    bid = a_bid_for_this("甲公司", tenderer=quorum(PLAN.tenderer_share), escrow=quorum(PLAN.escrow))
    return read_header(bid.file).header


def other(trustees: Callable[[Lock], Lock]) -> Plan:
    assert PLAN.escrow is not None
    return replace(PLAN, escrow=trustees(PLAN.escrow))


@pytest.mark.parametrize(
    "announced",
    [
        replace(PLAN, tenderer_share=None),
        replace(PLAN, escrow=None),
        replace(PLAN, tenderer_share=PLAN.escrow),
        other(lambda lock: replace(lock, threshold=1)),
        other(lambda lock: replace(lock, officers=lock.officers[:2])),
        other(lambda lock: replace(lock, officers=lock.officers[::-1])),
    ],
    ids=["no tenderer", "no trustees", "others", "fewer needed", "fewer there", "another order"],
)
def test_a_bid_sealed_for_other_holders_than_the_announced_ones_is_refused(header: Header, announced: Plan) -> None:
    check_sharing(header, PLAN)
    with pytest.raises(CommandRefused) as no:
        check_sharing(header, announced)
    assert no.value.code == "wrong_sharing"
