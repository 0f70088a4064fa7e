"""What a witness keeps: a file for each log with the note it cosigned last, and one for each fault it saw.

A file is replaced in one step and is on the disk before anything is answered. Nothing is cached: what is read is what
is there.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import Any

from crypto.digest import sha256_hex
from crypto.encoding import canonical
from crypto.signing import HallKey
from crypto.tlog import WitnessSecret, peek_checkpoint
from crypto.tlog.notes import check_name
from web.witness.judging import Fault

KEY, NAME, LOCK = "witness-key.pem", "name", "lock"


class InUse(Exception):
    """Another process serves this folder."""

    hint = "stop it first: two witnesses over one folder could cosign two roots"


class Keeping:
    """The folder of one witness. ``open`` it before serving: two processes over one folder could contradict."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = -1

    @classmethod
    def found(cls, folder: Path, name: str) -> Keeping:
        """Make the folder of a new witness with a key of its own; raise ``FileExistsError`` if there is one."""
        check_name(name)
        for part in (folder, folder / "logs", folder / "faults"):
            part.mkdir(parents=True, exist_ok=True, mode=0o700)
        if (folder / KEY).exists():
            raise FileExistsError(str(folder / KEY))
        _write(folder / NAME, name.encode())
        _write(folder / KEY, HallKey.generate().pem())
        return cls(folder)

    def open(self) -> None:
        """Take the folder for this process. Raises InUse."""
        self._lock = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.close()
            raise InUse(str(self._folder)) from None

    def close(self) -> None:
        """Let the folder go."""
        os.close(self._lock)

    @property
    def secret(self) -> WitnessSecret:
        """The witness's name and key."""
        name = (self._folder / NAME).read_text("utf-8")
        return WitnessSecret(name, HallKey.load((self._folder / KEY).read_bytes()))

    def last(self, origin: str) -> str | None:
        """Return the note cosigned last of a log, signatures included."""
        return self.by_hash(sha256_hex(origin.encode()))

    def by_hash(self, origin_hash: str) -> str | None:
        """Return the same, by the digest that stands in its address."""
        try:
            return (self._folder / "logs" / origin_hash).read_text("utf-8")
        except FileNotFoundError:
            return None

    def keep(self, note: str) -> None:
        """Keep a note as the last of its log. Durable when this returns."""
        _write(self._folder / "logs" / sha256_hex(peek_checkpoint(note).origin.encode()), note.encode())

    def convict(self, fault: Fault, held: str, given: str) -> None:
        """Keep two notes that do not go together. The same pair is kept once."""
        document = canonical({"v": 1, "fault": fault.value, "held": held, "given": given})
        path = self._folder / "faults" / f"{sha256_hex(document)}.json"
        if not path.exists():
            _write(path, document)

    def faults(self) -> list[dict[str, Any]]:
        """Return every fault seen."""
        return [json.loads(path.read_bytes()) for path in sorted((self._folder / "faults").glob("*.json"))]


def _write(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
