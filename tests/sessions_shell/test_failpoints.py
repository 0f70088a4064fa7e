"""The hall is killed at every kind of batch, at each of three places, and the opening goes on as if nothing had been.

Each opening is played by processes over one SQLite file, one after the other, each killed by SIGKILL at the next
failpoint (tests/support/killed.py); people send again what they got no answer to.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crypto.receipt import verify_receipt, verify_slip
from sessions import failpoint
from sessions.chaining import Head, check
from sessions.events import BidOpened, BidReceived, BidWithdrawn, Recorded, SetFrozen, Stream
from sessions.failpoint import FailpointRefused, Point, arm
from sessions.opening import Opening, evolve
from sessions.sealed_set import set_root
from sessions.verify import verify
from tests.support.ceremony import T0
from tests.support.fake_clock import FakeClock
from tests.support.hallkey import hall_key
from tests.support.shell import SESSION, a_shell
from web.bootstrap import build
from web.settings import Settings

pytestmark = pytest.mark.solo("each life of the hall is a fork over one SQLite file")
ROOT = Path(__file__).resolve().parents[2]
PLACES = (Point.BEFORE_COMMIT, Point.BEFORE_ANNOUNCE, Point.BEFORE_ANSWER)
STORIES = ("whole", "behind_locks", "called_off", "aborted", "stopped")


class Player:
    """The process that forks a hall after the other."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.killed"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def play(self, folder: Path, story: str, place: str, *only: str) -> dict[str, Any]:
        """Play a whole story, killed at ``place`` of every step, or of those named."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        folder.mkdir()
        self._process.stdin.write(json.dumps([str(folder), story, place, only]).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the player is gone: see what it wrote"
        told: dict[str, Any] = json.loads(line)
        return told

    def close(self) -> None:
        with self._process:  # its standard input ends, and so does it
            pass


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    player = Player()
    yield player
    player.close()


@pytest.fixture(scope="module")
def undisturbed(player: Player, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What each story leaves in the log when nobody is killed: who did what, in order."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return {story: player.play(folder / story, story, "nowhere")["acts"] for story in STORIES}


async def what_must_hold(folder: Path, told: dict[str, Any], acts: list[str]) -> None:
    """I1, I2, I4, I5, I6, I11 over what is left in ``folder``, and that it is what an undisturbed hall leaves."""
    async with a_shell(folder, FakeClock(), start=False) as hall:
        logs = {stream: await hall.sessions.events(SESSION, stream) for stream in Stream}
        state = await hall.state()
    for log in logs.values():
        assert check(Head(), log).number == len(log)
        assert [r.at for r in log] == sorted(r.at for r in log)
    replayed: Opening | None = None
    for record in logs[Stream.OPENING]:
        replayed = evolve(replayed, record)
    assert replayed == state
    assert told["acts"] == acts
    acknowledged_is_there_once(told, [record for log in logs.values() for record in log])
    the_set_is_what_was_received(logs)
    signed_statements_are_true(folder, told, logs[Stream.INTAKE])


def acknowledged_is_there_once(told: dict[str, Any], records: list[Recorded]) -> None:
    there = [record.digest for record in records]
    answers: dict[str, list[str]] = {}
    for key, digests in told["told"]:
        assert all(there.count(digest) == 1 for digest in digests), f"{key} was acknowledged, and is gone"
        assert answers.setdefault(key, digests) == digests, f"{key} happened twice"


def the_set_is_what_was_received(logs: dict[Stream, tuple[Recorded, ...]]) -> None:
    newest: dict[str, str] = {}
    for record in logs[Stream.INTAKE]:
        match record.event:
            case BidReceived(bidder=bidder, header_sha256=header):
                assert record.at < T0
                newest[bidder] = header
            case BidWithdrawn(bidder=bidder):
                del newest[bidder]
    frozen = [record.event for record in logs[Stream.OPENING] if isinstance(record.event, SetFrozen)]
    for event in frozen:
        assert sorted(event.headers) == sorted(newest.values())
        assert event.root == set_root(event.headers)


def signed_statements_are_true(folder: Path, told: dict[str, Any], intake: tuple[Recorded, ...]) -> None:
    received = {record.event.header_sha256 for record in intake if isinstance(record.event, BidReceived)}
    key = hall_key(folder).public
    for kind, statement in told["statements"]:
        if kind == "receipt":
            assert verify_receipt(statement, key).header_sha256 in received
        else:
            assert verify_slip(statement, key).code in ("late", "foreign_lot")


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
async def test_a_hall_killed_at_every_step_ends_as_one_that_never_was(
    place: Point, player: Player, undisturbed: dict[str, list[str]], tmp_path: Path
) -> None:
    killed: list[str] = []
    for story in STORIES:
        told = player.play(tmp_path / story, story, place)
        assert told["kills"] == told["expected"], "a failpoint never came by"
        killed += told["kills"]
        await what_must_hold(tmp_path / story, told, undisturbed[story])
        if story == "whole":
            await what_was_sealed_was_read_and_the_bundle_verifies(tmp_path / story, told["prices"])
    assert len([kill for kill in killed if place in kill]) >= 32


async def test_a_hall_killed_here_and_there_ends_as_one_that_never_was(player: Player, tmp_path: Path) -> None:
    here_and_there = ("first bid", "withdraw", "T0", "key of a", "the window ends", "signing ends")
    acts = player.play(tmp_path / "undisturbed", "whole", "nowhere")["acts"]
    told = player.play(tmp_path / "killed", "whole", Point.BEFORE_ANNOUNCE, *here_and_there)
    assert told["kills"] == told["expected"]
    assert len(told["kills"]) > len(here_and_there)
    await what_must_hold(tmp_path / "killed", told, acts)


async def what_was_sealed_was_read_and_the_bundle_verifies(folder: Path, prices: dict[str, str]) -> None:
    async with a_shell(folder, FakeClock(), start=False) as hall:
        opened = [r.event for r in await hall.sessions.events(SESSION) if isinstance(r.event, BidOpened)]
        assert {event.bidder: event.quote["price"] for event in opened}.items() <= prices.items()
        assert len(opened) == 3
    report = verify(folder / "session.zip")
    assert report.ok, report.failed


def test_a_hall_that_holds_no_rehearsals_refuses_to_be_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(failpoint.VARIABLE, Point.BEFORE_COMMIT)
    with pytest.raises(FailpointRefused, match="no rehearsals"):
        build(Settings(data_dir=tmp_path / "hall"))
    assert not (tmp_path / "hall").exists()


@pytest.mark.parametrize(
    "wish",
    [
        "append.sometime",
        "append.before_commit@KeyRelease",
        "upload.opened@KeyReleased",
        "append.before_commit:0",
        "append.before_commit@KeyReleased:two",
    ],
)
def test_a_failpoint_that_would_never_come_by_is_refused(wish: str) -> None:
    with pytest.raises(FailpointRefused):
        arm(wish, allowed=True)


def test_a_rehearsal_dies_where_its_environment_says(tmp_path: Path) -> None:
    """The variable, the settings and the bootstrap of a real hall: it dies as its first opening is announced."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "KAIBIAO_FAILPOINT": "append.before_commit@SessionScheduled",
    }
    code = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from tests.support.house import a_house\n"
        "async def main():\n"
        "    async with a_house(Path(sys.argv[1])) as house:\n"
        "        await house.announce()\n"
        "asyncio.run(main())"
    )
    died = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, env=environment, check=False)
    assert died.returncode == -signal.SIGKILL
