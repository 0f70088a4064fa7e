"""How the hall speaks with a media process: JSON, a line a message, over a Unix socket that only this user can open.

A question is ``{"id": 1, "method": "watch", "params": {..}}``, its answer ``{"id": 1, "result": ..}`` or
``{"id": 1, "refused": code}``; what nobody asked for is ``{"method": "keyframe", "params": {..}}``. Either side may
be started, and started again, at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from hall.accepting import accept_no_more
from hall.media.port.engine import Answer, Away, EngineRefused, MediaId, Show, Source
from hall.media.port.places import Places, short
from sessions.ids import SessionId

LINE: Final = 1 << 20
"""Longest line that is read: an SDP is at most 64 KiB."""

ANSWER_WITHIN: Final = 10.0
AGAIN: Final = 0.5
"""Seconds between two tries to reach a process that is away."""

BEHIND: Final = 4 << 20
"""Bytes that may wait for a listener that does not read; then it is sent away and comes back."""

Method = Callable[..., Awaitable[object]]

_log = logging.getLogger(__name__)


class LinkServer:
    """The side that is asked: ``methods`` by name, each called with the params as keywords."""

    def __init__(self, path: Path, methods: Mapping[str, Method]) -> None:
        self._path = path
        self._methods = methods
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen, in the place of whoever listened there before."""
        self._path.unlink(missing_ok=True)
        with short(self._path) as address:
            self._server = await asyncio.start_unix_server(self._serve, address, limit=LINE)
        self._path.chmod(0o600)

    async def close(self) -> None:
        """Send everybody away."""
        if self._server is not None:
            await accept_no_more(self._server)
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in tuple(self._writers):
            writer.close()
        self._path.unlink(missing_ok=True)

    def tell(self, method: str, **params: object) -> None:
        """Tell everybody who is connected."""
        for writer in tuple(self._writers):
            if writer.transport.get_write_buffer_size() > BEHIND:
                writer.transport.abort()
            else:
                writer.write(_line({"method": method, "params": params}))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                task = asyncio.create_task(self._answer(json.loads(line), writer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except (ValueError, OSError):  # no JSON, too long, or gone
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, question: Mapping[str, Any], writer: asyncio.StreamWriter) -> None:
        said: dict[str, object]
        try:
            said = {"result": await self._methods[question["method"]](**question.get("params", {}))}
        except EngineRefused as error:
            said = {"refused": error.code}
        except Exception:
            _log.exception("a question could not be answered")
            said = {"refused": "fault"}
        if not writer.is_closing():
            writer.write(_line({"id": question.get("id"), **said}))


class Link:
    """The side that asks. It connects when it is first needed, and again whenever it has to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._listeners: dict[str, list[Callable[..., object]]] = {}
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()

    def on(self, method: str, tell: Callable[..., object]) -> None:
        """Call ``tell``, with the params as keywords, whenever ``method`` is told; ``connected`` has none."""
        self._listeners.setdefault(method, []).append(tell)

    def follow(self) -> None:
        """Stay connected from now on, so that nothing is told in vain."""
        if self._following is None:
            self._following = asyncio.create_task(self._keep())

    @property
    def connected(self) -> bool:
        """Whether somebody is there, as far as is known."""
        return self._writer is not None and self._reading is not None and not self._reading.done()

    async def ask(self, method: str, **params: object) -> Any:
        """Ask, and return the answer. Raises ``Away`` and ``EngineRefused``."""
        await self._connect()
        self._number += 1
        number, answer = self._number, asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            if self._writer is None:
                raise Away
            self._writer.write(_line({"id": number, "method": method, "params": params}))
            async with asyncio.timeout(ANSWER_WITHIN):
                said = await answer
        except TimeoutError:
            raise Away from None
        finally:
            self._waiting.pop(number, None)
        if "refused" in said:
            raise EngineRefused(said["refused"])
        return said.get("result")

    async def close(self) -> None:
        """Hang up."""
        tasks = [task for task in (self._following, self._reading) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._following = self._reading = None

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(Away):
                await self._connect()
                if self._reading is not None:
                    await asyncio.wait({self._reading})
            await asyncio.sleep(AGAIN)

    async def _connect(self) -> None:
        async with self._connecting:
            if self.connected:
                return
            try:
                with short(self._path) as address:
                    reader, writer = await asyncio.open_unix_connection(address, limit=LINE)
            except OSError:
                raise Away from None
            self._writer = writer
            self._reading = asyncio.create_task(self._read(reader, writer))
            self._tell("connected", {})

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                message = json.loads(line)
                if "method" in message:
                    self._tell(message["method"], message.get("params", {}))
                elif (answer := self._waiting.pop(message.get("id"), None)) is not None and not answer.done():
                    answer.set_result(message)
        except (ValueError, OSError):
            pass
        finally:
            self._writer = None
            writer.close()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(Away())
            self._waiting.clear()

    def _tell(self, method: str, params: Mapping[str, Any]) -> None:
        for tell in self._listeners.get(method, []):
            tell(**params)


class LinkedEngine:
    """``MediaEngine`` by way of the edge process of this machine."""

    def __init__(self, places: Places) -> None:
        self.link = Link(places.edge)

    async def publish(self, session: SessionId, source: Source, sdp: str, *, keep: bool = True) -> Answer:
        """See MediaEngine."""
        return _answer(await self.link.ask("publish", session=session, source=source, sdp=sdp, keep=keep))

    async def watch(self, session: SessionId, sdp: str, show: Show = Show.PROGRAMME) -> Answer:
        """See MediaEngine."""
        return _answer(await self.link.ask("watch", session=session, show=show, sdp=sdp))

    async def check(self, sdp: str) -> Answer:
        """See MediaEngine."""
        return _answer(await self.link.ask("check", sdp=sdp))

    async def close(self, media: MediaId) -> None:
        """See MediaEngine."""
        await self.link.ask("close", media=media)

    async def select(self, session: SessionId, source: Source) -> None:
        """See MediaEngine."""
        await self.link.ask("select", session=session, source=source)

    async def end(self, session: SessionId, source: Source | None = None) -> None:
        """See MediaEngine."""
        await self.link.ask("end", session=session, source=source)

    async def sources(self, session: SessionId) -> tuple[Source, ...]:
        """See MediaEngine."""
        return tuple(Source(each) for each in await self.link.ask("sources", session=session))

    async def hang_up(self) -> None:
        """See MediaEngine."""
        await self.link.close()


def _answer(said: Mapping[str, str]) -> Answer:
    return Answer(id=MediaId(said["id"]), sdp=said["sdp"])


def _line(message: Mapping[str, object]) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
