"""What is sealed is what is opened, for any content, in any part of it."""

import subprocess
import sys
import textwrap
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import envelope
from crypto.authority import Algorithm
from crypto.chunked import sealed_length
from crypto.envelope import Source
from crypto.errors import CryptoRefused, SealedBidRefused, SlotRefused
from crypto.opening import OpenedGroup
from tests.support.bidders import DEADLINE, LOT, QUOTE, TENDER, Sealed, a_bidder, a_sealed_bid

SIZES = st.one_of(st.integers(0, 200), st.sampled_from([16_383, 16_384, 16_385, 32_768, 40_000]))


def opened(sealed: Sealed, group: str = "A") -> OpenedGroup:
    container = envelope.check_sealed(sealed.file).container
    secret = envelope.unlock(container, group, sealed.bidder.encrypt)
    return envelope.open_group(sealed.file, container, group, secret)


def content(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(SIZES, max_size=4),
    price=st.from_regex(r"[1-9][0-9]{0,9}\.[0-9]{2}", fullmatch=True),
    tender=st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=60),
)
def test_any_bid_opens_to_what_was_sealed(sizes: list[int], price: str, tender: str) -> None:
    sealed = a_sealed_bid(*map(content, sizes), quote={"price": price}, tender=tender)
    group = opened(sealed)
    assert group.quote() == {"price": price}
    for part, plain in sealed.files.items():
        pieces: list[bytes] = []
        group.copy(part, lambda piece, pieces=pieces: pieces.append(bytes(piece)))  # type: ignore[misc]
        assert b"".join(pieces) == plain
    assert list(group.names()) == list(sealed.files)


@settings(max_examples=60, deadline=None)
@given(size=SIZES, offset=st.integers(0, 45_000), length=st.integers(0, 45_000))
def test_any_range_reads_what_a_slice_would(size: int, offset: int, length: int) -> None:
    sealed = whole_file(size)
    assert opened(sealed).part("f1").read(offset, length) == content(size)[offset : offset + length]


_SEALED: dict[int, Sealed] = {}


def whole_file(size: int) -> Sealed:
    if size not in _SEALED:
        _SEALED[size] = a_sealed_bid(content(size))
    return _SEALED[size]


def test_a_negative_range_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="negative"):
        opened(whole_file(10)).part("f1").read(-1, 5)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_two_envelopes_have_two_keys(algorithm: Algorithm) -> None:
    sealed = a_sealed_bid(b"method", commercial=(b"bill",), envelopes=2, bidder=a_bidder(algorithm=algorithm))
    technical, commercial = opened(sealed, "A"), opened(sealed, "B")
    assert technical.whole("f1") == b"method"
    assert (commercial.quote(), commercial.whole("f2")) == (QUOTE, b"bill")
    with pytest.raises(SealedBidRefused) as refused:
        envelope.open_group(sealed.file, commercial.container, "B", technical.key.secret)
    assert refused.value.code == "commitment_mismatch"
    with pytest.raises(SealedBidRefused) as elsewhere:
        technical.whole("quote")
    assert elsewhere.value.code == "no_such_part"


def test_every_recipient_gets_the_same_key() -> None:
    one, other = a_bidder(), a_bidder(algorithm=Algorithm.RSA3072)
    assert one.id == other.id
    out = BytesIO()
    envelope.seal(
        out,
        tender=TENDER,
        lot=LOT,
        deadline=DEADLINE,
        quote=QUOTE,
        signer=one.sign,
        encrypt_to=[one.encrypt.certificate, other.encrypt.certificate],
    )
    container = envelope.check_sealed(out).container
    assert envelope.unlock(container, "A", one.encrypt) == envelope.unlock(container, "A", other.encrypt)


def test_another_bidders_key_finds_no_slot() -> None:
    container = envelope.read_header(a_sealed_bid().file)
    with pytest.raises(SlotRefused) as refused:
        envelope.unlock(container, "A", a_bidder("另一家有限公司").encrypt)
    assert refused.value.code == "wrong_recipient"


def test_sealing_to_somebody_elses_certificate_is_refused() -> None:
    one, other = a_bidder(), a_bidder("另一家有限公司")
    assert seal_refused(signer=one.sign, encrypt_to=[other.encrypt.certificate]) == "pair_mismatch"
    assert seal_refused(signer=one.sign, encrypt_to=[one.sign.certificate]) == "wrong_key_usage"
    assert seal_refused(signer=one.sign, encrypt_to=[]) == "malformed_header"


