"""Every damage to a sealed bid is refused, at intake or at the latest when it is opened."""

from collections.abc import Iterator
from io import BytesIO

import pytest

from crypto import envelope
from crypto.errors import CryptoRefused, SealedBidRefused
from tests.support.bidders import Sealed, a_bidder, a_sealed_bid
from tests.support.forge import close, declare, front, put_together, take_apart


@pytest.fixture(scope="module")
def sealed() -> Sealed:
    return a_sealed_bid()


def take_in(data: bytes) -> None:
    envelope.check_sealed(BytesIO(data))


def flips(data: bytes, bits: range) -> Iterator[bytes]:
    changed = bytearray(data)
    for place in range(len(data)):
        for bit in bits:
            changed[place] ^= 1 << bit
            yield bytes(changed)
            changed[place] ^= 1 << bit


def assert_all_refused(variants: Iterator[bytes]) -> int:
    count = 0
    for count, changed in enumerate(variants, 1):  # noqa: B007
        with pytest.raises(CryptoRefused) as refused:
            take_in(changed)
        assert refused.value.code
    return count


def test_one_flipped_bit_in_any_byte_is_refused(sealed: Sealed) -> None:
    assert assert_all_refused(flips(sealed.data, range(3, 4))) == len(sealed.data)


@pytest.mark.slow
def test_every_flipped_bit_is_refused(sealed: Sealed) -> None:
    assert assert_all_refused(flips(sealed.data, range(8))) == 8 * len(sealed.data)


def test_truncation_anywhere_is_refused(sealed: Sealed) -> None:
    assert_all_refused(sealed.data[:end] for end in range(0, len(sealed.data), 7))


def test_appended_bytes_are_refused(sealed: Sealed) -> None:
    for extra in (b"\x00", b"SBIDEND1", sealed.data):
        with pytest.raises(SealedBidRefused) as refused:
            take_in(sealed.data + extra)
        assert refused.value.code == "wrong_sizes"


def test_a_large_body_is_guarded_in_every_segment() -> None:
    big = a_sealed_bid(bytes(9 * 1024 * 1024))
    body = envelope.read_header(big.file).body
    take_in(big.data)
    for place in (body + 100, body + 4_300_000, body + 9_000_000):
        changed = bytearray(big.data)
        changed[place] ^= 0x40
        with pytest.raises(SealedBidRefused) as refused:
            take_in(bytes(changed))
        assert refused.value.code in {"wrong_segments", "commitment_mismatch"}


def test_reordered_chunks_signed_as_they_are_do_not_open() -> None:
    sealed = a_sealed_bid(bytes(range(256)) * 192)
    pieces = take_apart(sealed.data)
    part = sealed.bid.header.part("f1")
    first, second = part.off + 56, part.off + 56 + 16_400
    body = pieces.body
    swapped = body[:first] + body[second : second + 16_400] + body[first:second] + body[second + 16_400 :]
    changed = put_together(pieces.header, swapped, sealed.bidder.sign, [sealed.bidder.encrypt.certificate])
    checked = envelope.check_sealed(BytesIO(changed))
    secret = envelope.unlock(checked.container, "A", sealed.bidder.encrypt)
    opened = envelope.open_group(BytesIO(changed), checked.container, "A", secret)
    with pytest.raises(SealedBidRefused) as refused:
        opened.whole("f1")
    assert refused.value.code == "damaged_part"


def test_bodies_swapped_between_two_bidders_are_refused() -> None:
    one, other = a_sealed_bid(b"one"), a_sealed_bid(b"two", bidder=a_bidder("另一家有限公司"))
    mine, theirs = take_apart(one.data), take_apart(other.data)
    with pytest.raises(SealedBidRefused) as refused:
        take_in(close(front(mine.header, theirs.body), mine.declaration))
    assert refused.value.code == "commitment_mismatch"


def test_headers_swapped_between_two_bids_of_one_bidder_are_refused() -> None:
    one, other = take_apart(a_sealed_bid(b"one").data), take_apart(a_sealed_bid(b"two").data)
    with pytest.raises(SealedBidRefused) as refused:
        take_in(close(front(other.header, one.body), one.declaration))
    assert refused.value.code == "wrong_header"


