"""The tenderer's and the trustees' slots: who may open what, with whom, and what is refused at intake."""

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest

from crypto import envelope
from crypto.authority import Algorithm
from crypto.encoding import b64u
from crypto.errors import CryptoRefused
from crypto.header import SlotRole
from crypto.held import accept_held, assemble_held, check_held, open_held
from crypto.quorum import Quorum, commitment
from crypto.recipients import wrap
from crypto.shares import Share
from tests.support.bidders import DEADLINE, LOT, QUOTE, TENDER, Sealed, a_bidder, a_quorum, a_sealed_bid, an_officer
from tests.support.forge import put_together, take_apart

OFFICERS = [an_officer("解密员甲"), an_officer("解密员乙", Algorithm.RSA3072), an_officer("解密员丙")]
TRUSTEES = [an_officer("保管人甲"), an_officer("保管人乙")]
TENDERER, ESCROW = a_quorum(2, *OFFICERS), a_quorum(2, *TRUSTEES)


@pytest.fixture(scope="module")
def sealed() -> Sealed:
    return a_sealed_bid(
        b"method", commercial=(b"bill",), envelopes=2, bidder=a_bidder(), tenderer=TENDERER, escrow=ESCROW
    )


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(CryptoRefused) as refused:
        act()
    return refused.value.code


@pytest.mark.parametrize(("group", "part", "content"), [("A", "f1", b"method"), ("B", "f2", b"bill")])
def test_a_group_opens_with_both_keys_only(sealed: Sealed, group: str, part: str, content: bytes) -> None:
    found = envelope.check_sealed(sealed.file).container
    shares = [open_held(found.header, group, SlotRole.TENDERER, each) for each in OFFICERS[1:]]
    second = assemble_held(found.header, group, SlotRole.TENDERER, shares)
    first = envelope.unlock(found, group, sealed.bidder.encrypt)
    assert envelope.open_group(sealed.file, found, group, first, second).whole(part) == content

    def opening(*keys: bytes) -> str:
        return code_of(lambda: envelope.open_group(sealed.file, found, group, *keys))

    assert opening(first) == "second_key_missing"
    assert opening(first, first) == opening(second, second) == opening(second, first) == "commitment_mismatch"


def test_a_bid_without_a_tenderers_key_takes_none() -> None:
    plain = a_sealed_bid()
    found = envelope.read_header(plain.file)
    secret = envelope.unlock(found, "A", plain.bidder.encrypt)
    assert code_of(lambda: envelope.open_group(plain.file, found, "A", secret, secret)) == "commitment_mismatch"


def test_trustees_together_have_the_bidders_key_and_no_more(sealed: Sealed) -> None:
    found = envelope.read_header(sealed.file)
    shares = [open_held(found.header, "B", SlotRole.ESCROW, each) for each in TRUSTEES]
    secret = assemble_held(found.header, "B", SlotRole.ESCROW, shares)
    assert secret == envelope.unlock(found, "B", sealed.bidder.encrypt)
    assert code_of(lambda: envelope.open_group(sealed.file, found, "B", secret)) == "second_key_missing"


def test_a_published_part_key_opens_its_part_alone(sealed: Sealed) -> None:
    found = envelope.read_header(sealed.file)
    shares = [open_held(found.header, "B", SlotRole.TENDERER, each) for each in OFFICERS]
    opened = envelope.open_group(
        sealed.file,
        found,
        "B",
        envelope.unlock(found, "B", sealed.bidder.encrypt),
        assemble_held(found.header, "B", SlotRole.TENDERER, shares),
    )
    quote = found.header.part("quote")
    start = found.body + quote.off
    stream = sealed.data[start : start + quote.length]
    assert json.loads(envelope.open_published(found.header, "quote", opened.part_key("quote"), stream)) == QUOTE


def test_a_trustee_can_try_its_own_share_and_no_other(sealed: Sealed) -> None:
    header = envelope.read_header(sealed.file).header
    place = check_held(header, "A", SlotRole.ESCROW, TRUSTEES[1])
    assert (place.index, place.threshold, place.count) == (2, 2, 2)
    for stranger in (OFFICERS[0], sealed.bidder.encrypt):
        assert code_of(lambda s=stranger: check_held(header, "A", SlotRole.ESCROW, s)) == "wrong_recipient"  # type: ignore[misc]
    assert code_of(lambda: envelope.unlock(envelope.read_header(sealed.file), "A", TRUSTEES[0])) == "wrong_recipient"


