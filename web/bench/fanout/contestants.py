"""Who takes part, and what each needs from this machine. Whoever cannot is named with the reason, never left out."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

from web.bench.fanout.crowd import HELLO, Stream

PEERS: Final = Path(__file__).parent / "peers"
INSTALLING: Final = 120.0  # seconds after which a peer counts as absent
LIVE: Final = Stream(target="/live/bench")

FLOOR: Final = "floor: one send a watcher"
HUB: Final = "kaibiao, WebSocket"
HUB_SSE: Final = "kaibiao, SSE"
NAIVE: Final = "FastAPI, for ws: await send_text"
QUEUED: Final = "FastAPI, a queue and a task each"
LIBRARY: Final = "websockets, broadcast()"
NODE_WS: Final = "Node, ws"
SOCKET_IO: Final = "Node, socket.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One server. ``words`` start it, with {folder}, {fact} and {port} filled in; ``absent``: why it cannot.

    ``keeps``: it has a database, and is let finish; how long the others take to see a crowd off is not measured.
    """

    name: str
    words: tuple[str, ...]
    stream: Stream = LIVE
    of: str = ""
    absent: str = ""
    keeps: bool = False


def python(server: str) -> tuple[str, ...]:
    """Return the words that start one of web.bench.fanout.servers."""
    return (sys.executable, "-m", "web.bench.fanout.servers", server, "{folder}", "{port}")


def contestants(cache: Path) -> tuple[Contestant, ...]:
    """Return everyone, made ready to start; what has to be built or installed lies in ``cache`` for the next time."""
    fastapi = f"FastAPI {version('fastapi')}, uvicorn {version('uvicorn')}, websockets {version('websockets')}"
    return (
        _floor(cache),
        Contestant(name=HUB, words=python("hub")),
        Contestant(name=HUB_SSE, words=python("hub"), stream=Stream(target="/bench/stream")),
        Contestant(name=NAIVE, words=python("naive"), of=fastapi),
        Contestant(name=QUEUED, words=python("queued"), of=fastapi),
        Contestant(name=LIBRARY, words=python("websockets"), of=f"websockets {version('websockets')}"),
        *_node(cache),
    )


def cache_folder() -> Path:
    """Return where things are kept between runs (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kaibiao" / "bench"


def _floor(cache: Path) -> Contestant:
    source = PEERS / "floor.c"
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return Contestant(name=FLOOR, words=python("bare"), of="Python: there is no C compiler on this machine")
    built = cache / f"floor-{_digest(source)}"
    if not built.exists():
        cache.mkdir(parents=True, exist_ok=True)
        fresh = built.with_suffix(f".{os.getpid()}")
        words = [compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(fresh), str(source)]
        subprocess.run(words, check=True, timeout=INSTALLING)  # noqa: S603  (our own words)
        fresh.rename(built)
    said = subprocess.run([compiler, "--version"], check=True, capture_output=True, text=True)  # noqa: S603  (our own words)
    return Contestant(name=FLOOR, words=(str(built), "{port}", "{fact}"), of="C, " + said.stdout.splitlines()[0])


def _node(cache: Path) -> tuple[Contestant, ...]:
    node, npm = shutil.which("node"), shutil.which("npm")
    socket_io = Stream(
        target="/socket.io/?EIO=4&transport=websocket",
        needle=b'\\"prev\\":\\"',  # its facts are strings in JSON
        hello=HELLO,
        welcome=b'40{"sid"',
    )
    peers = (
        Contestant(name=NODE_WS, words=(), of="ws"),
        Contestant(name=SOCKET_IO, words=(), stream=socket_io, of="socket.io"),
    )
    if node is None or npm is None:
        missing = "node" if node is None else "npm"
        return tuple(replace(peer, absent=f"there is no {missing} on this machine") for peer in peers)
    folder = cache / f"node-{_digest(PEERS / 'package-lock.json', PEERS / 'server.mjs')}"
    try:
        if not (folder / "ready").exists():
            _install(npm, folder)
        said = subprocess.run([node, "--version"], check=True, capture_output=True, text=True)  # noqa: S603  (our own words)
    except subprocess.CalledProcessError as error:
        why = re.sub(r"\s+", " ", (error.stderr or "")[-200:])
        return tuple(replace(peer, absent=f"npm ci failed: {why}") for peer in peers)
    except (OSError, subprocess.TimeoutExpired) as error:
        return tuple(replace(peer, absent=f"npm ci failed: {type(error).__name__}") for peer in peers)
    server = str(folder / "server.mjs")
    return tuple(
        replace(
            peer,
            words=(node, server, peer.of, "{port}", "{fact}"),
            of=f"{peer.of} {_locked(peer.of)}, Node {said.stdout.strip()}",
        )
        for peer in peers
    )


def _install(npm: str, folder: Path) -> None:
    """Install exactly what the lock says, and run nothing that comes with it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "server.mjs"):
        shutil.copy(PEERS / name, folder / name)
    words = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True, timeout=INSTALLING)  # noqa: S603  (our own words)
    (folder / "ready").touch()


def _locked(name: str) -> str:
    found = re.search(rf'"{re.escape(name)}": "([^"]+)"', (PEERS / "package.json").read_text("utf-8"))
    return found[1] if found else "?"


def _digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]
