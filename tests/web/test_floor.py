"""A bidder asks to speak, is given the floor, and loses it: over real HTTP, with a real edge that then dies."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sessions.verify import verify
from tests.support.house import NAMES, T0
from tests.support.media import the_edge
from tests.support.offers import OFFER
from tests.support.served import served
from tests.web.test_api_ceremony import BIDDERS, People, bundle_of, confirm_all, open_all, sign_all
from web.media.tokens import NOTICE
from web.participant.remote import HallRefused

FIRST, SECOND = BIDDERS[:2]


async def token(people: People, bidder: str) -> dict[str, Any]:
    answer: dict[str, Any] = await people.bidders[bidder]._json(
        "POST", "/api/v1/sessions/zb-1/media/tokens", {"act": "publish", "consent": NOTICE}
    )
    return answer


async def publish(people: People, bearer: str) -> httpx.Response:
    async with people.hall.client() as client:
        headers = {"content-type": "application/sdp", "authorization": f"Bearer {bearer}"}
        return await client.post("/media/zb-1/whip", content=OFFER, headers=headers)


async def test_who_has_the_floor_is_let_in_and_nobody_else(tmp_path: Path) -> None:
    async with served(tmp_path, media="on") as hall:
        await hall.house.announce()
        async with People(hall) as people:
            async with the_edge(hall.house):
                await people.come()
                await hall.house.turn(T0)
                await people.until(lambda view: view["steps"]["check"]["state"] == "complete")
                view = await open_all(people)
                await hall.house.turn(timedelta(minutes=1))
                with pytest.raises(HallRefused, match="floor_closed"):
                    await people.bidders[FIRST.id].command("zb-1", "AskFloor")
                await people.advance("confirm")
                await speak(people)
            await speak_without_an_edge(people)
            await confirm_all(people, view, entered=True)
            await sign_all(people)
            await people.until(lambda view: view["status"] == "ended")
        report = verify(await bundle_of(hall))
        assert report.ok, [check for check in report.checks if not check.passed]


async def speak(people: People) -> None:
    """Two ask; one is given the floor, sends, and is stopped; what it still has in hand is worth nothing."""
    host = people.staff["host"]
    with pytest.raises(HallRefused, match="no_floor"):
        await token(people, FIRST.id)
    for bidder in (SECOND, FIRST):
        await people.bidders[bidder.id].command("zb-1", "AskFloor")
    asked = (await people.view())["floor"]["asked"]
    assert [one["bidder"] for one in sorted(asked.values(), key=lambda one: one["order"])] == [SECOND.id, FIRST.id]
    await host.command("zb-1", "GrantFloor", bidder=FIRST.id)
    floor = (await people.view())["floor"]
    assert floor["speaker"]["name"] == NAMES[0]
    assert [one["bidder"] for one in floor["asked"].values()] == [SECOND.id]

    given, spare = await token(people, FIRST.id), await token(people, FIRST.id)
    assert given["source"] == f"bidder:{FIRST.id}"
    with pytest.raises(HallRefused, match="no_floor"):
        await token(people, SECOND.id)
    assert (await publish(people, given["token"])).status_code == 201

    await host.command("zb-1", "EndFloor", bidder=FIRST.id, reason="超时")
    refused = await publish(people, spare["token"])
    assert (refused.status_code, refused.json()["code"]) == (409, "no_floor")
    await people.bidders[FIRST.id].command("zb-1", "Object", recusal=False, title="时间", text="发言时间过短")
    await host.command("zb-1", "AnswerObjection", number=1, text="已记录")


async def speak_without_an_edge(people: People) -> None:
    """The floor is a fact with no engine there: everybody sees who speaks, and that nothing can be sent."""
    await people.staff["host"].command("zb-1", "GrantFloor", bidder=SECOND.id)
    assert (await people.view())["floor"]["speaker"]["bidder"] == SECOND.id
    answer = await publish(people, (await token(people, SECOND.id))["token"])
    assert (answer.status_code, answer.json()["code"]) == (503, "media_away")
    await people.bidders[SECOND.id].command("zb-1", "EndFloor")
    assert (await people.view())["floor"]["speaker"] is None
