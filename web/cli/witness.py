"""``kaibiao witness``: hold the logs of halls from outside. Run it where the hall's people have no key."""

from __future__ import annotations

import logging
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from crypto.errors import NoteRefused
from crypto.tlog import VerifierKey
from crypto.tlog.notes import ED25519
from sessions.clock import SystemClock
from web.refused import Refused
from web.witness.keeping import InUse, Keeping
from web.witness.serving import Witness, server

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the witness: its key, and what it holds.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to ``app``."""
    group = typer.Typer(no_args_is_help=True, help="Witness the logs of halls.")
    group.command("init")(init)
    group.command("serve")(serve)
    app.add_typer(group, name="witness")


def init(
    folder: Folder,
    name: Annotated[str, typer.Option(help="Its name, best an address without a scheme.")] = "",
) -> None:
    """Make the key of a new witness and print its public half, the vkey that halls list."""
    try:
        keeping = Keeping.found(folder, name or f"{socket.gethostname()}/witness")
    except FileExistsError:
        raise Refused(f"{folder} has a key already.", "Serve it, or choose another folder.") from None
    except NoteRefused:
        raise Refused(f"{name!r} cannot name a key.", "Leave out spaces and `+`.") from None
    sys.stdout.write(f"{keeping.secret.public}\n")


def serve(
    folder: Folder,
    log: Annotated[list[str], typer.Option(help="vkey of a hall; may be given several times.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8090,
) -> None:
    """Cosign what these halls' logs sign, as long as each checkpoint continues the one before."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    keeping = Keeping(folder)
    try:
        keeping.open()
        witness = Witness(keeping, [hall_key(vkey) for vkey in log], SystemClock())
    except FileNotFoundError:
        raise Refused(f"{folder} is no witness's folder.", f"Run `kaibiao witness init {folder}`.") from None
    except InUse as error:
        raise Refused(f"Another process serves {error}.", InUse.hint) from None
    try:
        server(witness, host, port).run()
    finally:
        keeping.close()


def hall_key(vkey: str) -> VerifierKey:
    """Return a hall's key from the command line; its name covers every log under it."""
    try:
        key = VerifierKey.parse(vkey)
    except NoteRefused:
        raise Refused(f"{vkey} is no vkey.", "Take it from the hall: /api/v1/log-key.") from None
    if key.kind != ED25519:
        raise Refused(f"{vkey} is a witness's key.", "Take the hall's own from /api/v1/log-key.")
    return key
