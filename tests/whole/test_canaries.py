"""What is sealed is nowhere in the hall before the barrier: not on its disk, not in its logs, not in its memory.

The bids carry strings that occur nowhere else, in the read-out sheet, in a document and in a file name. The hall is a
process of its own; bidders and officers are in this one. Behind the barrier the same search finds the sheets, so it
would have found them before. A hall in Team mode is searched with its PostgreSQL, write-ahead log included, and with
its Redis, every word said to it included.
"""

from __future__ import annotations

import asyncio
import io
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.container import read_header
from crypto.envelope import Source, seal, unlock
from sessions.store.migrations import migrate
from tests.support import postgres
from tests.support.house import one_time_code
from tests.support.ports import free_port
from tests.support.redis import RedisServer, a_redis
from tests.support.traces import Search
from tests.web.test_serving_commands import environment
from web.bench.postgres import tool
from web.bootstrap import build
from web.demo import cast
from web.participant.remote import Hall
from web.settings import Settings

PASSWORD = "correct horse battery"
LEAD = timedelta(seconds=25)


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """PostgreSQL and Redis of a hall in Team mode. ``heard``: all that was said to Redis."""

    cluster: postgres.Cluster
    database: str
    redis: RedisServer
    heard: Path

    def found(self, search: Search) -> dict[str, set[str]]:
        """Return what is in their files, and in the rows: PostgreSQL packs long values in its files."""
        self.redis.say("SAVE")
        self.cluster.sql("CHECKPOINT")
        data = self.cluster.folder / "data"
        found = search.in_files(self.redis.folder, data / "base", data / "pg_wal", self.cluster.folder / "log")
        dump = [tool("pg_dump") or "pg_dump", "-h", str(self.cluster.folder), "-U", "hall", self.database]
        rows = search.in_bytes(subprocess.run(dump, check=True, capture_output=True).stdout)
        return found | ({"rows": rows} if rows else {})


@contextmanager
def a_city(folder: Path) -> Iterator[City]:
    cluster = postgres.start()
    try:
        with a_redis() as redis:
            redis.say("CONFIG", "SET", "rdbcompression", "no")
            heard = redis.folder / "heard"
            with heard.open("wb") as out:
                listening = subprocess.Popen(["redis-cli", "-s", redis.socket, "MONITOR"], stdout=out)
                try:
                    while b"OK" not in heard.read_bytes():
                        time.sleep(0.02)
                    yield City(cluster=cluster, database=cluster.database(folder), redis=redis, heard=heard)
                finally:
                    listening.kill()
                    listening.wait()
    finally:
        cluster.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    folder: Path
    url: str
    process: int
    troupe: cast.Troupe
    t0: datetime
    accounts: dict[str, str]
    host: Hall
    metrics: str

    @property
    def hall(self) -> Path:
        return self.folder / "hall"

    @asynccontextmanager
    async def staff(self, account: str) -> AsyncIterator[Hall]:
        async with _at_work(self.url, account, self.accounts[account]) as hall:
            yield hall

    @asynccontextmanager
    async def bidder(self, member: cast.Member) -> AsyncIterator[Hall]:
        async with Hall(self.url) as hall:
            await hall.login_certificate(member.signer)
            yield hall


@asynccontextmanager
async def _at_work(url: str, account: str, secret: str) -> AsyncIterator[Hall]:
    async with Hall(url) as hall:
        await hall.login_password(account, PASSWORD, one_time_code(secret, datetime.now(UTC)))
        yield hall


@asynccontextmanager
async def a_hall_of_its_own(folder: Path, *, locked: bool, city: City | None) -> AsyncIterator[Scene]:
    """Serve from another process, with a temporary folder of its own, and announce an opening there."""
    port, figures = free_port(), free_port()
    kept = {"database_url": city.cluster.url(city.database), "bus_url": city.redis.url} if city else {}
    settings = Settings(data_dir=folder / "hall", port=port, rehearsal_allowed=True, **kept)  # type: ignore[arg-type]
    troupe, accounts = await _prepare(settings)
    (folder / "tmp").mkdir()
    config = folder / "hall.toml"
    config.write_text(
        f'data_dir = "{settings.data_dir}"\nport = {port}\nrehearsal_allowed = true\nlog_level = "debug"\n'
        f'metrics_listen = "{figures}"\n' + "".join(f'{name} = "{value}"\n' for name, value in kept.items())
    )
    command = [sys.executable, "-m", "web.cli", "serve", "--config", str(config)]
    told = environment() | {"TMPDIR": str(folder / "tmp")}
    with (folder / "log").open("wb") as log:
        serving = await asyncio.create_subprocess_exec(*command, cwd=folder, env=told, stderr=log, stdout=log)
        try:
            await _until_it_answers(settings.origin)
            async with _at_work(settings.origin, "host", accounts["host"]) as host:
                t0 = (datetime.now(UTC) + LEAD).replace(microsecond=0)
                tender = cast.tender(t0, troupe=troupe if locked else None)
                tender |= {"draws": [], "windows": {**cast.WINDOWS, "decrypt": 900}}  # everything is searched in it
                await host.announce(tender | {"session": cast.SESSION, "rehearsal": True})
                yield Scene(
                    folder=folder,
                    url=settings.origin,
                    process=serving.pid,
                    troupe=troupe,
                    t0=t0,
                    accounts=accounts,
                    host=host,
                    metrics=f"http://127.0.0.1:{figures}/metrics",
                )
        finally:
            serving.terminate()
            await serving.wait()


