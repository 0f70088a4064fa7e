"""Timestamps of the opening's log in its archive: made at each point, and found out when they are something else."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from asyncio import run, sleep
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from crypto import authority, timestamping, timestamps
from crypto.certificates import Credential
from crypto.digest import sha256
from crypto.signing import HallKey
from sessions.acts.notary import Notary, Outside
from sessions.archive.stamped import stamped
from sessions.commands import Abort, Approve
from sessions.keys.hallkey import HallKeys
from sessions.outside.opening_log import OpeningLog
from sessions.plan import AnchorKind, Watch
from sessions.ports import Kept, NotAnchored, Said, ToAnchor
from sessions.verify import Report, verify
from sessions.zipped import unpack
from tests.support.bundles import Files, failed, signed_anew
from tests.support.ceremony import DEPUTY, HOST, MINUTE, SECOND, T0, Ceremony, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.finished import Play, an_archive
from tests.support.hallkey import hall_key
from tests.support.outside import Proofs
from tests.support.shell import SESSION, Shell, a_bid_for_this, a_shell

ROOT = authority.create("Root", at=T0 - timedelta(days=30))
TSA = timestamping.issue_authority(ROOT, name="TSA", at=T0 - timedelta(days=30))
TRUE, DOWN = "国家授时中心", "停机的机构"


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A timestamp authority without a network: its clock is ``off`` the hall's, and it may sign with another key."""

    name: str
    clock: FakeClock
    off: timedelta = timedelta()
    signer: Credential | None = TSA
    kind: AnchorKind = AnchorKind.STAMP

    async def hold(self, asked: ToAnchor) -> Said:
        if self.signer is None:
            raise NotAnchored("down")
        at = (self.clock.now() + self.off).replace(microsecond=0)
        request = timestamps.request(sha256(asked.text), 1)
        reply = timestamping.reply(request, self.signer, at=at, serial=1)
        token, _ = timestamps.read_reply(
            reply, digest=sha256(asked.text), nonce=1, anchors=[ROOT.certificate], asked_at=at, answered_at=at
        )
        return Said(evidence=token, at=at)


async def _play(folder: Path, off: timedelta) -> bytes:
    clock = FakeClock()
    watch = Watch(origin=f"hall.example.org/s/{SESSION}", witnesses=(), quorum=0, authorities=(TRUE, DOWN))
    async with a_shell(folder, clock) as hall:
        honest, down = Authority(name=TRUE, clock=clock, off=off), Authority(name=DOWN, clock=clock, signer=None)
        notary = _notary(hall, honest, down)
        play = Play(hall, clock)
        await hall.sessions.create(replace(a_plan(), watch=watch))
        for name in ("甲公司", "乙公司", "丙公司"):
            await hall.submit(a_bid_for_this(name))
        await play.at(T0 - 30 * MINUTE)
        await hall.host_takes_over_the_room()
        await play.at(T0 + SECOND)
        await _stamped(hall)
        clock.advance(SECOND)
        await hall.sessions.handle(SESSION, Abort(reason="招标人要求终止"), HOST)
        await hall.sessions.handle(SESSION, Approve(proposal=1), DEPUTY)
        while not any(one.point == "final" for one in await hall.stores.checkpoints.kept(SESSION)):  # noqa: ASYNC110
            await sleep(0.01)
        await notary.close()
        return await an_archive(hall, {TRUE: ROOT.certificate, DOWN: ROOT.certificate}).bundle(SESSION)


async def test_a_dead_authority_stops_nobody_and_is_asked_again_after_a_restart(tmp_path: Path) -> None:
    """F18: the ceremony goes on without its stamp; a process that starts later gets it, and it goes on record."""
    clock = FakeClock()
    watch = Watch(origin=f"hall.example.org/s/{SESSION}", witnesses=(), quorum=0, authorities=(TRUE,))
    async with a_shell(tmp_path, clock) as hall:
        down = _notary(hall, Authority(name=TRUE, clock=clock, signer=None))
        play = Play(hall, clock)
        await hall.sessions.create(replace(a_plan(), watch=watch))
        bids = [a_bid_for_this(name) for name in ("甲公司", "乙公司", "丙公司")]
        for bid in bids:
            await hall.submit(bid)
        await play.at(T0 - 30 * MINUTE)
        await hall.host_takes_over_the_room()
        await play.at(T0 + SECOND)
        await hall.advance("ceiling")
        await hall.advance("decrypt")
        for bid in bids:
            await hall.release(bid)
        await hall.work_done()
        assert "BidOpened" in await hall.log()
        assert "Anchored" not in await hall.log()
        await down.close()
    async with a_shell(tmp_path, clock) as hall:
        up = _notary(hall, Authority(name=TRUE, clock=clock))
        await up.start()
        await _stamped(hall)
        await up.close()
        (close,) = (await hall.state()).points
        assert close.by(AnchorKind.STAMP) == (TRUE,)


def _notary(hall: Shell, *known: Authority) -> Notary:
    keys = HallKeys.in_folder(hall.folder)
    openings = OpeningLog(hall.stores.events, hall.stores.checkpoints, keys)
    outside = Outside(witnesses={}, authorities={each.name: each for each in known})
    notary = Notary(hall.sessions, openings, hall.stores.checkpoints, outside, hall=keys, clock=hall.clock)
    hall.sessions.on_commit(notary.look)
    return notary


async def _stamped(hall: Shell) -> None:
    """Wait until the opening knows of a stamp: the log has it a moment before."""
    for _ in range(3000):
        if any(point.by(AnchorKind.STAMP) for point in (await hall.state()).points):
            return
        await sleep(0.01)
    raise AssertionError("it never came")


