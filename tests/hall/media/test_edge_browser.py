"""A real Chromium sends to the edge and watches it: both codecs, both ways in, a change of the floor, loss."""

from __future__ import annotations

import pytest

from hall.media.edge.keyframes import Video
from hall.media.engine import Show, Source
from tests.support.media import SESSION, a_page, a_studio, an_edge, decoded

HOST, BIDDER = Source("host"), Source("bidder:a")

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
