"""What ``kaibiao doctor`` finds about secrets: who could read the keys, and whether memory could reach a disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from sessions.keys import keyfiles
from sessions.keys.hallkey import ENDORSED, HALL, HallKeys, KeysBroken
from sessions.store.masterkey import MASTER
from web.cli.finding import Finding
from web.process.hardening import undumpable
from web.settings import Settings

SWAPS, DEVICES = Path("/proc/swaps"), Path("/sys/class/block")
CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")


def about_secrets(settings: Settings) -> Iterator[Finding]:
    """Yield every finding about keys, swap and core dumps."""
    yield from key_files(settings)
    yield swap(rehearsal=settings.rehearsal_allowed)
    yield cores(rehearsal=settings.rehearsal_allowed)


def key_files(settings: Settings) -> Iterator[Finding]:
    """Look at the files of the hall's keys: who owns them, who may read them, and what lies beside them."""
    folder = settings.data_dir
    own = [path for first in (HALL, ENDORSED, MASTER) for path in keyfiles.numbered(folder, first).values()]
    given = (settings.seal_file, settings.seal_password_file, settings.turn_secret_file, settings.mail_password_file)
    faults = [
        fault
        for path in (*own, *(each for each in given if each is not None and each.exists()))
        for fault in _exposed(path)
    ]
    faults += [fault for path in own for fault in _foreign(path, folder)]
    yield from faults
    if not own or faults:
        return
    try:
        HallKeys.in_folder(folder)
    except KeysBroken as error:
        yield Finding(about="Keys", found=str(error), fix=f"{error.hint.capitalize()}.")
        return
    database = folder / "kaibiao.db"
    together = database.exists() and database.stat().st_dev == own[0].stat().st_dev
    where = "; on the same disk as the database: whoever takes that disk or its backup has both" if together else ""
    yield Finding(about="Keys", found=f"{len(own)} files, for their owner alone{where}")


def _exposed(path: Path) -> Iterator[Finding]:
    if path.stat().st_mode & 0o077:
        fix = f"chmod 600 {path.absolute()}"
        yield Finding(about="Keys", found=f"{path.name} may be read by others", fix=fix)


def _foreign(path: Path, folder: Path) -> Iterator[Finding]:
    if path.stat().st_uid != folder.stat().st_uid:
        fix = f"Give it to the owner of {folder.absolute()} (chown), who runs kaibiao."
        yield Finding(about="Keys", found=f"{path.name} belongs to another user", fix=fix)


def swap(*, rehearsal: bool, swaps: Path = SWAPS, devices: Path = DEVICES) -> Finding:
    """Look whether memory can reach a disk in the clear. A rehearsal may do without."""
    try:
        lines = swaps.read_text("utf-8").splitlines()[1:]
    except OSError:
        return Finding(about="Swap", found="this system does not tell")
    used = [line.split()[0] for line in lines]
    clear = [place for place in used if not _encrypted(place, devices)]
    if not clear:
        return Finding(about="Swap", found="encrypted, or in memory" if used else "none")
    found = f"{', '.join(clear)}: keys in memory may reach the disk in the clear"
    return Finding(
        about="Swap", found=found, fix="" if rehearsal else "Encrypt it (dm-crypt) or turn it off: swapoff -a"
    )


def _encrypted(place: str, devices: Path) -> bool:
    name = os.path.basename(os.path.realpath(place))
    if name.startswith("zram"):
        return True  # compressed memory, not a disk
    try:
        return (devices / name / "dm" / "uuid").read_text("ascii").startswith("CRYPT-")
    except OSError:
        return False  # a file, or a plain partition


def cores(
    pattern: Path = CORE_PATTERN, *, rehearsal: bool, silent: Callable[[], bool | None] = undumpable
) -> Finding:
    """Look whether the memory of a process that crashes is written somewhere. A rehearsal may do without."""
    try:
        where = pattern.read_text("utf-8", "replace").strip()
    except OSError:
        where = ""
    said = silent()
    if said:
        return Finding(about="Core dumps", found="none of kaibiao's memory" + (f"; others: {where}" if where else ""))
    if said is None:
        return Finding(about="Core dumps", found="of size 0; this system has no more to say")
    fix = "Start it without `-X dev`." if os.environ.get("PYTHONDEVMODE") is None else "Unset PYTHONDEVMODE."
    found = f"memory may be written to {where or 'a core file'}"
    return Finding(about="Core dumps", found=found, fix="" if rehearsal else fix)
