"""The engine follows the floor as the log has it, and the log never waits for the engine."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from hall.media.port import floor
from hall.media.port.engine import Away, MediaEngine, Source
from hall.media.port.floor import FollowFloor, on_air, speaking
from sessions.commands import AskFloor, EndFloor, GrantFloor, OpeningCommand, TakeChair
from sessions.ids import BidderId, SessionId
from sessions.roles import Actor
from tests.support.ceremony import DEPUTY, HOST, A, B, Ceremony

SESSION = SessionId("gx-1")
SEEN_A, SEEN_B = Source(f"bidder:{A.id}"), Source(f"bidder:{B.id}")


class Engine:
    """What the edge is told; it is away the first ``away`` times."""

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.told: list[tuple[str, Source]] = []

    async def select(self, session: SessionId, source: Source) -> None:
        await asyncio.sleep(0)
        if self.away:
            self.away -= 1
            raise Away
        self.told.append(("select", source))

    async def end(self, session: SessionId, source: Source) -> None:
        self.told.append(("end", source))


class Stage:
    """An opening in a step that allows speaking, and an engine that follows it."""

    def __init__(self, away: int = 0) -> None:
        self.c = Ceremony().confirming()
        self.engine = Engine(away)
        self.follow = FollowFloor(cast(MediaEngine, self.engine))
        self.follow.look(SESSION, self.c.it)

    def does(self, command: OpeningCommand, who: Actor) -> None:
        self.c.send(command, who)
        self.follow.look(SESSION, self.c.it)

    def speaks(self, who: Actor) -> None:
        self.does(AskFloor(bidder=BidderId(who.id)), who)
        self.does(GrantFloor(bidder=BidderId(who.id)), HOST)

    async def told(self) -> list[tuple[str, Source]]:
        """Everything the engine was told once there is nothing more to tell."""
        while tasks := tuple(self.follow._tasks.values()):
            await asyncio.gather(*tasks)
        said, self.engine.told = self.engine.told, []
        return said


async def test_who_is_given_the_floor_is_put_on_air_and_who_no_longer_has_it_is_sent_away() -> None:
    stage = Stage()
    assert await stage.told() == []  # the host is on the air anyway
    stage.speaks(A)
    assert speaking(stage.c.it) == SEEN_A
    assert await stage.told() == [("select", SEEN_A)]
    stage.does(EndFloor(bidder=BidderId(A.id), reason="超时"), HOST)
    assert await stage.told() == [("select", Source("host")), ("end", SEEN_A)]
    stage.speaks(B)
    assert await stage.told() == [("select", SEEN_B), ("end", SEEN_A)]


async def test_an_engine_that_is_away_hears_of_it_once_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "AGAIN", 0.0)
    stage = Stage(away=3)
    stage.speaks(A)
    stage.does(EndFloor(bidder=BidderId(A.id)), A)  # it is over before anybody heard that it began
    assert await stage.told() == [("select", Source("host")), ("end", SEEN_A)]


async def test_an_engine_that_never_comes_back_is_given_up_until_something_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(floor, "AGAIN", 0.0)
    stage = Stage(away=floor.TRIES)
    stage.speaks(A)
    assert await stage.told() == []
    stage.does(AskFloor(bidder=BidderId(B.id)), B)
    assert await stage.told() == [("select", SEEN_A)]


async def test_a_deputy_who_takes_over_is_on_the_air_while_no_bidder_speaks() -> None:
    stage = Stage()
    stage.does(TakeChair(takeover=True, reason="主持人掉线"), DEPUTY)
    assert on_air(stage.c.it) == "deputy"
    assert await stage.told() == [("select", Source("deputy"))]


async def test_whoever_begins_to_lead_in_the_middle_tells_the_engine_how_it_stands() -> None:
    stage = Stage()
    stage.speaks(A)
    stage.does(EndFloor(bidder=BidderId(A.id)), A)
    await stage.told()
    stage.follow = FollowFloor(cast(MediaEngine, stage.engine))  # another worker, that saw nothing of it
    stage.follow.look(SESSION, stage.c.it)
    assert await stage.told() == [("select", Source("host")), ("end", SEEN_A)]