@cache
def the_bundle(off: timedelta = timedelta()) -> tuple[bytes, HallKey]:
    """``off``: of the authority's clock against that of a hall which keeps its stamps all the same."""
    keeps = patch("sessions.outside.anchoring.DRIFT", timestamps.DRIFT + abs(off))
    with tempfile.TemporaryDirectory() as folder, keeps:
        return run(_play(Path(folder), off)), hall_key(Path(folder))


def the_files() -> Files:
    return unpack(the_bundle()[0])


def anew(files: Files) -> set[str]:
    """The checks that fail when the hall itself signs these files."""
    return failed(signed_anew(files, the_bundle()[1]))


def said(report: Report) -> str:
    return next(check.detail for check in report.checks if check.id == "stamps.tokens")


def test_every_point_is_stamped_and_the_end_too() -> None:
    files = the_files()
    assert {name for name in files if "stamps" in name} == {
        "stamps/close-1.tst",
        "stamps/final-1.tst",
        "trust/stamps-1.pem",
    }
    report = verify(the_bundle()[0])
    assert report.ok, report.failed
    assert said(report).startswith("2 timestamps")


def test_what_nobody_stamped_is_said_and_is_no_fault() -> None:
    assert said(verify(the_bundle()[0])).endswith(f"missing: close by {DOWN}, final by {DOWN}")


@pytest.mark.parametrize("member", ["stamps/close-1.tst", "stamps/final-1.tst", "trust/stamps-1.pem"])
def test_a_changed_member_is_found_even_when_the_hall_signs_it(member: str) -> None:
    files = the_files()
    half = len(files[member]) // 2  # and no end of a line of PEM, which may be spelt in more than one way
    middle = half + (files[member][half : half + 1] == b"\n")
    files[member] = files[member][:middle] + bytes([files[member][middle] ^ 1]) + files[member][middle + 1 :]
    assert "stamps.tokens" in anew(files)


@pytest.mark.parametrize("member", ["stamps/close-1.tst", "trust/stamps-1.pem"])
def test_a_missing_member_is_found(member: str) -> None:
    files = the_files()
    del files[member]
    assert "stamps.tokens" in anew(files)


def test_a_token_that_stands_for_another_point_is_found() -> None:
    files = the_files()
    assert anew({**files, "stamps/final-1.tst": files["stamps/close-1.tst"]}) == {"stamps.tokens"}


def test_the_root_of_somebody_else_is_found() -> None:
    other = authority.create("Root", at=T0 - timedelta(days=30)).certificate.public_bytes(Encoding.PEM)
    assert anew({**the_files(), "trust/stamps-1.pem": other}) == {"stamps.tokens"}


def test_a_token_of_no_point_is_found() -> None:
    files = the_files()
    assert anew({**files, "stamps/record-1.tst": files["stamps/close-1.tst"]}) == {"bundle.contents", "stamps.tokens"}


def test_a_root_that_no_stamp_needs_is_found() -> None:
    files = the_files()
    assert anew({**files, "trust/stamps-2.pem": files["trust/stamps-1.pem"]}) == {"stamps.tokens"}


@pytest.mark.parametrize("off", [-5 * MINUTE, 5 * MINUTE])
def test_a_stamp_from_another_time_than_its_events_is_found(off: timedelta) -> None:
    """A hall that froze its set before T0, or long after, cannot get the stamps that its log claims."""
    bundle, _ = the_bundle(off)
    assert failed(bundle) == {"stamps.tokens"}


def test_a_minute_is_forgiven() -> None:
    assert verify(the_bundle(-SECOND * 50)[0]).ok


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_openssl_checks_a_stored_token_by_hand(tmp_path: Path) -> None:
    """As README.txt says: the first three lines of the checkpoint are what was stamped."""
    files = the_files()
    text = b"".join(files["log/opening.checkpoint"].splitlines(keepends=True)[:3])
    (tmp_path / "text").write_bytes(text)
    (tmp_path / "token").write_bytes(files["stamps/final-1.tst"])
    (tmp_path / "root").write_bytes(files["trust/stamps-1.pem"])
    words = "ts -verify -in token -token_in -data text -CAfile root -attime"
    done = subprocess.run(
        ["openssl", *words.split(), str(int(T0.timestamp()))], cwd=tmp_path, capture_output=True, check=False
    )
    assert b"Verification: OK" in done.stdout, done.stderr


async def test_a_token_that_came_when_the_session_was_just_over_is_not_in_its_archive() -> None:
    """Generated opening 98: the hall kept it, the rules took it no more, and the archive must not show it."""
    kept = Kept(
        session=SESSION,
        point="record",
        kind=AnchorKind.STAMP,
        by=TRUE,
        size=3,
        said=Said(evidence=b"token", at=T0),
    )
    plan = replace(
        a_plan(), watch=Watch(origin=f"hall.example.org/s/{SESSION}", witnesses=(), quorum=0, authorities=(TRUE,))
    )
    over = Ceremony(plan).it
    roots = {TRUE: ROOT.certificate}
    assert await stamped(over, [kept], roots, proofs=Proofs()) == {}
    assert set(await stamped(over, [replace(kept, point="final")], roots, proofs=Proofs())) == {
        "stamps/final-1.tst",
        "trust/stamps-1.pem",
    }


def test_the_moment_in_the_log_is_the_authoritys() -> None:
    log = unpack(the_bundle(-SECOND * 50)[0])["events/opening.jsonl"]
    assert b'"said_at":"2026-11-21T00:59:11.000Z"' in log