async def _prepare(settings: Settings) -> tuple[cast.Troupe, dict[str, str]]:
    services = build(settings)
    await migrate(services.database)
    now = services.clock.now()
    troupe = cast.engage(3, now)
    settings.anchors.mkdir(parents=True, exist_ok=True)
    (settings.anchors / "root.pem").write_bytes(troupe.authority.certificate.public_bytes(Encoding.PEM))
    accounts = {
        account: await services.accounts.create(account, name, PASSWORD, {cast.ROLES[account]})
        for account, name in cast.OFFICERS.items()
    }
    await services.sessions.close()
    await services.database.close()
    return troupe, accounts


async def _until_it_answers(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        for _ in range(600):
            try:
                if (await client.get("/healthz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
    raise AssertionError("the hall did not answer")


CANARIES = {part: secrets.token_hex(16) for part in ("sheet", "document", "name")}


def a_bid_with_canaries(scene: Scene, member: cast.Member, *, locked: bool) -> tuple[io.BytesIO, int, bytes]:
    """Seal a bid; return it with its length and the key that opens it."""
    content = b"%PDF-1.7\n" + CANARIES["document"].encode() * 3 + bytes(40_000)
    out = io.BytesIO()
    made = seal(
        out,
        tender="GC-2026-0417",
        lot="02",
        deadline=scene.t0.strftime("%Y-%m-%dT%H:%M:%SZ"),
        quote=cast.quote(member.row) | {"manager": CANARIES["sheet"]},
        files=[
            Source(
                name=CANARIES["name"] + ".pdf", media="application/pdf", stream=io.BytesIO(content), size=len(content)
            )
        ],
        signer=member.signer,
        encrypt_to=[member.encrypter.certificate],
        tenderer=cast._tenderer(scene.troupe) if locked else None,
    )
    out.seek(0)
    key = unlock(read_header(out), "A", member.encrypter)
    return out, made.length, key


@pytest.mark.slow
@pytest.mark.parametrize(
    ("locked", "team"), [(True, False), (False, False), (True, True)], ids=["split", "server", "team"]
)
async def test_nothing_sealed_leaves_a_trace_before_the_barrier(tmp_path: Path, locked: bool, team: bool) -> None:
    with a_city(tmp_path) if team else nullcontext() as city:
        await nothing_leaves_a_trace(tmp_path, locked=locked, city=city)


async def nothing_leaves_a_trace(folder: Path, *, locked: bool, city: City | None) -> None:
    async with a_hall_of_its_own(folder, locked=locked, city=city) as scene:
        bids = [a_bid_with_canaries(scene, member, locked=locked) for member in scene.troupe.bidders]
        planted = {part: text.encode() for part, text in CANARIES.items()}
        held = {f"key {row}": key for row, (_, _, key) in enumerate(bids, start=1)}
        everything, keys, sealed = Search(planted | held), Search(held), Search(planted)

        def on_disk(search: Search) -> dict[str, set[str]]:
            return search.in_files(scene.folder) | (city.found(search) if city else {})

        def nothing_anywhere() -> None:
            assert on_disk(everything) == {}
            assert everything.in_memory(scene.process) == set()
            figures = httpx.get(scene.metrics).content
            assert b"kaibiao_append_seconds" in figures
            assert everything.in_bytes(figures) == set()

        for member, (bid, length, _) in zip(scene.troupe.bidders, bids, strict=True):
            async with scene.bidder(member) as hall:
                await hall.submit(cast.SESSION, bid, length)
        nothing_anywhere()
        await asyncio.sleep(max((scene.t0 - datetime.now(UTC)).total_seconds(), 0) + 1)
        async with AsyncExitStack() as room:
            others = ("supervisor", *(("tenderer",) if locked else ()))
            officers = {account: await room.enter_async_context(scene.staff(account)) for account in others}
            officers["host"] = host = scene.host
            for account, hall in officers.items():
                await hall.command(cast.SESSION, "TakeChair")
                if locked:
                    await hall.command(cast.SESSION, "ReadyOfficer", lock=account, passed=True)
            await host.command(cast.SESSION, "Advance", step="ceiling")
            await host.command(cast.SESSION, "Advance", step="decrypt")
            nothing_anywhere()
            *most, last = scene.troupe.bidders
            for member in most:
                async with scene.bidder(member) as hall:
                    await hall.release(cast.SESSION, "A", member.signer, member.opener)
            # In server mode the hall has had these keys in hand, to compare them with their commitments; no bid yet.
            assert on_disk(everything) == {}
            assert (everything if locked else sealed).in_memory(scene.process) == set()
            async with scene.bidder(last) as hall:
                await hall.release(cast.SESSION, "A", last.signer, last.opener)
            if locked:
                nothing_anywhere()  # behind the barrier, and the locks are still on
                for account, hall in officers.items():
                    await hall.remove_lock(cast.SESSION, scene.troupe.officers[account])
            for _ in range(100):
                view = await host.view(cast.SESSION)
                if all(bid["state"] == "opened" for bid in view["bids"].values()):
                    break
                await asyncio.sleep(0.1)
        found = on_disk(everything)
        assert {name for names in found.values() for name in names} == {"sheet"}
        assert sealed.in_memory(scene.process) >= {"sheet"}
        assert on_disk(keys) == {}  # released keys lie in the vault, sealed
        assert city is None or b'"PUBLISH"' in city.heard.read_bytes().upper()
