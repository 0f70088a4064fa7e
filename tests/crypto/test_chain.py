"""An event record that was edited, cut, reordered or spliced names its first broken number."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.chain import GENESIS, commit_private, disclosed, event_digest, link, verify_chain
from crypto.encoding import canonical
from crypto.errors import ChainBroken, EncodingRefused


def a_chain(length: int, stream: str = "S-1") -> list[dict[str, Any]]:
    cores: list[dict[str, Any]] = []
    for number in range(1, length + 1):
        core = {
            "stream": stream,
            "n": number,
            "at": "2026-11-21T01:00:00.000Z",
            "type": "Happened",
            "actor": "hall",
            "data": {"what": number},
            "private": None,
        }
        cores.append(link(event_digest(cores[-1]) if cores else None, core))
    return cores


def broken_at(cores: list[dict[str, Any]], **after: Any) -> int:
    with pytest.raises(ChainBroken) as broken:
        verify_chain(cores, **after)
    return broken.value.number


def test_a_whole_chain_holds_and_gives_its_head() -> None:
    cores = a_chain(5)
    assert verify_chain(cores) == event_digest(cores[-1])
    assert verify_chain([]) == GENESIS


def test_a_tail_holds_after_its_head() -> None:
    cores = a_chain(5)
    assert verify_chain(cores[3:], after=(3, event_digest(cores[2]))) == event_digest(cores[-1])
    assert broken_at(cores[3:]) == 1
    assert broken_at(cores[3:], after=(3, GENESIS)) == 4


@pytest.mark.parametrize("member", ["stream", "n", "at", "type", "actor", "data", "private", "prev"])
def test_a_change_anywhere_in_an_event_breaks_the_chain(member: str) -> None:
    cores = a_chain(5)
    changed = {"n": 9, "data": {"what": "else"}}.get(member, "00" * 32)
    cores[2] = {**cores[2], member: changed}
    assert broken_at(cores) in {3, 4}


def test_the_last_event_is_guarded_by_its_digest_alone() -> None:
    cores = a_chain(5)
    head = verify_chain(cores)
    cores[4] = {**cores[4], "data": {"what": "else"}}
    assert verify_chain(cores) != head


def test_a_removed_event_is_noticed() -> None:
    cores = a_chain(5)
    assert broken_at(cores[:2] + cores[3:]) == 3


def test_swapped_events_are_noticed() -> None:
    cores = a_chain(5)
    cores[1], cores[2] = cores[2], cores[1]
    assert broken_at(cores) == 2


def test_events_of_another_stream_are_noticed() -> None:
    cores, others = a_chain(5), a_chain(5, "S-2")
    assert broken_at(cores[:3] + others[3:]) == 4


@pytest.mark.parametrize("change", [{"extra": 1}, {"data": "text"}, {"data": {"price": 1.5}}])
def test_an_event_of_another_form_is_noticed(change: dict[str, Any]) -> None:
    cores = a_chain(3)
    cores[1] = {**cores[1], **change}
    with pytest.raises(ChainBroken) as broken:
        verify_chain(cores)
    assert (broken.value.code, broken.value.number) == ("malformed_event", 2)


def test_a_private_commitment_needs_its_salt() -> None:
    one, other = commit_private("00" * 16, "华东"), commit_private("01" * 16, "华东")
    assert one != other
    assert one == commit_private("00" * 16, "华东")
    for salt in ("", "00" * 15, "00" * 65, "GG" * 16, "AB" * 16):
        with pytest.raises(EncodingRefused):
            commit_private(salt, "华东")


@given(st.integers(1, 10**6), st.binary(min_size=16, max_size=64), st.text(st.characters(exclude_categories=("Cs",))))
def test_a_line_that_discloses_a_private_part_says_what_was_committed_to(number: int, salt: bytes, text: str) -> None:
    part = {"n": number, "salt": salt.hex(), "value": {"text": text}}
    assert disclosed(canonical(part), part) == commit_private(part["salt"], part["value"])


@pytest.mark.parametrize("salt", ["00" * 15, "00" * 65, "zz" * 16, None])
def test_a_disclosed_salt_has_the_length_of_one(salt: str | None) -> None:
    part = {"n": 1, "salt": salt, "value": "x"}
    with pytest.raises(EncodingRefused):
        disclosed(canonical(part), part)
