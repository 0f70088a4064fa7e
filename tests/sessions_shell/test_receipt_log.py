"""The log of receipts in a real store: by the clock, through stops and races, closed with the set, held outside."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from crypto.receipt import decoy_leaf
from crypto.receipt_file import read_receipt_file
from crypto.signing import HallKey
from crypto.tlog import (
    Policy,
    Tree,
    WitnessSecret,
    cosign,
    open_checkpoint,
    peek_checkpoint,
    read_proof,
)
from sessions.commands import Abort, Approve
from sessions.errors import Stale, Unanswered
from sessions.events import SetFrozen, Stream
from sessions.keys.hallkey import HallKeys
from sessions.logging_receipts import blinding
from sessions.outside.receipt_proofs import ReceiptProofs
from sessions.plan import AnchorKind, IntakeLog, Plan, Watch
from sessions.ports import Anchor, Entries, NotAnchored, Said, Signed, ToAnchor
from tests.support.ceremony import DEPUTY, HOST, MINUTE, T0, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.finished import NAMES, Play
from tests.support.hallkey import hall_key
from tests.support.shell import SESSION, Shell, a_bid_for_this, a_shell
from tests.support.team import RefusedByHand, by_hand

LOG = IntakeLog(every=10 * MINUTE, leaves=4)
START = T0 - 60 * MINUTE


@dataclass
class Holder:
    """Somebody outside, of either kind: says yes to what it is shown, unless it is away."""

    kind: AnchorKind
    secret: WitnessSecret
    clock: FakeClock = field(default_factory=FakeClock)
    away: bool = False
    asked: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.secret.name

    async def hold(self, asked: ToAnchor) -> Said:
        if self.away:
            raise NotAnchored("away")
        self.asked.append(asked.size)
        at = self.clock.now()
        if self.kind is AnchorKind.STAMP:
            return Said(evidence=b"token over " + asked.text, at=at)
        line = cosign(asked.note, self.secret, int(at.timestamp()))
        return Said(evidence=line.encode(), at=at)


WITNESSES = tuple(Holder(AnchorKind.WITNESS, WitnessSecret(f"w{n}.example", HallKey.generate())) for n in (1, 2))
AUTHORITY = Holder(AnchorKind.STAMP, WitnessSecret("clock.example", HallKey.generate()))


class Outside:
    def __init__(self, *holders: Holder) -> None:
        self.holders = holders

    def named(self, watch: Watch) -> Mapping[tuple[AnchorKind, str], Anchor]:
        return {(one.kind, one.name): one for one in self.holders}


def a_logged_plan(quorum: int = 2) -> Plan:
    keys = tuple(str(one.secret.public) for one in WITNESSES)
    watch = Watch(origin=f"hall.example/s/{SESSION}", witnesses=keys, quorum=quorum, authorities=("clock.example",))
    return Plan(**{name: getattr(a_plan(), name) for name in Plan.__slots__} | {"intake_log": LOG, "watch": watch})


def proofs(hall: Shell, *holders: Holder) -> ReceiptProofs:
    kept = hall.stores
    return ReceiptProofs(
        hall.sessions,
        events=kept.events,
        checkpoints=kept.checkpoints,
        outside=Outside(*holders),
        hall=HallKeys.in_folder(hall.folder),
        clock=hall.clock,
    )


async def entries(hall: Shell) -> tuple[bytes, ...]:
    return await hall.stores.events.entries(SESSION)


async def real(hall: Shell) -> list[int]:
    key = (await blinding(hall.stores.secrets, SESSION)).decoy_key
    return [i for i, entry in enumerate(await entries(hall)) if entry != decoy_leaf(SESSION, i, key)]


async def frozen(hall: Shell) -> SetFrozen:
    events = [record.event for record in await hall.sessions.events(SESSION)]
    return next(event for event in events if isinstance(event, SetFrozen))


async def announced(hall: Shell, clock: FakeClock) -> None:
    clock.set(START)
    await hall.sessions.create(a_logged_plan())


async def until(condition: object) -> None:
    """Let the loop turn until what was begun in it is done."""
    for _ in range(3000):
        if await condition():  # type: ignore[operator]
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to be")


async def next_tick(hall: Shell) -> datetime | None:
    return min((due for _, due in await hall.receipt_logs.falling_due()), default=None)


async def test_what_a_session_had_at_hand_for_its_t0_is_gone_on_from_there(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        await announced(hall, clock)
        clock.set(T0 - 25 * MINUTE)
        await hall.receipt_logs.settle(SESSION)
        before = await entries(hall)
        assert await hall.sessions.ready(SESSION)
        clock.set(T0 - MINUTE)
        await hall.receipt_logs.settle(SESSION)
        assert before == (await entries(hall))[: len(before)] != await entries(hall)
        clock.set(T0)
        await hall.sessions.settle(SESSION)
        assert not await hall.sessions.ready(SESSION)  # what comes next is another moment
        closed = await frozen(hall)
        everything = await entries(hall)
    assert (closed.intake_log_size, closed.intake_log_root) == (len(everything), Tree(everything).root().hex())
    assert not set(everything[-LOG.leaves :]) & set(before)


async def test_the_log_grows_by_the_clock_alone(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        await announced(hall, clock)
        sizes = []
        for minutes in (0, 9, 10, 11, 20, 59):
            clock.set(START + minutes * MINUTE)
            assert (await next_tick(hall) == clock.now()) == (minutes in (10, 20, 59))
            await hall.receipt_logs.settle(SESSION)
            sizes.append(len(await entries(hall)))
        assert sizes == [0, 0, 4, 4, 8, 20]
        assert await next_tick(hall) is None  # T0 comes first


async def test_a_tick_falls_due_when_the_announcement_says(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        assert await next_tick(hall) is None
        await announced(hall, clock)
        assert await next_tick(hall) == START + 10 * MINUTE
        clock.advance(25 * MINUTE)
        assert await next_tick(hall) == clock.now()  # two are missing
        await hall.receipt_logs.settle(SESSION)
        assert await next_tick(hall) == START + 30 * MINUTE


async def test_a_rush_waits_its_turn_and_t0_takes_the_rest(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        await announced(hall, clock)
        for number in range(6):
            await hall.submit(a_bid_for_this(f"第{number}建设有限公司"))
        clock.set(START + 10 * MINUTE)
        await hall.receipt_logs.settle(SESSION)
        assert await real(hall) == [0, 1, 2, 3]
        clock.set(T0 - MINUTE)
        for number in range(6, 14):
            await hall.submit(a_bid_for_this(f"第{number}建设有限公司"))
        clock.set(T0)
        await hall.sessions.settle(SESSION)
        log, event = await entries(hall), await frozen(hall)
        assert len(log) == 5 * 4 + max(4, 14 - 4 - 4 * 4)
        assert (event.intake_log_size, event.intake_log_root) == (len(log), Tree(log).root().hex())
        given = (await hall.sessions.intake(SESSION)).entries
        assert sorted(log[i] for i in await real(hall)) == sorted(given)


async def test_what_a_stopped_hall_missed_is_caught_up_at_the_right_sizes(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        await announced(hall, clock)
        clock.advance(10 * MINUTE)
        await hall.receipt_logs.settle(SESSION)
        await hall.submit(a_bid_for_this(NAMES[0]))
    clock.advance(35 * MINUTE)
    async with a_shell(tmp_path, clock) as hall:
        assert await hall.receipt_logs.falling_due() == [(SESSION, clock.now())]
        await hall.receipt_logs.settle(SESSION)
        assert len(await entries(hall)) == 4 * 4
        assert len(await real(hall)) == 1


async def test_a_hall_that_slept_through_t0_closes_the_log_as_the_clock_would_have(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        await announced(hall, clock)
        await hall.submit(a_bid_for_this(NAMES[0]))
    clock.set(T0 + 5 * MINUTE)
    async with a_shell(tmp_path, clock) as hall:
        event = await frozen(hall)
        assert event.intake_log_size == len(await entries(hall)) == 5 * 4 + 4
        await hall.receipt_logs.settle(SESSION)
        assert len(await entries(hall)) == event.intake_log_size


async def test_two_workers_at_once_make_one_log(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as one, a_shell(tmp_path, clock) as two:
        await announced(one, clock)
        await one.submit(a_bid_for_this(NAMES[0]))
        await two.submit(a_bid_for_this(NAMES[1]))  # the first has not heard of it
        for minutes in (10, 20, 30):
            clock.set(START + minutes * MINUTE)
            await asyncio.gather(*(hall.receipt_logs.settle(SESSION) for hall in (one, two, one, two)))
        assert len(await entries(one)) == 3 * 4
        assert len([i for i in await real(one) if i < 4]) == 2
        clock.set(T0)
        await asyncio.gather(one.sessions.settle(SESSION), two.sessions.settle(SESSION))
        event = await frozen(two)
        assert event.intake_log_root == Tree(await entries(one)).root().hex()


async def test_a_worker_that_was_overtaken_changes_nothing(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        await announced(hall, clock)
        await hall.stores.events.append(SESSION, (), entries=Entries(first=0, added=[b"\1" * 32]))
        for first in (0, 2):
            with pytest.raises(Stale):
                await hall.stores.events.append(SESSION, (), entries=Entries(first=first, added=[b"\2" * 32]))
        assert await entries(hall) == (b"\1" * 32,)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE entries SET entry = ?", "an entry is never changed"),
        ("DELETE FROM entries", "an entry is never deleted"),
        ("INSERT INTO entries VALUES ('gx-1', 9, ?)", "an entry follows the one before it"),
        pytest.param(
            "INSERT OR REPLACE INTO entries VALUES ('gx-1', 0, ?)",
            "an entry follows the one before it",
            marks=pytest.mark.solo("only SQLite has REPLACE"),
        ),
    ],
)
async def test_the_database_refuses_to_change_the_log(tmp_path: Path, statement: str, reason: str) -> None:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        await announced(hall, clock)
        clock.advance(10 * MINUTE)
        await hall.receipt_logs.settle(SESSION)
    with by_hand(tmp_path) as database, pytest.raises(RefusedByHand, match=reason):
        database.execute(statement, [b"\0"] * statement.count("?"))


async def test_an_opening_aborted_before_t0_leaves_its_log_as_the_last_tick_left_it(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        play = Play(hall, clock)
        await announced(hall, clock)
        for number in range(6):
            await hall.submit(a_bid_for_this(f"第{number}建设有限公司"))
        await play.at(T0 - 30 * MINUTE)
        await hall.receipt_logs.settle(SESSION)
        await hall.host_takes_over_the_room()
        await hall.sessions.handle(SESSION, Abort(reason="招标人要求终止"), HOST)
        await hall.sessions.handle(SESSION, Approve(proposal=1), DEPUTY)
        clock.set(T0 + MINUTE)
        await hall.sessions.settle(SESSION)
        await hall.receipt_logs.settle(SESSION)
        assert len(await entries(hall)) == 3 * 4


# -- checkpoints, and who holds them ---------------------------------------------------------------------------


async def test_a_receipt_is_proven_as_soon_as_a_checkpoint_covers_it_and_never_before(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        await announced(hall, clock)
        answer = await hall.submit(a_bid_for_this(NAMES[0]))
        proven = proofs(hall)
        hall.receipt_logs._published = proven.published
        assert (await proven.file(SESSION, answer.statement)).proof is None
        assert await proven.checkpoint(SESSION) is None
        clock.advance(10 * MINUTE)
        await hall.receipt_logs.settle(SESSION)
        file = read_receipt_file((await proven.file(SESSION, answer.statement)).to_bytes())
        checkpoint = file.checkpoint()
        assert checkpoint is not None
        assert (checkpoint.origin, checkpoint.size) == ("hall.example/s/gx-1/intake", 4)
        assert open_checkpoint(await proven.checkpoint(SESSION) or "", hall_key(tmp_path).public) == checkpoint
        assert await proven.checkpoint(SESSION, 3) is None
        await proven.close()


async def test_witnesses_cosign_and_authorities_stamp_every_checkpoint_by_the_way(tmp_path: Path) -> None:
    clock = FakeClock()
    holders = [Holder(one.kind, one.secret, clock) for one in (*WITNESSES, AUTHORITY)]
    async with a_shell(tmp_path, clock) as hall:
        await announced(hall, clock)
        answer = await hall.submit(a_bid_for_this(NAMES[0]))
        proven = proofs(hall, *holders)
        hall.receipt_logs._published = proven.published
        holders[1].away = holders[2].away = True
        clock.advance(10 * MINUTE)
        await hall.receipt_logs.settle(SESSION)  # nobody waits for them
        await until(lambda: said(hall, 4, 1))
        assert (await proven.file(SESSION, answer.statement)).stamps == ()
        holders[1].away = holders[2].away = False
        clock.advance(10 * MINUTE)
        await hall.receipt_logs.settle(SESSION)
        await until(lambda: said(hall, 8, 3))
        await until(lambda: said(hall, 4, 2))  # an authority stamps what it missed, a witness only goes on
        file = await proven.file(SESSION, answer.statement)
        policy = Policy(witnesses=tuple(one.secret.public for one in WITNESSES), quorum=2)
        note = read_proof(file.proof or "").checkpoint
        assert peek_checkpoint(note).size == 8  # the first that a quorum holds, not the first there is
        assert policy.require(note).keys() == {"w1.example", "w2.example"}
        assert [stamp.authority for stamp in file.stamps] == ["clock.example"]
        assert file.stamps[0].token == b"token over " + peek_checkpoint(note).text.encode()
        assert holders[0].asked == [4, 8]
        await proven.close()


async def said(hall: Shell, size: int, count: int) -> bool:
    kept = await hall.stores.checkpoints.kept(SESSION, Stream.INTAKE)
    return sum(one.size == size for one in kept) == count


async def test_what_outsiders_said_of_receipts_is_not_told_as_said_of_the_opening(tmp_path: Path) -> None:
    clock = FakeClock()
    holders = [Holder(one.kind, one.secret, clock) for one in WITNESSES]
    async with a_shell(tmp_path, clock) as hall:
        await announced(hall, clock)
        clock.advance(10 * MINUTE)
        proven = proofs(hall, *holders)
        hall.receipt_logs._published = proven.published
        await hall.receipt_logs.settle(SESSION)
        await until(lambda: said(hall, 4, 2))
        assert await hall.stores.checkpoints.kept(SESSION) == ()
        await proven.close()


async def test_the_closed_log_is_signed_at_once_and_its_size_is_the_sets(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        await announced(hall, clock)
        await hall.submit(a_bid_for_this(NAMES[0]))
        proven = proofs(hall)
        hall.sessions.on_commit(proven.look)
        clock.set(T0)
        await hall.sessions.settle(SESSION)

        async def signed() -> bool:
            return await proven.checkpoint(SESSION) is not None

        await until(signed)
        checkpoint = peek_checkpoint(await proven.checkpoint(SESSION) or "")
        event = await frozen(hall)
        assert (checkpoint.size, checkpoint.root.hex()) == (event.intake_log_size, event.intake_log_root)
        await proven.close()


@pytest.mark.parametrize("asked", ["head", "sizes"])
async def test_a_store_that_fails_once_after_t0_keeps_no_closed_log_from_being_signed_and_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setattr("sessions.outside.receipt_proofs.FIRST_REST", 0.01)
    clock = FakeClock()
    holder = Holder(WITNESSES[0].kind, WITNESSES[0].secret, clock)
    async with a_shell(tmp_path, clock) as hall:
        await announced(hall, clock)
        proven = proofs(hall, holder)
        once(monkeypatch, hall.stores.checkpoints, asked)
        hall.sessions.on_commit(proven.look)
        clock.set(T0)
        await hall.sessions.settle(SESSION)
        size = (await frozen(hall)).intake_log_size
        await until(lambda: said(hall, size or 0, 1))
        await proven.close()


def once(monkeypatch: pytest.MonkeyPatch, store: object, name: str) -> None:
    """Have a store fail at the next question of this name."""
    answer, failures = getattr(store, name), [Unanswered()]

    async def stumbling(*given: object, **named: object) -> object:
        if failures:
            raise failures.pop()
        return await answer(*given, **named)

    monkeypatch.setattr(store, name, stumbling)


async def test_two_workers_cannot_sign_two_logs(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as one, a_shell(tmp_path, clock) as two:
        await announced(one, clock)
        clock.advance(10 * MINUTE)
        await one.receipt_logs.settle(SESSION)
        both = await asyncio.gather(*(proofs(hall).published(SESSION) for hall in (one, two, one, two)))
        assert len({signed.note for signed in both if signed}) == 1
        assert await one.stores.checkpoints.sizes("hall.example/s/gx-1/intake") == (4,)


async def test_a_database_that_lost_entries_signs_nothing_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        await announced(hall, clock)
        clock.advance(10 * MINUTE)
        await hall.receipt_logs.settle(SESSION)
        forged = Signed(origin="hall.example/s/gx-1/intake", size=8, root=b"\0" * 32, note="")
        await hall.stores.checkpoints.put(forged, follows=0)
        assert await proofs(hall).published(SESSION) is None
        assert any("does not hold" in getattr(record, "why", "") for record in caplog.records)


async def test_a_tree_that_somebody_reads_is_never_grown_in_a_thread(tmp_path: Path) -> None:
    """A root read while its tree grows would be a wrong one, and the hall would sign it."""
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        await announced(hall, clock)
        proven = proofs(hall)
        before = await proven.tree(SESSION)
        added = [number.to_bytes(32, "big") for number in range(1500)]
        await hall.stores.events.append(SESSION, (), entries=Entries(first=0, added=added))
        after = await proven.tree(SESSION)
        assert (len(before), len(after)) == (0, 1500)
        assert after.root() == Tree(added).root()
        assert await proven.tree(SESSION) is after
