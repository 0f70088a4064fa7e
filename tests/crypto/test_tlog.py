"""Notes, checkpoints, cosignatures, proofs: what others published verifies, and each refusal has its one cause."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from crypto import tlog
from crypto.digest import verify_consistency
from crypto.errors import NoteRefused, ProofRefused
from crypto.signing import HallKey, HallPublicKey
from crypto.tlog.checkpoints import log_key, verify_log
from tests.vectors.tlog import ORIGIN, SIZE, a_key, entry, tlog_case

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors/crypto/tlog.json").read_text())
PUBLISHED = VECTORS["published"]
HALL = HallPublicKey.from_document(VECTORS["hall"])
WITNESSES = [tlog.WitnessKey.parse(one["vkey"]) for one in VECTORS["witnesses"]]
POLICY = tlog.Policy(witnesses=tuple(WITNESSES), quorum=2)
COSIGNED: str = VECTORS["checkpoint"]["cosigned"]
TREE = tlog.Tree(map(entry, range(SIZE)))


def test_the_recorded_vectors_are_what_this_code_writes() -> None:
    assert json.loads(json.dumps(tlog_case())) == VECTORS


def test_the_example_of_the_note_standard_verifies() -> None:
    note = tlog.read_note(PUBLISHED["note"]["note"])
    key = tlog.VerifierKey.parse(PUBLISHED["note"]["vkey"])
    verify_log(note, key)
    assert str(note) == PUBLISHED["note"]["note"]
    assert str(key) == PUBLISHED["note"]["vkey"]


def test_a_checkpoint_of_a_public_log_verifies_with_its_four_witnesses() -> None:
    given = PUBLISHED["checkpoint"]
    log = tlog.VerifierKey.parse(given["log"])
    checkpoint = tlog.open_checkpoint(given["note"], HallPublicKey(log.raw), given["origin"])
    assert (checkpoint.size, base64.b64encode(checkpoint.root).decode()) == (given["size"], given["root"])
    witnesses = [tlog.WitnessKey.parse(vkey) for vkey in given["witnesses"]]
    assert tlog.cosignatures(given["note"], witnesses) == {one.name: given["time"] for one in witnesses}


def test_the_example_of_the_cosignature_standard_is_read() -> None:
    example = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"
        "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5"
        "nNo0xUe+mbIUBkBIfZ+qnA==\n"
    )
    note = tlog.read_note(example)
    assert tlog.peek_checkpoint(example).size == 20_852_163
    assert int.from_bytes(note.signatures[1].signature[:8], "big") == 1_679_315_147
    assert str(note) == example


def test_the_request_of_the_witness_standard_is_read() -> None:
    text = (
        "old 20852014\n"
        "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\njrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
        "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\n"
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/"
        "V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n"
    )
    request = tlog.read_request(text)
    assert (request.old_size, len(request.proof)) == (20_852_014, 4)
    assert tlog.write_request(request.old_size, request.proof, request.checkpoint) == text


def test_a_checkpoint_opens_with_the_halls_key_and_its_witnesses() -> None:
    checkpoint = tlog.open_checkpoint(COSIGNED, HALL, ORIGIN)
    assert (checkpoint.size, checkpoint.root) == (SIZE, TREE.root())
    assert POLICY.require(COSIGNED) == VECTORS["checkpoint"]["times"]


def opened(note: str) -> dict[str, int]:
    tlog.open_checkpoint(note, HALL, ORIGIN)
    return tlog.cosignatures(note, WITNESSES)


@pytest.mark.parametrize("case", VECTORS["refused_notes"], ids=lambda case: case["name"])
def test_a_note_with_one_thing_wrong_is_refused(case: dict[str, str]) -> None:
    with pytest.raises(NoteRefused) as refused:
        opened(case["note"])
    assert refused.value.code == case["code"]


@pytest.mark.parametrize("case", VECTORS["refused_keys"], ids=lambda case: case["name"])
def test_a_key_with_one_thing_wrong_is_refused(case: dict[str, str]) -> None:
    with pytest.raises(NoteRefused):
        tlog.WitnessKey.parse(case["vkey"])


@pytest.mark.parametrize("case", VECTORS["refused_proofs"], ids=lambda case: case["name"])
def test_a_proof_in_another_form_is_refused(case: dict[str, str]) -> None:
    with pytest.raises(ProofRefused):
        tlog.read_proof(case["text"])


def test_a_log_key_is_no_witness_key() -> None:
    with pytest.raises(NoteRefused):
        tlog.WitnessKey.parse(VECTORS["log_vkey"])


def test_a_note_with_a_lone_surrogate_or_a_megabyte_is_refused() -> None:
    for note in (COSIGNED + "\ud800\n", COSIGNED + "x" * 1_000_000, COSIGNED.encode() + b"\xff\n"):
        with pytest.raises(NoteRefused):
            tlog.read_note(note)


def test_sixteen_signatures_are_read_and_unknown_ones_ignored() -> None:
    note = COSIGNED
    for number in range(14):
        note = tlog.with_signatures(note, str(tlog.SignatureLine(f"w{number}", b"\0\0\0\0", b"x" * 5000)))
    assert tlog.open_checkpoint(note, HALL, ORIGIN).size == SIZE
    assert POLICY.require(note) == VECTORS["checkpoint"]["times"]


def test_a_broken_cosignature_of_a_known_witness_refuses_the_note_even_beside_a_good_one() -> None:
    line = tlog.read_note(COSIGNED).by(WITNESSES[0].verifier)[0]
    broken = tlog.SignatureLine(line.name, line.key_id, line.signature[:-1] + bytes([line.signature[-1] ^ 1]))
    with pytest.raises(NoteRefused, match="does not verify"):
        POLICY.require(tlog.with_signatures(COSIGNED, str(broken)))


def test_a_cosignature_under_another_time_is_refused() -> None:
    line = tlog.read_note(COSIGNED).by(WITNESSES[0].verifier)[0]
    later = (int.from_bytes(line.signature[:8], "big") + 1).to_bytes(8, "big")
    moved = str(tlog.SignatureLine(line.name, line.key_id, later + line.signature[8:]))
    with pytest.raises(NoteRefused, match="does not verify"):
        tlog.verify_cosignature(tlog.with_signatures(VECTORS["checkpoint"]["note"], moved), WITNESSES[0])


def test_too_few_witnesses_are_no_quorum() -> None:
    note = VECTORS["checkpoint"]["note"]
    secret = tlog.WitnessSecret(WITNESSES[0].name, a_key(11))
    with pytest.raises(NoteRefused) as refused:
        POLICY.require(tlog.with_signatures(note, tlog.cosign(note, secret, 1_795_222_800)))
    assert refused.value.code == "not_witnessed"


def test_a_missing_cosignature_is_refused_when_it_is_asked_for() -> None:
    with pytest.raises(NoteRefused) as refused:
        tlog.verify_cosignature(VECTORS["checkpoint"]["note"], WITNESSES[0])
    assert refused.value.code == "wrong_signer"


def test_no_witness_signs_without_a_time_or_under_what_is_no_checkpoint() -> None:
    secret = tlog.WitnessSecret("w", HallKey.generate())
    with pytest.raises(NoteRefused):
        tlog.cosign(COSIGNED, secret, 0)
    with pytest.raises(NoteRefused):
        tlog.cosign(PUBLISHED["note"]["note"], secret, 1)


def test_adding_a_signature_twice_keeps_it_once() -> None:
    line = str(tlog.read_note(COSIGNED).signatures[1])
    assert tlog.with_signatures(COSIGNED, line) == COSIGNED


def test_extension_lines_are_signed_and_kept() -> None:
    given = tlog.Checkpoint(origin=ORIGIN, size=SIZE, root=TREE.root(), extension=("more", "and more"))
    note = tlog.sign_checkpoint(given, a_key(1))
    assert tlog.open_checkpoint(note, HALL, ORIGIN) == given
    with pytest.raises(NoteRefused):
        tlog.open_checkpoint(note.replace("and more", "and less"), HALL, ORIGIN)


def test_a_proof_takes_its_entry_to_the_checkpoint_and_no_other() -> None:
    proof = tlog.read_proof(VECTORS["proof"]["text"])
    assert proof.verify(entry(77), HALL, ORIGIN).size == SIZE
    for wrong in (entry(78), b""):
        with pytest.raises(ProofRefused):
            proof.verify(wrong, HALL, ORIGIN)
    with pytest.raises(NoteRefused):
        proof.verify(entry(77), HALL, "hall.example/s/S-2")


def test_extra_data_is_carried() -> None:
    given = VECTORS["proof_with_extra"]
    proof = tlog.read_proof(given["text"])
    assert proof.extra == bytes.fromhex(given["extra"])
    assert tlog.write_proof(proof.index, proof.hashes, proof.checkpoint, proof.extra) == given["text"]


def test_a_request_carries_the_proof_that_the_witness_checks() -> None:
    request = tlog.read_request(VECTORS["request"]["text"])
    checkpoint = tlog.open_checkpoint(request.checkpoint, HALL, ORIGIN)
    old = TREE.root(request.old_size)
    verify_consistency(request.old_size, old, checkpoint.size, checkpoint.root, request.proof)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "old 1\n",
        "old 01\n\nx",
        "size 1\n\nx",
        "old 1\nAAAA\n\nx",
        "old -1\n\nx",
        "old 1\n" + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" * 64 + "\nx",
        "x" * 300_000,
    ],
)
def test_a_malformed_request_is_refused(text: str) -> None:
    with pytest.raises(NoteRefused):
        tlog.read_request(text)


def test_a_policy_file_names_its_witnesses_and_their_quorum() -> None:
    listed, policy = tlog.read_policy(VECTORS["policy"]["text"])
    assert policy == POLICY
    assert [one.url for one in listed] == ["http://127.0.0.1:1/", ""]


@pytest.mark.parametrize(
    ("lines", "quorum"),
    [
        ("group g any a b\nquorum g", 1),
        ("group g 2 a b\nquorum g", 2),
        ("quorum none", 0),
    ],
)
def test_a_quorum_is_some_all_or_none(lines: str, quorum: int) -> None:
    witnesses = "".join(f"witness {name} {key}\n" for name, key in zip("ab", WITNESSES, strict=True))
    assert tlog.read_policy(f"log {VECTORS['log_vkey']}\n{witnesses} # of all\n\t\n{lines}\n")[1].quorum == quorum


def test_a_quorum_can_be_one_witness() -> None:
    assert tlog.read_policy(f"witness a {WITNESSES[0]}\nquorum a\n")[1].quorum == 1


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "quorum a\n",
        "quorum none\nquorum none\n",
        "witness a KEY\ngroup g 2 a\nquorum g\n",
        "witness a KEY\ngroup g 0 a\nquorum g\n",
        "witness a KEY\nwitness b KEY\nquorum none\n",
        "witness a KEY\nwitness a KEY\nquorum a\n",
        "witness none KEY\nquorum none\n",
        "witness a KEY\ngroup g all a\ngroup h all a\nquorum h\n",
        "witness a LOG\nquorum a\n",
        "witness a KEY\nwitness b OTHER\nquorum a\n",
        "witness a KEY\ngroup g all a a\nquorum g\n",
        "witness a KEY\ngroup g all\nquorum a\n",
        "mirror a KEY\nquorum none\n",
    ],
)
def test_a_policy_that_does_not_say_one_thing_is_refused(lines: str) -> None:
    text = (
        lines.replace("KEY", str(WITNESSES[0]))
        .replace("OTHER", str(WITNESSES[1]))
        .replace("LOG", VECTORS["log_vkey"])
    )
    with pytest.raises(NoteRefused):
        tlog.read_policy(text)


def test_two_logs_of_one_hall_have_keys_of_their_own_name() -> None:
    assert str(log_key(ORIGIN, HALL)) == VECTORS["log_vkey"]
    assert log_key(ORIGIN, HALL).key_id != log_key(f"{ORIGIN}/intake", HALL).key_id
