"""What strangers send to the media port is not answered, kept or passed on; who belongs here is served."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest

from hall.media.edge import mux as mux_module
from hall.media.edge import stun
from hall.media.edge.mux import ADDRESSES, WAITING, Mux, Path, listen_on
from hall.media.port.engine import EngineRefused, Show, Source
from tests.support.media import SESSION, an_edge
from tests.support.offers import OFFER

HELLO = bytes.fromhex("16fefd0000000000000000") + bytes(100)


@asynccontextmanager
async def a_port() -> AsyncIterator[tuple[Mux, list[bytes]]]:
    mux, sent = Mux("127.0.0.1", 0), list[bytes]()
    await mux.open()
    out = mux.send

    def send(data: bytes, peer: mux_module.UdpPeer | mux_module.TcpPeer) -> None:
        sent.append(data)
        out(data, peer)

    mux.send = send  # type: ignore[method-assign]
    try:
        yield mux, sent
    finally:
        await mux.close()


class Stranger:
    """A UDP socket that sends and hears."""

    def __init__(self, mux: Mux) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(("127.0.0.1", mux.port))

    def send(self, data: bytes) -> None:
        self._socket.send(data)

    async def hear(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._socket, 4096)

    def close(self) -> None:
        self._socket.close()


def a_check(path: Path, *, password: str | None = None, nominate: bool = True) -> bytes:
    more = {stun.USE_CANDIDATE: b""} if nominate else {}
    attributes = {stun.USERNAME: f"{path.fragment}:x".encode(), **more}
    return stun.build(stun.REQUEST, os.urandom(12), attributes, path.password if password is None else password)


async def _belongs(mux: Mux, stranger: Stranger) -> Path:
    """Let somebody in; whatever was sent before has been seen when this returns."""
    path = mux.path()
    stranger.send(a_check(path))
    assert stun.parse(await stranger.hear()).kind == stun.SUCCESS
    return path


async def test_garbage_and_floods_of_strangers_are_not_answered_and_nothing_is_kept_of_them() -> None:
    async with a_port() as (mux, sent):
        chance, stranger, other = random.Random(5), Stranger(mux), Stranger(mux)
        waiting = mux.path()
        for _ in range(20):
            for data in (
                HELLO,
                chance.randbytes(200),
                b"\x80\x60" + chance.randbytes(40),
                a_check(waiting, password="x"),
            ):
                stranger.send(data)
            stranger.send(b"\0\1\0\0\x21\x12\xa4\x42" + chance.randbytes(12))
            await asyncio.sleep(0)
        path = await _belongs(mux, other)
        assert len(sent) == 1
        assert list(mux._by_peer.values()) == [path]
        stranger.close()
        other.close()


def test_the_port_is_open_to_others_only_where_an_address_for_them_is_given() -> None:
    v4, v6 = ip_address("203.0.113.7"), ip_address("2001:db8::7")
    assert listen_on("127.0.0.1", ()) == "127.0.0.1"
    assert (listen_on("127.0.0.1", (v4,)), listen_on("127.0.0.1", (v4, v6))) == ("0.0.0.0", "::")


async def test_an_answer_is_never_larger_than_the_check() -> None:
    async with a_port() as (mux, sent):
        stranger = Stranger(mux)
        path = mux.path()
        check = a_check(path)
        stranger.send(check)
        await stranger.hear()
        assert len(sent[0]) <= len(check)
        stranger.close()


async def test_who_knows_the_password_still_cannot_take_the_place_of_somebody_else() -> None:
    async with a_port() as (mux, sent):
        first, second = Stranger(mux), Stranger(mux)
        theirs = await _belongs(mux, first)
        own = mux.path()
        first.send(a_check(own))  # as if it came from the first one's address
        await _belongs(mux, second)
        assert own.peer is None
        first.send(b"\x80\x60" + bytes(20))
        while not theirs._queue.qsize():  # noqa: ASYNC110 - it is on its way
            await asyncio.sleep(0.01)
        assert len(sent) == 2
        first.close()
        second.close()


async def test_a_peer_can_try_only_so_many_addresses() -> None:
    async with a_port() as (mux, _):
        path = mux.path()
        for port in range(1000, 1000 + 2 * ADDRESSES):
            mux.received(a_check(path), ("127.0.0.1", port), "127.0.0.1", port)
        assert len(path.known) == len(mux._by_peer) == ADDRESSES
        path.close()
        assert not mux._by_peer


async def test_a_flood_of_one_who_belongs_here_is_lost_beyond_a_bound() -> None:
    async with a_port() as (mux, _):
        path = mux.path()
        peer = ("127.0.0.1", 1000)
        mux.received(a_check(path), peer, *peer)
        for _ in range(3 * WAITING):
            mux.received(HELLO, peer, *peer)
        assert path._queue.qsize() == WAITING


async def test_tcp_strangers_are_few_and_what_is_no_frame_ends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mux_module, "TCP_STRANGERS", 3)
    async with a_port() as (mux, sent):
        doors = [await asyncio.open_connection("127.0.0.1", mux.port) for _ in range(3)]
        while len(mux.tcp) < 3:  # noqa: ASYNC110 - the other side of the same connections
            await asyncio.sleep(0.01)
        too_many, extra = await asyncio.open_connection("127.0.0.1", mux.port)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await too_many.readexactly(1)
        reader, writer = doors[0]
        writer.write(b"\xff\xff" + bytes(100))
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        reader, writer = doors[1]
        path = mux.path()
        check = a_check(path)
        writer.write(len(HELLO).to_bytes(2, "big") + HELLO)
        for piece in (len(check).to_bytes(2, "big") + check[:7], check[7:]):
            writer.write(piece)
            await asyncio.sleep(0)
        length = int.from_bytes(await reader.readexactly(2), "big")
        assert stun.parse(await reader.readexactly(length)).kind == stun.SUCCESS
        assert len(sent) == 1
        for each in (*(writer for _, writer in doors), extra):
            each.close()


async def test_who_does_not_come_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mux_module, "ANSWERED_WITHIN", 0.0)
    async with a_port() as (mux, _):
        path, ended = mux.path(), asyncio.Event()
        path.on_close = ended.set
        await ended.wait()
        assert not mux._paths
        with pytest.raises(ConnectionError):
            await path._recv()


async def test_candidates_of_an_offer_are_never_dialled() -> None:
    inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inside.bind(("127.0.0.1", 0))
    inside.setblocking(False)
    lines = [
        f"a=candidate:1 1 udp 1 127.0.0.1 {inside.getsockname()[1]} typ host",
        "a=candidate:2 1 tcp 1 10.0.0.1 22 typ host",
    ]
    async with an_edge() as stage:
        for _ in range(5):
            await stage.edge.publish(SESSION, Source("host"), OFFER + "\r\n".join([*lines, ""]))
        stranger = Stranger(stage.mux)
        await _belongs(stage.mux, stranger)
        stranger.close()
        with pytest.raises(BlockingIOError):
            inside.recv(1)
    inside.close()


async def test_malformed_offers_are_refused_and_cost_nothing() -> None:
    async with an_edge() as stage:
        for text in ("", "v=0", OFFER[:300], OFFER.replace("VP8", "x").replace("H264", "y").replace("opus", "z")):
            with pytest.raises(EngineRefused):
                await stage.edge.publish(SESSION, Source("host"), text)
            with pytest.raises(EngineRefused):
                await stage.edge.watch(SESSION, Show.FLOOR, text)
        assert not stage.mux._paths
        assert stage.edge.sources(SESSION) == []


async def test_a_source_that_is_offered_again_takes_the_place_of_itself_and_only_so_many_may_come() -> None:
    async with an_edge() as stage:
        for _ in range(12):
            await stage.edge.publish(SESSION, Source("host"), OFFER)
        for number in range(7):
            await stage.edge.publish(SESSION, Source(f"bidder:{number}"), OFFER)
        with pytest.raises(EngineRefused) as refused:
            await stage.edge.publish(SESSION, Source("bidder:one-more"), OFFER)
        assert refused.value.code == "too_many"
        await stage.edge.end(SESSION)
        assert not stage.mux._paths
