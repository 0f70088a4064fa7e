"""What was reported is kept beside the log: written now and then, by every worker, and not lost with one failure."""

from collections.abc import Mapping

from hall.rooms.lags import Lags
from sessions.ids import SessionId

A, B = SessionId("a"), SessionId("b")


class Kept:
    """A store in memory. ``fails`` makes the next writing fail."""

    def __init__(self) -> None:
        self.counts: dict[SessionId, dict[int, int]] = {}
        self.fails = False
        self.writings = 0

    async def add(self, more: Mapping[SessionId, Mapping[int, int]]) -> None:
        self.writings += 1
        if self.fails:
            self.fails = False
            raise OSError("the disk is away")
        for session, classes in more.items():
            counts = self.counts.setdefault(session, {})
            for within, reports in classes.items():
                counts[within] = counts.get(within, 0) + reports

    async def of(self, session: SessionId) -> Mapping[int, int]:
        return self.counts.get(session, {})


async def test_reports_are_written_together_and_add_up() -> None:
    kept = Kept()
    one, other = Lags(kept), Lags(kept)
    for _ in range(3):
        one.add(A, 80)
    other.add(A, 80)
    other.add(B, 400)
    await one.flush()
    await other.flush()
    assert kept.counts == {A: {100: 4}, B: {400: 1}}
    assert kept.writings == 2
    assert (await one.of(A)).count == 4


async def test_nothing_is_written_when_nobody_reported() -> None:
    kept = Kept()
    await Lags(kept).flush()
    assert kept.writings == 0


async def test_what_could_not_be_written_is_written_later_and_once() -> None:
    kept = Kept()
    lags = Lags(kept)
    lags.add(A, 80)
    kept.fails = True
    await lags.flush()
    lags.add(A, 80)
    await lags.flush()
    await lags.flush()
    assert kept.counts == {A: {100: 2}}


async def test_closing_writes_what_is_left() -> None:
    kept = Kept()
    lags = Lags(kept)
    lags.start()
    lags.add(A, 80)
    await lags.close()
    assert kept.counts == {A: {100: 1}}
