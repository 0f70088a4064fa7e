"""A backup is one moment of a hall that goes on serving, and a restore is that hall, whatever the moment was."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from struct import unpack_from
from zipfile import ZIP_STORED, ZipFile

import pytest

from crypto.signing import HallKey
from crypto.tlog import Checkpoint, sign_checkpoint
from hall.media.mp4.record import Recorder
from sessions.backup import keychest
from sessions.backup.archive import BackupRefused, Manifest
from sessions.backup.checking import Kept, ahead, faults
from sessions.backup.reading import Backup, restore
from sessions.backup.recordings import put
from sessions.backup.writing import write
from sessions.clock import SystemClock
from sessions.events import Stream
from sessions.keys.hallkey import HALL, HallKeys
from sessions.ports import BlobStore
from sessions.store.blobs import FolderBlobs
from sessions.store.checkpoints import SqlCheckpoints
from sessions.store.database import Database
from sessions.store.events import SqlEvents
from sessions.store.intake import SqlIntake
from tests.support import postgres, team
from tests.support.bidders import a_bidder
from tests.support.commands import kaibiao
from tests.support.film import kept as kept_film
from tests.support.house import T0, House, a_bid, a_house
from tests.support.s3 import blobs_of, s3

PASSPHRASE = b"correct horse battery staple"


def sqlite(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'kaibiao.db'}"


@asynccontextmanager
async def restored(
    file: Path,
    folder: Path,
    url: str | None = None,
    blobs: BlobStore | None = None,
    recordings: Path | None = None,
) -> AsyncIterator[tuple[Kept, Manifest]]:
    """Restore ``file`` into ``folder``, or its bids to where ``blobs`` lie, and give what came of it."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    database, blobs = Database(url or sqlite(folder)), blobs or FolderBlobs(folder / "bids", SystemClock())
    backup = Backup(file)
    try:
        await restore(backup, database=database, blobs=blobs, recordings=recordings)
        kept = Kept(
            events=SqlEvents(database),
            intake=SqlIntake(database),
            checkpoints=SqlCheckpoints(database),
            blobs=blobs,
            recordings=recordings,
        )
        assert [fault async for fault in faults(kept, backup.keys)] == []
        yield kept, backup.manifest
    finally:
        backup.close()
        await database.close()


async def backed_up(
    house: House, out: Path, passphrase: bytes | None = None, *, recordings: Path | None = None
) -> Manifest:
    services = house.services
    return await write(
        out,
        database=services.database,
        blobs=services.stores.blobs,
        folder=services.settings.data_dir,
        clock=SystemClock(),
        recordings=recordings,
        passphrase=passphrase,
    )


async def an_evening(house: House, over: asyncio.Event) -> None:
    """Bids come in, staff writes, T0 passes, and staff writes on until it is over."""
    host, supervisor = await house.staff("host"), await house.staff("supervisor")
    house.clock.turn(T0 - timedelta(minutes=10))
    for client in (host, supervisor):
        await house.act(client, "TakeChair")
    for number in range(8):
        bidder = a_bidder(f"第{number}投标人有限公司")
        client = await house.bidder(bidder)
        await asyncio.gather(
            house.submit(client, a_bid(bidder)), *(house.act(supervisor, "Note", text=f"甲 {n}") for n in range(2))
        )
    await house.turn(T0 + timedelta(seconds=1))
    while not over.is_set():
        house.clock.turn(timedelta(milliseconds=100))  # as fast as one person may act
        assert (await house.act(supervisor, "Note", text="乙")).status_code == 200


