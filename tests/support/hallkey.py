"""The key that openings in a data folder get from now on, and one for every hall of the tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from crypto.signing import HallKey
from sessions.keys import keyfiles
from sessions.keys.hallkey import HALL, HallKeys


def hall_key(folder: Path) -> HallKey:
    return HallKeys.in_folder(folder).newest


def give_key(folder: Path) -> None:
    """Give a new hall the key of all the others: plans name it, and two halls are to be compared to the letter."""
    keyfiles.make(folder / HALL, _the_key())


@cache
def _the_key() -> bytes:
    return HallKey.generate().pem()
