"""The log in the store: one root for each size, whoever signs, and no signature under a log that lost something."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from crypto.digest import leaf_hash, root, verify_consistency
from crypto.tlog import open_checkpoint
from sessions.commands import Note
from sessions.errors import Stale
from sessions.events import Stream
from sessions.keys.hallkey import HallKeys
from sessions.outside.opening_log import LogDoubted, OpeningLog
from sessions.plan import AnchorKind
from sessions.ports import Kept, Said, Signed
from tests.support.ceremony import SUPERVISOR, T0, a_plan
from tests.support.hallkey import hall_key
from tests.support.shell import SESSION, Shell, a_shell
from tests.support.team import RefusedByHand, by_hand
from tests.support.witnesses import ORIGIN, a_log


async def grow(shell: Shell, count: int = 1) -> None:
    for number in range(count):
        await shell.sessions.handle(SESSION, Note(text=f"note {number}"), SUPERVISOR)


async def test_a_checkpoint_is_over_every_event_and_signed_by_the_hall(tmp_path: Path) -> None:
    async with a_shell(tmp_path) as shell:
        await shell.sessions.create(a_plan())
        await grow(shell, 5)
        signed = await a_log(shell).checkpoint(SESSION, ORIGIN)
        records = await shell.sessions.events(SESSION)
    checkpoint = open_checkpoint(signed.note, hall_key(tmp_path).public, ORIGIN)
    leaves = [leaf_hash(bytes.fromhex(record.digest)) for record in records]
    assert (checkpoint.size, checkpoint.root) == (6, root(leaves))


async def test_without_a_new_event_the_same_checkpoint_is_given_again(tmp_path: Path) -> None:
    async with a_shell(tmp_path) as shell:
        await shell.sessions.create(a_plan())
        log = a_log(shell)
        assert await log.checkpoint(SESSION, ORIGIN) == await log.checkpoint(SESSION, ORIGIN)


async def test_each_checkpoint_continues_the_one_before(tmp_path: Path) -> None:
    async with a_shell(tmp_path) as shell:
        await shell.sessions.create(a_plan())
        log = a_log(shell)
        last = await log.checkpoint(SESSION, ORIGIN)
        for _ in range(4):
            await grow(shell, 3)
            new = await log.checkpoint(SESSION, ORIGIN)
            proof = (await log.tree(SESSION)).consistency_proof(last.size, new.size)
            verify_consistency(last.size, last.root, new.size, new.root, proof)
            last = new


async def test_a_crowd_gets_one_checkpoint_and_one_signature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_shell(tmp_path) as shell:
        await shell.sessions.create(a_plan())
        log = a_log(shell)
        first, *others = await asyncio.gather(*(log.newest(SESSION, ORIGIN) for _ in range(50)))
        assert all(one is first for one in others)
        await grow(shell)
        assert await log.newest(SESSION, ORIGIN) == first
        monkeypatch.setattr("sessions.outside.opening_log.BREATH", 0.0)
        assert (await log.newest(SESSION, ORIGIN)).size == first.size + 1


async def test_an_event_that_was_just_shown_is_covered_at_once_and_one_to_come_signs_nothing(tmp_path: Path) -> None:
    async with a_shell(tmp_path) as shell:
        await shell.sessions.create(a_plan())
        log = a_log(shell)
        first = await log.newest(SESSION, ORIGIN)
        await grow(shell)
        assert await log.newest(SESSION, ORIGIN, covering=first.size + 2) is first
        covering = await log.newest(SESSION, ORIGIN, covering=first.size + 1)
        assert covering.size == first.size + 1
        assert await log.newest(SESSION, ORIGIN) is covering


async def test_two_workers_racing_sign_one_root_for_each_size(tmp_path: Path) -> None:
    async with a_shell(tmp_path) as shell, a_shell(tmp_path, start=False) as other:
        await shell.sessions.create(a_plan())
        logs = [a_log(shell), a_log(other), a_log(shell), a_log(other)]
        for _ in range(6):
            signing = [log.checkpoint(SESSION, ORIGIN) for log in logs]
            signed = await asyncio.gather(grow(shell, 2), *signing)
            assert signed
    with by_hand(tmp_path) as database:
        rows = database.execute("SELECT size, follows FROM checkpoints ORDER BY size")
    sizes = [0, *(size for size, _ in rows)]
    assert [follows for _, follows in rows] == sizes[:-1]  # one chain, in which nobody forked


async def test_a_head_can_be_followed_once(tmp_path: Path) -> None:
    async with a_shell(tmp_path) as shell:
        kept = shell.stores.checkpoints
        await kept.put(Signed(origin="a", size=1, root=b"1" * 32, note="1"), 0)
        await kept.put(Signed(origin="a", size=3, root=b"3" * 32, note="3"), 1)
        for size, follows in [(2, 1), (3, 1), (3, 3), (4, 1), (1, 0)]:
            with pytest.raises((Stale, IntegrityError)):
                await kept.put(Signed(origin="a", size=size, root=b"x" * 32, note="x"), follows)
        assert (await kept.head("a")).size == 3  # type: ignore[union-attr]
        assert (await kept.at("a", 1)).note == "1"  # type: ignore[union-attr]
        assert await kept.at("a", 2) is None
        assert await kept.head("b") is None


async def test_what_was_said_first_is_kept(tmp_path: Path) -> None:
    async with a_shell(tmp_path) as shell:
        await shell.sessions.create(a_plan())
        said = Said(evidence=b"first", at=T0)
        kept = Kept(session=SESSION, point="close", kind=AnchorKind.WITNESS, by="w", size=3, said=said)
        store = shell.stores.checkpoints
        assert await store.keep(kept) == kept
        again = Kept(
            session=SESSION, point="close", kind=AnchorKind.WITNESS, by="w", size=9, said=Said(evidence=b"2", at=T0)
        )
        assert await store.keep(again) == kept
        assert await store.kept(SESSION) == (kept,)


async def test_what_was_signed_is_never_changed_or_removed(tmp_path: Path) -> None:
    async with a_shell(tmp_path) as shell:
        await shell.sessions.create(a_plan())
        await a_log(shell).checkpoint(SESSION, ORIGIN)
        await shell.stores.checkpoints.convict(SESSION, "w", "note")
    for attempt in (
        "UPDATE checkpoints SET note = ''",
        "DELETE FROM checkpoints",
        "DELETE FROM convictions",
        "UPDATE convictions SET note = ''",
    ):
        with by_hand(tmp_path) as database, pytest.raises(RefusedByHand):
            database.execute(attempt)


async def test_a_log_that_lost_what_was_signed_is_signed_no_more(tmp_path: Path) -> None:
    async with a_shell(tmp_path) as shell:
        await shell.sessions.create(a_plan())
        await shell.stores.checkpoints.put(Signed(origin=ORIGIN, size=99, root=b"x" * 32, note="x"), 0)
        log = a_log(shell)
        with pytest.raises(LogDoubted):
            await log.checkpoint(SESSION, ORIGIN)
        assert "99 entries" in log.lost[SESSION]


async def test_a_log_with_another_root_under_an_old_signature_is_signed_no_more(tmp_path: Path) -> None:
    async with a_shell(tmp_path) as shell:
        await shell.sessions.create(a_plan())
        await shell.stores.checkpoints.put(Signed(origin=ORIGIN, size=1, root=b"x" * 32, note="x"), 0)
        await grow(shell)
        with pytest.raises(LogDoubted):
            await a_log(shell).checkpoint(SESSION, ORIGIN)


async def test_a_hall_that_was_convicted_signs_no_more(tmp_path: Path) -> None:
    async with a_shell(tmp_path) as shell:
        await shell.sessions.create(a_plan())
        await shell.stores.checkpoints.convict(SESSION, "w1.example", "the note")
        await shell.stores.checkpoints.convict(SESSION, "w1.example", "another note")
        assert await shell.stores.checkpoints.convictions() == ((SESSION, "w1.example", "the note"),)
        with pytest.raises(LogDoubted, match=r"w1\.example"):
            await a_log(shell).checkpoint(SESSION, ORIGIN)


async def test_trees_that_nobody_asks_for_are_let_go_and_built_again(tmp_path: Path) -> None:
    async with a_shell(tmp_path) as shell:
        await shell.sessions.create(a_plan())
        log = OpeningLog(shell.stores.events, shell.stores.checkpoints, HallKeys.in_folder(tmp_path), kept=1)
        tree = await log.tree(SESSION)
        await log.tree("other")  # type: ignore[arg-type]
        again = await log.tree(SESSION)
        assert again is not tree
        assert again.root() == tree.root()


async def test_the_digests_are_those_of_the_events_from_any_number_on(tmp_path: Path) -> None:
    async with a_shell(tmp_path) as shell:
        await shell.sessions.create(a_plan())
        await grow(shell, 4)
        records = await shell.sessions.events(SESSION)
        for after in range(6):
            found = await shell.stores.events.digests(SESSION, Stream.OPENING, after=after)
            assert list(found) == [record.digest for record in records[after:]]
