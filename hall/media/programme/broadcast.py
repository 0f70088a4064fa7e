"""One session on the air: the picture of its public view, what is said, and everyone who takes it.

Ten times a second it paints what changed, encodes once and hands on. A machine that is late leaves pictures out, and
sound has every sample, so both stay together. Nothing here can hold the ceremony back: it only reads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from hall.media.mp4.boxes import Fragment, FragmentSink, Init
from hall.media.picture.scene import Said, scene, speaker_of
from hall.media.picture.stage import Stage, sound_alone
from hall.media.programme.camera import Camera
from hall.media.programme.encoder import FULL as FULL_FORMAT
from hall.media.programme.encoder import LOW as LOW_FORMAT
from hall.media.programme.encoder import Box, Canvas, Encoder, Packets, smaller
from hall.media.programme.package import Crowd
from hall.media.programme.viewers import FULL, LOW, SOUND, WORDS
from hall.media.voice import readouts
from hall.media.voice.mixer import Clip, Mixer
from hall.media.voice.readouts import Line
from hall.media.voice.sound import SAMPLES
from hall.media.voice.speaker import Speaker
from hall.views.readout import rows_read
from sessions.clock import Clock
from sessions.ids import SessionId
from sessions.opening import OVER
from sessions.shape import rfc3339

TICK: Final = 0.1
LINGER: Final = timedelta(seconds=8)  # after the end, so that the last words are heard
CAPTION: Final = timedelta(seconds=12)  # then the strip is empty again
PER_TICK: Final = SAMPLES // 10
FALLEN_BEHIND: Final = 50  # ticks: a machine that slept begins anew instead of making up for hours

View = Mapping[str, Any]

_log = logging.getLogger(__name__)


class Outlets:
    """Several sinks as one. A sink that fails is left out from then on: a full disk ends no programme."""

    def __init__(self, *sinks: FragmentSink) -> None:
        self._sinks = list(sinks)

    def begin(self, init: Init) -> None:
        """See FragmentSink."""
        self._each(lambda sink: sink.begin(init))

    def take(self, fragment: Fragment) -> None:
        """See FragmentSink."""
        self._each(lambda sink: sink.take(fragment))

    def end(self) -> None:
        """See FragmentSink."""
        self._each(lambda sink: sink.end())

    def _each(self, act: Callable[[FragmentSink], object]) -> None:
        for sink in tuple(self._sinks):
            try:
                act(sink)
            except OSError:
                _log.exception("an outlet of the programme failed and is left out")
                self._sinks.remove(sink)


class Broadcast:
    """The programme of one session, from its first view until some seconds after its end."""

    def __init__(
        self,
        session: SessionId,
        clock: Clock,
        speaker: Speaker,
        *,
        folder: Callable[[str, datetime], FragmentSink],
        kept: Callable[[datetime], FragmentSink] | None = None,
        packets: Callable[[datetime], Packets] | None = None,
        linger: timedelta = LINGER,
        ask_keyframe: Callable[[], object] = lambda: None,
    ) -> None:
        """``folder``, ``kept`` and ``packets`` are called with the moment of pts 0 and return who takes what comes.

        Those of a fifth of a second go to ``folder`` of each variant, for viewers; those of half a second to
        ``kept``, on disk.
        ``linger``: how long it stays on the air after the end.
        ``ask_keyframe`` asks whoever is on air for a picture that stands by itself.
        """
        self.session = session
        self.crowds = {name: Crowd(name) for name in (LOW, SOUND, WORDS)}
        self.crowds[FULL] = Crowd(FULL, self.want_keyframe)
        self._clock = clock
        self._speaker = speaker
        self._folder = folder
        self._kept = kept
        self._packets = packets
        self._linger = linger
        self._stage = Stage()
        self._mixer = Mixer()
        self.camera = Camera(ask_keyframe)
        self._view: View | None = None
        self._caption: tuple[Said, datetime] = (Said(), clock.now())
        self._seen = asyncio.Event()
        self._read = 0
        self._readings: Mapping[str, str] = {}
        self._prepared = False
        self._ended: datetime | None = None
        self._encoders: dict[str, Encoder] = {}
        self._speaking: set[asyncio.Task[None]] = set()

    def want_keyframe(self) -> None:
        """Let the next picture of the full programme stand by itself: somebody came who sees nothing yet."""
        if FULL in self._encoders:
            self._encoders[FULL].want_keyframe()

    def reads(self, readings: Mapping[str, str]) -> None:
        """Read names like this from now on (sessions.wording.readings)."""
        self._readings = readings

    def shows(self, view: View, facts: list[Mapping[str, Any]]) -> None:
        """Go on with ``view``, after ``facts`` that were not told before."""
        self._view = view
        self._seen.set()
        if view["status"] in OVER:
            self._ended = self._ended or self._clock.now()
        for fact in facts:
            if line := readouts.of_fact(fact, view):
                self._say(line)
        if view.get("reading") and not self._prepared:
            self._prepared = True
            ahead = readouts.of_reading(view)
            self._later(self._speaker.prepare([(line.words.zh, "zh") for line in ahead], self._readings))

    @property
    def over(self) -> bool:
        """Whether everything was said and shown."""
        return self._ended is not None and self._clock.now() > self._ended + self._linger

    async def run(self) -> None:
        """Be on the air until it is over, or cancelled."""
        await self._seen.wait()  # sound without a picture would be a beginning that nobody can begin with
        loop = asyncio.get_running_loop()
        began, at = loop.time(), self._clock.now()
        self._open(at)
        done = 0  # ticks whose sound was made
        canvas, frame, low, slot = Canvas(self._stage.image), None, None, -1
        try:
            while not self.over:
                tick = int((loop.time() - began) / TICK)
                if tick - done > FALLEN_BEHIND:
                    _log.warning("the programme had stood still and begins anew", extra={"session": self.session})
                    return
                now = at + timedelta(seconds=tick * TICK)
                self.camera.tick()
                samples = (tick + 1 - done) * PER_TICK
                live = self.camera.sound(samples)  # before the picture that belongs to it
                if self._view is not None:
                    changed = self._paint(now)
                    if changed or frame is None:
                        frame, low = canvas.frame(self._stage.image, changed), None
                    self._encoders[FULL].picture(frame, tick * 100)
                    if tick * LOW_FORMAT.fps // 10 != slot:
                        slot = tick * LOW_FORMAT.fps // 10
                        low = low or smaller(frame, LOW_FORMAT)
                        self._encoders[LOW].picture(low, tick * 100)
                pcm = self._mixer.take(samples, live)
                for encoder in self._encoders.values():
                    encoder.sound(pcm, done * PER_TICK)
                done = tick + 1
                await asyncio.sleep(max(0.0, began + done * TICK - loop.time()))
        finally:
            for task in self._speaking:
                task.cancel()
            for encoder in self._encoders.values():
                encoder.end()
            self.crowds[WORDS].end()
            await self.camera.close()

    def _open(self, at: datetime) -> None:
        kept = self._kept(at) if self._kept is not None else None
        packets = self._packets(at) if self._packets is not None else None
        live, low, heard = (Outlets(self.crowds[name], self._folder(name, at)) for name in (FULL, LOW, SOUND))
        self._encoders[FULL] = Encoder(FULL_FORMAT, live=live, kept=kept, packets=packets)
        # Always, though few ask: nobody who serves the files can tell that somebody did. A fiftieth of a core.
        self._encoders[LOW] = Encoder(LOW_FORMAT, live=low, heard=heard)
        for crowd in self.crowds.values():
            crowd.tell("began", rfc3339(at))

    def _paint(self, now: datetime) -> list[Box]:
        assert self._view is not None  # asked before
        begun = rows_read(self._view, now)
        if begun > self._read and (line := readouts.of_row(self._view, begun)):
            self._say(line)
        self._read = begun
        caption, since = self._caption
        if now - since > CAPTION and not self._mixer.busy:
            caption = Said()
        source = self.camera.source
        small = (self.camera.picture or sound_alone()) if source is not None else None
        speaker = speaker_of(self._view, source) if source is not None else ""
        return self._stage.paint(scene(self._view, now, caption, speaker), small)

    def _say(self, line: Line) -> None:
        """Show the words now; say them when they are made, if that is soon enough."""
        now = self._clock.now()
        self._caption = line.words, now
        words = {"zh": line.words.zh, "en": line.words.en, "at": rfc3339(now)}
        for crowd in self.crowds.values():
            crowd.tell("caption", words)
        if line.spoken:
            self._later(self._speak(line, self._mixer.now))

    def _later(self, act: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(act)
        self._speaking.add(task)
        task.add_done_callback(self._speaking.discard)

    async def _speak(self, line: Line, at: int) -> None:
        for language, text, patient in (("zh", line.words.zh, False), ("en", line.words.en, True)):
            pcm = await self._speaker.say(text, language, self._readings)
            if pcm:
                self._mixer.add(Clip(pcm=pcm, at=at, patient=patient))
