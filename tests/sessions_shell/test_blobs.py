"""Blobs: what was counted is durable, what is finished is fixed, and names are the hall's."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sessions.errors import Unanswered
from sessions.ports import BlobStore, WrongOffset
from sessions.store import failing
from sessions.store.blobs import PIECE, BlobsRefused, FolderBlobs
from sessions.store.opened import blobs_at
from tests.support.fake_clock import FakeClock
from tests.support.s3 import blobs_of
from tests.support.shell import pieces

WORD = "geheim"


@pytest.fixture(params=["folder", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "folder":
        return FolderBlobs(tmp_path / "bids", FakeClock())
    return in_a_bucket(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "bids", FakeClock())


def in_a_bucket(folder: Path) -> BlobStore:
    return blobs_of(folder, FakeClock())


def content(blobs: BlobStore, name: str) -> bytes:
    with blobs.open(name) as file:
        return file.read()


async def test_a_blob_grows_in_any_pieces_and_reads_as_one(blobs: BlobStore) -> None:
    data = bytes(range(256)) * (3 * PIECE // 256) + b"end"
    first = await blobs.append("a1", 0, pieces(data[:1000], size=7), len(data))
    second = await blobs.append("a1", 1000, pieces(data[1000:], size=100_003), len(data))
    assert (first.size, second.size) == (1000, len(data))
    await blobs.finish("a1")
    assert content(blobs, "a1") == data
    assert await blobs.size("a1") == len(data)


async def test_bytes_for_another_place_are_refused(blobs: BlobStore) -> None:
    await blobs.append("a1", 0, pieces(b"12345"), 10)
    for offset in (0, 4, 6):
        with pytest.raises(WrongOffset) as caught:
            await blobs.append("a1", offset, pieces(b"x"), 10)
        assert caught.value.size == 5


async def test_more_bytes_than_announced_are_refused(blobs: BlobStore) -> None:
    with pytest.raises(WrongOffset):
        await blobs.append("a1", 0, pieces(b"12345678901", size=2), 10)
    assert await blobs.size("a1") == 10


async def test_what_came_before_the_sender_broke_off_stays(blobs: BlobStore) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"12345"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await blobs.append("a1", 0, breaking(), 10)
    assert (await blobs.append("a1", 5, pieces(b"67890"), 10)).size == 10
    await blobs.finish("a1")
    assert content(blobs, "a1") == b"1234567890"


async def test_of_two_senders_at_once_one_writes(blobs: BlobStore) -> None:
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
    folder: FolderBlobs, monkeypatch: pytest.MonkeyPatch
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

    sending = asyncio.ensure_future(folder.append("a1", 0, slow(), 3 * PIECE))
    await here.wait()
    counted = await folder.size("a1")
    assert counted == 2 * PIECE
    assert counted in synced.values()
    with pytest.raises(WrongOffset) as caught:
        await folder.append("a1", counted, pieces(b"x"), 3 * PIECE)
    assert caught.value.size == counted
    gate.set()
    assert (await sending).size == counted + 3


async def test_bytes_that_a_dead_process_left_are_made_durable_before_they_are_counted(
    folder: FolderBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bids" / "a1.part").write_bytes(b"12345")
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    assert await folder.size("a1") == 5
    assert synced == [(tmp_path / "bids" / "a1.part").stat().st_ino, (tmp_path / "bids").stat().st_ino]


async def test_bytes_that_could_not_be_made_durable_have_to_come_again(
    folder: FolderBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    await folder.append("a1", 0, pieces(b"12345"), 10)
    stopped = threading.Event()  # in place of the process's end

    def broken(handle: int) -> None:
        raise OSError(errno.EIO, "the disk failed")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        patch.setattr(failing, "stop", stopped.set)
        await folder.append("a1", 5, pieces(b"67890"), 10)
        assert stopped.is_set()
    assert await folder.size("a1") == 5
    assert (await folder.append("a1", 5, pieces(b"67890"), 10)).size == 10
    await folder.finish("a1")
    assert content(folder, "a1") == b"1234567890"


async def test_a_finished_blob_is_neither_changed_nor_discarded(blobs: BlobStore) -> None:
    await blobs.append("a1", 0, pieces(b"12345"), 5)
    await blobs.finish("a1")
    await blobs.finish("a1")  # harmless
    await blobs.discard("a1")
    assert content(blobs, "a1") == b"12345"


async def test_an_unfinished_blob_cannot_be_opened_and_can_be_discarded(blobs: BlobStore) -> None:
    await blobs.append("a1", 0, pieces(b"12345"), 10)
    with pytest.raises(FileNotFoundError):
        blobs.open("a1")
    await blobs.discard("a1")
    assert await blobs.size("a1") == 0
    with pytest.raises(FileNotFoundError):
        await blobs.finish("a1")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", ".part", "a.part", "-a", "a\n", "x" * 129])
async def test_names_are_the_halls_own(blobs: BlobStore, name: str) -> None:
    with pytest.raises(ValueError, match="no name the hall gives"):
        await blobs.append(name, 0, pieces(b"x"), 10)
    with pytest.raises(ValueError, match="no name the hall gives"):
        blobs.open(name)


async def test_a_finished_blob_is_read_from_anywhere(blobs: BlobStore) -> None:
    data = os.urandom(5 * PIECE + 17)
    await blobs.append("a1", 0, pieces(data[: 3 * PIECE + 5]), len(data))
    await blobs.append("a1", 3 * PIECE + 5, pieces(data[3 * PIECE + 5 :]), len(data))
    await blobs.finish("a1")

    def look() -> None:
        with blobs.open("a1") as file:
            for place in (0, 1, 2 * PIECE - 1, 2 * PIECE, 3 * PIECE + 4, 3 * PIECE + 5, len(data) - 1, len(data)):
                file.seek(place)
                assert file.read(PIECE + 3) == data[place : place + PIECE + 3]
            assert file.seek(-9, os.SEEK_END) == len(data) - 9
            assert file.read() == data[-9:]

    await asyncio.to_thread(look)


async def test_another_process_goes_on_where_the_first_one_stopped(tmp_path: Path) -> None:
    one, two = in_a_bucket(tmp_path), in_a_bucket(tmp_path)
    await one.append("a1", 0, pieces(b"12345"), 10)
    assert await two.size("a1") == 5
    assert (await two.append("a1", 5, pieces(b"67890"), 10)).size == 10
    with pytest.raises(WrongOffset) as caught:
        await one.append("a1", 5, pieces(b"other"), 10)
    assert caught.value.size == 10
    await asyncio.gather(one.finish("a1"), two.finish("a1"))
    assert await asyncio.to_thread(content, one, "a1") == b"1234567890"


async def test_of_two_processes_at_one_place_one_writes(tmp_path: Path) -> None:
    stores = [in_a_bucket(tmp_path) for _ in range(4)]
    here = asyncio.Barrier(4)

    async def together(text: bytes) -> AsyncIterator[bytes]:
        await here.wait()
        yield text

    texts = [bytes([65 + n]) * 5 for n in range(4)]
    sending = [store.append("a1", 0, together(text), 5) for store, text in zip(stores, texts, strict=True)]
    results = await asyncio.gather(*sending, return_exceptions=True)
    [winner] = [text for text, result in zip(texts, results, strict=True) if not isinstance(result, Exception)]
    assert sum(isinstance(result, WrongOffset) for result in results) == 3
    await stores[0].finish("a1")
    assert await asyncio.to_thread(content, stores[1], "a1") == winner


async def test_a_part_whose_acknowledgement_got_lost_counts_once(tmp_path: Path) -> None:
    """A client that puts again what is there already, byte for byte, was the one that put it."""
    blobs = in_a_bucket(tmp_path)
    here, gate = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        here.set()
        await gate.wait()
        yield b"12345"

    sending = asyncio.ensure_future(blobs.append("a1", 0, slow(), 10))
    await here.wait()
    await in_a_bucket(tmp_path).append("a1", 0, pieces(b"12345"), 10)  # as if the first request had arrived
    gate.set()
    assert (await sending).size == 5
    assert await blobs.size("a1") == 5


async def test_a_store_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("id\ngeheim\n")
    blobs = blobs_at("s3://bids/x?endpoint=http://127.0.0.1:1", tmp_path, FakeClock(), room=1, key_file=key)
    with pytest.raises(Unanswered) as caught:
        await blobs.size("a1")
    assert "geheim" not in repr(caught.value.__cause__)
    assert "geheim" not in repr(vars(blobs))


@pytest.mark.parametrize(
    "url", ["s3:///x", f"s3://key:{WORD}@bids/x", "s3://bids/x?secret=geheim", "ftp://x/y", "file://relative"]
)
def test_an_address_that_cannot_be_used_is_refused_without_being_shown(tmp_path: Path, url: str) -> None:
    with pytest.raises(BlobsRefused) as caught:
        blobs_at(url, tmp_path, FakeClock(), room=1)
    assert "geheim" not in str(caught.value)


async def test_what_room_a_bucket_has_is_what_the_operator_says(tmp_path: Path) -> None:
    assert await in_a_bucket(tmp_path).room() == 1 << 40


async def test_blobs_lie_in_the_folder_that_the_address_names(tmp_path: Path) -> None:
    blobs = blobs_at(f"file://{tmp_path}/else%20where", tmp_path, FakeClock(), room=0)
    await blobs.append("a1", 0, pieces(b"12345"), 5)
    assert (tmp_path / "else where" / "a1.part").read_bytes() == b"12345"
    assert await blobs.room() > 0
