"""The bell within one process."""

import logging

import pytest

from hall.buses.bus import LocalBus
from sessions.ids import SessionId

A = SessionId("a")


def test_everyone_who_listens_hears_every_ring() -> None:
    bus, heard = LocalBus(), []
    bus.listen(lambda session, number: heard.append(("one", session, number)))
    bus.listen(lambda session, number: heard.append(("two", session, number)))
    bus.ring(A, 7)
    assert heard == [("one", A, 7), ("two", A, 7)]


def test_a_listener_that_fails_is_not_the_ringers_trouble(caplog: pytest.LogCaptureFixture) -> None:
    bus, heard = LocalBus(), []

    def fails(session: SessionId, number: int) -> None:
        raise OSError("broken")

    bus.listen(fails)
    bus.listen(lambda session, number: heard.append(number))
    with caplog.at_level(logging.ERROR):
        bus.ring(A, 7)
    assert heard == [7]
    assert "a listener failed" in caplog.text


async def test_a_closed_bus_is_silent() -> None:
    bus, heard = LocalBus(), []
    bus.listen(lambda session, number: heard.append(number))
    await bus.close()
    bus.ring(A, 7)
    assert heard == []
