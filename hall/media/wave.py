"""Speech as a file that every browser plays: a RIFF header before what a Speaker says."""

from __future__ import annotations

import struct

from hall.media.sound import SAMPLES


def wave(pcm: bytes) -> bytes:
    """Return 48 kHz mono s16 as a WAV file."""
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(pcm), b"WAVE", b"fmt ", 16, 1, 1, SAMPLES, 2 * SAMPLES, 2, 16, b"data", len(pcm))  # fmt: skip # noqa: E501 - one header
    return head + pcm