def test_a_wrong_share_is_told_from_a_wrong_key(sealed: Sealed) -> None:
    header = envelope.read_header(sealed.file).header
    one, two, three = (open_held(header, "A", SlotRole.TENDERER, each) for each in OFFICERS)

    def together(*shares: Share) -> str:
        return code_of(lambda: assemble_held(header, "A", SlotRole.TENDERER, shares))

    assert together(one) == "too_few_shares"
    assert together() == "too_few_shares"
    assert together(one, Share(2, three.value)) == "share_mismatch"
    assert together(one, Share(2, two.value[:31])) == "share_mismatch"
    assert together(one, one) == "malformed_shares"
    assert together(one, Share(4, two.value)) == "malformed_shares"
    accept_held(header, "A", SlotRole.TENDERER, two)
    assert code_of(lambda: accept_held(header, "A", SlotRole.TENDERER, Share(1, two.value))) == "share_mismatch"
    assert code_of(lambda: accept_held(header, "A", SlotRole.TENDERER, Share(9, two.value))) == "malformed_shares"
    assert code_of(lambda: accept_held(header, "B", SlotRole.TENDERER, two)) == "share_mismatch"
    assert code_of(lambda: accept_held(header, "A", SlotRole.ESCROW, one)) == "share_mismatch"


def test_shares_that_do_not_belong_together_are_the_bidders_doing(sealed: Sealed) -> None:
    """Each is the committed one, signed by the bidder, and together they are not the key it committed to."""
    other = a_sealed_bid(bidder=sealed.bidder, tenderer=TENDERER)
    pieces = take_apart(other.data)
    pieces.header["groups"][0]["kct"] = "00" * 32
    header = resealed(pieces.header, pieces.body, other).header
    shares = [open_held(header, "A", SlotRole.TENDERER, each) for each in OFFICERS[:2]]
    assert code_of(lambda: assemble_held(header, "A", SlotRole.TENDERER, shares)) == "commitment_mismatch"
    crooked = crooked_sharing(other)
    three = [open_held(crooked, "A", SlotRole.TENDERER, each) for each in OFFICERS]
    assert code_of(lambda: assemble_held(crooked, "A", SlotRole.TENDERER, three)) == "commitment_mismatch"


def crooked_sharing(sealed: Sealed) -> Any:
    """A bid whose third share is rubbish, sealed and committed to like the others."""
    pieces = take_apart(sealed.data)
    found = envelope.read_header(sealed.file).header
    slot = pieces.header["groups"][0]["slots"][3]
    rubbish = Share(3, bytes(32))
    slot["data"] = b64u(wrap(OFFICERS[2].certificate, rubbish.value))
    slot["kcs"] = commitment(found.suite, found.context("A"), SlotRole.TENDERER.where, rubbish).hex()
    return resealed(pieces.header, pieces.body, sealed).header


def resealed(header: dict[str, Any], body: bytes, sealed: Sealed) -> envelope.Container:
    certificates = [sealed.bidder.encrypt.certificate, *TENDERER.certificates]
    changed = put_together(header, body, sealed.bidder.sign, certificates)
    return envelope.check_sealed(BytesIO(changed)).container


def test_a_slot_with_another_share_than_committed_to_is_seen_by_its_holder(sealed: Sealed) -> None:
    other = a_sealed_bid(bidder=sealed.bidder, tenderer=TENDERER)
    pieces = take_apart(other.data)
    pieces.header["groups"][0]["slots"][1]["data"] = b64u(wrap(OFFICERS[0].certificate, bytes(32)))
    header = resealed(pieces.header, pieces.body, other).header
    assert code_of(lambda: check_held(header, "A", SlotRole.TENDERER, OFFICERS[0])) == "share_mismatch"


def test_the_check_returns_who_holds_shares(sealed: Sealed) -> None:
    checked = envelope.check_sealed(sealed.file)
    assert checked.encrypted_to == (sealed.bidder.encrypt.certificate,)
    assert (checked.tenderer, checked.escrow) == (TENDERER.certificates, ESCROW.certificates)


