"""Where the two verifiers once came to different verdicts on a generated bundle: one thing each, and now the same."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import pytest

from sessions.plan import Plan
from sessions.proofs import Proof, proof_of, read, written
from sessions.zipped import unpack
from tests.support.audited import by_python, by_typescript
from tests.support.bidders import Bidder
from tests.support.bundles import Files, named, redrawn, retold, signed_anew, the_files
from tests.support.ceremony import a_plan
from tests.support.generated import Making, the_hall
from tests.support.outside import Proofs
from tests.support.tampering import CERTIFICATE

Cores = list[dict[str, Any]]


def failing(bundle: bytes) -> list[str]:
    ours = by_python(bundle)
    assert by_typescript(bundle) == [ours]
    return [check for check, outcome in ours.items() if outcome == "failed"]


@cache
def with_too_few_bids() -> Files:
    """An opening with time sources that failed for want of bids: who bid stays hidden, in SetFrozen too."""
    for seed in range(400):
        making = Making(seed, acts=16).play()
        if making.it.status == "failed" and making.it.plan.clock is not None:
            return unpack(asyncio.run(making.bundle()))
    raise AssertionError("no seed tells such a story")


def of_another_offset(cores: Cores) -> None:
    named(cores, "SetFrozen")["data"]["clock_offset_ms"] = 4_000


def without_a_look_at_the_clock(cores: Cores) -> None:
    cores.remove(named(cores, "ClockChecked"))


@pytest.mark.parametrize("change", [of_another_offset, without_a_look_at_the_clock], ids=lambda one: one.__name__)
def test_a_hidden_set_is_frozen_by_the_rules_of_any_other(change: Callable[[Cores], None]) -> None:
    told = redrawn(retold(with_too_few_bids(), change))
    assert failing(signed_anew(told, the_hall())) == ["rules.opening"]


def test_a_bidder_is_no_authority_for_itself() -> None:
    files = the_files()
    signers = [data for name, data in files.items() if name.endswith(CERTIFICATE)]
    anchors = {f"trust/anchor-{place}.pem": pem for place, pem in enumerate(signers, start=1)}
    assert failing(signed_anew({**files, **anchors})) == ["bids.certificates", "statements.certificates"]


class _Kept(Proofs):
    """Every answer was had before and is still in date; asked again, its authority was silent."""

    def look(self, bidder: Bidder, at: datetime, chance: random.Random, *, encrypting: bool = False) -> Proof:
        grounds = read(self.items[super().look(bidder, at, chance, encrypting=encrypting).evidence])
        silent = tuple(replace(tried, outcome="timeout") for tried in grounds.tried)
        digest, document = written(replace(grounds, tried=silent))
        self.items[digest] = document
        return proof_of(replace(grounds, tried=silent))


class _Proved(Making):
    """An opening in which every act is proved by what was known before."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.proofs = _Kept()
        self.checkpoints = replace(self.checkpoints, proofs=self.proofs)

    def _plan(self) -> Plan:
        return replace(a_plan("intl-two-role"), proofs=True)


def test_an_answer_counts_though_its_authority_was_silent_when_asked_again() -> None:
    for seed in range(400):
        making = _Proved(seed)
        making.play()
        if making.it.status == "ended" and any(_answered(data) for data in making.proofs.items.values()):
            break
    assert failing(asyncio.run(making.bundle())) == []


def _answered(document: bytes) -> bool:
    if not document.startswith(b"{"):
        return False
    grounds = read(document)
    return any(looked.ocsps for looked in grounds.looked) and bool(grounds.tried)
