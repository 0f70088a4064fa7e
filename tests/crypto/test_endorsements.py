"""Hall keys that follow one another: only a whole chain of endorsements counts."""

from __future__ import annotations

from typing import Any

import pytest

from crypto.encoding import canonical
from crypto.endorsements import KIND, endorse, follow, read_keys
from crypto.errors import CryptoRefused, StatementRefused
from crypto.signing import HallKey, sign

A, B, C = (HallKey.generate() for _ in range(3))
TO_B, TO_C = endorse(A, B.public), endorse(B, C.public)


def document(*keys: HallKey, tokens: tuple[Any, ...], **more: Any) -> bytes:
    return canonical({"v": 1, "keys": [key.public.document() for key in keys], "endorsements": list(tokens), **more})


def test_a_chain_is_read_from_the_oldest_to_the_newest() -> None:
    assert read_keys(document(A, B, C, tokens=(TO_B, TO_C))) == (A.public, B.public, C.public)
    assert read_keys(document(A, tokens=())) == (A.public,)
    assert read_keys(canonical(A.public.document()) + b"\n") == (A.public,)


@pytest.mark.parametrize(
    ("keys", "tokens"),
    [
        ((A, C), (TO_B,)),  # another key than the endorsed one
        ((A, B, C), (TO_B,)),  # one endorsement is missing
        ((A, B), (endorse(C, B.public),)),  # by a stranger
        ((A, B), (endorse(B, B.public),)),  # by the new key itself
        ((A, B, A), (TO_B, endorse(B, A.public))),  # in a ring
        ((A, B), (sign({"v": 1, "next": B.public.document()}, "receipt", A),)),  # another kind of statement
        ((A, B), (sign({"v": 2, "next": B.public.document()}, KIND, A),)),
        ((), ()),
    ],
)
def test_a_broken_chain_is_refused(keys: tuple[HallKey, ...], tokens: tuple[str, ...]) -> None:
    with pytest.raises(StatementRefused):
        follow([key.public for key in keys], tokens)
    with pytest.raises(CryptoRefused):
        read_keys(document(*keys, tokens=tokens))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'"keys"',
        document(A, B, tokens=(TO_B,), more=1),
        document(A, B, tokens=(7,)),
        canonical({"v": 2, "keys": [A.public.document()], "endorsements": []}),
        canonical({"v": 1, "keys": "a", "endorsements": []}),
        canonical({"v": 1, "keys": [7], "endorsements": []}),
        document(A, tokens=()).replace(b":", b": "),
    ],
)
def test_what_is_no_list_of_keys_is_refused(data: bytes) -> None:
    with pytest.raises(CryptoRefused):
        read_keys(data)
