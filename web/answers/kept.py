"""Public pages kept as bytes for as long as nothing in them has changed.

A page is made once, however many ask for it at that moment, and off the event loop: the page of five hundred bids
takes a while, and streams must not wait for it.
"""

from __future__ import annotations

import asyncio
import gzip
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response

_MOST: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One page. ``etag`` is weak: the same page, packed or not (RFC 9110 section 8.8.1)."""

    version: str
    etag: str
    body: bytes
    packed: bytes


class KeptPages:
    """The newest version of each public page of this worker."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Hashable, Kept] = OrderedDict()
        self._making: dict[tuple[Hashable, str], asyncio.Task[Kept]] = {}

    async def get(self, key: Hashable, version: str, make: Callable[[], bytes]) -> Kept:
        """Return the page ``key`` in ``version``, made by ``make`` in a thread if it is not there yet."""
        kept = self._pages.get(key)
        if kept is not None and kept.version == version:
            self._pages.move_to_end(key)
            return kept
        task = self._making.get((key, version))
        if task is None:
            task = asyncio.get_running_loop().create_task(asyncio.to_thread(_make, version, make))
            self._making[key, version] = task
            task.add_done_callback(lambda done: self._made(key, version, done))
        return await asyncio.shield(task)

    def _made(self, key: Hashable, version: str, done: asyncio.Task[Kept]) -> None:
        del self._making[key, version]
        if done.cancelled() or done.exception() is not None:
            return
        self._pages[key] = done.result()
        self._pages.move_to_end(key)
        while len(self._pages) > _MOST:
            self._pages.popitem(last=False)


def _make(version: str, make: Callable[[], bytes]) -> Kept:
    body = make()
    return Kept(version=version, etag=f'W/"{version}"', body=body, packed=gzip.compress(body, 6, mtime=0))


def served(kept: Kept, asked: Headers, headers: dict[str, str]) -> Response:
    """Return the page as ``asked`` for: packed if that is understood, nothing but its name if it is known already."""
    headers = {**headers, "etag": kept.etag}
    if kept.etag in asked.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = kept.body
    if "gzip" in asked.get("accept-encoding", ""):
        body = kept.packed
        headers["content-encoding"] = "gzip"
    return Response(body, headers=headers, media_type="text/html; charset=utf-8")
