"""A bidder who hears the other prices may not choose its own: a second key, in the real hall, opens nothing."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from crypto.container import read_header
from crypto.encoding import b64u, lv
from crypto.envelope import unlock
from crypto.keys import GroupKey
from crypto.release import load_session_public
from crypto.signing import sign
from crypto.suites import INTL_1
from tests.support.bidders import Sealed, a_bidder
from tests.support.house import NAMES, STAFF, T0, a_bid
from tests.support.served import Served, served
from web.participant.remote import Hall, HallRefused

CHEAT, *OTHERS = (a_bidder(name) for name in NAMES[:3])
SECOND_KEY = bytes(range(32))
HPKE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class Opening(AsyncExitStack):
    """An opening in its decrypt window, with a program for each bidder."""

    def __init__(self, hall: Served) -> None:
        super().__init__()
        self.hall = hall
        self.programs: dict[str, Hall] = {}
        self.bids: dict[str, Sealed] = {}

    async def begin(self) -> None:
        """Receive three honest bids and let the host come to the decrypt step."""
        house = self.hall.house
        await house.announce()
        for bidder in (CHEAT, *OTHERS):
            program = self.programs[bidder.id] = await self.enter_async_context(Hall(self.hall.url))
            await program.login_certificate(bidder.sign)
            bid = self.bids[bidder.id] = a_bid(bidder)
            await program.submit("zb-1", BytesIO(bid.data), len(bid.data))
        staff = {account: await house.staff(account) for account in STAFF}
        for client in staff.values():
            assert (await house.act(client, "TakeChair")).status_code == 200
        await house.turn(T0)
        await house.services.sessions.idle()
        assert (await house.act(staff["host"], "Advance", step="decrypt")).status_code == 200

    @property
    def cheat(self) -> Hall:
        return self.programs[CHEAT.id]

    async def view(self) -> dict[str, Any]:
        return await self.hall.house.view(self.hall.house.client())

    async def message(self, secret: bytes, committed: bytes) -> str:
        """Return a signed release of ``secret`` that states the commitment of ``committed``."""
        challenge = await self.cheat._json("GET", "/api/v1/sessions/zb-1/challenge?group=A")
        header = read_header(self.bids[CHEAT.id].file).header
        digest, nonce = challenge["header_sha256"], challenge["nonce"]
        stated = GroupKey(suite=INTL_1, context=header.context("A"), secret=committed).commitment
        info = b"SBID1/release" + lv("zb-1") + lv("A") + lv(bytes.fromhex(digest)) + lv(bytes.fromhex(nonce))
        payload = {
            "v": 1,
            "session": "zb-1",
            "group": "A",
            "header_sha256": digest,
            "nonce": nonce,
            "kcb": stated.hex(),
            "hpke": b64u(HPKE.encrypt(secret, load_session_public(challenge["session_key"]), info)),
        }
        return sign(payload, "release", CHEAT.sign)

    async def send(self, message: str) -> None:
        await self.cheat._json("POST", "/api/v1/sessions/zb-1/releases", {"release": message})

    def own_key(self) -> bytes:
        return unlock(read_header(self.bids[CHEAT.id].file), "A", CHEAT.encrypt)

    async def attempts(self) -> list[dict[str, Any]]:
        """Return the failed attempts on the public record."""
        answer = await self.hall.house.client().get("/api/v1/sessions/zb-1/events?after=0")
        return [event for event in answer.json()["events"] if event["type"] == "AttemptFailed"]


@pytest.fixture
async def opening(tmp_path: Path) -> AsyncIterator[Opening]:
    async with served(tmp_path) as hall, Opening(hall) as opening:
        await opening.begin()
        yield opening


@pytest.mark.parametrize("states_the_sealed_commitment", [False, True], ids=["its own commitment", "the sealed one"])
async def test_a_second_key_is_refused_recorded_and_opens_nothing(
    opening: Opening, states_the_sealed_commitment: bool
) -> None:
    committed = opening.own_key() if states_the_sealed_commitment else SECOND_KEY
    message = await opening.message(SECOND_KEY, committed)
    with pytest.raises(HallRefused, match="commitment_mismatch"):
        await opening.send(message)
    (attempt,) = await opening.attempts()
    assert attempt["data"]["bidder"] == CHEAT.id
    assert attempt["data"]["release_sha256"] == hashlib.sha256(message.encode()).hexdigest()
    view = await opening.view()
    assert {(bid["state"], bid["quote"]) for bid in view["bids"].values()} == {("waiting", None)}
    assert view["step"] == "decrypt"


async def test_after_a_second_key_the_sealed_one_still_opens_the_sealed_price(opening: Opening) -> None:
    for bidder in OTHERS:
        await opening.programs[bidder.id].release("zb-1", "A", bidder.sign, bidder.encrypt)
    second, sealed = [await opening.message(key, opening.own_key()) for key in (SECOND_KEY, opening.own_key())]
    with pytest.raises(HallRefused, match="commitment_mismatch"):
        await opening.send(second)
    assert all(bid["quote"] is None for bid in (await opening.view())["bids"].values())
    await opening.send(sealed)
    await opening.hall.house.services.sessions.idle()
    view = await opening.view()
    assert {bid["amount"]["grouped"] for bid in view["bids"].values()} == {"1,280,000.00"}
    assert len(await opening.attempts()) == 1


async def test_after_the_barrier_no_second_key_is_taken(opening: Opening) -> None:
    for bidder in OTHERS:
        await opening.programs[bidder.id].release("zb-1", "A", bidder.sign, bidder.encrypt)
    second, sealed = [await opening.message(key, key) for key in (SECOND_KEY, opening.own_key())]
    await opening.send(sealed)
    await opening.hall.house.services.sessions.idle()
    with pytest.raises(HallRefused, match="window_closed"):
        await opening.send(second)
