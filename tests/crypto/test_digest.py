"""The tree of RFC 6962: its published roots, and proofs that prove nothing else."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.digest import (
    SEGMENT,
    SegmentHasher,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from crypto.errors import ProofRefused

# The entries and roots of Certificate Transparency's own reference test.
ENTRIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
LEAVES = [leaf_hash(bytes.fromhex(entry)) for entry in ENTRIES]


@pytest.mark.parametrize(("size", "expected"), ROOTS.items())
def test_the_reference_roots_come_out(size: int, expected: str) -> None:
    assert root(LEAVES[:size]).hex() == expected


def numbered(size: int) -> list[bytes]:
    return [leaf_hash(bytes([number])) for number in range(size)]


@given(size=st.integers(1, 70), data=st.data())
def test_every_leaf_is_proven_and_no_other(size: int, data: st.DataObject) -> None:
    leaves = numbered(size)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(leaves, index)
    verify_inclusion(leaves[index], index, size, proof, root(leaves))
    wrong = [
        (leaf_hash(b"other"), index, size, proof),
        (leaves[index], index, size, [*proof, leaves[0]]),
        (leaves[index], size, size, proof),
    ]
    if proof:
        wrong += [
            (leaves[index], index, size, proof[:-1]),
            (leaves[index], index, size, [leaf_hash(b"x"), *proof[1:]]),
            (leaves[index], (index + 1) % size, size, proof),
        ]
    for case in wrong:
        with pytest.raises(ProofRefused):
            verify_inclusion(*case, root(leaves))


@given(size=st.integers(1, 70), data=st.data())
def test_an_earlier_tree_is_proven_to_be_a_prefix(size: int, data: st.DataObject) -> None:
    leaves = numbered(size)
    old = data.draw(st.integers(1, size))
    proof = consistency_proof(leaves, old)
    verify_consistency(old, root(leaves[:old]), size, root(leaves), proof)
    rewritten = root([leaf_hash(b"rewritten"), *leaves[1:old]])
    wrong = [
        (old, rewritten, size, root(leaves), proof),
        (old, root(leaves[:old]), size, leaf_hash(b"x"), proof),
        (old, root(leaves[:old]), size, root(leaves), [*proof, leaves[0]]),
        (0, root([]), size, root(leaves), []),
        (size + 1, root(leaves[:old]), size, root(leaves), proof),
    ]
    if proof:
        wrong.append((old, root(leaves[:old]), size, root(leaves), proof[:-1]))
    for case in wrong:
        with pytest.raises(ProofRefused):
            verify_consistency(*case)


def test_there_is_no_proof_of_what_is_not_there() -> None:
    with pytest.raises(IndexError):
        inclusion_proof(LEAVES, 8)
    with pytest.raises(IndexError):
        consistency_proof(LEAVES, 9)


@pytest.mark.parametrize("length", [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT + 5])
@pytest.mark.parametrize("piece", [1_000_003, 16 * SEGMENT])
def test_segments_do_not_depend_on_how_the_bytes_arrive(length: int, piece: int) -> None:
    data = hashlib.shake_128(b"segments").digest(length)
    hasher = SegmentHasher()
    for start in range(0, length, piece):
        hasher.update(data[start : start + piece])
    leaves = [leaf_hash(data[start : start + SEGMENT]) for start in range(0, length, SEGMENT)]
    assert hasher.finish() == root(leaves)
    assert (hasher.leaves, hasher.length) == (leaves, length)
