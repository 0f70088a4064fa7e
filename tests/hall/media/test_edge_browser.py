"""A real Chromium sends to the edge and watches it: both codecs, both ways in, a change of the floor, loss."""

from __future__ import annotations

import asyncio

import pytest

from hall.media.edge.edge import Change
from hall.media.edge.keyframes import Video
from hall.media.edge.sdp import Kind
from hall.media.port.engine import Show, Source
from tests.support.media import SESSION, Stage, a_page, a_studio, an_edge, carried_by, decoded
from web.bench.air.lossy import LossyNetwork

HOST, BIDDER = Source("host"), Source("bidder:a")

ON_THE_WAY = 15
"""Pictures, a second of them at most, that may be sent and not decoded yet when both are counted."""

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.mark.parametrize(("video", "mime"), [(Video.H264, "video/H264"), (Video.VP8, "video/VP8")])
async def test_what_the_host_sends_is_seen_over_udp_and_over_tcp(video: Video, mime: str) -> None:
    async with a_studio() as browser, an_edge(video) as stage:
        host, seat = await a_page(browser), await a_page(browser)
        await stage.publish(host, "camera", HOST)
        for way in ("udp", "tcp"):
            await stage.watch(seat, way, Show.FLOOR, only=way)
            seen = await decoded(seat, way, 20)
            assert (seen["codec"], seen["protocol"]) == (mime, way)
            assert seen["sound"] > 0
        assert stage.edge.sources(SESSION) == [HOST]
        assert stage.on_air


async def test_a_host_whose_network_lets_no_udp_through_sends_over_tcp() -> None:
    async with a_studio() as browser, an_edge() as stage:
        host, seat = await a_page(browser), await a_page(browser)
        await stage.publish(host, "camera", HOST, only="tcp")
        await stage.watch(seat, "floor", Show.FLOOR, only="tcp")
        assert (await decoded(seat, "floor", 20))["protocol"] == "tcp"
        assert await carried_by(host, "camera") == "tcp"


async def on_air(stage: Stage, source: Source) -> None:
    """Wait until ``source`` is what viewers see."""
    stream = stage.edge._rooms[SESSION].channels[Show.FLOOR].streams[Kind.VIDEO]
    while stream.on_air != source:  # noqa: ASYNC110 - a camera's next keyframe
        await asyncio.sleep(0.05)


async def test_the_floor_changes_without_a_freeze_and_falls_back_to_the_host() -> None:
    """Two sizes, one stream: the old picture stays until the new one has begun, and goes on at every viewer.

    A viewer that froze would miss pictures that were sent, and ask for a new beginning.
    """
    async with a_studio() as browser, an_edge() as stage:
        host, bidder, seat = [await a_page(browser) for _ in range(3)]
        await stage.publish(host, "camera", HOST)
        await stage.publish(bidder, "camera", BIDDER, width=960, height=540)
        await stage.watch(seat, "floor", Show.FLOOR)
        before, sent = await decoded(seat, "floor", 10), stage.counting(Show.FLOOR)
        for source in (BIDDER, HOST, BIDDER):
            await stage.edge.select(SESSION, source)
            await on_air(stage, source)
            after = await decoded(seat, "floor", 10)
        assert after["framesDecoded"] - before["framesDecoded"] > sent.pictures - ON_THE_WAY
        assert after["pliCount"] == before["pliCount"]
        await stage.edge.end(SESSION, BIDDER)
        await on_air(stage, HOST)
        await decoded(seat, "floor", 10)


async def test_three_packets_lost_of_a_hundred_are_sent_again_and_the_picture_goes_on() -> None:
    async with a_studio() as browser, an_edge() as stage:
        host, seat = await a_page(browser), await a_page(browser)
        await stage.publish(host, "camera", HOST)
        network = LossyNetwork(stage.mux.port, share=0.03, seed=3)
        await stage.watch(seat, "floor", Show.FLOOR, only="udp", port=network.port)
        before, sent = await decoded(seat, "floor", 10), stage.counting(Show.FLOOR)
        lost = network.lost
        after = await decoded(seat, "floor", 150)
        while network.lost < lost + 10:
            after = await decoded(seat, "floor", 20)
        assert after["framesDecoded"] - before["framesDecoded"] > sent.pictures - ON_THE_WAY
        assert after["nackCount"] > before["nackCount"]
        network.close()


async def test_a_viewer_who_leaves_is_forgotten_and_a_camera_that_closes_is_down() -> None:
    async with a_studio() as browser, an_edge() as stage:
        host, seat = await a_page(browser), await a_page(browser)
        camera = await stage.publish(host, "camera", HOST)
        viewer = await stage.watch(seat, "floor", Show.FLOOR)
        await decoded(seat, "floor", 5)
        await seat.evaluate("floor.close()")
        await host.evaluate("camera.close()")
        assert await stage.told.get() == (HOST, Change.DOWN)
        while {camera, viewer} & set(stage.edge._peers):  # noqa: ASYNC110 - two ends of one goodbye
            await asyncio.sleep(0.1)
        assert not stage.mux._paths
