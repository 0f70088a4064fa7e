"""Sound as it is everywhere in the programme: 48 kHz, one channel, signed 16 bits."""

from __future__ import annotations

from typing import Final

SAMPLES: Final = 48_000
"""A second."""


def silence(samples: int) -> bytes:
    """Return as many samples of nothing."""
    return bytes(2 * samples)
