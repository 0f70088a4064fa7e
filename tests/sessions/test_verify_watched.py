"""The log of a bundle and its witnesses: what they hold against a hall that signs everything anew."""

from __future__ import annotations

import json
import re
import tempfile
from asyncio import run
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from crypto.certificates import fingerprint, parse_certificate
from crypto.chain import event_digest
from crypto.encoding import canonical
from crypto.signing import HallKey
from crypto.tlog import (
    Checkpoint,
    Note,
    Tree,
    WitnessSecret,
    cosign,
    peek_checkpoint,
    read_note,
    sign_checkpoint,
    with_signatures,
    write_proof,
)
from sessions.archive.watched import FINAL_CHECKPOINT
from sessions.verify import verify
from sessions.zipped import unpack
from tests.support.bidders import the_authority
from tests.support.bundles import Files, events, failed, named, retold, signed_anew
from tests.support.finished import a_bundle
from tests.support.hallkey import hall_key
from web.cli import commands


@cache
def the_watched_bundle() -> tuple[bytes, HallKey]:
    with tempfile.TemporaryDirectory() as folder:
        return run(a_bundle(Path(folder), watchers=2)), hall_key(Path(folder))


def files() -> Files:
    return unpack(the_watched_bundle()[0])


def caught(changed: Files) -> set[str]:
    return failed(signed_anew(changed, the_watched_bundle()[1]))


def points() -> list[str]:
    return sorted(name for name in files() if re.fullmatch(r"log/opening-\d+\.checkpoint", name))


def digests() -> list[bytes]:
    return [bytes.fromhex(event_digest(core)) for core in events(files())]


def test_a_watched_opening_passes_and_says_who_held_it() -> None:
    report = verify(the_watched_bundle()[0])
    assert report.ok, [(check.id, check.detail) for check in report.failed]
    said = {check.id: check.detail for check in report.checks}
    assert said["log.witnesses"] == "close 2, record 2, end 2 of 2, quorum 2"
    assert f"{len(digests())} events" in said["log.opening"]
    assert "log.held" not in said


def test_the_bundle_holds_a_checkpoint_of_every_point_and_of_the_end() -> None:
    assert len(points()) == 2
    final = peek_checkpoint(files()[FINAL_CHECKPOINT])
    assert final.size == len(digests())
    assert len(read_note(files()[FINAL_CHECKPOINT]).signatures) == 3


def test_a_missing_end_is_found() -> None:
    changed = {name: data for name, data in files().items() if name != FINAL_CHECKPOINT}
    assert caught(changed) == {"log.opening"}


def test_a_missing_point_is_found() -> None:
    changed = {name: data for name, data in files().items() if name != points()[0]}
    assert caught(changed) == {"log.witnesses"}


def test_a_checkpoint_under_another_size_is_found() -> None:
    changed = files()
    changed["log/opening-5.checkpoint"] = changed[points()[0]]
    assert caught(changed) == {"log.opening"}


@pytest.mark.parametrize(
    "name", ["log/opening-05.checkpoint", "log/opening-x.checkpoint", "log/dispute-1.checkpoint"]
)
def test_a_member_that_nothing_explains_is_found(name: str) -> None:
    assert "bundle.contents" in caught({**files(), name: files()[FINAL_CHECKPOINT]})


def test_a_checkpoint_of_other_events_is_found_though_the_hall_signed_it() -> None:
    origin = peek_checkpoint(files()[FINAL_CHECKPOINT]).origin
    tree = Tree([b"another", *digests()[1:]])
    forged = sign_checkpoint(Checkpoint(origin=origin, size=len(tree), root=tree.root()), the_watched_bundle()[1])
    assert caught({**files(), FINAL_CHECKPOINT: forged.encode()}) == {"log.opening"}


def test_a_checkpoint_by_another_key_is_found() -> None:
    given = peek_checkpoint(files()[FINAL_CHECKPOINT])
    assert caught({**files(), FINAL_CHECKPOINT: sign_checkpoint(given, HallKey.generate()).encode()}) == {
        "log.opening"
    }


def without_line(note: bytes, place: int) -> bytes:
    parsed = read_note(note)
    kept = tuple(line for index, line in enumerate(parsed.signatures) if index != place)
    return str(Note(parsed.text, kept)).encode()


