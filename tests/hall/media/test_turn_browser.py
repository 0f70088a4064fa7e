"""Who reaches nothing but a relay (coturn) sees the floor by what the answer says of it, and others have nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from aioice.stun import TransactionFailed
from aioice.turn import create_turn_endpoint
from playwright.async_api import Browser, Page

from hall.media.port.engine import Show, Source
from sessions.clock import SystemClock
from tests.support.media import SESSION, Stage, a_page, a_studio, an_edge, decoded
from tests.support.turn import Turn, a_relay
from web import assets
from web.media.turn import LIFE, Relay, credentials

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

SECRET = b"north-of-the-river-2026"

# As the player does it, but for the policy: offer, read of the relay, gather then.
SCRIPT = """
globalThis.offering = async name => {
  const peer = (globalThis[name] = new RTCPeerConnection({ iceServers: [] }));
  const video = document.body.appendChild(document.createElement('video'));
  video.muted = video.autoplay = true;
  const stream = (video.srcObject = new MediaStream());
  peer.addEventListener('track', event => stream.addTrack(event.track));
  for (const each of ['audio', 'video']) peer.addTransceiver(each, { direction: 'recvonly' });
  peer.offered = await peer.createOffer();
  return peer.offered.sdp;
};
globalThis.answered = async ([name, link, sdp]) => {
  const peer = globalThis[name];
  peer.setConfiguration({ iceServers: relays(link), iceTransportPolicy: 'relay' });
  await peer.setLocalDescription(peer.offered);
  await peer.setRemoteDescription({ type: 'answer', sdp });
};
"""


async def a_walled_page(browser: Browser) -> Page:
    """A page with the player's own reading of what an answer says of relays."""
    assets.build()
    page = await a_page(browser)
    source = (assets.BUILT / "media" / "relays.js").read_text("utf-8")
    await page.add_script_tag(content=source.replace("export function relays", "globalThis.relays = function"))
    await page.add_script_tag(content=SCRIPT)
    return page


async def watch(
    page: Page, name: str, stage: Stage, turn: Turn, secret: bytes, *, ago: timedelta = timedelta()
) -> None:
    url = f"turn:127.0.0.1:{turn.port}?transport=udp"
    link = Relay((url,), secret).headers(SystemClock().now() - ago)["link"]
    answer = await stage.edge.watch(SESSION, Show.FLOOR, await page.evaluate("n => offering(n)", name))
    await page.evaluate("given => answered(given)", [name, link, answer.sdp])


async def test_the_floor_is_seen_through_a_relay_by_credentials_of_the_hall() -> None:
    async with a_studio() as browser, an_edge() as stage, a_relay(SECRET) as turn:
        host, seat = await a_page(browser), await a_walled_page(browser)
        await stage.publish(host, "camera", Source("host"))
        await watch(seat, "floor", stage, turn, SECRET)
        await decoded(seat, "floor", 20)
        assert turn.turned_away == 0
        (name,) = turn.names
        assert int(name.partition(":")[0]) > SystemClock().now().timestamp()


async def test_credentials_of_somebody_else_or_of_an_hour_ago_open_nothing() -> None:
    async with a_studio() as browser, an_edge() as stage, a_relay(SECRET) as turn:
        seat = await a_walled_page(browser)
        for name, secret, ago in (
            ("stranger", b"south-of-the-river-2026", timedelta()),
            ("late", SECRET, LIFE + timedelta(minutes=1)),
        ):
            known = turn.turned_away
            await watch(seat, name, stage, turn, secret, ago=ago)
            while turn.turned_away == known:  # noqa: ASYNC110 - the browser shows what it has
                await asyncio.sleep(0.05)
        assert not turn.names


async def test_the_relay_reaches_the_hall_and_nothing_beside_it() -> None:
    """As README.md has it run: everybody who watches is told of it."""
    username, password = credentials(SECRET, "viewer", SystemClock().now() + LIFE)
    async with a_relay(SECRET) as turn:
        relayed, _ = await create_turn_endpoint(
            asyncio.DatagramProtocol, server_addr=("127.0.0.1", turn.port), username=username, password=password
        )
        try:
            inner = relayed._TurnTransport__inner_protocol  # type: ignore[attr-defined]
            await inner.channel_bind(1 << 14, ("127.0.0.1", 9))
            with pytest.raises(TransactionFailed, match="403"):
                await inner.channel_bind(1 << 14 | 1, ("127.0.0.2", 9))
        finally:
            relayed.close()
