"""The processes of picture and sound beside a hall: how each is started, and how politely."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from hall.media.port.processes import Processes
from web.media.whereabouts import on_air
from web.settings import Settings

POLITE = {"edge": 5, "programme": 10}
"""Niceness from the first instruction on: the ceremony always goes first, also before what takes a second to load."""

COMMANDS = ("edge", "programme")
"""The processes of a machine, as `kaibiao media` names them."""


def processes(settings: Settings, config: Path | None, hall: str, *, linger: float | None = None) -> Processes | None:
    """Return what keeps the media processes of this machine alive; None where media is off.

    ``linger``: seconds that a programme stays on after the end of its opening, where it is not what it is usually.
    """
    if not on_air(settings):
        return None
    given = ["--config", str(config)] if config is not None else []
    own = [sys.executable, "-m", "web.cli", "media"]
    more = ["--data-dir", str(settings.data_dir), "--hall", hall, "--lifeline"]
    own_words = {"edge": ["--port", str(settings.media_port)]}  # as the one who starts it was told, by whatever way
    own_words |= {"programme": ["--linger", str(linger)]} if linger is not None else {}
    nice = shutil.which("nice")
    polite = {name: [nice, "-n", str(POLITE[name])] if nice else [] for name in COMMANDS}
    return Processes(
        {name: [*polite[name], *own, name, *given, *own_words.get(name, []), *more] for name in COMMANDS}
    )
