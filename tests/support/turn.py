"""A TURN relay over UDP (RFC 8656) that lets in whom coturn's `use-auth-secret` lets in."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

from aioice import stun
from aioice.stun import Class, Message, Method

from sessions.clock import SystemClock

HERE = "127.0.0.1"
REALM = "turn.example.org"


class End(asyncio.DatagramProtocol):
    """A socket of the relay, and who is told what comes to it."""

    def __init__(self, take: Any) -> None:
        self._take = take

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._take(data, addr)

    @property
    def at(self) -> tuple[str, int]:
        return cast("tuple[str, int]", self.transport.get_extra_info("sockname"))


class Turn:
    """``names`` are those who were let in, ``turned_away`` counts the others that showed credentials."""

    def __init__(self, secret: bytes) -> None:
        self.names: set[str] = set()
        self.turned_away = 0
        self.relayed = 0
        self.door = End(self._came)
        self._secret = secret
        self._ends: dict[Any, End] = {}
        self._channels: dict[tuple[Any, int], tuple[str, int]] = {}

    def close(self) -> None:
        for each in (self.door, *self._ends.values()):
            each.transport.close()

    def _came(self, data: bytes, client: Any) -> None:
        if data[0] >= 0x40:  # ChannelData (section 12.4)
            number, length = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
            self._ends[client].transport.sendto(data[4 : 4 + length], self._channels[client, number])
            return
        asked = stun.parse_message(data)
        if asked.message_method is Method.SEND:
            self._ends[client].transport.sendto(asked.attributes["DATA"], asked.attributes["XOR-PEER-ADDRESS"])
        elif asked.message_class is Class.REQUEST:
            task = asyncio.ensure_future(self._answer(asked, client))
            task.add_done_callback(lambda done: done.result())

    async def _answer(self, asked: Message, client: Any) -> None:
        key = self._key(asked)
        answer = Message(asked.message_method, Class.RESPONSE, asked.transaction_id)
        if key is None:
            answer.message_class = Class.ERROR
            answer.attributes |= {"ERROR-CODE": (401, "Unauthorized"), "REALM": REALM, "NONCE": b"nonce"}
            self.door.transport.sendto(bytes(answer), client)
            return
        match asked.message_method:
            case Method.ALLOCATE:
                if client not in self._ends:
                    loop, take = asyncio.get_running_loop(), partial(self._back, client)
                    _, self._ends[client] = await loop.create_datagram_endpoint(lambda: End(take), (HERE, 0))
                more = {"XOR-RELAYED-ADDRESS": self._ends[client].at, "XOR-MAPPED-ADDRESS": client, "LIFETIME": 600}
                answer.attributes |= more
            case Method.REFRESH:
                answer.attributes["LIFETIME"] = asked.attributes["LIFETIME"]
            case Method.CHANNEL_BIND:
                self._channels[client, asked.attributes["CHANNEL-NUMBER"]] = asked.attributes["XOR-PEER-ADDRESS"]
            case _:  # a permission: this one lets everything through
                pass
        answer.add_message_integrity(key)
        self.door.transport.sendto(bytes(answer), client)

    def _key(self, asked: Message) -> bytes | None:
        name = asked.attributes.get("USERNAME")
        if name is None:
            return None
        password = b64encode(hmac.digest(self._secret, name.encode(), "sha1")).decode()
        key = hashlib.md5(f"{name}:{REALM}:{password}".encode()).digest()  # RFC 8489 section 9.2.2 has it so
        late = int(name.partition(":")[0]) < SystemClock().now().timestamp()
        if late or not asked.check_message_integrity(key):
            self.turned_away += 1
            return None
        self.names.add(name)
        return key

    def _back(self, client: Any, data: bytes, peer: Any) -> None:
        self.relayed += 1
        number = next((n for (one, n), at in self._channels.items() if (one, at) == (client, peer)), None)
        if number is not None:
            self.door.transport.sendto(number.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data, client)
            return
        told = Message(Method.DATA, Class.INDICATION, attributes={"XOR-PEER-ADDRESS": peer, "DATA": data})
        self.door.transport.sendto(bytes(told), client)


@asynccontextmanager
async def a_relay(secret: bytes) -> AsyncIterator[Turn]:
    turn = Turn(secret)
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: turn.door, (HERE, 0))
    try:
        yield turn
    finally:
        turn.close()
