"""A hall that changes the evidence behind a cause, or its certificate, is found out by the check of that name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from crypto.digest import sha256_hex
from crypto.encoding import canonical
from crypto.signing import peek, sign
from sessions.archive.failure import KIND
from tests.support.bundles import Files, events, failed, redrawn, retold, signed_anew, the_bundle, the_files

BEATS, REACH, PROBES = "bids/4/evidence.jsonl", "evidence/reach.jsonl", "evidence/probes.jsonl"
FAILURE = next(name for name in the_files() if name.startswith("bids/4/failure-"))


def rows(files: Files, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files[name].splitlines()]


def written(values: list[dict[str, Any]]) -> bytes:
    return b"".join(canonical(value) + b"\n" for value in values)


def changed(name: str, change: Callable[[list[dict[str, Any]]], object]) -> Files:
    files = the_files()
    values = rows(files, name)
    change(values)
    return {**files, name: written(values)}


def told_again(files: Files) -> Files:
    """Let the log name the changed files, as only the hall itself could pretend."""

    def rename(cores: list[dict[str, Any]]) -> None:
        named: dict[str, dict[str, str]] = {}
        for core in cores:
            data = core["data"]
            if core["type"] == "EvidenceGathered":
                row = 4 if data["facts"]["beats"] != "0" else 5
                own = files.get(f"bids/{row}/evidence.jsonl", b"")
                here = {"sha256": own, "reach_sha256": files[REACH], "probes_sha256": files[PROBES]}
                named[data["bidder"]] = {member: sha256_hex(text) for member, text in here.items()}
                data |= named[data["bidder"]]
            if core["type"] == "BidNotOpened":
                data["evidence"] |= named[data["bidder"]]

    return redrawn(retold(files, rename))


def exchanged(values: list[dict[str, Any]]) -> None:
    values[0]["ack"], values[1]["ack"] = values[1]["ack"], values[0]["ack"]


def forged(values: list[dict[str, Any]]) -> None:
    head, _, signature = values[0]["beat"].rpartition(".")
    values[0]["beat"] = f"{head}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


CHANGES: list[tuple[str, str, Callable[[list[dict[str, Any]]], object]]] = [
    ("a sign of life is left out", BEATS, lambda values: values.pop(3)),
    ("all but the first are left out", BEATS, lambda values: values.__delitem__(slice(1, None))),
    ("two acknowledgements are exchanged", BEATS, exchanged),
    ("the signature of a beat is another", BEATS, forged),
    ("others are shown to have been silent", REACH, lambda values: values.__delitem__(slice(2, None))),
    ("a beat is said to be another bidder's", REACH, lambda values: values[0].update(row=3)),
    ("the hall leaves out that it worked", PROBES, lambda values: values.__delitem__(slice(3, 9))),
    ("the hall says that it was slow", PROBES, lambda values: [value.update(took_ms=99_000) for value in values[:4]]),
]


@pytest.mark.parametrize(("name", "change"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_evidence_that_is_not_what_the_log_names_is_found(
    name: str, change: Callable[[list[dict[str, Any]]], object]
) -> None:
    assert failed(signed_anew(changed(name, change))) == {"bids.evidence"}


@pytest.mark.parametrize(("name", "change"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_evidence_that_the_log_was_made_to_name_is_found_all_the_same(
    name: str, change: Callable[[list[dict[str, Any]]], object]
) -> None:
    found = failed(signed_anew(told_again(changed(name, change))))
    assert "bids.evidence" in found


def test_evidence_that_is_missing_is_found() -> None:
    files = the_files()
    del files[BEATS]
    assert failed(signed_anew(files)) == {"bids.evidence"}


def test_a_certificate_that_is_missing_is_found() -> None:
    files = the_files()
    del files[FAILURE]
    assert failed(signed_anew(files)) == {"bids.failures"}


@pytest.mark.parametrize("change", [{"cause": "P1"}, {"consequence": "withdrawn"}, {"reason": "x"}, {"evidence": {}}])
def test_a_certificate_that_says_something_else_is_found(change: dict[str, Any]) -> None:
    files, key = the_files(), the_bundle()[1]
    payload = {**peek(files[FAILURE].decode())[1], **change}
    assert failed(signed_anew({**files, FAILURE: sign(payload, KIND, key).encode()})) == {"bids.failures"}


def test_a_certificate_that_nothing_gave_rise_to_is_found() -> None:
    files = the_files()
    assert failed(signed_anew({**files, "bids/1/failure-9.jws": files[FAILURE]})) == {"bids.failures"}


def test_the_bundle_has_the_evidence_of_whoever_was_not_opened_and_of_nobody_else() -> None:
    files = the_files()
    own = {name for name in files if name.startswith("bids/") and name.endswith("evidence.jsonl")}
    assert own == {BEATS}  # of the fifth nothing was ever heard
    gathered = [core["data"]["facts"] for core in events(files) if core["type"] == "EvidenceGathered"]
    assert [facts["beats"] for facts in gathered] == [str(len(rows(files, BEATS))), "0"]