def test_a_cosignature_taken_from_a_point_is_missed() -> None:
    name = points()[0]
    assert caught({**files(), name: without_line(files()[name], 2)}) == {"log.witnesses"}


def test_in_closed_mode_the_end_needs_its_quorum() -> None:
    assert caught({**files(), FINAL_CHECKPOINT: without_line(files()[FINAL_CHECKPOINT], 1)}) == {"log.witnesses"}


def test_a_broken_cosignature_is_found() -> None:
    parsed = read_note(files()[FINAL_CHECKPOINT])
    line = parsed.signatures[1]
    broken = type(line)(line.name, line.key_id, line.signature[:-1] + bytes([line.signature[-1] ^ 1]))
    note = str(Note(parsed.text, (parsed.signatures[0], broken, parsed.signatures[2]))).encode()
    assert caught({**files(), FINAL_CHECKPOINT: note}) == {"log.witnesses"}


def test_a_strangers_cosignature_counts_for_nothing_and_hurts_nobody() -> None:
    stranger = WitnessSecret("stranger.example", HallKey.generate())
    note = files()[FINAL_CHECKPOINT]
    more = with_signatures(note, cosign(note, stranger, 1_795_222_800)).encode()
    assert caught({**files(), FINAL_CHECKPOINT: more}) == set()


@pytest.mark.parametrize(
    ("member", "value"),
    [("sha256", "00" * 32), ("said_at", "2026-11-21T01:00:01.000Z"), ("root", "00" * 32)],
)
def test_an_event_that_says_something_else_of_a_witness_is_found(member: str, value: str) -> None:
    def change(cores: list[dict[str, Any]]) -> None:
        named(cores, "Anchored")["data"][member] = value

    assert {"log.opening", "log.witnesses"} & caught(retold(files(), change))


def test_a_witness_that_was_not_announced_cannot_be_named() -> None:
    def change(cores: list[dict[str, Any]]) -> None:
        named(cores, "Anchored")["data"]["by"] = "stranger.example"

    assert "rules.opening" in caught(retold(files(), change))


def test_decryption_without_the_witnesses_breaks_the_rules() -> None:
    def change(cores: list[dict[str, Any]]) -> None:
        cores.remove(named(cores, "Anchored"))

    assert "rules.opening" in caught(retold(files(), change))


# -- a checkpoint that somebody kept ----------------------------------------------------------------------------


def held(note: bytes, bundle: bytes | None = None) -> tuple[bool, str]:
    report = verify(bundle or the_watched_bundle()[0], held=note)
    check = next(check for check in report.checks if check.id == "log.held")
    return check.passed, check.detail


def a_checkpoint(tree: Tree, key: HallKey | None = None, origin: str | None = None) -> bytes:
    origin = origin or peek_checkpoint(files()[FINAL_CHECKPOINT]).origin
    return sign_checkpoint(
        Checkpoint(origin=origin, size=len(tree), root=tree.root()), key or the_watched_bundle()[1]
    ).encode()


def test_every_checkpoint_ever_signed_goes_with_the_bundle() -> None:
    for size in range(1, len(digests()) + 1):
        assert held(a_checkpoint(Tree(digests()[:size])))[0]
    assert held(files()[points()[0]]) == (True, f"the first {peek_checkpoint(files()[points()[0]]).size} of "
                                          f"{len(digests())} events, cosigned by 2 witnesses")  # fmt: skip


def test_another_root_for_the_same_size_convicts_the_hall() -> None:
    passed, detail = held(a_checkpoint(Tree([*digests()[:7], b"what somebody was shown"])))
    assert not passed
    assert detail.startswith("SPLIT VIEW: the hall signed two different logs of 8 events")


def test_a_longer_log_than_the_bundles_convicts_the_hall() -> None:
    passed, detail = held(a_checkpoint(Tree([*digests(), b"one more"])))
    assert not passed
    assert detail.startswith("SPLIT VIEW")


def test_what_this_hall_did_not_sign_proves_nothing() -> None:
    for note in (
        a_checkpoint(Tree([b"x"]), key=HallKey.generate()),
        a_checkpoint(Tree([b"x"]), origin="hall.example/s/other"),
        b"nonsense",
    ):
        passed, detail = held(note)
        assert not passed
        assert "SPLIT VIEW" not in detail


