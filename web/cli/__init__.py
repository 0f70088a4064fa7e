"""The command line ``kaibiao``: every command registered, every error said in one sentence and a hint.

Exit 0 done, 1 refused or failed, 2 wrong usage. Answers go to stdout, everything for people to stderr.
"""

from __future__ import annotations

import sys

import httpx
import typer

from crypto.errors import CryptoRefused
from sessions.errors import CommandRefused
from sessions.hallkey import KeyExposed
from sessions.store.migrations import NoMigrations
from web.assets import AssetsError
from web.cli import bench, hall, sealing, serving, staff
from web.cli.refused import Refused
from web.remote import HallRefused
from web.settings import SettingsRefused
from web.trust import TrustRefused

app = typer.Typer(
    name="kaibiao",
    help="Kaibiao 开标: a live hall for remote bid openings.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _commands in (hall, serving, staff, sealing, bench):
    _commands.register(app)

_SAID = (
    Refused,
    CryptoRefused,
    CommandRefused,
    SettingsRefused,
    TrustRefused,
    HallRefused,
    AssetsError,
    NoMigrations,
    KeyExposed,
)
"""What is said in a sentence. Anything else is a mistake of ours and shows where it happened."""


def main() -> None:
    """Run a command and leave with its exit code."""
    try:
        app()
    except _SAID as error:
        _say(getattr(error, "sentence", "") or str(error), getattr(error, "hint", ""))
    except httpx.TransportError as error:
        _say(
            f"The hall cannot be reached: {error}",
            "Check the address and the network; `kaibiao serve` starts a hall.",
        )
    except OSError as error:
        _say(f"{error.filename}: {error.strerror}" if error.filename else str(error), "")
    else:
        return
    raise SystemExit(1)


def _say(sentence: str, hint: str) -> None:
    sys.stderr.write(f"{sentence}\n" + (f"{hint}\n" if hint else ""))
