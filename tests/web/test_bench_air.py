"""The bench of the edge counts what it says: pictures are read back, every server is watched by the same seats."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import cast

import pytest

from web.bench.air import crowds, forwarding
from web.bench.air.film import FPS, PICTURES, Eye, film
from web.bench.air.lossy import LossyNetwork


def test_every_picture_of_the_film_tells_its_number_at_the_far_end() -> None:
    made, eye = film(), Eye()
    seen = [[eye.see(piece, piece is picture[-1]) for piece in picture] for picture in made.pictures]
    assert [each[-1] for each in seen] == list(range(PICTURES))
    assert all(piece is None for each in seen for piece in each[:-1])
    assert len(made.sounds) == 50 * PICTURES // FPS


@pytest.mark.slow
def test_the_edge_and_its_peers_are_watched_by_the_same_seats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "ROUNDS", 1)
    monkeypatch.setattr(forwarding, "SECONDS", 0.5)
    monkeypatch.setattr(forwarding, "CHURN", 8)
    fewer = {name: replace(way, few=1, many=2) for name, way in forwarding.WAYS.items()}
    monkeypatch.setattr(forwarding, "WAYS", fewer)
    relay, packets, late, kept = forwarding.goals()
    assert relay.name == "viewers a core, edge : MediaRelay"
    assert packets.name == "viewers a core, edge : MediaRelay of packets"
    assert late.measured > 0
    assert "8 connections" in kept.other


def test_fragments_and_files_are_counted_for_one_viewer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, least in (("ROUNDS", 1), ("VIEWERS", 10), ("FRAGMENTS", 2), ("REQUESTS", 5), ("CONNECTIONS", 4)):
        monkeypatch.setattr(crowds, name, least)
    goal = crowds.goal()
    assert goal.measured > 0
    assert "for 1000" in goal.one


class End(asyncio.DatagramProtocol):
    """Keeps what comes, or sends it back."""

    def __init__(self, *, echoes: bool) -> None:
        self.got: asyncio.Queue[bytes] = asyncio.Queue()
        self._echoes = echoes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        if self._echoes:
            self._transport.sendto(data, cast("tuple[str, int]", addr))
        else:
            self.got.put_nowait(data)


async def test_the_network_loses_media_in_its_share_and_nothing_else() -> None:
    loop = asyncio.get_running_loop()
    server, _ = await loop.create_datagram_endpoint(lambda: End(echoes=True), ("127.0.0.1", 0))
    network = LossyNetwork(server.get_extra_info("sockname")[1], share=0.5, seed=1)
    there = ("127.0.0.1", network.port)
    client, end = await loop.create_datagram_endpoint(lambda: End(echoes=False), remote_addr=there)
    reports, media = 0, 0
    for number in range(100):
        client.sendto(bytes((0x80, 96, number)))
        client.sendto(bytes((0x80, 200, number)))
        while (await end.got.get())[1] == 96:
            media += 1
        reports += 1
    assert reports == 100
    assert (network.carried, network.lost + media) == (100, 100)
    assert 30 < network.lost < 70
    network.close()
    client.close()
    server.close()
