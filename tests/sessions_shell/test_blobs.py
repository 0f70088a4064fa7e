"""Blobs: what was counted is durable, what is finished is fixed, and names are the hall's."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sessions.ports import WrongOffset
from sessions.store.blobs import PIECE, FolderBlobs
from tests.support.fake_clock import FakeClock
from tests.support.shell import pieces


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "bids", FakeClock())


def content(blobs: FolderBlobs, name: str) -> bytes:
    with blobs.open(name) as file:
        return file.read()


async def test_a_blob_grows_in_any_pieces_and_reads_as_one(blobs: FolderBlobs) -> None:
    data = bytes(range(256)) * (3 * PIECE // 256) + b"end"
    first = await blobs.append("a1", 0, pieces(data[:1000], size=7), len(data))
    second = await blobs.append("a1", 1000, pieces(data[1000:], size=100_003), len(data))
    assert (first.size, second.size) == (1000, len(data))
    await blobs.finish("a1")
    assert content(blobs, "a1") == data
    assert await blobs.size("a1") == len(data)


async def test_bytes_for_another_place_are_refused(blobs: FolderBlobs) -> None:
    await blobs.append("a1", 0, pieces(b"12345"), 10)
    for offset in (0, 4, 6):
        with pytest.raises(WrongOffset) as caught:
            await blobs.append("a1", offset, pieces(b"x"), 10)
        assert caught.value.size == 5


async def test_more_bytes_than_announced_are_refused(blobs: FolderBlobs) -> None:
    with pytest.raises(WrongOffset):
        await blobs.append("a1", 0, pieces(b"12345678901", size=2), 10)
    assert await blobs.size("a1") == 10


async def test_what_came_before_the_sender_broke_off_stays(blobs: FolderBlobs) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"12345"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await blobs.append("a1", 0, breaking(), 10)
    assert (await blobs.append("a1", 5, pieces(b"67890"), 10)).size == 10
    await blobs.finish("a1")
    assert content(blobs, "a1") == b"1234567890"


async def test_of_two_senders_at_once_one_writes(blobs: FolderBlobs) -> None:
    gate = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"12345"
        await gate.wait()

    first = asyncio.ensure_future(blobs.append("a1", 0, slow(), 10))
    await asyncio.sleep(0.05)
    with pytest.raises(WrongOffset):
        await blobs.append("a1", 0, pieces(b"x"), 10)
    gate.set()
    assert (await first).size == 5


async def test_only_durable_bytes_are_counted_while_more_come(
    blobs: FolderBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: dict[int, int] = {}
    fsync = os.fsync

    def remembering(handle: int) -> None:
        fsync(handle)
        found = os.fstat(handle)
        synced[found.st_ino] = found.st_size

    monkeypatch.setattr(os, "fsync", remembering)
    here, gate = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield bytes(2 * PIECE)
        here.set()
        await gate.wait()
        yield b"end"

    sending = asyncio.ensure_future(blobs.append("a1", 0, slow(), 3 * PIECE))
    await here.wait()
    counted = await blobs.size("a1")
    assert counted == 2 * PIECE
    assert counted in synced.values()
    with pytest.raises(WrongOffset) as caught:
        await blobs.append("a1", counted, pieces(b"x"), 3 * PIECE)
    assert caught.value.size == counted
    gate.set()
    assert (await sending).size == counted + 3


async def test_bytes_that_a_dead_process_left_are_made_durable_before_they_are_counted(
    blobs: FolderBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bids" / "a1.part").write_bytes(b"12345")
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    assert await blobs.size("a1") == 5
    assert synced == [(tmp_path / "bids" / "a1.part").stat().st_ino, (tmp_path / "bids").stat().st_ino]


async def test_bytes_that_could_not_be_made_durable_have_to_come_again(
    blobs: FolderBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    await blobs.append("a1", 0, pieces(b"12345"), 10)

    def failing(handle: int) -> None:
        raise OSError(errno.EIO, "the disk failed")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(OSError, match="the disk failed"):
            await blobs.append("a1", 5, pieces(b"67890"), 10)
    assert await blobs.size("a1") == 5
    assert (await blobs.append("a1", 5, pieces(b"67890"), 10)).size == 10
    await blobs.finish("a1")
    assert content(blobs, "a1") == b"1234567890"


async def test_a_finished_blob_is_neither_changed_nor_discarded(blobs: FolderBlobs) -> None:
    await blobs.append("a1", 0, pieces(b"12345"), 5)
    await blobs.finish("a1")
    await blobs.finish("a1")  # harmless
    await blobs.discard("a1")
    assert content(blobs, "a1") == b"12345"


async def test_an_unfinished_blob_cannot_be_opened_and_can_be_discarded(blobs: FolderBlobs) -> None:
    await blobs.append("a1", 0, pieces(b"12345"), 10)
    with pytest.raises(FileNotFoundError):
        blobs.open("a1")
    await blobs.discard("a1")
    assert await blobs.size("a1") == 0
    with pytest.raises(FileNotFoundError):
        await blobs.finish("a1")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", ".part", "a.part", "-a", "a\n", "x" * 129])
async def test_names_are_the_halls_own(blobs: FolderBlobs, name: str) -> None:
    with pytest.raises(ValueError, match="no name the hall gives"):
        await blobs.append(name, 0, pieces(b"x"), 10)
    with pytest.raises(ValueError, match="no name the hall gives"):
        blobs.open(name)