@pytest.mark.parametrize("stated", [3, 5])
def test_a_file_that_changes_while_it_is_sealed_is_refused(stated: int) -> None:
    source = Source(name="a", media="text/plain", stream=BytesIO(b"1234"), size=stated)
    assert seal_refused(files=[source]) == "source_changed"


def test_what_we_would_not_read_we_do_not_write() -> None:
    def source(**changed: str) -> Source:
        fields = {"name": "a", "media": "text/plain", "group": "A"} | changed
        return Source(stream=BytesIO(b""), size=0, **fields)

    assert seal_refused(files=[source(media="Text/Plain")]) == "malformed_header"
    assert seal_refused(files=[source(group="B")]) == "no_such_part"
    assert seal_refused(files=[source()] * 200) == "malformed_header"
    assert seal_refused(envelopes=2) == "malformed_header"
    assert seal_refused(tender="") == "malformed_field"
    assert seal_refused(deadline="2026-11-21") == "malformed_field"
    assert seal_refused(quote={"price": 1.5}) == "malformed_json"
    assert seal_refused(quote={"x": "y" * 70_000}) == "too_large"


def seal_refused(**changed: object) -> str:
    fields: dict[str, object] = {
        "tender": TENDER,
        "lot": LOT,
        "deadline": DEADLINE,
        "quote": QUOTE,
        "signer": a_bidder().sign,
        "encrypt_to": [a_bidder().encrypt.certificate],
    }
    with pytest.raises(CryptoRefused) as refused:
        envelope.seal(BytesIO(), **(fields | changed))  # type: ignore[arg-type]
    return refused.value.code


def test_names_are_sealed_and_not_in_the_header() -> None:
    sealed = a_sealed_bid(b"x")
    assert "文件1.pdf" in opened(sealed).names().values()
    assert "文件1" not in sealed.bid.header.encode().decode()


def test_one_part_opens_with_its_published_key_alone() -> None:
    sealed = a_sealed_bid(b"secret method")
    group = opened(sealed)
    header, key = group.container.header, group.part_key("quote")
    part = header.part("quote")
    start = group.container.body + part.off
    stream = sealed.data[start : start + part.length]
    assert envelope.open_published(header, "quote", key, stream) == group.whole("quote")
    with pytest.raises(SealedBidRefused) as another_key:
        envelope.open_published(header, "quote", group.part_key("f1"), stream)
    assert another_key.value.code == "commitment_mismatch"
    with pytest.raises(SealedBidRefused) as another_stream:
        envelope.open_published(header, "quote", key, stream[:-1])
    assert another_stream.value.code == "commitment_mismatch"


@pytest.mark.parametrize("size", [0, 1, 16_383, 16_384, 16_385, 100_000])
def test_a_parts_length_follows_from_its_plain_length(size: int) -> None:
    assert sealed_length(size) == 56 + size + 16 * (size // 16_384 + 1)


@pytest.mark.slow
def test_a_large_bid_is_sealed_checked_and_opened_in_little_memory() -> None:
    """256 MiB through every step in a process of its own; the format promises 64 MiB above what it starts with."""
    script = textwrap.dedent("""
        import io, resource, sys, tempfile
        from crypto import envelope
        from tests.support.bidders import a_bidder, DEADLINE, LOT, QUOTE, TENDER

        class Zeros(io.RawIOBase):
            def __init__(self, size): self.left = size
            def readable(self): return True
            def readinto(self, buffer):
                size = min(len(buffer), self.left); self.left -= size
                return size

        size = int(sys.argv[1]) << 20
        bidder = a_bidder()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with tempfile.TemporaryFile() as file:
            envelope.seal(file, tender=TENDER, lot=LOT, deadline=DEADLINE, quote=QUOTE, signer=bidder.sign,
                          encrypt_to=[bidder.encrypt.certificate],
                          files=[envelope.Source(name="a", media="a/b", stream=Zeros(size), size=size)])
            container = envelope.check_sealed(file).container
            group = envelope.open_group(file, container, "A", envelope.unlock(container, "A", bidder.encrypt))
            done = 0
            def count(piece):
                global done
                done += len(piece)
            group.copy("f1", count)
        assert done == size
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """)
    done = subprocess.run([sys.executable, "-c", script, "256"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 64
