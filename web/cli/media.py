"""``kaibiao media``: the processes of picture and sound. `kaibiao serve` starts them; a city may run them as units.

What they are made of is imported in each command: whoever only wants to know how they are started loads no codec.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from hall.media.port.places import Places
from hall.media.port.processes import installed, watch
from sessions.clock import SystemClock
from web.refused import Refused
from web.settings import Settings, load

Config = Annotated[Path | None, typer.Option("--config", help="TOML file with settings (docs/settings.md).")]
Hall = Annotated[str, typer.Option("--hall", help="Where the hall is reached from here; else as the settings say.")]
Lifeline = Annotated[int | None, typer.Option(hidden=True)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to ``app``."""
    group = typer.Typer(no_args_is_help=True, help="Picture and sound, in processes of their own.")
    group.command("edge")(edge)
    group.command("programme")(programme)
    app.add_typer(group, name="media")


def edge(
    config: Config = None,
    data_dir: Annotated[Path | None, typer.Option(help="The hall's data folder.")] = None,
    hall: Hall = "",
    port: Annotated[int | None, typer.Option(help="The one UDP and TCP port; else as the settings say.")] = None,
    lifeline: Lifeline = None,
) -> None:
    """Carry the media of all sessions: one UDP and one TCP port for cameras, seats and supervisors."""
    settings = ready(config, data_dir)
    from hall.media.edge.keyframes import Video
    from hall.media.edge.serving import serve

    places, video = Places(settings.data_dir), Video(settings.media_video)
    addresses, at = settings.media_addresses, settings.media_port if port is None else port
    run(
        lambda: serve(places, host=settings.host, port=at, clock=SystemClock(), addresses=addresses, video=video),
        lifeline,
    )


def programme(
    config: Config = None,
    data_dir: Annotated[Path | None, typer.Option(help="The hall's data folder.")] = None,
    hall: Hall = "",
    linger: Annotated[float | None, typer.Option(hidden=True)] = None,
    lifeline: Lifeline = None,
) -> None:
    """Put every opening that is on before the public: picture, read-outs and captions, whoever has a camera."""
    settings = ready(config, data_dir)
    from hall.media.programme.broadcast import LINGER
    from hall.media.programme.serving import serve

    last = LINGER if linger is None else timedelta(seconds=linger)
    run(lambda: serve(Places(settings.data_dir), hall or settings.origin, SystemClock(), linger=last), lifeline)


def ready(config: Path | None, data_dir: Path | None) -> Settings:
    """Return the settings of a media process, once everything it needs is there."""
    if not installed():
        raise Refused("Picture and sound are not installed.", "Install the extra: pip install 'kaibiao[media]'.")
    settings = load(config, data_dir=data_dir)
    Places(settings.data_dir).make()
    return settings


def run(serve: Callable[[], Awaitable[None]], lifeline: int | None) -> None:
    """Run ``serve`` until a signal, or the end of whoever started this process."""

    async def until_told() -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, stop.set)
        if lifeline is not None:
            watch(lifeline, stop.set)
        serving = asyncio.ensure_future(serve())
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        serving.cancel()
        try:
            await serving
        except asyncio.CancelledError:
            return

    asyncio.run(until_told())
