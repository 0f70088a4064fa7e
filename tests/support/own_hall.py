"""A hall in a process of its own, for a thief to rob: ``python -m tests.support.own_hall FOLDER TENDER``.

Prints its address and a ticket for each member of staff. A line with a path on its standard input makes it write what
its memory holds there, as a core dump would.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import sys
import threading
from array import array
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

from sessions.announcing.announcement import make_plan
from sessions.roles import Role
from sessions.store.migrations import migrate
from tests.support.team import database_url
from web.bootstrap import build
from web.serving.media import processes
from web.serving.server import HallServer
from web.settings import Settings

PAGE = resource.getpagesize()
PASSWORD = "correct horse battery"


def dump_memory(to: Path) -> None:
    """Write every private writable page of this process that is in use to ``to``, one after the other."""
    with (
        open("/proc/self/maps") as maps,
        open("/proc/self/mem", "rb", 0) as memory,
        open("/proc/self/pagemap", "rb", 0) as pages,
        to.open("wb") as out,
    ):
        for line in maps.readlines():
            span, permissions, *_ = line.split()
            if permissions != "rw-p" or "[v" in line:
                continue
            begin, end = (int(each, 16) for each in span.split("-"))
            for first, last in _in_use(pages, begin // PAGE, end // PAGE):
                memory.seek(first * PAGE)
                out.write(memory.read((last - first) * PAGE))


def _in_use(pages: BinaryIO, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the runs of pages that are there or swapped out (proc(5), pagemap bits 63 and 62)."""
    pages.seek(first * 8)
    entries = array("Q", pages.read((last - first) * 8))
    for used, run in groupby(enumerate(entries, first), key=lambda entry: bool(entry[1] >> 62)):
        numbers = [number for number, _ in run]
        if used:
            yield numbers[0], numbers[-1] + 1


def listen() -> None:
    for line in sys.stdin:
        path = Path(line.strip())
        dump_memory(path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)


async def main(folder: Path, form: dict[str, Any]) -> None:
    session = form.pop("session")
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        settings = Settings(
            data_dir=folder, database_url=database_url(folder), port=door.getsockname()[1], rehearsal_allowed=True
        )
        services = build(settings)
        await migrate(services.database)
        for seat in form["seats"]:
            await services.accounts.create(seat["account"], seat["name"], PASSWORD, {Role(seat["role"])})
        server = HallServer(services, beside=partial(processes, settings, None))
        running = asyncio.create_task(server.serve(sockets=[door]))
        while not server.started:
            assert not running.done(), "the server did not start"
            await asyncio.sleep(0.01)
        await services.sessions.create(make_plan(form, session=session, rehearsal=True))
        tickets = {
            seat["account"]: await services.identity.create_ticket(account=seat["account"]) for seat in form["seats"]
        }
        sys.stdout.write(json.dumps({"url": settings.origin, "tickets": tickets}) + "\n")
        sys.stdout.flush()
        threading.Thread(target=listen, daemon=True).start()
        await running


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())))
