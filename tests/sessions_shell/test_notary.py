"""The notary at work: who is asked, what is believed, and what happens when nobody answers or a backup comes back."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from types import CoroutineType

import pytest

from crypto.digest import sha256_hex
from crypto.signing import HallKey
from crypto.tlog import Checkpoint, sign_checkpoint
from sessions import events as e
from sessions.acts.notary import Notary
from sessions.commands import Abort, Advance, Approve, Note, Tick
from sessions.errors import CommandRefused
from sessions.events import Recorded
from sessions.ids import StepId
from sessions.opening import Status
from sessions.outside.opening_log import LogDoubted
from sessions.plan import AnchorKind, WitnessMode
from sessions.ports import FINAL, Kept, Said
from sessions.roles import CLOCK
from tests.support.ceremony import DEPUTY, HOST, MINUTE, SECOND, SUPERVISOR, T0
from tests.support.fake_clock import FakeClock
from tests.support.hallkey import hall_key
from tests.support.shell import SESSION, Shell, a_bid_for_this
from tests.support.witnesses import ORIGIN, a_log, a_watched_plan, a_watched_shell, a_witness


async def bids_come_in(shell: Shell, clock: FakeClock) -> None:
    clock.set(T0 - 30 * MINUTE)
    for name in ("甲公司", "乙公司", "丙公司"):
        await shell.submit(a_bid_for_this(name))
    await shell.host_takes_over_the_room()


async def t0_comes(shell: Shell, clock: FakeClock) -> None:
    clock.set(T0 + SECOND)
    await shell.sessions.settle(SESSION)
    await shell.work_done()


async def to_the_frozen_set(shell: Shell, clock: FakeClock) -> None:
    """Three bids, everybody in the room, T0 over, the seals checked."""
    await bids_come_in(shell, clock)
    await t0_comes(shell, clock)


async def quiet(notary: Notary) -> None:
    """Wait until the notary has nothing under way, or only sleeps between two attempts."""
    while not all(map(_rests, notary._running._tasks.values())):  # noqa: ASYNC110  # nobody is told
        await asyncio.sleep(0.005)


def _rests(task: asyncio.Task[None]) -> bool:
    inmost, names = task.get_coro(), []
    while isinstance(inmost, CoroutineType):
        names.append(inmost.__name__)
        inmost = inmost.cr_await
    return names[-2:] == ["_work", "sleep"]


async def the_events(shell: Shell, kind: type) -> list[Recorded]:
    return [record for record in await shell.sessions.events(SESSION) if isinstance(record.event, kind)]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0 - 60 * MINUTE)


async def test_both_witnesses_hold_the_frozen_set_and_the_bids_may_be_opened(
    tmp_path: Path, clock: FakeClock
) -> None:
    witnesses = a_witness("w1.example", tmp_path), a_witness("w2.example", tmp_path)
    async with a_watched_shell(tmp_path, *witnesses, clock=clock) as (shell, notary):
        await shell.sessions.create(a_watched_plan(*witnesses))
        await to_the_frozen_set(shell, clock)
        await quiet(notary)
        said = await the_events(shell, e.Anchored)
        frozen = (await the_events(shell, e.SetFrozen))[0]
        assert {record.event.by for record in said} == {"w1.example", "w2.example"}  # type: ignore[union-attr]
        tree = await a_log(shell).tree(SESSION)
        for record in said:
            event = record.event
            assert isinstance(event, e.Anchored)
            assert frozen.number <= event.size < record.number
            assert event.root == tree.root(event.size).hex()
        for kept in await notary.answers(SESSION):
            event = next(r.event for r in said if r.event.by == kept.by)  # type: ignore[union-attr]
            assert sha256_hex(kept.said.evidence) == event.sha256  # type: ignore[union-attr]
        await shell.advance("decrypt")


@pytest.mark.parametrize(("mode", "opens"), [(WitnessMode.CLOSED, False), (WitnessMode.OPEN, True)])
async def test_a_dead_witness_holds_the_bids_shut_in_closed_mode_only(
    tmp_path: Path, clock: FakeClock, mode: WitnessMode, opens: bool
) -> None:
    alive, dead = a_witness("w1.example", tmp_path), a_witness("w2.example", tmp_path)
    dead.dead = True
    async with a_watched_shell(tmp_path, alive, dead, clock=clock) as (shell, notary):
        await shell.sessions.create(a_watched_plan(alive, dead, mode=mode))
        await to_the_frozen_set(shell, clock)
        await quiet(notary)
        with pytest.raises(CommandRefused, match="not_witnessed"):
            await shell.advance("decrypt")
        clock.set(T0 + 2 * MINUTE)
        await shell.sessions.handle(SESSION, Tick(), CLOCK)
        missed = (await the_events(shell, e.AnchorMissed))[0].event
        assert missed == e.AnchorMissed(point="close", have=("w1.example",), quorum=2)
        if opens:
            await shell.advance("decrypt")
        else:
            with pytest.raises(CommandRefused, match="not_witnessed"):
                await shell.advance("decrypt")
    assert dead.asked >= 1


async def test_a_witness_that_comes_back_is_asked_again(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions.acts.notary.FIRST_REST", 0.005)
    one = a_witness("w1.example", tmp_path)
    one.dead = True
    async with a_watched_shell(tmp_path, one, clock=clock) as (shell, notary):
        await shell.sessions.create(a_watched_plan(one))
        await to_the_frozen_set(shell, clock)
        while one.asked < 2:  # noqa: ASYNC110  # it sleeps between two attempts
            await asyncio.sleep(0.005)
        one.dead = False
        while not await the_events(shell, e.Anchored):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await quiet(notary)
        assert len(await the_events(shell, e.Anchored)) == 1
        await shell.advance("decrypt")


async def test_the_end_is_held_beside_the_log(tmp_path: Path, clock: FakeClock) -> None:
    one = a_witness("w1.example", tmp_path)
    async with a_watched_shell(tmp_path, one, clock=clock) as (shell, notary):
        await shell.sessions.create(a_watched_plan(one))
        await to_the_frozen_set(shell, clock)
        await shell.sessions.handle(SESSION, Abort(reason="改期"), HOST)
        await shell.sessions.handle(SESSION, Approve(proposal=1), DEPUTY)
        await notary.finished(SESSION, 5)
        state = await shell.state()
        final = [kept for kept in await notary.answers(SESSION) if kept.point == FINAL]
    assert state.status is Status.ABORTED
    assert [(kept.by, kept.size) for kept in final] == [("w1.example", state.length)]


async def test_an_answer_that_was_kept_before_a_crash_is_recorded_after_it(tmp_path: Path, clock: FakeClock) -> None:
    one = a_witness("w1.example", tmp_path)
    one.dead = True
    async with a_watched_shell(tmp_path, one, clock=clock) as (shell, notary):
        await shell.sessions.create(a_watched_plan(one))
        await to_the_frozen_set(shell, clock)
        size = (await shell.state()).length
        said = Said(evidence=b"the line", at=T0)
        await shell.stores.checkpoints.keep(
            Kept(session=SESSION, point="close", kind=AnchorKind.WITNESS, by="w1.example", size=size, said=said)
        )
    async with a_watched_shell(tmp_path, one, clock=clock) as (shell, notary):
        await notary.start()
        await quiet(notary)
        event = (await the_events(shell, e.Anchored))[0].event
    assert isinstance(event, e.Anchored)
    assert event.sha256 == sha256_hex(b"the line")


@pytest.mark.solo("the backup is a copy of the folder")
async def test_a_restored_backup_is_found_out_at_the_start_and_signs_nothing(
    tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "hall").mkdir()
    one = a_witness("w1.example", tmp_path / "hall")
    async with a_watched_shell(tmp_path / "hall", one, clock=clock) as (shell, notary):
        await shell.sessions.create(a_watched_plan(one))
        await bids_come_in(shell, clock)
    shutil.copytree(tmp_path / "hall", tmp_path / "backup")
    async with a_watched_shell(tmp_path / "hall", one, clock=clock) as (shell, notary):
        await shell.sessions.handle(SESSION, Note(text="after the backup"), SUPERVISOR)
        await t0_comes(shell, clock)
        await quiet(notary)
        assert one.notes
    async with a_watched_shell(tmp_path / "backup", one, clock=clock) as (shell, notary):
        await notary.greet()
        dispute = (await the_events(shell, e.LogDisputed))[0].event
        assert isinstance(dispute, e.LogDisputed)
        assert dispute.kind in ("behind", "split")
        assert "w1.example" in (await notary.doubts())[0]
        with pytest.raises(LogDoubted):
            await a_log(shell).checkpoint(SESSION, ORIGIN)
        await notary.start()
        await quiet(notary)
        assert await the_events(shell, e.Anchored) == []


async def test_a_log_that_lost_its_end_is_behind(tmp_path: Path, clock: FakeClock) -> None:
    one = a_witness("w1.example", tmp_path)
    async with a_watched_shell(tmp_path, one, clock=clock) as (shell, notary):
        await shell.sessions.create(a_watched_plan(one))
        longer = Checkpoint(origin=ORIGIN, size=9, root=b"y" * 32)
        one.notes[ORIGIN] = sign_checkpoint(longer, hall_key(tmp_path))
        await notary.greet()
        dispute = (await shell.state()).disputes[0]
        assert (dispute.kind, dispute.size) == ("behind", 9)
        assert dispute.held < 9


@pytest.mark.solo("the backup is a copy of the folder")
async def test_a_restored_backup_that_nobody_noticed_at_the_start_is_convicted_by_the_refusal(
    tmp_path: Path, clock: FakeClock
) -> None:
    one = a_witness("w1.example", tmp_path / "hall")
    (tmp_path / "hall").mkdir(exist_ok=True)
    async with a_watched_shell(tmp_path / "hall", one, clock=clock) as (shell, notary):
        await shell.sessions.create(a_watched_plan(one))
    shutil.copytree(tmp_path / "hall", tmp_path / "backup")
    async with a_watched_shell(tmp_path / "hall", one, clock=clock) as (shell, notary):
        await to_the_frozen_set(shell, clock)
        await quiet(notary)
    clock = FakeClock(T0 - 40 * MINUTE)
    async with a_watched_shell(tmp_path / "backup", one, clock=clock) as (shell, notary):
        for number in range(20):  # another history, and a longer one
            await shell.sessions.handle(SESSION, Note(text=f"note {number}"), SUPERVISOR)
        await to_the_frozen_set(shell, clock)
        await quiet(notary)
        disputes = await the_events(shell, e.LogDisputed)
        assert [record.event.kind for record in disputes] == ["split"]  # type: ignore[union-attr]
        with pytest.raises(CommandRefused, match="not_witnessed"):
            await shell.sessions.handle(SESSION, Advance(step=StepId("decrypt")), HOST)
        assert await the_events(shell, e.Anchored) == []
    assert one.faults == ["no_proof"]


async def test_a_witness_is_not_believed_without_the_halls_own_signature(tmp_path: Path, clock: FakeClock) -> None:
    liar = a_witness("w1.example", tmp_path)
    forged = Checkpoint(origin=ORIGIN, size=500, root=b"x" * 32)
    liar.notes[ORIGIN] = sign_checkpoint(forged, HallKey.generate())
    async with a_watched_shell(tmp_path, liar, clock=clock) as (shell, notary):
        await shell.sessions.create(a_watched_plan(liar))
        await notary.greet()
        await to_the_frozen_set(shell, clock)
        await quiet(notary)
        assert await the_events(shell, e.LogDisputed) == []
        assert await notary.doubts() == ()
        assert (await a_log(shell).checkpoint(SESSION, ORIGIN)).size


async def test_a_witness_that_is_only_further_on_convicts_nobody(tmp_path: Path, clock: FakeClock) -> None:
    one = a_witness("w1.example", tmp_path)
    async with a_watched_shell(tmp_path, one, clock=clock) as (shell, notary):
        await shell.sessions.create(a_watched_plan(one))
        signed = await a_log(shell).checkpoint(SESSION, ORIGIN)
        one.notes[ORIGIN] = signed.note
        await notary.greet()
        await to_the_frozen_set(shell, clock)
        await quiet(notary)
        assert await the_events(shell, e.LogDisputed) == []
        assert len(await the_events(shell, e.Anchored)) == 1


async def test_a_second_hall_under_the_same_key_is_convicted(tmp_path: Path, clock: FakeClock) -> None:
    one = a_witness("w1.example", tmp_path)
    async with a_watched_shell(tmp_path, one, clock=clock) as (shell, notary):
        await shell.sessions.create(a_watched_plan(one))
        other = Checkpoint(origin=ORIGIN, size=1, root=b"y" * 32)
        one.notes[ORIGIN] = sign_checkpoint(other, hall_key(tmp_path))
        await notary.greet()
        event = (await the_events(shell, e.LogDisputed))[0].event
        assert isinstance(event, e.LogDisputed)
        assert (event.kind, event.size, event.root) == ("split", 1, (b"y" * 32).hex())


async def test_a_witness_whose_address_is_gone_holds_nobody_else_up(tmp_path: Path, clock: FakeClock) -> None:
    here, gone = a_witness("w1.example", tmp_path), a_witness("w2.example", tmp_path)
    async with a_watched_shell(tmp_path, here, clock=clock) as (shell, notary):
        await shell.sessions.create(a_watched_plan(here, gone, quorum=1))
        await to_the_frozen_set(shell, clock)
        await quiet(notary)
        assert len(await the_events(shell, e.Anchored)) == 1
        await shell.advance("decrypt")
    assert gone.asked == 0