def test_another_bidders_file_cannot_be_handed_in_as_ones_own() -> None:
    """Signed again by the copier: the header still names the bidder it was stolen from."""
    stolen, thief = a_sealed_bid(b"good ideas"), a_bidder("另一家有限公司")
    pieces = take_apart(stolen.data)
    pieces.header["sig_cert"] = envelope.fingerprint(thief.sign.certificate).hex()
    certificates = [stolen.bidder.encrypt.certificate]
    with pytest.raises(SealedBidRefused) as refused:
        take_in(put_together(pieces.header, pieces.body, thief.sign, certificates))
    assert refused.value.code == "wrong_certificate"
    pieces.header["bidder"] = thief.id
    retitled = put_together(pieces.header, pieces.body, thief.sign, certificates)
    take_in(retitled)  # well-formed, but its keys are bound to the name that was taken off:
    container = envelope.read_header(BytesIO(retitled))
    with pytest.raises(SealedBidRefused) as unusable:
        envelope.unlock(container, "A", stolen.bidder.encrypt)
    assert unusable.value.code == "commitment_mismatch"


def test_slots_swapped_between_two_bidders_are_refused() -> None:
    mine, theirs = a_sealed_bid(), a_sealed_bid(bidder=a_bidder("另一家有限公司"))
    pieces, alien = take_apart(mine.data), take_apart(theirs.data)
    pieces.header["groups"][0]["slots"] = alien.header["groups"][0]["slots"]
    with pytest.raises(SealedBidRefused) as refused:
        take_in(put_together(pieces.header, pieces.body, mine.bidder.sign, [mine.bidder.encrypt.certificate]))
    assert refused.value.code == "wrong_certificate"


def test_a_declaration_of_an_earlier_version_of_the_bid_is_refused() -> None:
    earlier, later = take_apart(a_sealed_bid(b"v1").data), take_apart(a_sealed_bid(b"v2").data)
    with pytest.raises(SealedBidRefused) as refused:
        take_in(close(front(later.header, later.body), earlier.declaration))
    assert refused.value.code == "wrong_header"


def test_a_non_critical_member_that_was_signed_is_ignored(sealed: Sealed) -> None:
    pieces = take_apart(sealed.data)
    pieces.header["x-note"] = {"anything": [1]}
    pieces.header["parts"][0]["x-page"] = 3
    certificates = [sealed.bidder.encrypt.certificate]
    take_in(put_together(pieces.header, pieces.body, sealed.bidder.sign, certificates))


def test_a_refusal_does_not_say_which_byte(sealed: Sealed) -> None:
    last = envelope.read_header(sealed.file).total_len - 1
    said = set()
    for place in range(last - 30, last):
        changed = bytearray(sealed.data)
        changed[place] ^= 1
        with pytest.raises(SealedBidRefused) as refused:
            take_in(bytes(changed))
        said.add(str(refused.value))
    assert len(said) == 1


def test_what_the_check_returns_is_what_was_sealed(sealed: Sealed) -> None:
    checked = envelope.check_sealed(sealed.file)
    assert checked.container.header_sha256 == sealed.bid.header_sha256
    assert checked.container.declaration_sha256 == sealed.bid.declaration_sha256
    assert (checked.root, checked.container.length) == (sealed.bid.root, sealed.bid.length)
    assert checked.encrypted_to == (sealed.bidder.encrypt.certificate,)
    assert checked.declaration.signer == sealed.bidder.sign.certificate


def test_a_genuine_declaration_is_refused_for_a_longer_file(sealed: Sealed) -> None:
    pieces = take_apart(sealed.data)
    certificates = [sealed.bidder.encrypt.certificate]
    signed = declare(pieces.header, pieces.body, sealed.bidder.sign, certificates, total_len=1)
    with pytest.raises(SealedBidRefused) as refused:
        take_in(close(front(pieces.header, pieces.body), signed))
    assert refused.value.code == "wrong_sizes"