@pytest.mark.parametrize("times", [6, pytest.param(50, marks=pytest.mark.slow)])
async def test_whatever_the_moment_a_restore_holds_all_that_was_acknowledged_before_it(
    tmp_path: Path, times: int
) -> None:
    chance = random.Random(times)
    async with a_house(tmp_path) as house:
        await house.announce()
        over = asyncio.Event()
        evening = asyncio.create_task(an_evening(house, over))
        moments: list[tuple[int, int]] = []
        for number in range(times):
            sessions = house.services.sessions
            await asyncio.sleep(chance.uniform(0, 0.12))
            while (before := (await sessions.head(house.session))[0]) == (moments[-1][0] if moments else 0):
                assert not evening.done()
                await asyncio.sleep(0.01)
            answered = len(await house.services.stores.intake.answers(house.session))
            await backed_up(house, tmp_path / f"{number}.zip")
            assert not evening.done()
            moments.append((before, answered))
        over.set()
        await evening
    for number, (before, answered) in enumerate(moments):
        async with restored(tmp_path / f"{number}.zip", tmp_path / f"into-{number}") as (kept, manifest):
            log = await kept.events.read(house.session, Stream.OPENING)
            assert len(log) == manifest.heads[house.session]["opening"] >= before
            assert len(await kept.intake.answers(house.session)) >= answered
    assert len({before for before, _ in moments}) == times  # it went on meanwhile


async def test_a_restored_hall_goes_on_where_the_backup_was_taken(tmp_path: Path) -> None:
    async with a_house(tmp_path / "old") as house:
        await house.announce()
        await house.receive_bids(3)
        await backed_up(house, tmp_path / "b.zip", PASSPHRASE)
    new = tmp_path / "new" / "hall"
    new.mkdir(parents=True)
    backup = Backup(tmp_path / "b.zip")
    keychest.put_back(new, backup.private_keys(PASSPHRASE))
    backup.close()
    async with restored(tmp_path / "b.zip", new):
        pass
    async with a_house(tmp_path / "new", database_url=sqlite(new)) as house:
        late = a_bidder("晚到投标人有限公司")
        assert (await house.submit(await house.bidder(late), a_bid(late))).status_code == 200
        await house.turn(T0 + timedelta(seconds=1))
        assert len((await house.services.sessions.state(house.session)).bids) == 4
        assert await house.services.notary.doubts() == ()


async def test_one_file_goes_from_sqlite_to_postgresql_and_back(tmp_path: Path) -> None:
    async with a_house(tmp_path, database_url=sqlite(tmp_path / "hall")) as house:
        await house.announce()
        await house.receive_bids(3)
        await house.turn(T0 + timedelta(seconds=1))
        first = await backed_up(house, tmp_path / "first.zip")
        keys = house.services.settings.data_dir
    cluster = postgres.cluster()
    cluster.sql("CREATE DATABASE t_migrated")
    try:
        url = cluster.url("t_migrated")
        second = await _again(tmp_path / "first.zip", tmp_path / "team", url, keys, tmp_path / "second.zip")
        third = await _again(tmp_path / "second.zip", tmp_path / "solo", None, keys, tmp_path / "third.zip")
    finally:
        cluster.sql("DROP DATABASE t_migrated WITH (FORCE)")
    assert first.tables["events"].count > 5
    assert dict(first.tables) == dict(second.tables) == dict(third.tables)
    assert dict(first.blobs) == dict(second.blobs) == dict(third.blobs)
    assert first.heads == second.heads == third.heads


async def _again(file: Path, folder: Path, url: str | None, keys: Path, out: Path) -> Manifest:
    """Restore a backup and take one of what came of it."""
    async with restored(file, folder, url):
        pass
    database = Database(url or sqlite(folder))
    try:
        if url is not None:  # what is numbered goes on after the last
            async with database.writing() as connection:
                await connection.exec_driver_sql(
                    "INSERT INTO answers (session, bidder, at, statement) SELECT session, bidder, at, '' FROM answers"
                    " LIMIT 1"
                )
                await connection.exec_driver_sql("DELETE FROM answers WHERE statement = ''")
        blobs = FolderBlobs(folder / "bids", SystemClock())
        return await write(out, database=database, blobs=blobs, folder=keys, clock=SystemClock())
    finally:
        await database.close()


