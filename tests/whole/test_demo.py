"""`kaibiao demo` as somebody runs it who has just heard of the project: a program, its printed links, its archive."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from tests.sessions.test_papers_record import attached
from tests.support.commands import kaibiao
from tests.support.ports import free_port
from web.demo import cast
from web.participant.remote import Hall

pytestmark = pytest.mark.slow

DOCUMENT = b"Bid document of bidder"  # every line of every document in the demo (cast.document)


def command(out: Path, **options: object) -> list[str]:
    given = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    start = [sys.executable, "-m", "web.cli", "demo", "--exit-when-done"]
    return [*start, "--out", str(out), "--port", str(free_port()), *given]


def environment() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("KAIBIAO_")}
    return ours | {"KAIBIAO_MEDIA": "off"}  # test_programme has picture and sound


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished demo of five bidders: its folder and what it printed."""
    out = tmp_path_factory.mktemp("demo")
    ran = subprocess.run(
        command(out, speed=60, bidders=5), capture_output=True, text=True, timeout=300, env=environment(), check=False
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr
    return out, ran.stdout


def test_it_leaves_an_archive_in_which_every_check_holds(played: tuple[Path, str], tmp_path: Path) -> None:
    out, _ = played
    bundle = str(out / "session.zip")
    told = kaibiao(tmp_path, "verify", bundle)
    assert told.returncode == 0
    asked = kaibiao(tmp_path, "verify", bundle, "--json")
    assert asked.returncode == 0
    report = json.loads(asked.stdout)
    assert report["ok"] is True
    assert {check["outcome"] for check in report["checks"]} == {"passed"}
    assert told.stdout.count("ok  ") == len(report["checks"])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_leaves_the_record_as_a_sealed_paper_with_the_record_inside(
    played: tuple[Path, str], language: str
) -> None:
    out, _ = played
    paper = PdfFileReader(io.BytesIO((out / f"record.{language}.pdf").read_bytes()))
    (seal,) = paper.embedded_regular_signatures
    assert seal.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"
    assert len(paper.embedded_timestamp_signatures) == 1, "the seal is made to last: B-LTA"
    with zipfile.ZipFile(out / "session.zip") as bundle:
        assert attached((out / f"record.{language}.pdf").read_bytes()) == bundle.read("record.json")


def test_every_point_of_it_was_stamped(played: tuple[Path, str]) -> None:
    out, _ = played
    with zipfile.ZipFile(out / "session.zip") as bundle:
        stamps = {name for name in bundle.namelist() if name.startswith("stamps/")}
    assert {"stamps/close-1.tst", "stamps/record-1.tst", "stamps/final-1.tst"} <= stamps
    assert any(name.startswith("stamps/intake-") for name in stamps), "and the log of receipts on the way"


def test_it_tells_the_wrong_key_the_silence_and_the_late_bid_with_their_causes(played: tuple[Path, str]) -> None:
    _, said = played
    first, *_, wrong, silent, late = (name for name, _ in zip(cast.names(), range(6), strict=False))
    assert f"{wrong}: attempt 2 did not succeed." in said
    assert f"The bid of {wrong} was not opened: wrong certificate or key." in said
    assert f"The bid of {silent} was not opened: the bidder was offline while others reached the hall." in said
    assert f"A file of {late} came after the deadline and was refused." in said
    assert f"{late}: refused, late" in said
    assert re.search(rf"{first}: CNY [\d,]+\.\d\d\.", said)


def test_it_tells_who_asked_to_speak_was_given_the_floor_and_left_it(played: tuple[Path, str]) -> None:
    _, said = played
    *_, third = (name for name, _ in zip(cast.names(), range(3), strict=False))
    told = ("asked to speak.", "has the floor.", "has finished speaking.")
    places = [said.index(f"{third} {words}") for words in told]
    assert places == sorted(places)


def test_no_byte_of_a_document_is_in_the_hall_but_sealed(played: tuple[Path, str]) -> None:
    out, _ = played
    assert cast.document(1).read().startswith(DOCUMENT)
    files = [path for path in (out / "hall").rglob("*") if path.is_file()]
    assert len([path for path in files if path.parent.name == "bids"]) >= 5
    assert [path.name for path in files if DOCUMENT in path.read_bytes()] == []
    assert [name for name, content in members(out / "session.zip") if DOCUMENT in content] == []


def members(bundle: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(bundle) as archive:
        for name in archive.namelist():
            yield name, archive.read(name)


@asynccontextmanager
async def running(out: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a demo of three bidders that leaves a person time to act."""
    words = command(out, speed=4, bidders=3)
    process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE, env=environment())
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_who_takes_the_bidders_seat_has_it_until_they_leave(tmp_path: Path) -> None:
    name = next(cast.names())
    async with running(tmp_path) as demo, asyncio.timeout(300):
        assert demo.stdout is not None
        link = ""
        while "seat" not in link:
            link = (await demo.stdout.readline()).decode()
            assert link, "the demo ended without a link"
        address = httpx.URL(link.split()[-1])
        reading = asyncio.create_task(demo.stdout.read())  # or its pipe fills up
        async with Hall(f"http://{address.netloc.decode()}") as person:
            await person.login_ticket(address.raw_path.decode())
            async with sitting(person) as seat:
                # The seat is told that it is taken twice, and the others unlock.
                await seat.until(lambda: seat.devices == 2 and states(seat.view).count("released") == 2)
                await asyncio.sleep(3)  # three times what the demo's own bidder thinks before it unlocks
                assert {own["name"]: own["state"] for own in own_bid(seat.view)} == {name: "waiting"}
        printed = (await reading).decode()
        assert await demo.wait() == 0, printed
    assert f"{name} released its key" in printed, "once the person has left, the seat is played again"


def states(view: Mapping[str, Any]) -> list[str]:
    return [bid["state"] for bid in view["bids"].values()]


def own_bid(view: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [bid for bid in view["bids"].values() if bid["row"] == view["own"]["row"]]


class Seat:
    """What a page at the bidder's seat knows."""

    view: Mapping[str, Any]
    devices = 0

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    async def listen(self, person: Hall) -> None:
        async for view, message in person.follow(cast.SESSION):
            self.view = view
            if message and message.get("signal") == "seats":
                self.devices = message["devices"]
            self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        while not await self._changed.wait() or not holds():
            self._changed.clear()


@asynccontextmanager
async def sitting(person: Hall) -> AsyncIterator[Seat]:
    """Keep the seat's stream open, as its page does."""
    seat = Seat()
    listening = asyncio.create_task(seat.listen(person))
    try:
        yield seat
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
