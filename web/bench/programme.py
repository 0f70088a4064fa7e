"""What the public programme costs: painting, encoding for one way out and for three, and how late each way is."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from PIL import Image

from hall.media.mp4.boxes import Fragment, Init
from hall.media.picture.scene import Said, scene
from hall.media.picture.stage import Stage
from hall.media.programme.decoder import HEIGHT, WIDTH
from hall.media.programme.encoder import LOW as LOW_FORMAT
from hall.media.programme.encoder import Canvas, Encoder, Packets, smaller
from hall.media.programme.package import Folder
from hall.media.programme.viewers import LOW, SOUND
from hall.media.voice.mixer import Mixer
from hall.media.voice.sound import SAMPLES
from sessions.announcing.announcement import make_plan
from sessions.ids import SessionId
from sessions.store.migrations import migrate
from web.bench import machine
from web.bench.fanout.servers import running
from web.bench.goal import Goal
from web.bench.verifying import CHROMIUM
from web.bootstrap import build
from web.demo import cast
from web.serving.media import processes
from web.serving.server import HallServer
from web.settings import load

ROUNDS: Final = 5
SECONDS: Final = 8  # of programme in a round
WATCHED: Final = 6  # seconds for which a page says how late it is
NOW: Final = datetime(2026, 11, 21, 1, 31, 5, tzinfo=UTC)
PATIENCE_MS: Final = 60_000


def goals() -> Iterator[Goal]:
    """Yield each ratio as it is measured; the last needs Chromium and is left out where there is none."""
    yield _painting()
    yield from _outputs()
    yield _beside()
    if find_spec("playwright") is not None and CHROMIUM is not None:
        yield _lateness(asyncio.run(_late()))


def _painting() -> Goal:
    stage, ticks, fulls = Stage(), [], []
    view = _view()
    stage.paint(scene(view, NOW))
    for number in range(1, 20 * ROUNDS):
        now = NOW + timedelta(seconds=number)
        ticks.append(_spent(lambda now=now: stage.paint(scene(view, now))))  # type: ignore[misc]
        if number % 5 == 0:
            fulls.append(_spent(lambda now=now: Stage().paint(scene(view, now, _CAPTION))))  # type: ignore[misc]
    tick, full = statistics.median(ticks), statistics.median(fulls)
    return Goal(
        name="dirty tick : full repaint",
        measured=tick / full,
        limit=0.1,
        above=True,
        one=f"{1000 * tick:.2f} ms",
        other=f"{1000 * full:.2f} ms",
    )


def _outputs() -> Iterator[Goal]:
    with tempfile.TemporaryDirectory(prefix="kaibiao-bench-") as name:
        ones, threes, alls = [], [], []
        for number in range(ROUNDS):
            ones.append(_spent(partial(_programme, Encoder(live=_Nobody()))))
            began = NOW + timedelta(seconds=number)
            live, kept = Folder(Path(name), began), _Nobody()
            threes.append(_spent(partial(_programme, Encoder(live=live, kept=kept, packets=_Taken()))))
            low, heard = (Folder(Path(name) / variant, began) for variant in (LOW, SOUND))
            less = Encoder(LOW_FORMAT, live=low, heard=heard)
            alls.append(_spent(partial(_programme, Encoder(live=_Nobody()), less=less)))
        one, three, whole = statistics.median(ones), statistics.median(threes), statistics.median(alls)
    yield _cores("three outputs : one output", three, one, limit=1.4)
    yield _cores("one output, small and sound alone too : one output", whole, one, limit=1.4)


def _cores(name: str, one: float, other: float, *, limit: float) -> Goal:
    """Return what two take of a core, from the seconds of the processor that each took for ``SECONDS``."""
    return Goal(
        name=name,
        measured=one / other,
        limit=limit,
        above=True,
        one=f"{100 * one / SECONDS:.1f} % of a core",
        other=f"{100 * other / SECONDS:.1f} %",
    )


def _beside() -> Goal:
    """A camera as picture in picture, ten times a second another; it is decoded in a process of its own."""
    shown, alone, beside = _camera(), [], []
    for _ in range(ROUNDS):
        alone.append(_spent(partial(_programme, Encoder(live=_Nobody()))))
        beside.append(_spent(partial(_programme, Encoder(live=_Nobody()), shown)))
    one, other = statistics.median(beside), statistics.median(alone)
    return _cores("stage with a small picture : stage alone", one, other, limit=1.7)


def _camera() -> list[Image.Image]:
    """Return pictures of somebody who moves before a camera that is noisy, as they all are."""
    noise, made = Image.effect_noise((WIDTH, HEIGHT), 20).convert("RGB"), []
    for step in range(20):
        picture = Image.new("RGB", (WIDTH, HEIGHT), (90, 110, 120))
        picture.paste((220, 190, 170), (100 + 3 * step, 40, 180 + 3 * step, 150))
        made.append(Image.blend(picture, noise, 0.15))
    return made


def _programme(encoder: Encoder, small: Sequence[Image.Image] = (), less: Encoder | None = None) -> None:
    """Some seconds of a stage whose clock ticks and whose caption changes now and then, with sound."""
    stage, mixer, view = Stage(), Mixer(), _view()
    canvas, frame = Canvas(stage.image), None
    for tick in range(10 * SECONDS):
        said = Said(zh=f"第 {tick // 30} 句", en=f"line {tick // 30}")
        shown = scene(view, NOW + timedelta(seconds=tick // 10), said, "主持人 Host" if small else "")
        changed = stage.paint(shown, small[tick % len(small)].copy() if small else None)
        if changed or frame is None:
            frame = canvas.frame(stage.image, changed)
        encoder.picture(frame, tick * 100)
        if less is not None and tick % (10 // LOW_FORMAT.fps) == 0:
            less.picture(smaller(frame, LOW_FORMAT), tick * 100)
        pcm = mixer.take(SAMPLES // 10)
        for each in (encoder, less):
            if each is not None:
                each.sound(pcm, tick * SAMPLES // 10)
    for each in (encoder, less):
        if each is not None:
            each.end()


def _lateness(late: dict[str, float]) -> Goal:
    return Goal(
        name="latency, WebSocket : HLS of 2 s segments",
        measured=late["ws"] / late["hls"],
        limit=0.2,
        above=True,
        one=f"{late['ws']:.2f} s",
        other=f"{late['hls']:.2f} s, on the page in Chromium",
    )


async def _late() -> dict[str, float]:
    """How late the page of a real hall is, by its own account, on either way."""
    from playwright.async_api import async_playwright

    with tempfile.TemporaryDirectory(prefix="kaibiao-bench-") as name:
        settings = load(
            data_dir=Path(name) / "hall",
            port=machine.free_port(),
            rehearsal_allowed=True,
            log_level="error",
            media="on",
            media_port=0,
        )
        services = build(settings)
        await migrate(services.database)
        alone = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has no sandbox for root
        late = {}
        async with (
            running(HallServer(services, beside=partial(processes, settings, None))),
            async_playwright() as playwright,
        ):
            t0 = services.clock.now().replace(microsecond=0) + timedelta(minutes=20)
            checkin = {"checkin": timedelta(minutes=30)}
            session = SessionId(cast.SESSION)
            plan = make_plan(cast.tender(t0), session=session, rehearsal=True, windows=checkin)
            await services.sessions.create(plan)
            services.timekeeper.stir()
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=alone)
            for way in ("ws", "hls"):
                page = await browser.new_page()
                await page.add_init_script(f"localStorage.setItem('kaibiao.programme', '{way}')")
                await page.goto(f"{settings.origin}/s/{cast.SESSION}?lang=en")
                await page.wait_for_selector('#programme[data-state="playing"]', timeout=PATIENCE_MS)
                told = [await _told(page) for _ in range(4 * WATCHED)]
                late[way] = statistics.median(told[len(told) // 2 :])  # once it has caught up with the present
                await page.close()
            await browser.close()
        return late


async def _told(page: Any) -> float:
    """Return how late the page says that it is, half a second from now."""
    await asyncio.sleep(0.5)
    line = page.locator('[data-programme="told"]:has-text("behind")')
    text: str = await line.text_content(timeout=PATIENCE_MS)
    return float(text.rpartition(" · ")[2].partition(" ")[0])


class _Nobody:
    """Takes fragments and keeps none."""

    def begin(self, init: Init) -> None:
        """See FragmentSink."""

    def take(self, fragment: Fragment) -> None:
        """See FragmentSink."""

    def end(self) -> None:
        """See FragmentSink."""


class _Taken(Packets):
    def picture(self, data: bytes, timestamp: int, keyframe: bool) -> None:
        """See Packets."""

    def sound(self, data: bytes, timestamp: int) -> None:
        """See Packets."""


_CAPTION: Final = Said(zh="投标文件已经打开，现在开始唱标。", en="The bids are open; they are read out now.")


def _view() -> dict[str, Any]:
    """Return a public view with eight bidders, as a read-out has it."""
    said = {"zh": "金山路排水改造工程二标段", "en": "Jinshan Road drainage works, section 2"}
    amount = {"grouped": "12,873,954.94", "zh": "壹仟贰佰捌拾柒万叁仟玖佰伍拾肆元玖角肆分", "en": ""}
    bid = {"state": "opened", "amount": amount, "confirmed": "yes"}
    return {
        "session": {"title": said, "tenderer": said, "tender": "GC-2026-0417", "rehearsal": True, "currency": "CNY"},
        "t0": "2026-11-21T01:30:00.000Z",
        "status": "live",
        "step": "read",
        "due": "2026-11-21T01:40:00.000Z",
        "steps": {"read": {"order": 0, "title": {"zh": "唱标", "en": "Read-out"}}},
        "bids": {str(row): bid | {"row": row, "name": f"第{row}建设工程有限公司"} for row in range(1, 8)},
    }


def _spent(act: Callable[[], object]) -> float:
    began = time.process_time()
    act()
    return time.process_time() - began
