"""The keys the hall itself holds, in its data folder: one to sign receipts, one to seal what it must keep secret."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from crypto.signing import HallKey
from sessions.store.vault import MasterKey

HALL = "hall-key.pem"
MASTER = "master.key"


class KeyExposed(Exception):
    """A key file that others on this machine may read."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path.name} may be read by others")
        self.hint = f"chmod 600 {path}"


def hall_key(folder: Path) -> HallKey:
    """Return the hall's Ed25519 key, making it the first time. Losing it orphans every receipt: back it up."""
    return HallKey.load(_kept(folder / HALL, HallKey.generate().pem()))


def master_key(folder: Path) -> MasterKey:
    """Return the key that seals the vault, making it the first time. Without it no released bid opens: back it up."""
    return MasterKey(_kept(folder / MASTER, secrets.token_bytes(32)))


def _kept(path: Path, new: bytes) -> bytes:
    """Return the file's content; ``new``, durable, if there was no file. Two processes at once agree on one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)  # unlike a rename, refuses to replace the other's
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    if path.stat().st_mode & 0o077:
        raise KeyExposed(path)
    return path.read_bytes()
