"""The hall's private keys under a passphrase, for whoever keeps them with the backup (FORMAT.md)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from crypto.encoding import b64u, canonical, unb64u
from crypto.errors import CryptoRefused
from sessions.backup.archive import KEYS, BackupRefused, damaged
from sessions.keys import keyfiles
from sessions.keys.hallkey import ENDORSED, HALL
from sessions.store.masterkey import MASTER

_BOUND: Final = b"kaibiao/backup-keys/1"
_NONCE: Final = 12
_SHORTEST: Final = 12
_COST: Final = {"iterations": 3, "lanes": 4, "memory_kib": 65_536}  # RFC 9106 section 4, its second choice
_FAMILIES: Final = (HALL, ENDORSED, MASTER)


def key_files(folder: Path) -> dict[str, Path]:
    """Return the hall's key files by name."""
    return {path.name: path for first in _FAMILIES for path in keyfiles.numbered(folder, first).values()}


def seal(folder: Path, passphrase: bytes) -> bytes:
    """Return every key in ``folder`` under the passphrase. Raises BackupRefused for one that is too short."""
    if len(passphrase) < _SHORTEST:
        raise BackupRefused(
            f"the passphrase is shorter than {_SHORTEST} bytes", "Take a longer one: these keys sign as the hall."
        )
    keys = canonical({name: b64u(keyfiles.read(path)) for name, path in key_files(folder).items()})
    salt, nonce = os.urandom(16), os.urandom(_NONCE)
    sealed = nonce + AESGCM(_derived(passphrase, salt, _COST)).encrypt(nonce, keys, _BOUND)
    kdf = {"name": "argon2id", "salt": b64u(salt), **_COST}
    return json.dumps({"v": 1, "kdf": kdf, "sealed": b64u(sealed)}, indent=1).encode()


def open_chest(data: bytes, passphrase: bytes) -> dict[str, bytes]:
    """Return the keys by file name. Raises BackupRefused, for a wrong passphrase too."""
    try:
        form: dict[str, Any] = json.loads(data)
        kdf, sealed = form["kdf"], unb64u(form["sealed"])
        # The file says what it cost to make; one that asks for another machine's memory is not ours.
        cost = {name: int(kdf[name]) for name in _COST}
        if cost["memory_kib"] > 1 << 20 or cost["iterations"] > 16 or cost["lanes"] > 16:
            raise damaged(KEYS)
        key = _derived(passphrase, unb64u(kdf["salt"]), cost)
    except (ValueError, KeyError, TypeError, CryptoRefused) as error:
        raise damaged(KEYS) from error
    try:
        keys = AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], _BOUND)
    except (InvalidTag, ValueError) as error:
        raise BackupRefused(
            "the keys do not open with this passphrase", "Look for the one it was made with."
        ) from error
    found: dict[str, str] = json.loads(keys)
    return {name: unb64u(content) for name, content in found.items()}


def put_back(folder: Path, keys: dict[str, bytes]) -> None:
    """Write the key files, for their owner alone. A file that is there stays as it is."""
    for name, content in keys.items():
        if Path(name).name != name or not name.startswith(("hall-key", "master")):
            raise damaged(KEYS)
        keyfiles.make(folder / name, content)


def _derived(passphrase: bytes, salt: bytes, cost: dict[str, int]) -> bytes:
    return Argon2id(
        salt=salt, length=32, iterations=cost["iterations"], lanes=cost["lanes"], memory_cost=cost["memory_kib"]
    ).derive(passphrase)
