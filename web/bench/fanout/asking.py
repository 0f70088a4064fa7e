"""HTTP spoken by hand: the supervisor's acts at their moment, and a page as fast as it comes."""

from __future__ import annotations

import http.client
import json
import socket
import time
import uuid
from pathlib import Path

from web.bench.fanout.contestants import Contestant
from web.bench.fanout.servers import NOTE, SESSION
from web.bench.fanout.turns import Server, Size, Turn, Watch, serving

_SELF = "127.0.0.1"


class Supervisor:
    """Logged in by a ticket. Each act is a note: a POST that the hall decides, chains, commits and tells to all."""

    def __init__(self, server: Server) -> None:
        self._port = server.port
        asked = http.client.HTTPConnection(_SELF, server.port)
        asked.request("GET", server.known["ticket"])
        cookies = asked.getresponse().headers.get_all("set-cookie") or []
        asked.close()
        self._cookie = "; ".join(each.partition(";")[0] for each in cookies)
        self._line = socket.create_connection((_SELF, server.port))
        self._acts = 0

    def act(self) -> None:
        """Send the next note; its answer is not waited for."""
        body = json.dumps({"command": "Note", "text": f"{NOTE.text} {self._acts}"}).encode()
        head = [
            f"POST /api/v1/sessions/{SESSION}/commands HTTP/1.1",
            f"Host: {_SELF}:{self._port}",
            f"Cookie: {self._cookie}",
            "X-Kaibiao: 1",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"Idempotency-Key: {uuid.uuid4()}",
        ]
        self._line.sendall("\r\n".join([*head, "", ""]).encode("ascii") + body)
        self._acts += 1

    def close(self) -> None:
        """Hang up."""
        self._line.close()


def showing(contestant: Contestant, folder: Path, core: int, size: Size) -> Turn:
    """Ask for the session's public page again and again over one connection, packed, as browsers do.

    What the hall does anyway, asked or not, is measured first and left out.
    """
    asked = f"GET {contestant.stream.target} HTTP/1.1\r\nHost: {_SELF}\r\nAccept-Encoding: gzip\r\n\r\n".encode(
        "ascii"
    )
    with (
        serving(contestant, folder, core) as server,
        socket.create_connection((_SELF, server.port)) as line,
        line.makefile("rb") as answers,
    ):
        for _ in range(5):
            _page(line, asked, answers)
        with Watch(server.process.pid) as idle:
            time.sleep(size.seconds / 2)
            slept = time.monotonic() - idle.begun
        pages, ends = 0, time.monotonic() + size.seconds
        with Watch(server.process.pid) as watch:
            while time.monotonic() < ends:
                length = _page(line, asked, answers)
                pages += 1
            took = time.monotonic() - watch.begun
    spent = max(watch.server - idle.server / slept * took, 0.0)
    return {"cpu_us": 1e6 * spent / pages, "bytes": float(length), "disturbed": watch.disturbed}


def _page(line: socket.socket, asked: bytes, answers: object) -> int:
    line.sendall(asked)
    status = answers.readline()  # type: ignore[attr-defined]  # a buffered reader
    if b" 200 " not in status:
        raise ConnectionError(f"the page did not come: {status!r}")
    length = 0
    while (header := answers.readline()) != b"\r\n":  # type: ignore[attr-defined]
        if header.lower().startswith(b"content-length:"):
            length = int(header.partition(b":")[2])
    if len(answers.read(length)) != length:  # type: ignore[attr-defined]
        raise ConnectionError("the page was cut")
    return length
