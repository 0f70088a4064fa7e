"""The hall's signing keys. An opening keeps the one it was announced under; the newest is for those to come.

Each key but the first is endorsed by the one before (crypto/FORMAT.md section 7), so whoever trusts an old key can
follow to the newest. All are kept: an archive is signed, whenever somebody asks for it, by the key of its opening.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crypto.endorsements import endorse, follow
from crypto.errors import StatementRefused
from crypto.signing import HallKey, HallPublicKey
from sessions.keys import keyfiles
from sessions.plan import Plan

HALL: Final = "hall-key.pem"
ENDORSED: Final = "hall-key.jws"
"""The family of endorsements: ``hall-key-2.jws`` is that of ``hall-key-2.pem``, by the key before it."""


class KeysBroken(Exception):
    """The hall's keys do not go together: one is missing, or not endorsed by the one before."""

    hint = "put every hall-key*.pem and hall-key*.jws back from the backup: they belong together"


@dataclass(frozen=True, slots=True)
class _Chain:
    keys: tuple[HallKey, ...]
    endorsements: tuple[str, ...]


class HallKeys:
    """The hall's keys, oldest first. Notices by itself when another process added one."""

    def __init__(
        self, keys: Sequence[HallKey], endorsements: Sequence[str] = (), *, folder: Path | None = None
    ) -> None:
        """Use ``in_folder``, or for a hall without a folder give the keys themselves. Raises KeysBroken."""
        self._folder = folder
        self._chain = _checked(keys, endorsements)

    @classmethod
    def in_folder(cls, folder: Path) -> HallKeys:
        """Return the keys in a data folder, making the first. Losing one orphans its receipts: back them up."""
        if not keyfiles.numbered(folder, HALL):
            keyfiles.make(folder / HALL, HallKey.generate().pem())
        return cls(*_read(folder), folder=folder)

    @property
    def newest(self) -> HallKey:
        """The key that openings announced from now on keep."""
        self._refresh()
        return self._chain.keys[-1]

    @property
    def public(self) -> tuple[HallPublicKey, ...]:
        """Every public key, oldest first."""
        self._refresh()
        return tuple(key.public for key in self._chain.keys)

    def named(self, kid: str | None) -> HallKey:
        """Return the key ``kid``, without one the oldest; raise KeysBroken if it is not here."""
        for _ in range(2):
            for key in self._chain.keys:
                if kid is None or key.public.kid == kid:
                    return key
            self._refresh()
        raise KeysBroken(f"there is no hall key {kid}")

    def of(self, plan: Plan) -> HallKey:
        """Return the key of an opening: every receipt, slip, checkpoint and signature of it is by this one."""
        return self.named(plan.hall_key)

    def document(self, until: HallPublicKey | None = None) -> dict[str, Any]:
        """Return the keys with their endorsements, oldest first, as they are published; up to the key ``until``."""
        public = self.public
        count = len(public) if until is None else public.index(until) + 1
        return {
            "v": 1,
            "keys": [key.document() for key in public[:count]],
            "endorsements": list(self._chain.endorsements[: count - 1]),
        }

    def rotate(self) -> HallKey:
        """Add a key that the newest one endorses, and return it. It is there whole or, after a crash, not at all."""
        if self._folder is None:
            raise ValueError("these keys have no folder")
        folder, new = self._folder, HallKey.generate()
        with keyfiles.locked(folder):
            self._chain = _checked(*_read(folder))
            number = max(keyfiles.numbered(folder, HALL)) + 1
            token = keyfiles.path_of(folder, ENDORSED, number)
            token.unlink(missing_ok=True)  # of a key that a crash never let come to be
            keyfiles.make(token, endorse(self._chain.keys[-1], new.public).encode())
            keyfiles.make(keyfiles.path_of(folder, HALL, number), new.pem())  # from here on it is a key
        self._refresh()
        return new

    def _refresh(self) -> None:
        if self._folder is not None and len(keyfiles.numbered(self._folder, HALL)) != len(self._chain.keys):
            self._chain = _checked(*_read(self._folder))


def _read(folder: Path) -> tuple[list[HallKey], list[str]]:
    files = keyfiles.numbered(folder, HALL)
    if sorted(files) != list(range(1, len(files) + 1)):
        raise KeysBroken(f"hall keys are missing: there are only {', '.join(path.name for path in files.values())}")
    try:
        tokens = [keyfiles.read(keyfiles.path_of(folder, ENDORSED, n)).decode("ascii") for n in files if n > 1]
    except FileNotFoundError as error:
        raise KeysBroken(f"{Path(error.filename).name} is missing") from None
    return [HallKey.load(keyfiles.read(path)) for path in files.values()], tokens


def _checked(keys: Iterable[HallKey], endorsements: Sequence[str]) -> _Chain:
    keys = tuple(keys)
    try:
        follow([key.public for key in keys], endorsements)
    except StatementRefused as error:
        raise KeysBroken("a hall key is not endorsed by the one before it") from error
    return _Chain(keys, tuple(endorsements))


def kid_in(plan: Mapping[str, Any]) -> str | None:
    """Return the name of the opening's key in a plan as stored; None in plans of earlier versions."""
    kid: str | None = plan.get("hall_key")
    return kid
