"""The decrypt window in a house, as the host opens it and as bidders' programs answer it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from crypto.container import read_header
from crypto.envelope import unlock as open_group
from crypto.release import load_session_public, make_release
from tests.support.bidders import Bidder, Sealed
from tests.support.house import T0, House
from tests.support.witnesses import answered


async def the_window_opens(house: House) -> None:
    """Let the host take the chair, T0 pass and the decrypt step begin."""
    host = await house.staff("host")
    await house.turn(T0 - timedelta(minutes=20))
    assert (await house.act(host, "TakeChair")).status_code == 200
    await house.turn(T0 + timedelta(seconds=2))
    await house.services.sessions.idle()
    await answered(house.services.notary)
    answer = await house.act(host, "Advance", step="decrypt")
    assert answer.status_code == 200, answer.text


async def bids_are_unlocked(house: House, bids: Iterable[tuple[Bidder, Sealed]]) -> None:
    """Hand over the key of each bid, and wait for what follows."""
    for bidder, sealed in bids:
        await unlock(house, bidder, sealed)
    await house.services.sessions.idle()


async def unlock(house: House, bidder: Bidder, sealed: Sealed) -> None:
    """Answer the challenge as a bidder's program does."""
    client = await house.bidder(bidder)
    challenge = (await client.get(f"{house.path}/challenge")).json()
    container = read_header(sealed.file)
    token = make_release(
        container,
        "A",
        open_group(container, "A", bidder.encrypt),
        session_key=load_session_public(challenge["session_key"]),
        signer=bidder.sign,
        session=challenge["session"],
        nonce=challenge["nonce"],
    )
    answer = await client.post(f"{house.path}/releases", json={"release": token})
    assert answer.status_code == 200, answer.text
