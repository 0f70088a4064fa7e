"""The hall's master keys: the newest seals what must stay secret, any of them opens it.

A key is added by ``rotate`` while the hall serves. Whoever seals holds the folder's lock, shared, until what it
sealed is in the store; ``rotate`` takes it alone. So once ``rotate`` is back, nothing is ever again sealed under an
older key, and what ``sessions.store.resealing`` finds is all there is.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sessions.keys import keyfiles
from sessions.store.vault import MasterKey, SecretDamaged

MASTER = "master.key"
LENGTH = 32


class MasterKeys:
    """The master keys in a data folder. Notices by itself when another process added or removed one."""

    def __init__(self, folder: Path) -> None:
        """Read the keys, making the first. Without them no released bid opens: back them up."""
        self._folder = folder
        self._keys: dict[int, MasterKey] = {}
        if not keyfiles.numbered(folder, MASTER):
            keyfiles.make(folder / MASTER, secrets.token_bytes(LENGTH))
        self._refresh()

    @property
    def every(self) -> Mapping[int, MasterKey]:
        """Every key by its number, the newest first."""
        self._refresh()
        return self._keys

    @contextmanager
    def sealing(self) -> Iterator[MasterKey]:
        """Give the newest key to seal with. What is sealed under it must be in the store before this ends."""
        with keyfiles.locked(self._folder, shared=True):
            yield next(iter(self.every.values()))

    def open(self, session: str, name: str, sealed: bytes) -> bytes:
        """Return the secret, whichever key it was sealed under; raise SecretDamaged."""
        tried = tuple(self._keys)
        for _ in range(2):
            for key in self._keys.values():
                try:
                    return key.open(session, name, sealed)
                except SecretDamaged:
                    continue
            if tuple(self.every) == tried:
                break  # nobody added a key meanwhile
        raise SecretDamaged(name)

    def rotate(self) -> int:
        """Add a key, which is the newest from now on, and return its number.

        Blocks until nobody is sealing: call it from a process of its own, never from a hall's event loop.
        """
        with keyfiles.locked(self._folder):
            number = max(keyfiles.numbered(self._folder, MASTER)) + 1
            keyfiles.make(keyfiles.path_of(self._folder, MASTER, number), secrets.token_bytes(LENGTH))
        self._refresh()
        return number

    def remove(self, number: int) -> None:
        """Delete a key that is not the newest. The caller has made sure that nothing is sealed under it."""
        with keyfiles.locked(self._folder):
            there = keyfiles.numbered(self._folder, MASTER)
            if number == max(there):
                raise ValueError("the newest key seals, and stays")
            there[number].unlink()
            keyfiles.sync(self._folder)
        self._refresh()

    def _refresh(self) -> None:
        there = keyfiles.numbered(self._folder, MASTER)
        if there.keys() != self._keys.keys():
            newest_first = sorted(there.items(), reverse=True)
            self._keys = {
                number: self._keys.get(number) or MasterKey(keyfiles.read(path)) for number, path in newest_first
            }
