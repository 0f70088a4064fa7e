"""``kaibiao demo``: a whole opening that plays by itself."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated

import typer

from web.demo.play import Options, play


def register(app: typer.Typer) -> None:
    """Add the command of this module to ``app``."""
    app.command("demo")(demo)


def demo(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080,
    bidders: Annotated[int, typer.Option(min=3, max=200, help="Bids received in time; one more comes late.")] = 5,
    speed: Annotated[float, typer.Option(min=0.1, max=200, help="Divides every wait and window.")] = 1.0,
    *,
    exit_when_done: Annotated[bool, typer.Option(help="Leave when the record is signed and verified.")] = False,
    out: Annotated[Path | None, typer.Option(file_okay=False, help="Folder to keep everything in.")] = None,
) -> None:
    """Play a whole opening by itself, with real certificates, sealed files and clients; watch it, or take a seat."""
    options = Options(port=port, bidders=bidders, speed=speed, exit_when_done=exit_when_done, out=out)
    with contextlib.suppress(KeyboardInterrupt):
        raise SystemExit(asyncio.run(play(options)))
