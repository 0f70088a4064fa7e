"""What stands behind a bidder's hand in the draw and its call for the trustees: taken away, or exchanged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from crypto.digest import sha256_hex
from crypto.signing import peek, sign
from sessions.archive.proved import proof_in
from sessions.events import DrawCommitted, EscrowRequested, Event, Stream
from sessions.plan import Plan
from sessions.proofs import Proof
from sessions.verify import verify
from sessions.zipped import unpack
from tests.support.audited import by_python, by_typescript
from tests.support.bidders import a_bidder
from tests.support.bundles import Files, events, failed, redrawn, retold, signed_anew
from tests.support.generated import DRAWS, Making
from tests.support.locked import a_locked_plan
from tests.support.outside import the_hall

KINDS = pytest.mark.parametrize("kind", [DrawCommitted, EscrowRequested])


class _Proving(Making):
    """An opening with a draw and trustees, in which every act of a bidder is proved."""

    def _plan(self) -> Plan:
        return replace(a_locked_plan("cn-works", escrow=True, draws=DRAWS), proofs=True)


@cache
def an_act(kind: type[DrawCommitted | EscrowRequested]) -> tuple[Files, int, Proof]:
    """Return the files of an ended opening with such an act, its number, and its proof, found nowhere else."""
    for seed in range(200):
        making = _Proving(seed)
        making.play()
        if making.it.status != "ended":
            continue
        log = making.records[Stream.OPENING]
        behind = [
            found[1].evidence
            for record in (*making.records[Stream.INTAKE], *log)
            if (found := proof_in(record.event))
        ]
        for record in log:
            proof = _proof(record.event, kind)
            if proof is not None and behind.count(proof.evidence) == 1:
                return unpack(asyncio.run(making.bundle())), record.number, proof
    raise AssertionError("no seed tells such a story")


def _proof(event: Event, kind: type[DrawCommitted | EscrowRequested]) -> Proof | None:
    found = proof_in(event) if isinstance(event, kind) else None
    return None if found is None else found[1]


def changed(files: Files, number: int, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return the bundle as the hall would hand it out after changing one event: all that follows from it follows."""
    return signed_anew(redrawn(retold(files, lambda cores: change(cores[number - 1]["data"]))), the_hall())


@KINDS
def test_an_act_that_is_proved_passes(kind: type[DrawCommitted | EscrowRequested]) -> None:
    files, number, proof = an_act(kind)
    assert verify(signed_anew(files, the_hall())).ok
    assert events(files)[number - 1]["data"]["proof"]["evidence"] == proof.evidence


@KINDS
def test_an_act_without_its_proof_breaks_the_rules(kind: type[DrawCommitted | EscrowRequested]) -> None:
    files, number, _ = an_act(kind)
    bundle = changed(files, number, lambda data: data.pop("proof"))
    assert failed(bundle) == {"rules.opening"}
    assert by_typescript(bundle) == [by_python(bundle)]


@KINDS
def test_evidence_that_is_missing_or_says_something_else_is_found(
    kind: type[DrawCommitted | EscrowRequested],
) -> None:
    files, number, proof = an_act(kind)
    (name,) = [name for name in files if name.endswith("proofs.jsonl") and proof.evidence in _digests(files[name])]
    lines = files[name].splitlines(keepends=True)
    without = [line for line in lines if sha256_hex(line[:-1]) != proof.evidence]
    gone = signed_anew({**files, name: b"".join(without)}, the_hall())
    states = {"good", "unasked"} - {proof.state.value}
    other = changed(files, number, lambda data: data["proof"].update(state=min(states)))
    assert failed(gone) == {"statements.certificates"}
    assert "statements.certificates" in failed(other)  # beats name the head of the log, which is another one now
    assert by_typescript(gone, other) == [by_python(gone), by_python(other)]


def _digests(lines: bytes) -> set[str]:
    return {sha256_hex(line) for line in lines.splitlines()}


@pytest.mark.parametrize(("kind", "check"), [(DrawCommitted, "draws.result"), (EscrowRequested, "statements.escrow")])
def test_a_statement_by_another_certificate_than_the_proved_one_is_found(
    kind: type[DrawCommitted | EscrowRequested], check: str
) -> None:
    files, number, _ = an_act(kind)
    said = events(files)[number - 1]["data"]["statement"]
    word = check.removeprefix("statements.").removesuffix("s.result")
    stranger = sign(peek(said)[1], word, a_bidder("冒名有限公司").sign)
    bundle = changed(files, number, lambda data: data.update(statement=stranger))
    assert check in failed(bundle)
    assert "statements.certificates" not in failed(bundle)
    assert by_typescript(bundle) == [by_python(bundle)]


def test_a_proof_of_the_staff_is_none() -> None:
    files, _, proof = an_act(DrawCommitted)
    number = next(
        core["n"] for core in events(files) if core["type"] == "DrawCommitted" and core["data"]["role"] != "bidder"
    )
    stated = {"certificate": proof.certificate, "state": "good", "evidence": proof.evidence}
    bundle = changed(files, number, lambda data: data.update(proof=stated))
    assert failed(bundle) == {"rules.opening"}
    assert by_typescript(bundle) == [by_python(bundle)]
