"""The programme's packets reach a seat by WHEP, and a keyframe is asked for when somebody comes."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import av
import pytest
from aiortc.codecs.h264 import H264Encoder

from hall.media.edge import rtp
from hall.media.packets.datagrams import Payload
from hall.media.port.engine import Show
from tests.support.media import SESSION, a_page, a_studio, an_edge, decoded

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]


async def test_the_programme_is_watched_as_it_was_encoded_once() -> None:
    async with a_studio() as browser, an_edge() as stage:
        first, second = await a_page(browser), await a_page(browser)

        async def broadcast() -> None:
            encoder, number, sequence = H264Encoder(), 0, 0
            while True:
                frame = av.VideoFrame(320, 240, "yuv420p")
                for plane in frame.planes:
                    plane.update(bytes([number * 3 % 256]) * plane.buffer_size)
                frame.pts, frame.time_base = number * 9000, Fraction(1, 90000)
                payloads, _ = encoder.encode(frame, force_keyframe=number % 10 == 0)
                for place, payload in enumerate(payloads, 1):
                    head = rtp.header(Payload.H264, place == len(payloads), sequence, number * 9000, 7)
                    stage.edge.programme(SESSION, head + payload)
                    sequence = sequence + 1 & 0xFFFF
                number += 1
                await asyncio.sleep(0.1)

        broadcasting = asyncio.create_task(broadcast())
        try:
            await stage.watch(first, "one", Show.PROGRAMME)
            await stage.watch(second, "two", Show.FLOOR, only="tcp")  # nobody speaks: the floor shows the programme
            for page, name in ((first, "one"), (second, "two")):
                assert (await decoded(page, name, 10))["frameWidth"] == 320
        finally:
            broadcasting.cancel()