async def test_logins_stay_out_and_everybody_logs_in_again(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.announce()
        await house.receive_bids(1)
        await backed_up(house, tmp_path / "b.zip")
    with ZipFile(tmp_path / "b.zip") as archive:
        assert "tables/logins.jsonl" not in archive.namelist()
        assert {"tables/events.jsonl", "tables/accounts.jsonl", "README.txt"} <= set(archive.namelist())


async def test_keys_are_in_it_only_when_asked_for_and_only_under_the_passphrase(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.announce()
        folder = house.services.settings.data_dir
        await backed_up(house, tmp_path / "without.zip")
        await backed_up(house, tmp_path / "with.zip", PASSPHRASE)
        with pytest.raises(BackupRefused, match="shorter"):
            await backed_up(house, tmp_path / "weak.zip", b"short")
    secret = {path.name: path.read_bytes() for path in keychest.key_files(folder).values()}
    assert HALL in secret
    for name in ("with.zip", "without.zip"):
        with ZipFile(tmp_path / name) as archive:
            assert ("keys.sealed" in archive.namelist()) is (name == "with.zip")
            everything = b"".join(map(archive.read, archive.namelist()))
        assert not any(content.strip() in everything for key, content in secret.items() if not key.endswith("jws"))
    assert not (tmp_path / "weak.zip.part").exists()
    backup = Backup(tmp_path / "with.zip")
    assert backup.private_keys(PASSPHRASE) == secret
    with pytest.raises(BackupRefused, match="passphrase"):
        backup.private_keys(b"correct horse battery stable")
    backup.close()


async def a_small_backup(folder: Path) -> Path:
    async with a_house(folder) as house:
        await house.announce()
        await house.receive_bids(1)
        await backed_up(house, folder / "b.zip")
    return folder / "b.zip"


async def test_a_byte_that_changed_is_noticed_and_nothing_is_restored(tmp_path: Path) -> None:
    good = await a_small_backup(tmp_path)
    data = bytearray(good.read_bytes())
    with ZipFile(good) as archive:
        spans = [(each.header_offset, each.compress_size) for each in archive.infolist()]
    noticed = 0
    for number, (start, size) in enumerate(spans):
        named, extra = unpack_from("<HH", data, start + 26)
        at = start + 30 + named + extra + size // 2
        data[at] ^= 1
        (tmp_path / "bad.zip").write_bytes(data)
        data[at] ^= 1
        folder = tmp_path / f"bad-{number}"
        try:
            async with restored(tmp_path / "bad.zip", folder):
                pass
        except BackupRefused:
            noticed += 1
            assert not _tables(folder)
    assert noticed == len(spans) - 1  # the README is for people


def _tables(folder: Path) -> list[str]:
    if not (folder / "kaibiao.db").exists():
        return []
    with closing(sqlite3.connect(folder / "kaibiao.db")) as database:
        return [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


async def test_who_may_write_to_the_backups_cannot_change_what_was_said(tmp_path: Path) -> None:
    good = await a_small_backup(tmp_path)
    with ZipFile(good) as old, ZipFile(tmp_path / "bad.zip", "w", ZIP_STORED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "manifest.json":
                form = json.loads(content)
                form["at"] = "2026-01-01T00:00:00.000Z"
                content = json.dumps(form).encode()
            new.writestr(name, content)
    with pytest.raises(BackupRefused, match="damaged"):
        Backup(tmp_path / "bad.zip")


def test_a_target_in_use_is_left_alone(tmp_path: Path) -> None:
    file = asyncio.run(a_small_backup(tmp_path))
    ran = kaibiao(tmp_path, "restore", str(file), "--into", str(tmp_path / "hall"))
    assert (ran.returncode, ran.stderr.splitlines()[-1]) == (1, "Name a folder that is empty or new.")


async def test_a_target_with_bids_or_tables_is_left_alone(tmp_path: Path) -> None:
    file = await a_small_backup(tmp_path)
    async with restored(file, tmp_path / "new"):
        pass
    shutil.move(tmp_path / "new" / "kaibiao.db", tmp_path / "elsewhere.db")
    with pytest.raises(BackupRefused, match="bids already"):
        async with restored(file, tmp_path / "new"):
            pass
    with pytest.raises(BackupRefused, match="database already"):
        async with restored(file, tmp_path / "other", f"sqlite+aiosqlite:///{tmp_path / 'elsewhere.db'}"):
            pass


async def test_a_witness_that_saw_more_than_the_backup_is_believed_only_under_the_halls_signature(
    tmp_path: Path,
) -> None:
    file = await a_small_backup(tmp_path)
    key, other = HallKeys.in_folder(tmp_path / "hall").newest, HallKey.generate()
    async with restored(file, tmp_path / "new") as (kept, manifest):
        ((session, heads),) = manifest.heads.items()
        size, origin = heads["opening"], "hall.example/s/x"
        for signer, entries, said in (
            (key, size + 1, f"holds {size + 1} events, of which this database has {size}"),
            (key, size, f"holds another log of {size} events"),
            (other, size + 1, ""),
        ):
            note = sign_checkpoint(Checkpoint(origin=origin, size=entries, root=os.urandom(32)), signer)
            assert await ahead(kept, session, note, key.public, origin) == said  # type: ignore[arg-type]


def test_the_commands_say_what_is_in_it_and_what_is_next(tmp_path: Path) -> None:
    asyncio.run(a_small_backup(tmp_path))
    (tmp_path / "passphrase").write_bytes(PASSPHRASE + b"\n")
    hall = {"data_dir": str(tmp_path / "hall")}
    if team.TEAM:
        hall["database_url"] = team.database_url(tmp_path / "hall")
    made = kaibiao(tmp_path, "backup", str(tmp_path), "--with-keys", "--password-file", "passphrase", **hall)
    assert made.returncode == 0, made.stderr
    (name,) = made.stdout.splitlines()
    assert "1 openings" in made.stderr
    ran = kaibiao(tmp_path, "restore", name, "--into", "again", "--password-file", "passphrase")
    assert ran.returncode == 0, ran.stderr
    assert "Every chain, log and checkpoint holds" in ran.stdout
    assert (tmp_path / "again" / HALL).read_bytes() == (tmp_path / "hall" / HALL).read_bytes()
    alone = kaibiao(tmp_path, "restore", name, "--into", "third")
    assert alone.returncode == 0
    assert "The keys are not here yet" in alone.stderr
    assert not list((tmp_path / "third").glob("*.key"))
    bare = kaibiao(tmp_path, "backup", str(tmp_path / "c.zip"), "--with-keys", **hall)
    assert (bare.returncode, bare.stdout) == (1, "")


def test_a_bucket_that_is_away_is_told_and_no_half_backup_is_left(tmp_path: Path) -> None:
    asyncio.run(a_small_backup(tmp_path))
    (tmp_path / "key").write_text("id\nsecret\n")
    away = {"blobs_url": "s3://bids/x?endpoint=http://127.0.0.1:1", "blobs_key_file": str(tmp_path / "key")}
    database = team.database_url(tmp_path / "hall")
    ran = kaibiao(tmp_path, "backup", "b2.zip", data_dir=str(tmp_path / "hall"), database_url=database, **away)
    said, hint = ran.stderr.splitlines()
    assert (ran.returncode, hint) == (1, "See with `kaibiao doctor` which, and try again.")
    assert said.startswith("The database or the bucket does not answer: Generic S3 error")
    assert not list(tmp_path.glob("b2*"))


@pytest.mark.parametrize("to_bucket", [True, False], ids=["into another bucket", "into a folder"])
async def test_bids_that_lie_in_a_bucket_are_in_the_backup_and_come_back(tmp_path: Path, *, to_bucket: bool) -> None:
    bucket = s3()
    given = {"blobs_url": bucket.url(f"old-{tmp_path.name}"), "blobs_key_file": bucket.key_file}
    async with a_house(tmp_path / "old", **given) as house:
        await house.announce()
        sent = await house.receive_bids(3)
        await backed_up(house, tmp_path / "b.zip")
        answers = await house.services.stores.intake.answers(house.session)
        assert not (tmp_path / "old" / "hall" / "bids").exists()
    blobs = blobs_of(tmp_path / "new", SystemClock()) if to_bucket else None
    async with restored(tmp_path / "b.zip", tmp_path / "new", blobs=blobs) as (kept, _):
        names = {answer.header_sha256: answer.blob for answer in answers}
        for _, sealed in sent:
            blob = names[sealed.bid.header_sha256]
            assert blob is not None
            with kept.blobs.open(blob) as there:
                assert there.read() == sealed.data


async def test_recordings_are_in_the_backup_while_the_recorder_goes_on_and_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions.recording.tail.LOOK", 0.01)
    monkeypatch.setattr("sessions.recording.tail.BATCH", 0.0)
    init, fragments = kept_film()
    async with a_house(tmp_path, media="on") as house:
        await house.announce()
        await house.turn(T0 - timedelta(minutes=30))
        services, media = house.services, tmp_path / "media"
        recorder = Recorder(services.settings.data_dir / "media" / house.session, "programme", house.clock.now())
        recorder.begin(init)
        for fragment in fragments[:3]:
            recorder.take(fragment)
        while (await services.sessions.recording(house.session)).fragments < 3:  # noqa: ASYNC110 - see the tail
            await asyncio.sleep(0.01)
        folder = services.settings.data_dir / "media" / house.session
        with (folder / "programme-1.jsonl").open("ab") as file:
            file.write(b'{"duration_ms":500,"keyf')  # a line that is being written
        recordings = services.settings.data_dir / "media"
        manifest = await backed_up(house, tmp_path / "b.zip", recordings=recordings)
        recorder.end()
        assert manifest.media is not None
        assert [name.partition(".")[2] for name in sorted(manifest.media)] == ["jsonl", "mp4"]

        async with restored(tmp_path / "b.zip", tmp_path / "new", recordings=media) as (kept, _):
            assert (media / house.session / "programme-1.mp4").read_bytes() == init.data + b"".join(
                one.data for one in fragments[:3]
            )
            film = media / house.session / "programme-1.mp4"
            film.write_bytes(film.read_bytes()[:-1] + b"x")
            assert [fault async for fault in faults(kept, services.hall_keys.public)] == [
                f"{house.session}: the recording programme-1 is another"
            ]
            film.unlink()
            assert [fault async for fault in faults(kept, services.hall_keys.public)] == [
                f"{house.session}: the recording programme-1 is missing"
            ]


async def test_a_recording_that_lies_elsewhere_is_no_backup_unless_it_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions.recording.tail.LOOK", 0.01)
    monkeypatch.setattr("sessions.recording.tail.BATCH", 0.0)
    monkeypatch.setattr("sessions.backup.writing.RESTS", (0.01,))
    init, fragments = kept_film()
    async with a_house(tmp_path, media="on") as house:
        await house.announce()
        await house.turn(T0 - timedelta(minutes=30))
        services = house.services
        folder = services.settings.data_dir / "media" / house.session
        recorder = Recorder(folder, "programme", house.clock.now())
        recorder.begin(init)
        recorder.take(fragments[0])
        while (await services.sessions.recording(house.session)).fragments < 1:  # noqa: ASYNC110 - see the tail
            await asyncio.sleep(0.01)
        recorder.end()
        with pytest.raises(BackupRefused, match=r"programme-1 of .* is not whole here") as refused:
            await backed_up(house, tmp_path / "b.zip", recordings=tmp_path / "another-machine")
        assert "--without-recordings" in refused.value.hint
        assert not (tmp_path / "b.zip").exists()
        assert (await backed_up(house, tmp_path / "c.zip")).media is None


@pytest.mark.parametrize("name", ["../x/programme-1.mp4", "a/../programme-1.mp4", "a/programme-1.sh", "/a/b-1.mp4"])
async def test_a_recording_is_written_nowhere_else(tmp_path: Path, name: str) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        yield b""

    with pytest.raises(BackupRefused):
        await put(tmp_path, name, nothing())
