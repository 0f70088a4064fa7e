"""The link to a media process: questions and answers, and what becomes of them when nobody is there."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from hall.media.port.engine import Away, EngineRefused
from hall.media.port.link import Link, LinkedEngine, LinkServer
from hall.media.port.places import Places
from sessions.ids import SessionId

SESSION = SessionId("s-1")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    deep = tmp_path / ("d" * 60) / ("e" * 60)  # deeper than the kernel takes in an address
    found = Places(deep)
    found.make()
    return found


async def test_a_question_is_answered_over_a_path_of_any_length(places: Places) -> None:
    async def watch(session: str, show: str, sdp: str) -> dict[str, str]:
        return {"id": f"{session}/{show}", "sdp": sdp.upper()}

    server = LinkServer(places.edge, {"watch": watch})
    await server.open()
    engine = LinkedEngine(places)
    answer = await engine.watch(SESSION, "offer")
    assert (answer.id, answer.sdp) == ("s-1/programme", "OFFER")
    await engine.link.close()
    await server.close()


async def test_a_refusal_keeps_its_code_and_a_fault_tells_nothing(places: Places) -> None:
    async def close(media: str) -> None:
        if media == "wrong":
            raise EngineRefused("unknown_media")
        raise RuntimeError("a secret")

    server = LinkServer(places.edge, {"close": close})
    await server.open()
    link = Link(places.edge)
    for media, code in (("wrong", "unknown_media"), ("other", "fault")):
        with pytest.raises(EngineRefused) as refused:
            await link.ask("close", media=media)
        assert refused.value.code == code
    await link.close()
    await server.close()


async def test_nobody_there_is_away_and_the_next_question_finds_who_came_back(places: Places) -> None:
    async def sources(session: str) -> list[str]:
        return ["host"]

    engine = LinkedEngine(places)
    with pytest.raises(Away):
        await engine.sources(SESSION)
    for _ in range(2):
        server = LinkServer(places.edge, {"sources": sources})
        await server.open()
        assert await engine.sources(SESSION) == ("host",)
        await server.close()
        with pytest.raises(Away):
            await engine.sources(SESSION)
    await engine.link.close()


async def test_who_dies_in_the_middle_of_a_question_is_away(places: Places) -> None:
    server: LinkServer

    async def sources(session: str) -> list[str]:
        for writer in tuple(server._writers):
            writer.transport.abort()
        return []

    server = LinkServer(places.edge, {"sources": sources})
    await server.open()
    engine = LinkedEngine(places)
    with pytest.raises(Away):
        await engine.sources(SESSION)
    await engine.link.close()
    await server.close()


async def test_whoever_follows_hears_what_nobody_asked_for_also_after_a_restart(places: Places) -> None:
    link = Link(places.edge)
    heard: asyncio.Queue[str] = asyncio.Queue()
    there: asyncio.Queue[bool] = asyncio.Queue()
    link.on("keyframe", lambda session: heard.put_nowait(session))
    link.on("connected", lambda: there.put_nowait(True))
    link.follow()
    for session in ("one", "two"):
        server = LinkServer(places.edge, {})
        await server.open()
        await there.get()
        while not server._writers:  # noqa: ASYNC110 - the server's side of the same connection
            await asyncio.sleep(0.01)
        server.tell("keyframe", session=session)
        assert await heard.get() == session
        await server.close()
    await link.close()


def test_a_process_that_handles_bids_has_loaded_no_codec() -> None:
    import subprocess

    script = (
        "import sys, web.app, web.cli.serving, hall.media.port.link\n"
        "print(sorted({'aiortc', 'av', 'PIL', 'pypinyin', 'espeakng_loader', 'pylibsrtp'} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=True,
        text=True,
        env=os.environ | {"PYTHONPATH": "."},
    )
    assert said.stdout.strip() == "[]"
