"""A hall that asks once more at T0 about bids taken while an authority was silent, and asks about something else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from sessions.events import BidReceived, SealsChecked, Stream
from sessions.ids import BidderId
from sessions.plan import Plan
from sessions.proofs import Grounds, Proof, State, proof_of, read, written
from tests.support.audited import by_python, by_typescript
from tests.support.ceremony import a_plan
from tests.support.generated import Making
from tests.support.outside import Proofs

CHECK = "statements.certificates"


def honest(grounds: Grounds) -> Grounds:
    return grounds


def at_another_moment(grounds: Grounds) -> Grounds:
    return replace(grounds, at=grounds.at + timedelta(seconds=1))


def of_the_signing_certificate_alone(grounds: Grounds) -> Grounds:
    return replace(grounds, looked=grounds.looked[:1])


def of_a_certificate_twice(grounds: Grounds) -> Grounds:
    return replace(grounds, looked=(*grounds.looked, grounds.looked[0]))


@dataclass(kw_only=True)
class _Asking(Proofs):
    """Answers as they came, but for what this hall makes of the question."""

    question: Callable[[Grounds], Grounds] = field(default=honest)

    def again(self, proof: Proof) -> Proof:
        answered = read(self.items[super().again(proof).evidence])
        digest, document = written(self.question(answered))
        self.items[digest] = document
        return proof_of(self.question(answered))


class _Silence(Making):
    """An opening in which every act is proved; ``everybody``: bids whose authority had answered are asked about."""

    def __init__(self, seed: int, question: Callable[[Grounds], Grounds], *, everybody: bool = False) -> None:
        super().__init__(seed)
        self.proofs = _Asking(question=question)
        self.checkpoints = replace(self.checkpoints, proofs=self.proofs)
        self.everybody = everybody

    def _plan(self) -> Plan:
        return replace(a_plan("intl-two-role"), proofs=True)

    def _asked_again(self) -> dict[BidderId, Proof]:
        if not self.everybody:
            return super()._asked_again()
        told = (record.event for record in self.records[Stream.INTAKE])
        received = {event.bidder: event.proof for event in told if isinstance(event, BidReceived)}
        found = ((bid.bidder, received[bid.bidder]) for bid in self.it.bids)
        answered = {bidder: proof for bidder, proof in found if proof and proof.state is State.GOOD}
        return {bidder: self.proofs.again(proof) for bidder, proof in answered.items()}


def a_bundle(question: Callable[[Grounds], Grounds], *, everybody: bool = False) -> bytes:
    """Return an opening held to its end in which somebody was asked about again."""
    for seed in range(400):
        making = _Silence(seed, question, everybody=everybody)
        making.play()
        events = [record.event for record in making.records[Stream.OPENING]]
        asked = [event for event in events if isinstance(event, SealsChecked) and event.proofs]
        if asked and making.it.status == "ended":
            return asyncio.run(making.bundle())
    raise AssertionError("no seed tells such a story")


def failing(bundle: bytes) -> list[str]:
    ours = by_python(bundle)
    assert by_typescript(bundle) == [ours]
    return [check for check, outcome in ours.items() if outcome == "failed"]


def test_asking_again_about_the_same_at_the_same_moment_passes() -> None:
    assert failing(a_bundle(honest)) == []


@pytest.mark.parametrize(
    "question",
    [at_another_moment, of_the_signing_certificate_alone, of_a_certificate_twice],
    ids=lambda one: one.__name__,
)
def test_asking_again_about_something_else_is_found(question: Callable[[Grounds], Grounds]) -> None:
    assert failing(a_bundle(question)) == [CHECK]


def test_asking_again_where_nobody_had_been_silent_is_found() -> None:
    assert failing(a_bundle(honest, everybody=True)) == [CHECK]
