"""A bidder may not choose its price after hearing the others: the attack, and what stops it."""

from io import BytesIO

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto import envelope, release
from crypto.chunked import COBBLESTONE_256, derive
from crypto.encoding import canonical
from crypto.errors import ReleaseRefused, SealedBidRefused
from crypto.header import parse as parse_header
from crypto.keys import GroupKey
from crypto.suites import INTL_1
from tests.support.bidders import Sealed, a_bidder, a_sealed_bid
from tests.support.forge import put_together, take_apart
from tests.support.two_prices import TwoPrices, two_price_ciphertext

HIGH, LOW = b"PRICE=1000000", b"PRICE=0870000"
NONCE = "7a" * 32


def test_plain_gcm_takes_one_ciphertext_under_two_keys() -> None:
    attack = two_price_ciphertext((HIGH, LOW))
    assert len(attack.ciphertext) == 64
    for key, nonce, text in zip(attack.keys, attack.nonces, attack.texts, strict=True):
        assert text in AESGCM(key).decrypt(nonce, attack.ciphertext, None)


def test_the_attack_is_no_accident_of_the_tag() -> None:
    attack = two_price_ciphertext((HIGH, LOW))
    changed = attack.ciphertext[:-1] + bytes([attack.ciphertext[-1] ^ 1])
    with pytest.raises(InvalidTag):
        AESGCM(attack.keys[1]).decrypt(attack.nonces[1], changed, None)


class CheatingBid:
    """A genuine, signed bid whose file f1 reads HIGH under the first key and LOW under the second."""

    def __init__(self) -> None:
        bidder = a_bidder()
        honest = a_sealed_bid(bytes(48), bidder=bidder)
        pieces = take_apart(honest.data)
        header = parse_header(canonical(pieces.header))
        secrets = (
            envelope.unlock(envelope.read_header(honest.file), "A", bidder.encrypt),
            bytes(range(32)),
        )
        keys = [GroupKey(suite=INTL_1, context=header.context("A"), secret=secret) for secret in secrets]
        part = header.part("f1")
        salt = part.head[:24]
        streams = [derive(COBBLESTONE_256, key.part_key("f1"), salt, key.part_context("f1")) for key in keys]
        self.attack: TwoPrices = two_price_ciphertext(
            (HIGH, LOW),
            (streams[0].key, streams[1].key),
            (streams[0].nonce(0), streams[1].nonce(0)),
        )
        body = bytearray(pieces.body)
        start = part.off + 56
        body[start : start + 64] = self.attack.ciphertext
        self.secrets = secrets
        self.bidder = bidder
        self.data = self._signed(pieces.header, bytes(body))
        # The same with the second key's group commitment: then only the part's own commitment is left to notice.
        pieces.header["groups"][0]["kcb"] = keys[1].commitment.hex()
        self.data_for_second = self._signed(pieces.header, bytes(body))

    def _signed(self, header: dict[str, object], body: bytes) -> bytes:
        return put_together(header, body, self.bidder.sign, [self.bidder.encrypt.certificate])


@pytest.fixture(scope="module")
def cheat() -> CheatingBid:
    return CheatingBid()


def test_the_cheating_bid_passes_every_check_without_keys(cheat: CheatingBid) -> None:
    envelope.check_sealed(BytesIO(cheat.data))


def test_its_chunk_is_valid_under_both_keys(cheat: CheatingBid) -> None:
    for key, nonce, text in zip(cheat.attack.keys, cheat.attack.nonces, (HIGH, LOW), strict=True):
        assert text in AESGCM(key).decrypt(nonce, cheat.attack.ciphertext, None)


def test_the_committed_key_opens_the_first_price(cheat: CheatingBid) -> None:
    file = BytesIO(cheat.data)
    opened = envelope.open_group(file, envelope.read_header(file), "A", cheat.secrets[0])
    assert HIGH in opened.whole("f1")


def test_the_second_key_is_refused_before_anything_is_decrypted(cheat: CheatingBid) -> None:
    file = BytesIO(cheat.data)
    with pytest.raises(SealedBidRefused) as refused:
        envelope.open_group(file, envelope.read_header(file), "A", cheat.secrets[1])
    assert refused.value.code == "commitment_mismatch"


def test_the_second_key_is_refused_by_the_part_where_the_group_commits_to_it(cheat: CheatingBid) -> None:
    file = BytesIO(cheat.data_for_second)
    opened = envelope.open_group(file, envelope.read_header(file), "A", cheat.secrets[1])
    with pytest.raises(SealedBidRefused) as refused:
        opened.whole("f1")
    assert refused.value.code == "commitment_mismatch"


def test_the_second_key_cannot_be_released(cheat: CheatingBid) -> None:
    container = envelope.read_header(BytesIO(cheat.data))
    session_key = release.new_session_key()
    with pytest.raises(SealedBidRefused) as refused:
        release.make_release(
            container,
            "A",
            cheat.secrets[1],
            session="S-1",
            session_key=session_key.public_key(),
            nonce=NONCE,
            signer=cheat.bidder.sign,
        )
    assert refused.value.code == "commitment_mismatch"


@pytest.mark.parametrize("lie_about_commitment", [False, True])
def test_a_forged_release_of_the_second_key_is_refused(cheat: CheatingBid, *, lie_about_commitment: bool) -> None:
    """The bidder's own program is under its control: the receiver must notice by itself."""
    container = envelope.read_header(BytesIO(cheat.data))
    session_key = release.new_session_key()
    second = GroupKey(suite=INTL_1, context=container.header.context("A"), secret=cheat.secrets[1])
    kcb = container.header.group("A").kcb if lie_about_commitment else second.commitment
    info = release._info("S-1", "A", container.header_sha256, NONCE)
    payload = {
        "v": 1,
        "session": "S-1",
        "group": "A",
        "header_sha256": container.header_sha256,
        "nonce": NONCE,
        "kcb": kcb.hex(),
        "hpke": release.b64u(release.HPKE.encrypt(cheat.secrets[1], session_key.public_key(), info)),
    }
    with pytest.raises(ReleaseRefused) as refused:
        release.open_release(
            release.signing.sign(payload, "release", cheat.bidder.sign),
            header=container.header,
            header_sha256=container.header_sha256,
            group="A",
            session="S-1",
            session_key=session_key,
            nonce=NONCE,
            certificate=cheat.bidder.sign.certificate,
        )
    assert refused.value.code == "commitment_mismatch"


def test_a_wrong_key_for_an_honest_bid_is_refused_the_same_way() -> None:
    sealed: Sealed = a_sealed_bid(b"honest")
    with pytest.raises(SealedBidRefused) as refused:
        envelope.open_group(sealed.file, envelope.read_header(sealed.file), "A", bytes(32))
    assert refused.value.code == "commitment_mismatch"
