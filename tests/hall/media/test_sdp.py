"""Offers as browsers write them, and as nobody should: what is read of them, and what is answered."""

import contextlib
from ipaddress import ip_address

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given
from hypothesis import strategies as st

from hall.media.edge.keyframes import Video
from hall.media.edge.sdp import ABS_SEND_TIME, Kind, Own, SdpRefused, choose, read_offer, write_answer
from tests.support.offers import FINGERPRINT, OFFER

OWN = Own(
    fragment="edge",
    password="p" * 24,
    fingerprints=(("sha-256", FINGERPRINT),),
    addresses=(ip_address("203.0.113.7"), ip_address("2001:db8::7")),
    port=8189,
)


def test_an_offer_of_chromium_is_read() -> None:
    offer = read_offer(OFFER)
    audio, video = offer.section(Kind.AUDIO), offer.section(Kind.VIDEO)
    assert audio is not None
    assert video is not None
    assert (offer.fragment, offer.password) == ("EsAw", "bP+XJMM09aR8AiX1jdukzR6Y")
    assert offer.fingerprints == (("sha-256", FINGERPRINT),)
    assert (audio.mid, audio.sends, audio.receives, audio.streams) == ("0", True, False, (1001,))
    assert (video.streams, video.repairs, video.extensions) == ((2001, 2002), {2002: 2001}, {ABS_SEND_TIME: 2})


@pytest.mark.parametrize(("video", "number", "repair"), [(Video.H264, 108, 109), (Video.VP8, 96, 97)])
def test_the_codec_of_the_hall_is_chosen_with_its_retransmissions(video: Video, number: int, repair: int) -> None:
    section = read_offer(OFFER).section(Kind.VIDEO)
    assert section is not None
    chosen = choose(section, video)
    assert chosen is not None
    assert chosen.repair is not None
    assert (chosen.codec.number, chosen.repair.number) == (number, repair)


def test_another_implementation_reads_the_answer_and_finds_both_ways_to_the_one_port() -> None:
    offer = read_offer(OFFER)
    chosen = {s.mid: c for s in offer.sections if (c := choose(s, Video.H264)) is not None}
    text = write_answer(offer, chosen, OWN, start_kbit=1200)
    read = SessionDescription.parse(text)
    audio, video = read.media
    assert (audio.direction, video.direction) == ("recvonly", "recvonly")
    assert [codec.payloadType for codec in video.rtp.codecs] == [108, 109]
    assert video.rtp.codecs[0].parameters["x-google-start-bitrate"] == "1200"
    assert video.dtls is not None
    assert video.dtls.role == "server"
    assert video.ice.iceLite
    ways = [(each.protocol, each.ip, each.port, each.tcpType) for each in video.ice_candidates]
    assert ways == [
        (protocol, address, 8189, kind)
        for address in ("203.0.113.7", "2001:db8::7")
        for protocol, kind in (("udp", None), ("tcp", "passive"))
    ]
    assert len({each.priority for each in video.ice_candidates}) == 4


def test_a_section_of_something_else_is_refused_and_the_rest_is_taken() -> None:
    text = OFFER + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n"
    offer = read_offer(text.replace("BUNDLE 0 1", "BUNDLE 0 1 2"))
    chosen = {s.mid: c for s in offer.sections if (c := choose(s, Video.H264)) is not None}
    answer = write_answer(offer, chosen, OWN)
    assert "a=group:BUNDLE 0 1\r\n" in answer
    assert "m=application 0 UDP/DTLS/SCTP webrtc-datachannel" in answer


def test_candidates_are_not_even_read() -> None:
    strange = "".join(
        f"a=candidate:{n} 1 udp 2130706431 {place} {n % 65536} typ host\r\n"
        for n, place in enumerate(["169.254.169.254", "10.0.0.1", "[::1]", "x.local", "\\", ""] * 170)
    )
    assert read_offer(OFFER + strange) == read_offer(OFFER)
    with pytest.raises(SdpRefused):
        read_offer(OFFER + strange * 2)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v=0", "v=1"),
        ("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"),
        ("a=mid:1", "a=mid:0"),
        ("a=setup:actpass", "a=setup:passive"),
        ("a=ice-pwd", "a=ice-pass"),
        ("a=fingerprint:sha-256", "a=fingerprint:md5"),
        (FINGERPRINT, "AB:CD"),
        ("a=rtcp-mux", "a=rtcp-mix"),
        ("UDP/TLS/RTP/SAVPF 111", "RTP/AVP 111"),
        ("SAVPF 111", "SAVPF x"),
        ("SAVPF 111", "SAVPF 99999999999999999999"),
        ("opus/48000", "opus/many"),
        ("FID 2001", "FID -1"),
        ("minptime=10", "minptime=\x00"),
        ("EsAw", "Es Aw"),
        ("t=0 0\r\n", "t=0 0\r\n" * 5000),
        ("s=-", "s=" + "x" * 70_000),
    ],
)
def test_an_offer_that_is_bent_is_refused(old: str, new: str) -> None:
    assert old in OFFER
    with pytest.raises(SdpRefused):
        read_offer(OFFER.replace(old, new))


def test_an_offer_without_the_codec_of_the_hall_has_none() -> None:
    section = read_offer(OFFER.replace("VP8/90000", "AV1/90000")).section(Kind.VIDEO)
    assert section is not None
    assert choose(section, Video.VP8) is None


@given(st.lists(st.sampled_from([*OFFER.split("\r\n"), "m=", "m=video", "a=mid:", "a=ssrc:1", "\x00", "a=rtpmap:1"])))
def test_lines_in_any_order_are_read_or_refused(lines: list[str]) -> None:
    with contextlib.suppress(SdpRefused):
        read_offer("\r\n".join(["v=0", *lines]))
