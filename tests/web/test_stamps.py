"""Timestamp authorities over real HTTP: honest, silent, slow, lying and endless ones; and the file with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from cryptography.hazmat.primitives.serialization import Encoding

from crypto import authority, timestamping
from crypto.digest import sha256
from crypto.errors import TimestampRefused
from crypto.signing import HallKey
from crypto.timestamps import verify_token
from crypto.tlog import Checkpoint, sign_checkpoint
from hall.accepting import accept_no_more
from sessions.clock import SystemClock
from sessions.outside.stamping import Stamping, TimestampAuthority, Unreachable
from sessions.plan import AnchorKind
from sessions.ports import NotAnchored, ToAnchor
from tests.support.doors import closed
from tests.support.fake_clock import FakeClock
from web.outside import stamps
from web.outside.stamps import AuthoritiesRefused, post, read_authorities
from web.standins.timestamp_server import timestamp_app

NOW = datetime.now(UTC).replace(microsecond=0)
ROOT = authority.create("Root", at=NOW - timedelta(hours=1))
TSA = timestamping.issue_authority(ROOT, name="TSA", at=NOW - timedelta(hours=1))
DIGEST = sha256(b"log")
Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def an_authority() -> AsyncIterator[str]:
    """The demonstration authority behind a real server; its address."""
    config = uvicorn.Config(timestamp_app(TSA, SystemClock()), port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done(), "the server did not start"
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        await accept_no_more(*server.servers)
        server.should_exit = True
        await running


@asynccontextmanager
async def somebody(speak: Speak) -> AsyncIterator[str]:
    """Somebody who answers with raw bytes."""
    answering: list[asyncio.Task[None] | None] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.append(asyncio.current_task())
        with suppress(ConnectionError):  # the hall hung up, as it should
            await speak(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        await closed(server)
        await asyncio.gather(*filter(None, answering))


def says(answer: bytes) -> Speak:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return speak


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def stamping(*urls: str) -> Stamping:
    found = (
        TimestampAuthority(name=f"authority {n}", url=url, anchor=ROOT.certificate) for n, url in enumerate(urls)
    )
    return Stamping(authorities=tuple(found), post=post, clock=SystemClock())


def a_checkpoint() -> ToAnchor:
    root, origin = sha256(b"root"), "hall.example.org/s/gx-1"
    note = sign_checkpoint(Checkpoint(origin=origin, size=12, root=root), HallKey.generate())
    return ToAnchor(origin=origin, size=12, root=root, note=note, prove=lambda _: ())


async def test_an_authority_gives_a_stamp_that_holds() -> None:
    async with an_authority() as url:
        token = await stamping(url).any(DIGEST)
    said = verify_token(token, digest=DIGEST, anchors=[ROOT.certificate])
    assert abs(said.said_at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_a_checkpoints_text_is_what_is_stamped_for_the_notary() -> None:
    asked = a_checkpoint()
    async with an_authority() as url:
        anchor = stamping(url).anchors()["authority 0"]
        said = await anchor.hold(asked)
    assert anchor.kind is AnchorKind.STAMP
    assert verify_token(said.evidence, digest=sha256(asked.text), anchors=[ROOT.certificate]).said_at == said.at


async def test_an_authority_that_is_down_is_passed_over() -> None:
    async with an_authority() as url:
        token = await stamping("http://127.0.0.1:9/", url).any(DIGEST)
    assert verify_token(token, digest=DIGEST, anchors=[ROOT.certificate])


async def test_every_authority_that_answers_is_asked_for_all() -> None:
    async with an_authority() as first, an_authority() as second:
        tokens = await stamping(first, "http://127.0.0.1:9/", second).all(DIGEST)
    assert tokens.keys() == {"authority 0", "authority 2"}


async def test_when_all_are_down_every_reason_is_told() -> None:
    with pytest.raises(Unreachable, match=r"authority 0.*authority 1"):
        await stamping("http://127.0.0.1:9/", "http://127.0.0.1:9/").any(DIGEST)


async def test_without_authorities_there_is_no_stamp() -> None:
    with pytest.raises(Unreachable, match="no timestamp authority is set up"):
        await stamping().any(DIGEST)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        ok(bytes(5_000_000)),
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ncut",
        b"not HTTP at all\r\n\r\n",
        b"",
    ],
    ids=["503", "redirect", "five megabytes", "cut short", "not HTTP", "silence"],
)
async def test_an_answer_that_is_none_is_no_answer(answer: bytes) -> None:
    async with somebody(says(answer)) as url:
        with pytest.raises(Unreachable):
            await stamping(url).ask(stamping(url).authorities[0], DIGEST)
        with pytest.raises(NotAnchored):
            await stamping(url).anchors()["authority 0"].hold(a_checkpoint())


@pytest.mark.parametrize("body", [b"<html>ok</html>", b"", timestamping.reply(b"x", TSA, at=NOW, serial=1)])
async def test_an_answer_that_does_not_hold_is_refused(body: bytes) -> None:
    async with somebody(says(ok(body))) as url:
        with pytest.raises(TimestampRefused):
            await stamping(url).ask(stamping(url).authorities[0], DIGEST)
        with pytest.raises(NotAnchored):
            await stamping(url).anchors()["authority 0"].hold(a_checkpoint())


async def test_an_authority_that_keeps_the_line_open_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "_SECONDS", 0.2)

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:  # never silent for long, never done
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with somebody(drip) as url:
        with pytest.raises(Unreachable):
            await stamping(url).ask(stamping(url).authorities[0], DIGEST)


async def test_an_authority_whose_clock_is_off_is_not_believed() -> None:
    async with an_authority() as url:
        late = Stamping(authorities=stamping(url).authorities, post=post, clock=FakeClock())
        with pytest.raises(TimestampRefused, match="a time that cannot be"):
            await late.ask(late.authorities[0], DIGEST)


async def test_the_server_takes_only_requests_for_timestamps() -> None:
    async with an_authority() as url:
        with pytest.raises(Unreachable, match="415"):
            await post(url, b"x", media="text/plain", limit=100)
        with pytest.raises(Unreachable, match="413"):
            await post(url, bytes(5000), media="application/timestamp-query", limit=100)


# The file that lists them.


def a_list(folder: Path, text: str) -> Path:
    (folder / "root.pem").write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    (folder / "leaf.pem").write_bytes(TSA.certificate.public_bytes(Encoding.PEM))
    path = folder / "timestamps.toml"
    path.write_text(text)
    return path


GOOD = '[[authority]]\nname = "国家授时"\nurl = "https://tsa.example.org/"\nanchor = "root.pem"\n'


def test_authorities_are_read_with_their_anchors(tmp_path: Path) -> None:
    (found,) = read_authorities(a_list(tmp_path, GOOD))
    assert (found.name, found.url, found.anchor) == ("国家授时", "https://tsa.example.org/", ROOT.certificate)


def test_no_file_means_no_authorities(tmp_path: Path) -> None:
    assert read_authorities(tmp_path / "none.toml") == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[[authorities]]\n",
        GOOD + GOOD,
        GOOD.replace("root.pem", "leaf.pem"),
        GOOD.replace("root.pem", "missing.pem"),
        GOOD.replace("https:", "ftp:"),
        GOOD.replace("国家授时", " "),
        GOOD + "extra = 1\n",
        "[[authority",
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(AuthoritiesRefused):
        read_authorities(a_list(tmp_path, text))