def test_the_command_compares_a_checkpoint_or_a_proof_with_the_bundle(tmp_path: Path) -> None:
    bundle, good, bad = tmp_path / "session.zip", tmp_path / "good.tlog-proof", tmp_path / "bad.checkpoint"
    bundle.write_bytes(the_watched_bundle()[0])
    tree = Tree(digests()[:9])
    good.write_text(write_proof(3, tree.inclusion_proof(3), a_checkpoint(tree).decode()), encoding="utf-8")
    bad.write_bytes(a_checkpoint(Tree([b"shown to one", *digests()[1:]])))
    app = commands("verify")
    passed = CliRunner().invoke(app, ["verify", str(bundle), "--checkpoint", str(good), "--json"])
    assert passed.exit_code == 0
    assert json.loads(passed.stdout)["ok"] is True
    refused = CliRunner().invoke(app, ["verify", str(bundle), "--checkpoint", str(bad)])
    assert refused.exit_code == 1
    assert "SPLIT VIEW" in refused.stdout


def test_the_plan_of_a_watched_opening_names_its_witnesses() -> None:
    plan = json.loads(files()["plan.json"])
    assert [vkey.split("+")[0] for vkey in plan["watch"]["witnesses"]] == ["w1.example", "w2.example"]
    assert canonical(plan) == files()["plan.json"]


def test_the_record_names_those_outside_and_what_they_held_when_it_was_drawn() -> None:
    record = json.loads(files()["record.json"])["watch"]
    assert len(record["witnesses"]) == 2
    assert all("+" not in name for name in record["witnesses"])
    close = next(point for point in record["points"] if point["point"] == "close")
    assert sorted(close["held_by"]) == sorted(record["witnesses"])


# -- what the reader brings along ----------------------------------------------------------------------------------


def vkeys() -> list[str]:
    found: list[str] = json.loads(files()["plan.json"])["watch"]["witnesses"]
    return found


def by_policy(quorum: str, *witnesses: str, of: Files | None = None) -> str:
    """Return what ``log.policy`` comes to for a reader who goes by these witnesses."""
    lines = [f"witness w{number} {vkey}" for number, vkey in enumerate(witnesses)]
    names = " ".join(f"w{number}" for number in range(len(witnesses)))
    policy = "\n".join([*lines, f"group mine {quorum} {names}", "quorum mine", ""]).encode()
    bundle = the_watched_bundle()[0] if of is None else signed_anew(of, the_watched_bundle()[1])
    return {check.id: check.outcome.value for check in verify(bundle, policy=policy).checks}["log.policy"]


def test_a_reader_goes_by_its_own_witnesses_and_not_by_those_announced() -> None:
    strangers = str(WitnessSecret("press.example", HallKey.generate()).public)
    assert by_policy("all", *vkeys()) == "passed"
    assert by_policy("any", vkeys()[0], strangers) == "passed"
    assert by_policy("all", vkeys()[0], strangers) == "failed"
    assert by_policy("any", strangers) == "failed"


def test_a_reader_s_witnesses_must_have_held_the_set_before_a_bid_was_opened() -> None:
    close = min(points(), key=lambda name: int(name.split("-")[1].split(".")[0]))
    gone = {**files(), close: without_line(files()[close], 1)}
    assert by_policy("all", *vkeys(), of=gone) == "failed"
    assert by_policy("any", *vkeys(), of=gone) == "passed"


def test_an_authority_that_the_reader_does_not_trust_is_named() -> None:
    pem = files()["trust/anchor-1.pem"]
    other = the_authority("Somebody Else").certificate.public_bytes(Encoding.PEM)
    bundle = the_watched_bundle()[0]
    assert verify(bundle, authorities=other + pem).ok
    for brought in (other, b"no certificate"):
        assert [check.id for check in verify(bundle, authorities=brought).failed] == ["trust.authorities"]


def test_the_report_says_what_was_taken_from_the_archive_itself() -> None:
    said = "\n".join(each.en for each in verify(the_watched_bundle()[0]).taken)
    assert all(vkey in said for vkey in vkeys())
    assert fingerprint(parse_certificate(files()["trust/anchor-1.pem"])).hex() in said
    assert "quorum 2" in said
    assert verify(b"no zip").taken == ()