def change(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def apply(group: dict[str, Any]) -> None:
        *steps, last = path.split(".")
        place: Any = group
        for step in steps:
            place = place[int(step)] if step.isdigit() else place[step]
        if value is ...:
            del place[last]
        else:
            place[last] = value

    return apply


def reorder(*order: int) -> Callable[[dict[str, Any]], None]:
    def apply(group: dict[str, Any]) -> None:
        group["slots"] = [group["slots"][number] for number in order]

    return apply


@pytest.mark.parametrize(
    "spoil",
    [
        change("kct", None),
        change("kct", "00" * 31),
        change("slots.1.role", "host"),
        change("slots.1.role", "bidder"),
        change("slots.0.role", "tenderer"),
        change("slots.0.i", 1),
        change("slots.1.i", 2),
        change("slots.1.i", 0),
        change("slots.1.i", True),
        change("slots.1.i", ...),
        change("slots.1.t", 3),
        change("slots.1.t", 0),
        change("slots.1.n", 2),
        change("slots.1.n", 17),
        change("slots.1.kcs", ...),
        change("slots.1.kcs", "AB" * 32),
        change("slots.1.fmt", "hpke"),
        change("slots.1.extra", 1),
        change("slots.4.t", 1),
        reorder(0, 2, 1, 3, 4, 5),
        reorder(1, 2, 3, 0, 4, 5),
        reorder(0, 4, 5, 1, 2, 3),
        reorder(0, 1, 2, 4, 5),
        reorder(0, 4, 5),
        reorder(1, 2, 3, 4, 5),
        reorder(0, 1, 2, 3, 4),
    ],
)
def test_a_layer_in_another_form_is_refused(sealed: Sealed, spoil: Callable[[dict[str, Any]], None]) -> None:
    pieces = take_apart(sealed.data)
    spoil(pieces.header["groups"][0])
    certificates = [sealed.bidder.encrypt.certificate, *TENDERER.certificates, *ESCROW.certificates]
    changed = put_together(pieces.header, pieces.body, sealed.bidder.sign, certificates)
    assert code_of(lambda: envelope.check_sealed(BytesIO(changed))) == "malformed_header"


def test_two_shares_for_one_certificate_are_refused(sealed: Sealed) -> None:
    pieces = take_apart(sealed.data)
    slots = pieces.header["groups"][0]["slots"]
    slots[2]["cert"], slots[2]["data"] = slots[1]["cert"], slots[1]["data"]
    certificates = [sealed.bidder.encrypt.certificate, *TENDERER.certificates, *ESCROW.certificates]
    changed = put_together(pieces.header, pieces.body, sealed.bidder.sign, certificates)
    assert code_of(lambda: envelope.check_sealed(BytesIO(changed))) == "malformed_header"


def test_the_declaration_carries_the_holders_certificates_and_no_others(sealed: Sealed) -> None:
    pieces = take_apart(sealed.data)
    all_of_them = [sealed.bidder.encrypt.certificate, *TENDERER.certificates, *ESCROW.certificates]
    stranger = a_bidder("另一家有限公司").encrypt.certificate
    for certificates in (all_of_them[:-1], [*all_of_them, stranger]):
        changed = put_together(pieces.header, pieces.body, sealed.bidder.sign, certificates)
        assert code_of(lambda c=changed: envelope.check_sealed(BytesIO(c))) == "wrong_certificate"  # type: ignore[misc]


def test_a_holders_slot_for_somebody_else_is_refused(sealed: Sealed) -> None:
    pieces = take_apart(sealed.data)
    pieces.header["groups"][0]["slots"][4]["data"] = b64u(wrap(OFFICERS[0].certificate, bytes(32)))
    certificates = [sealed.bidder.encrypt.certificate, *TENDERER.certificates, *ESCROW.certificates]
    changed = put_together(pieces.header, pieces.body, sealed.bidder.sign, certificates)
    assert code_of(lambda: envelope.check_sealed(BytesIO(changed))) == "wrong_recipient"


def test_a_flipped_bit_anywhere_in_the_layers_is_refused(sealed: Sealed) -> None:
    found = envelope.read_header(sealed.file)
    front = found.body
    for place in [*range(0, front, 31), *range(found.total_len, found.length, 31)]:
        changed = bytearray(sealed.data)
        changed[place] ^= 1 << place % 8
        with pytest.raises(CryptoRefused):
            envelope.check_sealed(BytesIO(bytes(changed)))


@pytest.mark.slow
@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_of_a_bid_with_layers_is_refused(bit: int) -> None:
    data = a_sealed_bid(tenderer=a_quorum(1, OFFICERS[0]), escrow=a_quorum(1, TRUSTEES[0])).data
    changed = bytearray(data)
    for place in range(len(data)):
        changed[place] ^= 1 << bit
        with pytest.raises(CryptoRefused):
            envelope.check_sealed(BytesIO(bytes(changed)))
        changed[place] ^= 1 << bit


def test_shares_are_not_sealed_to_a_signing_certificate() -> None:
    wrong = Quorum(threshold=1, certificates=(a_bidder().sign.certificate,))
    bidder = a_bidder()

    def seal(**quorums: Quorum) -> None:
        envelope.seal(
            BytesIO(),
            tender=TENDER,
            lot=LOT,
            deadline=DEADLINE,
            quote=QUOTE,
            signer=bidder.sign,
            encrypt_to=[bidder.encrypt.certificate],
            **quorums,
        )

    assert code_of(lambda: seal(tenderer=wrong)) == "wrong_key_usage"
    assert code_of(lambda: seal(escrow=wrong)) == "wrong_key_usage"


@pytest.mark.parametrize("threshold", [0, 2])
def test_a_quorum_cannot_ask_for_none_or_for_more_than_it_has(threshold: int) -> None:
    assert code_of(lambda: a_quorum(threshold, OFFICERS[0])) == "malformed_shares"
    assert code_of(lambda: a_quorum(1, OFFICERS[0], OFFICERS[0])) == "malformed_shares"
