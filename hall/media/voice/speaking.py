"""The voice, as a process of its own: lines of JSON in, samples out. Started by ``speaker``; never imported there.

libespeak-ng is GPL-3 and written in C: here it can neither bind nor crash anybody else. A line is
``{"text": .., "language": "zh" | "en"}``; the answer is a length in four bytes and 48 kHz mono s16.
"""

from __future__ import annotations

import ctypes
import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Final

import av
import espeakng_loader

from hall.media.voice.sound import SAMPLES

VOICES: Final = {"zh": b"cmn-latn-pinyin", "en": b"English (Great Britain)"}
RATES: Final = {"zh": 165, "en": 160}  # words a minute: slow enough to follow, as somebody reads a bid sheet

# speak_lib.h of espeak-ng 1.52
_SYNCHRONOUS: Final = 2
_RATE: Final = 1
_CHARACTERS: Final = 1
_UTF8: Final = 1
_CALLBACK: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class NoVoice(RuntimeError):
    """The library is there and does not speak."""


class Voice:
    """libespeak-ng, loaded once."""

    def __init__(self) -> None:
        self._library: Any = ctypes.cdll.LoadLibrary(espeakng_loader.get_library_path())
        data = str(Path(espeakng_loader.get_data_path()).parent).encode()
        self._rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0)
        if self._rate <= 0:
            raise NoVoice("espeak_Initialize")
        self._samples = bytearray()
        self._heard = _CALLBACK(self._hear)  # kept, or it is collected while C still calls it
        self._library.espeak_SetSynthCallback(self._heard)

    def say(self, text: str, language: str) -> bytes:
        """Return ``text`` spoken: Mandarin from pinyin with tone numbers, English from words."""
        self._samples.clear()
        if self._library.espeak_SetVoiceByName(VOICES[language]) != 0:
            raise NoVoice(VOICES[language].decode())
        self._library.espeak_SetParameter(_RATE, RATES[language], 0)
        said = text.encode()
        self._library.espeak_Synth(said, len(said) + 1, 0, _CHARACTERS, 0, _UTF8, None, None)
        return _at_our_rate(bytes(self._samples), self._rate)

    def _hear(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._samples += ctypes.string_at(samples, 2 * count)
        return 0


def _at_our_rate(pcm: bytes, rate: int) -> bytes:
    if not pcm:
        return b""
    frame = av.AudioFrame("s16", "mono", len(pcm) // 2)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    frame.planes[0].update(pcm)
    resampler = av.AudioResampler("s16", "mono", SAMPLES)
    made = [*resampler.resample(frame), *resampler.resample(None)]
    return b"".join(bytes(one.planes[0])[: 2 * one.samples] for one in made)


def serve(asked: BinaryIO, answered: BinaryIO) -> None:
    """Answer line by line until nobody asks any more."""
    voice = Voice()
    for line in asked:
        question = json.loads(line)
        pcm = voice.say(question["text"], question["language"])
        answered.write(len(pcm).to_bytes(4, "big") + pcm)
        answered.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
