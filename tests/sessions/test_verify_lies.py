"""Lies of a hall that signs all of them: the whole ceremony is played by the rules, and one thing in it is not true.

Nothing is changed afterwards, so chain, record, manifest and everybody's signatures are as they should be. Each lie
falls at the one check that it breaks, in both verifiers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, partial

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.encoding import b64u
from sessions import commands as c
from sessions import events as e
from sessions.plan import AnchorKind, Plan
from sessions.roles import CLOCK, Actor
from tests.support import generated, outside
from tests.support.audited import by_python, by_typescript
from tests.support.bidders import a_sealed_bid
from tests.support.ceremony import MS
from tests.support.generated import Making, Terms
from tests.support.locked import a_locked_plan
from tests.support.officers import an_officer


class Honest(Making):
    """What every lie is told in: an opening with witnesses, locks, trustees and a share of the tenderer's."""

    def _plan(self) -> Plan:
        return outside.watched(a_locked_plan("cn-works", tenderer=True, escrow=True), self.chance)


class Renamed(Honest):
    """Two bidders are listed under each other's names."""

    def who(self, number: int) -> Actor:
        return replace(super().who(number), name=super().who(number ^ 1).name)


class SentAgain(Honest):
    """An earlier version is put in the place of the bidder's last one, as if the bidder had sent it again."""

    def _plan(self) -> Plan:
        return replace(super()._plan(), once=True)

    def _bids(self, number: int) -> None:
        for version in (0, 1, 0):
            self.now += 1000 * MS
            if self.intake is not None:  # whose rules the hall does not keep
                self.intake = replace(self.intake, plan=replace(self.plan, once=None))
            self.submit(number, version)


class NotCheckedIn(Honest):
    """Who checked in before the opening time is said not to have."""

    def act(self, command: c.OpeningCommand, actor: Actor) -> None:
        if isinstance(command, c.CloseIntake):
            command = replace(command, bids=tuple(replace(bid, checked_in_at=None) for bid in command.bids))
        super().act(command, actor)


class Longer(Honest):
    """Receipts are for a longer file than was received."""

    def take(self, command: c.IntakeCommand, actor: Actor, *, at: datetime | None = None) -> list[e.Recorded]:
        if isinstance(command, c.SubmitBid):
            command = replace(command, length=command.length + 1)
        return super().take(command, actor, at=at)


class CosignedLater(Honest):
    """The log was rewritten, and shown to the witnesses for the first time on the day after."""

    def _anchor(self, point: str, who: tuple[AnchorKind, str]) -> None:
        now = self.now
        if who[0] is AnchorKind.WITNESS:
            self.now += timedelta(days=1)
        kept = self.checkpoints.answer(
            self.it, [record.digest for record in self.records[e.Stream.OPENING]], point, who, self.now
        )
        self.now = now
        root = self.checkpoints.signed[self.plan.watch.origin, kept.size].root if self.plan.watch else b""
        self.act(outside.anchoring(kept, root), CLOCK)


class CosignedBefore(Honest):
    """A witness's clock is an hour slow, or its hand was ready before there was anything to sign."""

    def _hold_the_end(self) -> None:
        now, self.now = self.now, self.now - timedelta(hours=1)
        super()._hold_the_end()
        self.now = now


class OtherTrustees(Honest):
    """The bidders were given another tender file under the same number: its trustee is one of the hall's own."""

    @property
    def terms(self) -> Terms:
        envelopes, tenderer, escrow = super().terms
        assert escrow is not None
        first, *others = escrow.officers
        mine = b64u(an_officer("hall").certificate.public_bytes(Encoding.DER))
        return envelopes, tenderer, replace(escrow, officers=(replace(first, certificate=mine), *others))


class WithoutTheTenderer(Honest):
    """The bidders were given a tender file that says nothing of the tenderer's share."""

    @property
    def terms(self) -> Terms:
        envelopes, _, escrow = super().terms
        return envelopes, None, escrow


LIES: Mapping[type[Honest], str] = {
    Renamed: "bids.declarations",
    SentAgain: "rules.intake",
    NotCheckedIn: "set.complete",
    Longer: "bids.declarations",
    CosignedLater: "log.witnesses",
    CosignedBefore: "log.witnesses",
    OtherTrustees: "bids.declarations",
    WithoutTheTenderer: "bids.declarations",
}


def a_story(kind: type[Honest]) -> bytes:
    """Play until the lie has been told."""
    for seed in range(400):
        making = kind(seed, acts=16).play()
        if making.it.status == "ended" and len(making.it.bids) >= 3 and _tells(making.records):
            return asyncio.run(making.bundle())
    raise AssertionError("no seed tells such a story")


def by_a_doctored_program() -> bytes:
    """Return one more story: the bidders' program sealed every bid to the hall as well, as if it were the bidder."""
    with pytest.MonkeyPatch.context() as patching:
        for pool in (generated.a_bid, generated.a_quote_key):
            patching.setattr(generated, pool.__name__, cache(pool.__wrapped__))
        sealing = partial(a_sealed_bid, beside=(an_officer("hall"),))
        patching.setattr(generated, "a_sealed_bid", sealing)
        patching.setattr("crypto.envelope.check_pair", lambda *_: None)
        return a_story(Honest)


def _tells(records: Mapping[e.Stream, list[e.Recorded]]) -> bool:
    """Whether somebody checked in before the opening time and nobody after it, and a witness answered."""
    ours, theirs = ([record.event for record in records[stream]] for stream in (e.Stream.OPENING, e.Stream.INTAKE))
    witnessed = any(isinstance(event, e.Anchored) and event.kind is AnchorKind.WITNESS for event in ours)
    late = any(isinstance(event, e.BidderCheckedIn) for event in ours)
    return witnessed and not late and any(isinstance(event, e.BidderCheckedIn) for event in theirs)


def test_a_lie_told_from_the_start_falls_at_the_check_it_breaks() -> None:
    kinds: list[type[Honest]] = [Honest, *LIES]
    told = {kind.__name__: a_story(kind) for kind in kinds} | {"Doctored": by_a_doctored_program()}
    ours = {kind: by_python(bundle) for kind, bundle in told.items()}
    assert dict(zip(told, by_typescript(*told.values()), strict=True)) == ours
    failed = {kind: [check for check, outcome in said.items() if outcome == "failed"] for kind, said in ours.items()}
    expected = {kind.__name__: [check] for kind, check in LIES.items()}
    assert failed == {"Honest": [], **expected, "Doctored": ["bids.declarations"]}
